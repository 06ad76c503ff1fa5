"""Where the host and a resident kernel meet: the layout of the host memory that both see, and of the kernel's board.

The *mail* is page-locked host memory that the GPU reads and writes over the bus. The host puts commands into a ring of
entries of `ENTRY_WORDS` words; the number of a command, written last, says that it is there. The kernel's first thread
fetches it and puts it on the *board*, in the GPU's own memory, where the other blocks look. When all blocks have done
it, that thread writes the command's number into `ANSWERED`; all that the command has written is there by then.

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

# A command: words of an entry of the ring.
# (`CHOSEN` is the number of one output of the look, or `ir.lane_engine.EVERY`.)
SEQUENCE, FLAGS, DURATION, LIMIT, COUNT, CHOSEN = 0, 1, 2, 3, 4, 5
TRANSFERS = 6
"""The first word of the transfers, two words each: `offset << 8 | kind`, value or place."""
TRANSFER_WORDS, MOST_TRANSFERS = 2, 12
ENTRY_WORDS = TRANSFERS + TRANSFER_WORDS * MOST_TRANSFERS
RING = 64
"""Entries of the ring; a power of two."""

# What the host's machine code finds behind the command: where the mail is, the last command's number, which start of
# the kernel is to answer, and how often to look for the answer.
MAIL, NUMBER, GENERATION, LOOKS = range(ENTRY_WORDS, ENTRY_WORDS + 4)
FRAME_WORDS = ENTRY_WORDS + 4

# Flags.
SETTLE, RUN, UNTIL, CONTINUE, LOOK, QUIT, KEEP_STATUS = 1, 2, 4, 8, 16, 32, 64

# Kinds of transfers: the logarithm of the container's size, and one of these.
IN_VALUE, IN_ROW, OUT_ROW = 4, 8, 16

# `LIMIT` is in ticks of the GPU's clock. Bits of the summary, and of a lane's status. `SOME_SHORT`: lanes have passed
# the limit of the pages that are left (`ir.lane_pages`), and must not write again before there is room.
SOME_STOPPED, SOME_PAUSED, SOME_SHORT, PAUSED = 1, 2, 4, 0x80

# The board, in words: a copy of the command, then these.
POSTED, DONE, MERGED = ENTRY_WORDS, ENTRY_WORDS + 1, ENTRY_WORDS + 2
BOARD_WORDS = ENTRY_WORDS + 3

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
