"""Lane programs and the digests of their texts are kept in the cache, and travel in archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from cuda_host import HostGpu, use_host_gpu
from weft.engines.cpu import lane_engine
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cuda import device as cuda
from weft.engines.lanes.kept_texts import find_digest, keep_digest
from weft.engines.lanes.shape import Shape
from weft.ir.lane_program import LaneProgram
from weft.passes import build_lane_program
from weft.sim.batch import Batch

SOURCE = """
module top(input logic clk, input logic rst, input logic [7:0] a, output logic [15:0] q);
  logic [15:0] mem [0:15];
  initial for (int i = 0; i < 16; i++) mem[i] = 100 * i;
  always_ff @(posedge clk) if (rst) q <= 0; else begin q <= q + a + mem[q[3:0]]; $display("%0d", q); end
endmodule
"""


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Begin with an empty cache; return what notes each program that is built."""
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    usual, seen = build_lane_program.build_lane_program, list[object]()

    def build(*args: object, **options: object) -> object:
        seen.append(options)
        return usual(*args, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(build_lane_program, "build_lane_program", build)
    return seen


def run(text: str = SOURCE, until: str = "", device: str = "cpu", **options: object) -> tuple[Batch, list[int]]:
    """Run a batch; return it, and a value of each lane."""
    sim = weft.compile(texts={"top.sv": text})
    batch = sim.batch(5, device, messages="count", **options)  # pyright: ignore[reportArgumentType]
    batch["rst"][:] = 1
    batch.run_cycles(2)
    batch["rst"][:] = 0
    batch["a"][:] = np.arange(5)
    if until:
        batch.run_until(until, max_cycles=30)
    else:
        batch.run_cycles(30)
    return batch, batch.peek("q").tolist()


def test_a_second_batch_builds_no_program(built: list[object]) -> None:
    first, expected = run()
    count = len(built)
    assert count == 2  # with a reset that may be active, and without
    second, found = run()
    assert found == expected
    assert len(built) == count
    assert second.program == first.program
    assert second.program is not first.program


@pytest.mark.parametrize("other", [{"private": ["mem"]}, {"until": "q > 1000"}, {"text": SOURCE.replace("100", "99")}])
def test_what_decides_a_program_is_in_its_key(built: list[object], other: dict[str, object]) -> None:
    plain = run()[1]
    before = len(built)
    first = run(**other)[1]  # pyright: ignore[reportArgumentType]
    after = len(built)
    assert after > before
    assert run(**other)[1] == first  # pyright: ignore[reportArgumentType]
    assert run()[1] == plain
    assert len(built) == after


def test_a_damaged_entry_is_built_again(built: list[object], tmp_path: Path) -> None:
    expected = run()[1]
    for path in (tmp_path / "cache" / "designs").rglob("*.design"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    built.clear()
    assert run()[1] == expected
    assert len(built) == 2


def test_programs_for_driven_inputs_are_built_each_time(built: list[object]) -> None:
    def driven() -> list[int]:
        batch = weft.compile(texts={"top.sv": SOURCE}).batch(5, "cpu", messages="count")
        batch.generate("a", "lane + cycle")
        batch.run_cycles(10)
        return batch.peek("q").tolist()

    expected = driven()
    built.clear()
    assert driven() == expected
    assert all(options["drive"] is not None for options in built if isinstance(options, dict))
    assert built


def test_an_archive_carries_programs(built: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "batch.weftar"
    with weft.archive.harvest(archive):
        expected = run()[1]
    assert sum(entry.label.kind == "program" for entry in weft.archive.entries(archive)) == 2
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "empty"))
    built.clear()
    with weft.archive.use(archive):
        assert run()[1] == expected
    assert not built


def test_a_second_batch_writes_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    first, expected = run()
    texts: list[str] = []
    usual = lane_engine.module_texts

    def write(program: LaneProgram, shape: Shape) -> list[str]:
        texts.extend(usual(program, shape))
        return texts[-1:]

    monkeypatch.setattr(lane_engine, "module_texts", write)
    assert run()[1] == expected
    assert not texts
    cache = ObjectCache()
    for program, kernel in first.kernels.values():
        assert isinstance(kernel, lane_engine.CpuLanes)
        assert find_digest(cache, program, kernel.shape)
        keep_digest(cache, program, "of another text", kernel.shape)
    assert run()[1] == expected
    assert len(texts) == 2


def test_a_second_batch_writes_no_text_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    use_host_gpu(monkeypatch, HostGpu())
    expected = run(device="cuda")[1]
    assert expected == run()[1]
    texts: list[str] = []
    for name in ("run_text", "settle_text"):
        usual = getattr(cuda, name)

        def write(program: LaneProgram, options: cuda.KernelOptions, usual: Any = usual) -> str:
            texts.append(usual(program, options))
            return texts[-1]

        monkeypatch.setattr(cuda, name, write)
    second, found = run(device="cuda")
    assert found == expected
    assert not texts
    keep_digest(ObjectCache(), second.program, "of another text", "lanes_settle", cuda.KernelOptions())
    assert run(device="cuda")[1] == expected
    assert len(texts) == 1
