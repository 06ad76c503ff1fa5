"""What `weft run` is to do: sources, parameters, delays, what ends it, what it writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from weft.base.dataclass import dataclass


class OnStop(Enum):
    """Say what `$stop` does: open the prompt, end with status 0 (vvp's -n), or with status 1 (-N)."""

    PROMPT = "prompt"
    FINISH = "finish"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class ParameterOverride:
    """Give a top module's parameter another value; `value` is a Verilog number or text in double quotes."""

    top: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SdfFile:
    """Annotate delays from a file, from the scope on; an empty scope is the top module."""

    path: str
    scope: str = ""


def read_sdf(text: str) -> SdfFile:
    """Return a `--sdf FILE[:scope]`; a scope is a path of names, so `C:\\x.sdf` has none."""
    path, colon, scope = text.rpartition(":")
    if colon and path and re.fullmatch(r"[A-Za-z_][\w$]*(\[\d+\])?(\.[A-Za-z_][\w$]*(\[\d+\])?)*", scope):
        return SdfFile(path, scope)
    return SdfFile(text)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Hold the options of one run.

    `front_end` are slang's words, sources included; `tops` the top modules, found if empty. `delays` is `min`, `typ`,
    `max` or `none`; `specify` and `assertions` say whether specify blocks and assertions count. `seed` begins
    `$random` and `$urandom`; `shuffle` orders what the standard leaves open (None: the documented order). `max_delta`
    is how many steps one time may take. `engine` is `auto`, `event` or `cycle`; `report` tells what runs as what.
    `races` reports accesses whose order the standard leaves open. `coverage` prints what of the covergroups was hit,
    `coverage_file` writes it to a file. `tune` compiles all that the run has shown to be worth it, before it exits.
    """

    front_end: tuple[str, ...]
    tops: tuple[str, ...] = ()
    parameters: tuple[ParameterOverride, ...] = ()
    plusargs: tuple[str, ...] = ()
    delays: str = "typ"
    specify: bool = True
    assertions: bool = True
    on_stop: OnStop = OnStop.PROMPT
    wave: str = ""
    signals: tuple[str, ...] = ("*",)
    max_delta: int = 10_000_000
    seed: int = 0
    shuffle: int | None = None
    engine: str = "auto"
    races: bool = False
    coverage: bool = False
    coverage_file: str = ""
    sdf: tuple[SdfFile, ...] = ()
    allow_system: bool = False
    cache: bool = True
    report: bool = False
    tune: bool = False
    quiet: bool = False
    all_warnings: bool = False


Simulate = Callable[[RunPlan], int]
"""Run a plan; return the exit status: 0, 1 after `$fatal` or a failing `$stop`, or what the design asks for."""
