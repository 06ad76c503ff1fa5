"""Random numbers and distributions, bit by bit as Icarus Verilog has them."""

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import TaskHost, integer, number

CALLS = {
    "$random": (),
    "$urandom": (),
    "$dist_uniform": (-7, 1000),
    "$dist_normal": (50, 20),
    "$dist_exponential": (30,),
    "$dist_poisson": (12,),
    "$dist_chi_square": (5,),
    "$dist_t": (4,),
    "$dist_erlang": (3, 70),
}


def wrapped(value):
    """Return a number as an integer variable holds it."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def draw(host, name, seed, parameters):
    """Return a draw and the next seed."""
    result, call = host.perform(name, integer(seed), *map(integer, parameters))
    return number(result), call.outputs[0]


def test_seeds_go_in_and_out():
    host = TaskHost()
    value, seed = draw(host, "$random", 1, ())
    assert (value, seed.value) == (-2147414528, 69070)
    assert number(host.call("$random")) == 303379748  # the first of every simulation


def test_bad_parameters_warn():
    host = TaskHost()
    assert number(host.call("$dist_poisson", integer(1), integer(0))) == 0
    assert host.said == "WARNING: Poisson distribution must have a positive mean\n"


@pytest.mark.peer
@needs_icarus
def test_as_icarus(tmp_path):
    lines, expected = [], []
    host = TaskHost()
    for name, parameters in CALLS.items():
        for seed in (0, 1, -1, 12345, 2147483647, -2147483648):
            shown = "".join(f", {p}" for p in parameters)
            lines.append(f'seed = {seed}; repeat (12) begin v = {name}(seed{shown}); $display("%0d %0d", v, seed); end')
            for _ in range(12):
                value, after = draw(host, name, seed, parameters)
                seed = wrapped(after.value)
                expected.append(f"{wrapped(value)} {seed}")
    lines.append('repeat (20) begin v = $random; $display("%0d", v); end')
    expected += [str(wrapped(number(host.call("$random")))) for _ in range(20)]
    body = "\n".join(lines)
    source = f"module t; integer seed, v; initial begin\n{body}\nend endmodule\n"
    assert run_icarus(tmp_path, source).splitlines() == expected
