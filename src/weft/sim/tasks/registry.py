"""All system tasks and functions, by name."""

from __future__ import annotations

from weft.sim.tasks import (
    array_logic_tasks,
    assertion_tasks,
    control_tasks,
    dump_tasks,
    file_tasks,
    math_tasks,
    memory_tasks,
    net_tasks,
    plusarg_tasks,
    port_dump,
    print_tasks,
    random_tasks,
    scan_tasks,
    specify_tasks,
    stochastic_tasks,
    time_tasks,
)
from weft.sim.tasks.task_call import Handler

TASKS: dict[str, Handler] = {
    **array_logic_tasks.TASKS,
    **assertion_tasks.TASKS,
    **control_tasks.TASKS,
    **dump_tasks.TASKS,
    **file_tasks.TASKS,
    **math_tasks.TASKS,
    **memory_tasks.TASKS,
    **net_tasks.TASKS,
    **plusarg_tasks.TASKS,
    **port_dump.TASKS,
    **print_tasks.TASKS,
    **random_tasks.TASKS,
    **scan_tasks.TASKS,
    **specify_tasks.TASKS,
    **stochastic_tasks.TASKS,
    **time_tasks.TASKS,
}
"""What performs each system task and function at run time; `$cast` and what the front end folds are not among them."""
