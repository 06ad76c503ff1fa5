"""Stimulus from a VCD or FST waveform, read by pywellen.

A cycle begins at each edge of a clock in the file; its value is the one just *before* that edge, which is what a
register at that edge takes (IEEE 1800-2023 14.13 samples so too). Without a clock it is the value *at* times that are a
period apart.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.sim.stimulus.files import FileOptions, StimulusPath
from weft.sim.stimulus.plan import Port
from weft.sim.times import parse_time

_UNITS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}
_Changes = list[tuple[int, int | str]]


class WaveFile:
    """Be a waveform."""

    def __init__(self, path: StimulusPath, options: FileOptions, clock: str) -> None:
        try:
            wellen: Any = importlib.import_module("pywellen")
        except ImportError:
            raise UserError("no-package", f"'{path}' needs a package: pip install 'weft[waves]'") from None
        self.path, self._options = path, options
        try:
            self._wave: Any = wellen.Waveform(str(path))
            self._variables: dict[str, Any] = {var.full_name: var for var in self._wave.all_vars()}
        except Exception as error:  # the library raises whatever its parsers do
            raise UserError("bad-stimulus", f"cannot read '{path}': {error}") from None
        self._samples = self._find_samples(clock)

    def names(self) -> list[str]:
        """Return the full names of the signals."""
        return list(self._variables)

    def find(self, name: str) -> list[str]:
        """Return the signals of a full name, or whose names end with it."""
        if name in self._variables:
            return [name]
        ending = [full for full in self._variables if full.endswith(f".{name}")]
        # One signal seen through ports has several names.
        return ending if len({self._variables[full].signal_ref for full in ending}) > 1 else ending[:1]

    def _tick(self) -> int:
        """Return the file's unit of time in femtoseconds."""
        scale = self._wave.timescale
        if scale is None or str(scale.unit) not in _UNITS:
            raise UserError("bad-stimulus", f"'{self.path}' has no time scale")
        return int(scale.factor) * _UNITS[str(scale.unit)]

    def _changes(self, name: str) -> _Changes:
        try:
            return list(self._variables[name].tv)
        except Exception as error:  # as above
            raise UserError("bad-stimulus", f"cannot read '{name}' of '{self.path}': {error}") from None

    def _find_samples(self, clock: str) -> NDArray[np.int64]:
        """Return the times of the samples: a change at just that time is not seen any more, or is with a period."""
        options = self._options
        if options.edge not in ("rising", "falling"):
            raise UserError("bad-option", f"edge is rising or falling, not '{options.edge}'")
        if options.period:
            return self._periodic()
        found = self.find(options.clock or clock)
        if len(found) != 1:
            what = "several signals" if found else "no signal"
            raise UserError(
                "bad-stimulus",
                f"'{self.path}' has {what} '{options.clock or clock}' to sample by; give clock= or period=",
            )
        level, before, times = int(options.edge == "rising"), -1, list[int]()
        for time, value in self._changes(found[0]):
            if value == level and before == 1 - level:
                times.append(time)
            before = value if isinstance(value, int) else -1
        if not times:
            raise UserError("bad-stimulus", f"'{self.path}': '{found[0]}' has no {options.edge} edge to sample by")
        return np.array(times, np.int64)

    def _periodic(self) -> NDArray[np.int64]:
        tick, last = self._tick(), 0
        period, start = parse_time(self._options.period), parse_time(self._options.start)
        if period < 1 or period % tick or start % tick:
            raise UserError(
                "bad-stimulus", f"'{self.path}' counts time in {tick} fs: period and start are multiples of it"
            )
        for name in self._variables:
            changes = self._changes(name)
            last = max(last, changes[-1][0] if changes else 0)
        # A change at a sample's time is seen, as if the sample were a tick later.
        return np.arange(start // tick, last + 1, period // tick, dtype=np.int64) + 1

    def column(self, name: str, port: Port) -> NDArray[Any]:
        """Return a signal's values at the samples."""
        width = int(self._variables[name].bitwidth or 0)
        if width != port.width:
            bits = f"{width} bits" if width else "no bits"
            raise UserError("bad-stimulus", f"'{self.path}': '{name}' has {bits}, and '{port.path}' has {port.width}")
        changes = self._changes(name)
        times = np.array([time for time, _ in changes], np.int64)
        which = np.searchsorted(times, self._samples, side="left") - 1
        needed = np.unique(which)
        words = -(-width // 64)
        table = np.zeros((len(changes) + 1, words), np.uint64)
        for number in needed.tolist():
            cycle = int(np.argmax(which == number))
            value = self._value(name, changes[number][1] if number >= 0 else "x" * width, cycle)
            table[number] = [value >> 64 * word & (1 << 64) - 1 for word in range(words)]
        values = table[which]
        return values if words > 1 else values[:, 0]

    def _value(self, name: str, value: int | str, cycle: int) -> int:
        """Return a value as an int; raise where it has unknown bits, unless these are to be something."""
        if isinstance(value, int):
            return value
        unknown = self._options.unknown
        if unknown is None:
            raise UserError(
                "bad-stimulus",
                f"'{self.path}': '{name}' is {value} in cycle {cycle}; unknown=0 or unknown=1 replaces x and z",
            )
        return int("".join(bit if bit in "01" else str(unknown) for bit in value), 2)
