"""Fault campaigns: equal to simulating each fault alone, and what users see of them."""

import json
import random

import numpy as np
import pytest
from bench.netlists import controller, multiplier, nand_pair, sequential

import weft
from brute_force import first_difference, good_rows
from weft import Unsupported, UserError
from weft.engines.cuda.device import find_gpu
from weft.sim.faults.fault_list import confidence_interval
from weft.sim.faults.lane_faults import FaultClass

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.device)]


@pytest.fixture
def device(request):
    """Return a device that is there."""
    if request.param == "cuda" and not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    return request.param


# Every signal has its fault as inputs: what drives it is masked by `keep` and changed by `flip`, as in a campaign.
WORDS = """
module cell_of #(parameter WIDTH = 8) (input logic clk, input logic [WIDTH-1:0] d, output logic [WIDTH-1:0] q);
  always_ff @(posedge clk) q <= d;
endmodule
module top(input logic clk, input logic rst, input logic [15:0] a, output logic [15:0] y, output logic [3:0] z,
           input logic [39:0] keep_wide, flip_wide, input logic [15:0] keep_sum, flip_sum,
           input logic [15:0] keep_back, flip_back, input logic [3:0] keep_low, flip_low);
  logic [39:0] wide, wide_d; logic [15:0] sum, sum_d, back, back_r; logic [3:0] low, low_d;
  logic [15:0] mem [0:63]; logic [5:0] at;
  assign wide_d = {a, 8'h5a, a} + {24'd0, back};
  assign wide = wide_d & keep_wide ^ flip_wide;
  assign sum_d = a + back + mem[a[5:0]];
  assign sum = sum_d & keep_sum ^ flip_sum;
  always_ff @(posedge clk) if (rst) back_r <= 1; else if (a[0]) back_r <= sum ^ {back[14:0], back[15]};
  assign back = back_r & keep_back ^ flip_back;
  always_ff @(posedge clk) if (rst) at <= 0; else begin
    at <= at + 1;
    if (a[2]) mem[at] <= sum;
    if (a[3]) mem[at + 1][7:0] <= a[7:0];
  end
  cell_of #(.WIDTH(4)) u_low(.clk(clk), .d(wide[39:36] ^ wide[3:0]), .q(low_d));
  assign low = low_d & keep_low ^ flip_low;
  assign y = sum ^ wide[30:15];
  assign z = low;
endmodule
"""
SIGNALS = {"wide": 40, "sum": 16, "back": 16, "low": 4}


def compile_words():
    sim = weft.compile(texts={"top.sv": WORDS}, top="top", cache=False)
    for name, width in SIGNALS.items():
        sim.poke(f"keep_{name}", (1 << width) - 1)
    sim.poke("rst", 1)
    sim.run_cycles(2)
    sim.poke("rst", 0)
    return sim


def stimulus_of(cycles, seed=3):
    draw = random.Random(seed)
    return {"a": [draw.randrange(1 << 16) for _ in range(cycles)]}


@pytest.mark.parametrize("device", DEVICES, indirect=True)
@pytest.mark.parametrize("lanes", [7, 64])
def test_stuck_bits_of_words_equal_single_runs(device, lanes):
    """Each fault's first cycle and output are those of a simulation whose source has the fault."""
    cycles, names = 40, ["y", "z"]
    sim = compile_words()
    stimulus, start = stimulus_of(cycles), sim.checkpoint()
    campaign = sim.faults(
        cycles, sites=list(SIGNALS), models="stuck", stimulus=stimulus, collapse=False, lanes=lanes, device=device
    )
    report = campaign.run()
    assert len(report) == 2 * sum(SIGNALS.values()) and report.complete
    good = good_rows(sim, names, stimulus, cycles)
    for row in report.rows():
        name, _, rest = row.name.removeprefix("top.").partition("[")
        bit, width = int(rest.rstrip("]")), SIGNALS[name]
        sim.restore(start)
        sim.poke(f"keep_{name}", (1 << width) - 1 - (1 << bit))
        sim.poke(f"flip_{name}", (1 << bit) * (row.model == "sa1"))
        found = first_difference(sim, names, stimulus, good, lambda sim, cycle: None)
        check_row(row, found, names)


def check_row(row, found, names):
    if found is None:
        assert row.result in ("undetected", "latent"), row
    else:
        assert (row.result, row.seen_cycle, row.output) == ("detected", found[0], f"top.{names[found[1]]}"), row


@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_flips_equal_single_runs(device):
    """Upsets of registers and memories, and transients on wires, at their cycles."""
    cycles, names = 60, ["y", "z"]
    sim = compile_words()
    stimulus, start = stimulus_of(cycles), sim.checkpoint()
    sites = ["back_r", "at", "mem", "u_low.q", "sum", "wide"]
    report = sim.faults(
        cycles, sites=sites, models="flip", sample=300, seed=5, stimulus=stimulus, lanes=64, device=device
    ).run()
    assert len(report) == 300 and report.faults.population == 60 * (16 + 6 + 64 * 16 + 4 + 16 + 40)
    good = good_rows(sim, names, stimulus, cycles)
    last = sim.checkpoint()
    for row in report.rows():
        sim.restore(start)
        found = first_difference(sim, names, stimulus, good, flip_of(row))
        check_row(row, found, names)
        if found is None:
            state = np.frombuffer(sim.checkpoint().state, np.uint8)
            same = np.array_equal(state, np.frombuffer(last.state, np.uint8))
            wires = row.name.startswith(("top.sum", "top.wide"))
            assert (row.result == "undetected") == same or wires, row


def flip_of(row, array="mem"):
    path = row.name.removeprefix("top.")
    name, *rest = path.split("[")
    indices = [int(part.rstrip("]")) for part in rest]

    def flip(sim, cycle):
        if name in ("sum", "wide"):
            sim.poke(f"flip_{name}", 1 << indices[0] if cycle == row.cycle else 0)
        elif cycle == row.cycle:
            if name == array:
                memory = sim.memory(array)
                memory[indices[0]] = int(memory[indices[0]]) ^ 1 << indices[1]
            else:
                sim.poke(name, int(sim.peek(name)) ^ 1 << (indices[0] if indices else 0))

    return flip


@pytest.mark.parametrize(
    "text",
    [nand_pair(), multiplier(3), controller(9, 3), sequential(60, 6, seed=2), sequential(90, 9, seed=4)],
    ids=["nand_pair", "multiplier", "controller", "sequential2", "sequential4"],
)
def test_netlists_equal_forces(text):
    """Every stuck-at fault of a netlist of gates, collapsed, against `force` on a plain simulation."""
    cycles = 24
    sim = weft.compile(texts={"top.v": text}, top="top", cache=False)
    inputs = {port.signal.name: port.signal.bits for port in sim.design.graph.scopes[0].module.ports}
    outputs = [p.signal.name for p in sim.design.graph.scopes[0].module.ports if p.direction == "output"]
    inputs = {name: bits for name, bits in inputs.items() if name not in (*outputs, "clk")}
    draw = random.Random(8)
    stimulus = {name: [draw.randrange(1 << bits) for _ in range(cycles)] for name, bits in inputs.items()}
    campaign = sim.faults(cycles, models="stuck", stimulus=stimulus, device="cpu", lanes=256)
    report = campaign.run()
    single = [row for row in report.rows() if "[" not in row.name]
    paths = sorted({row.name for row in single if row.name.removeprefix("top.") not in stimulus})
    brute = weft.compile(texts={"top.v": text}, top="top", cache=False, forceable=paths)
    start = brute.checkpoint()
    good = good_rows(brute, outputs, stimulus, cycles)
    for row in single:
        brute.restore(start)
        if row.name.removeprefix("top.") not in stimulus:
            brute.force(row.name, int(row.model == "sa1"))
            found = first_difference(brute, outputs, stimulus, good, lambda sim, cycle: None)
        else:
            name, value = row.name.removeprefix("top."), int(row.model == "sa1")
            found = first_difference(brute, outputs, stimulus, good, lambda sim, cycle, n=name, v=value: sim.poke(n, v))
        check_row(row, found, outputs)
    assert 0.2 < report.coverage.fault_coverage <= 1
    # Faults that were collapsed have what each of them would have found alone.
    alone = sim.faults(cycles, models="stuck", stimulus=stimulus, device="cpu", collapse=False).run()
    assert alone.simulated == len(alone) > report.simulated
    detected = report.outcomes.classes == FaultClass.DETECTED
    np.testing.assert_array_equal(detected, alone.outcomes.classes == FaultClass.DETECTED)
    np.testing.assert_array_equal(report.outcomes.cycles, alone.outcomes.cycles)
    np.testing.assert_array_equal(report.outcomes.outputs, alone.outcomes.outputs)


CLOCKS = """
module top(input logic clk, input logic rst_n, input logic [7:0] a, output logic [7:0] y, output logic [7:0] z);
  logic [7:0] up, down, slow, big [0:63]; logic half; logic [5:0] k;
  initial begin up = 0; down = 3; slow = 1; half = 0; k = 0; end
  always_ff @(posedge clk or negedge rst_n) if (!rst_n) up <= 8'h11; else up <= up + down;
  always_ff @(negedge clk) if (a[1]) down <= {down[6:0], ^up};
  always_ff @(posedge clk) half <= !half;
  always_ff @(posedge half) slow <= slow ^ up;
  always_ff @(negedge clk) begin
    k <= k + 1;
    if (a[7:4] == 3) for (int i = 0; i < 64; i++) big[i] <= 8'hee;
    else if (a[0]) big[k] <= up;
  end
  assign y = up ^ big[a[5:0]]; assign z = slow ^ down;
endmodule
"""


@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_upsets_under_other_clocks_equal_pokes(device):
    """Registers of the falling edge, of derived clocks and with asynchronous resets; memories that are filled."""
    cycles, names = 50, ["y", "z"]
    sim = weft.compile(texts={"top.sv": CLOCKS}, top="top", cache=False)
    sim.poke("rst_n", 1)
    sim.run_cycles(1)
    stimulus, start = {"a": [value & 255 for value in stimulus_of(cycles, 4)["a"]]}, sim.checkpoint()
    sites = ["up", "down", "slow", "half", "k", "big"]
    report = sim.faults(
        cycles, sites=sites, models="flip", sample=200, seed=2, stimulus=stimulus, lanes=48, device=device
    ).run()
    good = good_rows(sim, names, stimulus, cycles)
    for row in report.rows():
        name = row.name.removeprefix("top.").partition("[")[0]
        if name == "half":
            continue  # a poke of a derived clock makes an edge after the clock's own
        sim.restore(start)
        found = first_difference(sim, names, stimulus, good, flip_of(row, "big"))
        check_row(row, found, names)


PROGRAM = """
module top(input logic clk, output logic [7:0] result, output logic done);
  logic [7:0] total, count, spare; logic tied; logic unused;
  assign tied = 1'b0;
  initial begin total = 0; count = 0; spare = 7; end
  always_ff @(posedge clk) if (!done) begin total <= total + count; count <= count + 1; end
  assign done = count == 8'd20; assign unused = spare[0];
  assign result = done ? total ^ {8{tied}} : 8'd0;
endmodule
"""


def test_classes_of_runs_with_an_end():
    sim = weft.compile(texts={"top.sv": PROGRAM}, top="top", cache=False)
    report = sim.faults(
        1000, sites=["total", "count", "tied", "spare", "unused"], models="stuck,flip", at=[0, 5], until="done",
        compare="end", observe="result", device="cpu",
    ).run()  # fmt: skip
    rows = {row.describe(): row for row in report.rows()}
    assert report.cycles == 19 and report.complete
    assert rows["sa0 top.count[4]"].result == "hang" and rows["sa1 top.count[0]"].result == "hang"
    assert rows["sa0 top.tied"].result == "untestable" and rows["sa1 top.tied"].result == "detected"
    assert rows["flip top.total[3] @ 5"].result == "detected" and rows["flip top.total[3] @ 0"].output == "top.result"
    assert rows["flip top.spare[2] @ 5"].result == "latent"
    assert rows["sa1 top.unused"].result == "undetected"
    hang = report.coverage.counts[FaultClass.HANG]
    assert hang >= 8 and report.coverage.test_coverage > report.coverage.fault_coverage


FINISHING = """
module top(input logic clk, output logic [7:0] count);
  initial count = 0;
  always_ff @(posedge clk) begin count <= count + 1; if (count == 30) $finish; end
endmodule
"""


def test_runs_that_finish():
    sim = weft.compile(texts={"top.sv": FINISHING}, top="top", cache=False)
    report = sim.faults(1000, sites="count", models="stuck", observe="count", device="cpu").run()
    assert report.cycles == 30 and report.coverage.fault_coverage > 0.6
    report = sim.faults(1000, sites="count", models="stuck", compare="end", device="cpu").run()
    assert {row.describe(): row.result for row in report.rows()}["sa0 top.count[1]"] == "hang"


@pytest.mark.parametrize("device", DEVICES, indirect=True)
@pytest.mark.parametrize(
    ("text", "options"),
    [
        (WORDS, {"cycles": 90, "sites": ["*", "!clk"], "models": "stuck,flip", "random": {"a": 5}}),
        (CLOCKS, {"cycles": 70, "sites": ["*", "!rst_n"], "models": "flip", "sample": 400, "random": {"a": 2}}),
        (PROGRAM, {"cycles": 1000, "models": "stuck,flip", "at": [0, 3, 17], "until": "done", "observe": "result"}),
        (FINISHING, {"cycles": 1000, "models": "stuck,flip", "at": [0, 20]}),
    ],
    ids=["words", "clocks", "until", "finish"],
)
def test_refilled_lanes_find_what_turns_find(text, options, device):
    """Lanes that take up one fault after the other, at cycles of their own, against batches that begin together."""
    sim = compile_words() if text is WORDS else weft.compile(texts={"top.sv": text}, top="top", cache=False)
    if text is CLOCKS:
        sim.poke("rst_n", 1)
        sim.run_cycles(1)
    alone, refilled = (
        sim.faults(**options, lanes=lanes, refill=refill, device=device).run()
        for lanes, refill in ((2000, False), (12, True))
    )
    assert len(refilled) > 24 and refilled.complete
    assert list(refilled.rows()) == list(alone.rows())


def test_collapsing_of_the_smallest_netlist():
    """Without branches: of 22 faults of six NANDs, those at inputs with one reader join the gate's output."""
    sim = weft.compile(texts={"top.v": nand_pair()}, top="top", cache=False)
    campaign = sim.faults(32, device="cpu", random={name: 1 + number for number, name in enumerate("abcde")})
    report = campaign.run()
    assert len(report) == 22 and report.simulated == 16
    assert report.coverage.fault_coverage == 1.0


@pytest.mark.parametrize(
    "text",
    [nand_pair(), multiplier(4), controller(9, 3), sequential(90, 9, seed=4), sequential(120, 4, outputs=20, seed=6)],
    ids=["nand_pair", "multiplier", "controller", "sequential4", "sequential6"],
)
def test_dominance_infers_what_simulation_finds(text):
    """Every inferred fault is detected alone as well, no later; what cannot be inferred is simulated."""
    sim = weft.compile(texts={"top.v": text}, top="top", cache=False)
    names = [p.signal.name for p in sim.design.graph.scopes[0].module.ports if p.direction == "input"]
    options = {"cycles": 20, "random": {name: 3 for name in names if name != "clk"}, "device": "cpu"}
    alone = sim.faults(**options, collapse=False).run()
    campaign = sim.faults(**options, dominance=True)
    report = campaign.run()
    assert report.complete
    np.testing.assert_array_equal(report.outcomes.classes, alone.outcomes.classes)
    inferred = campaign.inferred[campaign.same]
    assert (report.outcomes.cycles[inferred] >= alone.outcomes.cycles[inferred]).all()
    np.testing.assert_array_equal(report.outcomes.cycles[~inferred], alone.outcomes.cycles[~inferred])
    assert report.inferred == inferred.sum() and ("dominance:" in report.text()) == bool(report.inferred)
    if "dff" not in text:
        assert report.inferred > 0 and report.simulated < sim.faults(**options).run().simulated


FORWARDED = """
module top(input logic clk, input logic [3:0] a, output logic [3:0] y, output logic [3:0] z);
  logic [3:0] twice, kept;
  always_comb begin twice = a + a; y = twice ^ 4'd3; end
  always_ff @(posedge clk) kept <= a;
  assign z = kept + twice;
endmodule
"""


def test_what_its_own_process_reads_is_left_out():
    """Such a process would not see the fault, so no answer is given; the report names the signals."""
    sim = weft.compile(texts={"top.sv": FORWARDED}, top="top", cache=False)
    report = sim.faults(8, device="cpu", random={"a": 1}).run()
    assert report.left_out == ("top.twice",) and "top.twice" in report.text()
    assert not [row for row in report.rows() if "twice" in row.name]
    for options in ({"sites": "twice"}, {"faults": ["sa0 top.twice[1]"]}):
        with pytest.raises(Unsupported, match="a process reads after it has assigned it"):
            sim.faults(8, device="cpu", **options)


def test_lists_and_samples(tmp_path):
    sim = compile_words()
    path = tmp_path / "faults.txt"
    path.write_text("# mine\nsa0 top.sum[3]\nstuck low  # four bits\nflip mem[5][2] @ 3, 4\nflip top.back_r[0]\n")
    report = sim.faults(20, faults=path, stimulus=stimulus_of(20), device="cpu").run()
    names = [row.describe() for row in report.rows()]
    assert names[0] == "sa0 top.sum[3]" and len(names) == 1 + 8 + 2 + 1
    assert "flip top.mem[5][2] @ 4" in names
    again = [sim.faults(20, sites="wide", sample=12, seed=9, device="cpu") for _ in range(2)]
    assert list(again[0].faults.bit) == list(again[1].faults.bit)
    report = again[0].run()
    low, high = report.interval
    assert 0 <= low <= report.coverage.fault_coverage <= high <= 1 and report.faults.population == 80


def test_interval():
    assert confidence_interval(50, 100, 100) == (0.5, 0.5)
    low, high = confidence_interval(50, 100, 10**9)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    assert confidence_interval(0, 0, 10) == (0.0, 1.0) and confidence_interval(10, 10, 10**6)[0] > 0.7


def test_reports(tmp_path):
    sim = compile_words()
    campaign = sim.faults(30, sites=["low", "u_low.*", "!u_low.d"], stimulus=stimulus_of(30), device="cpu")
    before = campaign.report()
    assert not before.complete and "cut short" in before.text()
    seen = []
    report = campaign.run(seen.append)
    assert seen[-1].done == seen[-1].total == len(report) and seen[-1].detected == report.coverage.detected
    for name in ("report.md", "report.json", "report.txt"):
        report.save(tmp_path / name)
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["total"] == len(report) == sum(data["classes"].values()) == len(data["faults"])
    assert data["hierarchy"]["top.u_low"]["detected"] <= data["hierarchy"]["top"]["detected"]
    text = (tmp_path / "report.md").read_text()
    assert "| `top.u_low` |" in text and "| detected |" in text
    with pytest.raises(UserError, match="cannot write"):
        report.save(tmp_path / "no" / "report.md")


def test_interrupted_campaigns_keep_what_they_have():
    sim = compile_words()
    campaign = sim.faults(30, sites=list(SIGNALS), stimulus=stimulus_of(30), device="cpu", lanes=16)

    def stop(progress):
        if progress.done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign.run(stop)
    part = campaign.report()
    assert not part.complete and 40 < part.coverage.simulated < len(part)
    whole = campaign.run()
    straight = sim.faults(30, sites=list(SIGNALS), stimulus=stimulus_of(30), device="cpu").run()
    assert whole.complete
    np.testing.assert_array_equal(whole.outcomes.classes, straight.outcomes.classes)


def test_replays():
    sim = compile_words()
    stimulus = stimulus_of(30)
    campaign = sim.faults(30, sites="back", stimulus=stimulus, device="cpu")
    report = campaign.run()
    number = next(n for n, row in enumerate(report.rows()) if row.result == "detected" and row.seen_cycle > 3)
    row = report[number]
    alone = campaign.replay(number)
    good = good_rows(sim, ["y", "z"], stimulus, 30)
    alone.run_cycles(row.seen_cycle)
    assert [int(alone.peek("y")), int(alone.peek("z"))] != good[row.seen_cycle]
    assert alone.time_fs > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sites": "nobody"}, "no signal matches 'nobody'"),
        ({"models": "bridge"}, "a fault model is sa0, sa1, stuck, flip, not 'bridge'"),
        ({"models": "flip", "at": [20]}, "the campaign has cycles 0 to 9"),
        ({"compare": "never"}, "compare is cycle or end"),
        ({"observe": "mem"}, "observing the memory 'top.mem'"),
        ({"faults": ["sa0 sum[99]"]}, "faults:1: 'top.sum' has bits 15 to 0, no bit 99"),
        ({"faults": ["sa2 sum"]}, "faults:1: write 'sa0 SIGNAL"),
        ({"faults": ["sa0 sum @ 3"]}, "only a flip has a cycle"),
        ({"faults": []}, ""),
        ({"faults": "missing.txt"}, "cannot read 'missing.txt'"),
        ({"random": {"clk": 1}}, "'top.clk' is the clock|'clk' is the clock"),
        ({"stimulus": {"a": [1 << 16]}}, "65536 does not fit 'a', which has 16 bits"),
        ({"sample": 0}, "a sample has at least one fault"),
        ({"lanes": 0}, "a campaign has at least one lane"),
        ({"cycles": 0}, "at least one cycle"),
        ({"dominance": True, "collapse": False}, "dominance needs collapse"),
    ],
)
def test_what_cannot_be(options, message):
    sim = compile_words()
    if not message:
        return
    with pytest.raises((UserError, Unsupported), match=message):
        sim.faults(**{"cycles": 10, "device": "cpu", **options}).run()


def test_four_states_are_refused():
    sim = weft.compile(texts={"top.v": nand_pair()}, top="top", cache=False, four_state=True)
    with pytest.raises(Unsupported, match="a fault campaign in four states"):
        sim.faults(4)


@pytest.mark.device
def test_devices_agree():
    if not find_gpu():
        pytest.skip("no GPU: it needs an NVIDIA GPU, its driver and pip install 'weft[cuda]'")
    sim = compile_words()
    reports = [
        sim.faults(64, sites="*", models="stuck,flip", stimulus=stimulus_of(64), device=device).run()
        for device in ("cpu", "cuda")
    ]
    for column in ("classes", "cycles", "outputs"):
        np.testing.assert_array_equal(*(getattr(report.outcomes, column) for report in reports))
