"""The end of all programs is the end of the simulation."""

from __future__ import annotations

from weft.ir.design import Design
from weft.ir.print_design import print_design
from weft.lang.sv.compile_sources import load_design
from weft.passes.end_programs import end_programs

_TEXT = """
program p(input bit c); initial #1; initial @(c); final $display; endprogram
module t; bit c; p a(c), b(c); initial #1; endmodule
"""


def _design(text: str) -> Design:
    return load_design(texts={"t.sv": text})


def test_each_initial_procedure_of_each_program_counts_itself_out() -> None:
    design = _design(_TEXT)
    end_programs(design)
    name, counters = design.packages[-1]
    assert name == "$programs"
    assert print_design(design).count("$finish(") == 1
    assert counters.signals[0].initial is not None
    assert getattr(counters.signals[0].initial, "value", 0) == 4


def test_a_design_is_changed_once_and_only_for_programs() -> None:
    design = _design(_TEXT)
    end_programs(design)
    end_programs(design)
    assert print_design(design).count("$finish(") == 1
    plain = _design("module t; initial #1; endmodule")
    end_programs(plain)
    assert not plain.packages
