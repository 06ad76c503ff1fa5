"""Continuous assignments and port connections.

A continuous assignment that can yield z does not drive where it does: `enable ? value : 'z`. Its value and a per-bit
enable are followed through `?:`, concatenations and slices of constants; without z constants it always drives.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.errors import Unsupported
from weft.ir.design import ContinuousAssign, Instance, Port, joins
from weft.ir.expressions import Concat, Cond, Const, Expr, Ref, Repeat, Resize, Slice
from weft.ir.ops import mask
from weft.passes.execute_statements import Executor
from weft.passes.fragment import Connection, Drive
from weft.passes.module_context import ModuleContext


def lower_assign(context: ModuleContext, executor: Executor, assign: ContinuousAssign, number: int) -> None:
    """Add the drives of one continuous assignment."""
    executor.span = assign.span
    if assign.delay is not None:
        raise Unsupported("a delay in a continuous assignment (it needs the event engine)", assign.span)
    weak = set(assign.strength) <= {"pull", "weak"}
    if not weak and assign.strength != ("strong", "strong"):
        raise Unsupported(f"the drive strength ({', '.join(assign.strength)})", assign.span)
    enable = -1
    if _may_float(assign.rhs):
        value, enable = _driven(executor, assign.rhs)
    else:
        value = executor.evaluate(assign.rhs)
    for target, low, width, bit in _targets(context, executor, assign.lhs):
        part = context.builder.slice(value, bit, width)
        allowed = enable if enable < 0 else context.builder.slice(enable, bit, width)
        context.fragment.drives.append(Drive(target, low, width, part, number, allowed, assign.span, weak))


def _targets(context: ModuleContext, executor: Executor, lhs: Expr) -> list[tuple[int, int, int, int]]:
    """Return where the bits of an lvalue are: (use, low, width, bit of the lvalue)."""
    if isinstance(lhs, Ref) and not context.is_memory(lhs.signal, lhs.path):
        return [(context.use(lhs.signal, lhs.path), 0, lhs.signal.bits, 0)]
    found: list[tuple[int, int, int, int]] = []
    work: list[tuple[Expr, int]] = [(lhs, 0)]
    while work:
        expression, bit = work.pop()
        if isinstance(expression, Concat):
            for part in reversed(expression.parts):
                work.append((part, bit))
                bit += part.width
            continue
        if isinstance(expression, Slice) and isinstance(expression.offset, int):
            outer, start = expression.value, expression.offset
            stop = start + expression.width
            if start < 0 or stop > outer.width:
                low, high = max(start, 0), min(stop, outer.width)
                if low < high:
                    work.append((Slice(outer, low, high - low), bit + low - start))
                continue
        place = executor.place(executor.freeze(expression))
        if place is None:
            raise executor.unsupported("a continuous assignment to a variable position")
        variable, low, width = place
        if width:
            found.append((context.use(variable.signal, variable.path), low, width, bit))
    return found


def _may_float(expression: Expr) -> bool:
    """Return whether some z constant reaches the value."""
    match expression:
        case Const(_, value, unknown):
            return bool(value & unknown)
        case Cond(_, then, other):
            return _may_float(then) or _may_float(other)
        case Concat(parts):
            return any(_may_float(part) for part in parts)
        case Slice(value, int()) | Resize(value) | Repeat(_, value):
            return _may_float(value)
        case _:
            return False


def _driven(executor: Executor, expression: Expr) -> tuple[int, int]:
    """Return a value and its per-bit enable."""
    builder, width = executor.builder, expression.width
    match expression:
        case Const(_, value, unknown):
            return executor.evaluate(expression), builder.const(width, mask(width) & ~(value & unknown))
        case Cond(cond, then, other):
            return _driven_choice(executor, cond, _driven(executor, then), _driven(executor, other))
        case Concat(parts):
            pairs = [_driven(executor, part) for part in reversed(parts)]
            return builder.concat([value for value, _ in pairs]), builder.concat([enable for _, enable in pairs])
        case Repeat(count, value):
            inner = _driven(executor, value)
            return builder.concat([inner[0]] * count), builder.concat([inner[1]] * count)
        case Slice(value, int(offset), size) if 0 <= offset <= value.width - size:
            inner = _driven(executor, value)
            return builder.slice(inner[0], offset, size), builder.slice(inner[1], offset, size)
        case Resize(value, _, is_signed):
            inner = _driven(executor, value)
            enable = executor.resize(inner[1], width, True) if is_signed else inner[1]
            if not is_signed and width > value.width:
                enable = builder.concat([enable, builder.const(width - value.width, mask(width - value.width))])
            return executor.resize(inner[0], width, is_signed), builder.slice(enable, 0, width)
        case _:
            return executor.evaluate(expression), builder.const(width, mask(width))


def _driven_choice(executor: Executor, cond: Expr, then: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Choose between two drivers; an unknown condition lets both drive (IEEE 1800-2023 11.4.11)."""
    builder, width = executor.builder, executor.builder.width[then[0]]
    bit = executor.boolean(executor.evaluate(cond))
    value = builder.add("mux", width, bit, then[0], other[0])
    if not executor.four_state:
        return value, builder.add("mux", width, bit, then[1], other[1])
    both = builder.add("or", width, then[1], other[1])
    unless = builder.add("mux", width, executor.truth(executor.negate(bit)), other[1], both)
    return value, builder.add("mux", width, executor.truth(bit), then[1], unless)


def lower_instance(
    context: ModuleContext, reader: Callable[[int], Executor], instance: Instance, number: int, first: int
) -> None:
    """Add the connections of one instance, which are logic with the numbers from `first` on."""
    for index, (port, actual) in enumerate(zip(instance.module.ports, instance.connections, strict=True)):
        if actual is None:
            continue
        # What a port joins with another signal is that signal; nothing has to follow it.
        joined = isinstance(actual, Ref) and joins(port.signal, actual.signal)
        executor = reader(-1 if joined else first + index)
        executor.span = instance.span
        if port.direction == "input":
            value = executor.resize(executor.evaluate(actual), port.signal.bits, False)
            context.fragment.connections.append(Connection(number, index, value))
        else:
            _connect_output(context, executor, port, actual, (number, index))


def _connect_output(
    context: ModuleContext, executor: Executor, port: Port, actual: Expr, place: tuple[int, int]
) -> None:
    while isinstance(actual, Resize):
        actual = actual.value
    bits = port.signal.bits
    targets = _targets(context, executor, actual)
    if port.direction != "output":
        context.read.update(context.fragment.uses[target].signal for target, *_ in targets)
    inside = tuple((use, low, min(width, bits - bit), bit) for use, low, width, bit in targets if bit < bits)
    context.fragment.connections.append(Connection(*place, targets=inside))
    if actual.width > bits and port.signal.signed:
        raise executor.unsupported(f"connecting the signed output '{port.name}' to something wider")
    for use, low, width, bit in targets:
        rest = min(width, bit + width - bits)
        if rest > 0:
            zero = context.builder.const(rest, 0)
            process = -1 - place[0]
            context.fragment.drives.append(Drive(use, low + width - rest, rest, zero, process, span=executor.span))
