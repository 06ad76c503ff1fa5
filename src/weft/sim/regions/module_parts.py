"""The parts of a module, assignments, procedures and instances, and what each of them reads and writes.

A region may hold some parts of a module and leave others to events (`group_siblings`, `split_modules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import PLAIN_NETS, roots_of
from weft.ir.design import ContinuousAssign, Expr, Function, Instance, Process, Signal
from weft.ir.expressions import WORD_KINDS, AssignExpr, Call, Element, Ref
from weft.ir.walk import expressions_of, statements_in, subexpressions
from weft.sim.regions.mixed_design import Reason
from weft.sim.regions.module_reasons import blocking_in, has_edge


@dataclass(slots=True, eq=False)
class Part:
    """Be a part of a module, with the signals that it reads and writes.

    `blocking` are those that a clocked procedure assigns with `=`, `levels` those that a procedure reads but for its
    events; `reason` says why the part is left to events, if it is.
    """

    what: ContinuousAssign | Process | Instance
    reads: set[Signal] = field(default_factory=set[Signal])
    writes: set[Signal] = field(default_factory=set[Signal])
    clocked: bool = False
    blocking: set[Signal] = field(default_factory=set[Signal])
    levels: set[Signal] = field(default_factory=set[Signal])
    reason: Reason | None = None

    @property
    def events(self) -> bool:
        """Say whether the part is left to events."""
        return self.reason is not None

    def note(self, reads: Iterable[Expr], writes: Iterable[Expr]) -> None:
        """Note that the part reads and writes expressions."""
        for expression in writes:
            roots = {ref.signal for ref in roots_of(expression)}
            self.writes |= roots
            # Of what is written, indexes are read.
            self.reads |= set(signals_in(expression)) - roots
        for expression in reads:
            self.reads |= set(signals_in(expression))
            for inner in subexpressions(expression):
                if isinstance(inner, AssignExpr):
                    self.writes |= {ref.signal for ref in roots_of(inner.lhs)}


def assign_part(assign: ContinuousAssign) -> Part:
    """Return an assignment as a part."""
    part = Part(assign)
    part.note((assign.rhs,), (assign.lhs,))
    return part


def process_part(process: Process) -> Part:
    """Return a procedure as a part, without what the functions that it calls read and write."""
    part = Part(process, clocked=has_edge(process))
    for statement in statements_in(process.body):
        part.note(*expressions_of(statement))
    part.levels |= part.reads
    part.note([e for event in process.events for e in (event.value, event.condition) if e is not None], ())
    if part.clocked:
        part.blocking = {signal for signal, _ in blocking_in(process)}
    return part


def functions_called(expressions: Iterable[Expr]) -> Iterator[Function]:
    """Yield the functions that expressions call, and those that these call, each once."""
    seen: set[Function] = set()
    work = list(expressions)
    while work:
        for part in subexpressions(work.pop()):
            if isinstance(part, Call) and part.function not in seen:
                seen.add(part.function)
                yield part.function
                for statement in statements_in(part.function.body):
                    reads, writes = expressions_of(statement)
                    work += [*reads, *writes]


def part_expressions(part: Part) -> list[Expr]:
    """Return the expressions of an assignment or a procedure."""
    what = part.what
    if isinstance(what, ContinuousAssign):
        return [what.lhs, what.rhs]
    found: list[Expr] = []
    if isinstance(what, Process):
        found += [e for event in what.events for e in (event.value, event.condition) if e is not None]
        for statement in statements_in(what.body):
            reads, writes = expressions_of(statement)
            found += [*reads, *writes]
    return found


def signals_in(expression: Expr) -> Iterator[Signal]:
    """Yield the signals that an expression names."""
    for part in subexpressions(expression):
        if isinstance(part, Ref | Element):
            yield part.signal


def is_plain(signal: Signal) -> bool:
    """Say whether a signal is a plain net or a variable of bits."""
    if signal.net not in PLAIN_NETS or signal.delay is not None or signal.charge:
        return False
    return signal.type.kind not in WORD_KINDS
