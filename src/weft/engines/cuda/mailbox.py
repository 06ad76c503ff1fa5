"""Where the host and a resident kernel meet: the layout of the host memory that both see, and of the kernel's board.

The *mail* is page-locked host memory that the GPU reads and writes over the bus. The host puts commands into a ring. An
entry is not written, then announced and fetched, for that would take two journeys over the bus: each half of a
command's words stands in a word of its own beside a *tag*, the command's number, and whoever reads it knows by the tag
that it is that command's. So the first warp of the kernel looks at all of a short command at once until all tags are
there. (It is how NCCL's LL protocol sends data: Hu et al., "Demystifying NCCL", 2025.) That warp puts the
pieces on the *board* as they are, in the GPU's own memory, where the other blocks look in the same way. When all blocks
have done the command, its first thread writes the command's number into `ANSWERED`; all that the command has written is
there by then.

A command does, in this order, what its flags and transfers say: transfers into the state, settle, run, look, transfers
out of it. A transfer moves a row, one container of each lane.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.layout import ALIGNMENT

# Words of the control area: written by the kernel, read by the host. The answer is the number of the last command that
# was done, and behind it a summary of what came of it.
ANSWERED, LEFT = 0, 8
SUMMARY_BITS = 3
CONTROL_BYTES = 256

# A command: words. The first has flags in 8 bits, the number of transfers in the next, and from `LIMIT_BIT` on the
# longest time of a part of the run, in ticks of the GPU's clock.
# (`CHOSEN` is the number of one output of the look, or `ir.lane_engine.EVERY`.)
HEAD, DURATION, CHOSEN = 0, 1, 2
COUNT_BIT, LIMIT_BIT = 8, 32
TRANSFERS = 3
"""The first word of the transfers, two words each: `offset << 8 | kind`, value or place."""
TRANSFER_WORDS, MOST_TRANSFERS = 2, 12
COMMAND_WORDS = TRANSFERS + TRANSFER_WORDS * MOST_TRANSFERS
ENTRY_WORDS = 64
"""Words of an entry of the ring, for two pieces of each word of a command: tag << 32 | half of the word."""
FIRST_PIECES = 32
"""The pieces that are always there; those behind them are as many as the transfers need."""
TAG_BIT = 1 << 31
"""A tag has this bit and the low ones of the command's number, so it is never 0."""
RING = 64
"""Entries of the ring; a power of two."""

# What the host's machine code finds behind the command: where the mail is, the last command's number, which start of
# the kernel is to answer, and how often to look for the answer.
MAIL, NUMBER, GENERATION, LOOKS = range(COMMAND_WORDS, COMMAND_WORDS + 4)
FRAME_WORDS = COMMAND_WORDS + 4

# Flags.
SETTLE, RUN, UNTIL, CONTINUE, LOOK, QUIT, KEEP_STATUS = 1, 2, 4, 8, 16, 32, 64

# Kinds of transfers: the logarithm of the container's size, and one of these.
IN_VALUE, IN_ROW, OUT_ROW = 4, 8, 16

# Bits of the summary, and of a lane's status. `SOME_SHORT`: lanes have passed
# the limit of the pages that are left (`ir.lane_pages`), and must not write again before there is room.
SOME_STOPPED, SOME_PAUSED, SOME_SHORT, PAUSED = 1, 2, 4, 0x80

# The board, in words: the pieces of the command, then how many blocks have done theirs since the kernel was started,
# above the bits of the summary that lanes have set.
DONE = ENTRY_WORDS
BOARD_WORDS = ENTRY_WORDS + 1

ROWS_IN, ROWS_OUT = 16, MOST_TRANSFERS + 1
"""Rows of 64-bit containers that wait to be transferred in; that were transferred out, the last by itself."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Place everything in the mail for a stride of lanes: byte offsets; `outputs` has a place for each look's word."""

    stride: int
    status: int
    rows_in: int
    rows_out: int
    outputs: tuple[int, ...]
    size: int


def place_mail(stride: int, output_bytes: tuple[int, ...]) -> Mailbox:
    """Return the layout for a look whose words have containers of these sizes."""
    at = CONTROL_BYTES + 8 * ENTRY_WORDS * RING
    status = at
    at = _aligned(at + stride)
    rows_in = at
    at += 8 * stride * ROWS_IN
    rows_out = at
    at += 8 * stride * ROWS_OUT
    outputs: list[int] = []
    for size in output_bytes:
        outputs.append(at)
        at = _aligned(at + size * stride)
    return Mailbox(stride, status, rows_in, rows_out, tuple(outputs), at)


def _aligned(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT
