"""Run every example of the documentation: Python blocks, console blocks, and the files that they need."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NAMED_FILE = re.compile(r"[Ss]ave this as `([\w.-]+)`:\s*$")


def blocks(page):
    """Return (language, text, name of the file that the text before it gives it or '') for each block of a page."""
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        named = NAMED_FILE.search(text[: match.start()].rstrip() + "\n")
        found.append((match[1], match[2], named[1] if named else ""))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, tmp_path, monkeypatch):
    """Blocks of one page run in order in one folder; Python blocks share their names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_CACHE_DIR", str(tmp_path / "cache"))
    scripts = str(pathlib.Path(sys.executable).parent)
    monkeypatch.setenv("PATH", scripts + os.pathsep + os.environ["PATH"])
    names = {"__name__": "__main__"}
    for language, text, file in blocks(page):
        if file:
            pathlib.Path(file).write_text(text)
        elif language == "python":
            exec(compile(text, str(page), "exec"), names)
        elif language == "console":
            run_console(text, page)


def run_console(text, page):
    """Run the lines that begin with `$ `; what follows one, up to the next, must be in its output."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
        output = result.stdout + result.stderr
        assert result.returncode == 0, f"{page.name}: {command}\n{output}"
        assert expected.strip() in output, f"{page.name}: {command}\nprinted\n{output}"
