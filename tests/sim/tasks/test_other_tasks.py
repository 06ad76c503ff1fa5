"""Time, the end of the simulation, mathematics, queues and logic arrays."""

import math

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import Memory, TaskHost, integer, number, unknown
from weft import Unsupported
from weft.ir.system_tasks import MEMORY_ARGUMENTS, OUTPUT_ARGUMENTS, POSTPONED_TASKS, output_arguments
from weft.sim.format_arguments import Value
from weft.sim.tasks.registry import TASKS


def test_tables_name_tasks_that_there_are():
    assert set(OUTPUT_ARGUMENTS) - {"$cast"} <= set(TASKS)
    assert set(MEMORY_ARGUMENTS) <= set(TASKS)
    assert set(POSTPONED_TASKS) <= set(TASKS)
    assert list(output_arguments("$sscanf", 5)) == [2, 3, 4]
    assert list(output_arguments("$random", 0)) == []
    assert list(output_arguments("$display", 3)) == []


# ----------------------------------------------------------------------------------------------------- time


def test_times():
    host = TaskHost(tick_fs=10**3)
    host.time = 2500
    assert number(host.call("$time", unit_fs=10**6)) == 3  # halves are rounded up
    assert number(host.call("$simtime", unit_fs=10**6)) == 2500
    assert host.call("$realtime", unit_fs=10**6) == 2.5
    assert host.call("$abstime", unit_fs=10**6) == 2.5e-9
    host.time = (5 << 32) * 1000
    assert number(host.call("$stime", unit_fs=10**6)) == 0
    assert number(host.call("$time", unit_fs=10**6)) == 5 << 32


def test_time_format_is_checked():
    host = TaskHost()
    host.call("$timeformat", integer(3), integer(0), "", integer(5))
    assert "units argument must be in the range 0 to -15" in host.said
    host.call("$timeformat", integer(-9), integer(-1), "", integer(-5))
    assert host.said.count("WARNING") == 2
    assert host.state.formats.time_width == 20


def test_printing_time_scales():
    host = TaskHost(tick_fs=10**3)
    host.scales["t.u"] = (10**7, 10**4)
    host.call("$printtimescale", unit_fs=10**6, precision_fs=10**3)
    host.call("$printtimescale", "t.u")
    assert host.said == "Time scale of (t) is 1ns / 1ps\nTime scale of (t.u) is 10ns / 10ps\n"
    host.call("$printtimescale", "t.v")
    assert host.finished == 1


# -------------------------------------------------------------------------------------------------- control


def test_finish_and_stop():
    host = TaskHost(tick_fs=10**3)
    host.time = 42
    host.call("$finish")
    host.call("$finish", integer(2))
    host.call("$finish", integer(0))
    assert host.said == "t.v:1: $finish called at 42 (1ps)\nt.v:1: $finish(2) called at 42 (1ps)\n"
    assert (host.finished, host.stopped) == (0, False)
    host.call("$stop", integer(0))
    assert host.stopped and host.said == ""
    host.call("$finish", integer(5))
    assert "$finish(5) argument must be 0, 1, or 2." in host.said
    host.call("$finish_and_return", integer(7))
    assert host.finished == 7


def test_system_needs_permission():
    host = TaskHost()
    with pytest.raises(Unsupported, match="allow-system"):
        host.call("$system", "true")
    ran = []
    host.state.run_shell = lambda command: ran.append(command) or 3
    assert host.call("$system", "echo x") == 3
    assert ran == ["echo x"]


# ------------------------------------------------------------------------------------------------------ nets


def test_drivers_and_deposits():
    host = TaskHost()
    host.driver_counts = lambda path: (1, 2, 0, True)
    result, call = host.perform("$countdrivers", "t.n", *[integer(9)] * 5)
    assert result == 1
    assert [number(call.outputs[i]) for i in range(1, 6)] == [1, 3, 1, 2, 0]
    _, call = host.perform("$deposit", integer(0, 8, False), Value(4, 0b1001, 0b0001, True))
    assert call.outputs[0] == Value(8, 0b1001, 0b0001)
    _, call = host.perform("$deposit", integer(0, 8, False), integer(-2, 4))
    assert call.outputs[0] == Value(8, 0xFE)


# --------------------------------------------------------------------------------------------- mathematics


def test_integers_and_bits():
    host = TaskHost()
    assert [number(host.call("$clog2", integer(n))) for n in (0, 1, 2, 3, 4, 5, 1 << 31)] == [0, 0, 1, 2, 2, 3, 31]
    assert host.call("$clog2", unknown()).unknown
    assert [number(host.call("$rtoi", n)) for n in (1.9, -1.9, 3e9)] == [1, -1, 3000000000 - (1 << 32)]
    assert host.call("$rtoi", math.nan).unknown
    assert host.call("$itor", integer(-3)) == -3.0
    assert host.call("$bitstoreal", host.call("$realtobits", -0.1)) == -0.1
    assert host.call("$bitstoshortreal", host.call("$shortrealtobits", 0.5)) == 0.5
    bits = Value(6, 0b011100, 0b100010)
    assert [host.call(name, bits) for name in ("$countones", "$onehot", "$onehot0", "$isunknown")] == [3, 0, 0, 1]
    assert host.call("$countbits", bits, Value(1, 0), Value(1, 0, 1)) == 3


@pytest.mark.peer
@needs_icarus
def test_real_functions_as_icarus(tmp_path):
    numbers = [0.0, 1.0, -1.0, 0.5, -2.5, 1e300, 1000.0, 3.7]
    single = [
        "ln",
        "log10",
        "exp",
        "sqrt",
        "floor",
        "ceil",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
    ]
    lines, host = [], TaskHost()
    for name in single:
        for a in numbers:
            lines.append(f'x = {a!r}; $display("%g", ${name}(x));')
            host.call("$display", "%g", host.call(f"${name}", a))
    for name in ("pow", "atan2", "hypot"):
        for a in numbers:
            for b in numbers:
                lines.append(f'x = {a!r}; y = {b!r}; $display("%g", ${name}(x, y));')
                host.call("$display", "%g", host.call(f"${name}", a, b))
    body = "\n".join(lines)
    got = run_icarus(tmp_path, f"module t; real x, y; initial begin\n{body}\nend endmodule\n")
    # The sign of a result that is no number is the library's.
    assert host.said.splitlines() == got.replace("-nan", "nan").splitlines()


# ---------------------------------------------------------------------------------------------------- queues


def queue_status(host, name, *args):
    return host.perform(name, *args)[1].outputs


def test_queue_statuses():
    host = TaskHost()
    i = integer
    assert queue_status(host, "$q_add", i(1), i(5), i(6), i(0))[3] == i(2)  # not defined
    assert queue_status(host, "$q_initialize", i(1), i(3), i(2), i(0))[3] == i(4)  # no such type
    assert queue_status(host, "$q_initialize", i(1), i(1), i(0), i(0))[3] == i(5)  # no such length
    assert queue_status(host, "$q_initialize", i(1), i(1), i(2), i(9))[3] == i(0)
    assert queue_status(host, "$q_initialize", i(1), i(1), i(2), i(0))[3] == i(6)  # there already
    assert queue_status(host, "$q_remove", i(1), i(0), i(0), i(0))[3] == i(3)  # empty
    assert queue_status(host, "$q_exam", i(1), i(7), i(0), i(0))[3] == i(8)
    assert queue_status(host, "$q_exam", i(1), i(2), i(0), i(0))[3] == i(10)
    for _ in range(2):
        queue_status(host, "$q_add", i(1), i(5), i(6), i(0))
    assert queue_status(host, "$q_add", i(1), i(5), i(6), i(0))[3] == i(1)  # full
    assert number(host.call("$q_full", i(1), i(0))) == 1
    assert host.call("$q_full", i(2), i(0)).unknown


@pytest.mark.peer
@needs_icarus
@pytest.mark.parametrize("kind", [1, 2])
def test_queues_as_icarus(tmp_path, kind):
    """Add and remove at many times, and examine everything after each step."""
    steps = [("add", 3), ("add", 4), ("add", 0), ("add", 7), ("remove", 2), ("add", 5), ("remove", 1), ("remove", 9)]
    steps += [("remove", 4), ("remove", 3), ("add", 1), ("remove", 0)]
    host = TaskHost(tick_fs=10**5)
    lines = [f'$q_initialize(7, {kind}, 3, s); $display("%0d", s);']
    status = queue_status(host, "$q_initialize", integer(7), integer(kind), integer(3), integer(0))[3]
    host.call("$display", "%0d", status)
    for number_, (step, delay) in enumerate(steps):
        lines.append(f"#{delay / 2};")
        host.time += delay * 5
        if step == "add":
            lines.append(f'$q_add(7, {number_}, {100 + number_}, s); $display("a %0d", s);')
            call = queue_status(host, "$q_add", integer(7), integer(number_), integer(100 + number_), integer(0))
            host.call("$display", "a %0d", call[3])
        else:
            lines.append('$q_remove(7, j, f, s); $display("r %0d %0d %0d", j, f, s);')
            call = queue_status(host, "$q_remove", integer(7), integer(0), integer(0), integer(0))
            host.call("$display", "r %0d %0d %0d", call[1], call[2], call[3])
        for code in range(1, 7):
            lines.append(f'$q_exam(7, {code}, j, s); $display("{code} %0d %0d", j, s);')
            call = queue_status(host, "$q_exam", integer(7), integer(code), integer(0), integer(0))
            host.call("$display", f"{code} %0d %0d", call[2], call[3])
    body = "\n".join(lines)
    source = f"`timescale 1ns/100ps\nmodule t; integer s, j, f; initial begin\n{body}\nend endmodule\n"
    assert host.said == run_icarus(tmp_path, source)


# ----------------------------------------------------------------------------------------------- logic arrays


def array(name, words, inputs, width=2):
    """Return the outputs of a logic array, the first at the left, as digits."""
    memory = Memory(1, width, len(inputs))
    for index, word in enumerate(words, 1):
        memory.set(index, bits(word))
    _, call = TaskHost().perform(name, memory, bits(inputs), Value(width, 0))
    value = call.outputs[2]
    return "".join("x" if value.unknown >> at & 1 else str(value.value >> at & 1) for at in reversed(range(width)))


def bits(text):
    value = int("".join("1" if c in "1z" else "0" for c in text), 2)
    return Value(len(text), value, int("".join("1" if c in "xz" else "0" for c in text), 2))


def test_arrays():
    assert array("$async$and$array", ["110", "011"], "110") == "10"
    assert array("$sync$nand$array", ["110", "011"], "110") == "01"
    assert array("$async$or$array", ["100", "001"], "110") == "10"
    assert array("$async$nor$array", ["100", "001"], "110") == "01"
    assert array("$async$and$array", ["100", "001"], "x1z") == "xx"
    assert array("$async$and$array", ["110", "000"], "x00") == "01"  # a known 0 decides; no input is 1


def test_planes():
    """IEEE 1800-2023 20.17.4: 0 takes the complement, z leaves out."""
    assert array("$async$and$plane", ["10z", "0z0"], "101") == "10"
    assert array("$async$or$plane", ["00z", "1z0"], "110") == "01"
    assert array("$async$and$plane", ["1x", "0z"], "11") == "x0"
