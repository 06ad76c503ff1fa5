"""Bad input to event simulation: the standard's meaning, or one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.run_events import run_events
from weft.base.errors import Unsupported, UserError


def test_division_by_zero_is_unknown() -> None:
    text = """
        module t; reg [7:0] a = 8, b = 0; reg signed [70:0] c = -5, d = 0; int e = 7, z = 0;
          initial begin $display("%d %d %b %0d", a / b, a % b, (c / d) === 71'bx, e / z); $display("%b", 1 / b); end
        endmodule
        """
    assert run_events(text)[0] == "  x   x 1 x\n" + "x" * 32 + "\n"


def test_selects_outside_read_x_and_write_nothing() -> None:
    text = """
        module t; reg [7:0] a = 8'h5a; reg [7:0] m [0:3]; integer i = 9; logic [3:0] u = 4'bx;
          initial begin
            m[0] = 1; m[3] = 3;
            a[i] = 1; m[i] = 5; a[u] = 1; m[u] = 7; a[i +: 2] = 0; a[6 +: 4] = 4'b0110;
            $display("%b %b %b %b %b %h", a, a[i], m[i], a[u], a[6 +: 4], m[3]);
          end
        endmodule
        """
    assert run_events(text)[0] == "10011010 x xxxxxxxx x xx10 03\n"


@pytest.mark.parametrize(
    "body",
    [
        "function automatic int f(int n); return f(n + 1) + 1; endfunction initial $display(f(0));",
        "task automatic g(int n); g(n + 1); endtask initial g(0);",
    ],
)
def test_endless_recursion_is_told_with_its_place(body: str) -> None:
    with pytest.raises(UserError) as error:
        run_events(f"module t; {body} endmodule")
    assert error.value.code == "recursion"
    assert "^" in error.value.render()


def test_using_a_null_virtual_interface_is_told_with_its_place() -> None:
    text = "interface bus; int n; endinterface module t; bus b(); virtual bus v; initial v.n = 1; endmodule"
    with pytest.raises(UserError) as error:
        run_events(text)
    assert error.value.render().splitlines() == [
        "t.sv:1:78: error: a null handle is used here [null-handle]",
        text,
        " " * 77 + "^",
    ]


def test_a_target_inside_an_expression_that_a_virtual_interface_chooses_is_refused() -> None:
    text = "interface bus; int n; endinterface module t; bus b(); virtual bus v; int k; initial k = v.n++; endmodule"
    with pytest.raises(Unsupported) as error:
        run_events(text)
    assert error.value.render().splitlines()[0] == (
        "t.sv:1:89: error: a target here that a virtual interface chooses is not supported yet [unsupported]"
    )


def test_a_missing_memory_image_is_a_message(tmp_path: Path) -> None:
    text = f"""
        module t; reg [7:0] m [0:3];
          initial begin $readmemh("{tmp_path}/no.hex", m); $display("on %h", m[0]); end
        endmodule
        """
    out = run_events(text)[0].splitlines()
    assert len(out) == 2
    assert "t.sv:3" in out[0]
    assert "no.hex" in out[0]
    assert out[1] == "on xx"


def test_a_malformed_memory_image_is_told_with_its_line(tmp_path: Path) -> None:
    image = tmp_path / "m.hex"
    image.write_text("01\n02\nzq\n")
    text = f'module t; reg [7:0] m [0:3]; initial $readmemh("{image}", m); endmodule'
    try:
        shown = run_events(text)[0]
    except UserError as error:
        shown = error.message
    assert "m.hex" in shown


@pytest.mark.parametrize("task", ['$display("%q", 1)', '$display("%d %d", 1)', '$display("%")'])
def test_a_malformed_format_is_no_crash(task: str) -> None:
    try:
        shown = run_events(f'module t; initial begin {task}; $display("on"); end endmodule')[0]
    except UserError as error:
        assert error.code == "source-errors"
        assert "^" in error.message
    else:
        assert shown.splitlines()[-1] == "on"


def test_a_file_that_cannot_be_opened_is_0() -> None:
    text = 'module t; integer f; initial begin f = $fopen("/no/such/file", "r"); $display("%0d", f); end endmodule'
    assert run_events(text)[0].splitlines()[-1] == "0"


def test_writing_to_a_closed_file_is_a_message(tmp_path: Path) -> None:
    text = f"""
        module t; integer f;
          initial begin f = $fopen("{tmp_path}/f"); $fclose(f); $fdisplay(f, "x"); $display("on"); end
        endmodule
        """
    assert run_events(text)[0].splitlines()[-1] == "on"
