"""The design cache: a compiled design on disk, so that a second start parses and lowers nothing.

Two entries. The *index*, found by a hash of the options and the names of the files, lists every file that was read
with size, time and hash, every folder that was searched with its time, and the key of the design. If all of them are
as they were, the design is loaded; a file that was only touched is recognised by its hash. An index belongs to the
working folder; one that came in an archive (`portable_index`) names files relative to it, and is found there under the
options alone. The *design* holds the graph and its tables, or the program of an event simulation, as a pickle that can
only make Weft's own classes and NumPy arrays. `ObjectCache` stores both with a hash of their content, so that a damaged
entry is noticed, deleted and made again.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import weft
from weft.base.cache_label import Label
from weft.base.dataclass import asdict, dataclass, replace
from weft.base.errors import InternalError
from weft.base.recursion import deep_recursion, start_deep
from weft.engines.cpu.object_cache import ObjectCache, cache_folder

Kept = TypeVar("Kept")

_FORMAT = 2
_MODULES = (
    "weft.ir.",
    "weft.base.",
    "weft.engines.event.",
    "weft.passes.",
    "weft.sim.compiled_design",
    "weft.sim.design_timing",
    "weft.sim.event_delays",
    "weft.sim.event_program",
    "weft.sim.regions.mixed_design",
)
_NUMPY = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}


@dataclass(frozen=True, slots=True)
class FileIndex:
    """Say what a design was made of: files `[path, bytes, time in ns, hash]`, folders `[path, time in ns, hash]`."""

    design: str
    files: list[list[Any]]
    folders: list[list[Any]]

    def is_fresh(self) -> bool:
        """Say whether all files and the folders that were searched for them are as they were."""
        return all(_same_file(*file) for file in self.files) and all(_same_folder(*row) for row in self.folders)

    def searched(self) -> list[str]:
        """Return the folders' paths."""
        return [str(row[0]) for row in self.folders]


def portable_index(data: bytes) -> tuple[str, bytes] | None:
    """Return the key and the content under which an archive keeps an index; None if it is damaged."""
    index = _parse_index(data)
    try:
        values = json.loads(data)
        options, working = str(values["options"]), str(values["working"])
    except (ValueError, KeyError, TypeError):
        return None
    if index is None:
        return None
    if not working:
        return f"{options}.index", data

    def relative(path: str) -> str:
        return str(Path(path).relative_to(working)) if Path(path).is_relative_to(working) else path

    files = [[relative(str(path)), size, 0, digest] for path, size, _, digest in index.files]
    folders = [[relative(str(path)), 0, digest] for path, _, digest in index.folders]
    moved = FileIndex(index.design, files, folders)
    return f"{options}.index", json.dumps({**asdict(moved), "options": options, "working": ""}).encode()


def _parse_index(data: bytes) -> FileIndex | None:
    try:
        values = json.loads(data)
        files = [[str(path), int(size), int(at), str(digest)] for path, size, at, digest in values["files"]]
        folders = [[str(path), int(at), str(digest)] for path, at, digest in values["folders"]]
        return FileIndex(str(values["design"]), files, folders)
    except (ValueError, KeyError, TypeError):
        return None


def _local_key(options_key: str) -> str:
    """Return the key of the index of this working folder: the same names mean other files elsewhere."""
    return hash_words([options_key, str(Path.cwd())])


class DesignCache:
    """Keep compiled designs; one whose folder cannot be written forgets them."""

    def __init__(self, folder: Path | None = None) -> None:
        self._store = ObjectCache(folder or cache_folder().parent / "designs", name="designs")

    def find(self, options_key: str) -> str | None:
        """Return the key of the design that these options made, if no file has changed since."""
        index = self._index(_local_key(options_key))
        if index is not None and index.is_fresh():
            return index.design
        index = self._index(options_key)
        if index is not None and index.is_fresh():
            self.remember(options_key, index.design, [str(row[0]) for row in index.files], index.searched())
            return index.design
        return None

    def last_seconds(self, options_key: str) -> dict[str, float]:
        """Return how long each step of a compilation with these options took the last time, whatever has changed."""
        data = self._store.load(f"{_local_key(options_key)}.index")
        try:
            return {str(name): float(each) for name, each in json.loads(data or b"{}")["seconds"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def remember(
        self,
        options_key: str,
        design_key: str,
        files: Iterable[str],
        folders: Sequence[str],
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        """Keep what a design was made of, and how long each step took."""
        index = FileIndex(design_key, [_describe_file(path) for path in files], list(map(_describe_folder, folders)))
        values = {**asdict(index), "options": options_key, "working": str(Path.cwd()), "seconds": dict(seconds or {})}
        data = json.dumps(values).encode()
        self._store.store(f"{_local_key(options_key)}.index", data, _label("index"))

    def _index(self, key: str) -> FileIndex | None:
        data = self._store.load(f"{key}.index")
        return None if data is None else _parse_index(data)

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

    def store(self, design_key: str, design: object, tops: Iterable[str] = (), kind: str = "design") -> int:
        """Keep a design, or something else of it, under the names of its tops; return how many bytes that took."""
        data = _dump(design)
        self._store.store(f"{design_key}.design", data, _label(kind, " ".join(tops)))
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

    with deep_recursion(1_000_000):
        thread = threading.Thread(target=work)
        start_deep(thread, 1 << 29)
        thread.join()
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
    """Return what identifies this compiler: a hash of its files and of the versions of what it is built on.

    The cache remembers it under the files' sizes and times, since reading them all takes longer than a warm start may.
    """
    root = str(Path(weft.__file__).parent)
    words = [str(_FORMAT), sys.version]
    sources = _sources(root)
    seen = [*sources, *((str(path), path.stat()) for name in ("pyslang", "numpy") for path in _installed(name))]
    words += [f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in seen]
    store, key = ObjectCache(cache_folder().parent / "designs", name="designs"), f"{hash_words(words)}.version"
    entry = store.entry(key)
    if entry is not None:
        return entry[1].decode()
    state = blake2b(digest_size=20)
    versions = [_distribution(name) for name in ("pyslang", "numpy")]
    state.update(repr((_FORMAT, weft.__version__, sys.version_info[:3], versions)).encode())
    for path, status in sources:
        state.update(f"{path[len(root) + 1 :]}\0".encode() + _content(path, status.st_size))
    with suppress(OSError):
        store.put(key, Label("version"), state.hexdigest().encode())
    return state.hexdigest()


def _content(path: str, size: int) -> bytes:
    """Return a file's content; there are 600, and to read one as a file object takes three times as long."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content = os.read(handle, size + 1)
    finally:
        os.close(handle)
    return content if len(content) == size else Path(path).read_bytes()


def _sources(root: str) -> list[tuple[str, os.stat_result]]:
    """Return all Python files below a folder, in order; with `pathlib` it takes three times as long, at each start."""
    found: list[tuple[str, os.stat_result]] = []
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    found.append((entry.path, entry.stat()))
                elif entry.is_dir() and entry.name != "__pycache__":
                    folders.append(entry.path)
    return sorted(found, key=lambda each: each[0])


def _installed(package: str) -> list[Path]:
    """Return the file that an installed package is loaded from: another version has another size or time."""
    found = importlib.util.find_spec(package)
    return [Path(found.origin)] if found is not None and found.origin else []


def _distribution(package: str) -> list[str]:
    """Return what says which version of a package is installed; `importlib.metadata` takes longer than all the rest."""
    found: list[str] = []
    for path in _installed(package):
        folder = path.parent.parent if path.stem == "__init__" else path.parent
        found += sorted(each.name for each in folder.glob(f"{package}-*.dist-info"))
        found += [] if found else [f"{package} {path.stat().st_size}"]
    return found


def present_label() -> Label:
    """Return the label of designs that this version of Weft makes."""
    return Label("design", f"weft {weft.__version__} {compiler_version()[:12]}")


def _label(kind: str, note: str = "") -> Label:
    return replace(present_label(), kind=kind, note=note)


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


def _describe_folder(path: str) -> list[object]:
    try:
        return [path, Path(path).stat().st_mtime_ns, hash_words(sorted(each.name for each in Path(path).iterdir()))]
    except OSError:
        return [path, -1, ""]


def _same_folder(path: str, time_ns: int, digest: str) -> bool:
    """Say whether a folder still has the same files, by name; what they contain is looked at where they were read."""
    try:
        if Path(path).stat().st_mtime_ns == time_ns:
            return True
        return hash_words(sorted(each.name for each in Path(path).iterdir())) == digest
    except OSError:
        return not digest
