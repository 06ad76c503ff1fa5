"""Covergroups: what is refused, with its place; what they count is in `tests/events`."""

from __future__ import annotations

import pytest
from tests.lang.compile_text import load

from weft.base.errors import Unsupported

_TEXT = (
    "module t; bit [3:0] a; bit b; covergroup g; {items} endgroup g c = new; initial begin {statement} end endmodule"
)


@pytest.mark.parametrize(
    ("items", "statement", "message"),
    [
        ("coverpoint a {{ bins w[] = {{[0:15]}} with (item == b); }}", "", "a condition of bins that is no constant"),
        ("coverpoint a {{ bins w[] = {{1, b}}; }}", "", "bins here whose bounds are no constants"),
        ("coverpoint a {{ wildcard bins w = {{[1:2]}}; }}", "", "a range in wildcard bins"),
        ("coverpoint a {{ ignore_bins i = (1 => 2); }}", "", "transitions that are ignored or illegal"),
        ("coverpoint a {{ bins t = (1 [->2] => 2); }}", "", "this repetition in a transition"),
        ("coverpoint a {{ bins t = (b => 2); }}", "", "this value in a transition"),
        ("coverpoint a {{ bins t = (1); }}", "", "a transition of one value"),
        ("coverpoint a {{ bins t[5000] = {{[0:9]}}; }}", "", "5000 bins in an array"),
        (
            "p: coverpoint a {{ bins t = (1 => 2); }} x: cross p, b {{ ignore_bins i = binsof(p) intersect {{1}}; }}",
            "",
            "a selection of bins of transitions by values",
        ),
        (
            "p: coverpoint a; x: cross p, b {{ bins i = '{{ '{{1, 1}} }}; }}",
            "",
            "bins of a cross made by an expression",
        ),
        ("type_option.merge_instances = 1; coverpoint a;", "", "the type option 'merge_instances'"),
        ("coverpoint a;", "c.option.at_least = 2;", "an assignment of the option 'at_least' of a covergroup"),
        ("option.auto_bin_max = b; coverpoint a;", "", "an 'auto_bin_max' that is no constant"),
    ],
)
def test_what_is_refused(items: str, statement: str, message: str):
    text = _TEXT.replace("{items}", items.replace("{{", "{").replace("}}", "}")).replace("{statement}", statement)
    with pytest.raises(Unsupported, match=message.replace("[", r"\[")) as error:
        load(text, "-Wnone")
    assert "^" in error.value.render()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "package p; covergroup g(ref bit x); coverpoint x; endgroup endpackage "
            "module t; bit a; p::g c = new(a); endmodule",
            "an argument by reference of a covergroup outside modules",
        ),
        (
            "module t; bit a[]; covergroup g(ref bit x); coverpoint x; endgroup g c = new(a[0]); endmodule",
            "an argument by reference of a covergroup that is no static variable",
        ),
    ],
)
def test_references_that_are_refused(text: str, message: str):
    with pytest.raises(Unsupported) as error:
        load(text, "-Wnone")
    assert error.value.render().splitlines()[0].endswith(f"{message} is not supported yet [unsupported]")
