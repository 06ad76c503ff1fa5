"""Write calls of system tasks and functions, which Python does (`host_sites`)."""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import replace
from weft.base.source import Span
from weft.base.text_bytes import latin_text
from weft.engines.event import operators as ops
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_places import changed_variable
from weft.engines.event.elaborate import shows_strength
from weft.engines.event.gates import bit_of
from weft.engines.event.host_sites import HostSite, Shape
from weft.engines.event.records import UNFLUSHED
from weft.engines.event.value_types import BITS, REALS, WORDS, type_of
from weft.engines.event.writer import Operand, Value
from weft.ir.design import Expr, Type
from weft.ir.expressions import Concat, Element, Field, Item, Ref, Slice, SystemCall, Text
from weft.ir.system_tasks import MEMORY_ARGUMENTS, output_arguments

CHANGES_FIRST = frozenset(
    f"array.{name}"
    for name in [
        "set",
        "push_back",
        "push_front",
        "pop_back",
        "pop_front",
        "insert",
        "delete",
        "reverse",
        "shuffle",
        "sort",
        "rsort",
    ]
) | frozenset(f"string.{name}" for name in ["putc", "itoa", "hextoa", "octtoa", "bintoa", "realtoa"])
"""Methods that change the string or container that is their first argument."""

CHANGES_KEY = frozenset({"array.first", "array.last", "array.next", "array.prev"})

_OF_ELEMENTS = frozenset({"array.literal", "array.literal_default", "array.new", "array.unpack"})
"""The operations on containers whose first argument need not be one."""

_CONTAINER, _STRING = (Type(kind, 64, four_state=False) for kind in ("queue", "string"))
_WORD_ARGUMENTS = {
    ("array.copy", 0): _CONTAINER,
    ("array.size", 0): _CONTAINER,
    ("array.equal", 0): _CONTAINER,
    ("array.equal", 1): _CONTAINER,
    ("string.len", 0): _STRING,
}
"""Arguments that are words, also where they come out of the bits of a struct or an array."""

_PLACES = Ref | Element | Field | Item | Slice | Concat

STOPPING = frozenset({"$finish", "$stop", "$fatal"})


def outputs_of(name: str, count: int) -> set[int]:
    """Return which arguments of a call are written."""
    if name in CHANGES_FIRST:
        return {0}
    if name in CHANGES_KEY:
        return {1}
    if name == "class.cast":
        return {0}
    return set(output_arguments(name, count))


def host_value(f: FunctionCode, name: str, args: Sequence[Expr | None], width: int, call: Expr) -> Value:
    """Write a call and return its result."""
    signs = call.signs if isinstance(call, SystemCall) else ()
    if isinstance(call, Item):
        signs = (False, call.signed)
    kind = type_of(call)
    result = _shape_of_type(kind, width)
    if result.kind == "bits" and isinstance(call, SystemCall) and call.signed:
        result = replace(result, signed=True)
    span = getattr(call, "span", f.span)
    types = call.types if isinstance(call, SystemCall) else (call.type,) if isinstance(call, Item) else ()
    extra = (call.type, call.types) if isinstance(call, SystemCall) else None
    return _call(f, name, args, signs, result, span, extra=extra, types=types) or Value(0, 0)


def host_effect(f: FunctionCode, name: str, args: Sequence[Expr | None], new: Value, lhs: Item) -> None:
    """Write a call that stores a value already computed, as its last argument."""
    element = type_of(lhs)
    _call(f, name, args, (False, lhs.signed), None, lhs.span, (new, element), lhs.type, types=(lhs.type,))


def host_task(
    f: FunctionCode,
    name: str,
    args: Sequence[Expr | None],
    signs: tuple[bool, ...],
    types: tuple[Type | None, ...] = (),
) -> None:
    """Write a call of a system task; `types` says what arguments are that are no plain vectors."""
    _call(f, name, args, signs, None, f.span, types=types)
    if name in STOPPING:
        f.poll()


def stop_if(f: FunctionCode, wrong: Operand, task: str) -> None:
    """Write the check of a condition under which a task of the host's, which raises an error, ends the run."""
    w = f.w
    stop, fine = w.fresh("wrong"), w.fresh("fine")
    w.branch(wrong, stop, fine)
    w.label(stop)
    host_task(f, task, (), ())
    w.jump(f.stop_block())
    w.label(fine)


def host_choice(
    f: FunctionCode, name: str, args: Sequence[Expr], written: set[int], extra: object, span: Span
) -> Value:
    """Write a call that returns an `int` and writes some of its arguments."""
    result = Shape("bits", 32, True)
    return _call(f, name, args, (), result, span, extra=extra, written=written) or Value(0, 0)


def _shape_of_type(kind: Type, width: int) -> Shape:
    if kind.kind in REALS:
        return Shape("real", 64, type=kind)
    if kind.kind == "string":
        return Shape("string", 64, type=kind)
    if kind.kind in WORDS:
        return Shape("handle", 64, type=kind)
    return Shape("bits", width, type=kind if kind.width else None)


def _shape(name: str, index: int, argument: Expr | None, signed: bool, strengths: bool) -> Shape:
    if name == "$countdrivers" and index == 0 and argument is not None:
        bit = bit_of(argument)
        if bit is not None:
            return Shape("net", signal=bit.ref.signal, path=bit.ref.path, low=bit.at)
    match argument:
        case None:
            return Shape("none")
        case Text(text):
            return Shape("text", text=latin_text(text))
        case Ref(signal, path) if signal.depth and MEMORY_ARGUMENTS.get(name) == index:
            return Shape("memory", 64, signal.signed, signal=signal, path=path)
        case SystemCall(name="$realtime"):
            return Shape("real", 64, text="$realtime")
        case _:
            whole = isinstance(argument, Ref) and argument.signal.depth
            found = _shape_of_type(BITS if whole else type_of(argument), argument.width)
            if found.kind != "bits":
                return found
            found = replace(found, signed=signed)
            return _with_strengths(found, argument) if strengths else found


def _with_strengths(shape: Shape, argument: Expr) -> Shape:
    """Return the shape of bits of a net with what their strengths are found by."""
    low, high = bit_of(argument), bit_of(argument, argument.width - 1)
    if low is None or high is None or low.ref.signal is not high.ref.signal or low.ref.path != high.ref.path:
        return shape
    if high.at - low.at != argument.width - 1 or not low.ref.signal.net:
        return shape
    return replace(shape, signal=low.ref.signal, path=low.ref.path, low=low.at)


def argument_shape(
    name: str, index: int, argument: Expr | None, signed: bool, strengths: bool, described: Type | None
) -> Shape:
    """Return what an argument of a call is; `described` is its type if it is no plain vector."""
    shape = _shape(name, index, argument, signed, strengths)
    described = described or _WORD_ARGUMENTS.get((name, index))
    if shape.kind == "bits" and described is not None:
        is_word = described.kind in WORDS and not described.unpacked
        shape = _shape_of_type(described, 64) if is_word else replace(shape, type=described)
    elif described is not None and described.kind == "struct" and argument is not None:
        shape = Shape("bits", argument.width, type=described)  # its only member is a word
    elif shape.kind == "bits" and index == 0 and name.startswith("array.") and name not in _OF_ELEMENTS:
        shape = Shape("handle", 64)
    return shape


def _call(
    f: FunctionCode,
    name: str,
    args: Sequence[Expr | None],
    signs: tuple[bool, ...],
    result: Shape | None,
    span: object,
    last: tuple[Value, Type] | None = None,
    extra: object = None,
    written: set[int] | None = None,
    types: tuple[Type | None, ...] = (),
) -> Value | None:
    from weft.engines.event.code_expressions import value
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    outputs = outputs_of(name, len(args)) if written is None else written
    strengths = shows_strength(args)
    args = [
        changed_variable(argument) if i in outputs and argument is not None else argument
        for i, argument in enumerate(args)
    ]
    if name != "$fflush":
        w.store_word("%Sp", UNFLUSHED, 1)
    shapes: list[Shape] = []
    values: list[Value | str | None] = []
    size = 0
    for i, argument in enumerate(args):
        described = types[i] if i < len(types) else None
        shape = argument_shape(name, i, argument, i < len(signs) and signs[i], strengths, described)
        # The seed of a random function may be a value too, which nothing can be written to.
        output = i in outputs and isinstance(argument, _PLACES)
        shape = replace(shape, offset=size, output=output)
        shapes.append(shape)
        size += _words(shape)
        if shape.kind == "memory":
            assert isinstance(argument, Ref)
            values.append(f.signal_pointer(argument.signal, argument.path))
        elif argument is None or shape.kind in ("text", "net"):
            values.append(None)
        else:
            values.append(value(f, argument))
    if last is not None:
        shape = replace(_shape_of_type(last[1], last[0].width), offset=size)
        shapes.append(shape)
        size += _words(shape)
        values.append(last[0])
    if result is not None:
        result = replace(result, offset=size)
        size += _words(result)
    buffer = f"%{w.fresh('args')}"
    w.entry.append(f"  {buffer} = alloca [{max(size, 1)} x i64], align 8")
    for shape, found in zip(shapes, values, strict=True):
        if isinstance(found, str):
            w.do(f"store ptr {found}, ptr {w.address(buffer, 8 * shape.offset)}")
        elif found is not None:
            _put(f, buffer, shape, found)
    site = HostSite(name, shapes, result, f.unit.number, f.scope, span or f.span, extra=extra)  # pyright: ignore[reportArgumentType]
    f.host_call(f.unit.program.add_site(site), buffer)
    for shape, argument in zip(shapes, args, strict=False):
        if shape.output and argument is not None:
            store_lvalue(f, argument, _get(f, buffer, shape))
            if shape.kind in ("string", "handle"):
                f.unit.notify_container(f, argument)
    return _get(f, buffer, result) if result is not None and result.width else None


def _words(shape: Shape) -> int:
    if shape.kind in ("none", "text", "net"):
        return 0
    if shape.kind == "bits":
        return 2 * shape.words
    return 1


def _put(f: FunctionCode, buffer: str, shape: Shape, found: Value) -> None:
    w = f.w
    if shape.kind != "bits":
        w.store_word(buffer, 8 * shape.offset, found.bits)
        return
    if shape.words:
        w.store_planes(w.address(buffer, 8 * shape.offset), ops.resize(w, found, shape.width, False))


def _get(f: FunctionCode, buffer: str, shape: Shape) -> Value:
    w = f.w
    if shape.kind != "bits":
        return Value(64, w.load_word(buffer, 8 * shape.offset))
    return w.load_planes(w.address(buffer, 8 * shape.offset), shape.width)
