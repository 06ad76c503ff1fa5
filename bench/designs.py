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
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COMMON = tuple(EXAMPLES / "common" / name for name in ("hash_outputs.v", "uart_transmitter.v", "uart_monitor.v"))


class MissingPackage(Exception):
    """Say which PyPI package a design needs and does not find."""


@dataclass(frozen=True, slots=True)
class Design:
    """Describe a design completely: its sources, and how long to run it.

    `unable` says, for a peer that cannot run it, why. `golden_cycles` is the length of the end-to-end test and
    `cycles` that of a benchmark run, both after `reset_cycles` cycles of reset. `chosen` is a glob of
    signals that someone at work on this design would watch; benchmarks trace the first fifty.
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

    def compile_options(self) -> dict[str, Any]:
        """Return the options of `weft.compile` for this design; its files are given first."""
        return {
            "top": self.top,
            "include_dirs": self.include_dirs,
            "defines": {name: value or None for name, value in self.defines.items()},
            "parameters": self.parameters,
            "clock": self.clock,
        }


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


def _ibex() -> Design:
    source = package_folder("pythondata_cpu_ibex", "system_verilog")
    vendor = source / "vendor" / "lowrisc_ip"
    prim, generic = vendor / "ip" / "prim" / "rtl", vendor / "ip" / "prim_generic" / "rtl"
    packages = (
        "prim_util_pkg",
        "prim_secded_pkg",
        "prim_mubi_pkg",
        "prim_ram_1p_pkg",
        "prim_cipher_pkg",
        "prim_count_pkg",
    )
    others = ("prim_onehot_check", "prim_onehot_enc", "prim_onehot_mux", "prim_secded_inv_39_32_dec")
    others += ("prim_secded_inv_39_32_enc", "prim_secded_inv_28_22_dec", "prim_secded_inv_28_22_enc", "prim_lfsr")
    wrapped = ("and2", "buf", "clock_gating", "clock_mux2", "flop", "ram_1p")
    left_out = ("ibex_pkg", "ibex_top_tracing", "ibex_tracer", "ibex_tracer_pkg", "ibex_icache", "ibex_lockstep")
    left_out += ("ibex_register_file_latch", "ibex_register_file_fpga", "ibex_dummy_instr")
    here = EXAMPLES / "ibex"
    return Design(
        name="ibex",
        top="ibex_bench",
        files=(
            *(prim / f"{name}.sv" for name in packages),
            source / "dv" / "uvm" / "core_ibex" / "common" / "prim" / "prim_pkg.sv",
            source / "rtl" / "ibex_pkg.sv",
            *(generic / f"prim_generic_{name}.sv" for name in wrapped),
            *(source / "dv" / "uvm" / "core_ibex" / "common" / "prim" / f"prim_{name}.sv" for name in wrapped),
            *(prim / f"{name}.sv" for name in others),
            *sorted(path for path in (source / "rtl").glob("*.sv") if path.stem not in left_out),
            *COMMON,
            here / "ibex_soc.sv",
            here / "ibex_bench.sv",
        ),
        include_dirs=(prim, vendor / "dv" / "sv" / "dv_utils", source / "rtl"),
        defines={"SYNTHESIS": ""},
        parameters={"FIRMWARE": str(here / "firmware.hex")},
        cycles=2_000_000,
        golden_cycles=100_000,
        chosen="soc.cpu.u_ibex_core.*",
        unable={"icarus": "Icarus 11 cannot parse Ibex's packages"},
    )


DESIGNS: dict[str, Callable[[], Design]] = {
    "picorv32": _picorv32,
    "serv": _serv,
    "vexriscv_linux": _vexriscv_linux,
    "vexriscv_min": _vexriscv_min,
    "ibex": _ibex,
}
"""How to find each design; calling it raises `MissingPackage` where its PyPI package is not installed."""
