"""Which kind of net the nets are that ports and aliases make one (IEEE 1800-2023 23.3.3.7, table 23-1).

Nets on the two sides of a port are one *simulated net*, of the kind that dominates. Whole nets are one signal
(`elaborate`); where parts of nets are joined, each bit has a simulated net of its own, whose bits this module collects
with union-find (Tarjan, 1975).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from weft.base.union_find import find_root

if TYPE_CHECKING:
    from weft.engines.event.elaborate import Elaborated, Key, Net

_WIRES = frozenset({"", "wire", "tri"})
_SUPPLIES = frozenset({"supply0", "supply1"})
_PULLED = frozenset({"tri0", "tri1"})

NetBit = tuple["Net", int]


def simulated_kind(members: Iterable[Key]) -> str:
    """Return the kind of the simulated net of some signals, each of which is outside or inside of the others."""
    kind = ""
    for _, signal in sorted(members, key=lambda member: member[0].path.count(".")):
        kind = _dominating(signal.net, kind)
    return "wire" if kind == "uwire" else kind


def _dominating(inner: str, outer: str) -> str:
    """Return the kind that table 23-1 has for a net inside and one outside of a port."""
    if outer in _SUPPLIES or inner in _SUPPLIES:
        return outer if outer in _SUPPLIES else inner
    if "uwire" in (inner, outer):
        return "uwire"
    if outer in _WIRES or (inner in _PULLED and outer == "trireg"):
        return inner if inner not in _WIRES else outer or inner
    return outer


def joined_bits(design: Elaborated) -> list[list[NetBit]]:
    """Return the bits of each simulated net that has several, which ports of parts of nets, and aliases, join."""
    parents: dict[NetBit, NetBit] = {}
    for node in design.nodes:
        for gate in node.unit.gates:
            if gate.kind == "join":
                first, second = (find_root(parents, (design.net(node, bit.ref), bit.at)) for bit in gate.outputs)
                if first != second:
                    parents[second] = first
    groups: dict[NetBit, list[NetBit]] = defaultdict(list)
    for bit in [*parents]:
        groups[find_root(parents, bit)].append(bit)
    return [[root, *others] for root, others in groups.items()]


def joined_kinds(design: Elaborated) -> dict[NetBit, str]:
    """Return the kind of the simulated net of each bit that is joined with others."""
    kinds: dict[frozenset[Net], str] = {}
    found: dict[NetBit, str] = {}
    for bits in joined_bits(design):
        nets = frozenset(net for net, _ in bits)
        if nets not in kinds:
            kinds[nets] = simulated_kind(member for net in nets for member in net.members)
        for bit in bits:
            found[bit] = kinds[nets]
    return found
