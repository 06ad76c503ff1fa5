"""What a compiler must know about system tasks and functions: which arguments they write, and when they run.

An engine evaluates the arguments of a system task and hands them over; those listed here are lvalues that the task
gives a new value, so the engine writes them back. `$strobe` and `$monitor` evaluate theirs when everything else at a
time is done (IEEE 1800-2023 4.4.2.9, the postponed region).
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.ir.expressions import Signal

_REST = -1

OUTPUT_ARGUMENTS: dict[str, tuple[int, ...]] = {
    "$value$plusargs": (1,),
    "$fgets": (0,),
    "$fread": (0,),
    "$ferror": (1,),
    "$sscanf": (2, _REST),
    "$fscanf": (2, _REST),
    "$sformat": (0,),
    "$random": (0,),
    "$urandom": (0,),
    "$q_initialize": (3,),
    "$q_add": (3,),
    "$q_remove": (1, 2, 3),
    "$q_full": (1,),
    "$q_exam": (2, 3),
    "$cast": (0,),
    "$countdrivers": (1, 2, 3, 4, 5),
    "$deposit": (0,),
    **{f"$swrite{base}": (0,) for base in ("", "b", "o", "h")},
    **{f"$dist_{name}": (0,) for name in ("uniform", "normal", "exponential", "poisson", "chi_square", "t", "erlang")},
    **{
        f"${kind}${gate}${form}": (2,)
        for kind in ("async", "sync", "again")
        for gate in ("and", "nand", "or", "nor")
        for form in ("array", "plane")
    },
}
"""Which arguments a system task or function writes; -1 after an index: and all that follow it."""

POSTPONED_TASKS = frozenset(
    f"${file}{task}{base}" for file in ("", "f") for task in ("strobe", "monitor") for base in ("", "b", "o", "h")
)
"""The tasks whose arguments are evaluated in the postponed region."""

MONITOR_TASKS = frozenset(name for name in POSTPONED_TASKS if "monitor" in name)
"""Those that print again whenever an argument has changed."""

MEMORY_ARGUMENTS: dict[str, int] = {
    "$readmemh": 1,
    "$readmemb": 1,
    "$writememh": 1,
    "$writememb": 1,
    "$fread": 0,
    **{name: 0 for name in OUTPUT_ARGUMENTS if name.endswith(("$array", "$plane"))},
}
"""Which argument may be a whole unpacked array, and is then handed over as a memory, not as its bits."""


def output_arguments(name: str, count: int) -> Iterable[int]:
    """Return the indices of the arguments that a call with `count` of them writes."""
    listed = OUTPUT_ARGUMENTS.get(name, ())
    if listed and listed[-1] == _REST:
        return range(listed[0], count)
    return (index for index in listed if index < count)


REPORT_STEM = "deferred$"
"""How the names of the signals begin that put aside what a deferred assertion has to report."""


def is_report(signal: Signal) -> bool:
    """Say whether a signal belongs to a deferred report."""
    return signal.name.startswith(REPORT_STEM)
