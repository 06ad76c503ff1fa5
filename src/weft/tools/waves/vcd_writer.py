"""Write VCD (IEEE 1364-2005 clause 18) from change logs; the text of the changes comes from a compiled kernel."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.tools.waves import value_kernels
from weft.tools.waves.change_log import LoggedSignal, signal_table
from weft.tools.waves.compiled_kernels import CompiledKernels
from weft.tools.waves.value_kernels import digit_table
from weft.tools.waves.wave_tree import WaveScope

_KINDS = {"logic": "reg", "bit": "reg", "int": "integer"}
_UNITS = ("s", "ms", "us", "ns", "ps", "fs")
_SLACK = 64


def identifier_code(index: int) -> str:
    """Return the short printable code of a signal (18.2.1: any characters from `!` to `~`)."""
    code = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 94)
        code += chr(33 + digit)
    return code


def time_unit(exponent: int) -> str:
    """Return a power of ten of a second as VCD writes it: -11 is `10 ps`."""
    unit = -(exponent // 3)
    return f"{10 ** (exponent + 3 * unit)} {_UNITS[unit]}"


class VcdWriter:
    """Write one VCD file from change logs. Parameters as for `FstWriter`."""

    def __init__(
        self, path: str | Path, scopes: Sequence[WaveScope], signals: Sequence[LoggedSignal], exponent: int = -12
    ) -> None:
        self._table = signal_table(signals)
        self._unit_fs = 10 ** (15 + exponent)
        self._codes = np.array([_pack_code(identifier_code(i)) for i in range(len(signals))], np.uint64)
        # A change takes at most its digits, `b`, a blank and the code: a byte of text for each bit logged, and some.
        self._expansion = 10
        try:
            self._file: FileIO = Path(path).open("wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise UserError("cannot-write", f"cannot write waveform {path}: {error.strerror}") from error
        self._path, self._size = path, 0
        self._kernels = CompiledKernels(value_kernels)
        self._write(self._declarations(scopes, exponent).encode())

    def write_log(self, log: NDArray[np.uint32]) -> None:
        """Append the changes of a log."""
        out = np.empty(len(log) * 4 * self._expansion + _SLACK, np.uint8)
        size = self._kernels.call(
            "encode_text", log.ctypes.data, len(log), self._table.ctypes.data, self._codes.ctypes.data,
            digit_table().ctypes.data, out.ctypes.data, self._unit_fs,
        )  # fmt: skip
        self._write(out[:size].data)

    def close(self, end_fs: int | None = None) -> None:
        """Close the file; `end_fs` is written as the last time, so that viewers show it."""
        if self._file.closed:
            return
        try:
            if end_fs is not None:
                self._write(f"#{end_fs // self._unit_fs}\n".encode())
        finally:
            self._file.close()

    def _write(self, data: bytes | memoryview) -> None:
        """Append to the file; if that fails, it is as it was before."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            self._size += len(data)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            raise UserError("cannot-write", f"cannot write waveform {self._path}: {error.strerror}") from error

    def _declarations(self, scopes: Sequence[WaveScope], exponent: int) -> str:
        lines = [f"$date {time.asctime()} $end", "$version Weft $end", f"$timescale {time_unit(exponent)} $end"]
        pending: list[WaveScope | None] = list(reversed(scopes))
        while pending:
            scope = pending.pop()
            if scope is None:
                lines.append("$upscope $end")
                continue
            kind = scope.kind if scope.kind in ("module", "task", "function", "begin", "fork") else "module"
            lines.append(f"$scope {kind} {scope.name} $end")
            for variable in scope.variables:
                name = variable.label
                declared = _KINDS.get(variable.kind, variable.kind)
                lines.append(f"$var {declared} {variable.width} {identifier_code(variable.index)} {name} $end")
            pending.append(None)
            pending.extend(reversed(scope.scopes))
        lines.append("$enddefinitions $end\n")
        return "\n".join(lines)


def _pack_code(code: str) -> int:
    text = (code + "\n").encode()
    return int.from_bytes(text, "little") | len(text) << 56
