"""Real processors in a testbench: events alone, and with regions, have the outputs that the cycle engine has."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from bench.designs import DESIGNS, MissingPackage

import weft
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.event_simulation import EventOptions, EventSimulation

CYCLES = 300
EVERY = 20

TESTBENCH = """
    module tb;
      reg clk = 0, reset = 1;
      wire [63:0] hash;
      integer n;
      TOP #(PARAMETERS) bench (.clk(clk), .reset(reset), .hash(hash));
      always #5 clk = ~clk;
      initial begin
        repeat (RESET) @(posedge clk);
        reset <= 0;
        for (n = 1; n <= CYCLES; n = n + 1) begin
          @(posedge clk) #1;
          if (n % EVERY == 0) $display("%0d %h", n, hash);
        end
        $finish(0);
      end
    endmodule
    """


@pytest.mark.parametrize("name", ["serv", "vexriscv_min", "vexriscv_linux", "ibex", "picorv32"])
def test_testbenches_of_real_processors_see_the_same_hash(name: str, tmp_path: Path) -> None:
    try:
        design = DESIGNS[name]()
    except MissingPackage as error:
        pytest.skip(str(error))
    options = design.compile_options()
    want: list[str] = []
    with weft.compile(*design.files, **options) as sim:
        sim.poke(design.reset, 1)
        sim.run_cycles(design.reset_cycles)
        sim.poke(design.reset, 0)
        for cycle in range(EVERY, CYCLES + 1, EVERY):
            sim.run_cycles(EVERY)
            want.append(f"{cycle} {int(sim.peek('hash')):016x}")
    text = TESTBENCH.replace("TOP", options["top"])
    parameters = ", ".join(f'.{key}("{value}")' for key, value in options["parameters"].items())
    for word, value in (("PARAMETERS", parameters), ("RESET", design.reset_cycles), ("EVERY", EVERY)):
        text = text.replace(word, str(value))
    bench = tmp_path / "tb.sv"
    bench.write_text(text.replace("CYCLES", str(CYCLES)))
    folders = tuple(str(folder) for folder in options["include_dirs"])
    words = FrontEndOptions(top=("tb",), include_dirs=folders, defines=options["defines"])
    found = load_design([*design.files, bench], words)
    for engine in ("event", "auto"):
        out = io.BytesIO()
        simulation = EventSimulation(found, out, EventOptions(engine=engine))
        assert simulation.run() == 0
        assert out.getvalue().decode().splitlines()[-len(want) :] == want, engine
        assert (engine == "auto") == bool(simulation.mixed.regions)
