"""The options of covergroups, coverpoints and crosses (IEEE 1800-2023 19.7).

An option of an instance is a property of the covergroup's object, which its constructor sets and procedures may read
and assign; one of the type is a static variable. How many bins `auto_bin_max` allows is known when they are made, so it
is a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.base.dataclass import dataclass, field
from weft.ir.design import Assign, Const, Expr, Field, Ref, Signal, Statement, Type
from weft.lang.sv.build import constant
from weft.lang.sv.constants import index_value
from weft.lang.sv.dispatch import value_of
from weft.lang.sv.strings import STRING_TYPE

if TYPE_CHECKING:
    from weft.lang.sv.state import State

Optional = ast.CovergroupBodySymbol | ast.CoverpointSymbol | ast.CoverCrossSymbol

_INT = Type("int", 32, True, False)
_DEFAULTS = {
    "weight": 1,
    "goal": 100,
    "at_least": 1,
    "auto_bin_max": 64,
    "detect_overlap": 0,
    "per_instance": 0,
    "get_inst_coverage": 0,
    "cross_num_print_missing": 0,
}
_TEXTS = ("name", "comment")
_TYPE_DEFAULTS = {"weight": 1, "goal": 100, "strobe": 0, "merge_instances": 0, "distribute_first": 0}
_HANDED_DOWN = ("at_least", "auto_bin_max", "detect_overlap", "cross_num_print_missing")
"""The options of a covergroup that are the defaults of its coverpoints and crosses (table 19-2)."""

SETTABLE = frozenset({"weight", "goal", "at_least", "name", "comment"})
"""The options that procedures may assign (19.7.1)."""


@dataclass(slots=True, eq=False)
class Options:
    """Be the options: properties and what the constructor gives them, static variables, and constants."""

    fields: dict[str, Signal] = field(default_factory=dict[str, Signal])
    initial: dict[str, Expr] = field(default_factory=dict[str, Expr])
    shared: dict[str, Ref] = field(default_factory=dict[str, Ref])
    auto_bin_max: int = _DEFAULTS["auto_bin_max"]

    def start(self, this: Expr) -> list[Statement]:
        """Return what gives the properties their first values."""
        return [Assign(Field(this, self.fields[name]), value, True) for name, value in self.initial.items()]


def read_options(state: State, scope: Optional, stem: str, key: str, outer: Options | None, this: Expr) -> Options:
    """Return the options that a covergroup, coverpoint or cross sets, or has from around it."""
    context, made = state.context, Options()
    for name, default in _DEFAULTS.items():
        made.fields[name] = Signal(f"{stem}option.{name}", 32, _INT, signed=True)
        inherits = outer is not None and name in _HANDED_DOWN
        made.initial[name] = Field(this, outer.fields[name]) if outer and inherits else constant(32, default)
    for name in _TEXTS:
        made.fields[name] = Signal(f"{stem}option.{name}", 64, STRING_TYPE)
    if outer is not None:
        made.auto_bin_max = outer.auto_bin_max
    shared: dict[str, int] = dict(_TYPE_DEFAULTS)
    comment: Expr | None = None
    for option in scope.options:
        value = option.expression
        if isinstance(value, ast.AssignmentExpression):
            value = value.right
        number = index_value(value)
        if option.isTypeOption:
            if option.name == "comment":
                comment = value_of(state, value)
            elif number is None or option.name not in shared:
                context.unsupported(f"the type option '{option.name}' here", option.expression)
            elif option.name not in ("weight", "goal") and number:
                context.unsupported(f"the type option '{option.name}'", option.expression)
            else:
                shared[option.name] = number
            continue
        if option.name not in made.fields:
            context.unsupported(f"the option '{option.name}' here", option.expression)
        if option.name == "auto_bin_max":
            if number is None:
                context.unsupported("an 'auto_bin_max' that is no constant", option.expression)
            made.auto_bin_max = number
        made.initial[option.name] = value_of(state, value)
    for name, number in shared.items():
        static = Signal(
            f"{key}::{stem}type_option.{name}", 32, _INT, signed=True, initial=Const(32, number & 0xFFFFFFFF)
        )
        context.add_signals(static)
        made.shared[name] = Ref(static, context.home)
    text = Signal(f"{key}::{stem}type_option.comment", 64, STRING_TYPE, initial=comment)
    context.add_signals(text)
    made.shared["comment"] = Ref(text, context.home)
    return made
