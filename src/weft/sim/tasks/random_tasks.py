"""`$random`, `$urandom` with a seed and the distributions `$dist_*` (IEEE 1800-2023 18.13, 20.14, annex N).

With a seed `$urandom` draws from the same generator as `$random`, as Icarus Verilog does; the standard leaves it open.
Without one, and `$urandom_range`, it draws from the stream of its process (18.14), which is no task's business.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.sim.format_arguments import Value
from weft.sim.random_sequence import (
    chi_square,
    erlangian,
    exponential,
    nearest,
    normal,
    poisson,
    random32,
    rtl_dist_uniform,
    student_t,
)
from weft.sim.tasks.task_call import Handler, TaskCall

_HALF = 1 << 31
_ONES = 0xFFFFFFFF


def _put_seed(call: TaskCall, seed: int) -> None:
    call.put(0, seed - (1 << 32) if seed >> 31 & 1 else seed)


def _random(call: TaskCall) -> Value:
    state = call.host.state
    if call.args:
        number, seed = random32(call.int32(0))
        _put_seed(call, seed)
    else:
        number, state.random_seed = random32(state.random_seed)
    return Value(32, number & _ONES, 0, True)


def _urandom(call: TaskCall) -> Value:
    number, seed = random32(call.int32(0))
    _put_seed(call, seed)
    return Value(32, number + _HALF & _ONES)


def _distribution(draw: Callable[..., tuple[float, int]], count: int, checked: str) -> Handler:
    """Return the handler of a distribution with `count` parameters, the first positive if `checked`."""

    def perform(call: TaskCall) -> Value:
        parameters = [call.int32(1 + index) for index in range(count)]
        if checked and parameters[0] <= 0:
            call.host.out.write(f"WARNING: {checked}\n".encode())
            return Value(32, 0, 0, True)
        number, seed = draw(call.int32(0) & _ONES, *parameters)
        _put_seed(call, seed & _ONES)
        return Value(32, nearest(number) & _ONES, 0, True)

    return perform


TASKS: dict[str, Handler] = {
    "$random": _random,
    "$urandom": _urandom,
    "$dist_uniform": _distribution(rtl_dist_uniform, 2, ""),
    "$dist_normal": _distribution(normal, 2, ""),
    "$dist_exponential": _distribution(exponential, 1, "Exponential distribution must have a positive mean"),
    "$dist_poisson": _distribution(poisson, 1, "Poisson distribution must have a positive mean"),
    "$dist_chi_square": _distribution(chi_square, 1, "Chi_square distribution must have a positive degree of freedom"),
    "$dist_t": _distribution(student_t, 1, "t distribution must have a positive degree of freedom"),
    "$dist_erlang": _distribution(erlangian, 2, "K-stage erlangian distribution must have a positive k"),
}
