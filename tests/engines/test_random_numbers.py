"""Random numbers that are drawn in compiled code are annex N's, and those of the streams of `sim.randomize`."""

import io

import pytest

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import _CALLS, EventOptions, EventSimulation
from weft.sim.random_sequence import random32, rtl_dist_uniform, signed32
from weft.sim.tasks.registry import TASKS

LEAST, GREATEST, ONES = -(1 << 31), (1 << 31) - 1, (1 << 32) - 1


@pytest.fixture(autouse=True)
def no_python(monkeypatch):
    for name in ("$random", "$urandom", "$dist_uniform"):
        monkeypatch.delitem(TASKS, name)
        monkeypatch.delitem(_CALLS, name, raising=False)


def run(body, seed=0):
    """Return the numbers that a testbench prints."""
    out = io.BytesIO()
    text = f"module t; integer s, i; reg [31:0] u; integer m[0:1]; byte tiny; initial begin {body} end endmodule"
    EventSimulation(load_design(texts={"t.sv": text}), out, EventOptions(seed=seed)).run()
    return [int(word) for word in out.getvalue().split()]


def draws(count, seed, low, high):
    """Return annex N's numbers, each with the signed seed after it."""
    found = []
    for _ in range(count):
        number, seed = rtl_dist_uniform(seed, low, high)
        found += [number, signed32(seed)]
    return found


def test_random_is_annex_n():
    assert run('repeat (200) $display("%0d", $random);') == draws(200, 0, LEAST, GREATEST)[::2]
    assert run('$display("%0d", $random);', seed=7) == [random32(7)[0]]


def test_a_seed_goes_on():
    assert run('s = 5; repeat (50) $display("%0d %0d", $random(s), s);') == draws(50, 5, LEAST, GREATEST)
    assert run('m[1] = 5; repeat (9) $display("%0d %0d", $random(m[1]), m[1]);') == draws(9, 5, LEAST, GREATEST)
    assert run('u = 5; repeat (9) $display("%0d %0d", $random(u), $signed(u));') == draws(9, 5, LEAST, GREATEST)
    unknown = run('s = 32\'bx; $display("%0d %0d", $random(s), s);')
    assert unknown == draws(1, 0, LEAST, GREATEST), "unknown bits are 0"


@pytest.mark.parametrize(
    ("low", "high"),
    [(-5, 5), (0, 1), (LEAST, GREATEST), (LEAST, 9), (-9, GREATEST), (3, 3), (4, 2), (0, 1 << 30), (LEAST, LEAST + 1)],
)
def test_distribution_is_annex_n(low, high):
    text = f's = 11; i = {low}; repeat (60) $display("%0d %0d", $dist_uniform(s, i, {high}), s);'
    assert run(text.replace(str(LEAST), "32'sh80000000")) == draws(60, 11, low, high)


def test_urandom_draws_from_the_threads_stream():
    numbers = run('repeat (50) $display("%0d", $urandom);')
    assert len(set(numbers)) == 50 and all(0 <= number <= ONES for number in numbers)
    assert numbers == run('repeat (50) $display("%0d", $urandom);') != run('repeat (50) $display("%0d", $urandom);', 1)
    seeded = run('s = 3; repeat (9) $display("%0d", $urandom(s));')
    assert seeded == [number + (1 << 31) for number in draws(9, 3, LEAST, GREATEST)[::2]]


def test_the_greatest_number_wraps_round():
    seed = (0xFFFFFE05 - 1) * pow(69069, -1, 1 << 32) & ONES
    numbers = run(
        f's = {signed32(seed)}; $display("%0d", $random(s)); s = {signed32(seed)}; $display("%0d", $urandom(s));'
    )
    assert numbers == [signed32(random32(seed)[0]), 511]  # as in Icarus
    assert numbers[0] == -2147483137


def test_a_range_takes_one_draw():
    drawn = run('repeat (9) begin u = $urandom_range(5, 2); $display("%0d", u); end $display("%0d", $urandom);')
    plain = run('repeat (10) $display("%0d", $urandom);')
    assert drawn[-1] == plain[-1] and [2 + (number * 4 >> 32) for number in plain[:9]] == drawn[:9]


def test_ranges():
    assert set(run('repeat (200) $display("%0d", $urandom_range(7, 3));')) == {3, 4, 5, 6, 7}
    assert set(run('repeat (200) $display("%0d", $urandom_range(2));')) == {0, 1, 2}
    assert run('$display("%0d", $urandom_range(5, 5));') == [5]
    small = run('repeat (99) begin tiny = $urandom_range(130, 120); $display("%0d", tiny); end')
    assert set(small) <= {120, 121, 122, 123, 124, 125, 126, 127, -128, -127, -126}
    assert max(run('repeat (99) $display("%0d", $urandom_range(0, 32\'hFFFFFFFF));')) > 1 << 31


def test_a_draw_has_its_width_and_sign():
    assert all(-10 < number < 10 for number in run('repeat (99) $display("%0d", $random % 10);'))
    assert (
        min(run('repeat (99) $display("%0d", $random % 10);'))
        < 0
        <= min(run('repeat (9) $display("%0d", {$random} % 10);'))
    )
