"""`$countdrivers` (IEEE 1364-2005 annex C.1) and `$deposit`, which writes a variable or net without driving it."""

from __future__ import annotations

from weft.sim.tasks.task_call import Handler, TaskCall


def _count_drivers(call: TaskCall) -> int:
    """Count the drivers of a net's bit, named by its path; return 1 if there are several, and give the details."""
    zeros, ones, unknowns, forced = call.host.driver_counts(call.text(0))
    total = zeros + ones + unknowns
    for index, count in enumerate((int(forced), total, zeros, ones, unknowns), 1):
        if index < len(call.args) and call.args[index] is not None:
            call.put(index, count)
    return int(total > 1)


def _deposit(call: TaskCall) -> None:
    """Give the first argument the value of the second, until something else drives it."""
    value = call.args[1]
    if isinstance(value, float):
        call.put_real(0, value)
    else:
        bits = call.value(1)
        signed = bits.value - (1 << bits.width) if bits.signed and bits.value >> (bits.width - 1) else bits.value
        call.put(0, bits.value if bits.unknown else signed, bits.unknown, bits.width)


TASKS: dict[str, Handler] = {"$countdrivers": _count_drivers, "$deposit": _deposit}
