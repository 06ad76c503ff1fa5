"""Show the profile of a batch as tables."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from weft.sim.batch_profile import BatchProfile


def show_batch_profile(profile: BatchProfile) -> None:
    """Print a profile to the standard error."""
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 120)
    stages = Table("compilation", "seconds", box=None, pad_edge=False)
    stages.columns[1].justify = "right"
    for name, seconds in profile.stages.items():
        stages.add_row(name, f"{seconds:.3f}")
    stages.add_row("total", f"{sum(profile.stages.values()):.3f}", style="bold")
    for table in (stages, _run_table(profile)):
        console.print(table, highlight=False)
        console.print()
    console.print("\n".join(profile_lines(profile)), highlight=False)


def _run_table(profile: BatchProfile) -> Table:
    run = Table("run", "seconds", "of the run", "launches", "us a launch", box=None, pad_edge=False)
    for column in run.columns[1:]:
        column.justify = "right"

    def share(seconds: float) -> str:
        return f"{100 * seconds / profile.run_s:.1f} %" if profile.run_s else ""

    for name, kernel in profile.kernels.items():
        each = f"{1e6 * kernel.seconds / kernel.launches:,.1f}"
        run.add_row(name, f"{kernel.seconds:.3f}", share(kernel.seconds), f"{kernel.launches:,}", each)
    if profile.copy_s:
        run.add_row("copies", f"{profile.copy_s:.3f}", share(profile.copy_s))
    run.add_row("host", f"{profile.host_s:.3f}", share(profile.host_s))
    run.add_row("total", f"{profile.run_s:.3f}", share(profile.run_s), style="bold")
    return run


def profile_lines(profile: BatchProfile) -> list[str]:
    """Return what a profile says beside its tables."""
    lines = [f"{profile.lane_cycles:,.0f} lane cycles on {profile.device}, {profile.rate:,.0f} a second"]
    limit, copy, cache = profile.limit, profile.limits.copy_bytes_s, profile.cache
    if limit:
        part = f"{100 * profile.rate / limit:.1f} % of the {limit:,.0f} that its integer units allow"
        lines.append(f"{part}, by {profile.operations:,} operations a cycle")
    if copy:
        moved, part = profile.state_bytes_s / 1e9, 100 * profile.state_bytes_s / copy
        lines.append(f"state moved: at least {moved:,.2f} GB/s, {part:.2f} % of the {copy / 1e9:,.0f} of a copy there")
    if profile.copy_s:
        both = profile.to_device + profile.from_device
        sides = f"{profile.to_device:,} bytes to the device, {profile.from_device:,} from it"
        lines.append(f"copies: {sides}, {both / profile.copy_s / 1e9:,.2f} GB/s")
    lines += profile.facts
    lines.append(f"cache: {cache.found} entries found ({cache.from_archives} of them in archives), {cache.made} made")
    return lines
