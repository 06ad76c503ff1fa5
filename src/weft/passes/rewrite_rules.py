"""What a rewrite rule is, and how the right ones are found fast.

A rule belongs to one operation and, mostly, to the operation of one source: "a `slice` whose source 0 is a `concat`".
The dispatcher keeps, for each operation and source position, a list by the source's operation, and apart the rules for
equal and for disordered operands, so a node that no rule fits costs a few comparisons and list look-ups. A rule has
the form of the builder's own hook, `graph_builder.Simplify`: it looks at the builder's columns and returns the id of an
equal node, or None.

`exact` rules hold in 4 states too (`ir.four_state`: every bit of both planes); `two_state` rules only where nothing is
unknown. Every rule is proved by SMT queries in the tests. A rule must make progress towards a normal form (constants
last, extensions outside, selections inside, narrow operators), or the builder would not terminate; and it must not
recurse along a chain of nodes, since chains grow with the design: walk them in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.dataclass import dataclass
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import BY_NAME, CODE, OPS

_ZEXT, _CONST = CODE["zext"], CODE["const"]


TWINS, DESCENDING = -2, -3


@dataclass(frozen=True, slots=True)
class Rule:
    """Simplify nodes of operation `op` whose source number `position` has one of the operations `source_ops`.

    `position` is -1 for a rule that is tried on every node of `op`, `TWINS` for one where the last two sources are the
    same node, `DESCENDING` for one where source 0 has a greater id than source 1.
    """

    name: str
    op: str
    exact: bool
    rewrite: Simplify
    position: int = -1
    source_ops: tuple[str, ...] = ()


def make_simplifier(rules: Sequence[Rule], four_state: bool) -> Simplify:
    """Return the builder's `simplify` hook that applies `rules`: all of them, or for 4 states the exact ones."""
    loose: list[dict[int, list[Simplify]]] = [{-1: [], TWINS: [], DESCENDING: []} for _ in OPS]
    by_source: list[list[list[list[Simplify]]]] = [[[[] for _ in OPS] for _ in range(3)] for _ in OPS]
    for rule in rules:
        if four_state and not rule.exact:
            continue
        if rule.position < 0:
            loose[CODE[rule.op]][rule.position].append(rule.rewrite)
        for source_op in rule.source_ops:
            by_source[CODE[rule.op]][rule.position][CODE[source_op]].append(rule.rewrite)
    table = [_entry(loose[op.code], by_source[op.code]) for op in OPS]

    def simplify(builder: GraphBuilder, op: int, width: int, sources: tuple[int, ...], param: int) -> int | None:
        entry = table[op]
        if entry is None:
            return None
        always, twins, descending, first, second, third = entry
        for rewrite in always:
            found = rewrite(builder, op, width, sources, param)
            if found is not None:
                return found
        if twins and sources[-1] == sources[-2]:
            for rewrite in twins:
                found = rewrite(builder, op, width, sources, param)
                if found is not None:
                    return found
        if descending and sources[0] > sources[1]:
            for rewrite in descending:
                found = rewrite(builder, op, width, sources, param)
                if found is not None:
                    return found
        ops = builder.op
        if first is not None:
            for rewrite in first[ops[sources[0]]]:
                found = rewrite(builder, op, width, sources, param)
                if found is not None:
                    return found
        if second is not None:
            for rewrite in second[ops[sources[1]]]:
                found = rewrite(builder, op, width, sources, param)
                if found is not None:
                    return found
        if third is not None:
            for rewrite in third[ops[sources[2]]]:
                found = rewrite(builder, op, width, sources, param)
                if found is not None:
                    return found
        return None

    return simplify


Rules = tuple[Simplify, ...]
BySource = list[Rules] | None


def _entry(
    loose: dict[int, list[Simplify]], by_source: list[list[list[Simplify]]]
) -> tuple[Rules, Rules, Rules, BySource, BySource, BySource] | None:
    """Return an operation's row of the dispatch table; None if it has no rules."""
    columns = [[tuple(rules) for rules in column] if any(column) else None for column in by_source]
    if not any(loose.values()) and not any(columns):
        return None
    return tuple(loose[-1]), tuple(loose[TWINS]), tuple(loose[DESCENDING]), columns[0], columns[1], columns[2]


class RuleSet:
    """Collect rules by decorating their functions."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(
        self, name: str, ops: str, exact: bool, position: int = -1, sources: str = ""
    ) -> Callable[[Simplify], Simplify]:
        """Return a decorator that adds a rule for each of the operations named in `ops`."""

        def decorate(rewrite: Simplify) -> Simplify:
            for op in ops.split():
                assert op in BY_NAME and (position < 0) == (not sources), name
                self.rules.append(Rule(f"{name} ({op})", op, exact, rewrite, position, tuple(sources.split())))
            return rewrite

        return decorate


def effective_width(builder: GraphBuilder, node: int) -> int:
    """Return how many low bits of a node can be other than 0, at least 1."""
    op = builder.op[node]
    if op == _ZEXT:
        return builder.width[builder.srcs[node][0]]
    if op == _CONST:
        value, unknown = builder.constants[builder.param[node]]
        return (value | unknown).bit_length() or 1
    return builder.width[node]
