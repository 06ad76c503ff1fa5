"""Show a profile as tables."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from weft.sim.profile import Profile


def show_profile(profile: Profile) -> None:
    """Print a profile to the standard error: the design's own output stays what it is."""
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 120)
    stages = Table("compilation", "seconds", box=None, pad_edge=False)
    stages.columns[1].justify = "right"
    for name, seconds in profile.stages.items():
        stages.add_row(name, f"{seconds:.3f}")
    stages.add_row("total", f"{sum(profile.stages.values()):.3f}", style="bold")
    console.print(stages, highlight=False)
    console.print()
    console.print(_run_table(profile), highlight=False)
    console.print()
    cache = profile.cache
    lines = [
        f"{profile.cycles:,} cycles, {profile.cycles_per_s:,.0f} cycles/s",
        f"cache: {cache.found} entries found ({cache.from_archives} of them in archives), {cache.made} made",
    ]
    if profile.object_bytes:
        lines.append(f"code in use: {profile.object_bytes:,} bytes of objects")
    console.print("\n".join(lines), highlight=False)


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
