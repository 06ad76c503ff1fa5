"""Where a netlist's gates lie in memory (`netlist_area`, `netlist_kernels`).

The area follows the other records in the state and begins with a header. A gate is named by how far behind the area its
record begins, in 32 bits; that is a multiple of 64, so that the lowest six bits can tell which input is meant. All
fields are 64-bit words unless a comment says otherwise.
"""

from weft.engines.event.records import DUE_BITS, DUE_SIZE, NODE_SHORT

# ------------------------------------------------------------------------------------------- the control block

NETLIST = 12032
"""The address of the area, or 0 if there are no such gates."""
WOKEN = 12040
"""The batch that gates are put into that an input has woken, while it is the last of the active list."""
BATCHES_FREE = 12048

# ------------------------------------------------------------------------------------------- the area

LINE = 64
GATE_MASK, INPUT_MASK = 0xFFFFFFC0, 63

AREA_FIRST = 0
"""A node, which runs once at the start and does all gates."""
AREA_RUN_CHANGES = NODE_SHORT
"""The addresses of the code of batches."""
AREA_RUN_GATES = NODE_SHORT + 8
AREA_SIDES = NODE_SHORT + 16
"""For each line the signal that its gate drives, and the bit: what only those need who watch the signal."""
AREA_GATES, AREA_GATES_END = NODE_SHORT + 24, NODE_SHORT + 32
AREA_SOURCES, AREA_SOURCES_END = NODE_SHORT + 40, NODE_SHORT + 48
AREA_DUE = 128
"""The table `DUE_TABLE`."""
AREA_CONTENTS = AREA_DUE + (DUE_SIZE << DUE_BITS)

# ------------------------------------------------------------------------------------------- gates

GATE_INPUTS = 0
"""The codes of the inputs, two bits each, the first the lowest."""
GATE_PLACE = 8
"""The address of the byte that has its bit of the plane of values."""
GATE_TABLE = 16
"""32 bits: how far behind the area its table is, which has the output's code for every word of up to four inputs."""
GATE_GENERATION = 20
"""32 bits: counts what the gate wants; a change whose generation is over has been taken away."""
GATE_SHOWN = 24
"""8 bits: the code that the output has."""
GATE_COMING = 25
"""8 bits: the code that it is going to have; the same if no change is on its way."""
GATE_QUEUED = 26
"""8 bits: whether the gate is in a batch of gates."""
GATE_FLAGS = 27
"""8 bits, as below."""
GATE_DELAYS = 28
"""32 bits: how far behind the area are its ticks of a change to 0, 1, x and z."""
GATE_PLANE = 32
"""32 bits: the number of its bit in the byte, and times 8 how far behind the plane of unknowns is."""
GATE_COUNT = 36
"""32 bits: how many inputs read the output."""
GATE_READERS = 40
"""32 bits each: the reading gate, and twice the number of its input."""
READERS_INLINE = 6
READERS_LINE = 16
"""How many of them lie in a gate's first line, and in each that follows."""

FLAG_PART, FLAG_WATCHED, FLAG_PROMPT, FLAG_WIDE = 1, 2, 4, 8
"""The output is a bit of a vector; somebody else watches it; there is no delay; there is a family, not a table."""
FLAG_SPECIAL = FLAG_PROMPT | FLAG_WIDE

FAMILY_AND, FAMILY_OR, FAMILY_XOR, FAMILY_INVERTED = 0, 1, 2, 4
MAX_INPUTS = 32
"""The most inputs of a gate of a family; what is no input has the code that does not matter to the family."""
TABLE_INPUTS = 4

# ------------------------------------------------------------------------------------------- sources

SOURCE_PLACE = 0
"""An input that no such gate drives: the byte of its bit, and how far behind its unknown bit is (0: it has none)."""
SOURCE_PLANE = 8
SOURCE_SHIFT = 16
SOURCE_GATE = 24
"""The address of the reading gate, and twice the number of the input."""
SOURCE_AT = 32
SOURCE_SIZE = 40

# ------------------------------------------------------------------------------------------- batches

BATCH_ENTRIES = NODE_SHORT
"""A batch is a node with room for entries: changes of 64 bits (gate, generation << 32), or gates with an input."""
BATCH_END = NODE_SHORT + 8
"""Where the next entry goes, and where the room ends."""
BATCH_LIMIT = NODE_SHORT + 16
BATCH_SIZE = NODE_SHORT + 24
