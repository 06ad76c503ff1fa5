"""Measure memories that lanes share until they write to them: `python bench/share_memories.py --device cuda`.

PicoRV32 with its 64 KiB of RAM runs the program of `bench/lane_firmware.py`, with a seed of its own in each lane, once
with private memories and once with shared ones: cycles of all lanes in a second of wall clock, after a run that
compiles, and the bytes of both. A number of lanes that private memories have no room for follows (`--many`). `--soc`
takes the computer with 16 KiB of `bench/batch.py`.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.batch import compile_single, find_design, load, reset  # noqa: E402
from weft import UserError  # noqa: E402
from weft.ir.lane_pages import PAGE_BYTES  # noqa: E402


def measure(name: str, lanes: int, device: str, cycles: int, shares: bool) -> Any:
    """Run a batch, print its rate and memory, and return it."""
    gc.collect()  # the batch before is gone then
    design = find_design(name)
    single = compile_single(design)
    load(single, name, 0)
    try:
        batch = single.batch(lanes, device, messages="count", share_memories=shares)
        load(batch, name, lanes)
        reset(batch, design)
        batch.run_cycles(cycles)
        began = time.perf_counter()
        batch.run_cycles(cycles)
        rate = lanes * cycles / (time.perf_counter() - began)
    except UserError as error:
        print(f"{name}, {lanes:,} lanes, {'shared' if shares else 'private'}: {error.message}", flush=True)
        return None
    pages, held = batch.state.pages, batch.layout.size
    if pages is not None:
        held = sum(pages.sizes())
    used = f", {pages.used() * PAGE_BYTES / lanes / 1024:.2f} KiB of pages a lane" if pages is not None else ""
    print(
        f"{name}, {lanes:,} lanes, {'shared' if shares else 'private'}: {rate / 1e9:.3f} G cycles/s,"
        f" {held / 2**30:.2f} GiB{used}; {'; '.join(batch.kernel_report()) or 'CPU'}",
        flush=True,
    )
    return batch


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--lanes", type=int, default=262_144)
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--cycles", type=int, default=20_000)
    parser.add_argument("--soc", action="store_true")
    options = parser.parse_args()
    name = "picorv32_soc" if options.soc else "picorv32"
    for shares in (False, True, False, True):
        measure(name, options.lanes, options.device, options.cycles, shares)
    if options.many:
        for shares in (False, True):
            measure(name, options.many, options.device, options.cycles, shares)


if __name__ == "__main__":
    main()
