"""The second tier of a program of events: a run goes over to optimised code in its middle, the next one has it."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from weft.base.dataclass import replace
from weft.engines.cpu.jit import Compiler
from weft.engines.event.machine_code import begin_kernels, find_code
from weft.engines.event.second_tier import SecondTier
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_program import program_of
from weft.sim.event_simulation import EventOptions, EventSimulation

BENCH = """
module cell_(input clk, input [3:0] d, output reg [3:0] q);
  always @(posedge clk) q <= #1 d;
endmodule
module t;
  reg clk = 0; reg [3:0] d = 0; wire [3:0] q, both; tri bus; reg drive = 0;
  integer i, seen = 0;
  cell_ a(clk, d, q), b(clk, q, both);
  assign bus = drive ? d[0] : 1'bz;
  assign bus = drive ? 1'bz : q[1];
  always #5 clk = ~clk;
  always @(q ^ both) seen = seen + 1;
  task automatic wait_for(input integer n, output integer at);
    begin repeat (n) @(posedge clk); at = $time; end
  endtask
  task slow;
    integer where;
    begin
      wait_for(3, where); $display("waited %0d", where);
      fork wait_for(2, where); #7 drive = ~drive; join
      $display("%0t %b %b %b", $time, q, both, bus);
    end
  endtask
  initial begin : main
    for (i = 0; i < 5; i = i + 1) begin d = d + 3; slow; end
    disable other;
    #20 $display("%0d", seen);
    $finish(0);
  end
  initial begin : other forever begin #13 d[3] = ~d[3]; @(negedge clk) $display("other %0t", $time); end end
endmodule
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache that has the runtime, which takes longer to compile than all of this."""
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_CACHE_DIR", str(folder))
        begin_kernels().result()
    return folder


@pytest.fixture
def new_cache(kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what begins to use a cache that has nothing but the runtime."""

    def begin() -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(kernels, folder)
        monkeypatch.setenv("WEFT_CACHE_DIR", str(folder))

    return begin


def simulate() -> tuple[EventSimulation, str]:
    """Run the testbench."""
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": BENCH}), out, EventOptions())
    simulation.run()
    return simulation, out.getvalue().decode()


def improve_at(time: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the code exchanged when a time is reached; return where the times of exchanges are noted."""
    times: list[int] = []
    usual = SecondTier.switch

    def wait(tier: SecondTier) -> None:
        if tier.machine.improve is None:
            return
        linked = threading.Event()

        def then(objects: Callable[[], list[bytes]]) -> bytes:
            try:
                return tier.link(objects)
            finally:
                linked.set()

        tier.machine.improve(then)
        assert linked.wait(120)

    def switch(tier: SecondTier) -> int:
        if tier.engine.time < time:
            return 0
        times.append(tier.engine.time)
        return usual(tier)

    monkeypatch.setattr(SecondTier, "watch", wait)
    monkeypatch.setattr(SecondTier, "switch", switch)
    return times


@pytest.mark.parametrize("time", [0, 1, 38, 60, 131])
def test_a_run_goes_on_with_other_code_where_it_was(
    new_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch, time: int
) -> None:
    new_cache()
    plain = simulate()[1]
    assert plain.count("waited") == 5
    assert "other" in plain
    times = improve_at(time, monkeypatch)
    simulation, found = simulate()
    assert found == plain
    assert len(times) == 1
    assert times[0] >= time
    library = simulation.engine.second_tier.library
    assert library is not None
    assert simulation.engine.address("run") == library.addresses["run"]


def test_a_later_run_begins_with_optimised_code(new_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    new_cache()
    times = improve_at(0, monkeypatch)
    first, second = simulate(), simulate()
    assert first[1] == second[1]
    assert len(times) == 1
    assert second[0].engine.second_tier.machine.improve is None


def test_without_the_text_the_code_stays_as_it_is(
    new_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_cache()
    program = program_of(load_design(texts={"t.sv": BENCH}))
    for module in program.machine.modules:
        module.result()
    machine = find_code(program.code)
    assert machine is not None
    assert machine.improve is not None
    monkeypatch.setattr(Compiler, "text", _lost)
    times = improve_at(0, monkeypatch)
    out = io.BytesIO()
    stored = replace(program, machine=machine)
    EventSimulation(program.design, out, EventOptions(), stored).run()
    assert not times
    assert "waited" in out.getvalue().decode()


def _lost(compiler: Compiler, digest: str) -> str:
    raise LookupError(digest)
