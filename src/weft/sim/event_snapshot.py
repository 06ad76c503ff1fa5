"""Copy what an event simulation remembers in Python, and put it back: strings, containers, mailboxes, random choice.

Compiled memory is copied whole (`engines.event.arena`); what handles in it stand for is copied here, by pickling it.
Objects of the design (types, signals, classes) are part of it by reference, and so are wait lists, which compiled
memory points to: their content is put back where they are. Open files and waveforms cannot be copied: what was written
would have to be unwritten.
"""

from __future__ import annotations

import ctypes
import io
import pickle
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.sim.event_objects import Waiters

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

_SHARED = ("weft.ir.", "weft.engines.", "weft.base.")
"""Modules whose objects belong to the design and never change."""


@dataclass(slots=True, eq=False)
class HostSnapshot:
    """Hold the pickled state, the objects that it refers to, and what the wait lists hold."""

    owner: Any
    data: bytes
    shared: list[object]
    waiters: list[tuple[Waiters, bytes]]


def take_host(simulation: EventSimulation) -> HostSnapshot:
    """Copy what a simulation remembers in Python."""
    state = simulation.host.state
    if state.files.any_open():
        raise Unsupported("a checkpoint while the design has files open")
    if state.dump is not None or state.port_dumps or simulation.wave is not None:
        raise Unsupported("a checkpoint while a waveform is written")
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, protocol=5)
    pickler.dump(_parts(simulation))
    waiters = [found for found in pickler.shared if isinstance(found, Waiters)]
    contents = [(found, bytes(found.memory)) for found in waiters]
    return HostSnapshot(simulation, buffer.getvalue(), pickler.shared, contents)


def restore_host(simulation: EventSimulation, snapshot: HostSnapshot) -> None:
    """Put back what `take_host` has copied."""
    reader = _Unpickler(io.BytesIO(snapshot.data))
    reader.shared = snapshot.shared
    for target, names, values in zip(_owners(simulation), (names for _, names in _KEPT), reader.load(), strict=True):
        for name, value in zip(names, values, strict=True):
            old = getattr(target, name)
            if isinstance(old, dict | list | set):
                # Others may hold the same collection.
                old.clear()
                (old.extend if isinstance(old, list) else old.update)(value)  # pyright: ignore
            else:
                setattr(target, name, value)
    for waiters, content in snapshot.waiters:
        ctypes.memmove(waiters.memory, content, len(content))


_KEPT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("handles", ("values", "_texts", "_free", "limit")),
    ("host", ("status", "errors", "stopped", "file_monitors")),
    ("state", ("random_seed", "search_path", "queues", "followed")),
    ("formats", ("time_digits", "time_suffix", "time_width", "shown_unit_fs")),
    ("randomizer", ("modes", "cycles", "static_off")),
)
"""Which attributes of which parts of a simulation change while it runs."""


def _owners(simulation: EventSimulation) -> list[Any]:
    state = simulation.host.state
    return [simulation.handles, simulation.host, state, state.formats, simulation.randomizer]


def _parts(simulation: EventSimulation) -> list[list[Any]]:
    owners = _owners(simulation)
    return [[getattr(owner, name) for name in names] for owner, (_, names) in zip(owners, _KEPT, strict=True)]


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.shared: list[object] = []
        self._numbers: dict[int, int] = {}

    def persistent_id(self, obj: object) -> int | None:
        """Return the number of an object that is not copied."""
        if not isinstance(obj, Waiters) and not type(obj).__module__.startswith(_SHARED):
            return None
        number = self._numbers.get(id(obj))
        if number is None:
            number = self._numbers[id(obj)] = len(self.shared)
            self.shared.append(obj)
        return number


class _Unpickler(pickle.Unpickler):
    shared: list[object]

    def persistent_load(self, pid: int) -> object:
        """Return an object by its number."""
        return self.shared[pid]
