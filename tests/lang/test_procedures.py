"""The shape of what statements become, as text: timing, blocks, calls of the system."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import load, show

from weft.base.errors import UserError
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Const,
    Jump,
    Kind,
    Loop,
    Ref,
    SystemCall,
    SystemTask,
    Text,
    operands,
)

TIMING = """
`timescale 1ns / 1ps
module t(input logic clk, input logic [3:0] d, output logic [7:0] q, r);
  logic en; int n;
  always @(posedge clk iff en, negedge d[1], edge d, r) q <= d;
  always @(posedge d) r <= #2 q;
  initial begin
    #5 q = 1; #10ns; q = #3 2; q <= @(posedge clk) 3; @(negedge clk) en = 0;
    wait (d > 3) q = 4; forever #1 n++;
  end
  initial fork q = 1; begin : named r = 2; disable named; end join_any
  initial fork #1 n = 1; join_none
  final begin n = 3; end
endmodule
"""


def test_timing(golden: Callable[[str, str], None]) -> None:
    golden("timing.txt", show(TIMING))


SYSTEM = r"""
module t(input logic clk, input logic signed [3:0] d, output logic [7:0] q);
  parameter FILE = "rom.hex"; parameter string NAME = "a\tb"; typedef enum logic [1:0] {A, B = 2} e_t; e_t e;
  logic [7:0] rom [0:3]; int n, file; reg [8*8-1:0] text;
  initial begin : start
    $readmemh(FILE, rom); $readmemb("x.bin", rom, 1, 2); $readmemh(text, rom);
    $display("%d %s%%\n", d, FILE,, NAME, "lit", e.name(), $time); $write; $display(A.name());
    if ($test$plusargs("go") && $value$plusargs({"n=", "%d"}, n)) n = $random(file) + $urandom_range(3, 1);
    file = $fopen("out", "w"); $fwrite(file, "%0d", n); $fclose(file); n = $time + int'($realtime);
    begin : inner $error("in %m"); end
    if (d == 3) $fatal(1, "no"); $finish; void'($urandom);
  end
  function automatic void report(int a); $info("%0d", a); endfunction
  always_comb begin report(d); check: assert (d != 4) else $warning("four"); assume final (q == 0) $info; end
endmodule
"""


def test_system_tasks(golden: Callable[[str, str], None]) -> None:
    golden("system.txt", show(SYSTEM))


def statements(text: str) -> tuple:
    (_, module), *_ = load(text).tops
    body = module.processes[0].body
    return body.body if isinstance(body, Block) else (body,)


def test_scopes_and_texts_of_system_tasks() -> None:
    body = statements(SYSTEM)
    tasks = [s for s in body if isinstance(s, SystemTask)]
    memory = tasks[0]
    assert memory.name == "$readmemh" and memory.args[0] == Text("rom.hex") and memory.scope == "start"
    display = next(task for task in tasks if task.name == "$display")
    assert display.signed == (False, True, False, False, False, False, False, False)
    assert display.args[3] is None and display.args[4] == Text("a\tb") and display.args[5] == Text("lit")
    name = display.args[6]
    assert isinstance(name, SystemCall) and name.name == "name"
    assert name.args[1:] == (Text("A"), Const(2, 0), Text("B"), Const(2, 2))
    (inner,) = [s for s in body if isinstance(s, Block) and s.label == "inner"]
    (error,) = inner.body
    assert isinstance(error, SystemTask) and error.scope == "start.inner"


def test_scope_below_generate_blocks_and_functions() -> None:
    design = load("""module t; for (genvar i = 0; i < 2; i++) begin : g initial $display("%m"); end
        function automatic void f(); begin : b $display("%m"); end endfunction initial f(); endmodule""")
    module = design.tops[0][1]
    bodies = [process.body for process in module.processes]
    assert [body.scope for body in bodies if isinstance(body, SystemTask)] == ["g[0]", "g[1]"]
    (function,) = module.functions
    text = str(function.body)
    assert "scope='f.b'" in text


def test_labels_of_blocks_with_equal_names_differ() -> None:
    body = statements("""module t; int n; initial begin : b begin : b n = 1; disable b; end n = 2; end endmodule""")
    (inner, _) = body
    assert isinstance(inner, Block)
    jump = inner.body[1]
    assert isinstance(jump, Jump) and jump.label == inner.label != "b"


def test_deferred_assertions() -> None:
    body = statements(
        """module t; logic a; always_comb begin assert #0 (a); cover (a); assert final (a); end endmodule"""
    )
    assert [(s.kind, s.deferred) for s in body if isinstance(s, Assertion)] == [
        ("assert", "observed"),
        ("cover", ""),
        ("assert", "final"),
    ]


def test_declared_loop_variables_are_automatic_and_local() -> None:
    design = load("module t; int n; initial for (int i = 0; i < 3; i++) n += i; endmodule")
    module = design.tops[0][1]
    (variable,) = [signal for signal in module.signals if signal.local]
    assert variable.automatic and variable.name.endswith("i")
    (start, loop) = statements("module t; int n; initial for (int i = 0; i < 3; i++) n += i; endmodule")
    assert isinstance(loop, Loop) and len(loop.step) == 1 and start.rhs == Const(32, 0)


def test_unpacked_structs_are_initialised_leaf_by_leaf() -> None:
    design = load("""module t; typedef struct {logic [3:0] a; byte b [1:0];} s_t;
        s_t s [0:1] = '{'{1, '{2, 3}}, '{4, '{5, 6}}};
        endmodule""")
    signals = {signal.name: signal.initial for signal in design.tops[0][1].signals}
    assert signals == {"s.a": Const(8, 0x41), "s.b": Const(32, 0x05060203)}


def test_foreach_without_variables_runs_nothing() -> None:
    text = "module t; logic a [2][3]; int n; initial begin foreach (a[]) n++; n = 7; foreach (a[,]) n++; end endmodule"
    (process,) = load(text).modules[0].processes
    work: list[object] = [process.body]
    found: list[object] = []
    while work:
        statement = work.pop()
        work += statement.body if isinstance(statement, Block) else ()
        found += [] if isinstance(statement, Block) else [statement]
    assert [type(statement) for statement in found] == [Assign]


@pytest.mark.parametrize("body", ["a = ~a;", "if (a) $display(a);", "a <= #1 ~a;", "begin end"])
def test_an_always_procedure_must_wait_for_something(body: str) -> None:
    with pytest.raises(UserError, match="has no delay, event or wait") as caught:
        load(f"module t; reg a; always {body} endmodule")
    assert caught.value.code == "source-errors" and caught.value.span.start > 0


@pytest.mark.parametrize("body", ["#1 a = ~a;", "wait (a) a = 0;", "a = #1 ~a;", "work;", "begin a = 1; @e; end"])
def test_an_always_procedure_that_may_wait_is_converted(body: str) -> None:
    (process,) = load(f"module t; reg a; event e; task work; #1; endtask always {body} endmodule").modules[0].processes
    assert process.kind == Kind.FREE


def test_a_seed_is_a_variable_whatever_its_type() -> None:
    text = "module t; integer a; int b; initial begin b = $random(a); b = $urandom(b); b = $random(5); end endmodule"
    calls = [s.rhs for s in statements(text) if isinstance(s, Assign)]
    seeds = [found.args[0] for call in calls for found in (call, *operands(call)) if isinstance(found, SystemCall)]
    assert [seed.signal.name if isinstance(seed, Ref) else seed for seed in seeds] == ["a", "b", Const(32, 5)]
