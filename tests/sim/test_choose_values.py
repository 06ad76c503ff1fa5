"""Random values meet their constraints, and are spread as the standard wants them, whichever way finds them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from weft.sim.randomize.choose_values import Plans, substitute
from weft.sim.randomize.problem import Distribution, Piece, Problem, Variable
from weft.sim.randomize.random_stream import RandomStream
from weft.sim.randomize.term_solver import TermSolver, equals
from weft.sim.randomize.terms import FALSE, TRUE, Term, both, constant, either, make, negate


def no_calls(number: int, arguments: tuple[int, ...]) -> int:
    raise AssertionError


def draw(problem: Problem, count: int, seed: int = 1) -> list[tuple[int, ...]]:
    plans, stream, used = Plans(), RandomStream(seed), dict[int, set[int]]()
    found: list[tuple[int, ...]] = []
    for _ in range(count):
        values = plans.find(problem).choose(stream, used, no_calls)
        assert values is not None
        fixed = dict(enumerate(values))
        assert all(substitute(term, fixed, no_calls, {})[2] == 1 for term in problem.hard)
        found.append(tuple(values))
    return found


def v(number: int, width: int) -> Term:
    return ("v", width, number)


def below(a: Term, b: Term) -> Term:
    return make("ult", 1, a, b)


def chi_square(found: Counter[object], cells: int) -> float:
    expected = found.total() / cells
    counts = [*found.values(), *[0] * (cells - len(found))]
    return sum((count - expected) ** 2 / expected for count in counts)


def limit(cells: int) -> float:
    """Return a bound that chi square exceeds once in some ten thousand experiments."""
    return cells - 1 + 5.3 * (2 * (cells - 1)) ** 0.5 + 10


@pytest.mark.parametrize(
    ("hard", "cells"),
    [
        pytest.param((), 256, id="free"),
        pytest.param((below(constant(4, 3), v(0, 4)),), 12 * 16, id="range"),
        pytest.param((below(v(0, 4), v(1, 4)),), 120, id="tried"),
        pytest.param((make("eq", 1, make("add", 4, v(0, 4), v(1, 4)), constant(4, 5)),), 16, id="sum"),
        pytest.param((make("eq", 1, make("mul", 4, v(0, 4), v(1, 4)), constant(4, 9)),), 8, id="listed"),
    ],
)
def test_solutions_are_equally_likely(hard: tuple[Term, ...], cells: int):
    found = Counter[object](draw(Problem((Variable(4), Variable(4)), hard), 40 * cells))
    assert len(found) == cells
    assert chi_square(found, cells) < limit(cells)


def test_solver_spreads_values_that_cannot_be_listed():
    product = make("mul", 32, v(0, 32), v(1, 32))
    small = tuple(below(v(i, 32), constant(32, 2000)) for i in range(2))
    hard = (make("eq", 1, product, constant(32, 1001)), *small)
    found = Counter(draw(Problem((Variable(32), Variable(32)), hard), 60))
    assert set(found) == {(d, 1001 // d) for d in (1, 7, 11, 13, 77, 91, 143, 1001)}
    assert max(found.values()) < 25


def test_solver_keeps_wide_sums_spread():
    hard = (make("eq", 1, make("add", 64, v(0, 64), v(1, 64)), constant(64, 100)),)
    found = draw(Problem((Variable(64), Variable(64)), hard), 30)
    assert len(set(found)) == 30
    assert 8 < sum(a >> 63 for a, _ in found) < 23


def test_distribution_weights():
    pieces = (Piece(1, 1, 10), Piece(2, 5, 5), Piece(100, 109, 7))
    spread = Distribution(TRUE, v(0, 8), pieces, False)
    found = Counter(a for (a,) in draw(Problem((Variable(8),), (spread.required(),), (), (spread,)), 20000))
    for value, weight in [(1, 10), (2, 5), (5, 5), (104, 7)]:
        assert abs(found[value] / 20000 - weight / 100) < 0.012
    assert set(found) == {1, 2, 3, 4, 5, *range(100, 110)}


def test_distribution_under_other_constraints_and_guard():
    spread = Distribution(v(1, 1), v(0, 8), (Piece(1, 1, 1), Piece(2, 2, 3)), False)
    narrow = make("ule", 1, v(0, 8), constant(8, 2))
    problem = Problem((Variable(8), Variable(1)), (spread.required(), narrow), (), (spread,))
    found = Counter(draw(problem, 8000))
    assert found[(1, 1)] + found[(2, 1)] + found[(0, 0)] + found[(1, 0)] + found[(2, 0)] == 8000
    assert 2.5 < found[(2, 1)] / found[(1, 1)] < 3.6


def test_signed_distribution():
    spread = Distribution(TRUE, v(0, 8), (Piece(0xFE, 0x01, 1),), True)
    found = Counter(a for (a,) in draw(Problem((Variable(8),), (spread.required(),), (), (spread,)), 400))
    assert set(found) == {0xFE, 0xFF, 0, 1}


@pytest.mark.parametrize("width", [8, 48])
def test_solve_before_makes_the_first_even(width: int):
    zero = make("eq", 1, v(1, width), constant(width, 0))
    variables = (Variable(1), Variable(width))
    hard = (either(negate(v(0, 1)), zero),)
    count = 400 if width > 8 else 2000
    free = Counter(a for a, _ in draw(Problem(variables, hard), count))
    assert free[1] < count / 20
    ordered = Counter(a for a, _ in draw(Problem(variables, hard, orders=(((0,), (1,)),)), count))
    assert abs(ordered[1] / count - 0.5) < 0.12


def test_cyclic_values_do_not_repeat_within_a_cycle():
    found = [a for (a,) in draw(Problem((Variable(3, None, True),), (below(v(0, 3), constant(3, 6)),)), 60)]
    for at in range(0, 60, 6):
        assert sorted(found[at : at + 6]) == [0, 1, 2, 3, 4, 5]
    assert len({tuple(found[at : at + 6]) for at in range(0, 60, 6)}) > 5


def test_cyclic_value_with_a_partner_too_wide_to_list():
    hard = (make("ule", 1, make("zext", 40, v(0, 2)), v(1, 40)), make("ule", 1, v(1, 40), constant(40, 1 << 30)))
    found = [a for a, _ in draw(Problem((Variable(2, None, True), Variable(40)), hard), 12)]
    for at in range(0, 12, 4):
        assert sorted(found[at : at + 4]) == [0, 1, 2, 3]


def test_soft_constraints_give_way_from_the_first():
    equal = [make("eq", 1, v(0, 8), constant(8, n)) for n in (3, 9)]
    assert set(draw(Problem((Variable(8),), (), tuple(equal)), 20)) == {(9,)}
    hard = (negate(equal[1]),)
    assert set(draw(Problem((Variable(8),), hard, tuple(equal)), 20)) == {(3,)}


def test_contradiction_has_no_values():
    hard = (below(v(0, 8), v(1, 8)), below(v(1, 8), v(0, 8)))
    stream = RandomStream(1)
    assert Plans().find(Problem((Variable(8), Variable(8)), hard)).choose(stream, {}, no_calls) is None
    wide = (below(v(0, 64), v(1, 64)), below(v(1, 64), v(0, 64)))
    assert Plans().find(Problem((Variable(64), Variable(64)), wide)).choose(stream, {}, no_calls) is None
    assert Plans().find(Problem((Variable(8),), (FALSE,))).choose(stream, {}, no_calls) is None


def test_enum_values():
    found = Counter(a for (a,) in draw(Problem((Variable(4, (1, 4, 9)),)), 3000))
    assert set(found) == {1, 4, 9} and min(found.values()) > 850


def _random_term(rng: random.Random, width: int, depth: int) -> Term:
    if depth == 0 or rng.random() < 0.1:
        return v(rng.randrange(3), 6) if width == 6 and rng.random() < 0.8 else constant(width, rng.getrandbits(width))
    if width == 1:
        op = rng.choice(["eq", "ult", "ule", "slt", "sle", "and", "or", "not"])
        if op in ("and", "or", "not"):
            return make(op, 1, *(_random_term(rng, 1, depth - 1) for _ in range(1 if op == "not" else 2)))
        return make(op, 1, *(_random_term(rng, 6, depth - 1) for _ in range(2)))
    binary = ["and", "or", "xor", "add", "sub", "mul", "udiv", "umod", "sdiv", "smod", "shl", "lshr", "ashr", "pow"]
    op = rng.choice([*binary, "not", "neg", "ite", "zext", "sext", "concat"])
    if op in binary:
        return make(op, width, _random_term(rng, width, depth - 1), _random_term(rng, width, depth - 1))
    if op in ("not", "neg"):
        return make(op, width, _random_term(rng, width, depth - 1))
    if op == "ite":
        parts = [_random_term(rng, width, depth - 1) for _ in range(2)]
        return ("ite", width, _random_term(rng, 1, depth - 1), *parts)
    inner = _random_term(rng, 6, depth - 1)
    half = ("extract", 3, inner, 2)
    return ("concat", 6, half, ("extract", 3, inner, 1)) if op == "concat" else (op, 6, half)


@pytest.mark.parametrize("seed", range(40))
def test_ways_to_evaluate_agree(seed: int):
    """Substitution, compiled Python and the solver give a term the same value."""
    from weft.sim.randomize.terms import ENVIRONMENT, text_of

    rng = random.Random(seed)
    term = _random_term(rng, 6, 5)
    values = {number: rng.getrandbits(6) for number in range(3)}
    expected = substitute(term, values, no_calls, {})[2]
    lines: list[str] = []
    text = text_of(term, {}, lines)
    space = dict(ENVIRONMENT, **{f"v{n}": value for n, value in values.items()})
    exec("\n".join([*lines, f"result = {text}"]), space)
    assert int(space["result"]) == expected
    solver = TermSolver(dict.fromkeys(range(4), 6), [equals(n, 6, value) for n, value in values.items()])
    result: Term = v(3, 6)
    assert solver.check(make("eq", 1, result, term))
    assert solver.value(3) == expected
    assert not solver.check(both(TRUE, negate(make("eq", 1, term, constant(6, expected)))))
