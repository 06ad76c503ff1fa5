"""The three kinds of error, and how they are shown.

`UserError` is illegal input, `Unsupported` legal input that Weft does not handle yet, `InternalError` a bug of ours.
The first two carry a code from `ERRORS`, source spans and notes, and render as slang renders its diagnostics:

    soc.sv:12:9: error: 'count' has two drivers [multiple-drivers]
        assign count = 1;
               ^~~~~
    soc.sv:9:9: note: the other one is here
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.base.source import NOWHERE, SourceMap, Span

ERRORS: dict[str, str] = {
    "no-such-file": "A source, memory image or state file does not exist or cannot be read.",
    "cannot-write": "An output file cannot be written: no permission, no such folder, or a full disk.",
    "source-errors": "The front end found errors in the source text; they are listed above.",
    "no-top": "The top module is not named and cannot be chosen, or no module has that name.",
    "unsupported": "The construct is legal, and this engine does not handle it yet.",
    "combinational-loop": "A combinational signal depends on itself; the message shows the path.",
    "multiple-drivers": "Two processes or assignments drive the same bits of a variable.",
    "unknown-signal": "No signal has that path; near names are suggested.",
    "read-only": "The signal is driven by the design, so it cannot be set, only forced.",
    "not-forceable": "A signal of a testbench is forced that forceable= does not name.",
    "value-range": "A value does not fit the signal's width.",
    "ambiguous-clock": "Several inputs could be the clock; choose one with --clock.",
    "ambiguous-reset": "Several inputs could be the reset; choose one with --reset.",
    "bad-option": "An option's value does not have the form it must have.",
    "bad-expression": "An expression given on the command line or to run_until cannot be understood.",
    "bad-state-file": "A saved state is damaged, or belongs to another design or version.",
    "addresses-in-use": "A state of a testbench cannot be loaded into a process where its addresses are taken.",
    "file-changed": "A file that the design has open in a saved state is no longer as it was then.",
    "bench-failed": "A run that weft bench measures has failed; its message follows.",
    "bad-archive": "An archive of compiled designs is damaged, or of another format.",
    "bad-sdf-file": "A file of delays (SDF) is malformed.",
    "bad-memory-file": "A memory image for $readmemh or $readmemb is malformed.",
    "index-range": "A memory index lies outside the memory.",
    "no-convergence": "The design did not settle: a zero-delay oscillation.",
    "null-handle": "A null handle of a class object is used.",
    "recursion": "A function or task calls itself without end.",
    "mailbox-type": "A message is taken from a mailbox into a variable of another type.",
    "bad-constraint": "A constraint has x or z bits, uses elements that are not there, or cannot be solved.",
    "bad-random-call": "A call that sets modes or states of random variables is given something that does not exist.",
    "no-solver": "Constraints need the package bitwuzla, which is not installed.",
    "kill-self": "A process kills itself or one that has forked it.",
    "no-such-task": "The source calls a system task or function that does not exist.",
    "bad-lanes": "An array for a batch has the wrong shape, type or place, or a lane does not exist.",
    "no-record": "A lane is to be replayed from a batch that has recorded nothing.",
    "bad-stimulus": "A file of stimulus is malformed, too short, has unknown values, or does not fit the inputs.",
    "no-package": "A file of this format needs a package that is not installed; the message names it.",
    "bad-fault-list": "A list of faults has a line that cannot be understood, or names what there is not.",
    "no-memory": "There is too little memory for a batch (the message says how many lanes would fit) or an array.",
    "no-gpu": "There is no GPU that can run a batch, or its driver or the packages for it are missing or too old.",
    "gpu-failed": "The GPU reported an error while it ran a batch; the batch is as it was at its last checkpoint.",
    "design-failed": "The design reported an error ($error, $fatal or a failed assertion).",
}
"""Every code of a diagnostic, with the sentence that the reference manual shows for it."""


@dataclass(frozen=True, slots=True)
class Note:
    """Add a sentence, and where it applies, to a diagnostic."""

    message: str
    span: Span = NOWHERE


class WeftError(Exception):
    """Be the base of everything that Weft raises on purpose."""

    severity = "error"

    def __init__(
        self,
        code: str,
        message: str,
        span: Span = NOWHERE,
        notes: tuple[Note, ...] = (),
        sources: SourceMap | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.notes, self.sources = code, message, span, notes, sources

    def render(self, sources: SourceMap | None = None) -> str:
        """Return the diagnostic as text with source lines and carets; `sources` defaults to its own."""
        sources = sources or self.sources
        text = _render_line(sources, self.span, self.severity, f"{self.message} [{self.code}]")
        return "\n".join([text, *(_render_line(sources, note.span, "note", note.message) for note in self.notes)])

    def __str__(self) -> str:
        return self.render()


class UserError(WeftError):
    """Report illegal input."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span = NOWHERE,
        notes: tuple[Note, ...] = (),
        sources: SourceMap | None = None,
    ) -> None:
        assert code in ERRORS, code
        super().__init__(code, message, span, notes, sources)


class Unsupported(WeftError):
    """Report legal input that Weft does not handle yet; never skip or approximate it instead."""

    def __init__(
        self, what: str, span: Span = NOWHERE, notes: tuple[Note, ...] = (), sources: SourceMap | None = None
    ) -> None:
        super().__init__("unsupported", f"{what} is not supported yet", span, notes, sources)


class InternalError(WeftError):
    """Report a bug of Weft, with what is needed to reproduce it."""

    severity = "internal error"

    def __init__(self, message: str, dump: str = "") -> None:
        super().__init__("internal", message, notes=(Note(dump),) if dump else ())


def _render_line(sources: SourceMap | None, span: Span, severity: str, message: str) -> str:
    if sources is None or span.file < 0:
        return f"{severity}: {message}"
    source = sources.files[span.file]
    line, column = source.position(span.start)
    text = source.line(line)
    length = max(1, min(span.end - span.start, len(text) - column + 1))
    margin = "".join("\t" if c == "\t" else " " for c in text[: column - 1])
    return f"{source.path}:{line}:{column}: {severity}: {message}\n{text}\n{margin}^{'~' * (length - 1)}"
