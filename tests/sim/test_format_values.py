"""Formats of the display family: the rules, and equality with Icarus over many formats and values."""

import random
import shutil
import subprocess

import pytest

from weft import Unsupported
from weft.base.logic import digits
from weft.sim.format_values import Argument, FormatContext, Value, format_message


def show(*arguments: Argument, base: str = "d") -> str:
    return format_message(arguments, FormatContext(scope="top.u"), base).decode()


def test_decimal_pads_to_the_widest_value():
    assert show("[%d][%0d][%5d]", Value(8, 5), Value(8, 5), Value(8, 5)) == "[  5][5][    5]"
    assert show("[%d][%0d]", Value(8, 0xFD, 0, True), Value(8, 0xFD, 0, True)) == "[  -3][-3]"
    assert show("%05d", Value(8, 0xFD, 0, True)) == "-0003"


def test_unknown_digits():
    assert show("%d %d %d", Value(4, 0, 15), Value(4, 15, 15), Value(4, 0, 1)).split() == ["x", "z", "X"]
    assert show("%h", Value(12, 0b1100_0000_0000, 0b1100_0000_1111)) == "Z0x"


def test_default_formats_and_missing_arguments():
    assert show(Value(8, 5), None, "x", Value(8, 5)) == "  5 x  5"
    assert show(Value(8, 5), base="h") == "05"
    assert show("%d %d", Value(8, 5)) == "  5 <%d>"
    assert show("%m %%") == "top.u %"


def test_zero_bytes_of_strings():
    """Leading ones are no characters (IEEE 1800-2023 21.2.1.7), others print as spaces."""
    for text in (Value(40, 0x0061006200), "\0a\0b\0"):
        assert show("[%s][%0s][%8s][%-8s][%2s]", text, text, text, text, text) == (
            "[ a b ][a b ][    a b ][a b     ][a b ]"
        )
    assert show("[%s][%0s][%3s]", Value(16, 0), Value(16, 0), "") == "[  ][][   ]"


def test_wide_decimals():
    """Python itself converts only 4300 digits."""
    value = 10**5000
    assert show("%0d", Value(20000, value)) == "1" + "0" * 5000
    assert show("%0d", Value(20000, (1 << 20000) - value, 0, True)) == "-1" + "0" * 5000
    assert len(show("%d", Value(20000, 1))) == 6021


def test_time_format():
    context = FormatContext(time_unit_fs=10**6, precision_fs=10**3)
    assert format_message(["[%t][%0t]", Value(64, 1500), Value(64, 2)], context) == b"[             1500000][2000]"
    context.set_time_format(-9, 3, " ns", 15)
    assert format_message(["[%t]", Value(64, 1500)], context) == b"[    1500.000 ns]"


def test_unsupported_formats_say_so():
    """Without the types of the arguments a pattern cannot be told from a number."""
    with pytest.raises(Unsupported, match="format %p"):
        show("%p", Value(8, 1))


def literal(value: Value) -> str:
    text = f"{value.width}'{'s' if value.signed else ''}b{digits(value.value, value.unknown, value.width)}"
    return f"$signed({text})" if value.signed else text


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog is not installed")
def test_same_as_icarus(tmp_path):
    """Print 3,000 random values with random formats through both, and compare every line."""
    choose = random.Random(7)
    lines: list[str] = []
    expected: list[str] = []
    context = FormatContext(scope="t", time_unit_fs=10**6, precision_fs=10**3)
    for _ in range(3000):
        width = choose.choice([1, 2, 3, 4, 7, 8, 9, 12, 16, 31, 32, 33, 64, 65, 100])
        bits = choose.getrandbits(width)
        unknown = choose.choice([0, 0, 0, choose.getrandbits(width), (1 << width) - 1, choose.getrandbits(width) & 15])
        if choose.random() < 0.2:
            bits = choose.choice([0, 1, (1 << width) - 1, bits | unknown, bits & ~unknown])
        value = Value(width, bits, unknown & (1 << width) - 1, choose.random() < 0.4)
        letter = choose.choice("ddddhhoobbct")
        form = "%" + choose.choice(["", "0", "", "5", "1", "20", "-12", "012", "-"]) + letter
        if letter == "t" and (value.unknown or width > 40):
            form = form[:-1] + "h"
        if letter == "c" and not 32 <= bits & ~value.unknown & 255 < 127:
            form = form[:-1] + "d"
        base = choose.choice(["", "", "h", "b", "o"])
        arguments: list[Argument] = [f"[{form}]", value] if choose.random() < 0.9 else [value, None, value]
        shown = ", ".join("" if a is None else f'"{a}"' if isinstance(a, str) else literal(a) for a in arguments)
        lines.append(f"    $display{base}({shown});")
        expected.append(format_message(arguments, context, base or "d").decode("latin-1"))
    source = tmp_path / "t.v"
    source.write_text("`timescale 1ns/1ps\nmodule t;\n  initial begin\n" + "\n".join(lines) + "\n  end\nendmodule\n")
    subprocess.run(["iverilog", "-g2012", "-o", tmp_path / "t", source], check=True, capture_output=True)
    got = subprocess.run([tmp_path / "t"], check=True, capture_output=True, encoding="latin-1").stdout.split("\n")[:-1]
    for line, mine, icarus in zip(lines, expected, got, strict=True):
        assert mine == icarus, line
