"""`$asserton`, `$assertoff`, `$assertkill`, `$assertcontrol` and their like (IEEE 1800-2023 20.11).

Each is an `$assertcontrol` of a certain type. It acts on the assertions that are named, and on those in the scopes that
are named, down to a number of levels (0: all); a level is one name of a path. Without a list it acts on the whole
design. What is locked changes no more until it is unlocked.
"""

from __future__ import annotations

from weft.base.errors import Unsupported
from weft.ir.assertion_control import EXPECT, FAILS_OFF, KILLS, LOCKED, OFF, PASSES_OFF, AssertionControl
from weft.sim.tasks.task_call import Handler, TaskCall

_LOCK, _UNLOCK, _ON, _OFF, _KILL, _PASS_ON, _PASS_OFF, _FAIL_ON, _FAIL_OFF = range(1, 10)
_TYPES = {
    "$asserton": _ON,
    "$assertoff": _OFF,
    "$assertkill": _KILL,
    "$assertpasson": _PASS_ON,
    "$assertpassoff": _PASS_OFF,
    "$assertfailon": _FAIL_ON,
    "$assertfailoff": _FAIL_OFF,
}
_MOST_KILLS = (1 << (32 - KILLS)) - 1


def changed_word(word: int, control: int) -> int:
    """Return an assertion's word after a control of a type (table 20-5)."""
    if word >> LOCKED & 1 and control != _UNLOCK:
        return word
    match control:
        case 1:
            return word | 1 << LOCKED
        case 2:
            return word & ~(1 << LOCKED)
        case 3:
            return word & ~(1 << OFF)
        case 4:
            return word | 1 << OFF
        case 5:
            kills = (word >> KILLS) + 1 & _MOST_KILLS
            return word & (1 << KILLS) - 1 | 1 << OFF | kills << KILLS
        case 6:
            return word & ~(1 << PASSES_OFF)
        case 7:
            return word | 1 << PASSES_OFF
        case 8:
            return word & ~(1 << FAILS_OFF)
        case _:
            return word | 1 << FAILS_OFF


def _is_inside(path: str, scopes: list[str], levels: int) -> bool:
    for scope in scopes:
        if path == scope:
            return True
        if path.startswith(f"{scope}.") and (not levels or path[len(scope) :].count(".") <= levels):
            return True
    return False


def _control(call: TaskCall) -> None:
    args = list(call.args)
    kinds, directives = EXPECT - 1, 7
    if call.name == "$assertcontrol":
        control = call.int32(0)
        kinds, directives = call.int32(1, 255), call.int32(2, 7)
        del args[:3]
        first = 3
    else:
        control, first = _TYPES[call.name], 0
    if not _LOCK <= control <= _FAIL_OFF:
        raise Unsupported(f"'{call.name}' of the control type {control}", call.span)
    levels = call.int32(first)
    scopes = [argument for argument in args[1:] if isinstance(argument, str)]
    if levels and not scopes:
        scopes = [scope.path for scope in call.host.dump_scopes()]

    def change(path: str, found: AssertionControl, word: int) -> int:
        wanted = found.kind & kinds and found.directive & directives
        if not wanted or (scopes and not _is_inside(path, scopes, levels)):
            return word
        return changed_word(word, control)

    call.host.control_assertions(change)


TASKS: dict[str, Handler] = dict.fromkeys(("$assertcontrol", *_TYPES), _control)
