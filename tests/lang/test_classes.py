"""Classes: fields, constructors, methods, static members, specialisations, and the built-in classes."""

from __future__ import annotations

from collections.abc import Callable

from tests.lang.compile_text import load, module, show

from weft.ir.design import Evaluate

CLASSES = """
package p;
  class base #(int W = 8, type T = int);
    int b = W; T item; static int count = 3; const int limit = 7; protected T list[$]; struct {int x; string s;} st;
    typedef enum {RED, GREEN} color_t; localparam int TWICE = 2 * W; bit [7:0] table_of[4];
    function new(int a, string s = "x"); b = a; count++; st.s = s; table_of[a] = 3; endfunction
    virtual function int f(int z = 1); return z + b; endfunction
    static function int made(); return count; endfunction
    virtual task wait_for(int n); #n b++; endtask
  endclass
endpackage
module t;
  import p::*;
  interface class shape; pure virtual function int area(); endclass
  class derived extends base #(4) implements shape;
    int c = 5; derived next; static derived last = null; real r = 1.5;
    function new(int a = 2); super.new(a, "y"); c = 9; this.st.x = c; last = this; endfunction
    virtual function int f(int z = 1); return super.f(z) + c + this.b + count + f(z); endfunction
    virtual function int area(); return TWICE; endfunction
    extern function void later(ref int q[$]);
    class inner; int depth; endclass
    inner held = new;
  endclass
  function void derived::later(ref int q[$]); q.push_back(b); endfunction
  virtual class abstract_c; pure virtual function int get(int a); endclass
  class final_c extends abstract_c; virtual function int get(int a); return a; endfunction endclass
  class implicit_c extends derived; endclass
  class fixed_args extends derived(7); endclass
  derived d, ds[$]; base #(4) b; abstract_c a; final_c e; shape s; int n, q[$]; implicit_c i; fixed_args x;
  initial begin
    d = new; d = new(3); b = d; n = b.f(3); n = b.f(); d.wait_for(2); d.st.s = "a"; d.held.depth = 2; d.table_of[n] = 1;
    n = d.table_of[n]; d.next.next = d; d.later(q); s = d; n = s.area(); e = new; a = e; n = a.get(1); b = new d;
    if (b == null || b != d) n = 1; if (d) n = 2; n = base#(4)::made(); n = base#(4)::count; n = d.count; d.count = 2;
    n = derived::last.c; ds.push_back(d); n = ds[0].c; n = base#(4)::RED; n = d.limit; i = new; x = new;
    n = $cast(d, b); $cast(d, b); void'(d.f()); d.srandom(3); n = {d.c, d.b};
  end
endmodule"""

BUILT_IN = """
module t;
  mailbox any; mailbox #(string) words; semaphore keys; process p; int n; string s;
  initial begin
    any = new; words = new(3); words.put("a"); any.put(n); words.get(s); n = words.try_get(s); any.peek(n);
    n = words.num(); n = words.try_put(s); keys = new(1); keys.get(); keys.get(2); n = keys.try_get(); keys.put(2);
    p = process::self(); n = p.status; if (p.status() != process::FINISHED) p.await(); p.kill(); p.suspend();
    p.resume(); p.srandom(1); s = p.get_randstate();
  end
endmodule"""


def test_classes(golden: Callable[[str, str], None]):
    golden("classes.txt", show(CLASSES, "-Wnone"))


def test_built_in_classes(golden: Callable[[str, str], None]):
    golden("built_in_classes.txt", show(BUILT_IN, "-Wnone"))


def test_each_specialisation_is_a_class_and_its_statics_are_signals():
    text = """module t; class c #(int W = 1); static int n = W; bit [W-1:0] v; endclass
        c #(3) a = new; c #(5) b = new; int m; initial m = c#(3)::n + c#(5)::n; endmodule"""
    design = load(text)
    assert [(found.key, found.fields[0].width) for found in design.classes] == [("c", 3), ("c$2", 5)]
    names = [signal.name for signal in module(design, "t").signals if not signal.local]
    assert {"c::n", "c$2::n"} <= set(names)


def test_a_constructor_calls_the_base_before_it_gives_initial_values():
    text = """module t; class b; int x; function new(int a); x = a; endfunction endclass
        class d extends b; int y = x; function new(); super.new(4); y++; endfunction endclass
        d o; initial o = new; endmodule"""
    derived = next(found for found in load(text).classes if found.name == "d")
    assert derived.constructor is not None and derived.base is not None
    first = derived.constructor.body.body[0].body[0]
    assert isinstance(first, Evaluate) and first.value.function is derived.base.constructor
