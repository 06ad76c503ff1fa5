"""Show a profile as tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from weft.apps.show_progress import print_note
from weft.sim.batch_profile import BatchProfile
from weft.sim.profile import Profile


def show_profile(profile: Profile) -> None:
    """Print a profile to the standard error: the design's own output stays what it is."""
    cache = profile.cache
    lines = [
        f"{profile.cycles:,} cycles, {profile.cycles_per_s:,.0f} cycles/s",
        f"cache: {cache.found} entries found ({cache.from_archives} of them in archives), {cache.made} made",
    ]
    if profile.object_bytes:
        lines.append(f"code in use: {profile.object_bytes:,} bytes of objects")
    print_tables(profile.stages, _run_table(profile), lines)


def print_tables(stages: Mapping[str, float], run: Table, lines: Sequence[str]) -> None:
    """Print the seconds of stages of compilation, what a run took, and lines about it."""
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 120)
    compilation = Table("compilation", "seconds", box=None, pad_edge=False)
    compilation.columns[1].justify = "right"
    for name, seconds in stages.items():
        compilation.add_row(name, f"{seconds:.3f}")
    compilation.add_row("total", f"{sum(stages.values()):.3f}", style="bold")
    for table in (compilation, run):
        console.print(table, highlight=False)
        console.print()
    console.print("\n".join(lines), highlight=False)


def save_flame_graph(profile: Profile | BatchProfile, path: str) -> None:
    """Write a profile's flame graph, and say where it is."""
    profile.save(path)
    print_note(f"flame graph in {path}: open it on https://www.speedscope.app")


def _run_table(profile: Profile) -> Table:
    run = Table("run", "seconds", "of the run", "calls", "ns a call", box=None, pad_edge=False)
    for column in run.columns[1:]:
        column.justify = "right"

    def share(seconds: float) -> str:
        return f"{100 * seconds / profile.run_s:.1f} %" if profile.run_s else ""

    for kernel in profile.kernels:
        each = f"{1e9 * kernel.seconds / kernel.calls:,.1f}" if kernel.calls else ""
        run.add_row(kernel.name, f"{kernel.seconds:.3f}", share(kernel.seconds), f"{kernel.calls:,}", each)
    if profile.compiled_s:
        run.add_row("run loop, clocks of this table", f"{profile.loop_s:.3f}", share(profile.loop_s))
    run.add_row("Python", f"{profile.python_s:.3f}", share(profile.python_s))
    run.add_row("total", f"{profile.run_s:.3f}", share(profile.run_s), style="bold")
    return run
