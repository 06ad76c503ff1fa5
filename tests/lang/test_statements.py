"""Statements and calls, against slang's evaluation of constant functions for random arguments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import show
from tests.lang.evaluator import call_function
from tests.lang.snippets import check_against_slang, elaborate

FUNCTIONS = {
    "if": """
        function automatic logic [7:0] f(logic [1:0] a, logic [7:0] b);
          if (a == 1) f = b; else if (a[1]) f = ~b; else begin f = 3; f[0] = a[0]; end endfunction""",
    "if of a vector": """
        function automatic logic f(logic [3:0] a); if (a) return 1; return 0; endfunction""",
    "case": """
        function automatic logic [7:0] f(logic [2:0] a, logic [7:0] b);
          case (a) 0, 3: f = b; 3'b1x0: f = 9; 3'sd1: f = 1; default: f = ~b; endcase endfunction""",
    "case of different widths": """
        function automatic logic [7:0] f(logic signed [2:0] a);
          case (a) -1: f = 1; 5'sd3: f = 2; 4'd12: f = 3; default: f = 0; endcase endfunction""",
    "casez": """
        function automatic logic [7:0] f(logic [3:0] a);
          casez (a) 4'b1??0: f = 1; 4'b01?z: f = 2; 4'b00x1: f = 3; default: f = 4; endcase endfunction""",
    "casex": """
        function automatic logic [7:0] f(logic [3:0] a);
          casex (a) 4'b1xx0: f = 1; 4'b01?1: f = 2; default: f = 4; endcase endfunction""",
    "case inside": """
        function automatic logic [7:0] f(logic signed [3:0] a, logic signed [3:0] b);
          case (a) inside [-3:b]: f = 1; 4'b01?1, [5:$]: f = 2; default: f = 4; endcase endfunction""",
    "reversed case": """
        function automatic logic [7:0] f(logic [3:0] a);
          case (1'b1) a[0]: f = 1; a[1]: f = 2; a[2]: f = 3; default: f = 4; endcase endfunction""",
    "case without a match": """
        function automatic logic [7:0] f(logic [3:0] a); f = 7; case (a) 3: f = 1; endcase endfunction""",
    "for": """
        function automatic logic [15:0] f(logic [7:0] a, bit [3:0] n);
          f = 0; for (int i = 0, j = 3; i < n; i++, j += 2) f = f * 3 + a[i % 8] + j; endfunction""",
    "for downwards with outer variable": """
        function automatic int f(byte a); int i; f = 0; for (i = 7; i >= 0; i = i - 1) if (a[i]) f = f + i;
        f += i; endfunction""",
    "while, break and continue": """
        function automatic int f(byte unsigned a, bit [3:0] b);
          f = 0; while (a != 0) begin a = a - 1; if (a[1:0] == b[1:0]) continue; if (a < b) break; f += a; end
        endfunction""",
    "do while": """
        function automatic int f(bit [4:0] a); f = 0; do begin f += a; a--; end while (a > 3 && a < 20); endfunction""",
    "repeat": """
        function automatic int f(bit [3:0] a); f = 1; repeat (a) begin f = f * 3; a = 0; end endfunction""",
    "forever": """
        function automatic int f(bit [3:0] a); f = 0; forever begin f++; if (f > a) return f * 2; end endfunction""",
    "foreach of two dimensions with break": """
        function automatic int f(bit [23:0] a);
          bit [3:0] m [2:0][0:1]; int n = 0;
          foreach (m[i]) foreach (m[i][j]) m[i][j] = a[(i * 2 + j) * 4 +: 4];
          foreach (m[i, j]) begin if (m[i][j] == 0) continue; if (m[i][j] == 15) break; n = n * 7 + m[i][j] + i - j; end
          return n; endfunction""",
    "foreach with a skipped dimension": """
        function automatic int f(bit [31:0] a);
          bit [3:0][1:0] m [1:0][2]; int n = 0; m = '{'{a[7:0], a[15:8]}, '{a[23:16], a[31:24]}};
          foreach (m[i, , k]) n = n * 5 + m[i][1][k]; return n; endfunction""",
    "foreach over packed bits": """
        function automatic int f(logic [3:0][0:2] a); f = 0; foreach (a[i, j]) f = f * 2 + a[i][j]; endfunction""",
    "disable of a block": """
        function automatic int f(bit [3:0] a);
          f = 0; begin : outer for (int i = 0; i < 8; i++) begin : inner
            if (i == a) disable outer; if (i[0]) disable inner; f += i; end f += 100; end f += 1000; endfunction""",
    "blocks with declarations": """
        function automatic int f(bit [3:0] a);
          f = 0; for (int i = 0; i < 3; i++) begin int s = i; logic [3:0] u; s += a; if (i == 1) u = 1; f += s;
          f += $isunknown(u); begin : b int s = 9; f += s; end end endfunction""",
    "array argument and result": """
        typedef byte m_t [0:2];
        function automatic m_t g(byte a [2:0]); g[0] = a[0]; g[1] = 1; g[2] = a[2]; endfunction
        function automatic int f(bit [23:0] a); m_t m; byte r [0:2]; r = '{a[7:0], a[15:8], a[23:16]}; m = g(r);
          return {m[0], m[1], m[2]}; endfunction""",
    "mutual recursion": """
        function automatic bit even(bit [3:0] n); return n == 0 ? 1 : odd(n - 1); endfunction
        function automatic bit odd(bit [3:0] n); if (n == 0) return 0; return even(n - 1); endfunction
        function automatic bit [1:0] f(bit [3:0] n); return {even(n), odd(n)}; endfunction""",
    "result by name and return": """
        function automatic logic [7:0] f(logic [7:0] a); f = a; if (a[0]) return f + 1; f[3:0] = 0; endfunction""",
    "nothing assigned": "function automatic logic [7:0] f(logic [7:0] a); endfunction",
    "nested conditional loops": """
        function automatic logic [31:0] f(logic [31:0] a, logic [4:0] n);
          f = a; for (int i = 0; i < 5; i++) if (n[i]) f = {f[0 +: 16], f[31 -: 16]} ^ (f >> (1 << i)); endfunction""",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    check_against_slang(FUNCTIONS[name])


def test_static_variables_keep_their_values() -> None:
    function = elaborate("""
        function static int f(int a); int count = 5; count = count + a; return count; endfunction""").function()
    statics = {}
    assert [call_function(function, [(value, 0)], statics)[0] for value in (1, 2, 3)] == [6, 8, 11]


def test_automatic_variables_start_anew() -> None:
    function = elaborate("""
        function automatic int f(int a); int count = 5; int other; count += a; other += a; return count + other;
        endfunction""").function()
    statics = {}
    assert [call_function(function, [(value, 0)], statics)[0] for value in (1, 2, 3)] == [7, 9, 11]


def wrap(value: int, width: int) -> int:
    """Return a number as a signed one of some bits."""
    return (value + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))


def check(source: str, expected: Callable[[int, int], int]) -> None:
    """Compare `f` with a Python function, where slang's evaluator does not take output arguments."""
    function = elaborate(source).function()
    for a, b in ((0, 0), (1, 2), (200, 3), (-1, -7), (12345, 678)):
        got = call_function(function, [(a & 0xFFFFFFFF, 0), (b & 0xFFFFFFFF, 0)])
        assert got == (expected(a, b) & 0xFFFFFFFF, 0)


def test_output_and_inout_arguments() -> None:
    check(
        """
        function automatic void g(input int a, output int b, inout int c, input int d = 7);
          b = a + d; c += a; endfunction
        function automatic int f(int a, int b); int x; int y = b; g(a, x, y); g(.a(x), .b(x), .c(y), .d(1));
          return x * 3 + y; endfunction""",
        lambda a, b: (a + 8) * 3 + b + a + a + 7,
    )


def test_output_arguments_of_another_width() -> None:
    check(
        """
        function automatic void g(input int a, output byte b, inout byte c); b = a + 1; c += a; endfunction
        function automatic int f(int a, int b); int x; bit [3:0] y = b; g(a, x, y); return x * 100 + y;
        endfunction""",
        lambda a, b: wrap(a + 1, 8) * 100 + ((b % 16) + a) % 16,
    )


def test_output_argument_in_an_expression() -> None:
    check(
        """
        function automatic byte g(input int a, output byte b); b = a + 1; return a * 2; endfunction
        function automatic int f(int a, int b); byte x; int y; y = g(a, x) + b; return y * 1000 + x; endfunction""",
        lambda a, b: (wrap(a * 2, 8) + b) * 1000 + wrap(a + 1, 8),
    )


def test_reference_argument() -> None:
    check(
        """
        function automatic void g(ref int a [2], input int i); a[i]++; i = 0; endfunction
        function automatic int f(int a, int b); int m [2]; m = '{a, 2 * b}; g(m, 1); return m[0] - m[1];
        endfunction""",
        lambda a, b: a - 2 * b - 1,
    )


def test_iterator_index() -> None:
    function = elaborate("""
        function automatic int f(int a); byte m [2:5]; m = '{1, 2, 3, a}; return m.sum() with (item * item.index);
        endfunction""").function()
    assert call_function(function, [(10, 0)])[0] == 1 * 2 + 2 * 3 + 3 * 4 + 10 * 5


def test_a_compound_assignment_computes_its_index_once() -> None:
    text = "module t; int a [4], i; reg [3:0] v; initial begin a[i++] += 2; a[i++]++; v[i++] <<= 1; end endmodule"
    lines = show(text).split("initial (initial)\n")[1].split("\n")
    assert [line.strip() for line in lines if line] == [
        "held$1 = (i post= (i add 32'h1))",
        "a[held$1] = (known(a[held$1]) add 32'h2)",
        "held$2 = (i post= (i add 32'h1))",
        "a[held$2] = (known(a[held$2]) add 32'h1)",
        "held$3 = (i post= (i add 32'h1))",
        "v[held$3+:1] = (v[held$3+:1] shl 32'h1)",
    ]
