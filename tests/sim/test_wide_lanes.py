"""Products and quotients of many words in lanes: loops over limbs, against plain simulations."""

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft.engines.cpu.lane_engine import CpuDevice
from weft.engines.lanes.shape import Shape

SOURCE = """
module top(input logic clk, input logic [31:0] seed, output logic [1099:0] product, output logic [199:0] quotient,
           output logic [199:0] rest, output logic signed [258:0] ratio, output logic signed [258:0] left,
           output logic [9:0] some);
  logic [1099:0] a = 3;
  logic [199:0] x = 200'h123456789abcdef0123456789abcdef0123456789abcdef;
  logic [199:0] y = 7;
  always_ff @(posedge clk) begin
    a <= {a, a[31:0] ^ seed, seed} ^ (a >> 300);
    x <= {x, seed} + x;
    y <= y[5:0] == 3 ? 200'd0 : y[3:0] == 1 ? x >> 9 : {y, seed[4:0]};
    if (seed[0]) product <= a * (product + a + 1);
    quotient <= x / y;
    rest <= x % y;
    ratio <= $signed({x, 59'h7}) / $signed({{59{y[199]}}, y});
    left <= $signed({x, 59'h7}) % $signed({{59{y[199]}}, y});
    some <= (x / (y | 5)) >> 61;
  end
endmodule
"""
LANES = 9


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.mark.parametrize("device", ["avx2", "avx512", "cuda"])
def test_lanes_agree_with_simulations(device, monkeypatch):
    from weft.sim import make_batch

    if device == "cuda":
        use_host_gpu(monkeypatch, HostGpu(), threads=32)
    else:
        shape = Shape(8, 8, 32) if device == "avx2" else Shape(32, 16, 8)
        monkeypatch.setattr(make_batch, "choose_device", lambda *given: CpuDevice(shape, threads=1))
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    batch = sim.batch(LANES, "cuda")
    seeds = np.arange(LANES, dtype=np.uint32) * 0x9E3779B1 + 1
    batch["seed"] = seeds
    singles = []
    for lane in range(LANES):
        alone = batch.lane(lane)
        singles.append(alone)
    for cycles in (1, 30, 25):
        batch.run_cycles(cycles)
        for lane, single in enumerate(singles):
            single.run_cycles(cycles)
            assert single.checkpoint().state == batch.lane(lane).checkpoint().state, (cycles, lane)
