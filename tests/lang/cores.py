"""The real processors that the front end must read, from their PyPI packages: file lists, folders and macros."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest

from weft.lang.sv.front_end_options import FrontEndOptions


@dataclass(frozen=True)
class Core:
    files: tuple[Path, ...]
    options: FrontEndOptions


def _folder(package: str, folder: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package.replace('_', '-')} is not installed: pip install 'weft[designs]'")
    return Path(spec.submodule_search_locations[0]) / folder


def picorv32() -> Core:
    folder = _folder("pythondata_cpu_picorv32", "verilog")
    return Core((folder / "picorv32.v",), FrontEndOptions(top=("picorv32_axi",)))


def serv() -> Core:
    folder = _folder("pythondata_cpu_serv", "verilog")
    return Core(
        (folder / "bench" / "servant_sim.v",),
        FrontEndOptions(
            top=("servant_sim",),
            library_dirs=(str(folder / "rtl"), str(folder / "servant")),
            parameters={"memsize": 8192},
        ),
    )


def vexriscv() -> Core:
    return Core(
        (_folder("pythondata_cpu_vexriscv", "verilog") / "VexRiscv_Linux.v",), FrontEndOptions(top=("VexRiscv",))
    )


def ibex() -> Core:
    folder = _folder("pythondata_cpu_ibex", "system_verilog")
    vendor = folder / "vendor" / "lowrisc_ip"
    prim = vendor / "ip" / "prim" / "rtl"
    packages = (
        "prim_util_pkg",
        "prim_secded_pkg",
        "prim_mubi_pkg",
        "prim_ram_1p_pkg",
        "prim_cipher_pkg",
        "prim_count_pkg",
    )
    return Core(
        (
            *(prim / f"{name}.sv" for name in packages if (prim / f"{name}.sv").exists()),
            folder / "dv" / "uvm" / "core_ibex" / "common" / "prim" / "prim_pkg.sv",
            folder / "rtl" / "ibex_pkg.sv",
            folder / "rtl" / "ibex_top.sv",
        ),
        FrontEndOptions(
            top=("ibex_top",),
            include_dirs=(str(prim), str(vendor / "dv" / "sv" / "dv_utils"), str(folder / "rtl")),
            library_dirs=(
                str(folder / "rtl"),
                str(folder / "dv" / "uvm" / "core_ibex" / "common" / "prim"),
                str(prim),
                str(vendor / "ip" / "prim_generic" / "rtl"),
            ),
            library_extensions=(".sv",),
            defines={"SYNTHESIS": None},
        ),
    )


def cva6() -> Core:
    folder = _folder("pythondata_cpu_cva6", "system_verilog")
    flist = folder / "core" / "Flist.cv32a6_imac_sv32"
    # The list names the floating-point unit too, which this configuration and the package leave out,
    # and a tracer made of classes.
    files = [
        Path(line.replace("${CVA6_REPO_DIR}", str(folder)))
        for line in flist.read_text().splitlines()
        if line.strip() and not line.startswith(("//", "+"))
    ]
    return Core(
        tuple(file for file in files if file.exists() and not file.name.startswith("instr_tracer")),
        FrontEndOptions(
            top=("cva6",),
            include_dirs=tuple(
                str(folder / "common" / name)
                for name in ("submodules/common_cells/include", "submodules/common_cells/src", "local/util")
            ),
            defines={"WT_DCACHE": None, "SYNTHESIS": None},
            arguments=("--translate-off-format=pragma,translate_off,translate_on",),
        ),
    )


def rocket() -> Core:
    folder = _folder("pythondata_cpu_rocket", "verilog")
    name = "freechips.rocketchip.system.LitexConfig"
    return Core(
        (
            folder / "generated-src" / f"{name}.v",
            folder / "generated-src" / f"{name}.behav_srams.v",
            *(folder / "vsrc" / f"{part}.v" for part in ("EICG_wrapper", "plusarg_reader")),
        ),
        FrontEndOptions(top=("ExampleRocketSystem",), defines={"SYNTHESIS": None}),
    )


CORES = {core.__name__: core for core in (picorv32, serv, vexriscv, ibex, cva6, rocket)}
