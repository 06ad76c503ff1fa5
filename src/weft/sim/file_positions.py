"""Remember how a design's open files are at a checkpoint, and open them so again.

What a design goes on writing is cut to the length that it had, so that nothing is there twice; then the file must still
begin with what it had then, which a hash tells. What it only reads is opened and moved to its place.
Files that have no place to go back to (pipes, terminals, standard input) keep a design from being checkpointed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported, UserError
from weft.sim.design_files import STDIN, DesignFiles, DesignStream

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FilePosition:
    """Be an open file: its descriptor, how it was opened, where it is read or written, and what is in it."""

    descriptor: int
    path: str
    mode: str
    position: int
    size: int
    digest: str
    """Of the whole file, if the design may write to it."""
    back: tuple[int, ...]
    ended: bool
    error: int


def note_files(files: DesignFiles) -> tuple[FilePosition, ...]:
    """Return how all files are that are open besides the standard ones; what was written is brought to them."""
    files.flush()
    return tuple(_note(number, stream) for number, stream in files.opened())


def _note(number: int, stream: DesignStream) -> FilePosition:
    if number == STDIN:
        raise Unsupported("a checkpoint after the design has read its standard input")
    status = os.fstat(stream.stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise Unsupported(f"a checkpoint while the design has '{stream.path}' open, which is no plain file,")
    size = status.st_size
    return FilePosition(
        number,
        stream.path,
        stream.mode,
        stream.stream.tell(),
        size,
        _digest(stream.path, size) if stream.writable else "",
        stream.back,
        stream.ended,
        stream.error,
    )


def _digest(path: str, size: int) -> str:
    """Return a hash of so many bytes that a file begins with."""
    state = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as file:
        while size > 0:
            chunk = file.read(min(size, _CHUNK))
            if not chunk:
                break
            state.update(chunk)
            size -= len(chunk)
    return state.hexdigest()


def reopen_files(files: DesignFiles, positions: tuple[FilePosition, ...]) -> None:
    """Have exactly these files open, as they were; raises `no-such-file` or `file-changed` before anything changes."""
    files.flush()
    for position in positions:
        _check(position)
    files.close_all()
    for position in positions:
        files.enter(position.descriptor, _open(position))


def _check(position: FilePosition) -> None:
    path = position.path
    try:
        size = Path(path).stat().st_size
        if size < (position.size if position.digest else position.position):
            raise UserError("file-changed", f"'{path}', which the design has open, is shorter than in this state")
        if position.digest and _digest(path, position.size) != position.digest:
            raise UserError("file-changed", f"'{path}' does not begin with what the design had written in this state")
    except OSError as error:
        what = f"'{path}', which the design has open in this state: {error.strerror}"
        raise UserError("no-such-file", what) from None


def _open(position: FilePosition) -> DesignStream:
    mode = position.mode
    if position.digest:
        os.truncate(position.path, position.size)
    # A file that was made, or emptied, when it was opened must not be so again.
    file = Path(position.path).open(mode.replace("w", "r+") if "+" not in mode else mode.replace("w", "r"))  # noqa: SIM115
    file.seek(position.position)
    stream = DesignStream(file, position.path, mode)
    stream.back, stream.ended, stream.error = position.back, position.ended, position.error
    return stream
