"""`wait_order`, and enum methods whose step is known only when they run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import show
from tests.lang.evaluator import call_function
from tests.lang.snippets import elaborate


def test_wait_order(golden: Callable[[str, str], None]):
    text = """module t; event a, b, c; int n;
        initial begin wait_order(a, b, c) n = 1; else n = 2; wait_order(a, b); end endmodule"""
    golden("wait_order.txt", show(text, "-Wnone"))


@pytest.mark.parametrize(("method", "sign"), [("next", 1), ("prev", -1)])
def test_enum_steps(method: str, sign: int):
    function = elaborate(f"""typedef enum bit [3:0] {{A = 2, B = 5, C = 9}} e_t;
        function automatic bit [3:0] f(bit [3:0] v, bit [7:0] n); e_t e = e_t'(v);
          return e.{method}(n); endfunction""").function()
    members = [2, 5, 9]
    for position, value in enumerate(members):
        for steps in (0, 1, 2, 3, 7, 200):
            wanted = members[(position + sign * steps) % 3]
            assert call_function(function, [(value, 0), (steps, 0)]) == (wanted, 0)
    assert call_function(function, [(3, 0), (1, 0)]) == (0, 0)
