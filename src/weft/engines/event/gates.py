"""Gates that are data: switches, user-defined primitives, three-state gates, and ports and aliases that join nets.

None of them has code of its own: `net_area` gives each instance of a gate a record with the places of its terminals
and a table, and a kernel does the rest. A terminal that is no bit of a signal becomes a hidden signal of the module,
which is assigned from the expression.
"""

from __future__ import annotations

from functools import lru_cache

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.base.source import NOWHERE, Span
from weft.engines.event.strengths import HIGH_Z, LEVELS, ONE, ZERO, X, Z, encode
from weft.ir.design import (
    Binary,
    Concat,
    Const,
    ContinuousAssign,
    Delay,
    Element,
    Expr,
    Gate,
    PathDelay,
    Real,
    Ref,
    Resize,
    Signal,
    Slice,
    Type,
    UdpTable,
    Unary,
)
from weft.ir.expressions import Field, Item

ONE_WAY = frozenset({"nmos", "pmos", "cmos", "rnmos", "rpmos", "rcmos", "port"})
TWO_WAY = frozenset({"tran", "tranif0", "tranif1", "rtran", "rtranif0", "rtranif1", "join"})
CONTROLLED = frozenset({"tranif0", "tranif1", "rtranif0", "rtranif1"})
_WORDS = frozenset({"real", "shortreal", "string", "event", "class", "chandle", "queue", "dynamic", "assoc"})


@dataclass(frozen=True, slots=True)
class Bit:
    """Be one bit of a signal; `at` counts through all elements of an array."""

    ref: Ref
    at: int


@dataclass(frozen=True, slots=True, eq=False)
class PlannedGate:
    """Be a gate of a module. `kind` is a switch, `join`, `port`, `udp`, or a three-state gate (`bufif0` ...).

    `outputs` are the output, or both ends; `inputs` the data and the controls, or the inputs of a primitive. `join` and
    `port` pass on strengths as they are, to both sides or to one.
    """

    kind: str
    outputs: tuple[Bit, ...]
    inputs: tuple[Bit, ...]
    span: Span = NOWHERE
    strength: tuple[str, str] = ("strong", "strong")
    delay: Delay | None = None
    table: UdpTable | None = None

    @property
    def family(self) -> str:
        """Return how the gate passes strengths: `join`, `switch` or `resistive`."""
        return "join" if self.kind in ("join", "port") else "resistive" if self.kind.startswith("r") else "switch"


def bit_of(expression: Expr, at: int = 0) -> Bit | None:
    """Return the bit of a signal that a bit of an expression is, or None."""
    match expression:
        case Ref(signal):
            return Bit(expression, at) if signal.type.kind not in _WORDS and not signal.automatic else None
        case Element(signal, Const(value=index, unknown=0), path):
            return Bit(Ref(signal, path), index * signal.width + at) if index < signal.depth else None
        case Slice(value, int() as offset) if offset >= 0 and offset + at < value.width:
            return bit_of(value, offset + at)
        case Concat(parts):
            for part in reversed(parts):
                if at < part.width:
                    return bit_of(part, at)
                at -= part.width
            return None
        case Resize(value) if at < value.width and not isinstance(value, Field | Item):
            return bit_of(value, at)
        case _:
            return None


class GatePlanner:
    """Turn the gates of one module into planned ones; `hidden` and `assigns` are the signals that this needs.

    A delay that is not constant becomes a hidden signal, in units of the module's time or, if real, its precision.
    """

    def __init__(self, unit_fs: int, precision_fs: int) -> None:
        self.unit_fs = unit_fs
        self.precision_fs = precision_fs
        self.gates: list[PlannedGate] = []
        self.hidden: list[Signal] = []
        self.assigns: list[ContinuousAssign] = []
        self.delays: dict[Signal, Delay] = {}
        """The delays of nets."""

    def add(self, gate: Gate) -> None:
        """Plan a primitive or an alias of the design."""
        if gate.kind == "alias":
            for other in gate.outputs[1:]:
                if not self.join(gate.outputs[0], other, gate.span):
                    raise Unsupported("an alias of this", gate.span)
            return
        outputs = tuple(self._output(output, gate.span) for output in gate.outputs)
        inputs = tuple(self._input(expression, gate.span) for expression in gate.inputs)
        self.gates.append(
            PlannedGate(
                gate.kind,
                outputs,
                inputs,
                gate.span,
                gate.strength,
                self.plan_delay(gate.delay, gate.span),
                gate.table,
            )
        )

    def add_three_state(self, assign: ContinuousAssign, data: Expr, control: Expr) -> None:
        """Plan a three-state gate that the front end has made an assignment, and that no module path delays."""
        assert not isinstance(assign.delay, PathDelay)
        output = self._output(assign.lhs, assign.span)
        inputs = (self._input(data, assign.span), self._input(control, assign.span))
        delay = self.plan_delay(assign.delay, assign.span)
        self.gates.append(PlannedGate(assign.gate, (output,), inputs, assign.span, assign.strength, delay))

    def join(self, inner: Expr, outer: Expr, span: Span) -> bool:
        """Join two nets, or parts of nets, bit by bit; return whether both are such."""
        pairs = [(bit_of(inner, at), bit_of(outer, at)) for at in range(min(inner.width, outer.width))]
        if not all(a is not None and b is not None and a.ref.signal.net and b.ref.signal.net for a, b in pairs):
            return False
        for a, b in pairs:
            assert a is not None and b is not None
            self.gates.append(PlannedGate("join", (a, b), (), span))
        return True

    def pass_bit(self, sink: Bit, source: Bit, span: Span, one_way: bool) -> None:
        """Have a bit of a net follow another one with its strength; they are one bit unless it is one way."""
        if one_way:
            self.gates.append(PlannedGate("port", (sink,), (source,), span))
        else:
            self.gates.append(PlannedGate("join", (sink, source), (), span))

    def add_net_delay(self, net: Signal, delay: Delay) -> None:
        """Plan the delay of a net."""
        planned = self.plan_delay(delay, net.span)
        assert planned is not None
        self.delays[net] = planned

    def plan_delay(self, delay: Delay | None, span: Span) -> Delay | None:
        """Return a delay whose expressions are constants or hidden signals of 64 bits."""
        if delay is None:
            return None
        parts = [self._plan_ticks(delay, part, span) for part in (delay.value, delay.fall, delay.off)]
        assert parts[0] is not None
        return Delay(parts[0], parts[1], parts[2], delay.real)

    def _plan_ticks(self, delay: Delay, value: Expr | None, span: Span) -> Expr | None:
        if value is None or isinstance(value, Const | Real):
            return value
        if delay.real:
            # A real is rounded to the module's precision (IEEE 1800-2023 3.14).
            scaled = Binary("fmul", value, Real(float(self.unit_fs // self.precision_fs)), 64)
            value = Unary("ftoi", scaled, 64)
        signal = Signal(f"delay${len(self.hidden)}", 64, Type("logic", 64), net="wire", span=span)
        self.hidden.append(signal)
        self.assigns.append(ContinuousAssign(Ref(signal), Resize(value, 64, False), span))
        return Ref(signal)

    def _output(self, expression: Expr, span: Span) -> Bit:
        found = bit_of(expression)
        if found is None:
            raise Unsupported("this output of a primitive", span)
        return found

    def _input(self, expression: Expr, span: Span) -> Bit:
        found = bit_of(expression)
        if found is None:
            signal = Signal(f"terminal${len(self.hidden)}", 1, Type("logic", 1), net="wire", span=span)
            self.hidden.append(signal)
            value = expression if expression.width == 1 else Slice(expression, 0, 1)
            self.assigns.append(ContinuousAssign(Ref(signal), value, span))
            found = Bit(Ref(signal), 0)
        return found


# ------------------------------------------------------------------------------------------- tables


def three_state_table(kind: str, strength: tuple[str, str]) -> bytes:
    """Return the range for each code of data and, times 4, control: with an unknown control L or H (28.6)."""
    zero, one = -LEVELS[strength[0]], LEVELS[strength[1]]
    inverted, active = kind.startswith("not"), int(kind[-1])
    ends = {ZERO: (zero, zero), ONE: (one, one), X: (zero, one), HIGH_Z: (zero, one)}
    found = bytearray()
    for control in range(4):
        for data in range(4):
            low, high = ends[data ^ 1 if inverted and data < 2 else data]
            if control in (X, HIGH_Z):
                found.append(encode(min(low, 0), max(high, 0)))
            else:
                found.append(encode(low, high) if control == active else Z)
    return bytes(found)


def control_table(kind: str) -> bytes:
    """Return how a switch conducts for each code of its controls: 0 not, 1 yes, 2 unknown (28.7, 28.8, 28.9)."""
    if kind == "port":
        return bytes((1,))
    positive, negative = bytes((0, 1, 2, 2)), bytes((1, 0, 2, 2))
    if kind.endswith("cmos"):
        return bytes(_either(n, p) for p in negative for n in positive)
    return negative if kind.endswith(("pmos", "if0")) else positive


def _either(a: int, b: int) -> int:
    return 1 if 1 in (a, b) else 2 if 2 in (a, b) else 0


_LEVELS = {"0": {0}, "1": {1}, "x": {2}, "?": {0, 1, 2}, "b": {0, 1}}
_EDGES = {
    "r": ({0}, {1}),
    "f": ({1}, {0}),
    "p": ({0, 2}, {1, 2}),
    "n": ({1, 2}, {0, 2}),
    "*": ({0, 1, 2}, {0, 1, 2}),
}
_NO_CHANGE = 4
STATE_BIT = 31


@lru_cache(maxsize=4096)
def primitive_rows(table: UdpTable) -> tuple[tuple[int, int, int, int, int, int], ...]:
    """Return the rows of a primitive as `net_records` has them, those of levels first (IEEE 1800-2023 29.9).

    `p` and `n` name pairs of levels that are no product of old and new ones, but the pair that is too many, x to x, is
    no change.
    """
    levels: list[tuple[int, int, int, int, int, int]] = []
    edges: list[tuple[int, int, int, int, int, int]] = []
    for inputs, state, result in table.rows:
        allowed = [0, 0, 0]
        edge, before, number, at = 0, 0, 0, 0
        while at < len(inputs):
            text = inputs[at].lower()
            if text == "(":
                old, codes = _LEVELS[inputs[at + 1].lower()], _LEVELS[inputs[at + 2].lower()]
                at += 3
            elif text in _EDGES:
                old, codes = _EDGES[text]
            else:
                old, codes = None, _LEVELS[text]
            if old is not None:
                edge, before = number + 1, sum(1 << code for code in old)
            for code in codes:
                allowed[code] |= 1 << number
            number, at = number + 1, at + 1
        for code in _LEVELS[state.lower()] if state else (0, 1, 2):
            allowed[code] |= 1 << STATE_BIT
        next_state = _NO_CHANGE if result == "-" else {"0": 0, "1": 1}.get(result, 2)
        (edges if edge else levels).append((*allowed, edge, before, next_state))  # pyright: ignore[reportArgumentType]
    return (*levels, *edges)
