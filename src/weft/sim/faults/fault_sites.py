"""Where faults can be: the signals and memories of a design that globs name, each once, and the names of their bits.

A signal that several names stand for (an output and the net that it drives) is one site, under the first name that was
asked for; `alias_sites` finds that out in a graph where the signals are forceable, because only there are two signals
with equal values two nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported, UserError
from weft.base.path_patterns import PathPattern
from weft.ir.cone_graph import ConeGraph
from weft.ir.ops import CODE
from weft.sim.compiled_design import CompiledDesign
from weft.sim.handles import lowest_index
from weft.sim.signal_map import Found, Part, SignalMap

_CONST, _SLICE, _CONCAT, _ZEXT = (CODE[name] for name in ("const", "slice", "concat", "zext"))


@dataclass(frozen=True, slots=True)
class FaultSite:
    """Be a signal or memory in which faults can be.

    `width` bits in each of `depth` elements (0: no array). `memory` is the state of an array that is kept as a memory;
    the bits of another are numbered through, element by element. `parts` say in which registers or latches a signal is
    kept: a transient there is an upset. `constants` are bits that are always 0 or 1, by number. A `pin` has the
    paths of a signal and of another as the logic of the first sees it; `parts` are then those of the first.
    """

    path: str
    width: int
    left: int
    right: int
    depth: int = 0
    lowest: int = 0
    memory: int = -1
    parts: tuple[Part, ...] = ()
    constants: tuple[tuple[int, int], ...] = ()
    pin: tuple[str, str] | None = None

    def bit_name(self, bit: int, element: int = -1) -> str:
        """Return the name of a bit as the source would have it: `top.u.q[3]`, `top.ram[17][3]`."""
        text = self.path if element < 0 else f"{self.path}[{element + self.lowest}]"
        if self.width == 1 and self.left == self.right == 0:
            return text
        return f"{text}[{self.right + bit if self.left >= self.right else self.right - bit}]"

    def bit(self, index: int) -> int:
        """Return the number of the bit of an index of the source; raises `index-range`."""
        low, high = sorted((self.left, self.right))
        if not low <= index <= high:
            raise UserError("index-range", f"'{self.path}' has bits {self.left} to {self.right}, no bit {index}")
        return index - self.right if self.left >= self.right else self.right - index


def match_paths(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the paths that a glob matches and none that begins with `!` does; a glob that matches nothing is an error.

    The name of the top may be left out.
    """
    every = list(paths)
    chosen: dict[str, None] = {}
    for pattern in (pattern for pattern in patterns if not pattern.startswith("!")):
        found = _matching(every, pattern)
        if not found:
            raise UserError("unknown-signal", f"no signal matches '{pattern}'")
        chosen.update(dict.fromkeys(found))
    for pattern in (pattern[1:] for pattern in patterns if pattern.startswith("!")):
        for path in _matching(every, pattern):
            chosen.pop(path, None)
    return list(chosen)


def _matching(paths: Sequence[str], pattern: str) -> list[str]:
    chosen = PathPattern(pattern)
    return [path for path in paths if chosen.matches(path)]


def find_sites(
    design: CompiledDesign, signals: SignalMap, patterns: Sequence[str], clocks: Collection[int]
) -> tuple[list[FaultSite], list[str]]:
    """Return the sites that globs name, and the signals left out: those that their own process reads.

    Clocks, which the run itself drives, are no sites.
    """
    graph = signals.graph
    found: dict[str, Found] = {}
    forwarded = _forwarded(design)
    for path, scope, index in signals.paths():
        each = signals.at(scope, index)
        if not (each.signal.local or each.signal.automatic) and not _is_clock(signals, each, clocks):
            found[path] = each
    chosen = match_paths(found, patterns)
    sites = [_site(signals, graph, path, found[path]) for path in chosen if path not in forwarded]
    return sites, [path for path in chosen if path in forwarded]


def _forwarded(design: CompiledDesign) -> set[str]:
    """Return the paths of signals that a process reads after it has assigned them: it would not see their faults."""
    found: set[str] = set()
    for scope in design.graph.scopes:
        for name in design.forwarded.get(scope.module, ()):
            found.add(f"{scope.path}.{name}")
    return found


def refuse_left_out(left_out: Collection[str], patterns: Sequence[str]) -> None:
    """Raise Unsupported for a signal that is left out although it is named, not only matched."""
    for path in left_out:
        if path in patterns or path.partition(".")[2] in patterns:
            raise Unsupported(f"a fault in '{path}', which a process reads after it has assigned it")


def _is_clock(signals: SignalMap, found: Found, clocks: Collection[int]) -> bool:
    parts = signals.parts(found.node) if found.node >= 0 else None
    return parts is not None and all(part.state in clocks for part in parts)


def _site(signals: SignalMap, graph: ConeGraph, path: str, found: Found) -> FaultSite:
    signal = found.signal
    ranges = signal.type.ranges
    whole = len(ranges) == 1 and abs(ranges[0][0] - ranges[0][1]) + 1 == signal.width
    left, right = ranges[0] if whole else (signal.width - 1, 0)
    lowest = lowest_index(found) if signal.depth else 0
    if found.memory >= 0:
        return FaultSite(path, signal.width, left, right, signal.depth, lowest, memory=found.memory)
    parts = signals.parts(found.node) or ()
    if any(graph.states[part.state].kind not in ("register", "latch") for part in parts):
        parts = ()
    if not parts:
        parts = signals.latch_parts(found.scope, signal.name)
    constants = tuple(sorted(_constant_bits(graph, found.node).items()))
    return FaultSite(path, signal.width, left, right, signal.depth, lowest, parts=parts, constants=constants)


def _constant_bits(graph: ConeGraph, node: int) -> dict[int, int]:
    """Return the bits of a node that are constants behind wiring."""
    found: dict[int, int] = {}
    work = [(node, 0, int(graph.width[node]), 0)]  # (node, its lowest bit, how many, where they are in the signal)
    while work:
        node, low, width, at = work.pop()
        op = int(graph.op[node])
        if op == _CONST:
            value = graph.constant(node)[0] >> low
            found.update({at + bit: value >> bit & 1 for bit in range(width)})
        elif op == _SLICE:
            work.append((graph.sources(node)[0], low + int(graph.param[node]), width, at))
        elif op == _ZEXT:
            (source,) = graph.sources(node)
            inside = max(0, min(low + width, int(graph.width[source])) - low)
            if inside:
                work.append((source, low, inside, at))
            found.update(dict.fromkeys(range(at + inside, at + width), 0))
        elif op == _CONCAT:
            base = 0
            for source in graph.sources(node):
                size = int(graph.width[source])
                first, last = max(low, base), min(low + width, base + size)
                if first < last:
                    work.append((source, first - base, last - first, at + first - low))
                base += size
    return found


def alias_sites(sites: Sequence[FaultSite], forced: SignalMap) -> dict[str, str]:
    """Return for each site's path the path of the first site that is the same signal, in a graph that can force all."""
    first: dict[int, str] = {}
    same: dict[str, str] = {}
    for site in sites:
        node = forced.find(site.path).node
        same[site.path] = first.setdefault(node, site.path)
    return same
