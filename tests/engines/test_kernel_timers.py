"""Thunks around kernels: they call through, count exactly, and share time out without counting any twice."""

import ctypes
import time

import pytest

from weft.engines.cpu.jit import START, Compiler, Library
from weft.engines.cpu.kernel_timers import ROWS, KernelTimers
from weft.engines.cpu.object_cache import ObjectCache

WORK = """
define i32 @add(ptr %s, ptr %m, ptr %c) nounwind {
  %v = load i64, ptr %s
  %n = add i64 %v, 1
  store i64 %n, ptr %s
  %r = trunc i64 %n to i32
  ret i32 %r
}
define i32 @spin(ptr %s, ptr %m, ptr %c) nounwind {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %loop]
  store volatile i64 %i, ptr %s
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, 2000000
  br i1 %more, label %loop, label %done
done:
  ret i32 7
}
define i32 @outer(ptr %s, ptr %m, ptr %c) nounwind {
  %r = call i32 %m(ptr %s, ptr %m, ptr %c)
  ret i32 %r
}
"""


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    return Compiler(ObjectCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def library(compiler):
    return Library([compiler.object(WORK, START)], ["add", "spin", "outer"])


def call(address, inner=0):
    state = ctypes.c_int64(0)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(address)
    return function(ctypes.addressof(state), inner, 0), state


def test_calls_go_through_and_are_counted(compiler, library):
    timers = KernelTimers(compiler)
    thunk = timers.wrap("add", library.addresses["add"])
    assert thunk == timers.wrap("add", library.addresses["add"]) != library.addresses["add"]
    for _ in range(5):
        result, state = call(thunk)
        assert result == state.value == 1
    (measured,) = timers.times()
    assert (measured.name, measured.calls) == ("add", 5) and 0 < measured.seconds < 1


def test_time_inside_another_kernel_is_counted_once(compiler, library):
    timers = KernelTimers(compiler)
    inner = timers.wrap("spin", library.addresses["spin"])
    outer = timers.wrap("outer", library.addresses["outer"])
    began = time.perf_counter()
    assert call(outer, inner)[0] == 7
    passed = time.perf_counter() - began
    times = {each.name: each for each in timers.times()}
    assert times["outer"].calls == times["spin"].calls == 1
    assert times["outer"].seconds < times["spin"].seconds / 10, "its own time is almost none"
    assert times["spin"].seconds <= passed * 1.2


def test_many_kernels_and_equal_names(compiler, library):
    timers = KernelTimers(compiler)
    address = library.addresses["add"]
    for number in range(ROWS + 2):
        call(timers.wrap(f"kernel {number}", address))
    call(timers.wrap("kernel 0", library.addresses["spin"]))
    times = {each.name: each.calls for each in timers.times()}
    assert times == {f"kernel {number}": 1 + (number == 0) for number in range(ROWS + 2)}
    inner = timers.wrap("spin", library.addresses["spin"])  # of the second library
    call(timers.wrap("kernel 1", library.addresses["outer"]), inner)
    seconds = {each.name: each.seconds for each in timers.times()}
    assert seconds["kernel 1"] < seconds["spin"] / 10
