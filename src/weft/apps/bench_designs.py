"""Find the design that `weft bench` is to measure: a source, a file list, or a name in a file of designs (TOML).

[soc]
files = ["soc.sv", "cpu.sv"]        # beside this file
options = ["-I", "include"]         # slang's
top = "soc"
cycles = 1_000_000
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.base.dataclass import dataclass
from weft.base.errors import UserError

DEFAULT_FILE = "weft-bench.toml"
DEFAULT_CYCLES = 100_000

_KINDS: dict[str, type] = {
    "files": list,
    "options": list,
    "plusargs": list,
    "top": str,
    "clock": str,
    "reset": str,
    "four_state": bool,
    "cycles": int,
    "warmup": int,
    "lanes": int,
    "device": str,
}


@dataclass(frozen=True, slots=True)
class MeasuredDesign:
    """Say what to compile and how long to run it.

    `words` are slang's, relative to `folder`; `reset` is as in `weft sim`. `warmup` cycles run before those that are
    timed. With `lanes` a batch of so many is measured, on a `device`.
    """

    name: str
    words: tuple[str, ...]
    folder: str = "."
    plusargs: tuple[str, ...] = ()
    top: str = ""
    clock: str = ""
    reset: str = ""
    four_state: bool = False
    cycles: int = DEFAULT_CYCLES
    warmup: int = DEFAULT_CYCLES // 10
    lanes: int = 0
    device: str = ""


def find_design(name: str, file: str, words: Sequence[str]) -> MeasuredDesign:
    """Return the design of `--design NAME` or of the command's own words; raises `bad-option` and `no-such-file`."""
    if not name:
        if not words:
            raise UserError("no-such-file", "no design: weft bench --design NAME, or files as for weft sim")
        return MeasuredDesign(next((Path(w).stem for w in words if not w.startswith("-")), "design"), tuple(words))
    designs = _read_designs(Path(file or DEFAULT_FILE), bool(file))
    if name in designs:
        if words:
            raise UserError("bad-option", f"'{words[0]}' is too much: '{name}' is a design of its own")
        return designs[name]
    if Path(name).is_file():
        first = ("-f", name) if Path(name).suffix == ".f" else (name,)
        return MeasuredDesign(Path(name).stem, (*first, *words))
    known = f"; there are {', '.join(designs)}" if designs else f"; there is no {file or DEFAULT_FILE} to look it up in"
    raise UserError("bad-option", f"--design {name}: neither a file nor a known design{known}")


def _read_designs(path: Path, required: bool) -> dict[str, MeasuredDesign]:
    if not required and not path.exists():
        return {}
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the designs '{path}': {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError("bad-option", f"'{path}' is no TOML: {error}") from None
    return {name: _make_design(path, name, table) for name, table in tables.items()}


def _make_design(path: Path, name: str, table: Any) -> MeasuredDesign:
    if not isinstance(table, dict):
        raise UserError("bad-option", f"'{path}': '{name}' is no table of a design")
    for key, value in table.items():
        if key not in _KINDS:
            raise UserError("bad-option", f"'{path}': [{name}] has '{key}'; known are {', '.join(_KINDS)}")
        # In Python a truth value is a number; in TOML it is none.
        if type(value) is not _KINDS[key] or (isinstance(value, list) and not all(isinstance(v, str) for v in value)):
            kind = {list: "a list of texts", str: "a text", bool: "true or false", int: "a number"}[_KINDS[key]]
            raise UserError("bad-option", f"'{path}': {key} of [{name}] must be {kind}")
    values: dict[str, Any] = dict(table)
    words = (*values.pop("files", ()), *values.pop("options", ()))
    values["plusargs"] = tuple(values.get("plusargs", ()))
    cycles = values.get("cycles", DEFAULT_CYCLES)
    return MeasuredDesign(name, words, str(path.parent), **{"warmup": cycles // 10, **values})
