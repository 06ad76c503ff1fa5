"""Choose the unpacked arrays of a module that stay memories; all others become flat vectors.

A memory is written one element at a time by clocked procedures (or filled with one value), is read or written at an
index that only running tells, and is worth it: a handful of bits is better as registers. Anything that drives the array
as a whole (a continuous assignment, a combinational procedure, a port) makes it a vector. `initial` procedures may do
what they like.

An index made of loop variables and constants is no reason to keep a memory: unrolling makes it constant.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.base.dataclass import dataclass, field
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Disable,
    DisableFork,
    Evaluate,
    Force,
    Function,
    If,
    Jump,
    Kind,
    Loop,
    Module,
    Process,
    Release,
    RepeatTimes,
    Statement,
    SystemTask,
    Trigger,
    Wait,
    WaitFork,
    WaitUntil,
    operands,
)
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Const,
    Element,
    Expr,
    Ref,
    Repeat,
    Resize,
    Signal,
    Slice,
    Unary,
)

SMALLEST_BITS = 64
"""Arrays of at most this many bits become vectors."""

SHIFTED_DEPTH = 64
"""Arrays of at most this depth become vectors if a loop moves their elements."""


@dataclass(slots=True)
class _Scan:
    """Collect how the arrays of a module are used."""

    candidates: set[Signal]
    foreign: bool = False
    dropped: set[Signal] = field(default_factory=set[Signal])
    dynamic: set[Signal] = field(default_factory=set[Signal])
    counters: set[Signal] = field(default_factory=set[Signal])
    clocked: bool = False
    seen: set[tuple[Function, bool]] = field(default_factory=set[tuple[Function, bool]])

    def drop(self, signal: Signal) -> None:
        """Decide that an array is a vector."""
        self.candidates.discard(signal)
        self.dropped.add(signal)

    def read(self, root: Expr) -> None:
        """Scan an expression that is evaluated."""
        work: list[Expr] = [root]
        while work:
            match work.pop():
                case Ref(signal):
                    if signal.depth:
                        self.drop(signal)
                case Call() as call:
                    self._call(call)
                case AssignExpr(lhs, rhs):
                    self.write(lhs, rhs)
                case inner:
                    if isinstance(inner, Element):
                        self._index(inner.signal, inner.index, inner.path)
                    work += operands(inner)

    def _index(self, signal: Signal, index: Expr, path: tuple[str, ...]) -> None:
        if self.foreign and path and signal.bits > SMALLEST_BITS and signal not in self.dropped:
            self.candidates.add(signal)
        if signal in self.candidates and not self._static(index):
            self.dynamic.add(signal)

    def _static(self, index: Expr) -> bool:
        match index:
            case Const():
                return True
            case Ref(signal):
                return signal in self.counters
            case Resize(value) | Unary(_, value) | Slice(value, int()):
                return self._static(value)
            case Binary(_, lhs, rhs):
                return self._static(lhs) and self._static(rhs)
            case Concat(parts):
                return all(self._static(part) for part in parts)
            case _:
                return False

    def _call(self, call: Call) -> None:
        for (direction, _), actual in zip(call.function.args, call.args, strict=True):
            if direction != "input":
                self.write(actual, None)
            if direction != "output":
                self.read(actual)
        key = (call.function, self.clocked)
        if key not in self.seen and call.function.body is not None:
            self.seen.add(key)
            self.statements([call.function.body])

    def write(self, lhs: Expr, rhs: Expr | None) -> None:
        """Scan an assignment; `rhs` is None for an output argument."""
        if rhs is not None:
            self.read(rhs)
        match lhs:
            case Ref(signal):
                if signal.depth and not (self.clocked and rhs is not None and _uniform(rhs)):
                    self.drop(signal)
            case Element(signal, index, path):
                if not self.clocked:
                    self.drop(signal)
                elif signal.depth <= SHIFTED_DEPTH and rhs is not None and not isinstance(rhs, Const):
                    if not isinstance(index, Const) and self._static(index):
                        self.drop(signal)
                self._index(signal, index, path)
                self.read(index)
            case Slice(value, offset):
                if not isinstance(offset, int):
                    self.read(offset)
                if isinstance(value, Ref) and value.signal.depth:
                    self.drop(value.signal)
                self.write(value, None)
            case Concat(parts):
                for part in parts:
                    self.write(part, None)
            case _:
                self.read(lhs)

    def statements(self, roots: Iterable[Statement | None]) -> None:
        """Scan statements; loops first, so that their counters are known."""
        work: list[Statement | None] = list(roots)
        while work:
            match work.pop():
                case Block(body):
                    work += body
                case Assign(lhs, rhs):
                    self.write(lhs, rhs)
                case If(cond, then, other):
                    self.read(cond)
                    work += (then, other)
                case Case() as case:
                    self._case(case)
                    work += [item.body for item in case.items]
                    work.append(case.default)
                case Loop() as loop:
                    self._loop(loop)
                    work.append(loop.body)
                    work += loop.step
                case RepeatTimes(count, body):
                    self.read(count)
                    work.append(body)
                case Jump(_, _, value):
                    if value is not None:
                        self.read(value)
                case Evaluate(value):
                    self.read(value)
                case SystemTask(_, args):
                    for arg in args:
                        if arg is not None:
                            self.read(arg)
                case Assertion(_, cond, passed, failed):
                    self.read(cond)
                    work += (passed, failed)
                case Wait() | WaitUntil() | None:
                    pass
                case Force() | Release() | Trigger() | Disable() | WaitFork() | DisableFork():
                    pass  # `check_cycle_support` refuses these before any module is lowered

    def _case(self, case: Case) -> None:
        self.read(case.subject)
        for item in case.items:
            for label in item.labels:
                for part in label if isinstance(label, tuple) else (label,):
                    self.read(part)

    def _loop(self, loop: Loop) -> None:
        if loop.cond is not None:
            for step in loop.step:
                match step:
                    case Assign(Ref(signal), _) | Evaluate(AssignExpr(Ref(signal), _)):
                        self.counters.add(signal)
                    case _:
                        pass
            self.read(loop.cond)


def infer_memories(module: Module) -> set[Signal]:
    """Return the arrays of a module that stay memories."""
    candidates = {signal for signal in module.signals if signal.depth and signal.bits > SMALLEST_BITS}
    return _scan(module, _Scan(candidates)) if candidates else set()


def infer_foreign_memories(module: Module) -> set[Signal]:
    """Return the arrays of other modules that a module uses, by paths, as memories."""
    return _scan(module, _Scan(set(), foreign=True))


def _scan(module: Module, scan: _Scan) -> set[Signal]:
    for port in module.ports:
        scan.drop(port.signal)
    for assign in module.assigns:
        scan.write(assign.lhs, assign.rhs)
    for instance in module.instances:
        for port, connection in zip(instance.module.ports, instance.connections, strict=True):
            if connection is None:
                continue
            if port.direction == "input":
                scan.read(connection)
            else:
                scan.write(connection, None)
    for process in module.processes:
        if process.kind in (Kind.COMB, Kind.EVENTS):
            scan.clocked = _is_clocked(process)
            scan.statements([process.body])
    return scan.candidates & scan.dynamic


def _is_clocked(process: Process) -> bool:
    return process.kind is Kind.EVENTS and any(event.edge != "any" for event in process.events)


def _uniform(rhs: Expr) -> bool:
    """Return whether all elements of an array get the same constant."""
    while isinstance(rhs, Repeat | Resize):
        rhs = rhs.value
    return isinstance(rhs, Const) and not rhs.value and not rhs.unknown
