"""Messages that are compiled print what the general way prints, and those that cannot be go that way."""

import io
import textwrap
from pathlib import Path

import pytest

from weft.engines.event.elaborate import Node
from weft.engines.event.host_sites import HostSite
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_messages import EventMessages
from weft.sim.event_simulation import EventOptions, EventSimulation

BENCH = """
    `timescale 1ns/1ps
    module part #(parameter N = 3) (input [7:0] v);
      initial begin #1; $display("%m %0d %t", v, $time); #N $write("%h;", v); $display; end
    endmodule
    module t;
      reg [7:0] a; reg signed [7:0] b; reg [99:0] wide; integer file, i; reg bit_; time when_; reg [39:0] text;
      enum {RED, GREEN} colour; struct packed {logic [3:0] x, y;} pair; string s = "s"; real r = 1.5; wire w = bit_;
      part #(3) p1(a); part #(4) p2(b);
      initial begin
        file = $fopen("out.txt");
        a = 200; b = -56; wide = {25{4'hA}}; bit_ = 1; when_ = 12; text = "abc"; colour = GREEN; pair = 8'h5C;
        for (i = 0; i < 3; i = i + 1) begin
          $display("%d|%0d|%5d|%h|%0h|%b|%o|%c|%s|%t|%5t", a, a, a, a, a, a, a, a, a, a, a);
          $display("%d|%0d|%-5d|%3d|%05d|%h|%x|%X|%0b|%e|%v", b, b, b, b, b, b, b, b, b, b, b);
          $display("%d|%0d|%h|%b|%s|%0s|%10s", wide, wide, wide, wide, text, text, text);
          $display(a, b,, "x%%%m", wide); $displayh(a, b); $displayb(a); $displayo(a); $write(a, "\\n");
          $display("%d %s %f %p %p", a, s, r, colour, pair); $display("%0d %h", colour, pair); $display("%v", w);
          $fdisplay(file, "%0d %h", a, wide); $fwrite(file | 1, "%d\\n", b); $fdisplay(1, "%b", bit_);
          $display("%c|%c|%c", a, b, text); $fflush; $fflush();
          $strobe("strobe %0d", i); #1;
          if (i == 0) begin a = 8'bx1; b = 8'bz; wide = {100{1'bx}}; end
          if (i == 1) begin a = 1; b = 1; wide = 1; $timeformat(-9, 2, " ns", 12); end
        end
        $fclose(file); $fdisplay(file, "%d", a); $display("%% %d", a);
        $display("caf\\351 %0d", a);
      end
    endmodule
"""


def run(monkeypatch, compiled):
    out = io.BytesIO()
    with monkeypatch.context() as patch:
        if not compiled:
            patch.setattr(EventMessages, "show", lambda *arguments: False)
        simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(BENCH)}), out)
        simulation.run()
    return out.getvalue(), simulation.messages


def test_compiled_messages_print_the_same(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    want, _ = run(monkeypatch, compiled=False)
    files = (tmp_path / "out.txt").read_bytes()
    got, messages = run(monkeypatch, compiled=True)
    assert got == want and (tmp_path / "out.txt").read_bytes() == files
    assert want.count(b"\n") == 52 and files.count(b"\n") == 6
    kept = [found is not None for found in messages._known.values()]
    assert kept.count(True) > 15 and kept.count(False) > 3


@pytest.mark.parametrize("text", ['"%m"', '"%0d", a'])
def test_instances_have_messages_of_their_own(text):
    out = io.BytesIO()
    part = f"module part(input [7:0] a); initial #1 $display({text}); endmodule\n"
    top = "module t; part p(8'd3), q(8'd4); endmodule\n"
    EventSimulation(load_design(texts={"t.sv": part + top}), out).run()
    assert out.getvalue() == (b"t.p\nt.q\n" if "m" in text else b"3\n4\n")


def test_flushing_all_files_is_a_call_only_when_something_may_have_been_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
    module t;
      integer f, g; reg [7:0] c;
      initial begin
        $fflush; repeat (3) begin $write("a"); $fflush; $fflush(); end
        f = $fopen("log.txt", "w"); $fwrite(f, "bc"); $fflush();
        g = $fopen("log.txt", "r"); c = $fgetc(g); $display("%c", c); $fflush;
      end
    endmodule
    """
    monkeypatch.chdir(tmp_path)
    called: list[str] = []
    usual = EventMessages.show

    def show(self: EventMessages, site: HostSite, buffer: int, node: Node) -> bool:
        called.append(site.name)
        return usual(self, site, buffer, node)

    monkeypatch.setattr(EventMessages, "show", show)
    out = io.BytesIO()
    EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out).run()
    assert out.getvalue() == b"aaab\n"
    assert called.count("$fflush") == 5 and called[:6] == ["$write", "$fflush"] * 3


class Flushed(io.BytesIO):
    """Note what has been written at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[bytes] = []

    def flush(self) -> None:
        self.shown.append(self.getvalue())


@pytest.mark.parametrize("engine", ["event", "auto"])
def test_standard_output_is_flushed_by_its_descriptors(engine: str) -> None:
    """Flush it without an argument, by its file descriptor and by bit 0 of a multichannel descriptor (21.3.6)."""
    text = """module t; int f = 32'h8000_0001; initial begin
      $write("a"); $fflush; $write("b"); $fflush(32'h8000_0001); $fdisplay(1, "c"); $fflush(1);
      $fwrite(f, "d"); $fflush(32'h8000_0002); $fflush(f); $write("e"); end endmodule"""
    out = Flushed()
    EventSimulation(load_design(texts={"t.sv": text}), out, EventOptions(engine=engine)).run()
    assert [shown for shown in out.shown if shown] == [b"a", b"ab", b"abc\n", b"abc\nd"]
