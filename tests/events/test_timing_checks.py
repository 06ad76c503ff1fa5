"""Timing checks (IEEE 1800-2023 clause 31): what violates them, what does not, notifiers and delayed signals."""

from __future__ import annotations

import pytest

from events.run_timed import run_timed


def violations(check: str, body: str, declarations: str = "") -> list[str]:
    """Return the violations of a check on `c` and `d`, as they are told."""
    text = f"""
        module m(input c, d, en, output reg n);
          {declarations}
          specify {check} endspecify
        endmodule
        module t;
          reg c = 0, d = 0, en = 1; wire n;
          m u(c, d, en, n);
          initial begin #100 {body} #100 $finish(0); end
        endmodule
        """
    return [line.partition("violation in t.u: ")[2] for line in run_timed(text) if "Timing violation" in line]


CASES = [
    ("$setup(d, posedge c, 3);", "d = 1; #2 c = 1;", ["$setup(d at 100, posedge c at 102, limit 3)"]),
    ("$setup(d, posedge c, 3);", "d = 1; #3 c = 1;", []),
    ("$setup(d, posedge c, 3);", "d = 1; c = 1;", []),
    ("$setup(d, posedge c, 3);", "c = 1; #9 d = 1; #1 c = 0;", []),
    ("$hold(posedge c, d, 3);", "c = 1; #2 d = 1;", ["$hold(posedge c at 100, d at 102, limit 3)"]),
    ("$hold(posedge c, d, 3);", "c = 1; #3 d = 1;", []),
    ("$hold(posedge c, d, 3);", "d = 1; c = 1;", ["$hold(posedge c at 100, d at 100, limit 3)"]),
    ("$hold(posedge c, d, 0);", "d = 1; c = 1;", []),
    ("$setuphold(posedge c, d, 3, 2);", "d = 1; #1 c = 1; #1 d = 0;", [
        "$setuphold(d at 100, posedge c at 101, limit 3)", "$setuphold(posedge c at 101, d at 102, limit 2)",
    ]),
    ("$recovery(posedge c, posedge d, 3);", "c = 1; #1 d = 1;", [
        "$recovery(posedge c at 100, posedge d at 101, limit 3)",
    ]),
    ("$removal(posedge c, posedge d, 3);", "d = 1; #1 c = 1;", [
        "$removal(posedge d at 100, posedge c at 101, limit 3)",
    ]),
    ("$recrem(posedge c, posedge d, 3, 1);", "d = 1; #2 c = 1; #2 d = 0; #1 d = 1;", []),
    ("$recrem(posedge c, posedge d, 3, 1);", "c = 1; #2 d = 1;", [
        "$recrem(posedge c at 100, posedge d at 102, limit 3)",
    ]),
    ("$skew(posedge c, posedge d, 3);", "c = 1; #4 d = 1;", ["$skew(posedge c at 100, posedge d at 104, limit 3)"]),
    ("$skew(posedge c, posedge d, 3);", "c = 1; #3 d = 1;", []),
    ("$timeskew(posedge c, posedge d, 3);", "c = 1; #5 d = 1;", [
        "$timeskew(posedge c at 100, posedge d at 103.001, limit 3)",
    ]),
    ("$timeskew(posedge c, posedge d, 3);", "c = 1; #3 d = 1; #9 d = 0;", []),
    ("$timeskew(posedge c, posedge d, 3,, 1);", "c = 1; #5 d = 1; #1 d = 0; #1 d = 1;", [
        "$timeskew(posedge c at 100, posedge d at 105, limit 3)",
    ]),
    ("$fullskew(posedge c, posedge d, 3, 1,, 1);", "d = 1; #2 c = 1;", [
        "$fullskew(posedge d at 100, posedge c at 102, limit 1)",
    ]),
    ("$period(posedge c, 6);", "c = 1; #2 c = 0; #3 c = 1; #2 c = 0; #4 c = 1;", [
        "$period(posedge c at 100, posedge c at 105, limit 6)",
    ]),
    ("$width(posedge c, 4, 1);", "c = 1; #3 c = 0; #9 c = 1; #1 c = 0; #9 c = 1; #4 c = 0;", [
        "$width(posedge c at 100, negedge c at 103, limit 4)",
    ]),
    ("$nochange(posedge c, d, 2, 1);", "d = 1; #1 c = 1; #5 d = 0; #5 c = 0; #1 d = 1;", [
        "$nochange(posedge c at 101, d at 100, limit 2)", "$nochange(posedge c at 101, d at 106, limit 2)",
    ]),
    ("$hold(posedge c &&& en, d, 3);", "en = 0; c = 1; #1 d = 1;", []),
    ("$hold(posedge c, d &&& (en == 1'b1), 3);", "en = 1'bx; c = 1; #1 d = 1;", [
        "$hold(posedge c at 100, d &&& (en == 1'b1) at 101, limit 3)",
    ]),
    ("$hold(posedge c, d &&& (en === 1'b1), 3);", "en = 1'bx; c = 1; #1 d = 1;", []),
    ("$setup(edge [01, x1] d, edge [0x] c, 3);", "d = 1; #1 c = 1'bx;", [
        "$setup(edge [01, x1] d at 100, edge [0x] c at 101, limit 3)",
    ]),
    ("$setup(edge [10] d, posedge c, 3);", "d = 1; #1 c = 1;", []),
    # With a negative hold the window ends before the edge, with a negative setup it begins after it.
    ("$setuphold(posedge c, d, 5, -2);", "d = 1; #1 c = 1;", []),
    ("$setuphold(posedge c, d, 5, -2);", "d = 1; #3 c = 1;", [
        "$setuphold(d at 102, posedge c at 103, limit 3)",
    ]),
    ("$setuphold(posedge c, d, -2, 4);", "c = 1; #1 d = 1;", []),
    ("$setuphold(posedge c, d, -1, 4);", "c = 1; #3 d = 1;", [
        "$setuphold(posedge c at 101, d at 103, limit 3)",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "body", "expected"), CASES)
def test_a_check_tells_its_violations(check: str, body: str, expected: list[str]) -> None:
    assert violations(check, body) == expected


def test_a_violation_toggles_the_notifier() -> None:
    text = """
        module m(input c, d, output n);
          reg r;
          assign n = r;
          specify $hold(posedge c, d, 3, r); endspecify
        endmodule
        module t;
          reg c = 0, d = 0; wire n;
          m u(c, d, n);
          initial begin
            #10 c = 1; #1 d = 1; #1 $display(n); #10 c = 0; #10 c = 1; #1 d = 0; #1 $display(n); #1 d = 1;
            #1 $display(n);
          end
        endmodule
        """
    lines = [line for line in run_timed(text) if "violation" not in line]
    assert lines == ["0", "1", "1"]


def test_delayed_signals_follow_their_terminals() -> None:
    text = """
        module m(input c, d, output reg q);
          wire dc, dd;
          reg n;
          always @(posedge dc) q = dd;
          specify $setuphold(posedge c, d, -2, 5, n,,, dc, dd); endspecify
        endmodule
        module t;
          reg c = 0, d = 0; wire q;
          m u(c, d, q);
          initial begin
            $monitor($time,, c, d, u.dc, u.dd);
            #10 c = 1; #1 d = 1; #1 c = 0; #10 $display(q);
          end
        endmodule
        """
    shown = [line.split() for line in run_timed(text)]
    assert shown[1:] == [["2", "0000"], ["10", "1000"], ["11", "1101"], ["12", "0111"], ["14", "0101"], ["1"]]


def test_delayed_signals_are_copies_without_negative_limits() -> None:
    text = """
        module t;
          reg a = 0, b = 1; wire da, db;
          specify $recrem(posedge a, negedge b, 0, 0,,,, da, db); endspecify
          initial begin #1 $display(da, db); a = 1; #1 $display(da, db); end
        endmodule
        """
    assert [line for line in run_timed(text) if "violation" not in line] == ["01", "11"]
