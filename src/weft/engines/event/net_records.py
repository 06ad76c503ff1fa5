"""Where everything about nets with strengths, and gates that are data, lies in memory (`records`, `net_kernels`).

These records follow the instances' blocks in the state. All fields are 64-bit words unless a comment says otherwise; an
address of 0 means that there is no such thing.
"""

from weft.engines.event.records import NODE_SIZE, WATCH_NEGEDGE, WATCH_POSEDGE

# ------------------------------------------------------------------------------------------- the control block

CODES_TABLE = 464
"""The address of the table of `strengths` that gives a range's value."""
DIRTY_POINTS = 472
"""The first of the points that the island solver must look at."""
ISLAND_NODE = 480
EPOCH = 488

# ------------------------------------------------------------------------------------------- nets

NET_SIGNAL = 0
NET_WIDTH = 8
"""The width of an element; `NET_PLANE` is the size of its plane in bytes, `NET_BITS` the bits of all elements."""
NET_PLANE = 16
NET_BITS = 24
NET_TABLE = 32
"""The table that combines two ranges on this kind of net."""
NET_BASE = 40
"""The range that the net has by itself."""
NET_NEW = 48
"""One byte for each bit: the range that its drivers give."""
NET_STRENGTHS = 56
"""One byte for each bit: the range that the net shows, later than `NET_NEW` if it has a delay."""
NET_CHARGE = 64
"""For a `trireg` one byte for each bit: the range of its charge."""
NET_CHARGE_BYTES = 72
"""The ranges of a charge of 0, 1 and x, the first the lowest."""
NET_MASK = 80
"""The plane of forced bits."""
NET_DRIVERS = 88
NET_DRIVER_COUNT = 96
NET_POINTS = 104
"""The points of its bits, if switches or ports join it with other nets."""
NET_DEPENDENTS = 112
NET_DEPENDENT_COUNT = 120
NET_DELAY = 128
"""The node of its delay, which has the net and the ticks of a rise, a fall and a turn-off behind it."""
NET_DECAY = 136
"""For a `trireg` that loses its charge: a node for each bit."""
NET_DECAY_TICKS = 144
NET_CHAIN = 152
"""The next of the nets that an island has changed, and 1 at its end; `NET_LOW` and `NET_HIGH` are the bits."""
NET_LOW = 160
NET_HIGH = 168
NET_RECORDS = 176
"""The addresses of flags (`engine.record_changes`) that tell who follows the net's drivers, and how many there are."""
NET_RECORD_COUNT = 184
NET_SIZE = 192

DEPENDENT_NODE = 0
DEPENDENT_BIT = 8
DEPENDENT_SIZE = 16

ENTRY_CELL = 0
"""An entry of a net's drivers: where the driver's bytes are, and the bits of the net that they are for."""
ENTRY_LOW = 8
ENTRY_HIGH = 16
ENTRY_SIZE = 24

DRIVER_NET = 0
DRIVER_LOW = 8
DRIVER_BYTES = 16
"""Where a driver's ranges begin, one byte for each bit."""

DELAY_OWNER = NODE_SIZE
"""A node that waits for a delay knows what it is for: a net, or a gate; a charge's node also the bit."""
DELAY_RISE = NODE_SIZE + 8
DELAY_FALL = NODE_SIZE + 16
DELAY_OFF = NODE_SIZE + 24
DELAY_PLACES = 24
"""How far behind the ticks of a rise, fall or turn-off is the place of a signal that has them in `DELAY_SCALE`."""
DELAY_SCALE = NODE_SIZE + 56
DELAY_SIZE = NODE_SIZE + 64
DECAY_BIT = NODE_SIZE + 8
DECAY_SIZE = NODE_SIZE + 16

# ------------------------------------------------------------------------------------------- islands

POINT_NET = 0
POINT_BIT = 8
POINT_OWN = 16
"""The range that the bit's own drivers give."""
POINT_VALUE = 24
POINT_EDGES = 32
"""The edges of joins first, of which `POINT_JOIN_COUNT` says how many there are."""
POINT_EDGE_COUNT = 40
POINT_EPOCH = 48
POINT_DIRTY = 56
"""The next of the dirty points, and 1 at the last; 0 if it is not one of them."""
POINT_NEXT = 64
"""The next of the points that are being solved."""
POINT_QUEUED = 72
"""The next of the points whose neighbours must look, and 1 at the last; 0 if it is not one of them."""
POINT_TABLE = 80
"""The table that combines two ranges on the bit's simulated net (`net_kinds`), which has `POINT_BASE` by itself."""
POINT_BASE = 88
POINT_CHARGED = 96
"""1 if the simulated net keeps its charge, 0 if not."""
POINT_JOIN_COUNT = 104
POINT_SIZE = 112

EDGE_POINT = 0
EDGE_GATE = 8
EDGE_SIZE = 16

# ------------------------------------------------------------------------------------------- gates

GATE_SITE = NODE_SIZE
"""The list in which the gate waits; a second word follows."""
GATE_DRIVER = NODE_SIZE + 16
"""The driver that it drives, of a net with strengths; or the place of its bit in another signal, as follows."""
GATE_SIGNAL = NODE_SIZE + 24
GATE_BYTE = NODE_SIZE + 32
GATE_PLANE = NODE_SIZE + 40
GATE_SHIFT = NODE_SIZE + 48
GATE_BIT = NODE_SIZE + 56
GATE_MASK = NODE_SIZE + 64
"""The byte of the plane of forced bits that its bit lies in."""
GATE_BYTES = NODE_SIZE + 72
"""The ranges that it drives for 0, 1, x and z."""
GATE_DELAY = NODE_SIZE + 80
"""The node of its delay."""
GATE_APPLIED = NODE_SIZE + 88
GATE_NEXT = NODE_SIZE + 96
GATE_COUNT = NODE_SIZE + 104
"""How many inputs there are."""
GATE_INPUTS = NODE_SIZE + 112
GATE_TABLE = NODE_SIZE + 120
"""What a gate of its kind does: the value for each code of its inputs, the passing of ranges, or the rows."""
GATE_ROWS = NODE_SIZE + 128
GATE_STATE = NODE_SIZE + 136
"""The state of a sequential primitive, or how a switch conducts: 0 not, 1 yes, 2 unknown."""
GATE_DATA = NODE_SIZE + 144
"""Where the range of a switch's data is, if that is a net with strengths."""
GATE_POINT_A = NODE_SIZE + 152
GATE_POINT_B = NODE_SIZE + 160
GATE_CONTROL = NODE_SIZE + 168
"""How a switch conducts for each code of its controls."""
GATE_HELD = NODE_SIZE + 176
"""The inputs of a sequential primitive as it has last seen them, two bits each."""
GATE_MEMO = NODE_SIZE + 184
"""The next states of a primitive that have been looked up: a byte for each state, changed input, its code before, and
codes of the inputs, or `MEMO_EMPTY`; 0 if there are too many inputs."""
MEMO_EMPTY = 255
MEMO_INPUTS = 5
GATE_SIZE = NODE_SIZE + 192

INPUT_BYTE = 0
INPUT_PLANE = 8
INPUT_SHIFT = 16
INPUT_SIZE = 24

ROW_ZERO, ROW_ONE, ROW_X = 0, 8, 16
"""A row of a primitive's table: the inputs that may be 0, 1 and x, one bit each; bit 31 is the state."""
ROW_EDGE = 24
"""1 + the number of the input that must change, or 0; `ROW_BEFORE` has a bit for each code that it may have had."""
ROW_BEFORE = 32
ROW_RESULT = 40
"""The code of the next state, or 4 for no change."""
ROW_SIZE = 48

# ------------------------------------------------------------------------------------------- edges


def _edge_codes() -> int:
    """Return two bits for each pair of codes, old * 4 + new: the edges of that change (IEEE 1800-2023 table 9-2)."""
    packed = 0
    for old in range(4):
        for new in range(4):
            rises = (old == 0 and new != 0) or (old >= 2 and new == 1)
            falls = (old == 1 and new != 1) or (old >= 2 and new == 0)
            packed |= (WATCH_POSEDGE * rises | WATCH_NEGEDGE * falls) << 2 * (4 * old + new)
    return packed


EDGE_CODES = _edge_codes()
