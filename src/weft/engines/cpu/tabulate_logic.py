"""Replace logic that depends on a few bits of one value by a look-up table.

Decoders are hundreds of comparisons, ands and ors over the same ten or twelve bits: an opcode with its function code, a
CSR's address, the state of a machine. All that is used of them outside fits into one word, and the word is found in a
table whose index is those bits. That is what FPGA mappers do with their 4- or 6-input tables (Cong and Ding, "FlowMap",
IEEE TCAD 1994); here a table has up to 4096 entries, many outputs, and inputs that lie together in a value already.

One sweep finds for each node the value (`leaf`) and the bits of it that it depends on; bits are never gathered from
several values, for that costs as much as the logic. For each leaf, sets of at most `MOST_BITS` bits are then grown
greedily, and a set becomes a table when what it saves is worth its size. Tables are filled by evaluating their cones
for all indices at once with NumPy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, replace
from weft.ir.ops import OPS, mask
from weft.ir.step_graph import CONST, LOOKUP, SLICE, StepGraph, Table, live_nodes

MOST_BITS = 12
"""Input bits of a table."""

LEAST_GAIN = 3
"""What a table must save, in operations; each 128 entries must save one more."""

_WORD = 64
_WIDEST = 32
"""Nodes that can be tabulated are at most this wide."""

_SEEDS = 8
"""From how many of a leaf's commonest bit sets a table's bits are grown."""

Values = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Be one table: its leaf, the bits of the leaf that are its index, and the nodes that are read from it."""

    leaf: int
    bits: int
    outputs: tuple[int, ...]


def tabulate_logic(step: StepGraph) -> StepGraph:
    """Return an equal step graph in which logic of few bits is looked up."""
    live = live_nodes(step)
    origins = _find_origins(step, live)
    users = _count_users(step, live)
    by_leaf: dict[int, list[int]] = {}
    for node, (leaf, _) in origins.items():
        if leaf >= 0 and step.op[node] != SLICE:
            by_leaf.setdefault(leaf, []).append(node)
    clusters = [found for leaf, nodes in by_leaf.items() for found in _choose(step, leaf, nodes, origins, users)]
    return _insert(step, clusters, origins) if clusters else step


def _find_origins(step: StepGraph, live: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Return (leaf, bits) of the live nodes that depend on one leaf; a constant's leaf is -1."""
    op, srcs, width = step.op, step.srcs, step.width
    found: dict[int, tuple[int, int]] = {}
    for node, lives in enumerate(live):
        if not lives or width[node] > _WIDEST:
            continue
        code = op[node]
        if code == CONST:
            found[node] = (-1, 0)
        elif code == SLICE:
            (source,) = srcs[node]
            if source in found:
                found[node] = found[source]
            elif width[source] <= _WORD:
                found[node] = (source, mask(width[node]) << step.param[node])
        elif code in _VECTOR:
            leaf, bits = -1, 0
            for source in srcs[node]:
                at, own = found.get(source) or (source, mask(width[source]))
                if at >= 0 and leaf >= 0 and at != leaf:
                    break
                leaf, bits = max(at, leaf), bits | own
            else:
                if leaf >= 0 and bits.bit_count() <= MOST_BITS:
                    found[node] = (leaf, bits)
    return found


def _count_users(step: StepGraph, live: Sequence[int]) -> dict[int, list[int]]:
    """Return the users of each node; -1 stands for a sink, an effect or a trigger."""
    users: dict[int, list[int]] = {}
    for node, lives in enumerate(live):
        if lives:
            for source in step.srcs[node]:
                users.setdefault(source, []).append(node)
    for node in step.roots():
        users.setdefault(node, []).append(-1)
    return users


def _choose(
    step: StepGraph, leaf: int, nodes: list[int], origins: dict[int, tuple[int, int]], users: dict[int, list[int]]
) -> Iterable[Cluster]:
    """Yield the tables of one leaf, the best first."""
    left = nodes
    while left:
        commonest = [bits for bits, _ in Counter(origins[node][1] for node in left).most_common()]
        grown: set[int] = set()
        for seed in commonest[:_SEEDS]:
            bits = seed
            for other in commonest:
                if (bits | other).bit_count() <= MOST_BITS:
                    bits |= other
            grown.add(bits)
        inside = {bits: {node for node in left if not origins[node][1] & ~bits} for bits in grown}
        bits = max(grown, key=lambda bits: len(inside[bits]))
        covered = inside[bits]
        outputs = [node for node in sorted(covered) if any(user not in covered for user in users[node])]
        # An output that is looked up still costs a shift or a test.
        gain = len(covered) - len(outputs) / 2 - 4
        if gain < LEAST_GAIN + (1 << bits.bit_count()) / 128:
            return
        total = 0
        kept: list[int] = []
        for node in outputs:
            if total + step.width[node] <= _WORD:
                total += step.width[node]
                kept.append(node)
        yield Cluster(leaf, bits, tuple(kept))
        left = [node for node in left if node not in covered]


def _insert(step: StepGraph, clusters: list[Cluster], origins: dict[int, tuple[int, int]]) -> StepGraph:
    """Return the step with a look-up behind each cluster's leaf, and slices of it in the place of its outputs."""
    behind: dict[int, list[int]] = {}
    place: dict[int, tuple[int, int]] = {}
    for number, cluster in enumerate(clusters):
        behind.setdefault(cluster.leaf, []).append(number)
        low = 0
        for node in cluster.outputs:
            place[node] = (number, low)
            low += step.width[node]
    op: list[int] = []
    width: list[int] = []
    param: list[int] = []
    srcs: list[tuple[int, ...]] = []
    new: list[int] = []
    looked_up: dict[int, int] = {}

    def add(code: int, bits: int, number: int, sources: tuple[int, ...]) -> int:
        op.append(code)
        width.append(bits)
        param.append(number)
        srcs.append(sources)
        return len(op) - 1

    tables = [*step.tables]
    for node in range(len(step.op)):
        if node in place:
            number, low = place[node]
            new.append(add(SLICE, step.width[node], low, (looked_up[number],)))
        else:
            new.append(add(step.op[node], step.width[node], step.param[node], tuple(new[s] for s in step.srcs[node])))
        for number in behind.get(node, ()):
            tables.append(_fill(step, clusters[number], origins))
            looked_up[number] = add(LOOKUP, tables[-1].width, len(tables) - 1, (new[node],))
    return replace(step.renumbered(new.__getitem__), op=op, width=width, param=param, srcs=srcs, tables=tables)


def _fill(step: StepGraph, cluster: Cluster, origins: dict[int, tuple[int, int]]) -> Table:
    """Compute a table's entries: for each index all outputs, side by side."""
    index = np.arange(1 << cluster.bits.bit_count(), dtype=np.uint64)
    leaf = np.zeros_like(index)
    for place, bit in enumerate(bit for bit in range(_WORD) if cluster.bits >> bit & 1):
        leaf |= (index >> np.uint64(place) & np.uint64(1)) << np.uint64(bit)
    values: dict[int, Values] = {cluster.leaf: leaf}
    for node in sorted(_cone(step, cluster)):
        if step.op[node] == CONST:
            values[node] = np.full_like(index, step.constants[step.param[node]][0])
        else:
            sources = step.srcs[node]
            values[node] = evaluate_all(
                step.op[node], [values[s] for s in sources], [step.width[s] for s in sources], step.width[node],
                step.param[node],
            )  # fmt: skip
    entries, low = np.zeros_like(index), 0
    for node in cluster.outputs:
        entries |= values[node] << np.uint64(low)
        low += step.width[node]
    return Table(cluster.bits, low, tuple(entries.tolist()))


def _cone(step: StepGraph, cluster: Cluster) -> set[int]:
    """Return the nodes from a cluster's outputs back to its leaf, which is left out."""
    stack, seen = list(cluster.outputs), set(cluster.outputs)
    while stack:
        for source in step.srcs[stack.pop()]:
            if source not in seen and source != cluster.leaf:
                seen.add(source)
                stack.append(source)
    return seen


# ------------------------------------------------------------------------------------ operations, many values at once


def evaluate_all(op: int, values: Sequence[Values], widths: Sequence[int], width: int, param: int) -> Values:
    """Evaluate one of `TABULATED` for arrays of sources of up to 32 bits (a slice's source: 64)."""
    result = _VECTOR[op](values, widths, param) if op != SLICE else values[0] >> np.uint64(param)
    return result.astype(np.uint64) & np.uint64(mask(width))


def _signed(value: Values, width: int) -> NDArray[np.int64]:
    shift = np.int64(64 - width)
    return value.astype(np.int64) << shift >> shift


def _parity(value: Values) -> Values:
    for shift in (32, 16, 8, 4, 2, 1):
        value = value ^ value >> np.uint64(shift)
    return value


def _concat(values: Sequence[Values], widths: Sequence[int]) -> Values:
    result, low = np.zeros_like(values[0]), 0
    for value, width in zip(values, widths, strict=True):
        result, low = result | value << np.uint64(low), low + width
    return result


_NAMED: dict[str, Callable[[Sequence[Values], Sequence[int], int], NDArray[np.generic]]] = {
    "not": lambda v, w, p: ~v[0],
    "and": lambda v, w, p: v[0] & v[1],
    "or": lambda v, w, p: v[0] | v[1],
    "xor": lambda v, w, p: v[0] ^ v[1],
    "add": lambda v, w, p: v[0] + v[1],
    "sub": lambda v, w, p: v[0] - v[1],
    "eq": lambda v, w, p: v[0] == v[1],
    "ult": lambda v, w, p: v[0] < v[1],
    "slt": lambda v, w, p: _signed(v[0], w[0]) < _signed(v[1], w[1]),
    "concat": lambda v, w, p: _concat(v, w),
    "zext": lambda v, w, p: v[0],
    "sext": lambda v, w, p: _signed(v[0], w[0]),
    "mux": lambda v, w, p: np.where(v[0] != 0, v[1], v[2]),
    "redand": lambda v, w, p: v[0] == np.uint64(mask(w[0])),
    "redor": lambda v, w, p: v[0] != 0,
    "redxor": lambda v, w, p: _parity(v[0]),
}
_VECTOR = {code: _NAMED[op.name] for code, op in enumerate(OPS) if op.name in _NAMED}
TABULATED = (*_VECTOR, SLICE)
"""The operations that can be part of a table."""
