"""Files (IEEE 1800-2023 21.3): open, close, characters, lines, binary data, positions, errors.

A descriptor that is not open is warned about in Icarus Verilog's words, and the function returns what it would at an
error. `$fread` fills a variable or the elements of a memory from the most significant byte on; the memory is filled
from its lowest address, or from `start`, upwards (21.3.4.4).
"""

from __future__ import annotations

import errno
import os

from weft.base.text_bytes import text_bytes
from weft.sim.design_files import DesignStream, open_mode
from weft.sim.format_arguments import Value
from weft.sim.tasks.print_tasks import checked_descriptor
from weft.sim.tasks.task_call import Handler, MemoryView, TaskCall

_EOF = -1


def stream_of(call: TaskCall, index: int) -> DesignStream | None:
    """Return the file of a descriptor argument, or None after a warning."""
    descriptor = call.int32(index) & 0xFFFFFFFF
    files = call.host.state.files
    stream = files.stream(descriptor) if descriptor >> 31 else None
    if stream is None:
        call.warn(f"invalid file descriptor (0x{descriptor:x}) given to {call.name}.")
        files.last_error = errno.EBADF
    return stream


def _open(call: TaskCall) -> int:
    mode = call.text(1) if len(call.args) > 1 else None
    if mode is not None and open_mode(mode) is None:
        if not mode:
            call.warn(f"{call.name}'s mode argument is not a valid string.")
        elif len(mode) > 3:
            call.warn(f"{call.name}'s mode argument ({mode}) is too long.")
        else:
            call.warn(f"{call.name}'s mode argument ({mode}) is invalid.")
        return 0
    path = call.path(0)
    if not path:
        call.warn(f"{call.name}'s file name argument is not a valid string.")
        return 0
    return call.host.state.files.open(path, mode)


def _close(call: TaskCall) -> None:
    descriptor = checked_descriptor(call)
    if not descriptor:
        return
    if descriptor >> 31:
        call.host.cancel_monitors(lambda other: other & 0xFFFFFFFF == descriptor)
    else:
        call.host.cancel_monitors(lambda other: other & 0xFFFFFFFF & descriptor & 0x7FFFFFFE != 0)
    call.host.state.files.close(descriptor)
    names = {1: "STDOUT ", 0x80000001: "STDOUT ", 0x80000000: "STDIN ", 0x80000002: "STDERR "}
    left = descriptor if descriptor >> 31 and descriptor in names else descriptor & 1 if not descriptor >> 31 else 0
    if left:
        kind = "file descriptor" if left >> 31 else "MCD"
        call.warn(f"could not close {kind} {names[left]}(0x{left:x}) in {call.name}().")


def _flush(call: TaskCall) -> None:
    if not call.args:
        call.host.state.files.flush()
        return
    descriptor = checked_descriptor(call)
    if descriptor:
        call.host.state.files.flush(descriptor)


def _get_character(call: TaskCall) -> int:
    stream = stream_of(call, 0)
    return _EOF if stream is None else stream.get()


def _unget_character(call: TaskCall) -> int:
    stream = stream_of(call, 1)
    if stream is None:
        return _EOF
    stream.unget(call.number(0))
    return 0


def _put_character(call: TaskCall) -> int:
    """Do Icarus Verilog's `$fputc(character, descriptor)`."""
    stream = stream_of(call, 1)
    if stream is None:
        return _EOF
    stream.write(bytes([call.number(0) & 0xFF]))
    return call.number(0) & 0xFF


def _get_line(call: TaskCall) -> int:
    stream = stream_of(call, 1)
    if stream is None:
        return 0
    target = call.args[0]
    # A vector takes as many characters as it has whole bytes, a string any number.
    room = target.width // 8 if isinstance(target, Value) else 1 << 62
    line = stream.read_line(room)
    if not line:
        return 0
    call.put_text(0, line.decode("latin-1"))
    return len(line)


def _read(call: TaskCall) -> int:
    stream = stream_of(call, 1)
    if stream is None:
        return 0
    target = call.args[0]
    if isinstance(target, Value):
        value, count = _read_word(stream, target)
        if count:
            call.outputs[0] = value
        return count
    if target is None or isinstance(target, str | float) or not hasattr(target, "set"):
        call.fail(f"{call.name}'s first argument must be an integral variable or memory.")
        return 0
    return _read_memory(call, stream, target)  # pyright: ignore[reportArgumentType]


def _read_memory(call: TaskCall, stream: DesignStream, memory: MemoryView) -> int:
    low, high = sorted((memory.left, memory.right))
    start = call.int32(2, low)
    span = f"[{memory.left}:{memory.right}]"
    if not low <= start <= high:
        call.warn(f"{call.name}'s start argument ({start}) is outside memory range {span}.")
        return 0
    count = call.int32(3, high - start + 1)
    if count > high - start + 1:
        call.warn(f"{call.name}'s count argument ({count}) is too large for start ({start}) and memory range {span}.")
        count = high - start + 1
    total = 0
    for index in range(start, start + count):
        value, got = _read_word(stream, memory.get(index))
        if got:
            memory.set(index, value)
        total += got
        if stream.ended:
            break
    return total


def _read_word(stream: DesignStream, old: Value) -> tuple[Value, int]:
    """Return a word read, its most significant byte first, and how many bytes there were; the rest stays as it was."""
    size = (old.width + 7) // 8
    data = stream.read(size)
    kept = 8 * (size - len(data))
    low = (1 << kept) - 1
    ones = (1 << old.width) - 1
    value = (int.from_bytes(data, "big") << kept | old.value & low) & ones
    return Value(old.width, value, old.unknown & low, old.signed), len(data)


def _at_end(call: TaskCall) -> int:
    stream = stream_of(call, 0)
    return 1 if stream is None or stream.ended else 0


def _error(call: TaskCall) -> int:
    """Return the last error of a file and its description (21.3.7)."""
    descriptor = call.int32(0) & 0xFFFFFFFF
    files = call.host.state.files
    if not descriptor:
        code = files.last_error  # the `$fopen` that returned this 0
    else:
        stream = files.stream(descriptor) if descriptor >> 31 else None
        standard = descriptor in (0x80000001, 0x80000002)
        code = stream.error if stream is not None else 0 if standard else errno.EBADF
    if len(call.args) > 1:
        text = os.strerror(code) if code else ""
        target = call.args[1]
        shown = text_bytes(text).decode("latin-1")
        # A variable takes what fits from the front, with a zero byte behind it, as in Icarus Verilog.
        call.put_text(1, shown[: target.width // 8 - 1] + "\0" if isinstance(target, Value) and shown else shown)
    return code


def _seek(call: TaskCall) -> int:
    stream = stream_of(call, 0)
    origin = call.int32(2)
    if stream is None or origin not in (0, 1, 2):
        if stream is not None:
            call.warn(f"{call.name}'s operation must be 0, 1 or 2 given {origin}.")
        return _EOF
    return 0 if stream.seek(call.int32(1), origin) else _EOF


def _tell(call: TaskCall) -> int:
    stream = stream_of(call, 0)
    return _EOF if stream is None else stream.tell()


def _rewind(call: TaskCall) -> int:
    stream = stream_of(call, 0)
    return 0 if stream is not None and stream.seek(0, 0) else _EOF


TASKS: dict[str, Handler] = {
    "$fopen": _open,
    "$fclose": _close,
    "$fflush": _flush,
    "$fgetc": _get_character,
    "$ungetc": _unget_character,
    "$fputc": _put_character,
    "$fgets": _get_line,
    "$fread": _read,
    "$feof": _at_end,
    "$ferror": _error,
    "$fseek": _seek,
    "$ftell": _tell,
    "$rewind": _rewind,
}
