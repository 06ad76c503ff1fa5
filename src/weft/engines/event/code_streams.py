"""Write streaming concatenations of containers (IEEE 1800-2023 11.4.14), which kernels carry out (`stream_kernels`)."""

from __future__ import annotations

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_layout import ContainerLayout, ElementLayout
from weft.engines.event.container_places import choose_word, handle_of, layout_in_memory, make_container
from weft.engines.event.records import CONTAINER_COUNT
from weft.engines.event.value_types import CONTAINERS, type_of
from weft.engines.event.writer import Operand, Value, plane_bytes
from weft.ir.expressions import Const, SystemCall


def pack(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value:
    """Write the stream of a container's elements as a vector, which is filled from the left."""
    w, width = f.w, call.width
    block = _block(call)
    handle = handle_of(f, call.args[0])
    total = _total(f, layout.element, handle)
    more = w.compare("ult", 64, total, width)
    offset = w.select(64, more, w.op("sub", 64, width, total), 0)
    start = w.select(64, more, 0, w.op("sub", 64, total, width))
    words = (width + 63) // 64
    planes: list[Operand] = []
    for stream in _container_planes(f, layout.element, handle, total, block, offset):
        buffer = f"%{w.fresh('packed')}"
        w.entry.append(f"  {buffer} = alloca [{words} x i64], align 8")
        # The last word may reach beyond the stream, which has room for it: it is longer by two words.
        w.call("stream_read", stream, start, words, w.emit(f"ptrtoint ptr {buffer} to i64"))
        planes.append(w.resize(w.emit(f"load i{64 * words}, ptr {buffer}, align 8"), 64 * words, width))
    return Value(width, planes[0], planes[1] if len(planes) > 1 else 0)


def unpack(f: FunctionCode, layout: ContainerLayout, call: SystemCall) -> Value | None:
    """Write a new container of the elements in a stream of bits, or in that of a container; None if Python makes it."""
    from weft.engines.event.code_expressions import value

    w, element = f.w, layout.element
    block = _block(call)
    if layout.limit:
        return None  # Only the first elements are kept.
    source = call.args[0]
    kind = call.types[0] if call.types and call.types[0] is not None else type_of(source)
    if kind.kind in CONTAINERS:
        held = layout_in_memory(f, source, kind)
        assert held is not None, "what is streamed has vectors as elements"
        handle = handle_of(f, source)
        total: Operand = _total(f, held.element, handle)
        rest = w.emit(f"urem i64 {total}, {element.width}")
        offset: Operand = w.select(64, w.nonzero(64, rest), w.op("sub", 64, element.width, rest), 0)
        streams = _container_planes(f, held.element, handle, total, block, offset)
    else:
        given = value(f, source)
        total, offset = given.width, -given.width % element.width
        streams = _vector_planes(f, given, block, offset)
    size = w.op("add", 64, total, offset)
    count = size if element.width == 1 else w.emit(f"udiv i64 {size}, {element.width}")
    made = make_container(f, layout)
    w.call("sequence_resize", made, count, "%S")
    plane = plane_bytes(element.width)
    if len(streams) > 1 and not element.four_state:
        w.call("stream_know", streams[0], streams[1], size)
    if len(streams) == 1 and element.four_state:
        streams.append(w.call("stream_make", size))
    for i, stream in enumerate(streams):
        if i == 0 or element.four_state:
            w.call("stream_fill", made, stream, element.width, plane, i * plane)
    for stream in streams:
        w.call("weft_free", stream)
    return Value(64, made)


def _block(call: SystemCall) -> int:
    """Return the size of the blocks that are reversed, 0 for none."""
    size = call.args[1]
    assert isinstance(size, Const)
    return size.value


def _total(f: FunctionCode, element: ElementLayout, handle: Operand) -> Operand:
    """Return the bits of all elements of a container."""
    w = f.w
    there = w.compare("ne", 64, handle, 0)
    count = choose_word(f, there, lambda: w.load_word(w.pointer(handle), CONTAINER_COUNT), lambda: 0)
    return w.op("mul", 64, count, element.width)


def _container_planes(
    f: FunctionCode, element: ElementLayout, handle: Operand, total: Operand, block: int, offset: Operand
) -> list[Operand]:
    """Return the streams of the planes of a container's elements."""
    w, size = f.w, plane_bytes(element.width)
    found: list[Operand] = []
    for plane in range(1 + element.four_state):
        plain = w.call("stream_of", handle, element.width, min(size, 8), plane * size)
        found.append(w.call("stream_turn", plain, total, block, offset))
        w.call("weft_free", plain)
    return found


def _vector_planes(f: FunctionCode, given: Value, block: int, offset: int) -> list[Operand]:
    """Return the streams of the planes of a vector."""
    w = f.w
    words = (given.width + 63) // 64
    found: list[Operand] = []
    for plane in (given.bits, given.unknown)[: 1 if given.unknown == 0 else 2]:
        buffer = f"%{w.fresh('stream')}"
        w.entry.append(f"  {buffer} = alloca [{words + 1} x i64], align 8")
        w.do(f"store i{64 * words} {w.resize(plane, given.width, 64 * words)}, ptr {buffer}, align 8")
        w.store_word(buffer, 8 * words, 0)
        place = w.emit(f"ptrtoint ptr {buffer} to i64")
        found.append(w.call("stream_turn", place, given.width, block, offset))
    return found
