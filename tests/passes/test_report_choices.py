"""Violations of `unique`, `unique0` and `priority` in the cycle engines: seen through a simulation."""

import pytest

import weft

HEAD = "module top(input clk, input [1:0] a, input [2:0] b, output reg [3:0] y, output [1:0] z);\n"
UNHANDLED = "value is unhandled for priority or unique"
SEVERAL = "value matches more than one item of a unique"


def reports(body: str, *values: tuple[int, int], **options) -> list[list[str]]:
    """Clock in each pair of `a` and `b`; return what is reported at each."""
    printed: list[bytes] = []
    seen: list[list[str]] = []
    text = f"{HEAD}{body}\nendmodule\n"
    with weft.compile(texts={"top.sv": text}, top="top", cache=False, output=printed.append, **options) as sim:
        for a, b in values:
            sim.poke("a", a)
            sim.poke("b", b)
            sim.peek("z")
            sim.poke("clk", 1)
            sim.peek("y")
            sim.poke("clk", 0)
            sim.peek("y")
            lines = b"".join(printed).decode().splitlines()
            seen.append([line.partition(": ")[2].partition(": ")[2] for line in lines if "WARNING" in line])
            printed.clear()
    return seen


@pytest.mark.parametrize("engine", ["cpu", "reference"])
@pytest.mark.parametrize("four_state", [False, True])
def test_a_clocked_case_reports_each_time_it_runs(engine: str, four_state: bool):
    body = "always @(posedge clk) unique case (a) 0: y <= 1; 1: y <= 2; 2: y <= 3; endcase"
    seen = reports(body, (3, 0), (3, 0), (2, 0), engine=engine, four_state=four_state)
    assert seen == [[f"{UNHANDLED} case statement"], [f"{UNHANDLED} case statement"], []]


def test_items_that_match_together_are_reported_and_the_first_runs():
    body = "always @(posedge clk) unique0 case (1'b1) b[0]: y <= 7; b[1]: y <= 8; b[2]: y <= 9; endcase"
    several = [f"{SEVERAL} case statement"]
    assert reports(body, (0, 0), (0, 2), (0, 6), (0, 7)) == [[], [], several, several]


def test_a_chain_of_ifs_is_one_choice():
    body = "always @(posedge clk) unique if (b[0]) y <= 4; else if (b[1]) y <= 5; else if (b[2]) y <= 6;"
    assert reports(body, (0, 4), (0, 3), (0, 0)) == [[], [f"{SEVERAL} if statement"], [f"{UNHANDLED} if statement"]]


def test_priority_wants_a_match_and_takes_several():
    body = "always @(posedge clk) priority casez (b) 3'b1?0: y <= 9; 3'b1??: y <= 1; 3'b0?1: y <= 10; endcase"
    assert reports(body, (0, 4), (0, 1), (0, 2)) == [[], [], [f"{UNHANDLED} case statement"]]


def test_what_cannot_happen_is_not_looked_for():
    body = """
        always @(posedge clk) begin
          unique case (a) 0: y <= 1; 1: y <= 2; 2, 3: y <= 3; endcase
          unique if (b[0]) y <= 4; else y <= 5;
        end"""
    text = f"{HEAD}{body}\nendmodule\n"
    with weft.compile(texts={"top.sv": text}, top="top", cache=False) as sim:
        assert not sim.design.graph.effects


def test_combinational_logic_reports_once_it_has_settled():
    body = """
        function automatic [1:0] next([1:0] v); unique case (v) 0: next = 1; 1: next = 2; endcase endfunction
        assign z = next(a);"""
    assert reports(body, (0, 0), (2, 0), (2, 1), (1, 0), (3, 0)) == [
        [],
        [f"{UNHANDLED} case statement"],
        [],
        [],
        [f"{UNHANDLED} case statement"],
    ]


def test_assertions_off_leaves_the_checks_out():
    body = "always @(posedge clk) unique case (a) 0: y <= 1; endcase"
    assert reports(body, (3, 0), assertions="off") == [[]]
