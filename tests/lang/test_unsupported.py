"""What is legal and not handled yet is refused where it stands, each with its own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from weft.base.errors import Unsupported
from weft.lang.sv.compile_sources import load_design

SOURCES = {
    "sampled value": "logic a, b, clk; always @(posedge clk) a <= $past(b);",
    "stream with a range": "logic [7:0] a[4]; logic [31:0] b; initial b = {>>{a with [0:1]}};",
    "query of a computed dimension": "int a[3][4]; int n, d; initial n = $size(a, d);",
    "compound assignment with side effects": "int a[4], i, n; initial if ((a[i++] += 2) > 0) n = 1;",
    "output conversion in a condition": """
        function automatic bit g(output byte b); b = 1; return 1; endfunction int n; initial if (g(n)) n = 1;""",
}


def render(source: str) -> str:
    with pytest.raises(Unsupported) as caught:
        load_design(texts={"t.sv": f"module t;\n{source}\nendmodule\n"})
    return caught.value.render()


def test_every_message(golden: Callable[[str, str], None]) -> None:
    golden("unsupported.txt", "".join(f"# {name}\n{render(source)}\n\n" for name, source in SOURCES.items()))


def test_dead_branches_are_not_looked_at() -> None:
    load_design(texts={"t.sv": "module t #(bit P = 0); logic a; initial if (P) randcase 1: a = 1; endcase endmodule"})
