"""Mathematics and conversions (IEEE 1800-2023 20.5, 20.8, 20.9), for arguments that are only known at run time.

Real functions give what C's library gives: infinities and NaN where Python would raise an error.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from weft.sim.format_arguments import Value
from weft.sim.tasks.task_call import Handler, TaskCall

_ONES64 = (1 << 64) - 1


def _unary(function: Callable[[float], float], edges: dict[float, float] | None = None) -> Handler:
    """Return the handler of a function of one real; `edges` are poles that Python refuses to compute."""

    def perform(call: TaskCall) -> float:
        argument = call.real(0)
        if edges and argument in edges:
            return edges[argument]
        try:
            return float(function(argument))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.copysign(math.inf, argument) if function in (math.sinh,) else math.inf

    return perform


def _round_towards(function: Callable[[float], int]) -> Callable[[float], float]:
    def apply(number: float) -> float:
        return math.copysign(float(function(number)), number) if math.isfinite(number) else number

    return apply


def _binary(function: Callable[[float, float], float]) -> Handler:
    def perform(call: TaskCall) -> float:
        try:
            return float(function(call.real(0), call.real(1)))
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    return perform


def power(base: float, exponent: float) -> float:
    """Return C's pow()."""
    try:
        return math.pow(base, exponent)
    except ValueError:
        if base == 0.0:  # to a negative power
            odd = float(exponent).is_integer() and int(exponent) % 2
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan
    except OverflowError:
        odd = base < 0 and float(exponent).is_integer() and int(exponent) % 2
        return -math.inf if odd else math.inf


def _clog2(call: TaskCall) -> Value:
    value = call.value(0)
    if value.unknown:
        return Value(32, 0, 0xFFFFFFFF, True)
    return Value(32, max(value.value - 1, 0).bit_length(), 0, True)


def _to_integer(call: TaskCall) -> Value:
    """Do `$rtoi`: cut off the fraction; what is no number is x, as in Icarus Verilog."""
    number = call.real(0)
    if not math.isfinite(number):
        return Value(32, 0, 0xFFFFFFFF, True)
    return Value(32, int(number) & 0xFFFFFFFF, 0, True)


def _to_real(call: TaskCall) -> float:
    return call.real(0) if isinstance(call.args[0], float) else float(call.int32(0))


def _real_bits(call: TaskCall) -> Value:
    return Value(64, int.from_bytes(struct.pack(">d", call.real(0)), "big"))


def _bits_real(call: TaskCall) -> float:
    (number,) = struct.unpack(">d", (call.value(0).value & ~call.value(0).unknown & _ONES64).to_bytes(8, "big"))
    return float(number)


def _short_bits(call: TaskCall) -> Value:
    try:
        data = struct.pack(">f", call.real(0))
    except OverflowError:
        data = struct.pack(">f", math.copysign(math.inf, call.real(0)))
    return Value(32, int.from_bytes(data, "big"))


def _bits_short(call: TaskCall) -> float:
    (number,) = struct.unpack(">f", (call.value(0).value & ~call.value(0).unknown & 0xFFFFFFFF).to_bytes(4, "big"))
    return float(number)


def _ones(value: Value) -> int:
    return (value.value & ~value.unknown).bit_count()


def _count_bits(call: TaskCall) -> int:
    """Do `$countbits`: the bits equal to any of the control bits."""
    value = call.value(0)
    controls = {(call.value(i).value & 1, call.value(i).unknown & 1) for i in range(1, len(call.args))}
    return sum((value.value >> at & 1, value.unknown >> at & 1) in controls for at in range(value.width))


TASKS: dict[str, Handler] = {
    "$ln": _unary(math.log, {0.0: -math.inf}),
    "$log10": _unary(math.log10, {0.0: -math.inf}),
    "$exp": _unary(math.exp),
    "$sqrt": _unary(math.sqrt),
    "$floor": _unary(_round_towards(math.floor)),
    "$ceil": _unary(_round_towards(math.ceil)),
    "$sin": _unary(math.sin),
    "$cos": _unary(math.cos),
    "$tan": _unary(math.tan),
    "$asin": _unary(math.asin),
    "$acos": _unary(math.acos),
    "$atan": _unary(math.atan),
    "$sinh": _unary(math.sinh),
    "$cosh": _unary(math.cosh),
    "$tanh": _unary(math.tanh),
    "$asinh": _unary(math.asinh),
    "$acosh": _unary(math.acosh),
    "$atanh": _unary(math.atanh, {1.0: math.inf, -1.0: -math.inf}),
    "$abs": _unary(abs),
    "$pow": _binary(power),
    "$atan2": _binary(math.atan2),
    "$hypot": _binary(math.hypot),
    "$min": _binary(min),
    "$max": _binary(max),
    "$clog2": _clog2,
    "$rtoi": _to_integer,
    "$itor": _to_real,
    "$realtobits": _real_bits,
    "$bitstoreal": _bits_real,
    "$shortrealtobits": _short_bits,
    "$bitstoshortreal": _bits_short,
    "$countones": lambda call: _ones(call.value(0)),
    "$onehot": lambda call: int(_ones(call.value(0)) == 1),
    "$onehot0": lambda call: int(_ones(call.value(0)) <= 1),
    "$isunknown": lambda call: int(call.value(0).unknown != 0),
    "$countbits": _count_bits,
    "$signed": lambda call: Value(call.value(0).width, call.value(0).value, call.value(0).unknown, True),
    "$unsigned": lambda call: Value(call.value(0).width, call.value(0).value, call.value(0).unknown, False),
}
