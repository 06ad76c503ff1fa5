"""Time: `$time`, `$stime`, `$realtime`, `$timeformat`, `$printtimescale` (IEEE 1800-2023 20.3, 20.4).

Icarus Verilog's `$simtime` (in ticks of the finest precision) and `$abstime` (in seconds) are here too.
"""

from __future__ import annotations

from weft.sim.format_arguments import Value
from weft.sim.tasks.task_call import Handler, TaskCall
from weft.sim.times import unit_text


def _time(call: TaskCall) -> Value:
    """Return the time in the module's unit, halves rounded up."""
    host = call.host
    per_unit = call.unit_fs // host.tick_fs or 1
    time = (host.time + per_unit // 2) // per_unit
    return Value(32, time & 0xFFFFFFFF) if call.name == "$stime" else Value(64, time & (1 << 64) - 1)


def _simulation_time(call: TaskCall) -> Value:
    return Value(64, call.host.time & (1 << 64) - 1)


def _real_time(call: TaskCall) -> float:
    return call.host.time / (call.unit_fs // call.host.tick_fs or 1)


def _absolute_time(call: TaskCall) -> float:
    # As Icarus Verilog computes it, so that the last digits agree: first in the module's unit, then in seconds.
    return _real_time(call) / (10**15 // call.unit_fs)


def _set_format(call: TaskCall) -> None:
    formats = call.host.state.formats
    if not call.args:
        formats.reset_time_format()
        return
    if len(call.args) < 4:
        call.fail(f"{call.name} requires zero or four arguments.")
        return
    unit, digits, width = call.int32(0), call.int32(1), call.int32(3)
    problems: list[str] = []
    if not -15 <= unit <= 2:
        problems.append("units argument must be in the range 0 to -15.")
    if digits < 0:
        problems.append("precision argument must be zero or greater.")
    if width < 0:
        problems.append("minimum width argument must be zero or greater.")
    for problem in problems:
        call.warn(f"{call.name}'s {problem}")
    if not problems:
        suffix = call.text(2)
        shown = suffix if suffix.isascii() else suffix.encode("latin-1").decode("utf-8", "surrogateescape")
        formats.set_time_format(unit, digits, shown, width)


def _print_scale(call: TaskCall) -> None:
    scope, unit, precision = call.scope, call.unit_fs, call.precision_fs
    if call.args:
        scope = call.text(0)
        try:
            unit, precision = call.host.time_scale(scope)
        except KeyError:
            call.fail(f"{call.name}'s argument {scope} is no module, and not inside one.")
            return
    text = f"Time scale of ({scope}) is {unit_text(unit)} / {unit_text(precision)}\n"
    call.host.out.write(text.encode("utf-8", "surrogateescape"))


TASKS: dict[str, Handler] = {
    "$time": _time,
    "$stime": _time,
    "$simtime": _simulation_time,
    "$realtime": _real_time,
    "$abstime": _absolute_time,
    "$timeformat": _set_format,
    "$printtimescale": _print_scale,
}
