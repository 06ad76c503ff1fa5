"""Copy what an event simulation remembers in Python, and put it back: strings, random choice, arrays with long keys.

Compiled memory is copied whole (`engines.event.engine_state`); what handles in it stand for is copied here, by pickling
it. Signals and instances of the design are pickled by their numbers, so that the copy means the same to another process
which has the same design. Only classes that are listed here are made from a copy: a state file cannot run code. Files
are opened again (`sim.file_positions`); waveforms cannot be: what was written would have to be unwritten.
"""

from __future__ import annotations

import functools
import io
import pickle
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError, Unsupported
from weft.engines.event.code_links import CodeLinks
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.elaborate import Node
from weft.engines.event.engine_state import restore_state
from weft.engines.event.records import UNFLUSHED
from weft.ir.design import Signal
from weft.sim.engine import Checkpoint
from weft.sim.file_positions import FilePosition, note_files, reopen_files

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

_CLASSES = {
    ("builtins", "frozenset"),
    ("builtins", "set"),
    ("collections", "deque"),
    ("weft.base.source", "Span"),
    ("weft.ir.expressions", "Type"),
    ("weft.sim.event_containers", "KeptMap"),
    ("weft.sim.file_positions", "FilePosition"),
    ("weft.sim.format_arguments", "NetValue"),
    ("weft.sim.format_arguments", "RealTime"),
    ("weft.sim.format_arguments", "Value"),
    ("weft.sim.randomize.randomizer", "Modes"),
    ("weft.sim.tasks.stochastic_tasks", "Entry"),
    ("weft.sim.tasks.stochastic_tasks", "StochasticQueue"),
}
"""What a copy may consist of, besides numbers, texts and collections."""

_KEPT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("handles", ("values", "_texts", "_free", "limit")),
    ("host", ("status", "errors", "stopped", "file_monitors")),
    ("state", ("random_seed", "search_path", "queues", "followed")),
    ("files", ("last_error",)),
    ("formats", ("time_digits", "time_suffix", "time_width", "shown_unit_fs")),
    ("randomizer", ("modes", "cycles", "static_off")),
    ("types", ("types",)),
)
"""Which attributes of which parts of a simulation change while it runs."""


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """Hold the pickled state and the open files; `owner` is the simulation of a checkpoint in this process."""

    base: int
    """The address at which the arena began."""
    data: bytes
    files: tuple[FilePosition, ...]
    owner: object = None
    links: CodeLinks | None = None
    """Where addresses of code are in the arena, of a state from a file."""


def take_host(simulation: EventSimulation) -> HostSnapshot:
    """Copy what a simulation remembers in Python."""
    state = simulation.host.state
    if state.dump is not None or state.port_dumps or simulation.wave is not None:
        raise Unsupported("a checkpoint while a waveform is written")
    files, engine = note_files(state.files), simulation.engine
    return HostSnapshot(engine.arena.base, dump(_parts(simulation), engine.code), files, simulation)


def restore_all(simulation: EventSimulation, checkpoint: Checkpoint) -> None:
    """Put back a checkpoint of the same program, whose arena began where the simulation's does.

    Raises what `reopen_files` raises; a state that cannot be read raises pickle's errors, KeyError and others.
    """
    snapshot = checkpoint.host
    assert isinstance(snapshot, HostSnapshot)
    loaded = load(snapshot.data, simulation.engine.code)
    reopen_files(simulation.host.state.files, snapshot.files)
    for target, names, values in zip(_owners(simulation), (names for _, names in _KEPT), loaded, strict=True):
        for name, value in zip(names, values, strict=True):
            old = getattr(target, name)
            if isinstance(old, dict | list | set):
                # Others may hold the same collection.
                old.clear()
                (old.extend if isinstance(old, list) else old.update)(value)  # pyright: ignore
            else:
                setattr(target, name, value)
    restore_state(simulation.engine, checkpoint.state, snapshot.links)
    simulation.engine.set_word(UNFLUSHED, 1)


def _owners(simulation: EventSimulation) -> list[Any]:
    state, types = simulation.host.state, simulation.containers.types
    return [simulation.handles, simulation.host, state, state.files, state.formats, simulation.randomizer, types]


def _parts(simulation: EventSimulation) -> list[list[Any]]:
    owners = _owners(simulation)
    return [[getattr(owner, name) for name in names] for owner, (_, names) in zip(owners, _KEPT, strict=True)]


# ------------------------------------------------------------------------------------------- pickling


def dump(content: object, code: ProgramCode | None = None) -> bytes:
    """Return something, which may refer to the design of a program, as bytes that `load` understands anywhere."""
    buffer = io.BytesIO()
    _Pickler(buffer, _Numbers(code)).dump(content)
    return buffer.getvalue()


def load(data: bytes, code: ProgramCode | None = None) -> Any:
    """Return what `dump` was given; raises pickle.UnpicklingError and others if it is damaged."""
    return _Unpickler(io.BytesIO(data), _Numbers(code)).load()


class _Numbers:
    """Number the signals and instances of a program, when that is first needed."""

    def __init__(self, code: ProgramCode | None) -> None:
        self._code = code

    @functools.cached_property
    def objects(self) -> list[Signal | Node]:
        """Return all of them in an order that is the same wherever the program is."""
        if self._code is None:
            return []
        nodes = self._code.design.nodes
        found: list[Signal | Node] = [*nodes]
        for module in dict.fromkeys(node.unit.module for node in nodes):
            found += module.signals
            found += (signal for function in module.functions for signal in function.locals)
        found += (member for kind in self._code.design.design.classes for member in kind.fields)
        return found

    @functools.cached_property
    def numbers(self) -> dict[int, int]:
        """Return their numbers by their identities."""
        return {id(found): number for number, found in enumerate(self.objects)}


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, numbers: _Numbers) -> None:
        super().__init__(file, protocol=5)
        self._numbers = numbers

    def persistent_id(self, obj: object) -> int | None:
        """Return the number of an object of the design."""
        if not isinstance(obj, Signal | Node):
            return None
        number = self._numbers.numbers.get(id(obj))
        if number is None:
            raise InternalError(f"no number for {obj}")
        return number


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, numbers: _Numbers) -> None:
        super().__init__(file)
        self._numbers = numbers

    def persistent_load(self, pid: int) -> object:
        """Return an object of the design by its number."""
        return self._numbers.objects[pid]

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return a class that a copy may have."""
        if (module_name, global_name) not in _CLASSES:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of a state")
        return super().find_class(module_name, global_name)
