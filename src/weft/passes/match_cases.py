"""Case statements: one condition an item, then one join over all items (IEEE 1800-2023 12.5).

`case` compares with `===`; `casez` ignores the bits that are z on either side, `casex` those that are x or z; `inside`
compares with `==?` and knows ranges. When the labels are constants of which no two can match together, the items'
order does not matter, and the join needs no priority chain; when they cover every value of the subject, nothing is
left for a default. In a 2-state graph a `case` label with unknown bits never matches, and a `casez` or `casex` label's
unknown bits are wildcards. What `unique` and `priority` forbid is reported (`report_choices`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from weft.ir.design import Block, Case, CaseItem, Statement
from weft.ir.expressions import Const, Expr
from weft.ir.ops import mask
from weft.passes.join_branches import Table
from weft.passes.report_choices import report_overlap, unhandled_report
from weft.passes.rewrite_rules import effective_width
from weft.passes.side_effects import may_act

if TYPE_CHECKING:
    from weft.passes.execute_statements import Executor

Pattern = tuple[int, int]
"""The value and the care bits that a constant label matches."""

Label = Expr | tuple[Expr, Expr]

PAIRS_LIMIT = 400
"""How many masked labels are compared with one another to find whether they exclude each other."""


def run_case(executor: Executor, statement: Case) -> None:
    """Run the first item with a label that matches."""
    executor.span = statement.span
    subject = executor.evaluate(statement.subject)
    _run_items(executor, statement, subject, 0)


def _run_items(executor: Executor, statement: Case, subject: int, start: int) -> None:
    """Run the first item from number `start` on that matches; labels that act are evaluated only if reached."""
    conditions: list[int] = []
    bodies: list[Callable[[], None]] = []
    patterns: list[tuple[int, int, int]] | None = []
    default: Statement | None = statement.default
    rest: Callable[[], None] | None = None
    for number, item in enumerate(statement.items[start:], start):
        if conditions and any(may_act(part) for label in item.labels for part in _parts(label)):
            rest = partial(_run_items, executor, statement, subject, number)
            patterns = None
            break
        cond, found = _item_condition(executor, statement, subject, item)
        known = executor.builder.value(cond)
        if known:
            report_overlap(executor, statement.check, "case", [*conditions, cond], statement.span)
            default = item.body
            break
        if known == 0:
            continue
        conditions.append(cond)
        bodies.append(partial(executor.execute, item.body))
        if patterns is not None:
            if found is None:
                patterns = None
            else:
                patterns += [(len(conditions), *pattern) for pattern in found]
    if default is not None:
        otherwise: Callable[[], None] | None = partial(executor.execute, default)
    else:
        otherwise = unhandled_report(executor, statement.check, "case", statement.span)
    if not conditions:
        if otherwise is not None:
            otherwise()
        return
    plain = not executor.four_state or statement.kind in ("case", "inside")  # no z in the subject matches all
    disjoint = patterns is not None and _disjoint(patterns)
    exclusive = plain and disjoint
    width = executor.builder.width[subject]
    complete = exclusive and patterns is not None and not executor.four_state and _covers(executor, subject, patterns)
    table: Table | None = None
    if exclusive and patterns is not None and not executor.four_state:
        table = _table(subject, patterns, len(conditions), mask(width))
    if not disjoint:
        report_overlap(executor, statement.check, "case", conditions, statement.span)
    if rest is None:
        rest = otherwise
    executor.environment.select(conditions, bodies, rest, exclusive, complete, table)


def _item_condition(
    executor: Executor, statement: Case, subject: int, item: CaseItem
) -> tuple[int, list[Pattern] | None]:
    """Return when an item matches, and its labels' patterns if all are constants."""
    matches: list[int] = []
    patterns: list[Pattern] | None = []
    for label in item.labels:
        if matches and any(may_act(part) for part in _parts(label)):
            matches.append(_match_if_reached(executor, statement, subject, label, matches))
            patterns = None
            continue
        if isinstance(label, tuple):
            matches.append(_in_range(executor, subject, label, statement.signed))
            patterns = None
            continue
        constant = executor.constant(label)
        pattern = None if constant is None else _pattern(statement.kind, constant, executor.four_state)
        if pattern is None and constant is not None and not executor.four_state:
            continue
        if pattern is None or patterns is None:
            patterns = None
        else:
            patterns.append(pattern)
        matches.append(_match(executor, statement.kind, subject, label, pattern))
    return executor.environment.any_of(matches), patterns


def _parts(label: Label) -> tuple[Expr, ...]:
    return label if isinstance(label, tuple) else (label,)


def _match_if_reached(executor: Executor, statement: Case, subject: int, label: Label, matches: list[int]) -> int:
    """Return whether a label that acts matches, evaluated only where no label before it does."""
    missed, found = executor.negate(executor.environment.any_of(matches)), [-1]

    def body() -> None:
        found[0] = _item_condition(executor, statement, subject, CaseItem((label,), Block(())))[0]

    executor.environment.select([missed], [body], None, exclusive=True)
    return executor.builder.add("and", 1, missed, found[0])


def _pattern(kind: str, label: Const, four_state: bool) -> Pattern | None:
    """Return what a constant label matches; None if that is no plain pattern (or, in 2-state, nothing)."""
    full = mask(label.width)
    wild = {"case": 0, "casez": label.unknown & label.value}.get(kind, label.unknown)
    left = label.unknown & ~wild
    if left:
        return None
    return label.value & ~wild & full, full & ~wild


def _match(executor: Executor, kind: str, subject: int, label: Expr, pattern: Pattern | None) -> int:
    builder = executor.builder
    if not executor.four_state:
        if pattern is not None:
            return executor.match_bits(subject, *pattern)
        return builder.add("eq", 1, subject, executor.evaluate(label))
    node, width = executor.evaluate(label), builder.width[subject]
    if kind == "inside":
        return executor.truth(builder.add("weq", 1, subject, node))
    if kind == "case":
        return builder.add("ceq", 1, subject, node)
    care = builder.add("and", width, _care(executor, kind, subject), _care(executor, kind, node))
    return builder.add("ceq", 1, builder.add("and", width, subject, care), builder.add("and", width, node, care))


def _care(executor: Executor, kind: str, node: int) -> int:
    """Return a 1 for each bit that `casez` (not z) or `casex` (not x or z) compares."""
    builder, width = executor.builder, executor.builder.width[node]
    if kind == "casez":
        return builder.add("not", width, builder.add("isz", width, node))
    unequal = builder.add("xor", width, node, node)  # x where the bit is unknown, else 0
    return executor.known(builder.add("not", width, unequal))


def _in_range(executor: Executor, subject: int, bounds: tuple[Expr, Expr], is_signed: bool) -> int:
    builder, less = executor.builder, "slt" if is_signed else "ult"
    low, high = executor.evaluate(bounds[0]), executor.evaluate(bounds[1])
    above = executor.negate(builder.add(less, 1, subject, low))
    below = executor.negate(builder.add(less, 1, high, subject))
    return executor.truth(builder.add("and", 1, above, below))


def _disjoint(patterns: list[tuple[int, int, int]]) -> bool:
    """Return whether no two items' patterns match the same value; each is (item, value, care bits)."""
    cares = {care for _, _, care in patterns}
    if len(cares) == 1:
        owners: dict[int, int] = {}
        return all(owners.setdefault(value, item) == item for item, value, _ in patterns)
    if len(patterns) > PAIRS_LIMIT:
        return False
    return not any(
        item != other and not (value ^ value_2) & care & care_2
        for position, (item, value, care) in enumerate(patterns)
        for other, value_2, care_2 in patterns[:position]
    )


def _table(subject: int, patterns: list[tuple[int, int, int]], arms: int, full: int) -> Table | None:
    """Return the subject's values for each item, if every label compares all bits."""
    labels: list[list[int]] = [[] for _ in range(arms)]
    for item, value, care in patterns:
        if care != full:
            return None
        labels[item - 1].append(value)
    return subject, labels


def _covers(executor: Executor, subject: int, patterns: list[tuple[int, int, int]]) -> bool:
    """Return whether disjoint items cover all values of the subject, which labels may have extended with zeros."""
    width = effective_width(executor.builder, subject)
    distinct = {(value, care & mask(width)) for _, value, care in patterns if not value >> width}
    return sum(1 << width - care.bit_count() for _, care in distinct) == 1 << width
