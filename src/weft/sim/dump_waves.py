"""`$dumpfile` and `$dumpvars` at time 0: open the waveform that the design itself asks for (IEEE 1800-2023 21.7).

The file's name decides the format, as for `Simulation.trace`; without `$dumpfile` it is `dump.vcd` (21.7.1.1). Levels
count from the named scope; where several scopes ask for different levels, the deepest holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.base.source import SourceMap
from weft.ir.cone_graph import ConeGraph
from weft.sim.format_values import Value
from weft.sim.run_effects import DumpRequest


@dataclass(frozen=True, slots=True)
class DumpPlan:
    """Say what to trace, for `Simulation.trace`."""

    path: str
    patterns: tuple[str, ...]
    depth: int | None


def plan_dump(requests: Sequence[DumpRequest], graph: ConeGraph, sources: SourceMap) -> DumpPlan | None:
    """Return what the dump tasks of time 0 ask for, or None when they ask for nothing."""
    path, patterns, depths = "dump.vcd", list[str](), list[int]()
    scopes = {scope.path: number for number, scope in enumerate(graph.scopes)}
    for request in requests:
        match request.task.name:
            case "$dumpfile":
                path = next((value for value in request.values if isinstance(value, str)), path)
            case "$dumpvars":
                levels = next((value.value for value in request.values if isinstance(value, Value)), 0)
                names = [value for value in request.values if isinstance(value, str)]
                if not names:
                    names = [scope.path for scope in graph.scopes if scope.parent < 0]
                for name in names:
                    patterns += [f"{name}.*"] if name in scopes else [name]
                    depths.append(_level(graph, scopes[name]) + levels if levels and name in scopes else 0)
            case "$dumpflush":
                pass
            case name:
                raise Unsupported(f"the system task {name}", request.task.span, sources=sources)
    if not patterns:
        return None
    return DumpPlan(path, tuple(patterns), None if 0 in depths else max(depths))


def _level(graph: ConeGraph, scope: int) -> int:
    """Return how many instances a scope lies inside of."""
    level = 0
    while (scope := graph.scopes[scope].parent) >= 0:
        level += 1
    return level
