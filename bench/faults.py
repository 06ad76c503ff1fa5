"""Measure and check fault campaigns: `python bench/faults.py`, `python bench/faults.py --check 200`.

PicoRV32 runs its firmware, and faults in all of the processor, its register file included, are watched at the bus. The
campaign's rate is compared with one fault at a time: by Weft, in a single compiled instance with the same detection
(`Serial`), and by Icarus Verilog, with `force` and assignments from a testbench; both from a sample. Rates are for each
CPU second of the process, without compiling. `--check` compares what Icarus finds with what the campaign finds. The
netlists of `bench/netlists.py` are measured too.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import numpy as np  # noqa: E402

import weft  # noqa: E402
from bench.batch import find_design, reset  # noqa: E402
from bench.designs import CACHE, Design  # noqa: E402
from bench.netlists import controller, multiplier, sequential  # noqa: E402
from bench.peers.process import execute  # noqa: E402
from weft.passes.inject_faults import CHECK, GOOD, OUTPUT, STIMULUS  # noqa: E402
from weft.sim.compile_design import make_program  # noqa: E402
from weft.sim.faults.fault_report import FaultRow  # noqa: E402

SITES = ("cpu.*", "!cpu.clk", "!cpu.resetn")


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def processor() -> tuple[Design, Any]:
    """Return PicoRV32 with its firmware, reset."""
    design = find_design("picorv32_soc")
    sim = weft.compile(*design.files, **design.compile_options(), output=lambda data: None)
    reset(sim, design)
    return design, sim


def prepare(sim: Any, cycles: int, options: dict[str, Any]) -> Any:
    """Return a campaign whose good machine has run and whose code is there: of a few faults of the same kinds first."""
    campaign = sim.faults(cycles, **options)
    campaign.run()
    for column, value in ((campaign.outcomes.classes, 0), (campaign.outcomes.cycles, -1)):
        column[campaign.outcomes.classes != 5 if column is campaign.outcomes.classes else slice(None)] = value
    return campaign


class Serial:
    """Simulate one fault at a time in one instance of the faulty machine, as fast as Weft can; it stops like a lane."""

    def __init__(self, campaign: Any) -> None:
        self.campaign, self.made, self.good = campaign, campaign.design, campaign.good
        self.program = make_program(self.made.faulty, "cpu")
        self.named = self.made.injection.named
        self.clocks = tuple(each.clock for each in self.made.clocks)

    def run(self, number: int) -> bool:
        """Say whether a fault is detected."""
        program, good, campaign = self.program, self.good, self.campaign
        fault = campaign.faults.take(np.array([number]))
        first, start = good.begin(max(0, int(fault.cycle[0])))
        state, layout = program.layout.allocate(), program.layout
        state[:] = start
        for name, values in self.made.choices(campaign.sites, fault).items():
            layout.write(state, self.named[name], int(values[0]))
        layout.write(state, self.named[CHECK], 1)
        for number in range(first, len(good.ends)):
            for name, rows in ((GOOD, good.window_rows(number)), (STIMULUS, good.stimulus_rows(number))):
                if rows is not None:
                    view = layout.view(state, self.named[name])
                    view[:] = rows[:, 0] if view.ndim == 1 else rows
            program.settle(state)
            program.run(state, self.clocks, good.start_fs + good.ends[number] * good.period_fs)
            if layout.read(state, self.named[OUTPUT]):
                return True
        return False


def rate(what: str, sim: Any, cycles: int, options: dict[str, Any], serial: int) -> None:
    """Print the rates of a campaign and of single runs, of CPU seconds."""
    began = time.perf_counter()
    campaign = prepare(sim, cycles, {**options, "threads": 1})
    first = time.perf_counter() - began
    batch = campaign._make_batch(campaign.good.cycles and len(campaign.faults))
    campaign._make_batch = lambda count: batch
    rates = []
    for _ in range(3):
        campaign.outcomes.classes[campaign.outcomes.classes != 5] = 0
        before = cpu_seconds()
        report = campaign.run()
        rates.append(len(report) / (cpu_seconds() - before))
        if len(rates) == 1:
            for _, kernel in batch.kernels.values():
                kernel.compile()
    one = Serial(campaign)
    draw = random.Random(1)
    simulated = np.nonzero(campaign.same == np.arange(len(campaign.same)))[0]
    simulated = simulated[report.outcomes.classes[simulated] != 5]
    some = [int(number) for number in draw.sample(list(simulated), min(serial, len(simulated)))]
    for number in some[:3]:
        one.run(number)
    one.program.compile_fully([clock.state for clock in one.clocks])
    before = cpu_seconds()
    found = [one.run(number) for number in some]
    single = len(some) / (cpu_seconds() - before)
    wrong = [n for n, seen in zip(some, found, strict=True) if seen != (report.outcomes.classes[n] == 1)]
    if wrong:
        raise SystemExit(f"{what}: {len(wrong)} of {len(some)} single runs differ, the first {report[wrong[0]]}")
    together = report.simulated / len(report) * max(rates[1:])
    print(
        f"{what}: {len(report):,} faults ({report.simulated:,} simulated), {report.cycles} cycles, coverage"
        f" {report.coverage.fault_coverage:.1%}: {max(rates[1:]):,.0f} faults/CPU second, {together:,.0f} simulated;"
        f" one at a time {single:,.0f} (from {len(some)}, all equal); ratio {together / single:.1f}; from the sources'"
        f" design to the first report {first:.1f} s"
    )


# ------------------------------------------------------------------------------------------------------------ Icarus

_TESTBENCH = """`timescale 1ns/1ns
module check;
  reg clk = 0, reset = 0;
  wire tx, trap, bus_valid, bus_fetch;
  wire [31:0] bus_address, bus_write_data;
  wire [3:0] bus_write_strobe;
  wire [103:0] shown = {{bus_write_strobe, bus_write_data, bus_address, bus_fetch, bus_valid, trap, tx}};
  reg [103:0] good[0:{cycles}];
  integer fault, at, cycle, i, file;
  reg over = 0;
  picorv32_soc #(.WORDS(4096), .FIRMWARE("{firmware}")) dut (.clk(clk), .reset(reset), .tx(tx), .trap(trap),
    .bus_valid(bus_valid), .bus_fetch(bus_fetch), .bus_address(bus_address), .bus_write_data(bus_write_data),
    .bus_write_strobe(bus_write_strobe));
  task inject;
    case (fault)
{faults}
      default: ;
    endcase
  endtask
  initial begin
    if (!$value$plusargs("fault=%d", fault)) fault = -1;
    if (!$value$plusargs("at=%d", at)) at = 0;
{zeros}
    #1;
    for (i = 0; i < 4096; i = i + 1) if (dut.ram[i] === 32'bx) dut.ram[i] = 0;
    reset = 1;
    for (i = 0; i < 10; i = i + 1) begin #5 clk = 1; #5 clk = 0; end
    reset = 0;
    if (fault < 0) file = $fopen("good.hex"); else $readmemh("good.hex", good);
    for (cycle = 0; cycle < {cycles} && !over; cycle = cycle + 1) begin
      if (cycle == at) inject;
      #5 clk = 1;
      #5 if (fault < 0) $fdisplay(file, "%h", shown);
      else if (shown !== good[cycle]) begin $display("seen %0d", cycle); over = 1; end
      clk = 0;
    end
    $finish;
  end
endmodule
"""


def icarus_name(name: str) -> str:
    return "dut." + name.partition(".")[2]


def icarus_form(sim: Any, row: FaultRow) -> str:
    """Return what a testbench says to have a fault, or nothing where Icarus cannot force it."""
    path = row.name
    if row.model == "flip":
        found = next(
            (each for each in (sim.signals.look_up(path), sim.signals.look_up(path.rpartition("[")[0])) if each), None
        )
        if found is not None and found.signal.net:
            return ""
        return f"{icarus_name(path)} = ~{icarus_name(path)};"
    base = path if "[" not in path or sim.signals.look_up(path) else path[: path.rindex("[")]
    found = sim.signals.look_up(base)
    if found is None or found.memory >= 0 or found.signal.depth or (found.signal.bits > 1 and not found.signal.net):
        return ""
    shared = sum(int((scope.nodes == found.node).sum()) for scope in sim.design.graph.scopes)
    return "" if shared > 1 else f"force {icarus_name(path)} = 1'b{int(row.model == 'sa1')};"


def check_icarus(design: Design, sim: Any, campaign: Any, count: int, cycles: int) -> None:
    """Simulate faults with Icarus, one at a time, and compare; print its rate."""
    rows: list[tuple[FaultRow, str]] = []
    report, stored = campaign.run(), campaign.design.stored
    numbers = list(range(len(report)))
    random.Random(2).shuffle(numbers)
    wires = {site.path for number, site in enumerate(report.sites) if number not in stored and site.memory < 0}
    for number in numbers:
        row = report[number]
        if row.model == "flip" and (row.name in wires or row.name[: row.name.rfind("[")] in wires or row.cycle == 0):
            continue
        # The two number unnamed generate blocks differently.
        form = "" if "genblk" in row.name else icarus_form(sim, row)
        if form and row.result != "untestable" and len(rows) < count:
            rows.append((row, form))
    folder = CACHE / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    zeros = "".join(
        f"    {icarus_name(state.name)} = 0;\n"
        for state in sim.design.graph.states
        if state.kind == "register" and not state.depth and "genblk" not in state.name
    )
    cases = "".join(f"      {number}: begin {form} end\n" for number, (_, form) in enumerate(rows))
    firmware = design.parameters["FIRMWARE"]
    text = _TESTBENCH.format(cycles=cycles, firmware=firmware, faults=cases, zeros=zeros)
    (folder / "check.v").write_text(text)
    execute(["iverilog", "-g2012", "-s", "check", "-o", "check.vvp", *map(str, design.files), "check.v"], folder)
    execute(["vvp", "-n", "check.vvp"], folder)
    spent, wrong = 0.0, list[str]()
    for number, (row, _) in enumerate(rows):
        cost = execute(["vvp", "-n", "check.vvp", f"+fault={number}", f"+at={row.cycle or 0}"], folder)
        spent += cost.cpu_seconds
        seen = next((int(line[5:]) for line in cost.output.splitlines() if line.startswith("seen ")), None)
        if seen != (row.seen_cycle if row.result == "detected" else None):
            wrong.append(f"{row.describe()}: Icarus {seen}, campaign {row.result} at {row.seen_cycle}")
    kinds = Counter(row.model for row, _ in rows)
    found = sum(row.result == "detected" for row, _ in rows)
    print(
        f"Icarus: {len(rows)} faults ({', '.join(f'{n} {model}' for model, n in kinds.items())}), {found} detected:"
        f" {len(rows) - len(wrong)} with the same first cycle; {len(rows) / spent:.1f} faults per CPU second"
    )
    for line in wrong[:20]:
        print("  ", line)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=5000)
    parser.add_argument("--sample", type=int, default=8192)
    parser.add_argument("--serial", type=int, default=64, help="how many faults are simulated one at a time")
    parser.add_argument("--check", type=int, default=0, help="compare so many faults with Icarus")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    design, sim = processor()
    common = {"sites": SITES, "sample": options.sample, "seed": 1, "device": options.device}
    if options.check:
        for models in ("stuck", "flip"):
            campaign = sim.faults(options.cycles, models=models, **common)
            check_icarus(design, sim, campaign, options.check, options.cycles)
        return
    rate("picorv32, stuck", sim, options.cycles, {**common, "models": "stuck"}, options.serial)
    rate("picorv32, flip", sim, options.cycles, {**common, "models": "flip"}, options.serial)
    regs = {"sites": "cpu.cpuregs", "models": "flip", "sample": options.sample, "seed": 1, "device": options.device}
    rate("picorv32, register file, flip", sim, options.cycles, regs, options.serial)
    for name, text, cycles in (
        ("multiplier of 16 bits", multiplier(16), 256),
        ("controller", controller(), 1024),
        ("sequential, 2000 gates", sequential(2000, 60, 16, 24), 1024),
    ):
        netlist = weft.compile(texts={"top.v": text}, top="top")
        ports = netlist.design.graph.scopes[0].module.ports
        inputs = [port.signal.name for port in ports if port.direction == "input" and port.signal.name != "clk"]
        chosen = {"random": {path: 1 + number for number, path in enumerate(inputs)}, "device": options.device}
        rate(name, netlist, cycles, chosen, options.serial)


if __name__ == "__main__":
    main()
