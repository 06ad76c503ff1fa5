"""What lies around the caches on disk: archives below them, journals above, memory in place of a folder that fails.

A *source* answers what the disk does not have; it is an archive that somebody uses. A *journal* collects the keys of
all entries that were read or written while it is open, from which an archive is harvested: no engine need know of it.
When a folder cannot be written, or the disk is full, entries stay in memory until Python ends, the oldest going first.
All of this is of the process, for its caches are one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from weft.base.cache_label import Label
from weft.base.dataclass import dataclass, field

MEMORY_LIMIT = 256 << 20
"""The bytes that memory keeps for folders that cannot be written."""

Place = tuple[str, str]
"""Where an entry is: the name of the cache (`objects`, `designs`) and its key."""


class Source(Protocol):
    """Be asked for entries that the disk does not have."""

    def find(self, place: Place) -> tuple[Label, bytes] | None:
        """Return an entry that fits this machine, or None; its bytes have been verified."""
        ...


@dataclass(slots=True)
class Counts:
    """Count what the caches did since Python began: entries found, those of them from archives,
    entries made; records of where entries are do not count."""

    found: int = 0
    from_archives: int = 0
    made: int = 0
    made_bytes: int = 0


sources: list[Source] = []
counts = Counts()
_journals: list[dict[Place, None]] = []


def find_in_sources(place: Place) -> tuple[Label, bytes] | None:
    """Return what the first source that has an entry has of it."""
    for source in sources:
        found = source.find(place)
        if found is not None:
            return found
    return None


def note_use(place: Place) -> None:
    """Tell the open journals that an entry was read or written."""
    for journal in _journals:
        journal[place] = None


@contextmanager
def journal() -> Generator[dict[Place, None]]:
    """Collect, in order, the places of all entries that are used inside."""
    used: dict[Place, None] = {}
    _journals.append(used)
    try:
        yield used
    finally:
        # By identity: two journals that hold the same places are still two.
        _journals[:] = [each for each in _journals if each is not used]


@contextmanager
def use_source(source: Source) -> Generator[None]:
    """Let a source answer inside."""
    sources.append(source)
    try:
        yield
    finally:
        sources[:] = [each for each in sources if each is not source]


@dataclass(slots=True)
class Memory:
    """Keep entries, up to so many bytes."""

    limit: int = MEMORY_LIMIT
    _entries: OrderedDict[Place, bytes] = field(default_factory=OrderedDict[Place, bytes])
    _size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, place: Place, data: bytes) -> None:
        """Keep an entry; the oldest go when there are too many."""
        with self._lock:
            self._size += len(data) - len(self._entries.pop(place, b""))
            self._entries[place] = data
            while self._size > self.limit:
                self._size -= len(self._entries.popitem(last=False)[1])

    def find(self, place: Place) -> bytes | None:
        """Return an entry."""
        return self._entries.get(place)


memory = Memory()
