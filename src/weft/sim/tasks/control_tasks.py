"""`$finish`, `$stop`, `$exit` and `$system` (IEEE 1800-2023 20.2, 20.18), with vvp's messages and exit statuses.

`$finish` and `$stop` say where and when unless their argument is 0; vvp exits with 0 after a `$finish`, with 1 after a
`$fatal`, and with Icarus Verilog's `$finish_and_return(n)` with n. `$system` runs a command only if the user allows it.
"""

from __future__ import annotations

from weft.base.errors import Unsupported
from weft.sim.tasks.task_call import Handler, TaskCall
from weft.sim.times import unit_text


def _say_where(call: TaskCall, level: int) -> None:
    host = call.host
    given = f"({level})" if call.args else ""
    where = f"{host.place(call.span)}: {call.name}{given}"
    host.out.write(f"{where} called at {host.time} ({unit_text(host.tick_fs)})\n".encode("utf-8", "surrogateescape"))


def _finish(call: TaskCall) -> None:
    level = call.int32(0, 1)
    if not 0 <= level <= 2:
        call.warn(f"{call.name}({level}) argument must be 0, 1, or 2.")
    if level:
        _say_where(call, level)
    if call.name == "$stop":
        call.host.stop()
    else:
        call.host.finish(0)


def _finish_and_return(call: TaskCall) -> None:
    """End with a status of the design's choice, silently."""
    call.host.finish(call.int32(0))


def _system(call: TaskCall) -> int:
    shell = call.host.state.run_shell
    if shell is None:
        raise Unsupported("$system without --allow-system", call.span)
    call.host.state.files.flush()
    return shell(call.path(0)) if call.args else 0


TASKS: dict[str, Handler] = {
    "$finish": _finish,
    "$stop": _finish,
    "$exit": _finish,
    "$finish_and_return": _finish_and_return,
    "$system": _system,
}
