"""What only events mean: triggers, forks, disables, forces, waits inside assignments, primitives, other instances."""

from __future__ import annotations

from collections.abc import Callable

from tests.lang.compile_text import load, show

from weft.ir.design import Assign, Block, Call, Disable, Evaluate, Jump, SystemTask, Text

EVENTS = """
module t;
  event e, many [3]; reg r, a; reg [3:0] q; wire w; wire [3:0] v; integer n;
  always @e r = 1;
  always @(e or many[1] or posedge a) r = 0;
  initial begin
    -> e; ->> #3 e; ->> @(posedge a) many[2]; -> many[q]; @e; @(e, many[q]) r = 1; wait (e.triggered) r = 1;
    r = repeat (3) @(posedge a) 1; r <= repeat (n) @(e) r; r <= @e 1; r = #(1:2:3) 1; @* r = a; @(*) r = q;
    force w = a; force v[1] = r & a; release w; assign q = {a, r}; deassign q; force {r, q} = 5'h3; release {r, q};
    $monitor("%d", r); $strobe(r);
  end
endmodule
"""

FORKS = """
module t;
  reg r; reg [3:0] q; integer n;
  initial begin
    fork #1; begin #2; r = 1; end join
    fork : f begin r = 1; r = 2; end disable f; join
    fork begin : named disable named; end join_none
    for (int i = 0; i < 3; i++) begin
      automatic int j = i;
      fork automatic int k = j; begin automatic int z = k; #z $display(k); end #k; join_none
    end
    wait fork; disable fork;
  end
  task automatic report(int a); fork #a $display(a); join_none endtask
  initial report(3);
  task quit; begin : inner #5 r = 1; disable quit; end endtask
  initial begin : outer disable outer; disable g[0].block.deep; disable quit.inner; end
  for (genvar i = 0; i < 2; i++) begin : g initial begin : block begin begin : deep #1; end end end end
  initial begin disable sub.show; sub.show(r); r = sub.show.z; r = second.show.z; r = sub.b.x; t.second.show(q); end
  sub sub();
  sub second();
endmodule
module sub;
  task show(output reg q); reg z; begin z = 1; #1 q = z; end endtask
  initial begin : b reg x; x = 1; end
endmodule
"""

PRIMITIVES = """
primitive latch (q, e, d);
  output q; reg q; input e, d; initial q = 1'b0;
  table 1 0 : ? : 0; 1 1 : ? : 1; 0 * : ? : -; endtable
endprimitive
primitive pick (q, a, b);
  output q; input a, b;
  table 1 0 : 0; 1 1 : 1; x ? : x; endtable
endprimitive
module t (inout w, input a, b, c);
  wire [3:0] v; trireg (small) #(1, 2, 50) kept; trireg more;
  wire #3 late; wire #(2, 3) later = a; wire (strong0, weak1) #4 feeble = b;
  latch #(1, 2) l1 (w, a, b); pick (w, a, b); latch row [3:0] (v, {4{a}}, b);
  nmos #(1, 2, 3) n1 (w, a, b); tranif1 t1 (w, kept, b); cmos c1 (w, a, b, c); rtran (w, more);
  pullup (weak1) (w); bufif1 (pull1, weak0) #(1, 2, 3) b1 (w, a, b); and #(1.5, 2) (w, a, b);
endmodule
"""


def test_events(golden: Callable[[str, str], None]) -> None:
    golden("events.txt", show(EVENTS))


def test_forks(golden: Callable[[str, str], None]) -> None:
    golden("forks.txt", show(FORKS))


def test_primitives(golden: Callable[[str, str], None]) -> None:
    golden("primitives.txt", show(PRIMITIVES))


def test_a_block_in_a_fork_is_one_thread() -> None:
    (process,) = (
        load("module t; reg a; initial fork begin a = 1; a = 0; end a = 1; join endmodule").modules[0].processes
    )
    fork = process.body
    assert isinstance(fork, Block) and fork.fork == "join"
    first, second = fork.body
    assert isinstance(first, Block) and len(first.body) == 2 and isinstance(second, Assign)


def test_a_declaration_in_a_fork_is_no_thread() -> None:
    text = "module t; int n; initial fork automatic int k = n; $display(k); join_none endmodule"
    (process,) = load(text).modules[0].processes
    outer = process.body
    assert isinstance(outer, Block) and [signal.name for signal in outer.locals] == ["k"]
    set_k, fork = outer.body
    assert isinstance(set_k, Assign) and isinstance(fork, Block) and fork.fork == "join_none" and len(fork.body) == 1


def test_no_jump_leaves_a_fork() -> None:
    text = """module t; reg a; initial begin : b fork begin : c disable c; end disable b; join end
        task k; fork disable k; join endtask initial k; endmodule"""
    module = load(text).modules[0]
    fork = module.processes[0].body.body[0]
    assert isinstance(fork.body[0].body[0], Jump)
    assert isinstance(fork.body[1], Disable) and fork.body[1].scope == "b"
    (task,) = module.functions
    assert task.scope == "k"
    (inside,) = task.body.body
    assert isinstance(inside, Disable) and inside.scope == "k"


def test_blocks_that_something_disables_have_their_path() -> None:
    text = """module t; initial begin : b begin : c end end initial begin : d end initial disable u.x;
        sub u (); sub v (); endmodule
        module sub; initial begin : x #1; end initial begin : y disable y; end endmodule"""
    design = load(text)
    blocks = {
        block.label: block.scope
        for m in design.modules
        for p in m.processes
        if (block := p.body) and isinstance(block, Block)
    }
    assert blocks == {"b": "", "d": "", "x": "x", "y": ""}


def test_tasks_of_other_instances_belong_there() -> None:
    text = """module t; int n; sub u (); sub v (); initial begin u.wait_for(n); v.wait_for(n); u.set(n); end endmodule
        module sub; int c; task wait_for(input int n); int k; k = n; #k c = k; endtask
        task set(input int n); c = n; endtask endmodule"""
    design = load(text)
    top = next(module for module in design.modules if module.name == "t")
    calls = [s.value for s in top.processes[0].body.body if isinstance(s, Evaluate)]
    assert [call.path for call in calls if isinstance(call, Call)] == [("u",), ("v",), ()]
    inner = [instance.module for instance in top.instances]
    assert calls[0].function in inner[0].functions and calls[1].function in inner[1].functions
    assert [function.name for function in top.functions] == ["set"]


def test_scopes_are_named_in_full() -> None:
    text = "module t; sub u (); sub v (); endmodule module sub; reg a; initial $dumpvars(0, t.u, a); endmodule"
    design = load(text)
    args = [s.args[1:] for m in design.modules for p in m.processes if isinstance(s := p.body, SystemTask)]
    assert args == [(Text("t.u"), Text("t.u.a")), (Text("t.u"), Text("t.v.a"))]
