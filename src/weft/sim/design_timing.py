"""What the specify blocks of a design became, so that delay files can change it."""

from __future__ import annotations

from collections.abc import Iterable

from weft.base.dataclass import dataclass, field
from weft.ir.design import Design, Module
from weft.passes.insert_path_delays import PathTable, insert_path_delays
from weft.passes.insert_port_delays import PortTable, insert_port_delay
from weft.passes.insert_timing_checks import CheckLimits, insert_timing_checks


@dataclass(slots=True)
class DesignTiming:
    """Hold the delay tables and limits of each module."""

    tables: dict[Module, list[PathTable]] = field(default_factory=dict[Module, list[PathTable]])
    limits: dict[Module, list[CheckLimits]] = field(default_factory=dict[Module, list[CheckLimits]])
    ports: dict[Module, list[PortTable]] = field(default_factory=dict[Module, list[PortTable]])


def insert_timing(design: Design, delayed_ports: Iterable[tuple[Module, str]] = ()) -> DesignTiming:
    """Turn paths, checks and the delays of the given ports into assignments and processes. The design is changed."""
    timing = DesignTiming()
    for module in dict.fromkeys([*design.modules, *(module for _, module in design.tops)]):
        timing.limits[module] = insert_timing_checks(module, design.tick_fs)
        timing.tables[module] = insert_path_delays(module, design.tick_fs)
    for module, name in dict.fromkeys(delayed_ports):
        port = next((port for port in module.ports if port.name.strip().removeprefix("\\") == name), None)
        if port is not None:
            timing.ports.setdefault(module, []).extend(insert_port_delay(module, port))
    return timing
