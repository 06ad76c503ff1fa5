"""The processes that let Python force signals."""

from weft.ir.design import Force, Release
from weft.lang.sv.compile_sources import load_design
from weft.passes.add_force_points import FORCES, add_force_points


def test_each_signal_gets_two_processes():
    design = load_design(texts={"t.v": "module u(input [3:0] a); endmodule module t; wire [3:0] w; u i(w); endmodule"})
    unit = design.tops[0][1].instances[0].module
    (point,) = add_force_points(design, [(("t", "i"), unit.signals[0])])
    name, module = design.packages[-1]
    assert name == FORCES and [signal.name for signal in module.signals] == ["value0", "begin0", "end0"]
    force, release = (process.body for process in module.processes)
    assert isinstance(force, Force) and isinstance(release, Release) and point.value.width == 4
    assert force.lhs.path == release.lhs.path == ("$root", "t", "i")
    assert module.time_precision_fs == design.tick_fs


def test_nothing_is_added_for_nothing():
    design = load_design(texts={"t.v": "module t; endmodule"})
    assert add_force_points(design, []) == [] and not design.packages
