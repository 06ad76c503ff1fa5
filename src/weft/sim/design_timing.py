"""What the specify blocks of a design became, so that delay files can change it."""

from __future__ import annotations

from dataclasses import dataclass, field

from weft.ir.design import Design, Module
from weft.passes.insert_path_delays import PathTable, insert_path_delays
from weft.passes.insert_timing_checks import CheckLimits, insert_timing_checks


@dataclass(slots=True)
class DesignTiming:
    """Hold the delay tables and limits of each module."""

    tables: dict[Module, list[PathTable]] = field(default_factory=dict[Module, list[PathTable]])
    limits: dict[Module, list[CheckLimits]] = field(default_factory=dict[Module, list[CheckLimits]])


def insert_timing(design: Design) -> DesignTiming:
    """Turn the paths and checks of all modules into assignments and processes. The design is changed."""
    timing = DesignTiming()
    for module in dict.fromkeys([*design.modules, *(module for _, module in design.tops)]):
        timing.limits[module] = insert_timing_checks(module, design.tick_fs)
        timing.tables[module] = insert_path_delays(module, design.tick_fs)
    return timing
