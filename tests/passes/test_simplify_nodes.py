"""Every rewrite rule is proved by SMT on many instances, exact ones in 4 states; whole graphs keep their meaning.

An instance of a rule is a random node of its operation whose source has an operation that the rule asks for, with
operands drawn so that coincidences (the same node twice, special constants) are frequent. Where the rule fires, the
node and what it became are proved equal for all values of the states: in 2 states directly, for exact rules both
planes of the split graph.
"""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from random_graphs import random_graph, random_state
from smt import Encoder
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import BY_NAME, CODE, OPS, mask
from weft.ir.verify_graph import verify_graph
from weft.passes.rebuild_graph import rebuild_graph
from weft.passes.rewrite_rules import DESCENDING, TWINS, Rule
from weft.passes.simplify_nodes import RULES, simplify_exact, simplify_two_state
from weft.passes.split_planes import split_planes

SMALL, LARGE = (1, 2, 3, 4, 5), (8, 17, 32, 33)
HARD = {"mul", "udiv", "umod", "upow"}  # too slow to prove at large widths
FILLERS = ("and", "or", "xor", "not", "add", "mux", "slice", "concat", "zext", "sext", "eq")


class Instances:
    """Make random nodes that a rule may fit."""

    def __init__(self, rule: Rule, seed: int, widths: tuple[int, ...]) -> None:
        self.rule, self.random, self.widths = rule, Random(seed), widths
        self.builder = GraphBuilder(four_state=rule.exact)
        self.variables: dict[int, list[int]] = {}

    def variable(self, width: int) -> int:
        have = self.variables.setdefault(width, [])
        if len(have) < 2:
            self.builder.states.append(State(f"s{width}", width, kind="input"))
            have.append(self.builder.read(len(self.builder.states) - 1))
        return self.random.choice(have)

    def constant(self, width: int) -> int:
        random = self.random
        value = random.choice((0, 1, mask(width), 2 & mask(width), random.getrandbits(width), 1 << (width - 1)))
        unknown = random.getrandbits(width) if self.rule.exact and random.random() < 0.25 else 0
        return self.builder.const(width, value, unknown)

    def operand(self, width: int, near: tuple[int, ...] = (), depth: int = 1) -> int:
        """Return a node of a width: one of `near` or of their sources, a constant, a variable, or an operation."""
        random, builder = self.random, self.builder
        family = [*near, *(source for node in near for source in builder.srcs[node])]
        fitting = [node for node in family if builder.width[node] == width]
        draw = random.random()
        if fitting and draw < 0.4:
            return random.choice(fitting)
        if draw < 0.65:
            return self.constant(width)
        if depth == 0 or draw < 0.8:
            return self.variable(width)
        return self.node_of(random.choice((*FILLERS, self.rule.op)), width, near, depth - 1)

    def node_of(self, name: str, width: int, near: tuple[int, ...] = (), depth: int = 1) -> int:
        """Return a node of an operation, or of another where the width does not allow it."""
        op, random, builder = BY_NAME[name], self.random, self.builder
        if name == "const":
            return self.constant(width)
        if op.rule in ("bit", "bit1", "compare") and width != 1:
            return self.variable(width)
        if name == "concat":
            cut = random.randint(1, width)
            widths, param = ((cut, width - cut) if cut < width else (width,)), 0
        else:
            widths, param = self.source_widths(op.rule, op.arity, width)
        return builder.node(op.code, width, tuple(self.operand(w, near, depth) for w in widths), param)

    def source_widths(self, rule: str, arity: int, width: int) -> tuple[tuple[int, ...], int]:
        random = self.random
        other = random.choice(self.widths)
        match rule:
            case "same":
                return (width,) * arity, 0
            case "compare":
                return (other, other), 0
            case "shift":
                return (width, random.choice((1, 3, 4))), 0
            case "slice":
                have = width + random.randint(0, 6)
                return (have,), random.randint(0, have - width)
            case "extend":
                return (random.randint(1, width),), 0
            case "mux":
                return (1, width, width), 0
            case "insert":
                return (width, 4, other), 0
            case "bit1":
                return (1, 1), 0
            case _:
                return ((other,) if arity == 1 else (other, 4)), 0

    def instance(self) -> tuple[int, int] | None:
        """Return a node and what the rule makes of it; None if the rule did not fire."""
        rule, random, builder = self.rule, self.random, self.builder
        op = BY_NAME[rule.op]
        width = 1 if op.rule in ("bit", "bit1", "compare") else random.choice(self.widths)
        if op.name == "concat":
            widths, param = tuple(random.choice(self.widths) for _ in range(random.randint(1, 4))), 0
            width = sum(widths)
        else:
            widths, param = self.source_widths(op.rule, op.arity, width)
        sources = [-1] * len(widths)
        order = sorted(range(len(widths)), key=lambda position: position != rule.position)
        for position in order:
            near = tuple(source for source in sources if source >= 0)
            if position == rule.position:
                sources[position] = self.node_of(random.choice(rule.source_ops), widths[position], near)
            else:
                sources[position] = self.operand(widths[position], near)
        if rule.position == TWINS:
            sources[-1] = sources[-2]
        elif rule.position == DESCENDING and sources[0] <= sources[1]:
            return None
        if rule.position >= 0 and OPS[builder.op[sources[rule.position]]].name not in rule.source_ops:
            return None
        found = rule.rewrite(builder, op.code, width, tuple(sources), param)
        if found is None:
            return None
        assert builder.width[found] == width
        return builder._append(op.code, width, tuple(sources), param), found


def prove(rule: Rule, instances: Instances, pairs: list[tuple[int, int]]) -> None:
    """Prove all pairs of nodes equal."""
    graph = instances.builder.freeze()
    verify_graph(graph)
    if not rule.exact:
        encoder = Encoder(graph, {node for pair in pairs for node in pair})
        for before, after in pairs:
            assert encoder.equal(before, after), f"{rule.name}: %{before} is not %{after}"
        return
    split = split_planes(graph)
    nodes = [node for pair in pairs for node in pair]
    encoder = Encoder(split.graph, {*split.values[nodes].tolist(), *split.unknowns[nodes].tolist()})
    for before, after in pairs:
        for planes in (split.values, split.unknowns):
            assert encoder.equal(int(planes[before]), int(planes[after])), f"{rule.name}: %{before} is not %{after}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_is_proved(rule: Rule):
    proved = 0
    for widths, wanted in ((SMALL, 25), (LARGE, 5)):
        if widths is LARGE and HARD & {rule.op, *rule.source_ops}:
            continue
        instances = Instances(rule, 1, widths)
        pairs: list[tuple[int, int]] = []
        for _ in range(20_000):
            pair = instances.instance()
            if pair is not None:
                pairs.append(pair)
                if len(pairs) == wanted:
                    break
        prove(rule, instances, pairs)
        proved += len(pairs)
    assert proved >= 10, "the rule hardly ever fires"


@given(st.integers(0, 1 << 32), st.integers(1, 60))
def test_simplified_graphs_mean_the_same(seed: int, size: int):
    graph = random_graph(seed, size)
    simplified, moved = rebuild_graph(graph, simplify_two_state)
    verify_graph(simplified)
    before, after = ReferenceProgram(graph), ReferenceProgram(simplified)
    random = Random(seed)
    kept = np.flatnonzero(moved >= 0).tolist()
    for _ in range(3):
        state = before.layout.allocate()
        for index, elements in random_state(graph, random).items():
            for position, value in enumerate(elements):
                before.layout.write(state, index, value, position)
        expected = before.evaluate(state, graph, kept)
        assert after.evaluate(state, simplified, moved[kept].tolist()) == expected
        other = state.copy()
        assert before.settle(state) == after.settle(other)
        assert bytes(state) == bytes(other)


@given(st.integers(0, 1 << 32), st.integers(1, 60))
def test_exactly_simplified_graphs_have_the_same_planes(seed: int, size: int):
    graph = random_graph(seed, size, four_state=True)
    simplified, moved = rebuild_graph(graph, simplify_exact)
    verify_graph(simplified)
    split, other = split_planes(graph), split_planes(simplified, simplify_two_state)
    before, after = ReferenceProgram(split.graph), ReferenceProgram(other.graph)
    random = Random(seed)
    kept = np.flatnonzero(moved >= 0)
    state = before.layout.allocate()
    for index, elements in random_state(split.graph, random).items():
        for position, value in enumerate(elements):
            before.layout.write(state, index, value, position)
    for planes, new in ((split.values, other.values), (split.unknowns, other.unknowns)):
        expected = before.evaluate(state, split.graph, planes[kept].tolist())
        assert after.evaluate(state, other.graph, new[moved[kept]].tolist()) == expected


@given(st.integers(0, 1 << 32), st.integers(1, 40))
def test_the_smt_meaning_is_the_table(seed: int, size: int):
    """The solver's encoding folds to what the op table computes, so that the proofs are about the right thing."""
    random = Random(seed)
    builder = GraphBuilder()
    codes = [op for op in OPS if op.evaluate and not op.four_state_only and op.name not in ("sdiv", "smod", "spow")]
    op = random.choice(codes)
    instances = Instances(Rule("any", op.name, False, lambda *_: None), seed, SMALL)
    width = 1 if op.rule in ("bit", "bit1", "compare") else random.choice(SMALL)
    widths, param = ((2, 3), 0) if op.name == "concat" else instances.source_widths(op.rule, op.arity, width)
    width = 5 if op.name == "concat" else width
    values = [random.getrandbits(w) for w in widths]
    sources = tuple(builder.const(w, value) for w, value in zip(widths, values, strict=True))
    raw = builder._append(op.code, width, sources, param)
    folded = builder.node(CODE[op.name], width, sources, param)
    assert Encoder(builder.freeze(), {raw, folded}).equal(raw, folded), (op.name, values)


def test_long_chains_do_not_recurse():
    """Rules walk chains in loops: the depth of a design is not the depth of Python's stack."""
    builder = GraphBuilder(simplify_two_state)
    builder.states += [State("a", 64, kind="input"), State("c", 1, kind="input")]
    a, cond = builder.read(0), builder.read(1)
    chains = {"or": a, "mux": a, "concat": builder.slice(a, 0, 1), "slice": a, "not": a, "add": a}
    for step in range(3000):
        bit = builder.const(64, 1 << step % 64)
        chains["or"] = builder.add("or", 64, builder.add("and", 64, chains["or"], builder.const(64, step | 1)), bit)
        chains["mux"] = builder.add("mux", 64, builder.add("xor", 1, cond, cond), bit, chains["mux"])
        chains["concat"] = builder.concat([chains["concat"], builder.slice(a, step % 63, 1)])
        chains["slice"] = builder.concat([builder.slice(chains["slice"], 1, 63), builder.slice(chains["slice"], 0, 1)])
        chains["not"] = builder.add("zext", 64, builder.add("not", 63, builder.slice(chains["not"], 0, 63)))
        chains["add"] = builder.add("add", 64, chains["add"], builder.const(64, step))
    for node in chains.values():
        for low in range(0, 64, 7):
            builder.slice(node, low, 1)
    verify_graph(builder.freeze())
