"""Show the profile of a batch as tables."""

from __future__ import annotations

from rich.table import Table

from weft.apps.show_profile import print_tables
from weft.sim.batch_profile import BatchProfile


def show_batch_profile(profile: BatchProfile) -> None:
    """Print a profile to the standard error."""
    print_tables(profile.stages, _run_table(profile), profile_lines(profile))


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
