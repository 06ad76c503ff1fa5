"""Every rule of expressions, against slang's evaluation of constant functions for random arguments."""

from __future__ import annotations

import pytest
from tests.lang.snippets import check_against_slang

OPERATORS = [
    ("logic [15:0]", "logic [7:0] a, logic signed [3:0] b", "a + b"),
    ("logic [15:0]", "logic signed [7:0] a, logic signed [3:0] b", "a + b"),
    ("logic signed [15:0]", "logic signed [7:0] a, logic signed [3:0] b", "a - b"),
    ("logic [3:0]", "logic [7:0] a, logic [7:0] b", "a * b"),
    ("logic [7:0]", "logic [7:0] a, logic [7:0] b", "(a + b) >> 1"),
    ("logic [8:0]", "logic [7:0] a, logic [7:0] b", "(a + b) >> 1"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a / b"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a % b"),
    ("logic signed [7:0]", "logic signed [7:0] a, logic signed [3:0] b", "a / b"),
    ("logic signed [7:0]", "logic signed [7:0] a, logic signed [3:0] b", "a % b"),
    ("int", "int a, int b", "a / b"),
    ("int", "int a, shortint b", "a % b"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a ** b"),
    ("logic [31:0]", "logic signed [3:0] a, logic signed [3:0] b", "a ** b"),
    ("logic [31:0]", "logic signed [3:0] a, logic [3:0] b", "a ** b"),
    ("logic [31:0]", "logic [3:0] a, logic signed [3:0] b", "a ** b"),
    ("logic [31:0]", "logic [3:0] b", "2 ** b"),
    ("int", "byte a, byte b", "a ** b"),
    ("logic [7:0]", "logic [7:0] a, logic [7:0] b", "~a & b | a ^ ~b"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a ~^ b"),
    ("logic [7:0]", "logic [7:0] a, logic signed [3:0] b", "a ^~ $signed(b)"),
    ("logic [7:0]", "logic [7:0] a", "-a"),
    ("logic [15:0]", "logic signed [7:0] a", "-a"),
    ("logic [15:0]", "logic [7:0] a", "+a"),
    ("logic [15:0]", "logic [7:0] a", "~a"),
    ("logic [5:0]", "logic [7:0] a", "{&a, |a, ^a, ~&a, ~|a, ~^a}"),
    ("logic [2:0]", "logic a", "{&a, ~^a, !a}"),
    ("logic [3:0]", "logic [7:0] a, logic [3:0] b", "{a && b, a || b, !a, !b}"),
    ("logic [1:0]", "logic [1:0] a, logic [1:0] b", "{a -> b, a <-> b}"),
    ("logic [5:0]", "logic [2:0] a, logic [2:0] b", "{a < b, a <= b, a > b, a >= b, a == b, a != b}"),
    ("logic [5:0]", "logic signed [2:0] a, logic signed [3:0] b", "{a < b, a <= b, a > b, a >= b, a == b, a != b}"),
    ("logic [5:0]", "logic signed [2:0] a, logic [3:0] b", "{a < b, a <= b, a > b, a >= b, a == b, a != b}"),
    ("logic [3:0]", "logic [1:0] a, logic [1:0] b", "{a === b, a !== b, a ==? b, a !=? b}"),
    ("logic [3:0]", "logic [2:0] a", "{a ==? 3'b1?0, a !=? 3'bx01, a === 3'b1x0, a == 3'bx}"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a << b"),
    ("logic [7:0]", "logic [7:0] a, logic [3:0] b", "a >> b"),
    ("logic [7:0]", "logic signed [7:0] a, logic [3:0] b", "a >>> b"),
    ("logic [15:0]", "logic signed [7:0] a, logic [3:0] b", "a >>> b"),
    ("logic [15:0]", "logic signed [7:0] a, logic [3:0] b, logic [15:0] c", "(a >>> b) + c"),
    ("logic [7:0]", "logic [7:0] a, logic signed [3:0] b", "a <<< b"),
    ("logic [7:0]", "logic [7:0] a, logic [69:0] b", "a >> b"),
    ("logic [99:0]", "logic [99:0] a, logic signed [99:0] b", "a * b - (b >>> 3)"),
    ("logic [299:0]", "logic signed [149:0] a, logic signed [149:0] b", "a * b"),
    ("logic [7:0]", "logic a, logic [7:0] b, logic signed [3:0] c", "a ? b : c"),
    ("logic [7:0]", "logic [2:0] a, logic signed [3:0] b, logic signed [5:0] c", "a ? b : c"),
    ("logic [7:0]", "logic a, logic b, logic [7:0] c", "a ? b ? c : 8'h5a : '1"),
    ("logic", "logic [3:0] a, logic [3:0] b", "a inside {4'b1?0?, [2:5], b}"),
    ("logic", "logic signed [3:0] a, logic signed [1:0] b", "a inside {[-3:b], 7}"),
    ("logic", "logic [3:0] a", "a inside {[9:$], [$:2]}"),
    ("logic [11:0]", "logic [3:0] a, logic [2:0] b", "{a, {2{b}}, 2'b1z}"),
    ("logic [11:0]", "logic [3:0] a, logic [2:0] b", "{3{a}} ^ {4{b}}"),
    ("logic [7:0]", "logic [3:0] a", "{a, {0{a}}, 3'd5}"),
    ("logic [15:0]", "logic [3:0] a", "{a, -3'sd2}"),
    ("logic [31:0]", "logic [7:0] a", "a + 1"),
    ("logic [31:0]", "logic [7:0] a", "a - 'sd1"),
    ("logic [7:0]", "logic [7:0] a", "'x"),
    ("logic [7:0]", "logic [7:0] a", "a & 'z"),
    ("logic [39:0]", "logic [7:0] a", '{"abcd", a}'),
    ("logic [39:0]", "logic [7:0] a", '"xy" + a'),
    ("logic", "logic [15:0] a", '"xy" == a'),
]

CONVERSIONS = [
    ("logic [15:0]", "logic signed [7:0] a", "$unsigned(a)"),
    ("logic [15:0]", "logic [7:0] a", "$signed(a)"),
    ("logic [15:0]", "logic [7:0] a", "signed'(a)"),
    ("logic [15:0]", "logic signed [7:0] a", "unsigned'(a) + 16'd0"),
    ("logic [15:0]", "logic signed [7:0] a", "12'(a)"),
    ("logic [15:0]", "logic [7:0] a", "4'(a)"),
    ("logic [5:0]", "logic [31:0] a", "2'(a)"),
    ("logic [5:0]", "logic signed [31:0] a", "2'(a)"),
    ("logic [5:0]", "logic signed [3:0] a", "2'(8'(a))"),
    ("logic [11:0]", "logic signed [3:0] a", "8'(6'(a))"),
    ("int", "logic [7:0] a", "a"),
    ("int", "logic signed [7:0] a", "a"),
    ("byte", "int a", "a"),
    ("bit [7:0]", "logic [3:0] a", "a"),
    ("bit [2:0]", "logic signed [3:0] a", "a"),
    ("logic [7:0]", "logic [7:0] a", "byte'(a)"),
    ("logic [15:0]", "logic signed [7:0] a", "bit'(a) + int'(a)"),
    ("logic [15:0]", "bit signed [7:0] a, bit [7:0] b", "a + b"),
    ("longint", "int a, int b", "a * b"),
    ("longint", "int a, longint b", "a + b"),
    ("logic [63:0]", "int unsigned a, int b", "a + b"),
    ("logic [7:0]", "logic [3:0] a", "type(a)'(9) + a"),
]


@pytest.mark.parametrize(("result", "arguments", "expression"), OPERATORS + CONVERSIONS)
def test_operator(result: str, arguments: str, expression: str) -> None:
    check_against_slang(f"function automatic {result} f({arguments}); return {expression}; endfunction")


SELECTS = [
    ("logic", "logic [7:0] a, logic [3:0] i", "a[i]"),
    ("logic", "logic [7:0] a, logic [2:0] i", "a[i]"),
    ("logic", "logic [0:7] a, logic [3:0] i", "a[i]"),
    ("logic", "logic [11:4] a, logic [3:0] i", "a[i]"),
    ("logic", "logic [-1:6] a, logic signed [3:0] i", "a[i]"),
    ("logic", "logic [6:-1] a, int i", "a[i]"),
    ("logic", "logic [6:-1] a, int i", "a[i % 9]"),
    ("logic", "logic [7:0] a, logic signed [2:0] i", "a[i]"),
    ("bit", "bit [7:0] a, logic [3:0] i", "a[i]"),
    ("logic", "logic [63:0] a, logic [99:0] i", "a[i]"),
    ("logic", "int a, logic [5:0] i", "a[i]"),
    ("logic [3:0]", "logic [7:0] a", "a[5:2]"),
    ("logic [3:0]", "logic [0:7] a", "a[2:5]"),
    ("logic [3:0]", "logic [11:4] a", "a[9:6]"),
    ("logic [3:0]", "logic [7:0] a, logic [2:0] i", "a[i +: 4]"),
    ("logic [3:0]", "logic [7:0] a, logic [2:0] i", "a[i -: 4]"),
    ("logic [3:0]", "logic [0:7] a, logic [2:0] i", "a[i +: 4]"),
    ("logic [3:0]", "logic [0:7] a, logic [2:0] i", "a[i -: 4]"),
    ("logic [3:0]", "logic [9:2] a, logic signed [4:0] i", "a[i +: 4]"),
    ("logic [3:0]", "logic [2:9] a, logic signed [4:0] i", "a[i -: 4]"),
    ("logic [3:0]", "logic [2:9] a, logic signed [4:0] i", "a[i +: 4]"),
    ("logic [3:0]", "logic [7:0] a, byte i", "a[i -: 4]"),
    ("bit [3:0]", "bit [7:0] a, byte i", "a[i -: 4]"),
    ("logic [3:0]", "logic [7:0] a", "a[3 -: 4]"),
    ("logic [7:0]", "logic [3:0][7:0] a, logic [2:0] i", "a[i]"),
    ("logic [2:0]", "logic [0:4][2:0] a, logic [2:0] i", "a[i]"),
    ("logic [2:0]", "logic [5:1][2:0] a, logic signed [4:0] i", "a[i]"),
    ("logic", "logic [3:0][7:0] a, logic [2:0] i, logic [3:0] j", "a[i][j]"),
    ("logic", "logic [1:2][0:3][4:2] a, logic [2:0] i, logic [2:0] j, logic [2:0] k", "a[i][j][k]"),
    ("logic [3:0]", "logic [3:0][7:0] a, logic [1:0] i, logic [2:0] j", "a[i][j +: 4]"),
    ("logic [15:0]", "logic [3:0][7:0] a, logic [2:0] i", "a[i +: 2]"),
    ("logic [15:0]", "logic [0:3][7:0] a, logic [2:0] i", "a[i +: 2]"),
    ("logic [15:0]", "logic [0:3][7:0] a, logic [2:0] i", "a[i -: 2]"),
    ("logic [15:0]", "logic [3:0][7:0] a", "a[2:1]"),
    ("logic [15:0]", "logic [0:3][7:0] a", "a[1:2]"),
    ("logic [2:0]", "logic [7:0] a, logic [2:0] i", "(a + 1'b1) >> i & 3'h7"),
    ("logic [1:0]", "logic [3:0] a, logic i", "{a[i], a[3:2]} >> 1"),
]


@pytest.mark.parametrize(("result", "arguments", "expression"), SELECTS)
def test_select(result: str, arguments: str, expression: str) -> None:
    check_against_slang(f"function automatic {result} f({arguments}); return {expression}; endfunction", runs=40)


DECLARED = {
    "packed struct member": """
        typedef struct packed {logic [3:0] h; logic [0:4][2:0] l; logic signed [2:0] s;} s_t;
        function automatic logic [7:0] f(s_t s, logic [3:0] i); return s.l[i] + s.h + s.s; endfunction""",
    "member of an array of packed structs": """
        typedef struct packed {logic [3:0] h; logic [2:0] l;} s_t;
        function automatic logic [3:0] f(s_t [1:3] s, logic [2:0] i); return s[i].h; endfunction""",
    "packed union": """
        typedef union packed {logic [7:0] a; struct packed {logic [3:0] h, l;} b; logic [7:0] c;} u_t;
        function automatic logic [3:0] f(u_t u); return u.b.h ^ u.a[3:0]; endfunction""",
    "assigning members": """
        typedef struct packed {logic [3:0] h; bit [2:0] l;} s_t;
        function automatic s_t f(s_t s, logic [7:0] a); s.h = a; s.l = a >> 4; return s; endfunction""",
    "pattern of a struct": """
        typedef struct packed {logic [3:0] h; bit [2:0] l; logic [1:0] m;} s_t;
        function automatic s_t f(logic [7:0] a, logic [2:0] b); return '{a, b, m: 1}; endfunction""".replace(
        "m: 1", "~a[1:0]"
    ),
    "keyed pattern": """
        typedef struct packed {logic [3:0] h; bit [2:0] l; logic [1:0] m;} s_t;
        function automatic s_t f(logic [7:0] a, logic [2:0] b); return '{l: a, default: b}; endfunction""",
    "pattern by type": """
        typedef struct packed {logic [3:0] h; int l; logic [1:0] m;} s_t;
        function automatic s_t f(int a, logic [2:0] b); return '{int: a, default: b}; endfunction""",
    "pattern of a packed array": """
        function automatic logic [0:3][2:0] f(logic [2:0] a, logic [2:0] b); return '{1: a, default: b}; endfunction""",
    "replicated pattern": """
        function automatic logic [3:0][2:0] f(logic [2:0] a, logic [2:0] b); return '{2{a, b}}; endfunction""",
    "nested pattern": """
        typedef struct packed {logic [1:0][3:0] h; struct packed {logic [2:0] a, b;} l;} s_t;
        function automatic s_t f(logic [3:0] a, logic [2:0] b); return '{'{a, 4'd3}, '{default: b}}; endfunction""",
    "unpacked array": """
        function automatic logic [3:0] f(logic [15:0] a, logic [2:0] i);
          logic [3:0] m [3:0]; for (int k = 0; k < 4; k++) m[k] = a[4*k +: 4]; return m[i]; endfunction""",
    "unpacked array of two-state elements": """
        function automatic logic [3:0] f(logic [15:0] a, logic [2:0] i);
          bit [3:0] m [1:4]; for (int k = 0; k < 4; k++) m[k + 1] = a[4*k +: 4]; return m[i]; endfunction""",
    "unpacked array of two dimensions": """
        function automatic logic [3:0] f(logic [23:0] a, logic [2:0] i, logic [1:0] j);
          logic [3:0] m [2][0:2]; for (int k = 0; k < 6; k++) m[k / 3][k % 3] = a[4*k +: 4]; return m[i][j];
        endfunction""",
    "three dimensions with odd bounds": """
        function automatic logic [3:0] f(logic [47:0] a, int i, int j, int k);
          logic [3:0] m [2:1][-1:0][7:5]; int n = 0;
          foreach (m[x, y, z]) begin m[x][y][z] = a[4*n +: 4]; n++; end
          return m[i % 4][j % 3][k % 9]; endfunction""",
    "write out of range": """
        function automatic logic [15:0] f(logic [15:0] a, logic [2:0] i, logic [2:0] j);
          logic [3:0] m [2][2]; m = '{'{a[3:0], a[7:4]}, '{a[11:8], a[15:12]}}; m[i][j] = 4'd9;
          return {m[0][0], m[0][1], m[1][0], m[1][1]}; endfunction""",
    "write bits out of range": """
        function automatic logic [9:2] f(logic [9:2] a, byte i, logic [3:0] b); a[i +: 4] = b; return a; endfunction""",
    "write bits of an element": """
        function automatic logic [15:0] f(logic [15:0] a, logic [2:0] i, logic [2:0] j);
          logic [3:0] m [0:3]; m = '{a[3:0], a[7:4], a[11:8], a[15:12]}; m[i][j -: 2] = 2'b10;
          return {m[0], m[1], m[2], m[3]}; endfunction""",
    "row of an array": """
        function automatic logic [7:0] f(logic [15:0] a, logic [1:0] i);
          logic [3:0] m [0:1][0:1]; logic [3:0] r [0:1];
          m = '{'{a[3:0], a[7:4]}, '{a[11:8], a[15:12]}}; r = m[i]; return {r[0], r[1]}; endfunction""",
    "opposite ranges": """
        function automatic logic [11:0] f(logic [11:0] a);
          logic [3:0] m [0:2]; logic [3:0] r [2:0]; m = '{a[3:0], a[7:4], a[11:8]}; r = m; return {r[0], r[1], r[2]};
        endfunction""",
    "slice of an array": """
        function automatic logic [15:0] f(logic [15:0] a);
          logic [3:0] m [0:3]; m = '{a[3:0], a[7:4], a[11:8], a[15:12]}; m[1:2] = m[0:1];
          return {m[0], m[1], m[2], m[3]}; endfunction""",
    "indexed slice of an array": """
        function automatic logic [15:0] f(logic [15:0] a, logic [1:0] i);
          logic [3:0] m [3:0]; logic [3:0] r [1:0]; m = '{a[3:0], a[7:4], a[11:8], a[15:12]};
          r = m[i +: 2]; return {r[0], r[1]}; endfunction""",
    "array concatenation": """
        function automatic logic [11:0] f(logic [3:0] a, logic [3:0] b);
          logic [3:0] m [0:1]; logic [3:0] r [0:2]; m = '{a, b}; r = {m, 4'd3}; return {r[0], r[1], r[2]};
        endfunction""",
    "array equality": """
        function automatic logic [1:0] f(bit [7:0] a, bit [7:0] b);
          logic [3:0] m [0:1]; logic [3:0] r [1:0]; m = '{a[3:0], a[7:4]}; r = '{b[3:0], a[7:4]};
          return {m == r, !(r == m)}; endfunction""",
    "conditional of arrays": """
        function automatic logic [7:0] f(logic c, logic [7:0] a, logic [7:0] b);
          logic [3:0] m [0:1]; logic [3:0] r [1:0]; logic [3:0] q [0:1]; m = '{a[3:0], a[7:4]}; r = '{b[3:0], a[7:4]};
          q = c ? m : r; return {q[0], q[1]}; endfunction""",
    "unpacked struct": """
        typedef struct {logic [3:0] h; byte l [2]; struct {bit [2:0] x; logic y;} n;} s_t;
        function automatic logic [15:0] f(logic [7:0] a, logic [1:0] i);
          s_t s; s_t t; s.h = a; s.l = '{3, a}; s.n.x = a; s.n.y = a[7]; t = s; t.l[0]++;
          return t.h + t.l[i] + t.n.x + t.n.y; endfunction""",
    "pattern of an unpacked struct": """
        typedef struct {logic [3:0] h; byte l [0:1]; struct {bit [2:0] x; logic y;} n;} s_t;
        function automatic logic [19:0] f(logic [7:0] a, logic i);
          s_t s; s = '{h: a, l: '{a, 8'd7}, n: '{default: a[0]}};
          return {s.h, s.l[i], s.l[1], s.n.x, s.n.y}; endfunction""",
    "array of unpacked structs": """
        typedef struct {logic [3:0] h; byte l [0:1];} s_t;
        function automatic logic [23:0] f(logic [7:0] a, logic [1:0] i, logic [1:0] j);
          s_t s [0:2]; s_t t; foreach (s[k]) s[k] = '{a + k, '{a, a - k}}; s[i].l[j] = 8'd99; t = s[j];
          return {s[i].h, t.h, s[j].l[0], t.l[1]}; endfunction""",
    "struct argument and result": """
        typedef struct {logic [3:0] h; byte l [0:1];} s_t;
        function automatic s_t g(s_t s, byte b); s.l[1] = b; g = s; g.h = ~s.h; endfunction
        function automatic logic [19:0] f(logic [7:0] a);
          s_t s; s = g('{a, '{a, 8'd1}}, a + 8'd1); return {s.h, s.l[0], s.l[1]}; endfunction""",
    "member of a call": """
        typedef struct packed {logic [3:0] h; logic [3:0] l;} s_t;
        function automatic s_t g(logic [7:0] a); return ~a; endfunction
        function automatic logic [3:0] f(logic [7:0] a); return g(a).h; endfunction""",
    "enum": """
        typedef enum logic [2:0] {A = 1, B, C = 5} e_t;
        function automatic logic [7:0] f(logic [2:0] a); e_t e; e = e_t'(a); return (e == B) + (e inside {A, C}) * 2;
        endfunction""",
    "enum methods": """
        typedef enum logic [2:0] {A = 1, B, C = 5} e_t;
        function automatic logic [15:0] f(logic [2:0] a); e_t e; e = e_t'(a);
          return {e.next(), e.prev(), e.next(2), e.first(), e.last(), 1'(e.num())}; endfunction""",
    "parameters": """
        parameter logic [3:0] P = 4'b1x0z; localparam int T [0:3] = '{3, 1, 4, 1}; localparam signed N = -3;
        typedef struct {int a; logic [3:0] b;} s_t; localparam s_t S = '{7, 4'b10x1};
        function automatic logic [15:0] f(logic [2:0] i, logic [7:0] a);
          return a + T[i] + N + (a & P) + S.b[i]; endfunction""",
    "streaming right": """
        function automatic logic [15:0] f(logic [7:0] a, logic [3:0] b); return {>>{a, b, 4'd3}}; endfunction""",
    "streaming left": """
        function automatic logic [15:0] f(logic [15:0] a); return {<<{a}}; endfunction""",
    "streaming blocks": """
        function automatic logic [15:0] f(logic [15:0] a); return {<<4{a}}; endfunction""",
    "streaming uneven blocks": """
        function automatic logic [15:0] f(logic [10:0] a, logic [4:0] b); return {<<3{a, b}}; endfunction""",
    "streaming to a wider target": """
        function automatic logic [15:0] f(logic [10:0] a); return {<<3{a}}; endfunction""",
    "streaming target": """
        function automatic logic [15:0] f(logic [15:0] a);
          logic [7:0] x, y; {<<8{x, y}} = a; return {x, y}; endfunction""",
    "streaming target of uneven blocks": """
        function automatic logic [15:0] f(logic [15:0] a);
          logic [7:0] x; logic [4:0] y; logic [2:0] z; {<<3{x, y, z}} = a; return {x, y, z}; endfunction""",
    "streaming target narrower than its source": """
        function automatic logic [15:0] f(logic [15:0] a);
          logic [7:0] x; logic [1:0] y; {>>{x, y}} = a; return {x, y}; endfunction""",
    "streaming between both": """
        function automatic logic [15:0] f(logic [15:0] a);
          logic [7:0] x; logic [7:0] y; {>>{x, y}} = {<<4{a}}; return {x, y}; endfunction""",
    "streaming an array": """
        function automatic logic [31:0] f(logic [31:0] a);
          byte m [0:3]; byte r [3:0]; {>>{m}} = a; r = m; return {<<byte{r}} ^ 32'd5; endfunction""".replace(
        "return {<<byte{r}} ^ 32'd5;", "a = {<<byte{r}}; return a;"
    ),
    "text in an array of bytes": """
        function automatic logic [39:0] f(bit [1:0] i);
          byte m [0:3] = "AB"; byte r [2:0] = "wxyz"; return {m[i], m[1], r[i], r[2], r[1]}; endfunction""",
    "bit-stream cast": """
        typedef struct {byte a; logic [7:0] b [1:0];} s_t; typedef byte m_t [0:2];
        function automatic logic [23:0] f(logic [23:0] a);
          s_t s; m_t m; s = s_t'(a); m = m_t'(s); return {m[2], s.b[0], m[0]}; endfunction""",
    "concatenation as target": """
        function automatic logic [15:0] f(logic [7:0] a, logic [7:0] b);
          logic c; logic [7:0] s; {c, s} = a + b; return {s, c}; endfunction""",
    "pattern as target": """
        typedef struct packed {logic [3:0] h; logic [3:0] l;} s_t;
        function automatic logic [7:0] f(s_t s); logic [3:0] x, y; '{x, y} = s; return {y, x}; endfunction""",
    "compound assignments": """
        function automatic logic [15:0] f(logic [15:0] a, logic signed [7:0] b);
          a += b; a ^= 16'h33; a <<= 2; a[7:4] -= b; a >>= b[1:0]; a |= 1; a[3] &= b[0]; a *= 3; a %= 1000; a /= 3;
          b >>>= 1; return a + b; endfunction""",
    "increments": """
        function automatic logic [15:0] f(logic [7:0] a, logic [2:0] i);
          logic [7:0] b; b = a++; b = b + --a; a[i]++; return {a, b} + (a++ > 3 ? a : 8'd1); endfunction""",
    "assignment as an expression": """
        function automatic logic [15:0] f(logic [7:0] a);
          logic [3:0] b; logic [7:0] c; c = (b = a) + 8'd1; return {b, c};
        endfunction""",
    "counting": """
        function automatic logic [31:0] f(logic [11:0] a);
          return {$countones(a), 4'd0} + $onehot(a) + $onehot0(a) * 2 + $isunknown(a) * 4; endfunction""",
    "clog2": """
        function automatic int f(bit [69:0] a); return $clog2(a); endfunction""",
    "countbits": """
        function automatic logic [31:0] f(logic [7:0] a, logic b);
          return {8'($countbits(a, '1)), 8'($countbits(a, '0, 'x)), 8'($countbits(a, 'z, 1'b1)), 8'($countbits(a, b))};
        endfunction""",
    "queries": """
        function automatic logic [31:0] f(logic [7:0] a);
          logic [3:0] m [2:5][3]; return a + $bits(m) + $size(m, 2) + $left(m) + $right(a) + $high(m) + $dimensions(m);
        endfunction""",
    "reductions of arrays": """
        function automatic logic [31:0] f(logic [31:0] a);
          byte m [0:3]; m = '{a[7:0], a[15:8], a[23:16], a[31:24]};
          return {8'(m.sum()), 8'(m.xor()), 8'(m.and()), 8'(m.or())} + m.product(); endfunction""",
    "reductions with an expression": """
        function automatic logic [31:0] f(logic [31:0] a);
          byte m [2:5]; m = '{a[7:0], a[15:8], a[23:16], a[31:24]};
          return m.sum(v) with (int'(v) * 3) + (m.or() with (item > 3)); endfunction""",
    "recursion": """
        function automatic int f(bit [3:0] n); return n < 2 ? 1 : n * f(n - 1); endfunction""",
    "wide": """
        function automatic logic [1023:0] f(logic [511:0] a, logic signed [511:0] b, logic [9:0] i);
          logic [1023:0] r; r = a * a; r[i -: 64] = b; return r ^ b; endfunction""",
}


@pytest.mark.parametrize("name", DECLARED)
def test_declared(name: str) -> None:
    check_against_slang(DECLARED[name])
