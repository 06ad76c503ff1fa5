"""The files that a design opens: multichannel and file descriptors (IEEE 1800-2023 21.3.1).

A multichannel descriptor is a set of bits, one for each file, bit 0 standard output; a file descriptor has bit 31 set,
and 0x80000000 to 0x80000002 are standard input, output and error. A stream behaves as C's: the end of the file is only
known after reading beyond it, a character can be put back, and a seek forgets both.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from weft.base.errors import UserError

_FILE = 0x8000_0000
STDIN, _STDOUT, _STDERR = _FILE, _FILE + 1, _FILE + 2
_FIRST_DESCRIPTOR = _FILE + 3
_MODES = ("r", "w", "a", "r+", "w+", "a+")

Output = Callable[[bytes], object]


def open_mode(mode: str) -> str | None:
    """Return a mode of `$fopen` (21.3.1, `b` in any place) as Python writes it, or None if it is none."""
    plain = mode.replace("b", "", 1)
    return plain[0] + "b" + plain[1:] if plain in _MODES else None


class DesignStream:
    """Be an open file with the meaning of C's stdio: one `end` flag, characters put back, one `error` number."""

    def __init__(self, stream: IO[bytes], path: str, mode: str) -> None:
        self.stream, self.path, self.mode = stream, path, mode
        self.readable, self.writable = "r" in mode or "+" in mode, mode != "rb"
        self.ended = False
        self.error = 0
        self._back: list[int] = []

    @property
    def back(self) -> tuple[int, ...]:
        """Return the characters that were put back; the last is read first."""
        return tuple(self._back)

    @back.setter
    def back(self, characters: tuple[int, ...]) -> None:
        self._back = list(characters)

    def get(self) -> int:
        """Return the next byte, or -1 at the end."""
        if self._back:
            return self._back.pop()
        byte = self._read(1)
        return byte[0] if byte else -1

    def unget(self, byte: int) -> None:
        """Put a byte back, so that it is read next; clears the end."""
        self._back.append(byte & 0xFF)
        self.ended = False

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes."""
        data = bytearray()
        while self._back and len(data) < count:
            data.append(self._back.pop())
        if len(data) < count:
            data += self._read(count - len(data))
        return bytes(data)

    def read_line(self, count: int) -> bytes:
        """Return up to `count` bytes, the last a newline if there is one."""
        line = bytearray()
        while len(line) < count:
            byte = self.get()
            if byte < 0:
                break
            line.append(byte)
            if byte == 0x0A:
                break
        return bytes(line)

    def _read(self, count: int) -> bytes:
        if not self.readable:
            self.error = errno.EBADF
            return b""
        try:
            data = self.stream.read(count)
        except OSError as error:
            self.error = error.errno or errno.EIO
            data = b""
        self.ended = self.ended or len(data) < count
        return data

    def write(self, data: bytes) -> None:
        """Write bytes; a stream for reading only remembers the error."""
        if not self.writable:
            self.error = errno.EBADF
            return
        if self._back:
            self.seek(0, os.SEEK_CUR)
        try:
            self.stream.write(data)
        except OSError as error:
            raise UserError("cannot-write", f"cannot write '{self.stream.name}': {error.strerror}") from error

    def seek(self, offset: int, origin: int) -> bool:
        """Move; say whether that was possible."""
        try:
            if origin == os.SEEK_CUR:
                offset -= len(self._back)
            self.stream.seek(offset, origin)
        except (OSError, ValueError) as error:
            self.error = getattr(error, "errno", None) or errno.EINVAL
            return False
        self._back.clear()
        self.ended = False
        return True

    def tell(self) -> int:
        """Return the position, or -1 where there is none."""
        try:
            return self.stream.tell() - len(self._back)
        except OSError as error:
            self.error = error.errno or errno.ESPIPE
            return -1


class DesignFiles:
    """Hold the open files of one simulation; `output` takes what goes to standard output, `flush` brings it there."""

    def __init__(self, output: Output, flush: Callable[[], object] | None = None) -> None:
        self._output, self._flush_output = output, flush
        self._channels: dict[int, DesignStream] = {}
        self._descriptors: dict[int, DesignStream] = {}
        self.last_error = 0

    def open(self, path: str, mode: str | None) -> int:
        """Return a new descriptor, or 0 when the file cannot be opened, as the standard has it."""
        chosen = "wb" if mode is None else open_mode(mode)
        free = next((bit for bit in range(1, 31) if 1 << bit not in self._channels), None)
        if chosen is None or (mode is None and free is None):
            self.last_error = errno.EINVAL if chosen is None else errno.EMFILE
            return 0
        try:
            if Path(path).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            stream: IO[bytes] = Path(path).open(chosen)  # noqa: SIM115
        except (OSError, ValueError) as error:
            self.last_error = getattr(error, "errno", None) or errno.EINVAL
            return 0
        self.last_error = 0
        opened = DesignStream(stream, str(Path(path).absolute()), chosen)
        if mode is not None:
            number = next(n for n in range(_FIRST_DESCRIPTOR, 1 << 32) if n not in self._descriptors)
            self._descriptors[number] = opened
            return number
        assert free is not None
        self._channels[1 << free] = opened
        return 1 << free

    def stream(self, descriptor: int) -> DesignStream | None:
        """Return the open file of a file descriptor, standard input included; None for any other."""
        descriptor &= 0xFFFF_FFFF
        if descriptor == STDIN and descriptor not in self._descriptors:
            self._descriptors[descriptor] = DesignStream(sys.stdin.buffer, "", "rb")
        return self._descriptors.get(descriptor)

    def is_open(self, descriptor: int) -> bool:
        """Say whether a descriptor, or every channel of one, can be written or closed."""
        descriptor &= 0xFFFF_FFFF
        if descriptor & _FILE:
            return descriptor in (_STDOUT, _STDERR) or self.stream(descriptor) is not None
        return all(descriptor >> bit & 1 == 0 or 1 << bit in self._channels for bit in range(1, 31))

    def write(self, descriptor: int, data: bytes) -> None:
        """Write to every channel of a descriptor; unknown ones are ignored."""
        descriptor &= 0xFFFF_FFFF
        if descriptor & _FILE:
            if descriptor == _STDOUT:
                self._output(data)
            elif descriptor == _STDERR:
                sys.stderr.write(data.decode("utf-8", "replace"))
            elif descriptor in self._descriptors:
                self._descriptors[descriptor].write(data)
            return
        if descriptor & 1:
            self._output(data)
        for channel, stream in self._channels.items():
            if descriptor & channel:
                stream.write(data)

    def flush(self, descriptor: int | None = None) -> None:
        """Bring what was written to the files and standard streams: to all, or to those of a descriptor."""
        number = 1 if descriptor is None else descriptor & 0xFFFF_FFFF
        if self._flush_output is not None and (number == _STDOUT if number & _FILE else number & 1):
            self._flush_output()
        if descriptor is None or number == _STDERR:
            sys.stderr.flush()
        if descriptor is None:
            chosen = [*self._channels.values(), *self._descriptors.values()]
        elif descriptor & _FILE:
            chosen = [stream for number, stream in self._descriptors.items() if number == descriptor & 0xFFFF_FFFF]
        else:
            chosen = [stream for channel, stream in self._channels.items() if descriptor & channel]
        for stream in chosen:
            if stream.writable:
                stream.stream.flush()

    def close(self, descriptor: int) -> None:
        """Close a file, or every file of a multichannel descriptor; the standard streams stay open."""
        descriptor &= 0xFFFF_FFFF
        if descriptor & _FILE:
            if descriptor >= _FIRST_DESCRIPTOR and descriptor in self._descriptors:
                self._descriptors.pop(descriptor).stream.close()
            return
        for channel in [channel for channel in self._channels if descriptor & channel]:
            self._channels.pop(channel).stream.close()

    def opened(self) -> list[tuple[int, DesignStream]]:
        """Return all open files by their descriptors or channels, standard input too if it has been used."""
        return [*self._channels.items(), *self._descriptors.items()]

    def enter(self, number: int, stream: DesignStream) -> None:
        """Let a descriptor or channel stand for an open file."""
        (self._descriptors if number & _FILE else self._channels)[number] = stream

    def close_all(self) -> None:
        """Close every file."""
        for descriptor in list(self._descriptors):
            self.close(descriptor)
        self.close(0x7FFF_FFFE)
