"""Latches that read one another: what is the same however often it is evaluated, and what is refused."""

import pytest

import weft
from weft import Unsupported

SETTLED = {
    "a new value": "if (en) b = d; a = b;",
    "the old value of what stays": "if (en) begin a = b; b = a; end",
    "parts": "if (en) b = d; a = {b[1:0], b[3:2]} + 1;",
    "nested conditions": "if (en) if (e2) b = d; a = 0; if (en) a = b;",
    "two latches": "if (en) b = d; if (e2) a = b;",
    "a case": "case (d[1:0]) 0: b = d; 1: b = 3; 2: if (e2) b = 5; endcase if (en) a = b ^ 1; else a = 0;",
    "bits apart": "if (en) b[1:0] = d[1:0]; if (e2) b[3:2] = d[3:2]; a = b;",
    "a condition": "if (en) b = d; if (b[0]) a = d;",
    "a choice": "b = en ? d : b; a = b;",
    "a loop": "for (int i = 0; i < 4; i++) if (d[i]) b[i] = en; for (int i = 0; i < 4; i++) a[i] = b[i] & e2;",
    "an effect": "if (en) begin b = d; $display(b); end a = b;",
}
REFUSED = {
    "one step late": "if (en) begin a = b; b = d; end",
    "between two assignments": "if (en) b = d; a = b; if (e2) b = ~d;",
    "one step late and changed": "if (en) begin a = b; b = ~d; a = a ^ d; end",
    "shown before": "if (en) begin $display(b); b = d; end a = b;",
}


def compile_body(body, four_state):
    text = (
        f"module t(input en, e2, input [3:0] d, output reg [3:0] a); reg [3:0] b; always @* begin {body} end\nendmodule"
    )
    return weft.compile(
        texts={"t.sv": text}, four_state=four_state, engine="reference", cache=False, output=lambda text: None
    )


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("name", SETTLED)
def test_what_settles_at_once(name, four_state):
    assert compile_body(SETTLED[name], four_state)


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_what_depends_on_how_often_it_runs(name, four_state):
    with pytest.raises(Unsupported, match="from the old value of a latch without a clock") as caught:
        compile_body(REFUSED[name], four_state)
    assert "^" in str(caught.value)


def test_a_reader_follows_the_latch():
    sim = compile_body(SETTLED["a new value"], False)
    for en, d, a in ((1, 5, 5), (0, 9, 5), (1, 9, 9), (1, 3, 3), (0, 0, 3)):
        sim.poke("d", d)
        sim.poke("en", en)
        assert sim.peek("a") == a
