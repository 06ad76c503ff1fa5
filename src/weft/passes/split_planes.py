"""Split a 4-state graph into a 2-state graph of value and unknown planes (`--four-state`).

Every node becomes two: its value and its unknown plane, by the rules of `ir.four_state` written as logic. The unknown
plane of what is provably known is the constant 0, and then no logic is made for it. States double: the value plane
keeps the state's number, the unknown planes are appended (`State.plane`, `State.twin`); a variable of a 2-state type
has none. Engines then run 4-state designs without knowing it.

Names in the rules: `value`, `unknown`: the planes. `ones`: bits known to be 1, `value & ~unknown`. `possible`: bits
that may be 1, `value | unknown`. `clean`: the pair holds no z, so `ones` is `value` itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.base.errors import InternalError
from weft.ir.cone_graph import ConeGraph, Domain, Effect, MemoryWrite, Scope, State, Write
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import CODE, OPS, mask


@dataclass(frozen=True, slots=True)
class Planes:
    """Be one node of the 4-state graph: the new nodes of its planes. `clean`: it holds no z."""

    value: int
    unknown: int
    clean: bool


@dataclass(frozen=True, slots=True)
class SplitGraph:
    """Hold the 2-state graph, and for each node of the 4-state graph the nodes of its planes."""

    graph: ConeGraph
    values: NDArray[np.int32]
    unknowns: NDArray[np.int32]


def split_planes(graph: ConeGraph, simplify: Simplify | None = None) -> SplitGraph:
    """Return the 2-state graph that computes a 4-state graph's planes."""
    return _Splitter(graph, simplify).run()


_CONST, _READ, _MEMREAD = CODE["const"], CODE["read"], CODE["memread"]


class _Splitter:
    """Build the planes node by node."""

    def __init__(self, graph: ConeGraph, simplify: Simplify | None) -> None:
        self.graph = graph
        self.builder = GraphBuilder(simplify)
        self.planes: list[Planes] = []
        self.twins = _add_states(graph, self.builder)
        self.width = 0
        self.param = 0

    def run(self) -> SplitGraph:
        """Split everything."""
        graph = self.graph
        starts, srcs = graph.start.tolist(), graph.src.tolist()
        rows = zip(graph.op.tolist(), graph.width.tolist(), graph.param.tolist(), strict=True)
        planes = self.planes
        for node, (op, width, param) in enumerate(rows):
            self.width, self.param = width, param
            if op == _CONST:
                value, unknown = graph.constants[param]
                const = self.builder.const
                planes.append(Planes(const(width, value), const(width, unknown), not value & unknown))
            elif op == _READ:
                planes.append(self._read(param))
            else:
                sources = [planes[source] for source in srcs[starts[node] : starts[node + 1]]]
                planes.append(_RULES[op](self, *sources))
        self._split_sinks()
        return SplitGraph(
            self.builder.freeze(),
            np.array([pair.value for pair in planes], np.int32),
            np.array([pair.unknown for pair in planes], np.int32),
        )

    # ------------------------------------------------------------------------------------ building blocks

    def make(self, op: str, *sources: int, width: int = 0) -> int:
        """Add a node, of its first source's width unless another is given."""
        return self.builder.node(CODE[op], width or self.builder.width[sources[0]], sources)

    def zero(self, width: int) -> int:
        """Return the constant 0."""
        return self.builder.const(width, 0)

    def is_zero(self, node: int) -> bool:
        """Say whether a node is the constant 0."""
        return self.builder.value(node) == 0

    def known(self, value: int) -> Planes:
        """Return a value without unknown bits."""
        return Planes(value, self.zero(self.builder.width[value]), True)

    def ones(self, a: Planes) -> int:
        """Return the bits known to be 1."""
        if a.clean or self.is_zero(a.unknown):
            return a.value
        return self.and_not(a.value, a.unknown)

    def possible(self, a: Planes) -> int:
        """Return the bits that may be 1."""
        return self.either(a.value, a.unknown)

    def both(self, a: int, b: int) -> int:
        """Return `a & b`."""
        return self.zero(self.builder.width[a]) if self.is_zero(a) or self.is_zero(b) else self.make("and", a, b)

    def either(self, a: int, b: int) -> int:
        """Return `a | b`."""
        return b if self.is_zero(a) else a if self.is_zero(b) else self.make("or", a, b)

    def and_not(self, a: int, b: int) -> int:
        """Return `a & ~b`."""
        return a if self.is_zero(b) else self.both(a, self.make("not", b))

    def any_bit(self, node: int) -> int:
        """Return the 1-bit or of all bits."""
        if self.is_zero(node):
            return self.zero(1)
        return node if self.builder.width[node] == 1 else self.make("redor", node, width=1)

    def choose(self, cond: int, then: int, other: int) -> int:
        """Return `then` if `cond` else `other`."""
        if self.is_zero(cond) or then == other:
            return other
        return self.make("mux", cond, then, other, width=self.builder.width[then])

    def unless(self, bad: int, a: Planes) -> Planes:
        """Return all x if `bad`, else `a`."""
        if self.is_zero(bad):
            return a
        width = self.builder.width[a.value]
        ones = self.builder.const(width, mask(width))
        return Planes(self.choose(bad, self.zero(width), a.value), self.choose(bad, ones, a.unknown), a.clean)

    def tri(self, false: int, bad: int) -> Planes:
        """Return the 1-bit 0 if `false`, else x if `bad`, else 1."""
        true = self.make("not", false)
        return Planes(self.and_not(true, bad), self.both(true, bad), True)

    # --------------------------------------------------------------------------------------------- states

    def _read(self, state: int) -> Planes:
        value, twin = self.builder.read(state), self.twins[state]
        return self.known(value) if twin < 0 else Planes(value, self.builder.read(twin), False)

    def memread(self, address: Planes) -> Planes:
        """Read an element: x (0 of a 2-state type) when the address is unknown or out of range (7.4.5)."""
        builder, state = self.builder, self.param
        depth, address_width = builder.states[state].depth, builder.width[address.value]
        bad = self.any_bit(address.unknown)
        if depth < 1 << address_width:
            inside = self.make("ult", address.value, builder.const(address_width, depth), width=1)
            bad = self.either(bad, self.make("not", inside))
        value = builder.memread(state, address.value)
        if self.twins[state] < 0:
            return self.known(self.choose(bad, self.zero(self.width), value))
        return self.unless(bad, Planes(value, builder.memread(self.twins[state], address.value), False))

    def _split_sinks(self) -> None:
        graph, builder, planes, twins = self.graph, self.builder, self.planes, self.twins
        one = builder.const(1, 1)
        builder.domains = [Domain(domain.name, self.ones(planes[domain.trigger])) for domain in graph.domains]
        for write in graph.writes:
            value, enable, twin = planes[write.value], self.ones(planes[write.enable]), twins[write.state]
            builder.writes.append(replace(write, value=value.value if twin >= 0 else self.ones(value), enable=enable))
            if twin >= 0:
                builder.writes.append(Write(twin, value.unknown, enable, write.domain))
        for write in graph.memory_writes:
            self._split_memory_write(write)
        for effect in graph.effects:
            builder.effects.append(self._split_effect(effect))
        builder.scopes = [self._split_scope(scope) for scope in graph.scopes]
        assert builder.domains[0].trigger == one

    def _split_memory_write(self, write: MemoryWrite) -> None:
        """Write both planes; an unknown address writes nothing (7.4.5), an unknown mask bit selects nothing."""
        planes, twin = self.planes, self.twins[write.state]
        address, value = planes[write.address], planes[write.value]
        enable = self.and_not(self.ones(planes[write.enable]), self.any_bit(address.unknown))
        mask_node = self.ones(planes[write.mask]) if write.mask >= 0 else -1
        stored = value.value if twin >= 0 else self.ones(value)
        split = replace(write, address=address.value, value=stored, enable=enable, mask=mask_node)
        self.builder.memory_writes.append(split)
        if twin >= 0:
            self.builder.memory_writes.append(replace(split, state=twin, value=value.unknown))

    def _split_effect(self, effect: Effect) -> Effect:
        pairs = [self.planes[node] if node >= 0 else None for node in effect.args]
        return replace(
            effect,
            args=tuple(pair.value if pair else -1 for pair in pairs),
            unknowns=tuple(pair.unknown if pair else -1 for pair in pairs),
            enable=self.ones(self.planes[effect.enable]),
        )

    def _split_scope(self, scope: Scope) -> Scope:
        values, unknowns = scope.nodes.copy(), scope.nodes.copy()
        for position, node in enumerate(scope.nodes.tolist()):
            if node >= 0:
                values[position], unknowns[position] = self.planes[node].value, self.planes[node].unknown
            elif node < -1:
                twin = self.twins[-2 - node]
                unknowns[position] = -2 - twin if twin >= 0 else -1
        return replace(scope, nodes=values, unknowns=unknowns)


def _add_states(graph: ConeGraph, builder: GraphBuilder) -> list[int]:
    """Add the value planes under their old numbers, then the unknown planes; return each state's twin or -1."""
    builder.states = list(graph.states)
    twins = [-1] * len(graph.states)
    for index, state in enumerate(graph.states):
        if state.known or state.kind in ("time", "constant"):
            builder.states[index] = replace(state, initial=state.initial or 0)
            continue
        twins[index] = len(builder.states)
        unknown = mask(state.width) if state.initial is None else 0
        initial = state.initial or 0
        builder.states[index] = replace(state, initial=initial, plane="value", twin=twins[index])
        builder.states.append(
            State(state.name, state.width, state.depth, state.kind, unknown, state.span, "unknown", index)
        )
    return twins


# ------------------------------------------------------------------------------------------------------- rules


def _not(s: _Splitter, a: Planes) -> Planes:
    return Planes(s.make("not", s.possible(a)), a.unknown, True)


def _and(s: _Splitter, a: Planes, b: Planes) -> Planes:
    value = s.both(s.ones(a), s.ones(b))
    if s.is_zero(a.unknown) and s.is_zero(b.unknown):
        return s.known(value)
    return Planes(value, s.make("xor", s.both(s.possible(a), s.possible(b)), value), True)


def _or(s: _Splitter, a: Planes, b: Planes) -> Planes:
    value = s.either(s.ones(a), s.ones(b))
    return Planes(value, s.and_not(s.either(a.unknown, b.unknown), value), True)


def _xor(s: _Splitter, a: Planes, b: Planes) -> Planes:
    unknown = s.either(a.unknown, b.unknown)
    return Planes(s.and_not(s.make("xor", a.value, b.value), unknown), unknown, True)


def _arithmetic(name: str) -> Callable[..., Planes]:
    def rule(s: _Splitter, *sources: Planes) -> Planes:
        bad = s.zero(1)
        for source in sources:
            bad = s.either(bad, s.any_bit(source.unknown))
        value = s.make(name, *(source.value for source in sources), width=s.width)
        return s.unless(bad, s.known(value))

    return rule


def _division(name: str) -> Callable[..., Planes]:
    def rule(s: _Splitter, a: Planes, b: Planes) -> Planes:
        bad = s.either(s.any_bit(a.unknown), s.any_bit(b.unknown))
        bad = s.either(bad, s.make("eq", b.value, s.zero(s.width), width=1))
        return s.unless(bad, s.known(s.make(name, a.value, b.value)))

    return rule


def _signed_power(s: _Splitter, a: Planes, b: Planes) -> Planes:
    width = s.builder.width[b.value]
    negative = s.builder.slice(b.value, width - 1, 1)
    bad = s.both(s.make("eq", a.value, s.zero(s.width), width=1), negative)
    return s.unless(bad, _arithmetic("spow")(s, a, b))


def _eq(s: _Splitter, a: Planes, b: Planes) -> Planes:
    unknown = s.either(a.unknown, b.unknown)
    if s.is_zero(unknown):
        return s.known(s.make("eq", a.value, b.value, width=1))
    different = s.any_bit(s.and_not(s.make("xor", a.value, b.value), unknown))
    return s.tri(different, s.any_bit(unknown))


def _weq(s: _Splitter, a: Planes, b: Planes) -> Planes:
    unknown = s.either(a.unknown, b.unknown)
    different = s.any_bit(s.and_not(s.make("xor", a.value, b.value), unknown))
    return s.tri(different, s.any_bit(s.and_not(a.unknown, b.unknown)))


def _ceq(s: _Splitter, a: Planes, b: Planes) -> Planes:
    same = s.make("eq", a.value, b.value, width=1)
    if s.is_zero(a.unknown) and s.is_zero(b.unknown):
        return s.known(same)
    return s.known(s.both(same, s.make("eq", a.unknown, b.unknown, width=1)))


def _shift(name: str) -> Callable[..., Planes]:
    def rule(s: _Splitter, a: Planes, amount: Planes) -> Planes:
        value = s.make(name, a.value, amount.value)
        unknown = a.unknown if s.is_zero(a.unknown) else s.make(name, a.unknown, amount.value)
        return s.unless(s.any_bit(amount.unknown), Planes(value, unknown, a.clean))

    return rule


def _moving(name: str) -> Callable[..., Planes]:
    def rule(s: _Splitter, *sources: Planes) -> Planes:
        code, clean = CODE[name], all(source.clean for source in sources)
        value = s.builder.node(code, s.width, tuple(source.value for source in sources), s.param)
        if all(s.is_zero(source.unknown) for source in sources):
            return s.known(value)
        return Planes(value, s.builder.node(code, s.width, tuple(p.unknown for p in sources), s.param), clean)

    return rule


def _mux(s: _Splitter, cond: Planes, a: Planes, b: Planes) -> Planes:
    value, unknown = s.choose(cond.value, a.value, b.value), s.choose(cond.value, a.unknown, b.unknown)
    if not s.is_zero(cond.unknown):
        merged = s.either(s.either(a.unknown, b.unknown), s.make("xor", a.value, b.value))
        value = s.choose(cond.unknown, s.and_not(a.value, merged), value)
        unknown = s.choose(cond.unknown, merged, unknown)
    return Planes(value, unknown, a.clean and b.clean)


def _extract(s: _Splitter, a: Planes, offset: Planes) -> Planes:
    builder, width = s.builder, s.width
    have = builder.width[a.value]
    value = s.make("extract", a.value, offset.value, width=width)
    unknown = s.zero(width) if s.is_zero(a.unknown) else s.make("extract", a.unknown, offset.value, width=width)
    if _greatest(builder, offset.value) + width > have:
        inside = s.make("extract", builder.const(have, mask(have)), offset.value, width=width)
        unknown = s.either(unknown, s.make("not", inside))
    return s.unless(s.any_bit(offset.unknown), Planes(value, unknown, a.clean))


def _greatest(builder: GraphBuilder, offset: int) -> int:
    """Return the greatest offset if it is provably not negative, else one beyond any value."""
    known = builder.value(offset)
    if known is not None:
        return known if not known >> (builder.width[offset] - 1) else 1 << 62
    if OPS[builder.op[offset]].name == "zext":
        source = builder.srcs[offset][0]
        if builder.width[source] < builder.width[offset]:
            return mask(builder.width[source])
    return 1 << 62


def _insert(s: _Splitter, a: Planes, offset: Planes, part: Planes) -> Planes:
    value, unknown = s.make("insert", a.value, offset.value, part.value), a.unknown
    if not (s.is_zero(a.unknown) and s.is_zero(part.unknown)):
        unknown = s.make("insert", a.unknown, offset.value, part.unknown)
    bad = s.any_bit(offset.unknown)
    return Planes(s.choose(bad, a.value, value), s.choose(bad, a.unknown, unknown), a.clean and part.clean)


def _redand(s: _Splitter, a: Planes) -> Planes:
    value = s.make("redand", s.ones(a), width=1)
    if s.is_zero(a.unknown):
        return s.known(value)
    return Planes(value, s.make("xor", s.make("redand", s.possible(a), width=1), value), True)


def _redor(s: _Splitter, a: Planes) -> Planes:
    value = s.make("redor", s.ones(a), width=1)
    return Planes(value, s.and_not(s.any_bit(a.unknown), value), True)


def _redxor(s: _Splitter, a: Planes) -> Planes:
    unknown = s.any_bit(a.unknown)
    return Planes(s.and_not(s.make("redxor", a.value, width=1), unknown), unknown, True)


def _edge(rising: bool) -> Callable[..., Planes]:
    def rule(s: _Splitter, before: Planes, now: Planes) -> Planes:
        if s.is_zero(before.unknown) and s.is_zero(now.unknown):
            return s.known(s.make("posedge" if rising else "negedge", before.value, now.value))
        low, high = (before, now) if rising else (now, before)
        leaves = s.and_not(s.possible(high), s.possible(low))
        arrives = s.and_not(s.ones(high), s.ones(low))
        return s.known(s.either(leaves, arrives))

    return rule


def _changed(s: _Splitter, before: Planes, now: Planes) -> Planes:
    values = s.make("changed", before.value, now.value, width=1)
    if s.is_zero(before.unknown) and s.is_zero(now.unknown):
        return s.known(values)
    return s.known(s.either(values, s.make("changed", before.unknown, now.unknown, width=1)))


def _resolve(s: _Splitter, a: Planes, b: Planes) -> Planes:
    a_z, b_z = s.both(a.value, a.unknown), s.both(b.value, b.unknown)
    driven = s.make("not", s.either(a_z, b_z))
    differ = s.either(s.either(a.unknown, b.unknown), s.make("xor", a.value, b.value))
    conflict = s.both(driven, differ)
    one_gives_way = s.either(s.both(a_z, b.value), s.both(b_z, a.value))
    value = s.either(one_gives_way, s.and_not(s.both(driven, a.value), conflict))
    unknown = s.either(s.either(s.both(a_z, b.unknown), s.both(b_z, a.unknown)), conflict)
    return Planes(value, unknown, a.clean or b.clean)


def _popcount(s: _Splitter, a: Planes) -> Planes:
    return s.known(s.make("popcount", s.ones(a), width=s.width))


def _true(s: _Splitter, a: Planes) -> Planes:
    return s.known(s.any_bit(s.ones(a)))


def _isx(s: _Splitter, a: Planes) -> Planes:
    return s.known(s.any_bit(a.unknown))


def _known(s: _Splitter, a: Planes) -> Planes:
    return s.known(s.ones(a))


def _isz(s: _Splitter, a: Planes) -> Planes:
    return s.known(s.zero(s.width) if a.clean else s.both(a.value, a.unknown))


def _no_rule(s: _Splitter, *sources: Planes) -> Planes:
    raise InternalError("constants and reads are split by themselves")


_BY_NAME: dict[str, Callable[..., Planes]] = {
    "memread": _Splitter.memread,
    "not": _not,
    "and": _and,
    "or": _or,
    "xor": _xor,
    **{name: _arithmetic(name) for name in ("add", "sub", "mul", "upow", "ult", "slt")},
    **{name: _division(name) for name in ("udiv", "umod", "sdiv", "smod")},
    "spow": _signed_power,
    "eq": _eq,
    **{name: _shift(name) for name in ("shl", "lshr", "ashr")},
    **{name: _moving(name) for name in ("concat", "slice", "zext", "sext")},
    "mux": _mux,
    "extract": _extract,
    "insert": _insert,
    "redand": _redand,
    "redor": _redor,
    "redxor": _redxor,
    "popcount": _popcount,
    "posedge": _edge(rising=True),
    "negedge": _edge(rising=False),
    "changed": _changed,
    "true": _true,
    "ceq": _ceq,
    "weq": _weq,
    "isx": _isx,
    "known": _known,
    "isz": _isz,
    "resolve": _resolve,
}

_RULES: list[Callable[..., Planes]] = [_BY_NAME.get(op.name, _no_rule) for op in OPS]
