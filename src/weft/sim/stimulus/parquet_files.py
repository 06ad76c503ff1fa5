"""Stimulus from Parquet tables, read by pyarrow.

A row is a cycle, for all lanes alike; a column of lists of as many numbers as there are lanes has one for each. Such a
table is read group by group. In a table with a lane column a row is a cycle of one lane: its number is in the cycle
column or, if there is none, the count of that lane's rows before it. Such a table may be in any order, so its columns
are read as a whole.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.sim.stimulus.files import Column, FileOptions, StimulusPath
from weft.sim.stimulus.plan import Port


class ParquetTable:
    """Be a table."""

    def __init__(self, path: StimulusPath, options: FileOptions, lanes: int) -> None:
        try:
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise UserError("no-package", f"'{path}' needs a package: pip install 'weft[parquet]'") from None
        self.path, self._options, self._lanes = path, options, lanes
        try:
            self._file: Any = parquet.ParquetFile(path)
        except Exception as error:  # the library raises whatever its parsers do
            raise UserError("bad-stimulus", f"cannot read '{path}': {error}") from None
        self._names: list[str] = list(self._file.schema_arrow.names)
        self._places: NDArray[np.int64] | None = None
        self._cycles = 0

    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [name for name in self._names if name not in (self._options.lane_column, self._options.cycle_column)]

    def find(self, name: str) -> list[str]:
        """Return the column of a name."""
        return [name] if name in self._names else []

    def column(self, name: str, port: Port) -> Column:
        """Return a column."""
        if self._options.lane_column not in self._names:
            return _Groups(self, name)
        places = self._find_places()
        values = self.numbers(self._file.read([name]).column(0), name)
        if values.ndim > 1:
            raise UserError("bad-stimulus", f"'{self.path}': '{name}' has lists, and the table a lane column")
        full = np.zeros(self._cycles * self._lanes, values.dtype)
        full[places] = values
        return full.reshape(self._cycles, self._lanes)

    def _find_places(self) -> NDArray[np.int64]:
        """Return where each row belongs in `[cycle, lane]`; every place is taken once."""
        if self._places is not None:
            return self._places
        lane_name, cycle_name = self._options.lane_column, self._options.cycle_column
        lanes = self.numbers(self._file.read([lane_name]).column(0), lane_name).astype(np.int64)
        if len(lanes) and not 0 <= int(lanes.min()) <= int(lanes.max()) < self._lanes:
            wrong = int(lanes.max()) if int(lanes.max()) >= self._lanes else int(lanes.min())
            raise UserError(
                "bad-stimulus", f"'{self.path}' has lane {wrong}; the batch has lanes 0 to {self._lanes - 1}"
            )
        if cycle_name in self._names:
            cycles = self.numbers(self._file.read([cycle_name]).column(0), cycle_name).astype(np.int64)
        else:
            order = np.argsort(lanes, kind="stable")
            starts = np.searchsorted(lanes[order], np.arange(self._lanes))
            cycles = np.empty(len(lanes), np.int64)
            cycles[order] = np.arange(len(lanes)) - starts[lanes[order]]
        if len(cycles) and int(cycles.min()) < 0:
            raise UserError("bad-stimulus", f"'{self.path}' has cycle {int(cycles.min())}")
        self._cycles = int(cycles.max()) + 1 if len(cycles) else 0
        places = cycles * self._lanes + lanes
        counts = np.bincount(places, minlength=self._cycles * self._lanes)
        if (counts != 1).any():
            place = int(np.argmax(counts != 1))
            cycle, lane = divmod(place, self._lanes)
            what = "no row" if not counts[place] else f"{counts[place]} rows"
            raise UserError("bad-stimulus", f"'{self.path}' has {what} for cycle {cycle} of lane {lane}")
        self._places = places
        return places

    def numbers(self, column: Any, name: str) -> NDArray[Any]:
        """Return a column of pyarrow as an array; lists become a second axis."""
        if column.null_count:
            raise UserError("bad-stimulus", f"'{self.path}': '{name}' has no value in {column.null_count} rows")
        joined: Any = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        if hasattr(joined, "chunks"):
            joined = joined.chunk(0)
        kind = str(joined.type)
        if "list" not in kind:
            return np.asarray(joined.to_numpy(zero_copy_only=False))
        flat = np.asarray(joined.flatten().to_numpy(zero_copy_only=False))
        if not len(joined) or len(flat) % len(joined):
            raise UserError("bad-stimulus", f"'{self.path}': the lists of '{name}' are of different lengths")
        if "fixed_size" not in kind:
            sizes = np.diff(np.asarray(joined.offsets))
            if (sizes != sizes[0]).any():
                raise UserError("bad-stimulus", f"'{self.path}': the lists of '{name}' are of different lengths")
        return flat.reshape(len(joined), -1)

    def group(self, number: int, name: str) -> NDArray[Any]:
        """Return a column of a row group."""
        return self.numbers(self._file.read_row_group(number, columns=[name]).column(0), name)

    def group_starts(self) -> list[int]:
        """Return the first row of each row group, and the number of all rows."""
        metadata = self._file.metadata
        sizes = [int(metadata.row_group(number).num_rows) for number in range(int(metadata.num_row_groups))]
        return [0, *np.cumsum(sizes).tolist()]


class _Groups:
    """Be a column that is read group by group; the last one is kept."""

    def __init__(self, table: ParquetTable, name: str) -> None:
        self._table, self._name = table, name
        self._starts = table.group_starts()
        self._last: tuple[int, NDArray[Any]] = (-1, np.zeros(0))
        first = self._group(0) if len(self._starts) > 1 else np.zeros(0, np.uint8)
        self.shape: tuple[int, ...] = (self._starts[-1], *first.shape[1:])
        self.dtype = first.dtype

    def _group(self, number: int) -> NDArray[Any]:
        if self._last[0] != number:
            self._last = number, self._table.group(number, self._name)
        return self._last[1]

    def __getitem__(self, cycles: slice, /) -> NDArray[Any]:
        """Return some cycles."""
        first, last, _ = cycles.indices(self.shape[0])
        parts: list[NDArray[Any]] = []
        for number, start in enumerate(self._starts[:-1]):
            low, high = max(first, start), min(last, self._starts[number + 1])
            if low < high:
                parts.append(self._group(number)[low - start : high - start])
        return np.concatenate(parts) if parts else np.zeros((0, *self.shape[1:]), self.dtype)
