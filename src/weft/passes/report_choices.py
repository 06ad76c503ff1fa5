"""Report what `unique`, `unique0` and `priority` forbid: no match, or two (IEEE 1800-2023 12.4.2, 12.5.3).

The conditions of the items are nodes already, so a check is a few more nodes and one effect. In clocked processes it
reports whenever the statement runs; in combinational ones, whose values are looked at once they have settled, when a
violation begins. Items whose labels are constants that exclude each other are never counted; items with labels or
conditions that act, because they call something that does, are not counted with those before them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from weft.base.source import Span
from weft.ir.design import SystemTask
from weft.ir.expressions import Text

if TYPE_CHECKING:
    from weft.passes.execute_statements import Executor


UNHANDLED = "value is unhandled for priority or unique %s statement"
SEVERAL = "value matches more than one item of a unique %s statement"


def unhandled_report(executor: Executor, check: str, word: str, span: Span) -> Callable[[], None] | None:
    """Return what runs where no item of a checked `word` (`if` or `case`) matches; None if that is allowed."""
    if check not in ("unique", "priority"):
        return None
    return partial(_warn, executor, UNHANDLED % word, span)


def report_overlap(executor: Executor, check: str, word: str, conditions: Sequence[int], span: Span) -> None:
    """Report that more than one of several conditions holds, if the check forbids it."""
    if check not in ("unique", "unique0") or len(conditions) < 2:
        return
    builder = executor.builder
    some, several = conditions[0], builder.const(1, 0)
    for cond in conditions[1:]:
        several = builder.add("or", 1, several, builder.add("and", 1, some, cond))
        some = builder.add("or", 1, some, cond)
    warn = partial(_warn, executor, SEVERAL % word, span)
    if builder.value(several) != 0:
        executor.environment.select([several], [warn], None, exclusive=False)


def _warn(executor: Executor, text: str, span: Span) -> None:
    task = SystemTask("$warning", (Text(text),), (False,), span)
    executor.emit(task, task.args)
