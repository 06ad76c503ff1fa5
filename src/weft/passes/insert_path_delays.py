"""Turn the path declarations of a module into delayed assignments (IEEE 1800-2023 30.4 to 30.6).

What drives a path's destination inside the module drives a hidden net instead, and each bit of the destination follows
that net by a continuous assignment with a `PathDelay`. A destination that is a variable keeps its value at once; the
hidden net behind its port follows it, delayed. Every path has a table of its delays in ticks for each source, and each
bit of a destination, so that a delay file can change any of them in any instance.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import Unsupported
from weft.base.source import Span
from weft.ir.design import (
    Binary,
    Concat,
    Const,
    ContinuousAssign,
    Element,
    Expr,
    Module,
    Ref,
    Signal,
    Slice,
    Type,
)
from weft.ir.specify import TRANSITIONS, ModulePath, PathChoice, PathDelay, PathStamp

WORD = Type("bit", 64, four_state=False)


@dataclass(frozen=True, slots=True, eq=False)
class PathTable:
    """Be the delays of a path from `source` to a bit of `destination`: `table` has a word for each transition."""

    path: ModulePath
    source: Expr
    destination: Signal
    bit: int
    table: Signal


@dataclass(slots=True, eq=False)
class _Paths:
    """Hold what is made for one module."""

    module: Module
    tick_fs: int
    tables: list[PathTable] = field(default_factory=list[PathTable])
    choices: dict[tuple[Signal, int], list[PathChoice]] = field(
        default_factory=lambda: defaultdict[tuple[Signal, int], list[PathChoice]](list)
    )
    stamps: dict[tuple[object, ...], PathStamp] = field(default_factory=dict[tuple[object, ...], PathStamp])
    conditions: dict[tuple[object, ...], list[Expr]] = field(
        default_factory=lambda: defaultdict[tuple[object, ...], list[Expr]](list)
    )

    def hidden(self, name: str, initial: int, depth: int = 0) -> Signal:
        """Return a new variable that no source text can name."""
        width = 64 * max(depth, 1)
        signal = Signal(f"${name}", 64, WORD, depth, initial=Const(width, initial))
        self.module.signals.append(signal)
        return signal


def insert_path_delays(module: Module, tick_fs: int) -> list[PathTable]:
    """Insert the delays of a module's paths; return their tables. The module is changed."""
    if not module.paths:
        return []
    paths = _Paths(module, tick_fs)
    pairs = [(path, s, d) for path in module.paths for s in path.sources for d in path.destinations]
    for path, source, destination in pairs:
        if path.condition is not None:
            paths.conditions[_ends(source, destination)].append(path.condition)
    for path, source, destination in pairs:
        _add_pair(paths, path, source, destination)
    module.stamps += paths.stamps.values()
    for signal in dict.fromkeys(signal for signal, _ in paths.choices):
        _delay(paths, signal)
    return paths.tables


def terminal(expression: Expr, span: Span) -> tuple[Signal, int, int]:
    """Return the signal, lowest bit and width of a terminal."""
    match expression:
        case Ref(signal, ()) if not signal.depth:
            return signal, 0, signal.width
        case Slice(inner, int() as offset, width):
            signal, low, _ = terminal(inner, span)
            return signal, low + offset, width
        case _:
            raise Unsupported("this terminal of a path", span)


def _ends(source: Expr, destination: Expr) -> tuple[object, ...]:
    from weft.base.source import NOWHERE

    return (*terminal(source, NOWHERE), *terminal(destination, NOWHERE))


def _add_pair(paths: _Paths, path: ModulePath, source: Expr, destination: Expr) -> None:
    """Add the choices of a path from one source to one destination."""
    signal, low, width = terminal(destination, path.span)
    source_width = terminal(source, path.span)[2]
    condition = path.condition
    if path.ifnone:
        others = [Binary("ceq", other, Const(1, 0), 1) for other in paths.conditions[_ends(source, destination)]]
        condition = reduce(lambda a, b: Binary("and", a, b, 1), others) if others else None
    content = 0
    for number, delay_fs in enumerate(path.delays_fs):
        # A negative delay counts as 0 (30.5).
        content |= (max(0, delay_fs) // paths.tick_fs) << 64 * number
    for bit in range(width):
        from_bit = bit if path.parallel and source_width == width else None
        stamp = _stamp(paths, path, source, from_bit)
        table = paths.hidden(f"path{len(paths.tables)}", content, len(TRANSITIONS))
        paths.tables.append(PathTable(path, source, signal, low + bit, table))
        paths.choices[(signal, low + bit)].append(PathChoice(stamp, table, condition))


def _stamp(paths: _Paths, path: ModulePath, source: Expr, bit: int | None) -> PathStamp:
    """Return the stamp of a source, or of one bit of it."""
    signal, low, width = terminal(source, path.span)
    low, width = (low, width) if bit is None else (low + bit, 1)
    if path.edge:
        width = 1
    key = (signal, low, width, path.edge)
    if key not in paths.stamps:
        watched: Expr = Ref(signal) if width == signal.width else Slice(Ref(signal), low, width)
        paths.stamps[key] = PathStamp(watched, path.edge, paths.hidden(f"stamp{len(paths.stamps)}", 0))
    return paths.stamps[key]


def _delay(paths: _Paths, signal: Signal) -> None:
    """Make a destination follow its drivers through its paths."""
    module = paths.module
    kind = signal.net if signal.net in ("wand", "wor", "triand", "trior") else "wire"
    hidden = Signal(f"$path${signal.name}", signal.width, Type("logic", signal.width), net=kind, span=signal.span)
    module.signals.append(hidden)
    strength = ("strong", "strong")
    if signal.net:
        strength = _redirect(module, signal, hidden)
        target, value = signal, hidden
    else:
        target, value = hidden, signal
        module.ports[:] = [replace(port, signal=hidden) if port.signal is signal else port for port in module.ports]
    whole: list[int] = []
    for bit in range(signal.width):
        choices = paths.choices.get((signal, bit))
        if choices is None:
            whole.append(bit)
            continue
        delay = PathDelay(tuple(choices))
        module.assigns.append(ContinuousAssign(_bit(target, bit), _bit(value, bit), signal.span, strength, delay))
    for bit in whole:
        module.assigns.append(ContinuousAssign(_bit(target, bit), _bit(value, bit), signal.span, strength))


def _bit(signal: Signal, bit: int) -> Expr:
    return Ref(signal) if signal.width == 1 else Slice(Ref(signal), bit, 1)


def _redirect(module: Module, signal: Signal, hidden: Signal) -> tuple[str, str]:
    """Have everything in a module that drives a net drive another one; return the strength that they drive it with."""
    strengths: set[tuple[str, str]] = set()

    def turned(target: Expr) -> Expr:
        match target:
            case Ref(found, ()) if found is signal:
                return Ref(hidden)
            case Element(found) if found is signal:
                raise Unsupported("an array as the destination of a path", signal.span)
            case Slice(value, offset, width):
                inner = turned(value)
                return target if inner is value else Slice(inner, offset, width)
            case Concat(parts, width):
                changed = tuple(turned(part) for part in parts)
                return target if all(a is b for a, b in zip(changed, parts, strict=True)) else Concat(changed, width)
            case _:
                return target

    for i, assign in enumerate(module.assigns):
        lhs = turned(assign.lhs)
        if lhs is not assign.lhs:
            strengths.add(assign.strength)
            module.assigns[i] = replace(assign, lhs=lhs)
    for i, gate in enumerate(module.gates):
        outputs = tuple(turned(output) for output in gate.outputs)
        if any(a is not b for a, b in zip(outputs, gate.outputs, strict=True)):
            strengths.add(gate.strength)
            module.gates[i] = replace(gate, outputs=outputs)
    for i, instance in enumerate(module.instances):
        connections = tuple(
            turned(actual) if actual is not None and port.direction != "input" else actual
            for port, actual in zip(instance.module.ports, instance.connections, strict=True)
        )
        if any(a is not b for a, b in zip(connections, instance.connections, strict=True)):
            strengths.add(("strong", "strong"))
            module.instances[i] = replace(instance, connections=connections)
    if len(strengths) > 1:
        raise Unsupported("a path to a net that is driven with several strengths", signal.span)
    return strengths.pop() if strengths else ("strong", "strong")
