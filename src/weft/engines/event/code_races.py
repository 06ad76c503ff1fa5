"""Write the race detector's notes of what statements read and write (`race_kernels`).

A statement notes what its own expressions read before it does anything, and what it writes when it writes it. Left out
is what cannot race, or is not known without computing it twice: automatic variables; nonblocking assignments, which
happen in a region of their own; event controls and conditions of `wait`, and all reads of a process that starts again
when something that it reads changes, since these look again after a later write; arguments of tasks of the postponed
region; elements and bits that a variable chooses.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.base.dataclass import dataclass
from weft.base.source import Span
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.writer import Operand
from weft.ir.design import (
    Expr,
    Force,
    Kind,
    Process,
    Release,
    Signal,
    Statement,
    SystemTask,
    Trigger,
    Wait,
    WaitUntil,
    operands,
)
from weft.ir.expressions import Call, Concat, Const, Element, Ref, Slice
from weft.ir.system_tasks import MONITOR_TASKS, POSTPONED_TASKS
from weft.ir.walk import expressions_of

Access = tuple[Ref, int, int]
"""A signal, and the bits of it from and to (exclusive) that are read or written."""


@dataclass(frozen=True, slots=True, eq=False)
class RaceSite:
    """Be a place in the source that reads or writes a signal."""

    ref: Ref
    span: Span
    write: bool


def rereads(process: Process) -> frozenset[Signal] | None:
    """Return the signals whose changes start a process again at its beginning; None for all that it reads."""
    if process.kind == Kind.COMB:
        return None
    found: set[Signal] = set()
    for event in process.events:
        if event.edge == "any" and event.condition is None:
            found |= {ref.signal for ref, _, _ in accesses(event.value)}
    return frozenset(found)


def accesses(expression: Expr) -> Iterator[Access]:
    """Yield what an expression reads, as far as it is known when the code is written."""
    match expression:
        case Ref(signal):
            yield expression, 0, signal.bits
        case Element(signal, Const(value=index, unknown=0), path):
            if index < signal.depth:
                yield Ref(signal, path), index * signal.width, (index + 1) * signal.width
        case Slice(Ref(signal) as ref, int() as offset, width):
            yield ref, max(offset, 0), min(offset + width, signal.bits)
        case Slice(Ref(), offset):
            assert not isinstance(offset, int)
            yield from accesses(offset)
        case Element(_, index):
            yield from accesses(index)
        case _:
            for part in operands(expression):
                yield from accesses(part)


def _written(lhs: Expr) -> Iterator[Access]:
    match lhs:
        case Concat(parts):
            for part in parts:
                yield from _written(part)
        case Ref() | Element(_, Const()) | Slice(Ref(), int()):
            yield from accesses(lhs)
        case _:
            pass


def note_reads(f: FunctionCode, statement: Statement) -> None:
    """Write the notes of what a statement reads by itself."""
    match statement:
        case Wait() | WaitUntil() | Force() | Release() | Trigger():
            return
        case SystemTask(name) if name in POSTPONED_TASKS or name in MONITOR_TASKS:
            return
        case _:
            pass
    if f.rereads is None:
        return
    seen: set[tuple[Signal, tuple[str, ...], int, int]] = set()
    for expression in expressions_of(statement)[0]:
        outer = [expression] if not isinstance(expression, Call) else list(expression.args)
        for part in outer:
            for ref, low, high in accesses(part):
                key = (ref.signal, ref.path, low, high)
                if key not in seen and ref.signal not in f.rereads:
                    seen.add(key)
                    _note(f, ref, low, high, write=False)


def note_write(f: FunctionCode, lhs: Expr) -> None:
    """Write the notes of what an assignment writes now."""
    for ref, low, high in _written(lhs):
        _note(f, ref, low, high, write=True)


def _note(f: FunctionCode, ref: Ref, low: Operand, high: Operand, write: bool) -> None:
    signal = ref.signal
    sites = f.unit.program.races
    if sites is None or signal.automatic or f.is_local(signal):
        return
    number = len(sites)
    sites.append(RaceSite(ref, f.span, write))
    w = f.w
    place = w.emit(f"ptrtoint ptr {f.signal_pointer(signal, ref.path)} to i64")
    w.call("race_access", place, low, high, number << 1 | int(write), "%node", "%S")
