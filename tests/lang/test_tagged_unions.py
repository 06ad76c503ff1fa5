"""Tagged and unpacked unions, and patterns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import load, show
from tests.lang.evaluator import call_function
from tests.lang.snippets import elaborate

from weft.base.errors import Unsupported

UNIONS = """
module t;
  typedef union tagged { void none; int some; } maybe_t;
  typedef union tagged packed { logic [3:0] a; logic [1:0] b; void n; } packed_t;
  typedef union tagged { struct { bit [4:0] r1, r2; } add;
    union tagged { bit [9:0] j; struct { bit [1:0] cc; bit [9:0] addr; } c; } jump; } code_t;
  typedef union { bit [7:0] whole; struct { bit [3:0] high, low; } parts; } plain_t;
  maybe_t m; packed_t p; code_t i; plain_t u, us[3]; int n;
  initial begin
    m = tagged none; m = tagged some (n); p = tagged a (5); p = tagged b (1); n = m.some; i = tagged add '{1, 2};
    i = tagged jump (tagged c '{2, n}); u.whole = 3; n = u.parts.low; us[n].parts.high = 2; u = us[1];
    case (m) matches tagged none: n = 1; tagged some .x &&& x > 3: n = x; default: n = 2; endcase
    case (i) matches tagged add '{.a, .b}: n = a + b; tagged jump (tagged c '{2'd1, .ad}): n = ad; endcase
    casex (i) matches tagged add '{5'b0xx1z, .*}: n = 1; endcase
    if (m matches tagged some .k) n = k; else n = 0; n = m matches tagged some .* ? 1 : 2;
    if (i matches tagged jump (tagged j .q) &&& q > 2) n = 4;
  end
endmodule"""


def test_unions(golden: Callable[[str, str], None]):
    golden("tagged_unions.txt", show(UNIONS, "-Wnone"))


def test_patterns_choose_by_tag_and_bind():
    function = elaborate("""
        typedef union tagged packed { bit [7:0] a; bit [7:0] b; } u_t;
        function automatic int f(bit which, bit [7:0] v); u_t u; if (which) u = tagged b (v); else u = tagged a (v);
          case (u) matches tagged a .x &&& x > 100: return 1000 + x; tagged a .x: return x;
            tagged b 8'd7: return 7777; tagged b .y: return -y; endcase return 0; endfunction""").function()
    for which, value, wanted in ((0, 3, 3), (0, 200, 1200), (1, 7, 7777), (1, 9, -9)):
        assert call_function(function, [(which, 0), (value, 0)]) == (wanted & 0xFFFFFFFF, 0)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("u.a = 1;", "a member of a tagged union as the target"),
        ("casez (u) matches tagged a 4'b1?: ; endcase", "'casez' or 'casex' of a 4-state value with patterns"),
        ("unique case (u) matches tagged a .x: ; endcase", "'unique' or 'priority' before"),
    ],
)
def test_what_is_refused(statement: str, message: str):
    text = f"module t; typedef union tagged packed {{logic [3:0] a, b;}} u_t; u_t u; initial {statement} endmodule"
    with pytest.raises(Unsupported, match=message):
        load(text, "-Wnone")
