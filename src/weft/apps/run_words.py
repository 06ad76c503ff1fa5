"""The words of `weft run` as users of iverilog and vvp write them, turned into Weft's and slang's.

iverilog takes one-letter options with their value attached (`-stop`, `-g2012`, `-Ptop.N=3`, `-Tmin`), reads all files
as one compilation unit unless `-u` is given, and knows command files (`-c`, `-f`) and library files (`-l`). Options
that choose a code generator or an output file mean nothing here, as `weft run` compiles and runs at once; they are
refused rather than ignored, so that nobody waits for an `a.out`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.sim.run_plan import ParameterOverride

_ATTACHED = re.compile(r"-([sgPT])(.+)", re.DOTALL)
_PASSED_ON = {"-c": "-f", "-l": "-v"}
_MEANINGLESS = {
    "-o": "there is no output file; weft run compiles and runs at once",
    "-t": "there is only one target; weft run compiles and runs at once",
    "-E": "weft does not preprocess only",
    "-S": "weft does not synthesise",
    "-m": "weft does not load VPI modules",
    "-M": "weft does not write dependency files",
    "-B": "weft has no parts elsewhere",
    "-p": "weft has no code generator with flags",
}
_TAKES_VALUE = frozenset(("-I", "-D", "-y", "-Y", "-v", "-f", "-F", "-U", "-L", "--std", "--timescale", "--libmap"))
_STANDARDS = {
    "1995": "1364-2005",
    "2001": "1364-2005",
    "2001-noconfig": "1364-2005",
    "2005": "1364-2005",
    "2005-sv": "1800-2017",
    "2009": "1800-2017",
    "2012": "1800-2017",
    "2017": "1800-2017",
    "2023": "1800-2023",
}
_FEATURES = ("specify", "assertions", "supported-assertions")
_WITHOUT_EFFECT = frozenset((
    "xtypes", "io-range-error", "strict-ca-eval", "strict-expr-width", "shared-loop-index", "std-include",
    "relative-include", "verilog-ams", "icarus-misc", "strict-declaration", "strict-net-var-declaration",
    "strict-parameter-declaration",
))  # fmt: skip


def expand_words(words: Sequence[str]) -> list[str]:
    """Return the words with attached values split off, iverilog's names replaced, and meaningless ones refused."""
    expanded: list[str] = []
    unit = True
    rest = iter(words)
    for word in rest:
        attached = _ATTACHED.fullmatch(word)
        if attached is not None:
            expanded += [f"-{attached[1]}", attached[2]]
        elif word in _TAKES_VALUE:
            expanded += [word, *_value(rest)]
        elif word in _PASSED_ON:
            expanded += [_PASSED_ON[word], *_value(rest)]
        elif word == "-u":
            unit = False
        elif word[:2] in _MEANINGLESS and word[:1] == "-" and word[:2] != "--":
            raise UserError("bad-option", f"{word[:2]}: {_MEANINGLESS[word[:2]]}")
        else:
            expanded.append(word)
    return [*(["--single-unit"] if unit else []), *expanded]


def _value(rest: Iterator[str]) -> list[str]:
    return [value for value in (next(rest, None),) if value is not None]


@dataclass(slots=True)
class Generation:
    """Be what the `-g` options ask for: the language, and which parts of it count."""

    words: list[str] = field(default_factory=list[str])
    specify: bool = True
    assertions: bool = True


def read_generation(values: Sequence[str]) -> Generation:
    """Return the meaning of `-g` options: the last standard holds, features switch on or (`no-`) off."""
    generation = Generation()
    for value in values:
        feature = value.removeprefix("no-")
        enabled = feature == value
        if value in _STANDARDS:
            generation.words = [f"--std={_STANDARDS[value]}"]
        elif feature == "specify":
            generation.specify = enabled
        elif feature in ("assertions", "supported-assertions"):
            generation.assertions = enabled
        elif feature not in _WITHOUT_EFFECT:
            known = ", ".join((*_STANDARDS, *_FEATURES))
            raise UserError("bad-option", f"-g{value}: no such language or feature; there are {known}")
    return generation


def read_parameter(text: str, tops: Sequence[str]) -> ParameterOverride:
    """Return a `-P top.NAME=VALUE`."""
    path, equals, value = text.partition("=")
    top, dot, name = path.rpartition(".")
    if not equals or not dot or not top or not name or "." in top:
        raise UserError(
            "bad-option", f"-P {text}: write the top module, the parameter and its value: -P top.NAME=VALUE"
        )
    if tops and top not in tops:
        raise UserError("bad-option", f"-P {text}: '{top}' is not among the top modules ({', '.join(tops)})")
    return ParameterOverride(top, name, value)


def has_sources(words: Sequence[str]) -> bool:
    """Say whether slang's words name a source file, or a list of them."""
    rest = iter(words)
    for word in rest:
        if word in ("-f", "-F", "-v") or (word[:2] in ("-f", "-F") and word[:2] != "--"):
            return True
        if word in _TAKES_VALUE:
            next(rest, None)
        elif word and word[0] not in "-+":
            return True
    return False
