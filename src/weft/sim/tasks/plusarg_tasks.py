"""`$test$plusargs` and `$value$plusargs` (IEEE 1800-2023 21.6), with Icarus Verilog's warnings about bad values."""

from __future__ import annotations

import re

from weft.sim.tasks.scan_text import parse_digits
from weft.sim.tasks.task_call import Handler, TaskCall

_KINDS = {"d": "decimal", "o": "octal", "h": "hex", "x": "hex", "b": "binary"}
_VALID = {
    "d": re.compile(r"-?[0-9][0-9_]*|[xX_]+|[zZ_]+|-?"),
    "o": re.compile(r"-?(?:[0-7xXzZ][0-7_xXzZ]*)?"),
    "h": re.compile(r"-?(?:[0-9a-fA-FxXzZ][0-9a-fA-F_xXzZ]*)?"),
    "b": re.compile(r"-?(?:[01xXzZ][01_xXzZ]*)?"),
}
_BITS = {"o": 3, "h": 4, "b": 1}
_REAL = re.compile(r"\s*[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE)


def _test(call: TaskCall) -> int:
    prefix = call.text(0)
    return int(any(argument.startswith(prefix) for argument in call.host.state.plusargs))


def _value(call: TaskCall) -> int:
    form = call.text(0)
    prefix, percent, rest = form.partition("%")
    if not percent:
        _fail(call, "is missing a format code.", form)
        return 0
    rest = rest.removeprefix("0")
    letter = rest[:1].lower()
    if not letter or letter not in "dohxbefgs":
        _fail(call, "has an invalid format string:", form)
        return 0
    if len(rest) > 1:
        _warn(call, f"Skipping trailing garbage in {call.name}'s format string:", form)
    for argument in call.host.state.plusargs:
        if argument.startswith(prefix):
            _convert(call, letter, argument[len(prefix) :])
            return 1
    return 0


def _fail(call: TaskCall, problem: str, shown: str) -> None:
    """Report a bad format: two lines, the second with the text in question, and the end of the simulation."""
    head = f"ERROR: {call.host.place(call.span)}:"
    text = f'{head} {call.name} {problem}\n{"":{len(head)}} "{shown}".\n'
    call.host.out.write(text.encode("utf-8", "surrogateescape"))
    call.host.finish(1)


def _warn(call: TaskCall, problem: str, shown: str) -> None:
    head = f"WARNING: {call.host.place(call.span)}:"
    text = f'{head} {problem}\n{"":{len(head)}} "{shown}".\n'
    call.host.out.write(text.encode("utf-8", "surrogateescape"))


def _convert(call: TaskCall, letter: str, text: str) -> None:
    """Convert the rest of a plusarg for the variable; a malformed number is all x."""
    if letter == "s":
        call.put_text(1, text)
        return
    if letter in "efg":
        _convert_real(call, text)
        return
    kind = "h" if letter == "x" else letter
    if _VALID[kind].fullmatch(text) is None:
        _warn(call, f"Invalid {_KINDS[letter]} value passed to {call.name}:", text)
        call.put(1, 0, 1, 1)
        return
    negative, digits = text.startswith("-"), text.lstrip("-").replace("_", "")
    if kind == "d":
        if digits[:1].lower() in ("x", "z"):
            call.put(1, int(digits[0].lower() == "z"), 1, 1)
        else:
            call.put(1, -int(digits or "0") if negative else int(digits or "0"))
        return
    value, unknown, width = parse_digits(digits or "0", _BITS[kind])
    if negative and not unknown:
        value = -value
    call.put(1, value, unknown, width)


def _convert_real(call: TaskCall, text: str) -> None:
    match = _REAL.match(text)
    if match is None and text:
        _warn(call, f"Invalid real value passed to {call.name}:", text)
    elif match is not None and match.end() < len(text):
        rest = text[match.end() :]
        _warn(call, f'Extra character(s) "{rest}" found in {call.name}\'s real string:', text)
    call.put_real(1, float(match[0]) if match is not None else 0.0)


TASKS: dict[str, Handler] = {"$test$plusargs": _test, "$value$plusargs": _value}
