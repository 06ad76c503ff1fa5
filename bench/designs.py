"""The designs that tests and benchmarks run: which files, which top, which firmware. The only place that says so.

The processors come from PyPI (`pip install 'weft[designs]'`); the computers around them are in `examples/`. Every top
has the inputs `clk` and `reset` (active high), the output `hash`, a running hash of what the design does (see
`examples/common/hash_outputs.v`), and the outputs `text_valid`, `text_data` and `text_count`: what it wrote on its
console, which memory `monitor.text` also keeps.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COMMON = tuple(EXAMPLES / "common" / name for name in ("hash_outputs.v", "uart_transmitter.v", "uart_monitor.v"))

CACHE = Path(os.environ.get("WEFT_BENCH_CACHE", Path(tempfile.gettempdir()) / "weft-bench"))
"""Where generated designs and what peers have built are kept; outside the tree."""

AXI_MEMORY = EXAMPLES / "common" / "axi_memory.sv"


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


def _picorv32_array(cores: int) -> Design:
    source = package_folder("pythondata_cpu_picorv32", "verilog")
    here = EXAMPLES / "picorv32"
    return Design(
        name=f"picorv32_x{cores}",
        top="picorv32_array",
        files=(source / "picorv32.v", *COMMON, here / "picorv32_soc.v", here / "picorv32_array.v"),
        parameters={"FIRMWARE": str(here / "firmware.hex"), "CORES": cores},
        cycles=4_000_000 // cores,
        golden_cycles=100_000,
        chosen="cores[0].soc.cpu.*",
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
        unable={"icarus": "Icarus 11 cannot parse Ibex's packages", "cxxrtl": "Yosys cannot parse Ibex's packages"},
    )


def _cva6() -> Design:
    source = package_folder("pythondata_cpu_cva6", "system_verilog")
    here = EXAMPLES / "cva6"
    listed = (line.strip() for line in (source / "core" / "Flist.cv32a6_imac_sv32").read_text().splitlines())
    paths = [Path(line.replace("${CVA6_REPO_DIR}", str(source))) for line in listed if line.startswith("${CVA6")]
    # The list names a configuration without an MMU, the floating-point unit, which the package does not have, and a
    # tracer made of classes.
    paths = [path.with_name(path.name.replace("imac_sv0_config", "imac_sv32_config")) for path in paths]
    files = [path for path in paths if path.exists() and not path.name.startswith("instr_tracer")]
    cells = source / "common" / "submodules" / "common_cells"
    return Design(
        name="cva6",
        top="cva6_bench",
        files=(*files, *COMMON, AXI_MEMORY, here / "cva6_soc.sv", here / "cva6_bench.sv"),
        include_dirs=(cells / "include", cells / "src", source / "common" / "local" / "util"),
        defines={"WT_DCACHE": "1", "SYNTHESIS": "", "VERILATOR": ""},
        parameters={"FIRMWARE": str(here / "firmware.hex")},
        cycles=100_000,
        golden_cycles=100_000,
        chosen="soc.cpu.*",
        unable={"icarus": "Icarus 11 cannot parse CVA6's packages", "cxxrtl": "Yosys cannot parse CVA6's packages"},
    )


def _rocket() -> Design:
    source = package_folder("pythondata_cpu_rocket", "verilog")
    name = "freechips.rocketchip.system.LitexLinux4Config"
    here = EXAMPLES / "rocket"
    return Design(
        name="rocket",
        top="rocket_bench",
        files=(
            *(source / "vsrc" / f"{part}.v" for part in ("EICG_wrapper", "plusarg_reader")),
            source / "generated-src" / f"{name}.behav_srams.v",
            source / "generated-src" / f"{name}.v",
            *COMMON,
            AXI_MEMORY,
            here / "rocket_soc.sv",
            here / "rocket_bench.sv",
        ),
        defines={"SYNTHESIS": ""},
        parameters={"FIRMWARE": str(here / "firmware.hex"), "BOOT_ROM": str(here / "boot_rom.hex")},
        cycles=40_000,
        golden_cycles=100_000,
        chosen="soc.cpu.*",
        unable={"icarus": "not tried: minutes for a few thousand cycles"},
    )


def _litex() -> Design:
    source = package_folder("pythondata_cpu_vexriscv", "verilog")
    here = EXAMPLES / "litex"
    folder = CACHE / f"litex-{hashlib.sha256((here / 'generate.py').read_bytes()).hexdigest()[:16]}"
    generated = folder / "gateware" / "sim.v"
    if not generated.exists():
        if importlib.util.find_spec("litex") is None:
            raise MissingPackage("litex is not installed; examples/litex/generate.py says what it needs")
        # LiteX prints much; it is shown only when it fails.
        done = subprocess.run([sys.executable, here / "generate.py", folder], capture_output=True, text=True)
        if done.returncode:
            raise MissingPackage(f"LiteX cannot generate the design: {done.stderr[-1000:]}")
    return Design(
        name="litex",
        top="litex_bench",
        files=(source / "VexRiscv.v", generated, COMMON[0], here / "litex_bench.v"),
        cycles=2_000_000,
        golden_cycles=500_000,
        chosen="computer.VexRiscv.*",
    )


DESIGNS: dict[str, Callable[[], Design]] = {
    "picorv32": _picorv32,
    **{f"picorv32_x{cores}": partial(_picorv32_array, cores) for cores in (4, 16, 64)},
    "serv": _serv,
    "vexriscv_linux": _vexriscv_linux,
    "vexriscv_min": _vexriscv_min,
    "ibex": _ibex,
    "cva6": _cva6,
    "rocket": _rocket,
    "litex": _litex,
}
"""How to find each design; calling it raises `MissingPackage` where its PyPI package is not installed."""
