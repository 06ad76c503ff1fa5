"""Every option reaches slang and means there what its users know."""

from pathlib import Path

import pytest

from lang.compile_text import load, module
from weft.base.errors import UserError
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder"
    (folder / "lib").mkdir(parents=True)
    (folder / "inc").mkdir()
    (folder / "inc" / "size.svh").write_text("`define SIZE 5\n")
    (folder / "lib" / "gadget.v").write_text("module gadget(input a); endmodule\n")
    (folder / "lib" / "other.sv").write_text("module other(input a); endmodule\nmodule unused; endmodule\n")
    (folder / "top.sv").write_text(
        '`include "size.svh"\nmodule top #(W = 1, string S = "")(input [W-1:0] a, input [`SIZE-1:0] b);\n'
        "  gadget c(a[0]);\n  other o(a[0]);\nendmodule\n"
    )
    return folder


def test_folders_and_parameters(project: Path):
    design = load_design(
        [project / "top.sv"],
        FrontEndOptions(
            include_dirs=(str(project / "inc"),),
            library_dirs=(str(project / "lib"),),
            library_extensions=(".v", ".sv"),
            parameters={"W": 3, "S": '"a b"'},
        ),
    )
    top = design.tops[0][1]
    assert [port.signal.width for port in top.ports] == [3, 5]
    assert top.parameters["S"] == '"a b"'
    assert sorted(found.name for found in design.modules) == ["gadget", "other", "top"]


def test_library_files_do_not_become_tops(project: Path):
    options = FrontEndOptions(
        include_dirs=(str(project / "inc"),),
        library_files=(str(project / "lib" / "gadget.v"), str(project / "lib" / "other.sv")),
    )
    assert [name for name, _ in load_design([project / "top.sv"], options).tops] == ["top"]


def test_file_lists(project: Path):
    (project / "all.f").write_text("top.sv // the top\nlib/gadget.v\n+incdir+inc\n-v lib/other.sv\n+define+X=3\n")
    design = load_design(options=FrontEndOptions(arguments=("-F", str(project / "all.f"))))
    assert [name for name, _ in design.tops] == ["top"]


def test_file_lists_belong_to_what_was_read(project: Path):
    (project / "inner.f").write_text("+define+X=3\n")
    (project / "all.f").write_text("-F inner.f\ntop.sv -v lib/gadget.v -v lib/other.sv\n+incdir+inc\n")
    options = FrontEndOptions(arguments=("-F", str(project / "all.f")))
    before = load_design(options=options)
    assert {Path(path).name for path in before.files} == {
        "all.f",
        "inner.f",
        "top.sv",
        "gadget.v",
        "other.sv",
        "size.svh",
    }
    (project / "inner.f").write_text("+define+X=4\n")
    assert load_design(options=options).digest != before.digest


def test_defines():
    text = "module top(input [`W-1:0] a);\n`ifdef B\n wire b;\n`endif\n`ifndef C\n wire c;\n`endif\nendmodule\n"
    top = load(text, "-U", "C", defines={"W": "2 + 2", "B": None}).tops[0][1]
    assert [(signal.name, signal.width) for signal in top.signals] == [("a", 4), ("b", 1), ("c", 1)]


def test_timescale():
    design = load("module top; endmodule", timescale="1us/10ns")
    assert module(design, "top").time_unit_fs == 10**9


def test_standard():
    text = "module top; reg logic; endmodule"
    assert load_design(texts={"t.v": text}, options=FrontEndOptions(arguments=("--std=1364-2005",))).tops


def test_relaxations_let_common_code_through():
    load(
        """module top(input [1:0] a, output logic y, output [3:0] z);
          typedef enum logic [1:0] {A, B} state;
          state s;
          assign s = a;
          assign early = a[0];
          assign y = later;
          wire later = a[1];
          if (1) wire nested = a[0];
          assign z[1:0] = {2{genblk1.nested}};
          localparam N = 2;
          if (N > 4) assign z[3] = a[N];
        endmodule"""
    )


@pytest.mark.parametrize("word", ["--max-parse-depth=2000", "--allow-use-before-declare", "-Werror=index-oob"])
def test_what_is_set_already_can_be_set_again(word: str):
    assert load("module top; endmodule", word).tops


def test_selects_out_of_range_can_be_errors_again():
    with pytest.raises(UserError, match="index-oob"):
        load("module top(input [3:0] a, output y); assign y = a[4]; endmodule", warnings=("-Werror=index-oob",))


DEPTH = 4000


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(["a"] * DEPTH),
        " : ".join(f"a == {i} ? 16'd{i}" for i in range(DEPTH)) + " : 0",
        "(" * DEPTH + "a" + ")" * DEPTH,
    ],
)
def test_deep_expressions(text: str):
    assert load(f"module top(input [15:0] a, output [15:0] y); assign y = {text}; endmodule", "-Wnone").tops


def test_deeper_text_than_that_is_an_error():
    with pytest.raises(UserError, match="too deeply nested"):
        load(f"module top(input a, output y); assign y = {'(' * 6000}a{')' * 6000}; endmodule", "-Wnone")


def test_included_files_are_found_where_the_tool_runs(project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "deep").mkdir()
    (project / "deep" / "t.v").write_text('`include "inc/size.svh"\nmodule t; wire [`SIZE:0] w; endmodule\n')
    monkeypatch.chdir(project)
    assert load_design(["deep/t.v"]).modules[0].signals[0].width == 6


def test_bits_of_variables_may_be_forced():
    design = load("module t; reg [3:0] v; initial begin force v[1] = 1; release v[1]; end endmodule")
    assert any("bad-procedural-force" in warning for warning in design.warnings)
