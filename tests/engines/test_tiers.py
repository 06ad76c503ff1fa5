"""What a background thread compiles when Python is about to end: enough to get there, and not more."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.base.workers import Workers
from weft.engines.cpu import tiers
from weft.engines.cpu.jit import LEAN, Compiler
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.tiers import TieredUnit
from weft.engines.cpu.unit_index import UnitIndex
from weft.engines.cpu.unit_text import Unit

TEXTS = tuple(f"define i32 @f{number}() {{\n  ret i32 {number}\n}}\n" for number in range(3))


class Fixture:
    """Make the same unit as often as processes do, with their cache; `emitted` counts how often its text was made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.emitted = folder, 0

    def unit(self) -> TieredUnit:
        cache = ObjectCache(self.folder)
        return TieredUnit("unit", lambda _: self._emit(), Compiler(cache), UnitIndex(cache, "design"))

    def _emit(self) -> Unit:
        self.emitted += 1
        return Unit(TEXTS, ("f0", "f1", "f2"), 0)


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Have the background thread's jobs believe that Python is about to end."""
    workers = Workers("test", 1)
    monkeypatch.setattr(tiers, "_background", workers)
    workers.stopping = True
    return workers


def test_short_runs_get_there_text_by_text(tmp_path: Path, ending: Workers) -> None:
    made = Fixture(tmp_path)
    for _ in TEXTS:
        unit = made.unit()
        assert not unit.load(LEAN)
        unit._compile(LEAN)  # pyright: ignore[reportPrivateUsage]
    assert made.unit().load(LEAN)
    assert made.emitted == 1  # what had been emitted was kept


def test_a_run_that_has_got_somewhere_begins_nothing_when_it_ends(tmp_path: Path, ending: Workers) -> None:
    made, compiler = Fixture(tmp_path), Compiler(ObjectCache(tmp_path))
    ending.finished = 1
    unit = made.unit()
    unit._compile(LEAN)  # pyright: ignore[reportPrivateUsage]
    digests = UnitIndex(ObjectCache(tmp_path), "design").find("unit")
    assert digests is not None and all(compiler.find(digest, LEAN) is None for digest in digests.texts)
    ending.stopping = False
    later = made.unit()
    later._compile(LEAN)  # pyright: ignore[reportPrivateUsage]
    assert later.upgrade() and later.addresses.keys() == {"f0", "f1", "f2"}
    assert made.emitted == 1
