"""Write what turns concurrent assertions on and off, and asks for it (IEEE 1800-2023 20.11).

Two words of the control block serve all assertions: whether they are off, and how often they have been killed. One that
is off starts no attempts; after a kill the assertion forgets those that are under way, at its next tick. Turning off
only some of them, by scope, level or kind, is `Unsupported`.
"""

from __future__ import annotations

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.records import ASSERTION_KILLS, ASSERTIONS_OFF
from weft.engines.event.writer import Value
from weft.ir.design import Const, Expr, SystemCall, SystemTask

CONTROL_TASKS = frozenset(
    f"$assert{word}"
    for word in (
        "control",
        "on",
        "off",
        "kill",
        "passon",
        "passoff",
        "failon",
        "failoff",
        "nonvacuouson",
        "vacuousoff",
    )
)
_CONTROLS = {3: "$asserton", 4: "$assertoff", 5: "$assertkill"}


def control_assertions(f: FunctionCode, task: SystemTask) -> None:
    """Write `$asserton`, `$assertoff`, `$assertkill` or the `$assertcontrol` that is one of them."""
    name, args = task.name, list(task.args)
    if name == "$assertcontrol":
        kind = args.pop(0) if args else None
        name = _CONTROLS.get(kind.value, name) if isinstance(kind, Const) else name
    w = f.w
    if any(argument is not None and not _is_zero(argument) for argument in args):
        raise f.unsupported(f"'{task.name}' of only some assertions", task.span)
    match name:
        case "$asserton":
            w.store_word("%Sp", ASSERTIONS_OFF, 0)
        case "$assertoff" | "$assertkill":
            w.store_word("%Sp", ASSERTIONS_OFF, 1)
            if name == "$assertkill":
                w.store_word("%Sp", ASSERTION_KILLS, w.op("add", 64, w.load_word("%Sp", ASSERTION_KILLS), 1))
        case _:
            raise f.unsupported(f"'{task.name}' of this kind", task.span)


def _is_zero(argument: Expr) -> bool:
    return isinstance(argument, Const) and not argument.value and not argument.unknown


def assertion_state(f: FunctionCode, call: SystemCall) -> Value:
    """Write the question whether assertions are on, or how often they have been killed."""
    w = f.w
    if call.name == "assertion.kills":
        return Value(32, w.resize(w.load_word("%Sp", ASSERTION_KILLS), 64, 32))
    return Value(1, w.compare("eq", 64, w.load_word("%Sp", ASSERTIONS_OFF), 0))
