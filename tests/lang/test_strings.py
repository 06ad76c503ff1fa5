"""Strings: what their conversions, operators and methods become, and where they may stand."""

from __future__ import annotations

from collections.abc import Callable

from tests.lang.compile_text import load, show

from weft.ir.design import Assign, Ref, SystemCall, Text

STRINGS = """
package p; parameter string NAMES[2] = '{"one", "two"}; string shared = "x"; endpackage
module t;
  typedef struct {string name; int n;} pair_t;
  string s, r, list[3]; string start = "go"; pair_t pair, pairs[2]; int n; logic [15:0] v; byte bytes[4]; bit b;
  parameter string P = "par";
  function automatic string twice(string a, output string last); last = a; return {a, a}; endfunction
  function automatic pair_t named(pair_t a); a.name = "q"; return a; endfunction
  initial begin
    s = "abc"; s = P; s = p::NAMES[1]; s = p::shared; s = ""; s = {"a", s, "b"}; s = {3{"ab"}}; s = {n{s}};
    b = s == "abc"; b = s != r; b = s < r; b = "a" >= s; s = b ? "a" : r; s = v[0] ? s : r;
    n = s.len(); s.putc(1, "x"); n = s.getc(0); s = s.toupper(); s = s.substr(1, 2); n = s.compare(r); n = s.atoi();
    s.itoa(3); s.realtoa(1.5); n = s[1]; s[n] = "c"; foreach (s[i]) n = s[i];
    s = string'(v); v = s; n = int'(s); v = {s[0], s[1]}; bytes = {"a", "b", "c", "d"};
    list[1] = s; list = '{"a", s, {s, s}}; pair.name = "v"; pair = pairs[n]; pairs[1] = '{s, 2}; pair = named(pair);
    b = pair == pairs[0]; if (s inside {"a", r, ["b":"c"]}) n = 1; case (s) "a", r: n = 1; default: n = 2; endcase
    s = twice(s, r); $display("%s", s, r); s = $sformatf("%0d", n); $sformat(s, "%0d", n); $swrite(s, n);
    n = $sscanf(s, "%d", v); n = $fopen(s, "r");
  end
endmodule"""


def test_strings(golden: Callable[[str, str], None]):
    golden("strings.txt", show(STRINGS, "-Wnone"))


def test_a_literal_among_bits_is_a_word():
    text = 'module t; typedef struct {string s; int n;} p_t; p_t p; initial p = \'{"abc", 1}; endmodule'
    body = load(text).modules[0].processes[0].body
    assert isinstance(body, Assign)
    assert body.rhs.width == body.lhs.width == 96
    word = body.rhs.parts[0]
    assert isinstance(word, SystemCall) and word.width == 64 and word.args[0] == Text("abc")


def test_arguments_say_that_they_are_strings():
    text = 'module t; string s; initial $display("%s", s); endmodule'
    task = load(text).modules[0].processes[0].body
    assert [kind and kind.kind for kind in task.types] == [None, "string"]
    assert isinstance(task.args[1], Ref)
