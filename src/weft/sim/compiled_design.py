"""A compiled design: what an engine needs to run it, and what people need to see of it. The cache stores these."""

from __future__ import annotations

from hashlib import blake2b

from weft.base.dataclass import dataclass, field
from weft.base.source import SourceMap, Span
from weft.ir.cone_graph import ConeGraph
from weft.ir.design import Module
from weft.passes.trace_clocks import ClockReport


@dataclass(frozen=True, slots=True)
class DriverNote:
    """Say that something drives a signal: `what` reads like `always_ff @(posedge clk)` or `assign`."""

    what: str
    span: Span
    path: tuple[str, ...] = ()


@dataclass(slots=True)
class CompiledDesign:
    """Hold one design, elaborated for one set of options.

    `drivers` lists for each module what drives its signals, by signal name. `digest` identifies sources, options and
    compiler; `warnings` are the front end's; in state `watch_memory` the simulation remembers watched values.
    `forwarded` names for each module the signals that a process reads after it has assigned them (`passes.fragment`).
    """

    graph: ConeGraph
    sources: SourceMap
    tops: tuple[str, ...]
    digest: str
    four_state: bool
    precision_fs: int
    watch_memory: int
    clocks: ClockReport
    warnings: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    drivers: dict[Module, dict[str, tuple[DriverNote, ...]]] = field(
        default_factory=dict[Module, dict[str, tuple[DriverNote, ...]]]
    )

    forwarded: dict[Module, frozenset[str]] = field(default_factory=dict[Module, frozenset[str]])

    def state_digest(self) -> str:
        """Return a hash of the state table: state files and checkpoints belong to one."""
        table = blake2b(digest_size=16)
        for state in self.graph.states:
            table.update(f"{state.name}\0{state.width}\0{state.depth}\0{state.plane}\n".encode())
        return table.hexdigest()
