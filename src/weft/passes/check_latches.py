"""Refuse processes whose latches depend on how often they run.

A latch is evaluated in every step, so evaluating a process twice must be the same as evaluating it once. `find_latches`
sees to that for one latch by itself. Here it is the logic that reads *another* latch of the same process: `q = t` after
`if (en) t = d` is the new value of `t`, and stays it; in `a = b; b = d` under one enable, `a` is what `b` was, and the
next evaluation would let it follow one assignment too far.

Such a node is built twice, with what the latches held and with what they hold after one evaluation, and must be the
same both times. The arms of a choice are built knowing its condition, so that `en ? d : (en ? d : held)` is
`en ? d : held`. Equal nodes are one node (hash-consing), so the comparison is exact, and only errs towards refusing.
"""

from __future__ import annotations

from weft.base.recursion import deep_recursion
from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.passes.fragment import Fragment
from weft.passes.simplify_nodes import simplify_exact, simplify_two_state

_CONST, _READ, _MUX, _NOT, _AND, _OR = (CODE[name] for name in ("const", "read", "mux", "not", "and", "or"))
_CONDITIONS = (_NOT, _AND, _OR, CODE["true"])
_KNOWN = tuple(CODE[name] for name in ("true", "ceq", "weq", "isx", "posedge", "negedge", "changed"))
_LIMIT = 20_000
"""The most nodes that are built for one fragment; what needs more is refused."""

Facts = frozenset[tuple[int, int]]
"""What is known about conditions: (node, 0 or 1)."""


class LatchChecker:
    """Compare one evaluation of a fragment with two.

    `latches` has the latched parts of each hold use: (low bit, width, item of the value, its first bit there).
    """

    def __init__(
        self, fragment: Fragment, depends: list[int], latches: dict[int, list[tuple[int, int, int, int]]]
    ) -> None:
        self.fragment, self.source, self.depends, self.latches = fragment, fragment.builder, depends, latches
        four_state = self.source.four_state
        self.builder = GraphBuilder(simplify_exact if four_state else simplify_two_state, four_state)
        self.builder.states += self.source.states
        self._leaves: dict[int, int] = {}
        self._built: dict[tuple[int, Facts, bool], int] = {}

    def settles(self, node: int) -> bool:
        """Say whether a node is certainly the same after one evaluation and after two."""
        with deep_recursion():
            once = self._build(node, frozenset(), False)
            return once == self._build(node, frozenset(), True) and len(self._built) <= _LIMIT

    def _build(self, node: int, facts: Facts, twice: bool) -> int:
        key = (node, facts, twice)
        found = self._built.get(key)
        if found is None:
            found = self._make(node, facts, twice)
            for known, value in facts:
                if known == found:
                    found = self.builder.const(1, value)
            self._built[key] = found
        return found

    def _make(self, node: int, facts: Facts, twice: bool) -> int:
        source, builder = self.source, self.builder
        op, width, param = source.op[node], source.width[node], source.param[node]
        if op == _CONST:
            return builder.const(width, *source.constants[param])
        depends = self.depends[node] and len(self._built) <= _LIMIT
        if not depends and not (width == 1 and op in _CONDITIONS):
            return self._leaf(node)
        if op == _READ:
            return self._after(node, facts) if twice and param in self.latches else self._leaf(node)
        if op == _MUX:
            cond, then, other = source.srcs[node]
            chosen = self._build(cond, facts, twice)
            known = builder.value(chosen)
            if known is not None:
                return self._build(then if known else other, facts, twice)
            first = self._build(then, self._learn(facts, chosen, 1), twice)
            second = self._build(other, self._learn(facts, chosen, 0), twice)
            return self._choice(width, chosen, first, second)
        sources = tuple([self._build(each, facts, twice) for each in source.srcs[node]])
        return builder.node(op, width, sources, param)

    def _choice(self, width: int, cond: int, then: int, other: int) -> int:
        """Return a choice; `c ? a : (c ? a : b)` is `c ? a : b` even if `c` is x."""
        builder = self.builder
        if builder.op[other] == _MUX and builder.srcs[other][:2] == (cond, then):
            other = builder.srcs[other][2]
        if builder.op[then] == _MUX and builder.srcs[then][::2] == (cond, other):
            then = builder.srcs[then][1]
        return builder.node(_MUX, width, (cond, then, other))

    def _after(self, node: int, facts: Facts) -> int:
        """Return what a variable holds after one evaluation; `node` reads what it held before."""
        builder, before = self.builder, self._leaf(node)
        parts: list[int] = []
        at = 0
        for low, width, value, bit in self.latches[self.source.param[node]]:
            if low > at:
                parts.append(builder.slice(before, at, low - at))
            parts.append(builder.slice(self._build(value, facts, False), bit, width))
            at = low + width
        if at < builder.width[before]:
            parts.append(builder.slice(before, at, builder.width[before] - at))
        return builder.concat(parts)

    def _learn(self, facts: Facts, cond: int, value: int) -> Facts:
        """Add what follows from a condition, unless it may be x."""
        builder = self.builder
        if builder.four_state and not self._certain(cond):
            return facts
        added = set(facts)
        pending = [(cond, value)]
        while pending:
            node, truth = pending.pop()
            added.add((node, truth))
            op = builder.op[node]
            if op == _NOT:
                pending.append((builder.srcs[node][0], 1 - truth))
            elif builder.width[node] == 1 and op == (_AND if truth else _OR):
                pending += [(each, truth) for each in builder.srcs[node]]
        return frozenset(added)

    def _certain(self, node: int) -> bool:
        """Say whether a condition is never x."""
        work = [node]
        while work:
            each = work.pop()
            op = self.builder.op[each]
            if op in (_NOT, _AND, _OR):
                work += self.builder.srcs[each]
            elif op not in _KNOWN and self.builder.value(each) is None:
                return False
        return True

    def _leaf(self, node: int) -> int:
        """Return a node that stands for one of the fragment, whatever it is; reads stand for themselves."""
        if self.source.op[node] == _READ:
            return self.builder.read(self.source.param[node])
        found = self._leaves.get(node)
        if found is None:
            self.builder.states.append(State(f"node {node}", self.source.width[node]))
            found = self._leaves[node] = self.builder.read(len(self.builder.states) - 1)
        return found
