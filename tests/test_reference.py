"""The reference pages name everything that there is: the public names, the passes, the commands."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

import weft

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ROOT / "docs" / "reference"
ENTRY = re.compile(r"^::: (.+)$", re.M)


def entries(page: str) -> list[str]:
    return ENTRY.findall((PAGES / page).read_text())


def test_every_public_name_has_an_entry():
    listed = {entry.rpartition(".")[2] for entry in entries("python.md")}
    names = {getattr(weft, name).__name__.rpartition(".")[2] for name in weft.__all__ if name != "__version__"}
    assert names <= listed


def test_every_pass_has_an_entry():
    passes = {path.stem for path in (ROOT / "src" / "weft" / "passes").glob("*.py")} - {"__init__"}
    listed = [entry.rpartition(".")[2] for entry in entries("passes.md")]
    assert sorted(listed) == sorted(passes)


def test_every_command_has_an_entry():
    spec = importlib.util.spec_from_file_location("show_help", ROOT / "docs" / "show_help.py")
    assert spec is not None and spec.loader is not None
    show_help = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(show_help)
    assert [f"help {name}" for name in sorted(show_help.commands())] == sorted(entries("command-line.md"))
    page = show_help.on_page_markdown((PAGES / "command-line.md").read_text())
    assert "::: help" not in page and "Usage: weft sim" in page


def test_the_site_builds(tmp_path):
    if importlib.util.find_spec("mkdocstrings_handlers") is None:
        pytest.skip("MkDocs is not installed: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "run_cycles" in (tmp_path / "site" / "reference" / "python" / "index.html").read_text()
