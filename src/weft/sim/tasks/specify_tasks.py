"""`$weft$violation`, by which the processes of timing checks (`passes/insert_timing_checks`) tell of a violation."""

from __future__ import annotations

from decimal import Decimal

from weft.sim.tasks.task_call import Handler, TaskCall


def _report_violation(call: TaskCall) -> None:
    """Print where, which check, both events with their times and the limit, in the module's time unit."""
    kind, first, second = call.text(0), call.text(1), call.text(3)
    at, now, limit = (_in_units(call, index) for index in (2, 4, 5))
    place = call.host.place(call.span)
    text = f"{place}: Timing violation in {call.scope}: {kind}({first} at {at}, {second} at {now}, limit {limit})\n"
    call.host.out.write(text.encode("utf-8", "surrogateescape"))


def _in_units(call: TaskCall, index: int) -> str:
    ticks = call.value(index).value
    number = Decimal(ticks * call.host.tick_fs) / call.unit_fs
    return f"{number.normalize():f}"


TASKS: dict[str, Handler] = {"$weft$violation": _report_violation}
