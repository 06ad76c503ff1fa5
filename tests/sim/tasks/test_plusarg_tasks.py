"""Plusargs: prefixes, every conversion, malformed values."""

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import TaskHost, integer
from weft.sim.format_arguments import Value

ARGUMENTS = (
    "n=12",
    "neg=-5",
    "h=fX",
    "o=17",
    "b=10z",
    "r=1.5e3",
    "s=some text",
    "bad=1a",
    "flag",
    "e=",
    "x=x",
    "rr=2.5k",
    "_=_1",
)


def value(form, target):
    host = TaskHost(plusargs=ARGUMENTS)
    result, call = host.perform("$value$plusargs", form, target)
    return result, call.outputs.get(1), host


def test_prefixes():
    host = TaskHost(plusargs=ARGUMENTS)
    assert [host.call("$test$plusargs", text) for text in ("flag", "fl", "flags", "", "n=1")] == [1, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("form", "target", "found"),
    [
        ("n=%d", integer(0), integer(12)),
        ("neg=%d", integer(0, 40), integer(-5, 40)),
        ("h=%h", Value(16, 0), Value(16, 0xF0, 0x0F)),
        ("o=%0o", integer(0), integer(0o17)),
        ("b=%b", Value(8, 0), Value(8, 0b101, 1)),
        ("r=%f", 0.0, 1500.0),
        ("r=%g", integer(0), integer(1500)),
        ("s=%s", "", "some text"),
        ("s=%s", Value(16, 0), Value(16, int.from_bytes(b"xt", "big"))),
        ("e=%d", integer(3), integer(0)),
        ("x=%d", Value(8, 0), Value(8, 0, 255)),
    ],
)
def test_conversions(form, target, found):
    result, got, host = value(form, target)
    assert (result, got, host.said) == (1, found, "")


def test_nothing_found():
    assert value("other=%d", integer(3))[:2] == (0, None)


def test_malformed():
    _, got, host = value("bad=%d", Value(8, 0))
    assert got == Value(8, 0, 255)
    assert host.said == 'WARNING: t.v:1: Invalid decimal value passed to $value$plusargs:\n                "1a".\n'
    _, got, host = value("rr=%g", 0.0)
    assert got == 2.5 and 'Extra character(s) "k" found' in host.said
    for form in ("n=", "n=%q"):
        _, _, host = value(form, integer(0))
        assert host.finished == 1
    assert "trailing garbage" in value("n=%d!", integer(0))[2].said


@pytest.mark.peer
@needs_icarus
def test_as_icarus(tmp_path):
    lines, expected = [], []
    for argument in ARGUMENTS:
        for letter in "dohxbs":
            if letter == "o" and argument.startswith("neg"):
                continue  # Icarus Verilog 11 extends a negative octal number by zeros, others by their sign
            if letter in "ohxb" and argument == "e=":
                continue  # IEEE 1800-2023 21.6 has 0 for an empty number; Icarus Verilog x
            form = f"{argument.partition('=')[0]}=%{letter}"
            lines.append(f'v = 40\'h123; n = $value$plusargs("{form}", v); $display("%0d %b", n, v);')
            host = TaskHost(plusargs=ARGUMENTS)
            result, call = host.perform("$value$plusargs", form, Value(40, 0x123))
            host.call("$display", "%0d %b", integer(result), call.outputs.get(1, Value(40, 0x123)))
            expected.append(host.said)
    body = "\n".join(lines)
    source = f"module t; reg [39:0] v; integer n; initial begin\n{body}\nend endmodule\n"
    got = run_icarus(tmp_path, source, *(f"+{argument}" for argument in ARGUMENTS))

    def unplaced(text):
        return [line.partition(": ")[2].partition(": ")[2] or line.strip() for line in text.splitlines()]

    assert unplaced("".join(expected)) == unplaced(got)
