"""Give inputs random values: logic that makes them from a seed, the number of the lane and the number of the cycle.

A random stimulus is more logic, so it is the same on every engine, and a lane that is replayed alone sees what it saw
in the batch. The generator is counter-based: Widynski's *squares* (arXiv:2004.06278), five products of 64 bits for 32
random bits, which passes BigCrush. Its counter is the lane in the upper half and the cycle, a new state `$beat`, in the
lower one; its key comes from the seed, the input's path and the number of the word (BLAKE2b, made odd). `$beat` counts
rising edges of the clock, so a value changes right after each, like that of any register.

`random_words` computes the same values with NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import replace
from weft.ir.cone_graph import SETTLE, ConeGraph, Domain, State, Write
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE
from weft.passes.rebuild_graph import move_sinks
from weft.passes.simplify_nodes import simplify_two_state

LANE, BEAT = "$lane", "$beat"
_SAMPLE = "$beat_clock"
_CONST, _READ = CODE["const"], CODE["read"]
_BITS = 32


def insert_random(graph: ConeGraph, clock: int, inputs: Mapping[int, tuple[str, int]]) -> ConeGraph:
    """Return a 2-state graph in which some inputs (states) have random values; `inputs` gives path and seed of each.

    The new states come after the others.
    """
    builder = GraphBuilder(simplify_two_state)
    count = len(graph.states)
    lane, beat, sample = range(count, count + 3)
    builder.states = [
        *graph.states,
        State(LANE, _BITS, kind="input", initial=0, known=True),
        State(BEAT, _BITS, initial=0, known=True),
        State(_SAMPLE, 1, kind="sample", initial=0, known=True),
    ]
    replaced: dict[int, int] = {}
    for state, (path, seed) in inputs.items():
        width, twin = graph.states[state].width, graph.states[state].twin
        counter = builder.concat([builder.read(beat), builder.read(lane)])
        replaced[state] = random_node(builder, counter, path, seed, width)
        if twin >= 0:
            replaced[twin] = builder.const(width, 0)
    moved = _move(graph, builder, replaced)
    move_sinks(graph, builder, moved)
    now = builder.read(clock)
    builder.domains.append(
        Domain(f"posedge {graph.states[clock].name}", builder.add("posedge", 1, builder.read(sample), now))
    )
    always = builder.const(1, 1)
    following = builder.add("add", _BITS, builder.read(beat), builder.const(_BITS, 1))
    builder.writes.append(Write(beat, following, always, len(builder.domains) - 1))
    builder.writes.append(Write(sample, now, always, SETTLE))
    return replace(builder.freeze(), four_state=graph.four_state)


def _move(graph: ConeGraph, builder: GraphBuilder, replaced: Mapping[int, int]) -> NDArray[np.int32]:
    moved: list[int] = []
    for index, (op, width, param) in enumerate(
        zip(graph.op.tolist(), graph.width.tolist(), graph.param.tolist(), strict=True)
    ):
        if op == _CONST:
            moved.append(builder.const(width, *graph.constants[param]))
        elif op == _READ and param in replaced:
            moved.append(replaced[param])
        else:
            moved.append(builder.node(op, width, tuple(moved[source] for source in graph.sources(index)), param))
    return np.array(moved, np.int32)


def _key(seed: int, path: str, word: int) -> int:
    digest = blake2b(f"{seed}\0{path}\0{word}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") | 1


def random_node(builder: GraphBuilder, counter: int, path: str, seed: int, width: int) -> int:
    """Return the random value of an input; `counter` is a node with the cycle in its lower half, the lane above it."""
    words = [_squares(builder, counter, _key(seed, path, word)) for word in range(-(-width // _BITS))]
    return builder.slice(builder.concat(words), 0, width)


def _squares(b: GraphBuilder, counter: int, key: int) -> int:
    """Return 32 random bits: four rounds of squaring."""
    k = b.const(64, key)
    y = b.add("mul", 64, counter, k)
    z = b.add("add", 64, y, k)
    x = y
    for added in (y, z, y, z):
        x = b.add("add", 64, b.add("mul", 64, x, x), added)
        x = b.concat([b.slice(x, 32, 32), b.slice(x, 0, 32)])
    return b.slice(x, 0, 32)


def random_words(
    seed: int, path: str, width: int, lanes: NDArray[np.integer], cycles: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Return the values of an input, with up to 64 bits, of lanes at cycles (arrays that broadcast)."""
    counter = np.asarray(lanes, np.uint64) << np.uint64(32) | np.asarray(cycles, np.uint64) & np.uint64(0xFFFFFFFF)
    result = np.zeros(counter.shape, np.uint64)
    half = np.uint64(32)
    with np.errstate(over="ignore"):
        for word in range(-(-width // _BITS)):
            key = np.uint64(_key(seed, path, word))
            y = counter * key
            z = y + key
            x = y
            for added in (y, z, y, z):
                x = x * x + added
                x = x >> half | x << half
            result |= (x & np.uint64(0xFFFFFFFF)) << np.uint64(_BITS * word)
    return result & np.uint64((1 << width) - 1)
