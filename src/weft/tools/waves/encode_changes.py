"""Kernels that turn what a trace has recorded into the data of a file.

* `update_frame(planes, count, table, offsets, positions, frame)` writes the values at some offsets (0: none) as
  characters into an FST frame.
* `encode_text(log, words, table, codes, digits, out, time_divisor)` writes a change log as VCD value changes (IEEE
  1364-2005 18.2.1).

Both formats want digits most significant first; VCD's come eight at a time from a table of each byte's characters.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from weft.tools.waves.change_log import TIME
from weft.tools.waves.kernel_builder import I8, I64, Kernel, Value, compile_kernel

ROW = 16  # bytes of a row of the signal table


@functools.cache
def kernel(name: str) -> Callable[..., int]:
    """Return a compiled kernel by name (built on first use, some milliseconds)."""
    module = ir.Module(name)
    _BUILDERS[name](module)
    return compile_kernel(module)


@functools.cache
def digit_table() -> NDArray[np.uint8]:
    """Return, for each byte, its eight binary digits as text, most significant first."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return np.ascontiguousarray(bits + ord("0"), np.uint8)


def _plane_window(k: Kernel, plane: Value, narrow: Value, position: Value) -> Value:
    """Return the 64 bits of a plane whose lowest is bit `position`; a negative position shifts zeros in from below."""
    result = k.variable(k.const(0))
    with k.build.if_else(k.build.icmp_signed("<", position, k.const(0))) as (below, inside):
        with below:
            with k.build.if_else(narrow) as (one, two):
                with one:
                    k.set(result, k.load(plane, 32))
                with two:
                    k.set(result, k.load(plane, 64))
            k.set(result, k.build.shl(k.get(result), k.build.sub(k.const(0), position)))
        with inside:
            word = k.index(plane, k.build.lshr(position, k.const(6)), 8)
            shift = k.build.and_(position, k.const(63))
            low = k.build.lshr(k.load(word, 64), shift)
            k.set(result, low)
            with k.build.if_then(k.test("!=", shift, 0)):
                high = k.build.shl(k.load(k.add(word, 8), 64), k.build.sub(k.const(64), shift))
                k.set(result, k.build.or_(low, high))
    return k.get(result)


def _any_unknown(k: Kernel, plane: Value, plane_words: Value) -> Value:
    found, i = k.variable(k.const(0)), k.variable(k.const(0))
    with k.loop(lambda: k.test("<", k.get(i), plane_words)):
        k.set(found, k.build.or_(k.get(found), k.load(k.index(plane, k.get(i), 4), 32)))
        k.set(i, k.add(k.get(i), 1))
    return k.test("!=", k.get(found), 0)


def _put_characters(k: Kernel, out: Value, value: Value, unknown: Value, width: Value) -> None:
    """Write `01xz` characters, most significant first."""
    i = k.variable(width)
    with k.loop(lambda: k.test(">", k.get(i), 0)):
        k.set(i, k.build.sub(k.get(i), k.const(1)))
        byte, bit = k.build.lshr(k.get(i), k.const(3)), k.build.and_(k.get(i), k.const(7))
        v = k.build.and_(k.build.lshr(k.load(k.add(value, byte), 8), bit), k.const(1))
        plane = k.build.select(k.test("==", unknown, 0), k.const(0), k.add(unknown, byte))
        u = k.variable(k.const(0))
        with k.build.if_then(k.test("!=", plane, 0)):
            k.set(u, k.build.and_(k.build.lshr(k.load(plane, 8), bit), k.const(1)))
        known = k.add(v, ord("0"))
        other = k.build.add(k.const(ord("x")), k.build.shl(v, k.const(1)))
        k.store(k.get(out), k.build.select(k.test("!=", k.get(u), 0), other, known), 8)
        k.set(out, k.add(k.get(out), 1))


def _update_frame(module: ir.Module) -> None:
    k = Kernel(module, "update_frame", 6)
    planes, count, table, offsets, positions, frame = k.arguments
    i, changed, out = k.variable(k.const(0)), k.variable(k.const(0)), k.variable(k.const(0))
    with k.loop(lambda: k.test("<", k.get(i), count)):
        offset = k.load(k.index(offsets, k.get(i), 8), 64)
        with k.build.if_then(k.test("!=", offset, 0)):
            row = k.index(table, k.get(i), ROW)
            plane = k.build.add(planes, offset)
            unknown = k.variable(k.const(0))
            with k.build.if_then(k.test("!=", k.load(k.add(row, 12), 32), 0)):
                k.set(unknown, k.index(plane, k.load(k.add(row, 4), 32), 4))
            k.set(out, k.build.add(frame, k.load(k.index(positions, k.get(i), 8), 64)))
            _put_characters(k, out, plane, k.get(unknown), k.load(row, 32))
            k.set(changed, k.add(k.get(changed), 1))
        k.set(i, k.add(k.get(i), 1))
    k.finish(k.get(changed))


def _put_decimal(k: Kernel, out: Value, value: Value, scratch: Value) -> None:
    """Write a number in decimal, by way of a scratch area that is filled backwards."""
    rest, n = k.variable(value), k.variable(k.const(0))
    more = k.variable(k.const(1))
    with k.loop(lambda: k.test("!=", k.get(more), 0)):
        digit = k.build.urem(k.get(rest), k.const(10))
        k.store(k.build.add(scratch, k.get(n)), k.add(digit, ord("0")), 8)
        k.set(n, k.add(k.get(n), 1))
        k.set(rest, k.build.udiv(k.get(rest), k.const(10)))
        k.set(more, k.get(rest))
    with k.loop(lambda: k.test(">", k.get(n), 0)):
        k.set(n, k.build.sub(k.get(n), k.const(1)))
        k.store(k.get(out), k.load(k.build.add(scratch, k.get(n)), 8), 8)
        k.set(out, k.add(k.get(out), 1))


def _put_binary(k: Kernel, out: Value, plane: Value, narrow: Value, width: Value, digits: Value) -> None:
    """Write a known value's digits without leading zeros (readers extend with 0, 18.2.1); may write 7 bytes past it."""
    top = k.variable(width)
    searching = k.variable(k.const(1))
    with k.loop(lambda: k.test("!=", k.get(searching), 0)):
        window = _plane_window(k, plane, narrow, k.build.sub(k.get(top), k.const(64)))
        zeros = k.build.ctlz(window, ir.Constant(ir.IntType(1), 0))
        k.set(searching, k.const(0))
        with k.build.if_else(k.test(">=", zeros, k.get(top))) as (nothing, something):
            with nothing:
                k.set(top, k.const(1))
            with something:
                k.set(top, k.build.sub(k.get(top), zeros))
                k.set(searching, k.build.zext(k.test("==", zeros, 64), I64))
    start = k.get(out)
    rest = k.variable(k.get(top))
    with k.loop(lambda: k.build.icmp_signed(">", k.get(rest), k.const(0))):
        window = _plane_window(k, plane, narrow, k.build.sub(k.get(rest), k.const(64)))
        byte = k.build.lshr(window, k.const(56))
        k.store(k.get(out), k.load(k.index(digits, byte, 8), 64), 64)
        k.set(out, k.add(k.get(out), 8))
        k.set(rest, k.build.sub(k.get(rest), k.const(8)))
    k.set(out, k.add(start, k.get(top)))


def _encode_text(module: ir.Module) -> None:
    k = Kernel(module, "encode_text", 7)
    log, words, table, codes, digits, target, divisor = k.arguments
    at, out = k.variable(log), k.variable(target)
    with k.build.goto_entry_block():
        room = k.build.ptrtoint(k.build.alloca(ir.ArrayType(I8, 24)), I64)
    end = k.index(log, words, 4)
    with k.loop(lambda: k.test("<", k.get(at), end)):
        index = k.load(k.get(at), 32)
        with k.build.if_else(k.test("==", index, TIME)) as (is_time, is_change):
            with is_time:
                k.store(k.get(out), k.const(ord("#")), 8)
                k.set(out, k.add(k.get(out), 1))
                _put_decimal(k, out, k.build.udiv(k.load(k.add(k.get(at), 4), 64), divisor), room)
                k.store(k.get(out), k.const(ord("\n")), 8)
                k.set(out, k.add(k.get(out), 1))
                k.set(at, k.add(k.get(at), 12))
            with is_change:
                _encode_change(k, (table, codes, digits), at, out, index)
    k.finish(k.build.sub(k.get(out), target))


def _encode_change(k: Kernel, tables: tuple[Value, ...], at: Value, out: Value, index: Value) -> None:
    table, codes, digits = tables
    row = k.index(table, index, ROW)
    width, plane_words = k.load(row, 32), k.load(k.add(row, 4), 32)
    value = k.add(k.get(at), 4)
    unknown = k.index(value, plane_words, 4)
    bad = k.variable(k.const(0))
    with k.build.if_then(k.test("!=", k.load(k.add(row, 12), 32), 0)):
        k.set(bad, k.build.zext(_any_unknown(k, unknown, plane_words), I64))
    vector = k.test(">", width, 1)
    with k.build.if_then(vector):
        k.store(k.get(out), k.const(ord("b")), 8)
        k.set(out, k.add(k.get(out), 1))
    with k.build.if_else(k.test("!=", k.get(bad), 0)) as (characters, binary):
        with characters:
            _put_characters(k, out, value, unknown, width)
        with binary:
            _put_binary(k, out, value, k.test("==", plane_words, 1), width, digits)
    with k.build.if_then(vector):
        k.store(k.get(out), k.const(ord(" ")), 8)
        k.set(out, k.add(k.get(out), 1))
    # A code is up to seven characters with its newline, and in the top byte how many they are.
    code = k.load(k.index(codes, index, 8), 64)
    k.store(k.get(out), code, 64)
    k.set(out, k.build.add(k.get(out), k.build.lshr(code, k.const(56))))
    k.set(at, k.index(k.get(at), k.load(k.add(row, 8), 32), 4))


_BUILDERS: dict[str, Callable[[ir.Module], None]] = {
    "update_frame": _update_frame,
    "encode_text": _encode_text,
}
