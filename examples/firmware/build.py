"""Build the firmware images of the examples with Debian's gcc-riscv64-unknown-elf: `python examples/firmware/build.py`.

The images are committed, so only who changes the sources needs the toolchain. An image is a `$readmemh` file: one word
of the target's memory on each line, the rest of the memory is left alone.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PREFIX = "riscv64-unknown-elf-"


@dataclass(frozen=True, slots=True)
class Image:
    """Describe one image: what to compile, for which processor, where it runs, how wide its memory is."""

    path: str
    sources: tuple[str, ...]
    march: str
    mabi: str
    defines: tuple[str, ...] = ()
    ram_base: int = 0
    ram_size: int = 65536
    word_bytes: int = 4


def _uart(path: str, march: str, *defines: str, mabi: str = "ilp32", address: int = 0x1000_0000, **more: int) -> Image:
    defines = (f"UART_ADDRESS={address:#x}", *defines)
    return Image(path, ("start.S", "mix.c", "console_uart.c"), march, mabi, defines, **more)


IMAGES = (
    _uart("picorv32/firmware.hex", "rv32im"),
    Image("serv/firmware.hex", ("start.S", "mix.c", "console_servant.c"), "rv32i", "ilp32", ("WORK=1",), 0, 8192),
    _uart("vexriscv/firmware_linux.hex", "rv32im", "HAS_TRAPS", address=0xF000_0000),
    _uart("vexriscv/firmware_min.hex", "rv32i", "HAS_TRAPS", "WORK=2", address=0xF000_0000),
    _uart("ibex/firmware.hex", "rv32imc", "HAS_TRAPS", "HAS_TIMER"),
    _uart("cva6/firmware.hex", "rv32imac", "HAS_TRAPS", ram_base=0x8000_0000, word_bytes=8),
    _uart(
        "rocket/firmware.hex",
        "rv64imac",
        "HAS_TRAPS",
        mabi="lp64",
        address=0x6000_0000,
        ram_base=0x8000_0000,
        word_bytes=8,
    ),
)


def build(image: Image) -> int:
    """Compile, link and write one image; return its size in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        elf, binary = Path(folder) / "image.elf", Path(folder) / "image.bin"
        subprocess.run(
            [
                f"{PREFIX}gcc",
                f"-march={image.march}",
                f"-mabi={image.mabi}",
                "-mcmodel=medany",
                "-O2",
                "-fno-tree-loop-distribute-patterns",
                "-ffreestanding",
                "-nostdlib",
                "-nostartfiles",
                "-static",
                "-Wall",
                "-Werror",
                "-Wl,--no-warn-rwx-segments",
                *(f"-D{define}" for define in image.defines),
                f"-Wl,-T,{HERE / 'link.ld'}",
                f"-Wl,--defsym=ram_base={image.ram_base:#x}",
                f"-Wl,--defsym=ram_size={image.ram_size:#x}",
                *(str(HERE / source) for source in image.sources),
                "-lgcc",
                "-o",
                str(elf),
            ],
            check=True,
        )
        subprocess.run([f"{PREFIX}objcopy", "-O", "binary", str(elf), str(binary)], check=True)
        data = binary.read_bytes()
    data += bytes(-len(data) % image.word_bytes)
    words = (int.from_bytes(data[at : at + image.word_bytes], "little") for at in range(0, len(data), image.word_bytes))
    target = HERE.parent / image.path
    target.parent.mkdir(exist_ok=True)
    target.write_text("".join(f"{word:0{2 * image.word_bytes}x}\n" for word in words))
    return len(data)


def main() -> None:
    """Build every image, or those whose paths contain the given words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    words: list[str] = parser.parse_args().words
    for image in IMAGES:
        if not words or any(word in image.path for word in words):
            print(f"{image.path}: {build(image)} bytes")


if __name__ == "__main__":
    main()
