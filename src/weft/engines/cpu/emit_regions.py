"""Emit one step as structured code: regions become branches, sinks are committed in place.

Nodes are emitted on demand, in the scope of the region they belong to. Before a branch opens, everything that its arms
need from outside is emitted; a value of a region that is needed again after its branch leaves through a phi (poison on
the other side, where nobody looks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emitter import WIDE, words
from weft.engines.cpu.sink_regions import SinkRegions
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.ops import CODE
from weft.ir.step_graph import MEMREAD, READ, StepGraph

PIECE_LINES = 5000
"""A function is cut when it has this many lines: optimisers need more than linear time."""

_ALIASES = {CODE[name] for name in ("mux", "zext", "sext", "slice")}


Exports = dict[int, dict[int, str]]
"""Values that left closed branches: by region, then by node."""


@dataclass(slots=True)
class Scope:
    """Be one open region: what was named in it, where code can still be put before its current branch.

    `exports` holds what left branches, by the child region that leads there.
    """

    region: int
    added: list[int] = field(default_factory=list[int])
    exports: dict[int, Exports] = field(default_factory=dict[int, "Exports"])
    gap: int = -1


@dataclass(slots=True)
class Piece:
    """Be one of the functions that a long step is cut into, with the constants and helpers that it needs."""

    lines: list[str]
    globals: dict[str, str]
    helpers: set[str]


class RegionEmitter(NodeEmitter):
    """Emit a step's nodes and sinks by region.

    A long step is cut at its top level into several functions. A value that crosses a cut is `foreign` after it: its
    first use there makes it pass through a word of scratch.
    """

    def __init__(self, step: StepGraph, layout: StateLayout, scratch: int, whole: bool = False) -> None:
        super().__init__(step, layout, scratch)
        self.longest = 1 << 60 if whole else PIECE_LINES
        self.regions = SinkRegions(step)
        self.tree = self.regions.tree
        self.scopes = [Scope(0)]
        self.emitted = bytearray(len(self.op))
        self.done_sinks = bytearray(len(self.regions.sinks))
        self.level: dict[int, int] = {}
        self.cold = False
        self.stored: set[int] = set()
        self.copies: set[str] = set()
        self.pieces: list[Piece] = []
        self.foreign: dict[int, str] = {}
        self.homes: dict[str, tuple[list[str], int]] = {}
        self._slots: dict[str, int] = {}
        self._prepared: set[int] = set()
        self._count_uses()

    # --------------------------------------------------------------------------------------------- bookkeeping

    def _count_uses(self) -> None:
        """Count the uses of each live node, and list who reads each state and memory."""
        regions, op = self.regions, self.op
        self.uses = [0] * len(op)
        self.readers: dict[int, list[int]] = {}
        self.memory_readers: dict[int, list[int]] = {}
        self.sink_readers: dict[int, list[int]] = {}
        self.read_nodes: dict[int, list[int]] = {}
        counts = Counter(write.state for write in self.step.writes)
        self.ordered = frozenset(state for state, count in counts.items() if count > 1)
        for node, where in enumerate(regions.region):
            if where < 0:
                continue
            if op[node] == READ:
                self.read_nodes.setdefault(self.param[node], []).append(node)
            for source in regions.uses(node):
                self.uses[source] += 1
                if op[source] == READ:
                    self.readers.setdefault(self.param[source], []).append(node)
            if op[node] == MEMREAD:
                self.memory_readers.setdefault(self.param[node], []).append(node)
        for number, sink in enumerate(regions.sinks):
            for node in (*sink.payload, self.deciding_node(number)):
                self.uses[node] += 1
                if op[node] == READ:
                    self.sink_readers.setdefault(self.param[node], []).append(number)
        self.written = {write.state for write in self.step.writes} | {write.state for write in self.step.memory_writes}
        self.copied = {
            node
            for node, where in enumerate(regions.region)
            if where >= 0 and self.width[node] > WIDE and op[node] in (MEMREAD, *_ALIASES) and self.written
        }

    def emit(self, node: int) -> str:
        """Emit a node in the current scope."""
        name = self.table[self.op[node]](self, node, self.width[node])
        if node in self.copied:
            name = self.copy(name, self.width[node])
        self.define(node, name)
        return name

    def copy(self, name: str, width: int) -> str:
        """Copy a wide value to scratch, for what it points to is going to change; return the copy's name."""
        at = self.allocate(width)
        self.store(at, name, width, 8 * words(width))
        self.copies.add(at)
        return at

    def is_alias(self, node: int) -> bool:
        """Say whether a node that has a name is a pointer into the state."""
        return self.width[node] > WIDE and self.op[node] == READ and self.names[node] not in self.copies

    def lasting(self, node: int) -> str:
        """Return a node's name; it stays right when the state that the node reads is stored."""
        name = self.use(node)
        if self.is_alias(node) and self.param[node] in self.written:
            name = self.copy(name, self.width[node])
        return name

    def define(self, node: int, name: str) -> None:
        """Name a node's value in the current scope and count its sources as used."""
        self.names[node] = name
        if name not in self.homes:
            self.homes[name] = (self.lines, len(self.lines))
        self.scopes[-1].added.append(node)
        self.level[node] = len(self.scopes) - 1
        if not self.cold and not self.emitted[node]:
            self.emitted[node] = 1
            for source in self.regions.uses(node):
                self.uses[source] -= 1

    # ---------------------------------------------------------------------------------------------- on demand

    def demand(self, node: int, may_cut: bool = False) -> None:
        """Emit a node and what it needs, each in the scope of its region; all of them are the current one's."""
        names, srcs, regions, foreign = self.names, self.srcs, self.regions, self.foreign
        region, here = regions.region, self.scopes[-1].region
        may_cut = may_cut and len(self.scopes) == 1
        stack = [node]
        while stack:
            top = stack[-1]
            if top in names:
                stack.pop()
                continue
            if top in foreign:
                stack.pop()
                self._take(top)
                continue
            if may_cut and len(self.lines) > self.longest:
                self.cut()
            if self.op[top] <= READ:
                stack.pop()
                self.emit(top)
                continue
            if region[top] != here and not self.cold:
                raise InternalError(f"node {top} of region {region[top]} is needed in region {here}")
            branch = -1 if self.cold else regions.instance.get(top, -1)
            if branch >= 0:
                if branch not in self._prepared:
                    self._prepared.add(branch)
                    stack.extend(self._branch_needs(branch))
                else:
                    stack.pop()
                    self._emit_branch(branch)
                continue
            missing = [source for source in srcs[top] if source not in names and source not in foreign]
            if missing:
                stack.extend(reversed(missing))
            else:
                stack.pop()
                self.emit(top)

    def cut(self) -> None:
        """End the current function; what it computed is foreign from now on."""
        self.add("ret void")
        self.pieces.append(Piece(self.lines, self.globals, self.helpers))
        self.lines, self.globals, self.helpers = [], {}, set()
        self.here = "entry"
        for node, name in self.names.items():
            if self.is_past(node):
                self.foreign.setdefault(node, name)
        self.names.clear()
        self.scopes[0].added.clear()

    def _take(self, node: int) -> None:
        """Load a foreign value."""
        name = self.foreign[node]
        self.names[node] = self._import(node, name)
        self.scopes[-1].added.append(node)
        self.level[node] = len(self.scopes) - 1

    def _import(self, node: int, name: str) -> str:
        """Return the local name of a value of another function."""
        if name[0] != "%" or name in ("%s", "%m", "%c"):
            if name[0] == "@":
                self.globals[name] = next(piece.globals[name] for piece in self.pieces if name in piece.globals)
            return name
        width = self.width[node]
        stride = 8 if width > WIDE else container_bytes(width)
        at = self._slots.get(name)
        if at is None:
            at = self._slots[name] = self.scratch
            self.scratch += (stride + 7) & ~7
            lines, index = self.homes[name]
            kept, self.lines = self.lines, list[str]()
            where = self.put(f"getelementptr i8, ptr %c, i64 {at}")
            if width > WIDE:
                self.add(f"store ptr {name}, ptr {where}, align 8")
            else:
                self.store(where, name, width, stride)
            lines[index - 1] += "\n" + "\n".join(self.lines)
            self.lines = kept
        where = self.put(f"getelementptr i8, ptr %c, i64 {at}")
        if width > WIDE:
            return self.put(f"load ptr, ptr {where}, align 8")
        return self.container(where, width, stride)

    def _branch_needs(self, branch: int) -> list[int]:
        """Return what must be there before a branch opens: its condition and what its arms use from outside."""
        muxes = self.regions.instances[branch]
        condition, _ = self.regions.base(self.srcs[muxes[0]][0])
        arms = [arm for mux in muxes for arm in self.srcs[mux][1:]]
        return [*self.outer_needs(arms), condition]

    def outer_needs(self, roots: list[int]) -> list[int]:
        """Return the nodes of the current region that the cones of `roots` need and that are not there yet."""
        here, names, op, foreign = self.scopes[-1].region, self.names, self.op, self.foreign
        region, instance, instances = self.regions.region, self.regions.instance, self.regions.instances
        depth, limit = self.tree.depth, self.tree.depth[here]
        found: list[int] = []
        seen, stack = set(roots), list(roots)
        while stack:
            node = stack.pop()
            if node in names or op[node] <= READ or node in foreign:
                continue
            if depth[region[node]] <= limit:
                found.append(node)
                continue
            if self.emitted[node]:
                # It left its branch, for somebody still needs it, and is known again where that branch goes on.
                continue
            branch = instance.get(node, -1)
            sources = self.regions.uses(node) if branch < 0 else (*self.regions.uses(node), *instances[branch])
            for source in sources:
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
        found.sort(reverse=True)
        return found

    # ------------------------------------------------------------------------------------------------ branches

    def open(self, region: int) -> None:
        """Enter a region: values that left an earlier branch on it are known again."""
        outer = self.scopes[-1]
        self.scopes.append(Scope(region))
        known = outer.exports.get(region, {})
        for below, values in known.items():
            if below != region:
                self.scopes[-1].exports.setdefault(self._way(region, below), {})[below] = dict(values)
        for node, name in known.get(region, {}).items():
            home = self.homes.get(name)
            if home is not None and home[0] is not self.lines:
                if self.uses[node] <= 0:
                    continue
                name = self._import(node, name)
            self.names[node] = name
            self.scopes[-1].added.append(node)
            self.level[node] = len(self.scopes) - 1

    def _way(self, outer: int, inner: int) -> int:
        """Return the child of `outer` that is or contains `inner`."""
        parent = self.tree.parent
        while parent[inner] != outer:
            inner = parent[inner]
        return inner

    def close(self) -> list[tuple[int, int, str]]:
        """Leave the region; return (region, node, name) of each value that somebody still needs."""
        scope = self.scopes.pop()
        leaving: dict[int, tuple[int, int, str]] = {}
        for exports in scope.exports.values():
            for region, values in exports.items():
                for node, name in values.items():
                    if self.uses[node] > 0:
                        leaving[node] = (region, node, name)
        for node in scope.added:
            if self.level.get(node) != len(self.scopes):
                continue
            name = self.names.pop(node, "")
            if not self.cold and self.uses[node] > 0 and name and self.is_past(node) and node not in self.foreign:
                leaving[node] = (scope.region, node, name)
        return list(leaving.values())

    def is_past(self, node: int) -> bool:
        """Say whether a value cannot simply be read again."""
        return self.op[node] > READ or (self.op[node] == READ and self.param[node] in self.stored)

    def pause(self) -> None:
        """Leave a gap before a branch, in which old values can still be loaded."""
        self.scopes[-1].gap = len(self.lines)
        self.lines.append("")

    def branch(self, condition: str, arms: list[tuple[int, Callable[[], list[str]]]], kinds: list[str]) -> list[str]:
        """Emit an if with one or two arms `(region, body)`; return the names of the bodies' results, joined by phis.

        The first arm runs when the condition holds. A missing second arm does nothing and has no results.
        """
        self.pause()
        labels = [self.label() for _ in arms]
        done, start = self.label(), self.here
        self.add(f"br i1 {condition}, label %{labels[0]}, label %{labels[1] if len(arms) > 1 else done}")
        results: list[list[str]] = []
        leaving: list[list[tuple[int, int, str]]] = []
        ends: list[str] = []
        for label, (region, body) in zip(labels, arms, strict=True):
            self.begin(label)
            self.open(region)
            results.append(body())
            leaving.append(self.close())
            self.add(f"br label %{done}")
            ends.append(self.here)
        if len(arms) == 1:
            ends.append(start)
        self.begin(done)
        joined = [
            self.put(f"phi {kind} [{results[0][i]}, %{ends[0]}], [{results[1][i]}, %{ends[1]}]")
            for i, kind in enumerate(kinds)
        ]
        for arm, values in enumerate(leaving):
            exports = self.scopes[-1].exports.setdefault(arms[arm][0], {})
            for region, node, name in values:
                known = exports.setdefault(region, {})
                if node not in known:
                    known[node] = self.put(f"phi {self.kind(node)} [{name}, %{ends[arm]}], [poison, %{ends[1 - arm]}]")
                    joined.append(known[node])
        for name in joined:
            self.homes[name] = (self.lines, len(self.lines))
        return joined[: len(kinds)]

    def kind(self, node: int) -> str:
        """Return the LLVM type of a node's operand."""
        return "ptr" if self.width[node] > WIDE else f"i{self.width[node]}"

    def _emit_branch(self, number: int) -> None:
        """Emit the muxes that share a branch."""
        regions, tree = self.regions, self.tree
        muxes = [mux for mux in regions.instances[number] if mux not in self.names]
        here = self.scopes[-1].region
        condition, _ = regions.base(self.srcs[muxes[0]][0])

        def arm(polarity: int) -> tuple[int, Callable[[], list[str]]]:
            chosen: list[int] = []
            for mux in muxes:
                _, then_when = regions.base(self.srcs[mux][0])
                chosen.append(self.srcs[mux][1] if then_when == polarity else self.srcs[mux][2])
            return tree.child(here, condition, polarity), lambda: [self.lasting(node) for node in chosen]

        names = self.branch(self.use(condition), [arm(1), arm(0)], [self.kind(mux) for mux in muxes])
        for mux, name in zip(muxes, names, strict=True):
            self.define(mux, name)

    def demand_here(self, node: int) -> None:
        """Demand a node unless it is there, or needs nothing."""
        if node not in self.names:
            self.demand(node, may_cut=True)

    def deciding_node(self, number: int) -> int:
        """Return the node that decides whether an enabled sink fires."""
        enable = self.regions.sinks[number].enable
        return enable if self.regions.selected[number] else self.regions.base(enable)[0]

    def test(self, nodes: Sequence[int]) -> str:
        """Return whether any of some one-bit nodes is 1."""
        if any(self.constant(node) == 1 for node in nodes):
            return "true"
        unknown = [node for node in dict.fromkeys(nodes) if self.constant(node) is None]
        for node in unknown:
            self.demand_here(node)
        result = "false"
        for node in unknown:
            result = self.use(node) if result == "false" else self.put(f"or i1 {result}, {self.use(node)}")
        return result

    def emit_cold(self, condition: str, body: Callable[[], None]) -> None:
        """Emit code that seldom runs, with its own copy of everything that it alone needs."""
        if condition in ("0", "false"):
            return
        go, done = self.label(), self.label()
        self.add(f"br i1 {condition}, label %{go}, label %{done}")
        self.begin(go)
        self.scopes.append(Scope(-1))
        self.cold = True
        body()
        self.close()
        self.cold = False
        self.add(f"br label %{done}")
        self.begin(done)
