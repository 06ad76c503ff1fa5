"""Counts of callgrind's are added up by the functions at whose addresses they are."""

from __future__ import annotations

from bench.count_instructions import by_function, count_addresses
from bench.note_functions import functions_of, placed

from weft.engines.cpu.jit import START, Compiler, Library

COUNTED = """\
version: 1
positions: instr line
events: Ir

fn=(1) 0x1000
0x1000 0 5
+4 0 5
calls=5 0x2000 0
* 0 700
+6 0 3

fn=(2)
0x2000 0 5
-0xffc 0 2
* 0 1
"""


def test_counts_are_added_up_by_functions() -> None:
    counts = count_addresses(COUNTED.splitlines(keepends=True))
    assert counts == {0x1000: 5, 0x1004: 8, 0x100A: 3, 0x2000: 5}
    instructions, calls = by_function(counts, ["1000 10 first\n", "1fff 2 other\n"])
    assert instructions == {"first": 13, "else": 3, "other": 5}
    assert calls == {"first": 5}


def test_functions_lie_where_an_exported_one_says() -> None:
    text = """
define i64 @shown(i64 %a) { %b = add i64 %a, 1
  ret i64 %b }
define i64 @hidden(i64 %a) { %b = mul i64 %a, %a
  ret i64 %b }
"""
    code = Compiler().object(text, START)
    library = Library([code], ["shown", "hidden"])
    assert {name for name, *_ in functions_of(code)} == {"shown", "hidden"}
    found = {name: address for address, _, name in placed(code, {"shown": library.addresses["shown"]})}
    assert found == library.addresses
    assert not list(functions_of(b"no object"))
