"""The designs that tests and benchmarks run: which files, which top, which firmware. The only place that says so.

The processors come from PyPI (`pip install 'weft[designs]'`); the computers around them are in `examples/`. Every top
has the inputs `clk` and `reset` (active high), the output `hash`, a running hash of what the design does (see
`examples/common/hash_outputs.v`), and the outputs `text_valid`, `text_data` and `text_count`: what it wrote on its
console, which memory `monitor.text` also keeps.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COMMON = tuple(EXAMPLES / "common" / name for name in ("hash_outputs.v", "uart_transmitter.v", "uart_monitor.v"))


class MissingPackage(Exception):
    """Say which PyPI package a design needs and does not find."""


@dataclass(frozen=True, slots=True)
class Design:
    """Describe a design completely: its sources, and how long to run it.

    `unable` says, for a peer that cannot run it, why. `golden_cycles` is the length of the end-to-end test and
    `cycles` that of a benchmark run, both after `reset_cycles` cycles of reset. `chosen` are the globs of about fifty
    signals that someone at work on this design would watch.
    """

    name: str
    top: str
    files: tuple[Path, ...]
    cycles: int
    golden_cycles: int
    include_dirs: tuple[Path, ...] = ()
    defines: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[str, str | int] = field(default_factory=dict[str, str | int])
    clock: str = "clk"
    reset: str = "reset"
    reset_cycles: int = 10
    text_memory: str = "monitor.text"
    chosen: str = ""
    unable: dict[str, str] = field(default_factory=dict[str, str])


def package_folder(package: str, folder: str) -> Path:
    """Return where a PyPI package keeps its sources; raise `MissingPackage` if it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(f"{package.replace('_', '-')} is not installed: pip install 'weft[designs]'")
    return Path(spec.submodule_search_locations[0]) / folder


def _picorv32() -> Design:
    source = package_folder("pythondata_cpu_picorv32", "verilog")
    here = EXAMPLES / "picorv32"
    return Design(
        name="picorv32",
        top="picorv32_bench",
        files=(source / "picorv32.v", *COMMON, here / "picorv32_soc.v", here / "picorv32_bench.v"),
        parameters={"FIRMWARE": str(here / "firmware.hex")},
        cycles=5_000_000,
        golden_cycles=100_000,
        chosen="soc.cpu.*",
    )


def _serv() -> Design:
    source = package_folder("pythondata_cpu_serv", "verilog")
    servant = ("servant", "servant_mux", "servant_ram", "servant_timer", "servant_gpio", "servant_arbiter")
    here = EXAMPLES / "serv"
    return Design(
        name="serv",
        top="serv_bench",
        files=(
            *sorted(path for path in (source / "rtl").glob("*.v") if path.name != "serv_synth_wrapper.v"),
            *(source / "servant" / f"{name}.v" for name in servant),
            source / "bench" / "servant_sim.v",
            *COMMON,
            here / "serv_bench.v",
        ),
        parameters={"FIRMWARE": str(here / "firmware.hex")},
        cycles=5_000_000,
        golden_cycles=400_000,
        chosen="servant.dut.cpu.cpu.*",
        unable={"cxxrtl": "Yosys does not have $value$plusargs, which servant_sim calls"},
    )


def _vexriscv(variant: str) -> Design:
    source = package_folder("pythondata_cpu_vexriscv", "verilog")
    here = EXAMPLES / "vexriscv"
    return Design(
        name=f"vexriscv_{variant.lower()}",
        top="vexriscv_bench",
        files=(source / f"VexRiscv_{variant}.v", *COMMON, here / "vexriscv_soc.v", here / "vexriscv_bench.v"),
        parameters={"FIRMWARE": str(here / f"firmware_{variant.lower()}.hex")},
        cycles=2_000_000,
        golden_cycles=100_000,
        chosen="soc.cpu.*",
    )


def _vexriscv_linux() -> Design:
    return _vexriscv("Linux")


def _vexriscv_min() -> Design:
    return _vexriscv("Min")


DESIGNS: dict[str, Callable[[], Design]] = {
    "picorv32": _picorv32,
    "serv": _serv,
    "vexriscv_linux": _vexriscv_linux,
    "vexriscv_min": _vexriscv_min,
}
"""How to find each design; calling it raises `MissingPackage` where its PyPI package is not installed."""
