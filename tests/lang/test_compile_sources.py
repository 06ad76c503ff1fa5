import re
from pathlib import Path

import pytest

from lang.compile_text import load
from weft.base.errors import Unsupported, UserError
from weft.ir.design import Const
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions


def error_of(text: str, *arguments: str, **options) -> UserError:
    with pytest.raises(UserError) as caught:
        load(text, *arguments, **options)
    return caught.value


def test_syntax_error_shows_the_place():
    error = error_of("module top(input a);\n  wire b = a\nendmodule\n")
    assert error.code == "source-errors"
    assert str(error) == (
        "error: the source has errors\nt.sv:2:13: error: expected ';'\n  wire b = a\n            ^ [source-errors]"
    )


def test_all_errors_are_shown():
    error = error_of("module top;\n  assign x.y = 1;\n  other u();\n  initial foo(3);\nendmodule\n")
    assert re.findall(r"t.sv:(\d+):\d+: error: (.*)", str(error)) == [
        ("2", "use of undeclared identifier 'x'"),
        ("3", "unknown module 'other'"),
        ("4", "use of undeclared identifier 'foo'"),
    ]


def test_unsupported_construct_shows_the_place():
    with pytest.raises(Unsupported) as caught:
        load("module top;\n  initial randsequence (m) m : n(x); n(output x) : {}; endsequence\n  int x;\nendmodule\n")
    assert str(caught.value) == (
        "t.sv:2:40: error: an argument of a production that is 'output' is not supported yet [unsupported]\n"
        "  initial randsequence (m) m : n(x); n(output x) : {}; endsequence\n"
        "                                       ^" + "~" * 7
    )


def test_assertions_can_be_left_out():
    text = """module top(input clk, a);
      default clocking cb @(posedge clk); endclocking
      property follows; @(posedge clk) a |=> a; endproperty
      assert property (follows);
      cover property (@(posedge clk) a);
      always @(posedge clk) begin assert property (a); end
    endmodule"""
    assert len(load(text, "-Wnone").modules[0].processes) > 3
    (process,) = load(text, "-Wnone", assertions="off").modules[0].processes
    assert process.body.body == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("checker c(a); rand bit v; endchecker module top(input a); c u(a); endmodule", "a free variable of a checker"),
        ("checker c(a); endchecker module t(input a, b); always @(posedge b) x: c y(a); endmodule", "a checker"),
        (
            "checker c(event e = $inferred_clock); assert property (@e 1); endchecker module t; c y(); endmodule",
            "'.inferred_clock' without a default clocking block of the module",
        ),
    ],
)
def test_declarations_that_are_not_supported(text: str, what: str):
    with pytest.raises(Unsupported, match=f"{what} is not supported yet"):
        load(text, "-Wnone")


def test_unknown_top_suggests_near_names():
    text = "module counter; endmodule\nmodule timer; endmodule\n"
    error = error_of(text, top=("conter",))
    assert (error.code, str(error)) == (
        "no-top",
        "error: no module is called 'conter'; did you mean counter? the sources have counter, timer [no-top]",
    )


def test_sources_without_modules_have_no_top():
    error = error_of("package p; endpackage\n")
    assert (error.code, error.message) == ("no-top", "there is no top module; the sources have no modules")


def test_errors_come_before_a_missing_top():
    assert error_of("module top(input a; endmodule\n").code == "source-errors"
    assert error_of("modul top; endmodule\n").code == "source-errors"


def test_every_module_that_nothing_instantiates_is_a_top():
    text = "module a; endmodule module b; c u(); endmodule module c; endmodule"
    assert [name for name, _ in load(text).tops] == ["a", "b"]
    assert [name for name, _ in load(text, top=("c", "a")).tops] == ["a", "c"]


def test_missing_files(tmp_path: Path):
    with pytest.raises(UserError) as caught:
        load_design([tmp_path / "none.sv"])
    assert caught.value.code == "no-such-file" and "none.sv" in str(caught.value)
    with pytest.raises(UserError) as caught:
        load_design([], FrontEndOptions(arguments=("-f", str(tmp_path / "none.f"))))
    assert caught.value.code == "no-such-file" and "none.f" in str(caught.value)
    with pytest.raises(UserError) as caught:
        load_design([])
    assert caught.value.code == "no-such-file"


def test_missing_include_shows_the_place():
    error = error_of('`include "none.svh"\nmodule top; endmodule\n')
    assert error.code == "source-errors"
    assert "t.sv:1:10: error: 'none.svh': No such file or directory" in str(error)


def test_unknown_option():
    error = error_of("module top; endmodule", "--bogus")
    assert (error.code, error.message) == ("bad-option", "unknown command line argument '--bogus'")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WIDHT", "no top module has a parameter 'WIDHT'; did you mean WIDTH?"),
        ("x", "no top module has a parameter 'x'; there are DEPTH, WIDTH"),
        ("INNER", "no top module has a parameter 'INNER'; there are DEPTH, WIDTH"),
    ],
)
def test_unknown_parameter(name: str, message: str):
    text = "module top #(WIDTH = 1, DEPTH = 2); localparam INNER = 3; endmodule\n"
    error = error_of(text, parameters={name: 3})
    assert (error.code, error.message) == ("bad-option", message)


def test_parameters_of_a_top_by_path():
    text = "module a #(W = 1); endmodule module b #(W = 1); endmodule\n"
    found = load(text, parameters={"b.W": 5}).tops
    assert [top.parameters["W"] for _, top in found] == ["1", "5"]


def test_warnings_are_returned_not_printed(capfd: pytest.CaptureFixture[str]):
    design = load("module top(input [3:0] a, output [1:0] y); assign y = a; endmodule\n", "-Wconversion")
    assert any("t.sv:1:55: warning: implicit conversion" in warning for warning in design.warnings)
    assert capfd.readouterr() == ("", "")


def test_later_declarations_hide_no_outer_ones():
    """A name means what is declared above it (IEEE 1800-2023 23.9); only where nothing is, what comes later."""
    text = """typedef enum logic [1:0] {VALUE = 1} outer_t;
    module top(input a, output y, output [1:0] p, q);
      localparam first = VALUE;
      typedef enum logic [1:0] {VALUE = 2} inner_t;
      localparam second = VALUE;
      assign p = first, q = second;
      EARLY
    endmodule\n"""
    design = load(text.replace("EARLY", "assign y = a;"))
    assert [assign.rhs for assign in design.modules[0].assigns[:2]] == [Const(2, 1), Const(2, 2)]
    design = load(text.replace("EARLY", "assign y = later; wire later = a;").replace("VALUE = 2", "OTHER = 2"))
    assert [assign.rhs for assign in design.modules[0].assigns[:2]] == [Const(2, 1), Const(2, 1)]


def test_many_errors_stay_errors():
    early = "".join(f"assign a{i} = b{i}; wire b{i} = 0; wire a{i};\n" for i in range(30))
    wrong = "".join(f"assign c{i} = nowhere{i};\n" for i in range(30))
    assert load(f"module top; {early} endmodule\n").tops
    for text in (wrong, early + wrong, early + "assign x = nowhere1;"):
        assert "'nowhere1'" in error_of(f"module top; {text} endmodule\n").message


@pytest.mark.parametrize("constant", ["localparam N = f(2);", "logic [f(2):0] w;", "if (f(2) > 1) wire w;"])
def test_static_variables_of_constant_functions(constant: str):
    """Every call must find the initial value (IEEE 1800-2023 13.4.3)."""
    function = "function int f(int a); static int sum = 1; sum += a; return sum; endfunction"
    text = f"module top; {function} {constant} endmodule\n"
    assert load(text).tops
    with pytest.raises(Unsupported, match=r"(?s)t.sv:1:\d+.*static variable in a constant function.*\^"):
        load(text.replace("sum", "\\a+b "))
    assert load(f"module top(output int y); {function} always_comb y = f(2); endmodule\n")


def test_warnings_can_be_errors():
    text = "module top(input [3:0] a, output [1:0] y); assign y = a; endmodule\n"
    assert error_of(text, "-Wconversion", "-Werror").code == "source-errors"


def test_latin_1_files_are_read(tmp_path: Path):
    path = tmp_path / "latin.sv"
    path.write_bytes(b"// gr\xfc\xdfe\nmodule top(input a, output y); /* \xe9t\xe9 s */ assign y = ~a; endmodule\n")
    design = load_design([path], FrontEndOptions(warnings=("-Wnone",)))
    assert design.sources.describe(design.modules[0].assigns[0].span).endswith("latin.sv:2:51")


def test_errors_in_latin_1_files_are_shown(tmp_path: Path):
    path = tmp_path / "latin.sv"
    path.write_bytes(b"module top(input a, output y); /* \xe9t\xe9 s */ assign y = ~b; endmodule\n")
    with pytest.raises(UserError, match="use of undeclared identifier 'b'"):
        load_design([path], FrontEndOptions(warnings=("-Wnone",)))


def test_digest_follows_texts_and_options():
    text = "module top(input a); endmodule\n"
    digest = load(text).digest
    assert load(text).digest == digest
    assert load(text.replace("a", "b", 1)).digest != digest
    assert load(text, defines={"X": 1}).digest != digest


def test_digest_follows_included_files(tmp_path: Path):
    (tmp_path / "width.svh").write_text("`define WIDTH 3\n")
    text = '`include "width.svh"\nmodule top(input [`WIDTH:0] a); endmodule\n'
    before = load(text, include_dirs=(str(tmp_path),))
    assert before.tops[0][1].ports[0].signal.width == 4
    (tmp_path / "width.svh").write_text("`define WIDTH 4\n")
    after = load(text, include_dirs=(str(tmp_path),))
    assert after.tops[0][1].ports[0].signal.width == 5
    assert before.digest != after.digest


def test_verilog_files_may_use_keywords_of_systemverilog_as_names(tmp_path: Path):
    (tmp_path / "t.v").write_text("module t; reg bit; task expect; bit = 1; endtask initial expect; endmodule")
    (tmp_path / "u.sv").write_text("module u; bit expected; endmodule")
    design = load_design([tmp_path / "t.v", tmp_path / "u.sv"])
    assert sorted(signal.name for module in design.modules for signal in module.signals) == ["bit", "expected"]
    words = FrontEndOptions(arguments=(str(tmp_path / "t.v"),))
    assert [module.name for module in load_design(options=words).modules] == ["t"]
    (tmp_path / "t.sv").write_text((tmp_path / "t.v").read_text())
    with pytest.raises(UserError, match="the source has errors"):
        load_design([tmp_path / "t.sv"])
    (tmp_path / "t.v").write_text("module t; reg bit; initial missing = 1; endmodule")
    with pytest.raises(UserError, match="expected a declaration name"):
        load_design([tmp_path / "t.v"])
