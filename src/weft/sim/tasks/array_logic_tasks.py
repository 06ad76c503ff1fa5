"""Programmable logic arrays: `$async$and$array` ... `$sync$nor$plane` (IEEE 1800-2023 20.17).

A call computes every output from all inputs and one memory word: output 0, at the left, belongs to the lowest address.
In an array a word's 1 takes the input at its place, and 0 leaves it out. In a plane 1 takes the input, 0 its
complement, x takes nothing good (the worst case), z and `?` leave it out. Asynchronous arrays are called again by the
engine when an input or the memory has changed; the computation is the same.
"""

from __future__ import annotations

from typing import cast

from weft.sim.format_arguments import Value
from weft.sim.tasks.task_call import Handler, MemoryView, TaskCall

_ZERO, _ONE, _X = 0, 1, 2


def _bit(value: Value, at: int) -> int:
    """Return a bit as 0, 1 or 2 for x and z."""
    return _X if value.unknown >> at & 1 else value.value >> at & 1


def _terms(inputs: Value, word: Value, plane: bool) -> list[int]:
    """Return what a memory word takes of the inputs."""
    terms: list[int] = []
    for at in range(min(inputs.width, word.width)):
        taken = word.value >> at & 1, word.unknown >> at & 1
        bit = _bit(inputs, at)
        if taken == (1, 0):
            terms.append(bit)
        elif plane and taken == (0, 0):
            terms.append(bit if bit == _X else 1 - bit)
        elif taken == (0, 1):
            terms.append(_X)
    return terms


def _gate(kind: str, terms: list[int]) -> int:
    """Return a gate's output for its inputs; one without inputs has its neutral value."""
    controlling = _ZERO if kind in ("and", "nand") else _ONE
    if controlling in terms:
        result = controlling
    elif _X in terms:
        return _X
    else:
        result = 1 - controlling
    return 1 - result if kind in ("nand", "nor") else result


def _logic_array(kind: str, plane: bool) -> Handler:
    def perform(call: TaskCall) -> None:
        memory = cast("MemoryView", call.args[0])
        if not hasattr(memory, "get"):
            call.fail(f"{call.name}'s first argument must be a memory.")
            return
        inputs, outputs = call.value(1), call.value(2)
        low, high = sorted((memory.left, memory.right))
        value = unknown = 0
        for number, at in enumerate(range(outputs.width - 1, -1, -1)):
            if low + number > high:
                break
            result = _gate(kind, _terms(inputs, memory.get(low + number), plane))
            if result == _X:
                unknown |= 1 << at
            else:
                value |= result << at
        call.put(2, value, unknown, outputs.width)

    return perform


TASKS: dict[str, Handler] = {
    f"${timing}${kind}${form}": _logic_array(kind, form == "plane")
    for timing in ("async", "sync")
    for kind in ("and", "nand", "or", "nor")
    for form in ("array", "plane")
}
