"""Transition bins of coverpoints, from their syntax, which slang has not bound (IEEE 1800-2023 19.5.2).

A bin counts one or several sequences of values; `a, b => c` stands for `a => c` and `b => c`. Values are numbers and
names of constants; a step may be repeated a fixed number of times, `a [*3]`.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any

from pyslang import SVInt, ast, syntax

if TYPE_CHECKING:
    from weft.lang.sv.state import State

Span = tuple[int, int]
Steps = list[list[Span]]
"""The steps of one sequence, each with the ranges of the values that it takes."""

_NUMBER = re.compile(r"(?:\d+)?'s?([bodh])\s*([0-9a-f_]+)", re.IGNORECASE)
_BASES = {"b": 2, "o": 8, "d": 10, "h": 16}


def is_transition(member: ast.CoverageBinSymbol) -> bool:
    """Say whether a bin is one of transitions."""
    return isinstance(_initializer(member), syntax.TransListCoverageBinInitializerSyntax)


def _initializer(member: ast.CoverageBinSymbol) -> Any:
    return getattr(member.syntax, "initializer", None)


def find_transitions(state: State, member: ast.CoverageBinSymbol) -> list[list[Steps]]:
    """Return the sequences of each bin of a declaration: all in one, or (`bins t[]`) each in a bin of its own."""
    sequences: list[Steps] = []
    for one in _initializer(member).sets:
        if isinstance(one, syntax.TransSetSyntax):
            steps: Steps = []
            for step in one.ranges:
                if isinstance(step, syntax.TransRangeSyntax):
                    steps += [_values(state, member, step)] * _times(state, member, step)
            sequences.append(steps)
    if any(len(steps) < 2 for steps in sequences):
        state.context.unsupported("a transition of one value", member)
    if not member.isArray:
        return [sequences]
    return [[list(choice)] for steps in sequences for choice in product(*map(_each, steps))]


def _each(spans: list[Span]) -> list[list[Span]]:
    return [[(value, value)] for low, high in spans for value in range(low, high + 1)]


def _times(state: State, member: ast.CoverageBinSymbol, step: syntax.TransRangeSyntax) -> int:
    if step.repeat is None:
        return 1
    found = re.fullmatch(r"\[\*\s*(\d+)\s*\]", str(step.repeat).strip())
    if found is None:
        state.context.unsupported("this repetition in a transition", member)
    return int(found[1])


def _values(state: State, member: ast.CoverageBinSymbol, step: syntax.TransRangeSyntax) -> list[Span]:
    found: list[Span] = []
    for item in step.items:
        if isinstance(item, syntax.ValueRangeExpressionSyntax):
            found.append((_number(state, member, item.left), _number(state, member, item.right)))
        elif isinstance(item, syntax.SyntaxNode):
            value = _number(state, member, item)
            found.append((value, value))
    return found


def _number(state: State, member: ast.CoverageBinSymbol, node: Any) -> int:
    text = str(node).strip()
    if re.fullmatch(r"-?[\d_]+", text):
        return int(text)
    based = _NUMBER.fullmatch(text)
    if based is not None:
        return int(based[2], _BASES[based[1].lower()])
    symbol = member.parentScope.lookupName(text) if isinstance(node, syntax.IdentifierNameSyntax) else None
    if isinstance(symbol, ast.ParameterSymbol | ast.EnumValueSymbol):
        value = symbol.value.value
        if isinstance(value, int | SVInt):
            return int(value)
    return state.context.unsupported("this value in a transition", member)
