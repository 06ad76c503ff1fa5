from lang.compile_text import load, module, show
from weft.ir.design import Kind

PROCEDURES = """
module top(input logic clk, rst_n, input logic [3:0] a, output logic [3:0] q, r, s);
  always_ff @(posedge clk or negedge rst_n)
    if (!rst_n) q <= 0;
    else q <= a;
  always_comb r = a + q;
  always_latch if (clk) s = a;
  logic t, u, v;
  always @* t = a[0];
  always @(a or q) u = a[1];
  always @(posedge clk iff rst_n) v <= u;
  always begin @(negedge clk) $display("low"); end
  initial $display("start");
  final $display("end");
  assert final (a !== 4'bx);
  if (1) begin : block always_comb begin : inner assert (a < 4) else $error("big"); end end
endmodule
"""

SCOPES = """
module top(input [3:0] a);
  if (1) wire first = a[0];
  if (0) begin : no wire never; end else begin : yes wire second = a[1]; end
  case (3) 3: begin : three wire third = a[2]; default: begin end endcase
  for (genvar i = 3; i > 1; i--) begin : loop
    wire bit_i = a[i];
    for (genvar j = 0; j < 2; j++) begin wire deep = a[i] & a[j]; end
    int count;
    always_comb begin : work automatic int unsigned k; int unsigned m; k = i; m = k; begin int m; m = 3; end end
  end
  wire \\odd.name = loop[3].bit_i ^ loop[2].genblk1[1].deep ^ yes.second;
endmodule
"""

DRIVERS = """
module top(input a, b, inout wire [3:0] bus);
  supply0 ground;
  tri1 up;
  wand joined;
  wire (strong0, weak1) #3 delayed = a;
  assign (pull1, weak0) joined = a;
  assign #2 up = b;
  assign implicit = a;
  logic [3:0] start = 4'b10x1;
  int unsigned table_[2] = '{1, 2};
  bit flag = 1'bx;
  const int three = 3;
endmodule
"""

TIMESCALES = """
`timescale 10ns/1ps
module inner; endmodule
`timescale 1us/100ns
module top; inner i(); endmodule
"""


def test_procedures(golden):
    golden("procedures.txt", show(PROCEDURES))


def test_generate_scopes_name_their_signals(golden):
    golden("scopes.txt", show(SCOPES.replace("default: begin end ", "end default: begin end "), "-Wnone"))


def test_nets_variables_and_assignments(golden):
    golden("drivers.txt", show(DRIVERS, "-Wnone"))


def test_process_kinds():
    found = [process.kind for process in load(PROCEDURES).modules[0].processes]
    assert found == [
        Kind.EVENTS,
        Kind.COMB,
        Kind.COMB,
        Kind.COMB,
        Kind.EVENTS,
        Kind.EVENTS,
        Kind.FREE,
        Kind.INITIAL,
        Kind.FINAL,
        Kind.COMB,
        Kind.COMB,
    ]


def test_timescale_of_each_module():
    design = load(TIMESCALES)
    assert (module(design, "inner").time_unit_fs, module(design, "inner").time_precision_fs) == (10_000_000, 1000)
    assert (module(design, "top").time_unit_fs, module(design, "top").time_precision_fs) == (10**9, 10**8)


def test_parameters_are_shown():
    text = (
        "module top #(parameter int W = 3, parameter type T = logic [7:0], localparam X = W + 1)(input T a); endmodule"
    )
    assert load(text, parameters={"W": 5}).tops[0][1].parameters == {"W": "5", "T": "logic[7:0]", "X": "6"}


def test_spans_point_at_the_text():
    text = "module top(input a, output y);\n  assign y = ~a;\nendmodule\n"
    design = load(text)
    (assign,) = design.modules[0].assigns
    assert design.sources.describe(assign.span) == "t.sv:2:10"
    source = design.sources.files[assign.span.file]
    assert source.text[assign.span.start : assign.span.end] == "y = ~a"


def test_spans_count_characters_not_bytes():
    design = load("module top(input a, output y); // größer\n  /* ½ */ assign y = ~a;\nendmodule\n")
    (assign,) = design.modules[0].assigns
    assert design.sources.describe(assign.span) == "t.sv:2:18"


def test_macro_use_is_the_place_of_what_it_expands_to():
    design = load("`define INVERT(x) (~x)\nmodule top(input a, output y);\n  assign y = `INVERT(a);\nendmodule\n")
    (assign,) = design.modules[0].assigns
    source = design.sources.files[assign.span.file]
    assert source.position(assign.span.start) == (3, 10)
