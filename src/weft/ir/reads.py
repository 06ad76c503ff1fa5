"""Say what expressions, statements and procedures read: what waits for changes without naming them waits for those."""

from __future__ import annotations

from collections.abc import Iterator

from weft.ir.design import Expr, Function, Process, Statement, operands
from weft.ir.expressions import Call, Concat, Element, Field, Item, Ref, Slice
from weft.ir.walk import calls_in, expressions_of, statements_in

Read = tuple[Ref, int, int]
"""A signal and the bits of it that are read: low end, and high end exclusive."""


def reads_of(expression: Expr) -> Iterator[Read]:
    """Yield the parts of signals whose change can change an expression."""
    match expression:
        case Ref():
            yield expression, 0, expression.width
        case Element(signal, index, path):
            yield Ref(signal, path), 0, signal.bits
            yield from reads_of(index)
        case Slice(value, offset):
            if isinstance(value, Ref) and isinstance(offset, int):
                yield value, max(offset, 0), min(offset + expression.width, value.width)
            else:
                yield from reads_of(value)
                if not isinstance(offset, int):
                    yield from reads_of(offset)
        case _:
            for part in operands(expression):
                yield from reads_of(part)


def index_reads(lhs: Expr) -> Iterator[Read]:
    """Yield what the indices of an lvalue read."""
    match lhs:
        case Element(_, index):
            yield from reads_of(index)
        case Slice(value, offset):
            yield from index_reads(value)
            if not isinstance(offset, int):
                yield from reads_of(offset)
        case Concat(parts):
            for part in parts:
                yield from index_reads(part)
        case Item(container, index):
            yield from index_reads(container)
            yield from reads_of(index)
        case Field(value):
            yield from reads_of(value)
        case _:
            return


def statement_reads(statement: Statement | None, functions: bool = False) -> Iterator[Read]:
    """Yield what a statement reads; of the functions that it calls too, if asked (IEEE 1800-2023 9.2.2.2.1)."""
    seen: set[Function] = set()
    pending: list[Statement | None] = [statement]
    while pending:
        body = pending.pop()
        for inner in statements_in(body):
            reads, writes = expressions_of(inner)
            for expression in reads:
                yield from reads_of(expression)
            for expression in writes:
                yield from index_reads(expression)
        if functions:
            for call in calls_in(body):
                if isinstance(call, Call) and call.function not in seen:
                    seen.add(call.function)
                    pending.append(call.function.body)


def implicit_reads(statement: Statement | None) -> Iterator[Read]:
    """Yield what `@*` waits for: signals whole, of which the statement may read parts (IEEE 1800-2023 9.4.2.2)."""
    for ref, _, high in statement_reads(statement):
        yield ref, 0, max(ref.width, high)


def process_reads(process: Process) -> Iterator[Read]:
    """Yield what a combinational procedure waits for (IEEE 1800-2023 9.2.2.2, 9.4.2.2).

    `always_comb` and its like do not wait for what they assign themselves, which is among it.
    """
    if process.events:
        for event in process.events:
            yield from reads_of(event.value)
    elif process.keyword == "always" and not process.region:
        yield from implicit_reads(process.body)
    else:
        yield from statement_reads(process.body, True)
