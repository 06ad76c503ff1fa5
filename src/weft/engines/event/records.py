"""Where everything lies in the memory that the runtime and compiled processes share.

One block of memory holds the control block at its start and the design's state behind it; its address, `S`, is passed
to every compiled function. All fields are 64-bit words at the offsets below unless a comment says otherwise.

A *list* is two words, its first and last node; nodes are linked both ways, so that any can be taken out (`disable`).
A *node* is what waits to be run: a thread (a process, or a branch of a `fork`), or a record that a delayed assignment
has left for later. Running a node is calling its code with the node and `S`; a thread's code returns 1 to be called
again at once, since it has entered or left a task.
"""

# ------------------------------------------------------------------------------------------- lists and nodes

LIST_HEAD, LIST_TAIL = 0, 8

NODE_NEXT = 0
NODE_PREV = 8
NODE_LIST = 16
"""The list that the node is in, or 0."""
RUNNING = 1
"""What stands there while a thread runs that watches name: it cannot be made ready then (`always_watched`)."""
NODE_CODE = 24
NODE_PC = 32
"""32 bits: where a thread's code goes on."""
NODE_FLAGS = 36
"""32 bits, as below."""
NODE_TIME = 40
NODE_PROCESS = 48
"""The number of the process, for reports."""
NODE_INSTANCE = 56
NODE_SHORT = 64
"""The size of the node of code that never waits, forks or calls a task: a continuous assignment."""
NODE_PARENT = 64
NODE_JOIN = 72
NODE_CHILDREN = 80
NODE_SIBLING = 88
NODE_LIVE = 96
"""How many forked threads, of its own, have not ended."""
NODE_FRAME = 104
NODE_RETURNED = 112
"""The frame of the task that has just returned."""
NODE_SCOPES = 120
"""The innermost scope record: a block or task that is active and can be disabled."""
NODE_BASE = 128
"""The frame that a thread began with: what lies below it belongs to its parent."""
NODE_OBJECT = 136
"""The process object of the thread, if somebody has asked for it, or 0."""
NODE_SEED = 144
"""The state of the thread's stream of random numbers (IEEE 1800-2023 18.14)."""
NODE_SIZE = 152

FLAG_HEAP, FLAG_REACTIVE, FLAG_ENDED, FLAG_WAIT_FORK = 1, 2, 4, 8
FLAG_OBSERVED, FLAG_POSTPONED = 32, 64
FLAG_BATCH = 128
"""The node is a batch of gates or of their changes (`netlist_kernels`)."""
FLAG_REGION = FLAG_REACTIVE | FLAG_OBSERVED | FLAG_POSTPONED

# ------------------------------------------------------------------------------------------- frames

FRAME_REFS = 0
"""32 bits; then 32 bits of size class."""
FRAME_CLASS = 4
FRAME_CODE = 8
"""Where a task returns to; 0 in the frame of a block or process."""
FRAME_PC = 16
FRAME_CALLER = 24
FRAME_OUTER = 32
"""The frame of the block or routine around this one."""
FRAME_INSTANCE = 40
FRAME_THIS = 48
FRAME_HEADER = 64

# ------------------------------------------------------------------------------------------- scope records, joins

SCOPE_NEXT, SCOPE_PREV, SCOPE_LIST = 0, 8, 16
"""A scope record is a node of the list of one block: of an activation, or (no code) of a thread forked inside."""
SCOPE_THREAD, SCOPE_OUTER, SCOPE_CODE, SCOPE_PC, SCOPE_FRAME = 24, 32, 40, 48, 56
SCOPE_SIZE = 64

PROCESS_STATE, PROCESS_WAITERS, PROCESS_THREAD = 0, 8, 24
"""A process object: finished 0, running 1, waiting 2, suspended 3, killed 4; who awaits it; its thread."""
PROCESS_CODE, PROCESS_HELD, PROCESS_SLEEPER = 32, 40, 48
"""While suspended: the thread's code, 0 if it has suspended itself; whether it has become ready; a list of itself."""
PROCESS_SIZE = 64

JOIN_LEFT, JOIN_WAITER, JOIN_ANY = 0, 8, 16
JOIN_SIZE = 32

# ------------------------------------------------------------------------------------------- signals

SIGNAL_WATCHES = 16
"""How far before a signal's value its header begins: the address of its watches, or 0."""
SIGNAL_FLAGS = 8
"""How far before the value its flags are: not 0 while a nonblocking assignment is pending (`find_mixed`)."""
SIGNAL_HEADER = 16

WATCH_COUNT = 0
"""32 bits: how many watches a signal has."""
WATCH_WANTED = 4
"""32 bits: the edges that any of them looks for, all if one looks for something else."""
WATCH_INDEX = 8
"""The address of an index, or 0: how many bits it has, and for each the address of an array of its watches, or 0."""
WATCH_RISES, WATCH_FALLS = 16, 24
"""The addresses of arrays of those watches that look at a change with a rising or falling edge of bit 0, or 0; a word
each, in the order of `WATCH_POSEDGE` (1) and `WATCH_NEGEDGE` (2)."""
WATCH_PLAIN = 32
"""For each number of edges of bit 0 (0 to 3) that a change of the signal may have, the address of an array of all that
it makes ready, or 0 if a watch has to be looked at: addresses of nodes, and with 1 added of wait sites; 0 ends it."""
WATCH_ENTRIES = 64
WATCH_LIST = 0
WATCH_KIND = 8
"""32 bits, as below."""
WATCH_LOW, WATCH_HIGH = 16, 20
"""32 bits each: the bits that are watched, high end exclusive."""
WATCH_CODE = 24
WATCH_SIZE = 32

WATCH_POSEDGE, WATCH_NEGEDGE, WATCH_ANY, WATCH_EVALUATE, WATCH_RECORD, WATCH_NODE = 1, 2, 4, 8, 16, 32
"""What a watch looks for; with `WATCH_NODE` its list is a node that always waits and is made ready unless it is."""
WATCH_CALL = 64
"""The code is called with what stands in the list's place, and the state."""
WATCH_PART = 128
"""The watch looks for any change of some bits of the signal, so that a change of other bits must not wake it."""
WATCH_WHOLE = 256
"""Every change of the signal wakes it that has an edge which it looks for, or any if it looks for any."""

# ------------------------------------------------------------------------------------------- delayed records

RECORD_SIZE = 48
"""A node that is no thread has its own size here, and its contents from 64 up."""
RECORD_FUNCTION = 56
RECORD_CONTENTS = 64

# ------------------------------------------------------------------------------------------- the control block

TIME = 0
STOP = 8
"""Not 0: return to Python as soon as the present thread has suspended itself."""
ACTIVE = 16
INACTIVE = 32
REACTIVE = 48
RE_INACTIVE = 64
NBA_BUFFER, NBA_CAPACITY, NBA_LENGTH = 80, 88, 96
RE_NBA_BUFFER, RE_NBA_CAPACITY, RE_NBA_LENGTH = 104, 112, 120
OBSERVED = 128
POSTPONED = 144
DELTAS = 160
MAX_DELTAS = 168
CURRENT = 176
EVENTS_LEFT = 184
"""How many more events there may be before the run pauses; it counts down to 0."""
CHANGED_BUFFER, CHANGED_CAPACITY, CHANGED_LENGTH = 192, 200, 208
"""The numbers of the recorded signals that have changed in this time step, each once."""
STEP_CALL = 216
"""What to call in the postponed region when signals are recorded, or 0."""
THREADS_FREE = 224
FRAMES_FREE = 232
FRAME_CLASSES = 16
SHUFFLE = 360
"""The state of the random order of equal events; 0: first come, first served."""
UNTIL = 368
IN_REACTIVE = 376
LAST_EVENT = 384
"""How many events there will have been when none is left."""
HOST_CALL = 392
STACK_LIMIT = 400
WHEEL_NOW = 408
ERROR = 416
"""Why the run stopped: 0, or one of the reasons below."""
RANDOM_SEED = 424
CALLS = 432
JOINS_FREE = 440
WHEEL_BITS = 512
WHEEL_LEVELS = 11
WHEEL_SLOTS = 640
HEAP_BUFFER, HEAP_CAPACITY, HEAP_LENGTH = 11904, 11912, 11920
"""The addresses of all objects, with bit 0 set for process objects, for the collector; room and count in words."""
HEAP_BYTES, HEAP_LIMIT, HEAP_COLLECTOR = 11928, 11936, 11944
"""The bytes of all objects, how many there may be before the collector is asked for, and the collector's node."""
EARLIEST = 11952
"""A list of the node that waits for a time before all in the wheel, if there is one alone (`wheel_kernels`)."""
WHEEL_FROM = 11968
"""No node in the wheel has a time below this; 0 if no such bound is known."""
SWITCH_CALL = 12008
"""What to call before the next time step, or 0 (`second_tier`); it says whether the scheduler is to be called anew."""
NEXT_LIST = 12016
"""The slot of the wheel in which the earliest nodes have been found."""
DUE_TABLE = 12024
"""The address of the table of batches of changes by the time when they are due, or 0 (`netlist_kernels`)."""
DROP_BATCH = 12064
"""The address of the code that takes a batch out of the wheel if nothing is left in it."""
DUE_BITS = 8
DUE_TIME, DUE_BATCH = 0, 8
"""An entry of it: the time, and the batch that a change may be added to; no time if something has been put behind."""
DUE_SIZE = 16
DUE_HASH = 0x9E3779B97F4A7C15
"""An odd constant: a time belongs to the entry that the highest bits of their product number."""
RACE_EPOCH, RACE_BASE, RACE_LAST, RACE_CAUSE = 12200, 12208, 12216, 12224
"""Of the race detector (`race_kernels`): the epoch, its first activation, the last one, the one under way or 0."""
RACE_PARENTS, RACE_ROOM, RACE_TABLE, RACE_CALL = 12232, 12240, 12248, 12256
"""The activation that made each one ready, room for so many; the accesses by place; whom to tell of a race."""
RANDOM_MODES = 12264
"""Whether `rand_mode` or `constraint_mode` has ever been switched: Python then knows what is on (18.8, 18.9)."""
UNFLUSHED = 12272
"""Not 0 if Python has been called since the last `$fflush` of all files, and may have written: else there is nothing to
flush."""
COPY_CALL = 12280
"""What copies a container that Python keeps, given its handle."""
TEXT_TABLE, TEXT_ROOM, TEXT_CALL, TEXT_NONE = 12288, 12296, 12304, 12312
"""The characters of strings by their handles, as far as they have been asked for (`text_kernels`): the address of the
table, how many handles have room in it, and what gets those of another string; a word that is 0, the empty string."""
RANDOM_BEGUN = 12320
"""The object whose `pre_randomize` has been called when Python is asked to choose its values, or 0."""
CONTROL_SIZE = 12352

DONE, REACHED, PAUSED, STOPPED, OSCILLATES, SWITCHED = 0, 1, 2, 3, 4, 5
"""What `run` returns: nothing is left to do, the time is reached, the budget is used up, a stop, too many deltas."""

MONITOR, MONITOR_OFF = 448, 456
"""The thread of the active `$monitor`, and whether `$monitoroff` holds."""

OBJECT_CLASS, OBJECT_SIZE, OBJECT_STREAM = 0, 8, 16
"""The header of what lies on the heap: its class's number or a container's mark, its size in bytes with all that it
owns, and an object's state of random numbers."""

CONTAINER_COUNT, CONTAINER_STEP, CONTAINER_FIRST = 16, 24, 32
"""A container (`container_layout`): the number of its elements, their distance, where the first one is;"""
CONTAINER_BASE, CONTAINER_ROOM, CONTAINER_LIMIT, CONTAINER_BYTES = 40, 48, 56, 64
"""the block that they lie in and how many have room in it; how many there may be (0: any number)."""

MAP_TOP, MAP_BLOCKS, MAP_ROOM, MAP_DEFAULT = 32, 40, 48, 64
"""An associative array (`assoc_kernels`): the table of its blocks, their number, how many have room in the table; the
address of the value of all other keys, or 0;"""
MAP_NEAR, MAP_RANK, MAP_TEXTS, MAP_BYTES = 72, 80, 88, 96
"""the block that was last found by the number of an entry, and the number of its first entry; the control block, where
the characters of keys are found, if keys are strings, else 0."""

BOX_TAKERS, BOX_GIVERS, BOX_BYTES = 64, 80, 96
"""A mailbox (`box_kernels`): a queue with the lists of those who wait for messages and for room."""
CELL_KIND, CELL_VALUE, CELL_UNKNOWN, CELL_BYTES = 0, 8, 16, 24
"""A message: its kind, with the words of a plane from bit 8 on; its planes, or the address of both and 0."""
