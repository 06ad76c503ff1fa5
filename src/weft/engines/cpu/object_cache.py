"""The caches on disk: entries keyed by a hash of everything that decides their content.

An entry is `SHA-256 of the rest (32 bytes), label (a line of JSON), data`. It is written to a temporary file and
renamed, so that readers see all of it or nothing; one whose hash does not match is deleted and made again. A folder is
bounded: when it grows beyond `LIMIT`, the entries that were not used for the longest time go. What is not there is
asked of the archives in use, and what cannot be written stays in memory (`base.cache_layers`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weft.base.cache_label import RECORDS, Label, parse_label
from weft.base.cache_layers import counts, find_in_sources, memory, note_use

LIMIT = 1 << 30
"""The bytes that the cache may hold."""

_SWEEP_EVERY = 64


def cache_folder() -> Path:
    """Return the folder of the cache: `WEFT_CACHE_DIR`, or the user's own cache folder."""
    folder = os.environ.get("WEFT_CACHE_DIR")
    if not folder:
        import platformdirs

        folder = platformdirs.user_cache_dir("weft")
    return Path(folder) / "objects"


class ObjectCache:
    """Look entries up and keep new ones; `name` is what archives call this cache."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT, name: str = "objects") -> None:
        self.folder = folder or cache_folder()
        self.limit = limit
        self.name = name

    def load(self, key: str) -> bytes | None:
        """Return what is stored under a key, or None."""
        entry = self.entry(key)
        if entry is None:
            found = find_in_sources((self.name, key))
            if found is None:
                return None
            counts.from_archives += found[0].kind not in RECORDS
            self._write(key, *found)
            entry = found
        else:
            with contextlib.suppress(OSError):
                os.utime(self._path(key))
        counts.found += entry[0].kind not in RECORDS
        note_use((self.name, key))
        return entry[1]

    def entry(self, key: str) -> tuple[Label, bytes] | None:
        """Return the label and the data that the disk, or memory, has under a key; a damaged entry is deleted."""
        data = memory.find((str(self.folder), key))
        if data is None:
            try:
                data = self._path(key).read_bytes()
            except OSError:
                return None
        end = data.find(b"\n", 32)
        try:
            if end > 0 and hashlib.sha256(memoryview(data)[32:]).digest() == data[:32]:
                return parse_label(data[32:end]), data[end + 1 :]
        except ValueError:
            pass  # an entry of an older format: its hash is right and its label is none
        with contextlib.suppress(OSError):
            self._path(key).unlink()
        return None

    def has(self, key: str) -> bool:
        """Say whether there is an entry, perhaps a damaged one."""
        return self._path(key).is_file()

    def all_keys(self) -> Iterator[str]:
        """Return the keys of all entries on disk, those used least recently first."""
        for path in sorted(self.folder.glob("*/*"), key=_time_of):
            if path.suffix != ".new":
                yield path.parent.name + path.name

    def store(self, key: str, data: bytes, label: Label | None = None) -> None:
        """Keep an entry; failing to is no error, since it can always be made again."""
        label = label or Label("object")
        if label.kind not in RECORDS:
            counts.made += 1
            counts.made_bytes += len(data)
        note_use((self.name, key))
        self._write(key, label, data)

    def _write(self, key: str, label: Label, data: bytes) -> None:
        """Write an entry to the disk, or to memory if that fails."""
        try:
            self.put(key, label, data)
        except OSError:
            memory.keep((str(self.folder), key), _pack(label, data))
        # Keys are hashes, so this is one of so many stores of all processes; most of them make less.
        if int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % _SWEEP_EVERY == 0:
            self.sweep()

    def put(self, key: str, label: Label, data: bytes) -> None:
        """Write an entry's file, all or nothing; raises OSError."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_pack(label, data))
            Path(name).replace(path)
        except BaseException:  # Ctrl-C too leaves nothing behind
            Path(name).unlink(missing_ok=True)
            raise

    def sweep(self) -> None:
        """Delete the entries used least recently until the rest fits the limit."""
        entries: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has deleted it
        return 0.0


def _pack(label: Label, data: bytes) -> bytes:
    body = label.dump() + data
    return hashlib.sha256(body).digest() + body
