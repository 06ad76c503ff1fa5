"""The words that draw random numbers are annex N's doubles and the streams of `ir.random_streams`, bit by bit."""

import random

import numpy as np

from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import OPS
from weft.passes.lower_draws import next_seed, random_number
from weft.passes.lower_uniform import uniform_number
from weft.sim.random_sequence import next_seed as next_seed_of_annex
from weft.sim.random_sequence import random32, rtl_dist_uniform

ONES = 0xFFFFFFFF


def in_arrays(builder, root, read):
    """Return a node's values where the one read has those of an array."""
    words = []
    for node, op in enumerate(builder.op):
        name, width, param = OPS[op].name, builder.width[node], builder.param[node]
        sources = [words[source] for source in builder.srcs[node]]
        if name == "const":
            word = np.full_like(read, builder.constants[param][0])
        elif name == "read":
            word = read
        elif name == "slice":
            word = sources[0] >> np.uint64(param)
        elif name == "concat":
            at, word = 0, np.zeros_like(read)
            for source, part in zip(builder.srcs[node], sources, strict=True):
                word |= part << np.uint64(at)
                at += builder.width[source]
        elif name == "mux":
            word = np.where(sources[0] == 1, sources[1], sources[2])
        else:
            word = {
                "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
                "and": lambda a, b: a & b, "eq": lambda a, b: (a == b).astype(np.uint64),
                "not": lambda a: ~a, "zext": lambda a: a,
            }[name](*sources)  # fmt: skip
        words.append(word & np.uint64((1 << width) - 1))
    return words[root]


def seed_graph():
    from weft.ir.cone_graph import State

    builder = GraphBuilder()
    builder.states.append(State("seed", 32, initial=0))
    return builder, builder.read(0)


def test_every_number_is_annex_n():
    builder, seed = seed_graph()
    number = random_number(builder, seed)
    upper = np.arange(1 << 23, dtype=np.uint64)
    got = in_arrays(builder, number, upper << np.uint64(9) | np.uint64(5))
    # The annex in doubles, as `random_sequence.uniform` and `rtl_dist_uniform` have it.
    fraction = 1.0 + upper.astype(np.float64) / 2.0**23
    value = (fraction + fraction * 0.00000011920928955078125 - 1.0) * 4294967295.0 - 2147483648.0
    value = (value + 2147483648.0) / 4294967295.0 * 4294967296.0 - 2147483648.0
    whole = np.where(value >= 0, np.trunc(value), -np.trunc(-(value - 1))).astype(np.int64)
    assert np.array_equal(got, whole.astype(np.uint64) & np.uint64(ONES))


def test_numbers_and_seeds_of_the_python_form():
    builder, seed = seed_graph()
    after = next_seed(builder, seed)
    number = random_number(builder, after)
    draw = random.Random(1)
    inverse = pow(69069, -1, 1 << 32)
    seeds = [0, 1, ONES, 1 << 31, *(draw.getrandbits(32) for _ in range(20_000))]
    # Seeds after which the upper bits are all 1 or 0: the number wraps round, or is a whole one below 0.
    seeds += [(bits - 1) * inverse & ONES for bits in (0xFFFFFE00, ONES, 0, 0x1FF, 0x00800000, 0x7F800000)]
    words = np.array(seeds, np.uint64)
    expected = [random32(word)[0] & ONES for word in seeds]
    assert in_arrays(builder, after, words).tolist() == [next_seed_of_annex(word) for word in seeds]
    assert in_arrays(builder, number, words).tolist() == expected


LEAST, GREATEST = -(1 << 31), (1 << 31) - 1
BOUNDS = [
    (0, 1), (0, 9), (-5, 5), (-9, -3), (LEAST, 9), (LEAST, GREATEST - 1), (-9, GREATEST), (LEAST + 1, GREATEST),
    (1, GREATEST), (0, GREATEST - 1), (LEAST, LEAST + 1), (GREATEST - 1, GREATEST), (LEAST, -1),
]  # fmt: skip


def evaluate(builder, root, values):
    """Return a node's value where the states have some values."""
    found = []
    for node in range(root + 1):
        op, width, param = OPS[builder.op[node]], builder.width[node], builder.param[node]
        sources = builder.srcs[node]
        if op.name == "const":
            found.append(builder.constants[param][0])
        elif op.name == "read":
            found.append(values[param])
        else:
            found.append(op.evaluate([found[s] for s in sources], [builder.width[s] for s in sources], width, param))
    return found[root]


def test_uniform_numbers_are_annex_n():
    builder, seed = seed_graph()
    builder.states += [builder.states[0]] * 2
    number = uniform_number(builder, seed, builder.read(1), builder.read(2))
    draw = random.Random(3)
    bounds = [*BOUNDS]
    bounds += [tuple(sorted(draw.sample(range(LEAST, GREATEST + 1), 2))) for _ in range(200)]
    inverse = pow(69069, -1, 1 << 32)
    for low, high in bounds:
        afters = [draw.getrandbits(32) for _ in range(20)]
        afters += [upper << 9 for upper in (0, 1, 1 << 14, (1 << 22) - 1, 1 << 22, (1 << 23) - 2, (1 << 23) - 1)]
        for after in afters:
            before = (after - 1) * inverse & ONES
            if before == 0:
                continue
            expected, next_one = rtl_dist_uniform(before, low, high)
            assert next_one == after
            assert evaluate(builder, number, [after, low & ONES, high & ONES]) == expected & ONES, (low, high, after)
