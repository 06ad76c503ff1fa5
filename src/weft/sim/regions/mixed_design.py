"""A design whose regions are taken out: what the event engine runs, what the regions are, and the report.

The design cache keeps these, so nothing here imports what makes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass, field
from weft.base.source import NOWHERE, Span
from weft.ir.cone_graph import ConeGraph
from weft.ir.design import Design, Module
from weft.ir.program import StateArray
from weft.ir.region import Region, RegionShape

WORTH = 40
"""The statements and assignments, all instances counted, from which on a region is worth its compilation."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Say why something runs as events, and where it stands; `testbench` says that only events can mean it."""

    text: str
    span: Span = NOWHERE
    testbench: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Be a line of the report: an instance, its module, what runs it (`cycle` or `event`) and why."""

    path: str
    module: str
    engine: str
    reason: Reason


@dataclass(slots=True, eq=False)
class BuiltRegion:
    """Hold a region and its first state; `stub` stands for the module in the design that runs as events.

    The signals that `graph` names are for people; `key` stands for the graph in the code cache. `state` is what
    declarations leave, `changed` what initial procedures make of it: `changes` has the places of the bytes that differ,
    in pairs (offset, size). `images` are the files that these procedures load memories from, `said` is what the tasks
    print of that.
    """

    stub: Module
    region: Region
    graph: ConeGraph
    shape: RegionShape
    key: str
    state: StateArray
    changes: NDArray[np.uint64]
    changed: StateArray
    images: tuple[str, ...] = ()
    said: bytes = b""


@dataclass(slots=True, eq=False)
class MixedDesign:
    """Hold the design that the event engine runs, the regions by their stubs, and the report."""

    design: Design
    regions: dict[Module, BuiltRegion] = field(default_factory=dict[Module, BuiltRegion])
    parts: list[Part] = field(default_factory=list[Part])

    def images(self) -> list[str]:
        """Return the files that memories of regions have been loaded from."""
        return list(dict.fromkeys(path for built in self.regions.values() for path in built.images))


def unmixed(design: Design, text: str) -> MixedDesign:
    """Return a design without regions; `text` says why."""
    mixed = MixedDesign(design)
    for name, module in design.tops:
        mixed.parts.append(Part(name, module.name, "event", Reason(text)))
    return mixed
