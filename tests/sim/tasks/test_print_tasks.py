"""The display family, severity tasks and string formatting."""

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import TaskHost, integer, unknown
from weft.ir.expressions import Type
from weft.sim.format_arguments import NetValue, RealTime, Shaped, Value
from weft.sim.format_specifications import strength_text


def test_bases_and_line_ends():
    host = TaskHost()
    host.call("$display", "v=", integer(10, 8, False))
    host.call("$writeh", integer(10, 8, False), " ")
    host.call("$displayb", integer(2, 3, False))
    host.call("$writeo", integer(8, 6, False))
    assert host.said == "v= 10\n0a 010\n10"


def test_bytes_above_ascii_stay_bytes():
    host = TaskHost()
    host.call("$display", "\xe9%s", "\xff\x01")
    assert host.said == "\xe9\xff\x01\n"


def test_realtime_prints_in_the_modules_precision():
    host = TaskHost(tick_fs=10**3)
    host.call("$display", RealTime(1.5), " ", 1.5, unit_fs=10**6, precision_fs=10**4)
    assert host.said == "1.50 1.50000\n"


def test_warnings_about_formats():
    host = TaskHost()
    host.call("$display", "%d %5h")
    assert host.said == (
        "WARNING: t.v:1: missing argument for $display<%d>.\n"
        "WARNING: t.v:1: missing argument for $display<%5h>.\n"
        "<%d> <%5h>\n"
    )
    host.call("$write", "%y%d", integer(5, 4, False))
    assert host.said == "WARNING: t.v:1: unknown format $write<%y>.\n<%y> 5"


def test_strengths():
    host = TaskHost()
    host.call("$display", "%v %v %v", Value(1, 1), Value(2, 0b10, 0b11), NetValue(2, 0b01, 0b10, False, ("35X", "Pu1")))
    assert host.said == "St1 HiZ_StX 35X_Pu1\n"
    shown = [
        strength_text(*bit) for bit in (("0", 6, 0), ("1", 0, 3), ("x", 6, 6), ("x", 0, 5), ("x", 5, 0), ("z", 0, 0))
    ]
    assert shown == ["St0", "We1", "StX", "PuH", "PuL", "HiZ"]
    assert strength_text("x", 3, 5) == "35X"


def test_raw_words():
    host = TaskHost()
    host.call("$write", "%u", Value(40, 0x6564636261, 0x0100000000))
    assert host.said == "abcd\x64\0\0\0"  # the unknown bit counts as 0
    host.call("$write", "%z", Value(4, 0b1011, 0b0110))  # 1, x, z, 1 from the left: VPI's planes
    assert host.said == "\x0d\0\0\0\x06\0\0\0"


def test_patterns():
    byte = Type("logic", 8)
    colour = Type("enum", 2, enum_values=(("RED", 0), ("BLUE", 2)))
    pair = Type("struct", 10, members=(("c", 8, colour), ("n", 0, byte)))
    rows = Type("logic", 4, signed=True, unpacked=((0, 1), (2, 1)))
    queue = Type("queue", 64, element=byte)
    table = Type("assoc", 64, element=byte, key=Type("string", 64))
    host = TaskHost()
    host.call("$display", "%p %0p", Shaped(pair, Value(10, 0x207)), Shaped(pair, Value(10, 0x107)))
    host.call("$display", "%p", Shaped(rows, Value(16, 0x1F23)))  # [1][2] is the topmost
    host.call("$display", "%p", Shaped(queue, ((Value(32, 0), Value(8, 3)), (Value(32, 1), Value(8, 4)))))
    host.call("$display", "%p", Shaped(table, (("a", Value(8, 1)), ("b", "text"))))
    host.call("$display", "%p %p %p", "s", 1.5, unknown(8))
    host.call("$display", "%d %s", Shaped(byte, Value(8, 65)), Shaped(byte, Value(8, 65)))
    assert host.said.splitlines() == [
        "'{c:BLUE, n:7} '{c:1,n:7}",
        "'{'{2, 3}, '{1, -1}}",
        "'{3, 4}",
        '\'{"a":1, "b":"text"}',
        '"s" 1.5 x',
        " 65 A",
    ]


@pytest.mark.parametrize("name", ["$info", "$warning", "$error", "$fatal"])
def test_severity(name):
    host = TaskHost()
    host.time = 7
    host.call(name, *([integer(0)] if name == "$fatal" else []), "n=%0d", integer(3))
    label = name[1:].upper()
    assert host.said == f"{label}: t.v:1: n=3\n{'':{len(label)}}  Time: 7  Scope: t\n"
    assert host.errors == (name in ("$error", "$fatal"))
    assert host.finished == (1 if name == "$fatal" else None)


def test_files_of_the_display_family(tmp_path):
    host = TaskHost()
    channel = host.call("$fopen", str(tmp_path / "a"))
    file = host.call("$fopen", str(tmp_path / "b"), "w")
    assert (channel, file) == (2, 0x80000003)
    host.call("$fdisplay", integer(3), "both")
    host.call("$fwriteh", integer(file), integer(10, 8, False))
    host.call("$fstrobe", integer(file), "s")
    host.call("$fdisplay", integer(0), "nowhere")
    host.call("$fdisplay", integer(0x80000009), "bad")
    host.call("$fmonitor", integer(0x80000009), "silent: its file is closed")
    host.call("$fdisplay", integer(0x80000001), "out")
    host.state.files.close_all()
    assert (tmp_path / "a").read_text() == "both\n"
    assert (tmp_path / "b").read_text() == "0as\n"
    assert host.said == "both\nWARNING: t.v:1: invalid file descriptor (0x80000009) given to $fdisplay().\nout\n"


def test_formatting_into_variables():
    host = TaskHost()
    _, call = host.perform("$sformat", integer(0, 24, False), "%0d-%s", integer(5), "abc")
    assert call.outputs[0] == Value(24, int.from_bytes(b"abc", "big"))  # the last characters
    _, call = host.perform("$swriteh", "", integer(255, 8, False), "x")
    assert call.outputs[0] == "ffx"
    assert host.call("$sformatf", "%0d %s", integer(-5), "z") == "-5 z"
    host.perform("$sformat", "", "none", integer(1), integer(2))
    assert host.said == "WARNING: t.v:1: $sformat has 2 extra argument(s).\n"


def test_monitor_switch():
    host = TaskHost()
    host.call("$monitoroff")
    assert not host.monitoring
    host.call("$monitoron")
    assert host.monitoring


@pytest.mark.peer
@needs_icarus
def test_reals_and_times_as_icarus(tmp_path):
    """Flags, widths and precisions of reals, and every time format, through both."""
    host = TaskHost(tick_fs=10**3)
    lines, formats = (
        [],
        ["%e", "%f", "%g", "%0.3f", "%10.2f", "%-10.2e|", "%+g", "%010.3f", "%d", "%5d", "%05d", "%0d", "%h", "%b"],
    )
    numbers = [0.0, 1.0, 2.5, 3.75, 123456.789, 1e30, 1e-9]
    for form in formats:
        for number in numbers:
            if form[-1] in "dhb" and number > 1e9:
                continue
            lines.append(f'$display("[{form}]", {number!r});')
            host.call("$display", f"[{form}]", number)
    for unit, digits, suffix, width in ((-9, 0, "", 5), (-6, 2, "us", 15), (-12, 3, " ps", 0), (0, 9, "s", 20)):
        lines.append(f'$timeformat({unit}, {digits}, "{suffix}", {width});')
        host.call("$timeformat", integer(unit), integer(digits), suffix, integer(width))
        for form in ("%t", "%0t", "%-t|", "%12t", "%012t", "%.1t"):
            for shown, value in (("1999", integer(1999)), ("0", integer(0)), ("1.5", 1.5), ("64'bx", unknown(64))):
                lines.append(f'$display("{form}", {shown});')
                host.call("$display", form, value, unit_fs=10**6)
    body = "\n".join(lines)
    assert host.said == run_icarus(tmp_path, f"`timescale 1ns/1ps\nmodule t; initial begin\n{body}\nend endmodule\n")
