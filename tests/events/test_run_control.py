"""What `weft run` does around a testbench: waveforms, the prompt of $stop, Ctrl-C, oscillations, delays, $system."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from events.run_events import run_events
from weft.apps.stop_prompt import StopPrompt
from weft.base.errors import UserError
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation, run
from weft.sim.run_plan import OnStop, RunPlan

RUN = [sys.executable, "-c", "import sys; from weft.apps.cli import run; sys.exit(run(sys.argv[1:]))", "run"]

COUNTER = """
    module sub(input c, output reg [3:0] q = 0);
      always @(posedge c) q <= q + 1;
    endmodule
    module t;
      reg c = 0; wire [3:0] q; real r = 0.5; reg [7:0] m [0:1];
      sub u(c, q);
      always #5 c = ~c;
      initial begin #12 m[1] = 8'hax; $stop; $display("on %0d", q); #20 $finish(0); end
      final $display("final %0d", q);
    endmodule
    """


def plan(folder: Path, text: str, **options: object) -> RunPlan:
    source = folder / "t.sv"
    source.write_text(text)
    return RunPlan((str(source),), **options)  # pyright: ignore[reportArgumentType]


# --------------------------------------------------------------------------------------------- waveforms


def test_wave_writes_the_chosen_signals(tmp_path: Path) -> None:
    wave = tmp_path / "w.vcd"
    options = EventOptions(wave=str(wave), signals=("u.q", "t.c"))
    assert run_events(COUNTER, options)[1] == 0
    lines = wave.read_text().splitlines()
    assert [line.split()[4] for line in lines if line.startswith("$var")] == ["c", "q"]
    assert [line for line in lines if line.startswith("#")] == ["#0", "#5", "#10", "#12"]
    assert sorted(lines[lines.index("#5") + 1 :][:2]) == ["1!", 'b1 "']


def test_wave_names_a_pattern_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no signal matches 'u\.zz\*'"):
        run_events(COUNTER, EventOptions(wave=str(tmp_path / "w.vcd"), signals=("*", "u.zz*")))


def test_wave_and_dumpvars_do_not_disturb_each_other(tmp_path: Path) -> None:
    text = f"""
        module t; reg a = 0;
          initial begin $dumpfile("{tmp_path}/d.vcd"); $dumpvars; #1 a = 1; #1 a = 0; end
        endmodule
        """
    run_events(text, EventOptions(wave=str(tmp_path / "w.vcd")))
    shown = [(tmp_path / name).read_text().partition("$dumpvars")[2] for name in ("d.vcd", "w.vcd")]
    assert shown[0] == shown[1]
    assert "#2" in shown[0]


def test_wave_is_written_as_fst(tmp_path: Path) -> None:
    from weft.tools.waves.dump_sink import open_fst_sink

    wave = tmp_path / "w.fst"
    run_events(COUNTER, EventOptions(wave=str(wave), open_wave=open_fst_sink))
    assert wave.read_bytes()[0] == 0
    assert len(wave.read_bytes()) > 400


# --------------------------------------------------------------------------------------------- the prompt


def talk(text: str, *lines: str) -> tuple[list[str], list[str], int]:
    """Return what the prompt says after its greeting, what the design prints, and the status."""
    said, out = io.StringIO(), io.BytesIO()
    rest = iter(lines)
    simulation = EventSimulation(load_design(texts={"t.sv": text}), out)

    def read(prompt: str) -> str:
        line = next(rest, None)
        if line is None:
            raise EOFError
        return line

    simulation.ask_at_stop(lambda stop, scope: StopPrompt(stop, scope, read, said).run())
    status = simulation.run()
    assert next(rest, None) is None
    return said.getvalue().splitlines(), out.getvalue().decode().splitlines(), status


def test_the_prompt_shows_the_design_at_the_statement() -> None:
    commands = ["print c q u.q m[1] r q[0] nope", "scope", "scope u", "print", "time", "cont"]
    said, printed, status = talk(COUNTER, *commands)
    assert said[0].startswith("stopped at 12 ns in t;")
    assert said[1:7] == ["c = 0", "q = 4'h1", "u.q = 4'h1", "m[1] = 8'hax", "r = 0.5", "q[0] = 1"]
    assert said[7] == "there is no signal 'nope' in t"
    assert said[8:10] == ["t", "  u/"]
    assert said[-3:] == ["c = 0", "q = 4'h1", "12 ns"]
    assert (printed[1:], status) == (["on 1", "final 3"], 0)


def test_the_prompt_says_where_processes_wait() -> None:
    said, _, _ = talk(COUNTER, "where", "cont")
    assert [line.strip() for line in said[2:]] == [
        "always in t.u (t.sv:3:14) waits for a change of c",
        "always in t (t.sv:8:14) waits until 15 ns",
        "initial in t (t.sv:9:15) is running",
    ]


def test_the_prompt_steps_and_goes_on() -> None:
    said, printed, _ = talk(COUNTER, "step", "time", "step 3", "cont")
    assert said[1] == "12 ns: initial in t (t.sv:9:15)"
    assert said[2] == "12 ns"
    assert said[3].startswith("20 ns: ")
    assert printed[1:] == ["on 1", "final 3"]


def test_the_prompt_ends_the_run() -> None:
    assert talk(COUNTER, "finish")[1][1:] == ["final 1"]
    assert talk(COUNTER, "step 2", "finish")[1][1:] == ["on 1", "final 1"]
    assert talk(COUNTER, "step 999", *[])[0][-1] == "the simulation has ended"


def test_a_second_stop_asks_again() -> None:
    text = 'module t; initial begin #1 $stop; #1 $stop; $display("end"); end endmodule'
    said, printed, _ = talk(text, "cont", "cont")
    assert [line.partition(";")[0] for line in said] == ["stopped at 1 ns in t", "stopped at 2 ns in t"]
    assert printed[-1] == "end"


@pytest.mark.parametrize(("on_stop", "status"), [(OnStop.FINISH, 0), (OnStop.FAIL, 1)])
def test_stop_without_a_terminal_ends_the_run(on_stop: OnStop, status: int, tmp_path: Path) -> None:
    assert run(plan(tmp_path, COUNTER, on_stop=on_stop)) == status


# --------------------------------------------------------------------------------------------- Ctrl-C, oscillations


def test_ctrl_c_leaves_complete_files(tmp_path: Path) -> None:
    (tmp_path / "t.v").write_text(
        """
        module t; reg c = 0; integer f, n = 0;
          initial begin f = $fopen("log.txt"); $fdisplay(f, "begun"); $dumpvars; $display("ready"); $fflush; end
          always begin #5 c = ~c; n = n + 1; if (n == 1000) $fdisplay(f, "thousand"); end
        endmodule
        """
    )
    # The signal may come while a process runs that never waits, too.
    command = [*RUN, "t.v", "--wave", "w.vcd"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not ((tmp_path / "w.vcd").exists() and (tmp_path / "w.vcd").stat().st_size > 1 << 17):
        assert time.time() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert (tmp_path / "log.txt").read_text().startswith("begun\nthousand\n")
    for name in ("w.vcd", "dump.vcd"):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[-1][0] in "01#"
        assert int([line for line in lines if line.startswith("#")][-1][1:]) > 5000


def test_ctrl_c_ends_a_loop_that_never_waits(tmp_path: Path) -> None:
    (tmp_path / "t.v").write_text(
        'module t; integer f, i = 0; initial begin f = $fopen("l"); $fdisplay(f, "a"); $fflush(f);'
        " while (1) i = i + 1; end endmodule"
    )
    process = subprocess.Popen([*RUN, "t.v"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 60
    while not ((tmp_path / "l").exists() and (tmp_path / "l").stat().st_size):
        assert time.time() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 130


LOOPS = {
    "active": (
        "wire a, b; reg s = 0; assign a = s & ~b; assign b = a; initial #3 s = 1;", ["assign in t (t.sv:1"],
    ),
    "nonblocking": (
        "reg a = 0; always @(a) a <= ~a; initial #3 a = 1;", ["always in t (t.sv:1"],
    ),
    "inactive": ("reg a = 0; always #0 a = ~a; initial #3 $finish;", ["always in t (t.sv:1"]),
    "two": (
        "reg a = 0, b = 0; always @(a) b = a; always @(b) a = ~b; initial #3 a = 1;", ["always in t (t.sv:1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_a_zero_delay_loop_is_reported_with_its_processes(name: str) -> None:
    body, names = LOOPS[name]
    with pytest.raises(UserError) as error:
        run_events(f"module t; {body} endmodule", EventOptions(max_deltas=1000))
    assert error.value.code == "no-convergence"
    assert "after 1000 delta cycles" in error.value.message
    assert all(text in error.value.message for text in names)


def test_many_processes_at_one_time_are_no_loop() -> None:
    text = """
        module leaf(input [9:0] a, output reg [9:0] y); always @(a) y = a + 1; endmodule
        module t; genvar i; wire [9:0] w [0:500]; reg [9:0] a = 0;
          assign w[0] = a;
          for (i = 0; i < 500; i = i + 1) begin : g leaf u(w[i], w[i + 1]); end
          initial begin #1 a = 5; #1 $display("%0d", w[500]); end
        endmodule
        """
    assert run_events(text, EventOptions(max_deltas=2000)) == ("505\n", 0)


# --------------------------------------------------------------------------------------------- delays, $system


def test_delays_none_takes_away_all_but_procedural_delays(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = """
        module m(input a, output y); assign y = a; specify (a => y) = 5; endspecify endmodule
        module t; reg a = 0; wire y, z; wire #4 n; assign #3 z = a; assign n = a; m u(a, y); wire g; not #2 (g, a);
          initial begin #10 a = 1; #1 $display(y, z, n, g); end
        endmodule
        """
    assert run(plan(tmp_path, text, delays="none")) == 0
    assert run(plan(tmp_path, text)) == 0
    assert capfd.readouterr().out == "1110\n0001\n"


def test_system_returns_what_c_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = 'module t; initial $display($system("exit 3"), , $system("true"), , $system()); endmodule'
    assert run(plan(tmp_path, text, allow_system=True)) == 0
    assert capfd.readouterr().out.split() == [str(os.system("exit 3")), "0", "1"]


def test_escaped_names_are_found_and_shown_without_their_escape(tmp_path: Path) -> None:
    text = r"""
        module \m.od (input \a+b , output \y[0] );
          assign \y[0] = ~\a+b ;
          initial begin : \blk!1 reg \in-ner ; \in-ner = 0; #1 $display("%m"); end
        endmodule
        module t;
          reg a = 0; wire y;
          \m.od \u.1 (a, y);
          initial begin $dumpfile("FILE"); $dumpvars(0, \u.1 ); $dumpvars(1, t.a); #2 $finish(0); end
        endmodule
        """.replace("FILE", str(tmp_path / "d.vcd"))
    wave = EventOptions(wave=str(tmp_path / "w.vcd"), signals=("u.1.blk!1.in-ner",))
    assert run_events(text, wave)[0].splitlines()[-1] == "t.u.1.blk!1"
    shown = {}
    for name in ("d", "w"):
        lines = (tmp_path / f"{name}.vcd").read_text().splitlines()
        shown[name] = [
            line.split()[2 if "scope" in line else 4] for line in lines if line.startswith(("$var", "$scope"))
        ]
    assert shown["w"] == ["t", "u.1", "blk!1", r"\in-ner"]
    assert shown["d"] == ["t", "u.1", r"\a+b", r"\y[0]", "blk!1", r"\in-ner", "t", "a"]
