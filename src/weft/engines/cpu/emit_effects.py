"""Emit effects: the test, and behind it the record that a system task leaves in the effect buffer."""

from __future__ import annotations

from weft.engines.cpu import context as ctx
from weft.engines.cpu.emitter import Emitter
from weft.ir.cone_graph import ConeGraph, Effect
from weft.ir.layout import container_bytes
from weft.ir.program import STOPPING_TASKS


def record_bytes(graph: ConeGraph, index: int) -> int:
    """Return the size of an effect's record."""
    effect = graph.effects[index]
    size = sum(container_bytes(int(graph.width[node])) for node in effect.args if node >= 0)
    if effect.unknowns:
        size *= 2
    return (16 + size + 7) & ~7


def emit_effect(e: Emitter, index: int, effect: Effect) -> None:
    """Emit what a fired effect does; the caller has branched here."""
    if effect.task.name in STOPPING_TASKS:
        e.add(f"store i64 1, ptr {e.context_word(ctx.STOP)}")
    if effect.postponed:
        e.add(f"store i64 1, ptr {e.context_word(ctx.POSTPONED)}")
        e.add(f"store i8 1, ptr {pending_flag(e, index)}")
    else:
        emit_record(e, index, effect)


def pending_flag(e: Emitter, index: int) -> str:
    """Return the address of the flag that says that a postponed effect has fired."""
    return e.put(f"getelementptr i8, ptr %c, i64 {ctx.PENDING + index}")


def emit_record(e: Emitter, index: int, effect: Effect) -> None:
    """Append an effect's record; the buffer always has room, because runs return when it is nearly full."""
    values: list[int] = []
    for position, node in enumerate(effect.args):
        if node >= 0:
            values += [node, effect.unknowns[position]] if effect.unknowns else [node]
    names = [e.use(node) for node in values]
    size = (16 + sum(container_bytes(e.width[node]) for node in values) + 7) & ~7
    word = e.context_word(ctx.EFFECT_AT)
    at = e.put(f"load ptr, ptr {word}")
    e.add(f"store ptr {e.put(f'getelementptr i8, ptr {at}, i64 {size}')}, ptr {word}")
    e.add(f"store i64 0, ptr {e.put(f'getelementptr i8, ptr {at}, i64 {size - 8}')}, align 1")
    e.add(f"store i64 {index | size << 32}, ptr {at}, align 1")
    time = next((i for i, state in enumerate(e.step.states) if state.kind == "time"), -1)
    now = "0" if time < 0 else e.container(e.state_address(time), 64, 8)
    e.add(f"store i64 {now}, ptr {e.put(f'getelementptr i8, ptr {at}, i64 8')}, align 1")
    offset = 16
    for node, name in zip(values, names, strict=True):
        stride = container_bytes(e.width[node])
        e.store_unaligned(e.put(f"getelementptr i8, ptr {at}, i64 {offset}"), name, e.width[node], stride)
        offset += stride
