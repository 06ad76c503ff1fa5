"""Remember what the units of a design were compiled from, so that a later start emits nothing to find its objects.

Emitting a unit's text takes longer than loading its object: a second for Rocket's 76,000 nodes. The digests of the
texts suffice to find the objects in the cache. They are kept there too, as one entry for each design (JSON), found by a
key that stands for the design, the compiler's own version and the options. An entry that is missing or damaged costs
the emission, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager

from weft.base.cache_label import Label
from weft.base.dataclass import asdict, dataclass
from weft.engines.cpu.jit import text_digest
from weft.engines.cpu.object_cache import ObjectCache
from weft.engines.cpu.unit_text import Unit


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """Be what is remembered of a unit: the digest of each text, the functions and the bytes of context it needs."""

    texts: tuple[str, ...]
    exports: tuple[str, ...]
    scratch: int


class UnitIndex:
    """Remember the units of one design by name; with an empty `key`, only as long as this object lives."""

    def __init__(self, cache: ObjectCache, key: str) -> None:
        self._cache, self._lock = cache, threading.Lock()
        self._key = hashlib.sha256(f"units|2|{key}".encode()).hexdigest() if key else ""
        self._units: dict[str, KnownUnit] = self._load()
        self._waits = self._changed = False

    def find(self, name: str) -> KnownUnit | None:
        """Return what is known of a unit."""
        return self._units.get(name)

    def keep(self, name: str, unit: Unit) -> KnownUnit:
        """Remember a unit that was emitted."""
        known = KnownUnit(tuple(map(text_digest, unit.texts)), unit.exports, unit.scratch)
        with self._lock:
            if self._units.get(name) != known:
                self._units[name] = known
                self._changed = True
            if not self._waits:
                self._store()
        return known

    @contextmanager
    def together(self) -> Generator[None]:
        """Store what is kept inside once, at the end: to write a file anew may wait for the disk."""
        self._waits = True
        try:
            yield
        finally:
            with self._lock:
                self._waits = False
                self._store()

    def _store(self) -> None:
        if self._changed and self._key:
            data = {name: asdict(each) for name, each in self._units.items()}
            self._cache.store(self._key, json.dumps(data).encode(), Label("units"))
        self._changed = False

    def _load(self) -> dict[str, KnownUnit]:
        data = self._cache.load(self._key) if self._key else None
        return {} if data is None else parse_units(data)


def parse_units(data: bytes) -> dict[str, KnownUnit]:
    """Return the units that an entry names; none if it is damaged."""
    try:
        return {
            name: KnownUnit(tuple(each["texts"]), tuple(each["exports"]), int(each["scratch"]))
            for name, each in json.loads(data).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
