"""The front end reads real processors, each in a fraction of a second of its own work."""

from __future__ import annotations

import pytest

from lang.cores import CORES
from weft.lang.sv.compile_sources import load_design


@pytest.mark.parametrize(
    ("name", "modules", "instances"),
    [
        ("picorv32", 3, 3),
        ("serv", 21, 21),
        ("vexriscv", 3, 3),
        ("ibex", 32, 41),
        ("cva6", 79, 374),
        ("rocket", 203, 443),
    ],
)
def test_core_becomes_a_design(name: str, modules: int, instances: int) -> None:
    core = CORES[name]()
    design = load_design(core.files, core.options)
    assert len(design.modules) == modules
    assert _count(design.tops[0][1]) == instances
    for module in design.modules:
        for instance in module.instances:
            assert len(instance.connections) == len(instance.module.ports)


def _count(module) -> int:
    return 1 + sum(_count(instance.module) for instance in module.instances)
