"""Emit writes to memories."""

from __future__ import annotations

from weft.engines.cpu.emitter import Emitter, words
from weft.ir.cone_graph import MemoryWrite


def emit_memory_write(e: Emitter, write: MemoryWrite) -> None:
    """Emit a memory write that is known to fire; address, value and mask are there."""
    slot = e.layout.slots[write.state]
    if write.count > 1:
        _fill_memory(e, write)
        return
    index, inside = e.index(write.address, slot.depth)
    if inside == "false":
        return
    if inside == "true":
        _store_element(e, write, e.element_address(write.state, index))
        return
    go, done = e.label(), e.label()
    e.add(f"br i1 {inside}, label %{go}, label %{done}")
    e.begin(go)
    _store_element(e, write, e.element_address(write.state, index))
    e.add(f"br label %{done}")
    e.begin(done)


def _store_element(e: Emitter, write: MemoryWrite, address: str) -> None:
    slot = e.layout.slots[write.state]
    value = e.use(write.value)
    if write.mask < 0:
        e.store(address, value, slot.width, slot.stride)
    elif slot.width <= e.wide:
        kind = e.ir_type(slot.width)
        old = e.container(address, slot.width, slot.stride)
        changed = e.put(f"and {kind} {e.put(f'xor {kind} {old}, {value}')}, {e.use(write.mask)}")
        e.store(address, e.put(f"xor {kind} {old}, {changed}"), slot.width, slot.stride)
    else:
        count, mixed = words(slot.width), e.allocate(slot.width)
        e.call("w_xor", f"ptr {mixed}, ptr {address}, ptr {value}, i64 {count}")
        e.call("w_and", f"ptr {mixed}, ptr {mixed}, ptr {e.use(write.mask)}, i64 {count}")
        e.call("w_xor", f"ptr {address}, ptr {address}, ptr {mixed}, i64 {count}")


def _fill_memory(e: Emitter, write: MemoryWrite) -> None:
    """Write `count` consecutive elements in a loop, as many as exist."""
    slot = e.layout.slots[write.state]
    first = e.amount(write.address)
    last = e.put(f"call i64 @llvm.umin.i64(i64 {e.put(f'add i64 {first}, {write.count}')}, i64 {slot.depth})")
    some = e.put(f"icmp ult i64 {first}, {last}")
    for node in (write.value, write.mask):
        if node >= 0:
            e.use(node)
    start, loop, done = e.label(), e.label(), e.label()
    e.add(f"br i1 {some}, label %{start}, label %{done}")
    e.begin(start)
    e.add(f"br label %{loop}")
    e.begin(loop)
    following = e.temp()
    index = e.put(f"phi i64 [{first}, %{start}], [{following}, %{loop}]")
    _store_element(e, write, e.element_address(write.state, index))
    e.add(f"{following} = add i64 {index}, 1")
    e.add(f"br i1 {e.put(f'icmp ult i64 {following}, {last}')}, label %{loop}, label %{done}")
    e.begin(done)
