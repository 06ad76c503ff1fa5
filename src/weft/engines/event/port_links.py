"""Which connections of ports to parts of nets pass strengths on (IEEE 1800-2023 23.3.3, 28.11).

Nets on the two sides of a port are one net (23.3.3.7). Where the port is connected to a whole net they are one signal
(`elaborate`); where it is connected to bits of nets, or to several in a concatenation, they are two, and a continuous
assignment does as well as long as nothing else drives the bits and nobody looks at their strength. It costs much less
than joining the bits, whose drivers must be combined with strengths from then on. So a connection starts as an
assignment, and becomes a join of bits if

- what is driven through it has other drivers, switches, a strength of its own or a wired kind there, or
- its strength can be seen and is not always strong where it comes from.

Bits that are joined are such bits for other connections in their turn, up and down the hierarchy.
A net that delays its changes is not joined: what is behind the port follows it later, with its strength.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.base.source import Span
from weft.engines.event.gates import ONE_WAY, Bit, bit_of
from weft.ir.design import ContinuousAssign, Expr, Ref, Slice

if TYPE_CHECKING:
    from weft.engines.event.elaborate import Elaborated, Net, Unit

_WIRED = frozenset({"wand", "wor", "triand", "trior"})
STRONG = ("strong", "strong")
_STRENGTH_NETS = frozenset({"tri0", "tri1", "trireg", "supply0", "supply1"})


@dataclass(slots=True, eq=False)
class PortLink:
    """Be a connection of an input or output net; `assign` is what it is if strengths need not pass."""

    unit: Unit
    inner: Ref
    outer: Expr
    inward: bool
    assign: ContinuousAssign
    runs: list[Run] = field(default_factory=list["Run"])
    """The connected bits of nets, adjacent ones together, when they have been looked for."""

    @property
    def span(self) -> Span:
        """Return where the instance is."""
        return self.assign.span

    def find_runs(self) -> None:
        """Fill `runs`."""
        found = self.runs
        for at in range(min(self.inner.width, self.outer.width)):
            bit = bit_of(self.outer, at)
            if bit is None or not bit.ref.signal.net:
                continue
            if found and found[-1].continues(at, bit.ref, bit.at):
                found[-1] = Run(found[-1].low, bit.ref, found[-1].at, found[-1].width + 1)
            else:
                found.append(Run(at, bit.ref, bit.at, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Be bits `low` up of a port that are bits `at` up of a net outside."""

    low: int
    outer: Ref
    at: int
    width: int

    def continues(self, low: int, outer: Ref, at: int) -> bool:
        """Say whether a bit is the next one."""
        same = outer.signal is self.outer.signal and outer.path == self.outer.path
        return same and low == self.low + self.width and at == self.at + self.width


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Be bits of a net, in one instance: one side of a run."""

    run: Run
    net: Net
    mask: int
    low: int

    def bits(self, masks: dict[int, int]) -> int:
        """Return which of the bits are in a set, from the end's lowest bit up."""
        return (masks[id(self.net)] & self.mask) >> self.low

    def add(self, masks: dict[int, int], bits: int) -> None:
        """Add bits, from the end's lowest bit up, to a set."""
        masks[id(self.net)] |= bits << self.low & self.mask


def link_ports(design: Elaborated, links: list[PortLink], shown: bool) -> list[Net]:
    """Turn the connections through which strengths must pass into joins; return the nets that they join."""
    needs = defaultdict[int, int](int, {id(net): strength_bits(net, shown) for net in design.nets.values()})
    if not links or not any(needs.values()):
        return []
    for link in links:
        link.find_runs()
    ends = {id(link): [*_ends(design, link)] for link in links}
    seen = defaultdict[int, int](int, {id(net): _visible_bits(net, shown) for net in design.nets.values()})
    changed = not shown
    while changed:
        changed = False
        for sink, source in (pair for pairs in ends.values() for pair in pairs):
            if sink.bits(seen) & ~source.bits(seen):
                source.add(seen, sink.bits(seen))
                changed = True
    chosen: list[PortLink] = []
    waiting, changed = links, True
    while changed:
        changed, links, waiting = False, waiting, []
        for link in links:
            pairs = ends[id(link)]
            if not any(sink.bits(needs) or sink.bits(seen) & source.bits(needs) for sink, source in pairs):
                waiting.append(link)
                continue
            changed = True
            chosen.append(link)
            for end in (end for pair in pairs for end in pair):
                end.add(needs, end.mask >> end.low)
    joined: list[Net] = []
    for link in chosen:
        sides = [end for pair in ends[id(link)] for end in pair]
        _pass_strengths(link, {end.run for end in sides if _delays(end.net)})
        joined += [end.net for end in sides]
    return joined


def _ends(design: Elaborated, link: PortLink) -> Iterator[tuple[_End, _End]]:
    """Yield what is driven, and from what, for each run of bits in each instance."""
    for node in link.unit.nodes:
        for run in link.runs:
            inner = _End(run, design.net(node, link.inner), (1 << run.width) - 1 << run.low, run.low)
            outer = _End(run, design.net(node, run.outer), (1 << run.width) - 1 << run.at, run.at)
            yield (inner, outer) if link.inward else (outer, inner)


def _pass_strengths(link: PortLink, delayed: set[Run]) -> None:
    """Join the bits of a connection, or pass them one way where a net delays them; assign what is no bit of a net."""
    unit, inner, outer = link.unit, link.inner, link.outer
    unit.assigns.remove(link.assign)
    at = 0
    for run in link.runs:
        for number in range(run.width):
            bits = Bit(inner, run.low + number), Bit(run.outer, run.at + number)
            sink, source = bits if link.inward else bits[::-1]
            unit.planner.pass_bit(sink, source, link.span, run in delayed)
    for run in (*link.runs, Run(min(inner.width, outer.width), inner, 0, 0)):
        if at < run.low:
            sides = Slice(inner, at, run.low - at), Slice(outer, at, run.low - at)
            sink, source = sides if link.inward else sides[::-1]
            unit.assigns.append(ContinuousAssign(sink, source, link.span))
        at = run.low + run.width


# ------------------------------------------------------------------------------------------- which nets need strengths


def _delays(net: Net) -> bool:
    return any(signal.delay is not None for _, signal in net.members if signal.net)


def needs_strengths(net: Net, shown: bool) -> bool:
    """Say whether a net's value is made of its drivers' strengths."""
    if net.linked or net.kind in _STRENGTH_NETS or _delays(net):
        return True
    three_state = any(driver.gate.startswith(("bufif", "notif")) for driver in net.drivers)
    if three_state and (shown or net.observed):
        return True
    return any(driver.strength != STRONG or driver.gate in ONE_WAY for driver in net.drivers)


def strength_bits(net: Net, shown: bool) -> int:
    """Return the bits of a net that are not just what one driver of strong levels gives."""
    if net.kind in _STRENGTH_NETS or _delays(net):
        return (1 << net.width) - 1
    found, covered = net.linked, 0
    for driver in net.drivers:
        bits = (1 << driver.width) - 1 << driver.low
        found |= covered & bits
        covered |= bits
        weak = driver.strength != STRONG or driver.gate in ONE_WAY
        if weak or (driver.gate.startswith(("bufif", "notif")) and (shown or net.observed & bits)):
            found |= bits
    return found


def _visible_bits(net: Net, shown: bool) -> int:
    """Return the bits whose strength matters behind a port: all if it is printed, or if the kind combines drivers."""
    return (1 << net.width) - 1 if shown or net.kind in _WIRED else net.observed
