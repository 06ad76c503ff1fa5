"""The code cache: object files on disk, keyed by a hash of everything that decides their content.

An entry is `SHA-256 of the object (32 bytes), object`. It is written to a temporary file and renamed, so that readers
see all of it or nothing; one whose hash does not match is deleted and compiled again. The folder is bounded: when it
grows beyond `LIMIT`, the entries that were not used for the longest time go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

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
    """Look objects up and keep new ones. A folder that cannot be written makes a cache that forgets."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.folder = folder or cache_folder()
        self.limit = limit
        self._stored = 0

    def load(self, key: str) -> bytes | None:
        """Return the object stored under a key, or None."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if len(data) <= 32 or hashlib.sha256(memoryview(data)[32:]).digest() != data[:32]:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return data[32:]

    def has(self, key: str) -> bool:
        """Say whether there is an entry, perhaps a damaged one."""
        return self._path(key).is_file()

    def store(self, key: str, code: bytes) -> None:
        """Keep an object; failing to is no error, since it can always be compiled again."""
        path = self._path(key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(code).digest())
                    file.write(code)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        if self._stored % _SWEEP_EVERY == 0:
            self.sweep()
        self._stored += 1

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
