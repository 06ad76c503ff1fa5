"""Make clocked processes of concurrent assertions, so that cycle engines check them (IEEE 1800-2023 clause 16).

The front end writes an assertion for the event engine: variables with sampled values that follow in the postponed
region, a process of the observed region that moves counts of attempts from state to state when the clock ticks, others
for what `$past` remembers. A step of the cone graph reads everything as it was before, and commits; so it takes two:

* In the step of the clock's edge the sampled variables take the values from before the edge, and a *tick* toggles.
* In the next step, when the design's registers have their new values, the tick wakes the processes of the observed
  region: they see sampled values, and the present ones that `disable iff` and the actions look at.

The process that forgets the attempts as soon as `disable iff` holds is joined with the one that counts them, since a
register is written by one process. An action runs once for each attempt that ends, up to `MOST_ACTIONS` at one tick.
Where a register makes the clock, its edge comes a step later than the time began: `sample_made_clocks` keeps the values
of before. A clocked procedure reads a signal itself instead of its sampled value, which only is right where no register
makes its clock. `expect`, events of sequences, attempts with data and other uses of sampled
values are left as they are, and `check_cycle_support` refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from weft.base.dataclass import dataclass, field, fields, replace
from weft.ir.design import (
    Assign,
    Block,
    Event,
    If,
    Kind,
    Module,
    Process,
    RepeatTimes,
    Statement,
    Trigger,
)
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Const,
    Element,
    Expr,
    Ref,
    Resize,
    Signal,
    SystemCall,
    Type,
    Unary,
)

MOST_ACTIONS = 16
TICK = "assertion$tick"
READ = "$read"
_IS_TICK = re.compile(r"(^|\.)assertion\$tick\d+(\$read)?$")
_IS_SAMPLED = re.compile(r"\$assertion\$tick\d+(\[[\d:]+\])?$")

_BIT = Type("bit", 1, four_state=False)


def clock_assertions(module: Module) -> None:
    """Rewrite the concurrent assertions of a module that cycle engines can check."""
    for process in [process for process in module.processes if process.keyword == "clocking"]:
        _drop_clocking(module, process)
    if any(process.region for process in module.processes):
        _Clocking(module).rewrite()


def _drop_clocking(module: Module, process: Process) -> None:
    """Leave out a clocking block without variables, for whose event nobody waits: it has only named a clock."""
    match process.body:
        case Block((Assign(Ref(last)), Trigger(Ref(tick)))):
            pass
        case _:
            return
    others = [other.body for other in module.processes if other is not process]
    others += [function.body for function in module.functions if function.body is not None]
    events = [other.events for other in module.processes]
    rest = [part for assign in module.assigns for part in (assign.lhs, assign.rhs)]
    rest += [part for instance in module.instances for part in instance.connections if part is not None]
    if not {last, tick} & _signals((*others, *events, *rest)):
        module.processes.remove(process)
        module.signals[:] = [signal for signal in module.signals if signal not in (last, tick)]


def is_tick(name: str) -> bool:
    """Say whether a state is a tick of assertions, by its name."""
    return _IS_TICK.search(name) is not None


def is_read_tick(name: str) -> bool:
    """Say whether a state is the tick of a clock at which procedures read signals instead of sampled values."""
    return is_tick(name) and name.endswith(READ)


def is_sampled(name: str) -> bool:
    """Say whether a state holds what an assertion samples at its clock, or bits of that, by its name."""
    return _IS_SAMPLED.search(name) is not None


@dataclass(slots=True)
class _Group:
    """Be all that one clock wakes: the events, the tick, the variables that it samples; is it one of procedures too?"""

    events: tuple[Event, ...]
    tick: Signal
    shadows: dict[Signal, Signal] = field(default_factory=dict[Signal, Signal])
    read: bool = False


class _Clocking:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.groups: dict[object, _Group] = {}
        self.sources: dict[Signal, Expr] = {}
        self.shifts: dict[Signal, Process] = {}
        self.scalars: dict[Signal, list[Signal]] = {}
        for process in module.processes:
            match process:
                case Process(body=Assign(Ref(shadow), source), keyword="sample", region="postponed"):
                    self.sources[shadow] = source
                case Process(events=(Event(value=Ref(moved)),), keyword="past", region="postponed"):
                    self.shifts[moved] = process
                case _:
                    pass

    def rewrite(self) -> None:
        """Replace what can be replaced."""
        module = self.module
        replaced: dict[int, Process | None] = {}
        for process in module.processes:
            if process.region != "observed":
                continue
            if process.keyword == "assertion" and not _has(process.body, self._is_threaded):
                replaced[id(process)] = self._assertion(process, replaced)
            elif process.keyword == "past":
                self._past(process, replaced)
        for process in module.processes:
            if not process.region and process.kind is Kind.EVENTS and process.keyword != "disable":
                self._reading(process, replaced)
        if not replaced:
            return
        kept = [replaced.get(id(process), process) for process in module.processes]
        processes = [process for process in kept if process is not None]
        if self.scalars:
            processes = [self._with_scalars(process) for process in processes]
        used = _signals((p.body, p.events) for p in processes if p.keyword not in ("sample", "assertion sample"))
        processes = [process for process in processes if process.keyword != "sample" or self._shadow(process) in used]
        module.processes[:] = [*processes, *(self._sampling(group) for group in self.groups.values())]
        for group in self.groups.values():
            group.tick.name += READ if group.read else ""

    def _shadow(self, process: Process) -> Signal | None:
        body = process.body
        return body.lhs.signal if isinstance(body, Assign) and isinstance(body.lhs, Ref) else None

    # ------------------------------------------------------------------------------------------- clocks

    def _group(self, events: tuple[Event, ...], process: Process) -> _Group:
        found = self.groups.get(key := _key(events))
        if found is None:
            tick = self._signal(f"{TICK}{len(self.groups)}", 1, _BIT, process)
            found = self.groups[key] = _Group(events, tick)
        return found

    def _signal(self, name: str, width: int, kind: Type, process: Process) -> Signal:
        made = Signal(name, width, kind, initial=Const(width, 0), span=process.span)
        self.module.signals.append(made)
        return made

    def _sampled(self, node: Any, group: _Group) -> Any:
        """Return a statement or expression that reads the variables which a clock has sampled."""

        def visit(part: Any) -> Any:
            if isinstance(part, Ref) and part.signal in self.sources:
                return Ref(self._copy(part.signal, group))
            if isinstance(part, Element) and part.signal in self.sources:
                return replace(part, signal=self._copy(part.signal, group), index=_map(part.index, visit))
            return None

        return _map(node, visit)

    def _copy(self, shadow: Signal, group: _Group) -> Signal:
        found = group.shadows.get(shadow)
        if found is None:
            found = group.shadows[shadow] = replace(shadow, name=f"{shadow.name}${group.tick.name}")
            self.module.signals.append(found)
        return found

    def _sampling(self, group: _Group) -> Process:
        """Return the process of the clock's edge."""
        span = group.tick.span
        body: list[Statement] = [
            Assign(Ref(copy), self.sources[shadow], False, span) for shadow, copy in group.shadows.items()
        ]
        body.append(Assign(Ref(group.tick), Unary("not", Ref(group.tick), 1), False, span))
        return Process(Kind.EVENTS, Block(tuple(body)), group.events, "assertion sample", span)

    # ------------------------------------------------------------------------------------------- processes

    def _is_threaded(self, part: Any) -> bool:
        """Say whether part of an assertion tells others of something, or keeps attempts as threads with data."""
        if isinstance(part, Element):
            return part.signal not in self.sources and not isinstance(part.index, Const)
        return isinstance(part, Trigger)

    def _reading(self, process: Process, replaced: dict[int, Process | None]) -> None:
        """Let a clocked procedure read signals instead of their sampled values, which they still have at its edge."""
        read = _signals([process.body]) & set(self.sources)
        edges = all(event.edge in ("posedge", "negedge") for event in process.events)
        if not read or not edges or _signals(self.sources[shadow] for shadow in read) & _assigned(process.body, True):
            return
        self._group(process.events, process).read = True  # so that its clock is checked

        def visit(part: Any) -> Any:
            match part:
                case Ref(shadow) if shadow in read:
                    return self.sources[shadow]
                case Element(shadow, index) if shadow in read:
                    source = cast("Ref", self.sources[shadow])
                    return Element(source.signal, _map(index, visit), source.path)
                case _:
                    return None

        replaced[id(process)] = replace(process, body=_map(process.body, visit))

    def _take_starts(self, body: Any, own: set[Signal]) -> Any:
        """Return an assertion's body that keeps count of how often a procedure has started it.

        The front end lets the procedure add to a variable that the assertion clears. Here it only ever adds.
        """
        observed = ("assertion", "disable")
        others = [_assigned(process.body) for process in self.module.processes if process.keyword not in observed]
        taken: dict[Signal, Signal] = {}
        for started in own & set[Signal]().union(*others):
            started.initial = Const(started.width, 0)
            taken[started] = replace(started, name=f"{started.name}$taken")
            self.module.signals.append(taken[started])

        def visit(part: Any) -> Any:
            match part:
                case Assign(Ref(signal), Const(), _, span) if signal in taken:
                    return Assign(Ref(taken[signal]), Ref(signal), True, span)
                case Ref(signal) if signal in taken:
                    return Binary("sub", part, Ref(taken[signal]), signal.width)
                case _:
                    return None

        return _map(body, visit) if taken else body

    def _past(self, process: Process, replaced: dict[int, Process | None]) -> None:
        """Move a row of past values on in the step after the edge."""
        body, gate = process.body, None
        if isinstance(body, If):
            body, gate = body.then, body.cond
        match body:
            case Block((Assign(Ref(note), value), Trigger(Ref(moved)))):
                shift = self.shifts[moved]
            case _:
                return
        group = self._group(process.events, process)
        steps: list[Statement] = []
        for step in cast("tuple[Assign, ...]", cast("Block", shift.body).body):
            source = value if isinstance(step.rhs, Ref) and step.rhs.signal is note else step.rhs
            steps.append(replace(step, rhs=source, blocking=False))
            if isinstance(step.lhs, Ref):
                # Nets have no value yet when variables begin with theirs.
                step.lhs.signal.initial = _map(step.lhs.signal.initial, _without_nets)
        moving: Statement = Block(tuple(steps))
        if gate is not None:
            moving = If(gate, moving, span=process.span)
        wake = (Event("any", Ref(group.tick), span=process.span),)
        moving = self._sampled(moving, group)
        replaced[id(process)] = Process(Kind.EVENTS, moving, wake, "past", process.span, process.scope)
        replaced[id(shift)] = None
        for signal in (note, moved):
            self.module.signals.remove(signal)

    def _assertion(self, process: Process, replaced: dict[int, Process | None]) -> Process:
        """Count attempts in the step after the edge, and forget them when `disable iff` begins to hold."""
        span, group = process.span, self._group(process.events, process)
        body = self._sampled(_map(process.body, self._simpler), group)
        seen = self._signal(f"{group.tick.name}$seen{len(self.module.signals)}", 1, _BIT, process)
        ticked = Binary("ne", Ref(group.tick), Ref(seen), 1)
        work: list[Statement] = [If(ticked, Block((Assign(Ref(seen), Ref(group.tick), True, span), body)), span=span)]
        events = [Event("any", Ref(group.tick), span=span)]
        own = _assigned(process.body)
        for other in self.module.processes:
            if other.keyword == "disable" and not other.region and own & _assigned(other.body):
                # The front end writes `if (condition) forget`, and nothing else.
                work.insert(0, other.body)
                events += [replace(event, edge="posedge") for event in other.events]
                replaced[id(other)] = None
        for signal in own:
            if signal.depth and signal not in self.scalars:
                kind = replace(signal, depth=0, initial=Const(signal.width, 0))
                self.scalars[signal] = [replace(kind, name=f"{signal.name}{n}") for n in range(signal.depth)]
                self.module.signals += self.scalars[signal]
                self.module.signals.remove(signal)
        whole = self._take_starts(Block(tuple(work)), own)
        return Process(Kind.EVENTS, whole, tuple(events), "assertion", span, process.scope)

    def _simpler(self, part: Any) -> Any:
        """Replace what only the event engine has: control of assertions, and actions in threads of their own."""
        match part:
            case If(Binary(_, Resize(SystemCall("assertion.kills")))):
                return Block(())
            case SystemCall("assertion.enabled"):
                return Const(1, 1)
            case RepeatTimes(count, Block((action,), fork="join_none"), span):
                shown = _map(action, self._simpler)
                copies = (
                    If(Binary("ult", Const(32, number), count, 1), shown, span=span) for number in range(MOST_ACTIONS)
                )
                return Block(tuple(copies))
            case _:
                return None

    def _with_scalars(self, process: Process) -> Process:
        def visit(part: Any) -> Any:
            if isinstance(part, Element) and part.signal in self.scalars and isinstance(part.index, Const):
                return Ref(self.scalars[part.signal][part.index.value])
            return None

        return replace(process, body=_map(process.body, visit))


def _map(node: Any, visit: Callable[[Any], Any]) -> Any:
    """Return a statement or expression in which `visit` has replaced what it does not return None for."""
    if isinstance(node, tuple):
        parts = cast("tuple[Any, ...]", node)
        changed = tuple(_map(part, visit) for part in parts)
        return changed if any(a is not b for a, b in zip(changed, parts, strict=True)) else node
    if isinstance(node, Signal | Type) or not hasattr(type(node), "__match_args__"):
        return node
    found = visit(node)
    if found is not None:
        return found
    changes: dict[str, Any] = {}
    for name in fields(node):
        before = getattr(node, name)
        if isinstance(before, tuple) or hasattr(type(before), "__match_args__"):
            after = _map(before, visit)
            if after is not before:
                changes[name] = after
    return replace(node, **changes) if changes else node


def _without_nets(part: Any) -> Any:
    if isinstance(part, Ref | Element) and part.signal.net:
        return Const(part.signal.width, 0, (1 << part.signal.width) - 1)
    return None


def _has(node: Any, wanted: Callable[[Any], bool]) -> bool:
    found = False

    def visit(part: Any) -> None:
        nonlocal found
        found = found or wanted(part)

    _map(node, visit)
    return found


def _assigned(node: Statement, at_once: bool = False) -> set[Signal]:
    """Return the static signals that a statement assigns, or those that it assigns `at_once`, by blocking."""
    found: set[Signal] = set()

    def visit(part: Any) -> None:
        if isinstance(part, Assign) and (part.blocking or not at_once):
            found.update(signal for signal in _signals([part.lhs]) if not signal.automatic)
        elif at_once and isinstance(part, AssignExpr | Call):
            found.update(_signals([part]))

    _map(node, visit)
    return found


def _signals(nodes: Iterable[Any]) -> set[Signal]:
    """Return the signals that statements, events and expressions name."""
    found: set[Signal] = set()

    def visit(part: Any) -> None:
        if isinstance(part, Ref | Element):
            found.add(part.signal)

    for node in nodes:
        _map(node, visit)
    return found


def _key(node: Any) -> object:
    """Return what is equal for events that are written alike; signals are told by identity."""
    if isinstance(node, tuple):
        return tuple(_key(part) for part in cast("tuple[Any, ...]", node))
    if isinstance(node, Signal) or not hasattr(type(node), "__match_args__"):
        return node
    return type(node).__name__, *(_key(getattr(node, name)) for name in fields(node) if name != "span")
