"""What the commands of `weft` have in common: options, and texts of their help."""

from __future__ import annotations

from typing import Annotated

from weft.apps.declare_options import option

DESIGN_FAILED = 1
"""The exit status where the design reported an error."""

FILES = """FILES and all of slang's options (-f LIST, -I DIR, -D NAME=TEXT, -y DIR, -v FILE, -G NAME=VALUE,
--timescale 1ns/1ps, --std 1800-2017, -Wno-...) go to slang as they are; +words are plusargs of the design."""

FourState = Annotated[bool, option("--four-state", help="Simulate 0 1 x z instead of 0 1.")]
Top = Annotated[str, option(help="The top module.")]
Clock = Annotated[str, option(help="The clock input; several as a,b. Found by itself if there is one.")]
Period = Annotated[str, option(help="The clock's period.")]
Reset = Annotated[str, option(help="The reset input and cycles, rst:10; !rst_n if active low; none. Found by itself.")]
XInitial = Annotated[str, option(help="Registers begin as 0, 1 or random:SEED (2-state).")]
Loops = Annotated[str, option(help="Combinational loops: error, iterate or break.")]
Assertions = Annotated[
    str, option(help="Concurrent assertions: error (a failure is an error); off, as are checks of unique.")
]
NoCache = Annotated[bool, option("--no-cache", help="Neither read nor write the cache.")]
Archive = Annotated[str, option("--pipeline-archive", help="The archive of compiled code to use.")]
Load = Annotated[bool | None, option("--pipeline-load/--no-pipeline-load", help="Take what is in the archive from it.")]
Save = Annotated[bool | None, option("--pipeline-save/--no-pipeline-save", help="Add what was used to the archive.")]
Background = Annotated[
    bool | None,
    option("--pipeline-async/--no-pipeline-async", help="Make better code while running (yes), or all before."),
]
Log = Annotated[bool | None, option("--pipeline-log/--no-pipeline-log", help="Say what was found and made.")]
Profile = Annotated[
    bool | None, option("--profile/--no-profile", help="Show where the time goes, and write a flame graph.")
]
ProfileOutput = Annotated[str, option(help="The flame graph's file; TOP.speedscope.json otherwise.")]
MaxSteps = Annotated[
    int, option("--max-steps", min=0, help="Run so many clock events at once, at most; 0: what takes a moment.")
]
Warnings = Annotated[bool, option("--all-warnings", help="Show all warnings, not only the first ten.")]
