"""Generate a LiteX computer: `python examples/litex/generate.py FOLDER` writes `sim.v` and its memory images there.

LiteX builds the system on a chip around VexRiscv and compiles its own BIOS for it. That needs, all from PyPI, `litex`,
`litedram`, `liteeth`, `meson`, `ninja`, `pythondata-cpu-vexriscv`, `pythondata-software-picolibc` and
`pythondata-software-compiler-rt`, and Debian's `gcc-riscv64-unknown-elf`. Nothing of LiteX is in this tree.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.gen import LiteXModule
from litex.soc.integration.builder import Builder
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, Module

_SERIAL = ("source_valid", "source_ready", "source_data", "sink_valid", "sink_ready", "sink_data")
_PINS = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    ("serial", 0, *(Subsignal(name, Pins(8 if name.endswith("data") else 1)) for name in _SERIAL)),
]


class _Verilog:
    """Stand in for LiteX's Verilator toolchain: write the Verilog, and stop there."""

    def build(self, platform: SimPlatform, module: Module, build_dir: str, build_name: str, **_: object) -> None:
        folder = Path(build_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(folder):
            fragment = module.get_fragment()
            platform.finalize(fragment)
            platform.get_verilog(fragment, name=build_name).write(f"{build_name}.v")
        path = folder / f"{build_name}.v"
        path.write_text(path.read_text().replace('$readmemh("', f'$readmemh("{folder.resolve()}/'))


class _Clocks(LiteXModule):
    def __init__(self, platform: SimPlatform) -> None:
        self.cd_sys = ClockDomain()
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]


class _Computer(SoCCore):
    def __init__(self) -> None:
        platform = SimPlatform("SIM", _PINS, name="sim")
        platform.toolchain = _Verilog()
        self.crg = _Clocks(platform)
        SoCCore.__init__(
            self,
            platform,
            clk_freq=1_000_000,
            cpu_type="vexriscv",
            integrated_rom_size=0x10000,
            integrated_sram_size=0x2000,
            integrated_main_ram_size=0x4000,
            uart_name="sim",
            ident="LiteX on Weft",
            ident_version=False,
        )


def main(folder: Path) -> None:
    """Generate the design, with the whole paths of its memory images."""
    Builder(_Computer(), output_dir=str(folder)).build(build_name="sim")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
