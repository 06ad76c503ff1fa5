"""Run a Verilog program by Icarus Verilog, for tests that compare."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog is not installed")


def run_icarus(folder: Path, source: str, *words: str) -> str:
    """Return what a program prints; the module is `t`, the file `t.v`."""
    (folder / "t.v").write_text(source, encoding="latin-1")
    subprocess.run(["iverilog", "-g2012", "-o", "t.vvp", "t.v"], cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["vvp", "-n", "t.vvp", *words], cwd=folder, check=False, capture_output=True)
    return done.stdout.decode("latin-1")
