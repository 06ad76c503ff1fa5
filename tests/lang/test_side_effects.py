"""Targets that are read and written evaluate what they do once."""

from __future__ import annotations

import pytest
from tests.lang.compile_text import load
from tests.lang.evaluator import call_function
from tests.lang.snippets import elaborate

from weft.base.errors import Unsupported, UserError
from weft.ir.design import Assign, Evaluate, Field


@pytest.mark.parametrize(
    "statement",
    ["a[i++] += 2;", "a[i++]++;", "++a[i++];", "a[i++][7:0] += 2;", "a[i++][i++ +: 4] ^= 3;", "a[next(i)] |= 1;"],
)
def test_a_target_is_evaluated_once(statement: str) -> None:
    twice = statement.replace("i++", "{0}").replace("next(i)", "{0}")
    assert twice.count("{0}") in (1, 2)
    function = elaborate(f"""
        function automatic int next(inout int i); i = i + 1; return i - 1; endfunction
        function automatic int f(int s); int a [4] = '{{10, 20, 30, 40}}; int i = s; {statement}
          return a[0] + 100 * a[1] + 10000 * a[2] + 1000000 * i; endfunction""").function()
    plain = elaborate(f"""
        function automatic int f(int s); int a [4] = '{{10, 20, 30, 40}}; int i = s;
          begin int first = i; int second = i + 1; {twice.replace("{0}", "first", 1).replace("{0}", "second", 1)} end
          return a[0] + 100 * a[1] + 10000 * a[2] + 1000000 * (i + {twice.count("{0}")}); endfunction""").function()
    for start in range(3):
        assert call_function(function, [(start, 0)]) == call_function(plain, [(start, 0)])


def test_an_object_in_a_target_is_asked_for_once() -> None:
    text = """module t; class c; int n; endclass c held = new; function automatic c give(); return held; endfunction
        initial give().n += 1; endmodule"""
    before, assign = load(text).modules[0].processes[0].body.body
    assert isinstance(before, Assign) and isinstance(assign, Assign)
    assert isinstance(assign.lhs, Field) and assign.lhs.object is before.lhs


def test_inside_an_expression_it_is_refused() -> None:
    with pytest.raises(Unsupported, match="a compound assignment whose target has side effects"):
        load("module t; int a[4], i, n; initial n = (a[i++] += 2); endmodule")


def test_programs_are_reactive() -> None:
    text = "program p; int n; initial n = 1; final n = 2; endprogram module t; p u(); int m; initial m = 3; endmodule"
    design = load(text, "-Wnone")
    assert [[process.reactive for process in module.processes] for module in design.modules] == [[True, True], [False]]


def test_classes_alone_are_converted_if_no_top_is_wanted() -> None:
    text = "class c; int n; function void f(); n = 1; endfunction endclass package p; class d; endclass endpackage"
    design = load(text, require_top=False)
    assert design.tops == [] and [found.name for found in design.classes] == ["c", "d"]
    with pytest.raises(UserError, match="there is no top module"):
        load(text)


def test_methods_are_evaluated_as_statements() -> None:
    text = "module t; int q[$]; initial q.push_back(1); endmodule"
    assert isinstance(load(text).modules[0].processes[0].body, Evaluate)
