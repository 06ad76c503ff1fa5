"""What system tasks see of a running event simulation (`sim.tasks.task_call.Host`)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from weft.base.dataclass import dataclass, field
from weft.base.source import Span
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.port_drivers import PortDrivers
from weft.engines.event.records import NODE_CODE, NODE_LIST, NODE_SIZE, POSTPONED
from weft.ir.assertion_control import AssertionControl
from weft.ir.design import Signal
from weft.sim.event_scopes import ScopeTree
from weft.sim.format_arguments import NetValue, Value
from weft.sim.tasks.dump_scopes import DumpScope, DumpSignal, plain_path
from weft.sim.tasks.port_states import Drive
from weft.sim.tasks.task_call import Writer
from weft.sim.tasks.task_state import TaskState


@dataclass(slots=True, eq=False)
class EventHost:
    """Be the simulation that system tasks act on. `status` is the exit status that the design has asked for."""

    out: Writer
    state: TaskState
    tick_fs: int
    engine: EventEngine = field(init=False)
    status: int | None = None
    errors: int = 0
    stopped: bool = False
    on_stop: Callable[[], None] | None = None
    current: tuple[int, Node] | None = None
    file_monitors: dict[int, int] = field(default_factory=dict[int, int])
    """The threads of active `$fmonitor`s, and the descriptors that they write to."""
    _tree: ScopeTree | None = None
    _actions: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _later: object = None
    _drivers: PortDrivers | None = None
    _keep: list[object] = field(default_factory=list[object])

    @property
    def time(self) -> int:
        """Return the time in ticks."""
        return self.engine.time

    def place(self, span: Span) -> str:
        """Return `file:line` of a call."""
        if span.file < 0:
            return "<nowhere>"
        source = self.engine.code.design.design.sources.files[span.file]
        return f"{source.path}:{source.position(span.start)[0]}"

    def finish(self, code: int) -> None:
        """End the simulation after the present statement."""
        if self.status is None:
            self.status = code
        self.engine.request_stop()

    def stop(self) -> None:
        """Suspend the simulation."""
        self.stopped = True
        if self.on_stop is not None:
            self.on_stop()
        else:
            self.engine.request_stop()

    def report_error(self) -> None:
        """Count an error that the design has reported."""
        self.errors += 1

    # ------------------------------------------------------------------------------------------- waveforms

    @property
    def tree(self) -> ScopeTree:
        """Return the scopes of the design, made when first asked for."""
        if self._tree is None:
            self._tree = ScopeTree(self.engine.code.design)
        return self._tree

    def dump_scopes(self) -> Sequence[DumpScope]:
        """Return the top scopes of the design."""
        return self.tree.tops

    def read(self, signal: int) -> Value | float:
        """Return the value of a signal, by its number in the dump scopes."""
        node, found, index = self.tree.signals[signal]
        bits, unknown = self.engine.read(node, found, index)
        if found.type.kind in ("real", "shortreal"):
            return ctypes.c_double.from_buffer_copy(bits.to_bytes(8, "little")).value
        strengths = None if found.depth else self.engine.strengths(node, found)
        if strengths is not None:
            return NetValue(found.width, bits, unknown, found.signed, strengths[::-1])
        return Value(found.width, bits, unknown, found.signed)

    def watch(self, signals: Sequence[int], change: Callable[[Sequence[int]], None]) -> None:
        """Call `change` in the postponed region of each tick in which signals have changed."""
        targets: list[tuple[int, Node, Signal, int]] = []
        for number in signals:
            node, signal, index = self.tree.signals[number]
            targets.append((number, node, signal, index))
        self.engine.record_changes(targets, change)

    def follow_ports(
        self, ports: Sequence[tuple[str, DumpSignal]], change: Callable[[Sequence[int]], None]
    ) -> Callable[[int], Sequence[tuple[Drive, Drive]]]:
        """Call `change` for ports whose value or drivers may have changed; return what tells the drivers of one."""
        if self._drivers is None:
            self._drivers = PortDrivers(self.engine)
        drivers = self._drivers
        found = [self.tree.find(f"{path}.{signal.name}") for path, signal in ports]
        places = [place for place in found if place is not None]
        assert len(places) == len(ports)
        targets = [(number, *place, 0) for number, place in enumerate(places)]
        self.engine.record_changes(targets, change, [drivers.nets_of(*place) for place in places])
        return lambda number: drivers.read(*places[number])[::-1]

    def at_end_of_tick(self, action: Callable[[], None]) -> None:
        """Call `action` in the postponed region of the present tick."""
        if self._later is None:
            node = np.zeros(NODE_SIZE // 8, dtype=np.uint64)
            callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(self._run_actions)
            node[NODE_CODE // 8] = ctypes.cast(callback, ctypes.c_void_p).value or 0
            self._keep += [callback]
            self._later = node
        node = self._later
        assert isinstance(node, np.ndarray)
        self._actions.append(action)
        if not node[NODE_LIST // 8]:
            self.engine.append(POSTPONED, node.ctypes.data)

    def _run_actions(self, node: int, state: int) -> int:
        actions, self._actions = self._actions, []
        try:
            for action in actions:
                action()
        except BaseException as error:
            self.engine.error = self.engine.error or error
            self.engine.request_stop()
        return 0

    # ------------------------------------------------------------------------------------------- monitors

    def enable_monitor(self, enabled: bool) -> None:
        """Do `$monitoron` or `$monitoroff`; compiled code does it by itself."""
        raise NotImplementedError("compiled code switches monitors")

    def cancel_monitors(self, matches: Callable[[int], bool]) -> None:
        """End the `$fmonitor`s that write to a file that is closed."""
        for thread, descriptor in list(self.file_monitors.items()):
            if matches(descriptor):
                del self.file_monitors[thread]
                self.engine.call("unlink", thread)

    # ------------------------------------------------------------------------------------------- the design

    def control_assertions(self, change: Callable[[str, AssertionControl, int], int]) -> None:
        """Give each assertion the word that `change` returns for it."""
        for unit in self.engine.code.design.units.values():
            for control in unit.module.controls:
                for node in unit.nodes:
                    path = f"{node.path}.{control.scope}" if control.scope else node.path
                    word, _ = self.engine.read(node, control.signal)
                    self.engine.write(node, control.signal, 0, change(plain_path(path), control, word), 0)

    def time_scale(self, path: str) -> tuple[int, int]:
        """Return unit and precision of the module that a path leads to."""
        if path == "$root":
            return self.tick_fs, self.tick_fs
        module = self.tree.node(path).unit.module
        return module.time_unit_fs, module.time_precision_fs

    def driver_counts(self, path: str) -> tuple[int, int, int, bool]:
        """Return how many drivers drive a net's bit to 0, 1 and x, and whether it is forced."""
        return self.engine.driver_counts(*self.tree.bit(path))
