"""The design cache: a compiled design on disk, so that a second start parses and lowers nothing.

Two entries. The *index*, found by a hash of the options and the names of the files, lists every file that was read
with size, time and hash, every folder that was searched with its time, and the key of the design. If all of them are
as they were, the design is loaded; a file that was only touched is recognised by its hash. The *design* holds the graph
and its tables, or the program of an event simulation, as a pickle that can only make Weft's own classes and NumPy
arrays. `ObjectCache` stores both with a hash of their content, so that a damaged entry is noticed, deleted and made
again.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import weft
from weft.base.errors import InternalError
from weft.engines.cpu.object_cache import ObjectCache, cache_folder

Kept = TypeVar("Kept")

_FORMAT = 1
_MODULES = (
    "weft.ir.",
    "weft.base.",
    "weft.engines.event.",
    "weft.passes.",
    "weft.sim.compiled_design",
    "weft.sim.design_timing",
    "weft.sim.event_delays",
    "weft.sim.event_program",
)
_NUMPY = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}


class DesignCache:
    """Keep compiled designs; one whose folder cannot be written forgets them."""

    def __init__(self, folder: Path | None = None) -> None:
        self._store = ObjectCache(folder or cache_folder().parent / "designs")

    def find(self, options_key: str) -> str | None:
        """Return the key of the design that these options made, if no file has changed since."""
        data = self._store.load(f"{options_key}.index")
        if data is None:
            return None
        try:
            index = json.loads(data)
            files, folders, key = index["files"], index["folders"], str(index["design"])
        except (ValueError, KeyError, TypeError):
            return None
        if all(_same_file(*file) for file in files) and all(_folder_time(path) == at for path, at in folders):
            return key
        return None

    def remember(self, options_key: str, design_key: str, files: Iterable[str], folders: Sequence[str]) -> None:
        """Keep what a design was made of."""
        rows = [_describe_file(path) for path in files]
        index = {"design": design_key, "files": rows, "folders": [[path, _folder_time(path)] for path in folders]}
        self._store.store(f"{options_key}.index", json.dumps(index).encode())

    def load(self, design_key: str, kind: type[Kept]) -> Kept | None:
        """Return a design of a kind, or None when it is not there or damaged."""
        data = self._store.load(f"{design_key}.design")
        if data is None:
            return None
        try:
            design = _Reader(io.BytesIO(data)).load()
        except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, TypeError, ValueError):
            return None
        return design if isinstance(design, kind) else None

    def store(self, design_key: str, design: object) -> int:
        """Keep a design; return how many bytes that took."""
        data = _dump(design)
        self._store.store(f"{design_key}.design", data)
        return len(data)


class _Reader(pickle.Unpickler):
    """Load nothing but Weft's shapes and arrays."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if module_name.startswith(_MODULES) or (module_name, global_name) in _NUMPY:
            return super().find_class(module_name, global_name)
        raise pickle.UnpicklingError(f"{module_name}.{global_name} does not belong into a design")


def _dump(design: object) -> bytes:
    """Pickle a design; in a thread with a deep stack, since long expressions nest deeply."""
    result: list[bytes] = []

    def work() -> None:
        result.append(pickle.dumps(design, protocol=5))

    limit, stack = sys.getrecursionlimit(), threading.stack_size(1 << 29)
    sys.setrecursionlimit(1_000_000)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(stack)
        sys.setrecursionlimit(limit)
    if not result:
        raise InternalError("the design cannot be stored")
    return result[0]


def list_files(words: Sequence[str]) -> list[str]:
    """Return the file lists (`-f`, `-F`, `-C`) among slang's words, and those that they name."""
    found: dict[str, None] = {}
    work = [(words, Path())]
    while work:
        each, folder = work.pop()
        for flag, word in pairwise(each):
            path = str(folder / word) if flag == "-F" else word
            if flag in ("-f", "-F", "-C") and path not in found and Path(path).is_file():
                found[path] = None
                text = Path(path).read_text(errors="replace")
                work.append((text.split(), Path(path).parent if flag == "-F" else folder))
    return list(found)


def hash_words(words: Iterable[str]) -> str:
    """Return the hash of a list of words."""
    state = blake2b(digest_size=20)
    for word in words:
        state.update(word.encode(errors="surrogateescape") + b"\0")
    return state.hexdigest()


@lru_cache(maxsize=1)
def compiler_version() -> str:
    """Return what identifies this compiler: its version and, for development, the state of its files."""
    root = Path(weft.__file__).parent
    words = [weft.__version__, str(_FORMAT), sys.version]
    for path in sorted(root.rglob("*.py")):
        status = path.stat()
        words.append(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}")
    return hash_words(words)


def _describe_file(path: str) -> list[object]:
    try:
        status, text = Path(path).stat(), Path(path).read_bytes()
    except OSError:
        return [path, -1, 0, ""]
    return [path, status.st_size, status.st_mtime_ns, blake2b(text, digest_size=20).hexdigest()]


def _same_file(path: str, size: int, time_ns: int, digest: str) -> bool:
    try:
        status = Path(path).stat()
        if status.st_size != size:
            return False
        return status.st_mtime_ns == time_ns or blake2b(Path(path).read_bytes(), digest_size=20).hexdigest() == digest
    except OSError:
        return False


def _folder_time(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return -1
