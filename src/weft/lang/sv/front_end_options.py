"""What the user can tell the front end, and the words of slang's command line that say it.

slang's own command line does the work (`pyslang.driver`), so that file lists, include and library folders, macros,
language versions and warning options mean exactly what they mean to slang; `arguments` takes any of its words as they
are (`-f`, `--single-unit`, `--std=1800-2017`, `--libmap`, ...).

Some rules of the standard that most tools do not enforce would keep real cores out, so these are relaxed, as slang's
`--compat` modes do; the warning options can be made errors again (`-Werror=index-oob`):

* `--relax-enum-conversions`: an integer may be assigned to an enum (IEEE 1800-2023 6.19.3 wants a cast);
* `--relax-string-conversions`: a string may be assigned to an integer without a cast (6.16);
* `--allow-genblk-reference`: an unnamed generate block may be named in a hierarchical reference (27.6);
* `--allow-merging-ansi-ports` and `--allow-bare-value-param-assigment` (slang spells it so): notations of older tools;
* `--max-parse-depth=5000`: generated code nests more than slang's usual 1,024 levels;
* `-Wno-error=bad-procedural-force`: bits of a variable may be forced (10.6.2 allows whole variables only);
* `-Wno-error=index-oob`, `range-oob` and `range-width-oob`: a constant select outside a vector only warns, because
  parameterised code has such selects where they are never used. It reads x and ignores writes (11.5.1);
* `-Wno-string-int-concat`: `{text, text[i]}` joins a string and a byte (11.4.12.2 wants a cast).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from weft.base.dataclass import dataclass, field

RELAXATIONS = (
    "--relax-enum-conversions",
    "--relax-string-conversions",
    "--allow-genblk-reference",
    "--allow-merging-ansi-ports",
    "--allow-bare-value-param-assigment",
    "--max-parse-depth=5000",
    "-Wno-error=bad-procedural-force",
    "-Wno-error=index-oob",
    "-Wno-error=range-oob",
    "-Wno-error=range-width-oob",
    "-Wno-string-int-concat",
)


@dataclass(frozen=True, slots=True)
class FrontEndOptions:
    """Choose how sources are read and elaborated.

    `require_top` says that sources without any module are an error; else their classes are converted, and the design
    has no top.

    `defines` maps a macro to its text (None or empty: defined as 1). `parameters` overrides parameters of the top
    modules; text that is neither a Verilog number nor in double quotes is a string. `warnings` are slang's words
    (`-Wno-width-trunc`, `-Werror`). `assertions` is `error` (they are converted, and a failure is an error) or
    `off` (concurrent ones, and the checks of `unique` and `priority`, are left out). `specify` says that the
    paths and timing checks of specify blocks are wanted, which only event simulation has a use for. `delays` is `min`,
    `typ` or `max`: which of `#(1:2:3)` counts. `arguments` are words of slang's command line.
    """

    top: tuple[str, ...] = ()
    require_top: bool = True
    include_dirs: tuple[str, ...] = ()
    defines: Mapping[str, str | int | None] = field(default_factory=dict[str, "str | int | None"])
    parameters: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    library_dirs: tuple[str, ...] = ()
    library_extensions: tuple[str, ...] = ()
    library_files: tuple[str, ...] = ()
    timescale: str = ""
    warnings: tuple[str, ...] = ()
    assertions: str = "error"
    specify: bool = False
    delays: str = "typ"
    arguments: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the words of slang's command line, without the files."""
        given = {word.partition("=")[0] for word in self.arguments}
        words = [word for word in RELAXATIONS if word.startswith("-W") or word.partition("=")[0] not in given]
        for flag, values in (
            ("--top", self.top),
            ("-I", self.include_dirs),
            ("-y", self.library_dirs),
            ("-Y", self.library_extensions),
            ("-v", self.library_files),
        ):
            for value in values:
                words += [flag, value]
        # A file that is nowhere else is looked for where the tool runs, as every other tool does.
        words += ["-I", "."]
        for name, text in self.defines.items():
            words += ["-D", name if text is None or text == "" else f"{name}={text}"]
        for name, value in self.parameters.items():
            words += ["-G", f"{name}={_parameter_text(value)}"]
        if self.delays != "typ":
            words += ["--timing", self.delays]
        if self.timescale:
            words += ["--timescale", self.timescale]
        return [*words, *self.warnings, *self.arguments]


_NUMBER = re.compile(r"[+-]?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?|\d*'[sS]?[bodhBODH][\da-fA-FxXzZ?_]+|'[01xXzZ]")


def _parameter_text(value: str | int) -> str:
    """Return a parameter's value as slang wants it: a literal."""
    text = str(int(value)) if isinstance(value, int) else value.strip()
    if _NUMBER.fullmatch(text) or (len(text) > 1 and text[0] == text[-1] == '"'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
