"""`weft archive`: carry compiled designs from machine to machine. What it does is in `sim.archives`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import click

from weft.apps.declare_options import CommandGroup, option
from weft.apps.show_progress import compile_progress, show_status
from weft.apps.split_words import Words
from weft.base.errors import UserError

if TYPE_CHECKING:
    from weft.sim.archives import Report

DAMAGED = 1

archive_group = CommandGroup("archive", "Put compiled designs into a file, and take them out on another machine.")


@archive_group.declare(
    "save",
    "weft archive save FILE.weftar [DESIGN]: save all that the cache has, or what one design needs.\n\n"
    "DESIGN is given as to 'weft sim': files and slang's options. It is compiled; code that earlier runs have "
    "made for it, which is better, goes into the archive too.",
)
def save(
    context: click.Context,
    top: Annotated[str, option(help="The top module.")] = "",
    four_state: Annotated[bool, option("--four-state", help="Save the design of 'weft sim --four-state'.")] = False,
    loops: Annotated[str, option(help="Combinational loops: error, iterate or break.")] = "error",
    assertions: Annotated[str, option(help="Concurrent assertions: error, or off.")] = "error",
    full: Annotated[bool, option("--full", help="Compile the best code first, as long runs have it.")] = False,
    add: Annotated[bool, option("--add", help="Keep what the file has already.")] = False,
) -> None:
    """Run `weft archive save`."""
    from weft.sim import archives

    words: Words = context.obj
    path, rest = _file_of(context)
    if not rest and not top:
        with show_status(lambda: f"saving the cache in {path}"):
            report = archives.save(path, add=add)
    else:
        from weft.sim.compile_design import compile_design

        with archives.harvest(path, add=add) as report, compile_progress() as progress:
            compile_design(
                top=top or None,
                slang_args=rest,
                plusargs=words.plusargs,
                four_state=four_state,
                loops=loops,
                assertions=assertions,
                background=not full,
                output=lambda data: None,
                progress=progress,
            )
    _tell(report)
    print(f"saved {report.taken} entries, {report.bytes / 1e6:.2f} MB")


@archive_group.declare("load", "weft archive load FILE.weftar: put what fits this machine and version into the cache.")
def load(context: click.Context) -> None:
    """Run `weft archive load`."""
    from weft.sim import archives

    path = _only_file(context)
    with show_status(lambda: f"loading {path}"):
        report = archives.load(path)
    _tell(report)
    print(f"loaded {report.taken} entries, {report.bytes / 1e6:.2f} MB; {report.present} were there")


@archive_group.declare("list", "weft archive list FILE.weftar: show what is in an archive.")
def list_entries(context: click.Context) -> None:
    """Run `weft archive list`."""
    from rich.console import Console
    from rich.table import Table

    from weft.sim import archives
    from weft.sim.fit_entries import misfit

    table = Table("kind", "of", "bytes", "packed", "made by", "for", "fits", box=None, pad_edge=False)
    for column in (2, 3):
        table.columns[column].justify = "right"
    for entry in archives.entries(_only_file(context)):
        label = entry.label
        fits = "no" if misfit(label) else "yes"
        table.add_row(
            label.kind, label.note, f"{entry.size:,}", f"{entry.packed:,}", label.compiler, label.device or "any", fits
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table, highlight=False)


@archive_group.declare("verify", "weft archive verify FILE.weftar: check every hash; status 1 if anything is damaged.")
def verify(context: click.Context) -> int:
    """Run `weft archive verify`."""
    from weft.sim import archives

    path = _only_file(context)
    with show_status(lambda: f"checking {path}"):
        report = archives.verify(path)
    _tell(report)
    print(f"{report.taken} entries are good, {report.damaged} are damaged")
    return DAMAGED if report.damaged else 0


@archive_group.declare("prune", "weft archive prune FILE.weftar: take out what is damaged or of another version.")
def prune(
    context: click.Context,
    here: Annotated[bool, option("--here", help="Also what this machine cannot use.")] = False,
) -> None:
    """Run `weft archive prune`."""
    from weft.sim import archives

    path = _only_file(context)
    with show_status(lambda: f"pruning {path}"):
        report = archives.prune(path, here=here)
    _tell(report)
    print(f"{report.taken} entries are left, {report.bytes / 1e6:.2f} MB")


def _file_of(context: click.Context) -> tuple[str, list[str]]:
    """Return the archive's name, which comes first, and the other words."""
    words: Words = context.obj
    if not words.slang or words.slang[0].startswith("-"):
        raise UserError("bad-option", f"weft archive {context.info_name}: name the archive first, FILE.weftar")
    return words.slang[0], words.slang[1:]


def _only_file(context: click.Context) -> str:
    path, rest = _file_of(context)
    if rest:
        raise UserError("bad-option", f"weft archive {context.info_name}: '{rest[0]}' is too much")
    return path


def _tell(report: Report) -> None:
    for line in report.lines:
        print(f"weft: {line}", file=sys.stderr)
