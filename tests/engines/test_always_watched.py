"""Procedures whose threads are named by watches run when those with wait sites would."""

from __future__ import annotations

import pytest

from events.run_events import run_events
from weft.engines.event import code_processes
from weft.engines.event.sites import ThreadPlan
from weft.ir.design import Process


def named(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[bool]]:
    """Return the words that a testbench prints, and for each `always` procedure whether watches name its thread."""
    found: list[bool] = []
    usual = code_processes.always_watched

    def decide(process: Process, plan: ThreadPlan) -> bool:
        found.append(usual(process, plan))
        return found[-1]

    monkeypatch.setattr(code_processes, "always_watched", decide)
    return run_events(text)[0].split(), found


@pytest.mark.parametrize(
    "body",
    [
        "always @(posedge clk) begin n = n + 1; q <= n; end",
        "always @(posedge clk, negedge rst) n = n + 1;",
        "always @* if (clk) n = n + 1;",
        "always_comb if (clk) n = 1;",
        "always @(posedge clk) begin n = n + 1; clk = 0; clk = 1; end",
        "always @(posedge clk) begin n = n + 1; {rst, clk} = 0; clk = 1; end",
        "task pulse; begin clk = 0; clk = 1; end endtask always @(posedge clk) begin n = n + 1; pulse; end",
        "task put(output x); x = 1; endtask always @(posedge clk) begin n = n + 1; clk = 0; put(clk); end",
        'always @(posedge clk) begin n = n + 1; clk = 0; void\'($sscanf("1", "%d", clk)); end',
        "event e; always @(posedge clk) -> e; always @(e) begin n = n + 1; if (n < 9) -> e; end",
    ],
)
def test_a_procedure_misses_what_it_changes_itself(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"""
module t;
  reg clk = 0, rst = 1, q; integer n = 0;
  {body}
  initial begin #1 clk = 1; #1 $display("%0d", n); $finish(0); end
endmodule
"""
    printed, decided = named(text, monkeypatch)
    assert printed == ["1"] and all(decided)


def test_a_port_may_be_what_a_procedure_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module inner(input clk, output reg out);
  integer n = 0;
  always @(posedge clk) begin n = n + 1; out = 0; out = 1; end
endmodule
module t;
  wire loop; reg start = 0;
  inner dut(loop, loop);
  inner other(start, );
  initial begin #1 dut.out = 0; #1 dut.out = 1; start = 1; #1 $display(dut.n,, other.n); $finish(0); end
endmodule
"""
    assert named(text, monkeypatch) == (["1", "1"], [True])


def test_what_handles_its_process_has_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module t;
  reg clk = 0; integer n = 0, m = 0;
  process mine;
  function void keep; mine = process::self(); endfunction
  always @(posedge clk) begin n = n + 1; keep; end
  always @(posedge clk) begin m = m + 1; if (m == 2) mine.kill(); end
  initial begin repeat (8) #1 clk = ~clk; $display(n,, m); $finish(0); end
endmodule
"""
    assert named(text, monkeypatch) == (["2", "4"], [False, False])


def test_an_edge_that_comes_twice_before_a_procedure_runs_wakes_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
module t;
  reg clk = 0; integer n = 0, m = 0;
  always @(posedge clk) n = n + 1;
  always @(clk) m = m + 1;
  initial begin #1 clk = 1; clk = 0; clk = 1; #1 clk = 0; #1 clk = 1; #1 $display(n, m); $finish(0); end
endmodule
"""
    assert named(text, monkeypatch) == (["2", "3"], [True, True])


def test_the_order_of_waking_is_that_of_the_source() -> None:
    text = """
module t;
  reg clk = 0;
  always @(posedge clk) $display("first");
  always begin @(posedge clk); $display("second"); end
  always @(posedge clk) $display("third");
  always @(clk) $display("fourth");
  initial begin repeat (2) #1 clk = ~clk; $finish(0); end
endmodule
"""
    assert run_events(text)[0].split() == ["first", "second", "third", "fourth"]
