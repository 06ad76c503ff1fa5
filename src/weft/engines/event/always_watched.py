"""Say which procedures always wait for the same changes, so that the watches of signals can name their threads.

A thread that waits at a wait site puts itself into the site's list, and a change takes all threads out of the list. An
`always` procedure that waits only at its head always waits for the same: a change can make its thread ready at once if
it is not ready yet (`WATCH_NODE`), and the thread has nothing to do when it has come to its end. While it runs it does
not wait, so that it misses what it changes itself: its node says so (`RUNNING`).

What handles processes may suspend or kill a thread, which then must not wait for anything: such procedures have a site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.ir.design import Function, Process
from weft.ir.expressions import Call, SystemCall
from weft.ir.walk import calls_in

if TYPE_CHECKING:
    from weft.engines.event.sites import ThreadPlan


def always_watched(process: Process, plan: ThreadPlan) -> bool:
    """Say whether watches can name the thread of a procedure that runs at events or changes."""
    if plan.frame is not None or process.reactive or process.region:
        return False
    bodies = [process.body]
    seen = set[Function]()
    for body in bodies:
        for call in calls_in(body):
            if isinstance(call, SystemCall):
                if call.name.startswith("process."):
                    return False
            elif not isinstance(call, Call) or call.receiver is not None:
                return False
            elif call.function not in seen and call.function.body is not None:
                seen.add(call.function)
                bodies.append(call.function.body)
    return True
