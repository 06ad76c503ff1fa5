"""Delay files: their syntax, what they change, and what is said of those that are bad or match nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.run_timed import run_timed, write_sdf
from weft.base.errors import UserError
from weft.sim.run_plan import SdfFile
from weft.sim.sdf_file import name_parts, read_sdf_file

CELLS = """
    module buffer(input a, output y);
      assign y = a;
      specify (a => y) = 1; endspecify
    endmodule
    module dff(input c, d, en, output reg q);
      reg n;
      always @(posedge c) q <= d;
      specify
        (posedge c => (q +: d)) = 1;
        if (en) (d => q) = 1;
        ifnone (d => q) = 1;
        $setuphold(posedge c, d &&& en, 1, 1, n);
        $width(posedge c, 1);
      endspecify
    endmodule
    """

CHAIN = (
    CELLS
    + """
    module t;
      reg [1:0] a = 0; wire w, y, z;
      buffer \\b[0] (a[0], w);
      buffer b1(w, y);
      buffer b2(a[1], z);
      initial begin $monitor("%0t %b %b %b", $realtime, w, y, z); #20 a = 3; #20 a = 0; end
    endmodule
    """
)


def changes(*sdf: SdfFile, delays: str = "typ") -> list[str]:
    return [line for line in run_timed(CHAIN, *sdf, delays=delays) if "x" not in line]


def test_iopath_replaces_and_increments(tmp_path: Path) -> None:
    path = write_sdf(
        tmp_path,
        r"""
        (CELL (CELLTYPE "buffer") (INSTANCE b\[0\]) (DELAY (ABSOLUTE (IOPATH a y (2:3:4) (5:6:7)))))
        (CELL (CELLTYPE "buffer") (INSTANCE b1) (DELAY (INCREMENT (IOPATH a y (0.5) ()))))
        (CELL (CELLTYPE "buffer") (INSTANCE *) (DELAY (ABSOLUTE (DEVICE y (::9)))))
        """,
    )
    sdf = SdfFile(path)
    assert changes(sdf) == ["7000 0 0 0", "21000 0 0 1", "23000 1 0 1", "24500 1 1 1", "41000 1 1 0", "46000 0 1 0",
                            "47000 0 0 0"]  # fmt: skip
    assert changes(sdf, delays="min")[1:3] == ["21000 0 0 1", "22000 1 0 1"]
    assert changes(sdf, delays="max")[1:] == ["29000 1 0 1", "38000 1 1 1", "49000 0 1 0", "58000 0 0 0"]


def test_interconnections_delay_the_port_that_they_lead_to(tmp_path: Path) -> None:
    path = write_sdf(
        tmp_path,
        r"""
        (CELL (CELLTYPE "t") (INSTANCE)
          (DELAY (ABSOLUTE (INTERCONNECT b\[0\].y b1.a (2) (3)) (PORT b2.a (0.25)))))
        """,
    )
    found = changes(SdfFile(path, "t"))
    assert found[1:] == ["21000 1 0 0", "21250 1 0 1", "24000 1 1 1", "41000 0 1 1", "41250 0 1 0", "45000 0 0 0"]


def test_sdf_annotate_chooses_and_scales(tmp_path: Path) -> None:
    path = write_sdf(tmp_path, '(CELL (CELLTYPE "buffer") (INSTANCE u) (DELAY (ABSOLUTE (IOPATH a y (2:3:4)))))')
    text = (
        CELLS
        + f"""
        module m(input a, output y);
          buffer u(a, y);
        endmodule
        module t;
          reg a = 0; wire y;
          m i(a, y);
          initial begin
            $sdf_annotate("{path}", i, , , "MAXIMUM", "1:1:1.5", "FROM_TYPICAL");
            $sdf_annotate("{path}.no");
            #20 a = 1; @(y) $display("%0t", $realtime);
          end
        endmodule
        """
    )
    lines = run_timed(text)
    assert lines == [
        f'SDF WARNING: t.sv:26: Unable to open SDF file "{path}.no". Skipping this annotation.',
        "24500",
    ]


def test_conditions_edges_and_timing_checks_are_matched(tmp_path: Path) -> None:
    path = write_sdf(
        tmp_path,
        """
        (CELL (CELLTYPE "dff") (INSTANCE f)
          (DELAY (ABSOLUTE
            (IOPATH (posedge c) q (2))
            (COND en (IOPATH d q (3)))
            (CONDELSE (IOPATH d q (4)))))
          (TIMINGCHECK
            (SETUP d (posedge c) (3))
            (HOLD (COND en d) (posedge c) (4))
            (WIDTH (posedge c) (6))))
        """,
    )
    text = (
        CELLS
        + """
        module t;
          reg c = 0, d = 0, en = 1; wire q;
          dff f(c, d, en, q);
          initial begin #20 d = 1; #2 c = 1; #3 d = 0; #2 c = 0; end
          always @(q) $display("%0t %b", $realtime, q);
        endmodule
        """
    )
    assert [line.partition("t.f: ")[2] or line for line in run_timed(text, SdfFile(path))] == [
        "$setuphold(d &&& en at 20, posedge c at 22, limit 3)",
        "24000 1",
        "$setuphold(posedge c at 22, d &&& en at 25, limit 4)",
        "$width(posedge c at 22, negedge c at 27, limit 6)",
    ]


def test_what_matches_nothing_is_said_once(tmp_path: Path) -> None:
    path = write_sdf(
        tmp_path,
        """
        (CELL (CELLTYPE "buffer") (INSTANCE nowhere) (DELAY (ABSOLUTE (IOPATH a y (2)) (IOPATH y a (2)))))
        (CELL (CELLTYPE "dff") (INSTANCE b1) (DELAY (ABSOLUTE (IOPATH (negedge a) y (2)) (NETDELAY w (1)))
                                                    (PATHPULSE a y (1)))
          (TIMINGCHECK (HOLD a (posedge y) (1))))
        (CELL (CELLTYPE "t") (INSTANCE) (DELAY (ABSOLUTE (INTERCONNECT b1.y b2.zz (2)))))
        """,
    )
    said = [line.removeprefix("SDF ").replace(path, "f") for line in run_timed(CHAIN, SdfFile(path)) if "SDF" in line]
    assert said == [
        "WARNING: f:5: PATHPULSE not supported.",
        "ERROR: f:3: Unable to find nowhere in scope dff or t.",
        "ERROR: f:4: Module b1 in dff or t is not a dff; it is a buffer",
        "ERROR: f:4: Unable to match ModPath negedge a -> y in t.b1",
        "WARNING: f:4: NETDELAY not supported.",
        "ERROR: f:6: Unable to match HOLD a posedge y in t.b1",
        "ERROR: f:7: Unable to match INTERCONNECT to b2.zz in t",
    ]


BAD = [
    ("", "1: the file is empty"),
    ("module t; endmodule", "1: this is no SDF file"),
    ("(DELAYFILE\n(CELL", "2: this '(' has no ')'"),
    ("(DELAYFILE)\n)", "2: there is a ')' too many"),
    ("(DELAYFILE (TIMESCALE 2ns))", "1: a TIMESCALE is"),
    ("(DELAYFILE (DIVIDER ,))", "1: the DIVIDER is"),
    ("(DELAYFILE\n\n(CELLS))", "3: 'CELLS' does not belong"),
    ('(DELAYFILE (CELL (CELLTYPE "x") (INSTANCE)\n(DELAY (ABSOLUTE (IOPATH a y)))))', "2: IOPATH needs 2 ports"),
    ('(DELAYFILE (CELL (CELLTYPE "x") (INSTANCE)\n(DELAY (ABSOLUTE (IOPATH a y 1)))))', "2: '1' is no value"),
    ('(DELAYFILE (CELL (CELLTYPE "x") (INSTANCE)\n(DELAY (ABSOLUTE (IOPATH a y (1,5))))))', "2: '1,5' is no number"),
    ('(DELAYFILE (CELL (CELLTYPE "x") (INSTANCE)\n(DELAY (ABSOLUTE (IOPATH a y (1:2))))))', "2: '1:2' is no value"),
    ("(DELAYFILE (CELL (DELAY (ABSOLUTE (IOPATH a y (1)(2)(3)(4))))))", "1: IOPATH has 4 values"),
    ('(DELAYFILE (VERSION "1.0) )', "1: '\"' is not understood"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_malformed_file_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "d.sdf"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_sdf_file(str(path))
    assert error.value.code == "bad-sdf-file"
    assert error.value.message.startswith(f"{path}:{message}")


def test_a_scope_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no instance 't\.nowhere'"):
        run_timed(CHAIN, SdfFile(write_sdf(tmp_path, ""), "t.nowhere"))


def test_names_are_split_at_dividers() -> None:
    assert name_parts(r"a/b\/c\[0\]/d", "/") == ["a", "b/c[0]", "d"]
