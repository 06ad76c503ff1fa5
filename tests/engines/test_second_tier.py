"""The second tier of programs of events: a run goes over to optimised code in its middle, the next one has it."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from weft.base.dataclass import replace
from weft.engines.cpu.jit import Compiler
from weft.engines.event import second_tier
from weft.engines.event.engine_state import restore_state
from weft.engines.event.machine_code import Improve, Improved, begin_kernels, find_code
from weft.engines.event.records import NODE_CODE
from weft.engines.event.second_tier import SecondTier
from weft.lang.sv.compile_sources import load_design
from weft.sim import collect_garbage
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


NETS = """
primitive latch_(output reg q, input d, input en);
  table 1 1 : ? : 1; 0 1 : ? : 0; ? 0 : ? : -; endtable
endprimitive
module t;
  reg [3:0] a = 0; reg en = 0; wire [3:0] y; tri bus; wire n1, n2, n3, l; trireg #(1, 1, 9) held; wire #2 slow = a[2];
  xor #(2, 3) g0(y[0], a[0], n1), g1(y[1], a[1], y[0]);
  nand #1 g2(n1, a[2], n2); nor #4 g3(n2, a[3], n3); not #1 g4(n3, y[1]); and g5(y[2], a[0], a[1]);
  buf #3 g6(y[3], y[2]);
  bufif1 #1 b0(bus, a[0], en); bufif0 (pull1, weak0) b1(bus, a[1], en);
  nmos (held, a[3], en); tranif1 (bus, held, en); latch_ #1 u(l, a[1], en);
  always #5 a = a + 7;
  always #13 en = ~en;
  always @(y or bus or held or l or slow) $display("%0t %b %b %b %b %b %b", $time, a, y, bus, held, l, slow);
  initial #400 $finish(0);
endmodule
"""

OBJECTS = """
class item; int value; item next; function new(int v); value = v; endfunction endclass
module t;
  item kept; item shown; int total = 0, seen = 0;
  initial repeat (40) begin
    #5 kept = new(total); total++;
    shown <= #23 kept;
    kept = null;
  end
  initial repeat (2000) begin #1 kept = new(-1); kept.next = new(-2); end
  always @(shown) begin seen += shown.value; $display("%0t %0d", $time, shown.value); end
  initial #400 begin $display("%0d", seen); $finish(0); end
endmodule
"""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache that has the runtime, optimised, which takes longer to compile than all of this."""
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_CACHE_DIR", str(folder))
        for nets in (False, True):
            optimise_kernels(nets)
    return folder


def optimise_kernels(nets: bool) -> None:
    """Have the cache keep the runtime's optimised code."""
    improve, done = begin_kernels(nets).result().improve, threading.Event()
    assert improve is not None

    def then(improved: Callable[[], Improved]) -> bytes:
        improved()
        done.set()
        return b""

    improve(then)
    assert done.wait(120)


@pytest.fixture
def new_cache(kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what begins to use a cache that has nothing but the runtime."""

    def begin() -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(kernels, folder)
        monkeypatch.setenv("WEFT_CACHE_DIR", str(folder))

    return begin


def simulate(text: str = BENCH) -> tuple[EventSimulation, str]:
    """Run a testbench."""
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": text}), out, EventOptions())
    simulation.run()
    return simulation, out.getvalue().decode()


def improve_at(time: int, monkeypatch: pytest.MonkeyPatch, kernels: bool = False) -> list[int]:
    """Have the code exchanged when a time is reached; return where the times of exchanges are noted.

    It is the code of the modules, or that of the kernels.
    """
    times: list[int] = []
    usual = SecondTier.switch

    def wait(tier: SecondTier) -> None:
        improve = tier.machine.kernels.result().improve if kernels else tier.machine.improve
        if improve is None:
            return
        linked = threading.Event()

        def then(improved: Callable[[], Improved]) -> bytes:
            try:
                return tier.link(improved)
            finally:
                linked.set()

        improve(then)
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


@pytest.mark.parametrize("text", [BENCH, NETS])
@pytest.mark.parametrize("time", [0, 38, 131])
def test_a_run_goes_on_with_other_kernels_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: int, text: str
) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    simulation, plain = simulate(text)
    assert simulation.engine.machine is not None
    assert len(plain.splitlines()) > 10
    times = improve_at(time, monkeypatch, kernels=True)
    simulation, found = simulate(text)
    assert found == plain
    assert len(times) == 1
    engine = simulation.engine
    present, every = engine.address("run"), engine.addresses("run")
    assert present in every
    assert len(every) == 2
    places = [*engine.area.code_places, *engine.netlist.code_places]
    assert bool(places) == (text is NETS)
    assert not engine.moves.keys() & {engine.word(place) for place in places}
    assert not engine.moves.keys() & {int(word) for table in engine.watch_tables for word in table}


def test_delayed_records_of_former_kernels_keep_their_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    plain = simulate(OBJECTS)[1]
    times = improve_at(60, monkeypatch, kernels=True)
    monkeypatch.setattr(collect_garbage, "LEAST_BYTES", 64)
    simulation, found = simulate(OBJECTS)
    assert times
    assert found == plain
    assert plain.splitlines()[-1] == str(sum(range(40)))
    assert simulation.collector.runs > 5


def test_a_restored_state_goes_on_with_the_present_code(
    new_cache: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    new_cache()
    improve_at(0, monkeypatch)
    out = io.BytesIO()
    engine = EventSimulation(load_design(texts={"t.sv": BENCH}), out, EventOptions()).engine
    before = engine.arena.copy()
    engine.run()
    assert engine.moves
    restore_state(engine, before)
    codes = [engine.word(node.base + plan.offset + NODE_CODE) for node, plan in engine.threads]
    assert codes == [engine.address(plan.symbol) for _, plan in engine.threads]


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


def test_many_short_runs_get_to_better_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path))
    clock = iter(range(1000))
    monkeypatch.setattr(second_tier, "time", SimpleNamespace(monotonic=lambda: 0.05 * next(clock)))
    monkeypatch.setattr(
        second_tier,
        "threading",
        SimpleNamespace(Timer=NoTimer, Lock=threading.Lock, RLock=threading.RLock, Event=threading.Event),
    )
    simulation = EventSimulation(load_design(texts={"t.sv": BENCH}), io.BytesIO(), EventOptions())
    tier = simulation.engine.second_tier
    begun: list[tuple[float, int]] = []
    runs: list[int] = []

    def note(seconds: float) -> tuple[float, Improve]:
        return seconds, lambda then: begun.append((seconds, len(runs)))

    tier.steps = [note(0.3), note(0.6)]
    while len(runs) < 20:
        tier.watch()
        tier.rest()
        assert tier.timer is None
        runs.append(0)
    assert [seconds for seconds, _ in begun] == [0.3, 0.6]
    assert 1 < begun[0][1] < begun[1][1] < 15
    seen = next(clock)
    tier.watch()
    tier.rest()
    assert next(clock) == seen + 1  # there is nothing left to look for


class NoTimer:
    """Be a timer that never fires."""

    def __init__(self, seconds: float, work: object) -> None:
        assert seconds > 0
        self.daemon = False

    def start(self) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """Do nothing."""


def test_all_code_is_optimised_for_later_runs_if_asked(new_cache: Callable[[], None]) -> None:
    new_cache()
    simulation, _ = simulate()
    assert simulation.engine.second_tier.steps
    simulation.engine.second_tier.complete()
    simulation.engine.second_tier.complete()  # there is nothing left
    later = EventSimulation(load_design(texts={"t.sv": BENCH}), io.BytesIO(), EventOptions())
    assert not later.engine.second_tier.steps
