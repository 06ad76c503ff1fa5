"""Profiles: every edge is counted, the parts add up, and the flame graph follows speedscope's format."""

import json

import pytest

import weft

TOP = """module top(input clk, output reg [7:0] q = 0);
  always @(posedge clk) begin q <= q + 1; if (&q) $display("full"); end
endmodule"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))


def simulate(**options):
    return weft.compile(texts={"top.v": TOP}, output=lambda data: None, **options)


def test_kernels_and_parts(tmp_path):
    sim = simulate(background=False)
    sim.run_cycles(10)
    with sim.profile() as profile:
        sim.run_cycles(2000)
        with sim.trace(tmp_path / "o.vcd"):
            sim.run_cycles(500)
        sim.run_until("q == 255", max_cycles=5)
    calls = {kernel.name: kernel.calls for kernel in profile.kernels}
    cycles = profile.cycles
    assert 2500 < cycles <= 2505
    assert calls["rising edge of top.clk (full)"] == cycles == calls["falling edge of top.clk (full)"]
    assert calls["trace"] == 1000 and 0 < calls["condition"] <= 10
    assert profile.stages == sim.build_seconds and profile.object_bytes > 0
    assert profile.run_s >= profile.compiled_s >= profile.loop_s > 0
    parts = sum(kernel.seconds for kernel in profile.kernels) + profile.loop_s + profile.python_s
    assert parts == pytest.approx(profile.run_s, rel=0.2)
    assert profile.cycles_per_s == pytest.approx(cycles / profile.run_s)
    kernels = dict(calls)
    sim.run_cycles(100)
    assert {kernel.name: kernel.calls for kernel in profile.kernels} == kernels, "it has ended"
    assert sim.peek("q") == (10 + cycles + 100) % 256


def test_better_code_is_another_kernel(monkeypatch):
    monkeypatch.setattr("weft.engines.cpu.program._BUSY_SECONDS", 0.0)
    monkeypatch.setattr("weft.engines.cpu.program._WARM_SECONDS", 0.0)
    sim = simulate()
    with sim.profile() as profile:
        sim.run_cycles(10)
        sim.engine.program.compile_fully([sim.clocks[0].clock.state])
        sim.run_cycles(10)
    names = {kernel.name for kernel in profile.kernels}
    assert "rising edge of top.clk (full)" in names and any(name.startswith("general step") for name in names)


def test_the_reference_engine_has_no_kernels():
    sim = simulate(engine="reference")
    with sim.profile() as profile:
        sim.run_cycles(10)
    assert not profile.kernels and not profile.compiled_s and profile.cycles == 10
    assert [stack for stack, _ in profile.stacks()][-1] == ("run", "Python")


def check_speedscope(file):
    """Check a file against the schema (https://www.speedscope.app/file-format-schema.json), as far as we use it."""
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(file) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    assert all(isinstance(frame["name"], str) and set(frame) == {"name"} for frame in file["shared"]["frames"])
    assert file["profiles"] and 0 <= file["activeProfileIndex"] < len(file["profiles"])
    for profile in file["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert profile["type"] == "sampled" and profile["unit"] == "seconds"
        assert len(profile["samples"]) == len(profile["weights"]) > 0
        frames = range(len(file["shared"]["frames"]))
        assert all(stack and all(frame in frames for frame in stack) for stack in profile["samples"])
        assert all(weight >= 0 for weight in profile["weights"])
        assert profile["endValue"] - profile["startValue"] == pytest.approx(sum(profile["weights"]))


def test_the_flame_graph(tmp_path):
    sim = simulate()
    with sim.profile() as profile:
        sim.run_cycles(100)
    profile.save(tmp_path / "top.speedscope.json")
    file = json.loads((tmp_path / "top.speedscope.json").read_text())
    check_speedscope(file)
    names = [frame["name"] for frame in file["shared"]["frames"]]
    assert len(names) == len(set(names)) and {"compile", "run", "compiled code", "Python", "flatten"} <= set(names)
    with pytest.raises(
        weft.UserError, match=r"cannot write the profile '.*': No such file or directory \[cannot-write\]"
    ):
        profile.save(tmp_path / "no" / "x.json")
