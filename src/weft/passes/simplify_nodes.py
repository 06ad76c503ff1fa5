"""Simplify nodes while they are built: the table of all rewrite rules, and the hooks that apply them.

Give `simplify_two_state` to the `GraphBuilder` of a 2-state graph, `simplify_exact` to that of a 4-state graph.
"""

from __future__ import annotations

from weft.passes.rewrite_rules import Rule, make_simplifier
from weft.passes.simplify_arithmetic import ARITHMETIC
from weft.passes.simplify_logic import LOGIC
from weft.passes.simplify_shape import SHAPE

RULES: tuple[Rule, ...] = (*SHAPE.rules, *LOGIC.rules, *ARITHMETIC.rules)
"""Every rule, in the order in which the rules of one operation are tried."""

simplify_two_state = make_simplifier(RULES, four_state=False)
simplify_exact = make_simplifier(RULES, four_state=True)
