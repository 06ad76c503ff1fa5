"""Strings of an event simulation (IEEE 1800-2023 6.16): one character a byte, no zero bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.base.decimal_text import decimal_text
from weft.engines.event.host_sites import HostSite
from weft.sim.event_container_calls import streamed
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Value):
        size = (value.width + 7) // 8
        return (value.value & ~value.unknown).to_bytes(size, "big").replace(b"\0", b"").decode("latin-1")
    return str(value)


def _number(value: Any) -> int:
    if isinstance(value, Value):
        known = value.value & ~value.unknown
        return known - (1 << value.width) if value.signed and known >> (value.width - 1) & 1 else known
    return int(value)


def _simple(compute: Callable[..., Any]) -> Callable[[EventSimulation, HostSite, list[Any]], tuple[Any, Outputs]]:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        return compute(*args), {}

    return perform


def _unpack(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Return a stream of bits as a string, without zero bytes."""
    bits, unknown, width = streamed(simulation, args)
    size = (width + 7) // 8
    return (bits & ~unknown).to_bytes(size, "big").replace(b"\0", b"").decode("latin-1"), {}


def _concat(*parts: Any) -> str:
    return "".join(map(_text, parts))


def _repeat(count: Any, text: Any) -> str:
    return _text(text) * max(_number(count), 0)


def _compare(a: Any, b: Any) -> int:
    x, y = _text(a), _text(b)
    return ((x > y) - (x < y)) & 0xFFFFFFFF


def _icompare(a: Any, b: Any) -> int:
    return _compare(_text(a).lower(), _text(b).lower())


def _len(value: Any) -> int:
    return len(_text(value))


def _upper(value: Any) -> str:
    return _text(value).upper()


def _lower(value: Any) -> str:
    return _text(value).lower()


def _getc(value: Any, index: Any) -> int:
    text, at = _text(value), _number(index)
    return ord(text[at]) if 0 <= at < len(text) else 0


def _substr(value: Any, first: Any, last: Any) -> str:
    text, low, high = _text(value), _number(first), _number(last)
    return text[low : high + 1] if 0 <= low <= high < len(text) else ""


def _leading(text: Any, digits: str, base: int) -> int:
    found = re.match(rf"[{digits}_]+", _text(text))
    cleaned = found.group().replace("_", "") if found else ""
    return int(cleaned, base) & 0xFFFFFFFF if cleaned else 0


def _digits(digits: str, base: int) -> Callable[[EventSimulation, HostSite, list[Any]], tuple[Any, Outputs]]:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        return _leading(args[0], digits, base), {}

    return perform


def _atoi(text: Any) -> int:
    plain = _text(text)
    sign = -1 if plain.startswith("-") else 1
    return sign * _leading(plain[1:] if plain[:1] in ("-", "+") else plain, "0-9", 10) & 0xFFFFFFFF


def _atoreal(text: Any) -> float:
    found = re.match(r"[-+]?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?", _text(text))
    return float(found.group().replace("_", "")) if found else 0.0


def _bits(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    data = _text(args[0]).encode("latin-1")
    width = site.result.width if site.result is not None else 8 * len(data)
    return Value(width, int.from_bytes(data, "big") & ((1 << width) - 1)), {}


def _putc(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    text, at, code = _text(args[0]), _number(args[1]), _number(args[2]) & 0xFF
    if 0 <= at < len(text) and code:
        text = text[:at] + chr(code) + text[at + 1 :]
    return None, {0: text}


def _from_number(base: str) -> Callable[[EventSimulation, HostSite, list[Any]], tuple[Any, Outputs]]:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        if base == "r":
            return None, {0: f"{float(args[1]):g}"}
        if base == "d":
            return None, {0: decimal_text(_number(args[1]))}
        return None, {0: format(_number(args[1]), base)}

    return perform


STRING_CALLS = {
    "string.concat": _simple(_concat),
    "string.repeat": _simple(_repeat),
    "string.compare": _simple(_compare),
    "string.icompare": _simple(_icompare),
    "string.of": _simple(_text),
    "string.unpack": _unpack,
    "string.bits": _bits,
    "string.len": _simple(_len),
    "string.getc": _simple(_getc),
    "string.putc": _putc,
    "string.substr": _simple(_substr),
    "string.toupper": _simple(_upper),
    "string.tolower": _simple(_lower),
    "string.atoi": _simple(_atoi),
    "string.atohex": _digits("0-9a-fA-F", 16),
    "string.atooct": _digits("0-7", 8),
    "string.atobin": _digits("01", 2),
    "string.atoreal": _simple(_atoreal),
    "string.itoa": _from_number("d"),
    "string.hextoa": _from_number("x"),
    "string.octtoa": _from_number("o"),
    "string.bintoa": _from_number("b"),
    "string.realtoa": _from_number("r"),
}
"""What performs each operation on strings."""
