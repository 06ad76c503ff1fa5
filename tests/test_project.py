"""The promises that the project makes about itself: layers, start-up time, file sizes."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "weft").rglob("*.py"))


def test_imports_point_downwards():
    result = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_import_weft_is_light():
    """`import weft` loads none of the heavy libraries; they come with the first compile."""
    code = "import sys, weft; print(sorted({'numpy', 'pyslang', 'llvmlite', 'rich', 'click'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 520, "split this file"
