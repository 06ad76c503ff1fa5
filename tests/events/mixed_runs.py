"""Run testbenches for tests with regions of every size, beside events alone."""

from __future__ import annotations

import io
import textwrap

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation

MACHINE = """
    module machine(input clk, output reg [15:0] sum);
      reg [2:0] state = 0;
      reg [15:0] lfsr = 1, a = 3, b = 5;
      always @(posedge clk) begin
        lfsr <= {lfsr[14:0], lfsr[15] ^ lfsr[13] ^ lfsr[12] ^ lfsr[10]};
        case (state)
          0: begin a <= a + lfsr; state <= 1; end
          1: begin b <= b * 3 + a; state <= lfsr[0] ? 2 : 1; end
          2: begin sum <= a * b ^ lfsr; state <= &lfsr[3:0] ? 3 : 0; end
          3: begin a <= a - (b >> 2); b <= {b[7:0], b[15:8]}; state <= lfsr[5] ? 4 : 3; end
          default: begin sum <= sum + a; state <= 0; end
        endcase
      end
      initial sum = 0;
    endmodule
"""
"""A module that is mostly in one of a few situations."""

MIXED = EventOptions(engine="auto", region_worth=0)


def simulate(text: str, options: EventOptions) -> tuple[str, EventSimulation]:
    out = io.BytesIO()
    simulation = EventSimulation(load_design(texts={"t.sv": textwrap.dedent(text)}), out, options)
    assert simulation.run() == 0
    return out.getvalue().decode("latin-1"), simulation


def both(text: str) -> tuple[str, EventSimulation]:
    """Return what a testbench prints with regions, after a look that it prints the same without."""
    printed, simulation = simulate(text, MIXED)
    assert printed == simulate(text, EventOptions())[0]
    return printed, simulation


def regions(simulation: EventSimulation) -> list[str]:
    return [part.path for part in simulation.mixed.parts if part.engine == "cycle"]
