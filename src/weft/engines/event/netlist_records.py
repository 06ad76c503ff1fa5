"""Where a netlist's gates lie in memory (`netlist_area`, `netlist_kernels`).

The area follows the other records in the state and begins with a header. A gate is named by how far behind the area its
record begins, in 32 bits; that is a multiple of 64 below 2**31, so that the other bits can tell which input is meant.
All fields are 64-bit words unless a comment says otherwise.
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
GATE_MASK, INPUT_MASK = 0x7FFFFFC0, 63

AREA_FIRST = 0
"""A node, which runs once at the start and does all gates."""
AREA_RUN_CHANGES = NODE_SHORT
"""The addresses of the code of batches."""
AREA_RUN_GATES = NODE_SHORT + 8
AREA_SIDES = NODE_SHORT + 16
"""For each line the signal that its gate drives, and the bit: what only those need who watch the signal."""
AREA_GATES, AREA_GATES_END = NODE_SHORT + 24, NODE_SHORT + 32
AREA_SOURCES, AREA_SOURCES_END = NODE_SHORT + 40, NODE_SHORT + 48
"""The signals that give inputs, `SOURCES_SIZE` bytes each."""
AREA_DUE = 128
"""The table `DUE_TABLE`."""
AREA_CODES = AREA_DUE + (DUE_SIZE << DUE_BITS)
"""The table of a gate with one input, which gives that: for codes that are found otherwise."""
STATES = 16
"""How many entries of 16 bits a table has for each code of the inputs: all codes to come, for all that are shown."""
AREA_CONTENTS = AREA_CODES + 2 * STATES * 4

# ------------------------------------------------------------------------------------------- gates

GATE_WORD = 0
"""What changes of a gate, as one word: from bit 0 on the code that the output is going to have (the same as it shows if
no change is on its way), the code that it shows, the codes of up to four inputs, the first the lowest, and `IDLE`; from
`GENERATION_AT` on a count of what the gate wanted: a change whose generation is over has been taken away."""
SHOWN_AT, INPUTS_AT, GENERATION_AT = 2, 4, 13
IDLE = 1 << 12
"""The gate is in no batch of gates."""
STEP_MASK = IDLE - 1
"""The bits of a gate's word that number the entry of its table."""
SPECIAL_BYTE, SPECIAL = 7, 128
"""Where the highest byte of the word is, and what it is if the gate has a family, or no delay."""
GATE_TABLE = 8
"""The address of its table, which has 16 bits for each coming and shown code and inputs: what is added to the word of a
gate that is in a batch. It is idle then, has another code to come, and has left behind one generation if a change
begins (`BEGINS`), or two if one is taken away."""
GATE_TERMS = 8
"""The codes of the inputs of a gate with a family, which has no table."""
GATE_PLACE = 16
"""The address of the byte that has its bit of the plane of values."""
GATE_DELAYS = 24
"""32 bits: how far behind the area are its ticks of a change to 0, 1, x and z."""
GATE_PLANE = 28
"""32 bits: the number of its bit in the byte, and times 8 how far behind the plane of unknowns is."""
GATE_COUNT = 32
"""24 bits: how many inputs read the output."""
COUNT_MASK, FLAGS_AT = 0xFFFFFF, 24
GATE_FLAGS = 35
"""8 bits, as below."""
GATE_KIND = 36
"""32 bits: its family, and whether it has one and no delay, as below."""
GATE_READERS = 40
"""32 bits each: the reading gate, and where its input is in the gate's word, or (`READER_TERM`) among its terms."""
READERS_INLINE = 6
READERS_LINE = 16
"""How many of them lie in a gate's first line, and in each that follows."""
READER_TERM = 1 << 31
BEGINS = 1 << GENERATION_AT
"""The bit of a table's entry that says that a change begins."""

FLAG_PART, FLAG_WATCHED, FLAG_MANY = 1, 2, 4
"""The output is a bit of a vector; somebody else watches it; there are more readers than the first line has."""

FAMILY_AND, FAMILY_OR, FAMILY_XOR, FAMILY_INVERTED = 0, 1, 2, 4
KIND_FAMILY, KIND_PROMPT = 8, 16
MAX_INPUTS = 32
"""The most inputs of a gate of a family; what is no input has the code that does not matter to the family."""
TABLE_INPUTS = 4

# ------------------------------------------------------------------------------------------- sources

SOURCES_PLACE = 0
"""All inputs that a signal gives to such gates, and none of these drives: where the signal's value is."""
SOURCES_PLANE = 8
"""How far the unknown bit is behind each, or 0 if it has none."""
SOURCES_LOW, SOURCES_HIGH = 16, 24
"""The bits of the signal from and to which there are sources."""
SOURCES_BITS = 32
"""The address of what there is for each of these bits, `SOURCE_BIT_SIZE` bytes, and once more for the end."""
SOURCES_ALL, SOURCES_END = 40, 48
"""The addresses of the list of all sources in the order of their gates: 32 bits for the reader, as `GATE_READERS` has
them, and 32 bits for how far behind `SOURCES_BITS` the bit is."""
SOURCES_SIZE = 56

SOURCE_READERS = 0
"""32 bits: how far behind the area the readers of a bit are; they end where those of the next one begin."""
SOURCE_PLACE = 4
"""32 bits: the number of the bit in its byte, and times 8 how far behind the signal's place that is."""
SOURCE_DIFFERENCE = 8
"""32 bits: which bits of its code are new, while the readers are told; else 0."""
SOURCE_BIT_SIZE = 12
SOURCE_SIZE = 8

# ------------------------------------------------------------------------------------------- batches

BATCH_ENTRIES = NODE_SHORT
"""A batch is a node with room for entries of 64 bits: changes (gate, generation << 32), or gates that are woken."""
BATCH_END = NODE_SHORT + 8
"""Where the next entry goes, and where the room ends."""
BATCH_LIMIT = NODE_SHORT + 16
BATCH_SIZE = NODE_SHORT + 24
