"""System tasks, assertions, time and plusargs in processes, and drives that may float: seen through a simulation."""

import weft

HEAD = "module top(input clk, input [3:0] a, input c, output reg [7:0] y, output [3:0] z);\n"


def simulate(body: str, pokes: list[dict[str, int]], **options) -> tuple[list[str], list[int]]:
    """Poke values in turn; return the lines printed and the values of `y` after each."""
    printed: list[bytes] = []
    seen: list[int] = []
    text = f"{HEAD}{body}\nendmodule\n"
    with weft.compile(
        texts={"top.sv": text}, top="top", engine="reference", cache=False, output=printed.append, **options
    ) as sim:
        for poke in pokes:
            for name, value in poke.items():
                sim.poke(name, value)
            seen.append(int(sim.peek("y")))
    return b"".join(printed).decode().splitlines(), seen


def test_display_shows_the_values_before_nonblocking_assignments_and_strobe_those_after():
    body = """
        initial y = 5;
        always @(posedge clk) begin
          y <= a;
          if (c) $display("y=%0d a=%0d", y, a);
          $strobe("strobe %0d", y);
        end"""
    lines, _ = simulate(body, [{"a": 7, "c": 1}, {"clk": 1}, {"clk": 0, "c": 0, "a": 8}, {"clk": 1}])
    assert lines == ["y=5 a=7", "strobe 7", "strobe 8"]


def test_an_immediate_assertion_that_fails_is_an_error_where_it_stands():
    body = """
        always @(posedge clk) begin
          check: assert (a < 10) y <= 1; else begin $display("bad %0d", a); y <= 2; end
          if (c) cover (a == 3) $display("covered");
        end"""
    lines, values = simulate(body, [{"a": 3, "c": 1}, {"clk": 1}, {"clk": 0, "a": 12}, {"clk": 1}])
    assert lines == ["covered", "bad 12"] and values == [0, 1, 1, 2]


def test_an_assertion_without_else_reports_itself():
    lines, _ = simulate("always @(posedge clk) begin tiny: assert (a < 10); end", [{"a": 12}, {"clk": 1}])
    assert "Assertion 'tiny' failed" in lines[0]


def test_a_combinational_display_follows_its_values():
    lines, _ = simulate('always_comb if (c) $display("a=%0d", a);', [{"a": 1, "c": 1}, {"a": 1}, {"a": 2}, {"c": 0}])
    assert lines == ["a=1", "a=2"]


def test_plusargs_are_constants():
    body = 'always @(posedge clk) y <= $test$plusargs("fast") ? 3 : 4;'
    assert simulate(body, [{}, {"clk": 1}])[1] == [0, 4]
    assert simulate(body, [{}, {"clk": 1}], plusargs=["fast"])[1] == [0, 3]


def test_floating_drivers_leave_the_wire_to_others():
    body = """
        assign z = c ? a : 4'bz;
        assign z[1:0] = c ? 2'bz : {a[0], 1'b1};
        assign z[3:2] = c ? 2'bzz : 2'b10;
        always_comb y = z;"""
    _, values = simulate(body, [{"a": 5, "c": 1}, {"c": 0}, {"a": 4}])
    assert values == [5, 0b1011, 0b1001]


def test_outputs_connect_to_parts_and_wider_nets():
    body = """
        wire [5:0] w;
        low u(.i(a), .o({y[1:0], w[3:1]}));
        low v(.i(~a), .o(w[5:4]));
        assign w[0] = 1, z = w[5:2], y[7:2] = w;
    endmodule
    module low(input [3:0] i, output [4:0] o);
      assign o = {i[0], i};"""
    _, values = simulate(
        body.replace("y[", "t[").replace("low u", "wire [7:0] t; always_comb y = t; low u"), [{"a": 9}]
    )
    w = 0b10 << 4 | (0b11001 & 7) << 1 | 1
    assert values == [w << 2 | 0b11001 >> 3]


def test_memories_of_other_modules_are_read_and_written_by_path():
    body = """
        inner u(.clk(clk));
        always @(posedge clk) begin if (c) u.ram[a] <= a + 1; y <= u.ram[a] + u.ram[2]; end
    endmodule
    module inner(input clk);
      reg [7:0] ram [0:4999];
      integer i;
      initial for (i = 0; i < 5000; i = i + 1) ram[i] = i;"""
    _, values = simulate(body, [{"a": 3, "c": 0}, {"clk": 1}, {"clk": 0, "c": 1}, {"clk": 1}, {"clk": 0}, {"clk": 1}])
    assert values == [0, 5, 5, 5, 5, 6]


def test_a_function_that_a_continuous_assignment_calls_may_print():
    body = """
        function automatic [3:0] shown([3:0] v); $display("v=%0d", v); return v; endfunction
        assign z = shown(a);"""
    lines, _ = simulate(body, [{"a": 1}, {"a": 1, "c": 1}, {"a": 2}])
    assert lines == ["v=0", "v=1", "v=2"]
