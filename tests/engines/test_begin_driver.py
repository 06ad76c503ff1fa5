"""A GPU is initialised by the driver's library alone; where that fails, nothing is said here."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from weft.engines.cuda import begin_driver


class _Library(SimpleNamespace):
    """Be a driver; `fails` names the call that does."""

    def __init__(self, fails: str = "") -> None:
        self.calls: list[tuple[str, int]] = []

        def call(name: str):
            def called(*arguments) -> int:
                number = getattr(arguments[-1], "value", arguments[-1])
                self.calls.append((name, number))
                if name == "cuDeviceGet":
                    arguments[0]._obj.value = 7 + number
                return 100 if name == fails else 0

            return called

        super().__init__(**{name: call(name) for name in ("cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain")})


CALLS = [("cuInit", 0), ("cuDeviceGet", 2), ("cuDevicePrimaryCtxRetain", 9)]


@pytest.mark.parametrize("fails", ["", *(name for name, _ in CALLS)])
def test_the_primary_context_is_made(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    library = _Library(fails)
    monkeypatch.setattr(begin_driver, "_library", lambda: library)
    assert begin_driver.begin_driver(2) is not bool(fails)
    names = [name for name, _ in CALLS]
    assert library.calls == CALLS[: names.index(fails) + 1 if fails else None]


def test_no_driver_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin_driver, "_library", lambda: None)
    assert not begin_driver.begin_driver(0)


def test_it_begins_before_anything_large_is_imported() -> None:
    code = """
import sys, weft
weft.begin_device("cuda")
print(*sorted({"numpy", "cuda.bindings", "llvmlite", "pyslang", "weft.engines.cuda.driver"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
