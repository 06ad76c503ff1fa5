"""Read stimulus from files: VCD and FST waveforms, NumPy arrays, Parquet tables.

Whatever the format, a file is a set of named *columns*: things with a `shape` that begins with the number of cycles, a
`dtype`, and slices of cycles. `DrivenBatch.drive` reads those piece by piece, so a file need not fit into memory. This
module chooses the columns: which one feeds which input, one file for all lanes or one for each, and how many cycles.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import Note, UserError
from weft.sim.stimulus.plan import Port

StimulusPath = str | Path


class Column(Protocol):
    """Be values for cycles: `[cycle]`, `[cycle, lane]`, or with a last axis of words."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of cycles, and what follows."""
        ...

    @property
    def dtype(self) -> Any:
        """Return the type of an element."""
        ...

    def __getitem__(self, cycles: slice, /) -> NDArray[Any]:
        """Return some cycles."""
        ...


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Say how files are read; `DrivenBatch.stream` explains the fields."""

    clock: str = ""
    edge: str = "rising"
    period: str | int = ""
    start: str | int = 0
    lane_column: str = "lane"
    cycle_column: str = "cycle"
    unknown: int | None = None


class StimulusFile(Protocol):
    """Be an open file."""

    path: StimulusPath

    def names(self) -> list[str]:
        """Return the names of its columns."""
        ...

    def find(self, name: str) -> list[str]:
        """Return the columns that a name may mean: its own, or those whose paths end with it."""
        ...

    def column(self, name: str, port: Port) -> Column:
        """Return a column for an input; raises `bad-stimulus` where it does not fit."""
        ...


def open_file(path: StimulusPath, options: FileOptions, lanes: int, clock: str) -> StimulusFile:
    """Open a file by its suffix; `clock` is the name of the batch's clock."""
    kind = Path(path).suffix.lower()
    if not Path(path).is_file():
        raise UserError("no-such-file", f"cannot read '{path}': there is no such file")
    if kind in (".vcd", ".fst"):
        from weft.sim.stimulus.wave_files import WaveFile

        return WaveFile(path, options, clock)
    if kind in (".npy", ".npz"):
        from weft.sim.stimulus.numpy_files import NumpyFile

        return NumpyFile(path)
    if kind in (".parquet", ".pq"):
        from weft.sim.stimulus.parquet_files import ParquetTable

        return ParquetTable(path, options, lanes)
    raise UserError("bad-stimulus", f"'{path}' is no stimulus: the suffix is .vcd, .fst, .npy, .npz or .parquet")


def read_stimulus(
    files: Sequence[StimulusFile], ports: Mapping[Port, str], lanes: int, cycles: int | None
) -> dict[str, Column]:
    """Return the columns of inputs: of one file, or of one file for each lane, cut to a number of cycles."""
    if len(files) not in (1, lanes):
        raise UserError("bad-stimulus", f"{len(files)} files for {lanes} lanes: give one for all, or one for each")
    columns: dict[str, Column] = {}
    for port, name in ports.items():
        each = [_column(file, name, port) for file in files]
        lengths = [column.shape[0] for column in each]
        wanted = cycles if cycles is not None else lengths[0]
        for file, length in zip(files, lengths, strict=True):
            if length < wanted or (cycles is None and length != wanted):
                short = f"'{file.path}' has {length} cycles for '{port.path}', not {wanted}"
                hint = "" if cycles is not None else f", which '{files[0].path}' has; say how many with cycles="
                raise UserError("bad-stimulus", short + hint)
        columns[port.path] = Cut(each[0], wanted) if len(each) == 1 else Stacked(each, wanted)
    counts = {path: column.shape[0] for path, column in columns.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{path} has {count}" for path, count in counts.items())
        raise UserError("bad-stimulus", f"'{files[0].path}': columns of different numbers of cycles: {text}")
    return columns


def _column(file: StimulusFile, name: str, port: Port) -> Column:
    """Return a column by its name."""
    found = file.find(name)
    if not found:
        near = difflib.get_close_matches(name, file.names(), 3, 0.5)
        near += [full for full in file.names() if full.rpartition(".")[2] == name.rpartition(".")[2]][:3]
        names = ", ".join(f"'{other}'" for other in dict.fromkeys(near))
        notes = (Note(f"did you mean {names}?"),) if near else ()
        raise UserError("bad-stimulus", f"'{file.path}' has no signal '{name}'", notes=notes)
    if len(found) > 1:
        names = ", ".join(f"'{other}'" for other in found[:3])
        raise UserError("bad-stimulus", f"'{file.path}' has several signals '{name}': {names}; name one in ports=")
    column = file.column(found[0], port)
    if np.dtype(column.dtype).kind not in "uib":
        raise UserError(
            "bad-stimulus", f"'{file.path}': '{found[0]}' is of type {column.dtype}; an input takes integers"
        )
    return column


def map_ports(file: StimulusFile, inputs: Sequence[Port], wanted: Mapping[Port, str] | None) -> dict[Port, str]:
    """Return the name of the column of each input: those that are wanted, or all inputs that the file has."""
    if wanted is not None:
        return dict(wanted)
    found = {port: name for port in inputs if file.find(name := port.path.rpartition(".")[2])}
    if not found:
        names = ", ".join(f"'{port.path}'" for port in inputs) or "none"
        first = ", ".join(f"'{name}'" for name in file.names()[:5]) or "nothing"
        raise UserError(
            "bad-stimulus",
            f"'{file.path}' has no signal with the name of an input ({names}) but {first}; name them in ports=",
        )
    return found


class Cut:
    """Be the first cycles of a column."""

    def __init__(self, column: Column, cycles: int) -> None:
        self._column = column
        self.shape = (cycles, *column.shape[1:])
        self.dtype = column.dtype

    def __getitem__(self, cycles: slice, /) -> NDArray[Any]:
        """Return some cycles."""
        first, last, _ = cycles.indices(self.shape[0])
        return np.asarray(self._column[first:last])


class Stacked:
    """Be columns side by side, one for each lane."""

    def __init__(self, columns: Sequence[Column], cycles: int) -> None:
        self._columns = columns
        self.shape = (cycles, len(columns), *columns[0].shape[1:])
        self.dtype = columns[0].dtype

    def __getitem__(self, cycles: slice, /) -> NDArray[Any]:
        """Return some cycles."""
        first, last, _ = cycles.indices(self.shape[0])
        return np.stack([np.asarray(column[first:last]) for column in self._columns], axis=1)
