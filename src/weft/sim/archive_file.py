"""The file format of archives: cache entries in one file, signed by hash.

    WEFTARCHIVE 1
    SHA-256 of the index in hexadecimal, a space, the bytes of the index
    the index: one line of JSON with who wrote the archive, and for each entry its place, label, sizes, offset, hash
    the entries' data, each packed with zlib

The hash of the index is checked when a file is opened, an entry's (of the packed data, before it is unpacked) when the
entry is read; so every byte is covered, and opening a large archive costs no more than its index. The hashes find
damage, not malice: whoever writes an archive can sign it, so load only those of people whose programs you would run.

Writing goes to a file beside the target, which is renamed. Who changes an archive holds a lock on it meanwhile, so that
of several processes that add to one none loses what another has added.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import weft
from weft.base.cache_label import Label, make_label
from weft.base.cache_layers import Place
from weft.base.dataclass import asdict, dataclass
from weft.base.errors import UserError

_MAGIC = b"WEFTARCHIVE "
_FORMAT = 1
_MOST_INDEX_BYTES = 1 << 28


class DamagedEntry(Exception):
    """Say that an entry's data is not what its hash promises."""


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """Describe an entry: where it belongs in the caches, its label, its bytes unpacked and packed, where they are."""

    place: Place
    label: Label
    size: int
    packed: int
    offset: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Content:
    """Be an entry that is to be written; `read` gives its data, or None if it has gone."""

    place: Place
    label: Label
    read: Callable[[], bytes | None]


class ArchiveFile:
    """Be an archive, open to read. Raises `no-such-file` and `bad-archive`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file: BinaryIO = self.path.open("rb")
        except OSError as error:
            raise UserError("no-such-file", f"cannot read the archive '{path}': {error.strerror}") from error
        try:
            self.header, self.entries = self._read_index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ArchiveFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _bad(self, why: str) -> UserError:
        return UserError("bad-archive", f"'{self.path}' {why}")

    def _read_index(self) -> tuple[dict[str, Any], dict[Place, ArchiveEntry]]:
        try:
            first, second = self._file.readline(64), self._file.readline(128)
        except OSError as error:  # a folder, for instance
            raise self._bad(f"cannot be read: {error.strerror}") from error
        if not first.startswith(_MAGIC) or not first.endswith(b"\n"):
            raise self._bad("is no archive of Weft")
        if first != _MAGIC + b"%d\n" % _FORMAT:
            form = first[len(_MAGIC) :].strip().decode(errors="replace")
            raise self._bad(f"has format {form}; this version of Weft reads format {_FORMAT}")
        digest, _, length = second.strip().partition(b" ")
        if not length.isdigit() or int(length) > _MOST_INDEX_BYTES:
            raise self._bad("is damaged: its second line cannot be read")
        data = self._file.read(int(length))
        if hashlib.sha256(data).hexdigest().encode() != digest:
            raise self._bad("is damaged: its index does not match its hash")
        try:
            header = json.loads(data)
            rows = header.pop("entries")
            begin = self._file.tell()
            entries = [_parse_entry(row, begin) for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._bad("is damaged: its index cannot be read") from None
        return header, {entry.place: entry for entry in entries}

    def read(self, entry: ArchiveEntry) -> bytes:
        """Return an entry's data; raises DamagedEntry."""
        if min(entry.offset, entry.packed) < 0 or entry.offset + entry.packed > os.fstat(self._file.fileno()).st_size:
            raise DamagedEntry
        packed = os.pread(self._file.fileno(), entry.packed, entry.offset)
        if hashlib.sha256(packed).hexdigest() != entry.sha256:
            raise DamagedEntry
        try:
            return unpack(packed, entry.size)
        except (zlib.error, ValueError):
            raise DamagedEntry from None


def _parse_entry(row: dict[str, Any], begin: int) -> ArchiveEntry:
    label = make_label(row["label"])
    place = (str(row["cache"]), str(row["key"]))
    return ArchiveEntry(
        place, label, int(row["size"]), int(row["packed"]), begin + int(row["offset"]), str(row["sha256"])
    )


def unpack(packed: bytes, size: int) -> bytes:
    """Return what `zlib` has packed, which must have a size; never makes more than that."""
    stream = zlib.decompressobj()
    data = stream.decompress(packed, size + 1)
    if len(data) != size:
        raise ValueError("the size is wrong")
    return data


def check_target(path: str | Path) -> None:
    """Raise `bad-archive` if there is a file that is no archive: somebody's source, named by mistake, must stay."""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(len(_MAGIC))
    except OSError:
        return  # there is none, or writing will say what is wrong
    if begin and begin != _MAGIC:
        raise UserError("bad-archive", f"'{path}' is no archive of Weft, and is left as it is")


def change_archive(path: str | Path, change: Callable[[ArchiveFile | None], Iterable[Content]]) -> int:
    """Write an archive with what `change` makes of the old one (None if there is none or it is damaged).

    Returns the bytes of the new file; raises `cannot-write`, and `bad-archive` as `check_target` does.
    """
    check_target(path)
    target = Path(path)
    try:
        while True:
            with _locked(target) as (existed, old), _beside(target) as (file, name):
                size = _write(file, change(old))
                if _put(name, target, existed):
                    return size
    except OSError as error:
        raise UserError("cannot-write", f"cannot write the archive '{path}': {error.strerror}") from error


@contextmanager
def _locked(target: Path) -> Generator[tuple[bool, ArchiveFile | None]]:
    """Hold the lock of the file that is there, until it has been replaced; gives whether it is, and as an archive."""
    while True:
        try:
            lock = _open_to_lock(target)
        except FileNotFoundError:
            yield False, None
            return
        with lock:
            with suppress(OSError):  # where there are no locks, what another process adds at once may be lost
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_same(lock, target):
                continue  # somebody has replaced the file while we waited for the lock
            try:
                archive = ArchiveFile(target)
            except UserError:
                archive = None
            try:
                yield True, archive
            finally:
                if archive is not None:
                    archive.close()
            return


def _open_to_lock(path: Path) -> BinaryIO:
    """Open a file so that it can be locked: network file systems want that it could be written."""
    try:
        return path.open("r+b")
    except PermissionError:
        return path.open("rb")


def _is_same(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _beside(target: Path) -> Generator[tuple[BinaryIO, Path]]:
    """Give a new file beside the target; it is deleted if it is still there at the end."""
    name = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with name.open("xb") as file:
            yield file, name
    finally:
        name.unlink(missing_ok=True)


def _put(name: Path, target: Path, existed: bool) -> bool:
    """Put the finished file into place; False if another process has put one where none was."""
    if not existed:
        try:
            os.link(name, target)
            return True
        except FileExistsError:
            return False
        except OSError:
            pass  # a file system without links
    name.replace(target)
    return True


def _write(file: BinaryIO, contents: Iterable[Content]) -> int:
    """Write an archive: the entries to another file first, as the index tells their hashes."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryFile(dir=Path(file.name).parent) as parts:
        for content in contents:
            data = content.read()
            if data is None:
                continue
            packed = zlib.compress(data, 1)
            rows.append(_row(content, len(data), packed, parts.tell()))
            parts.write(packed)
        index = json.dumps({"weft": weft.__version__, "entries": rows}).encode() + b"\n"
        head = _MAGIC + b"%d\n" % _FORMAT + f"{hashlib.sha256(index).hexdigest()} {len(index)}\n".encode()
        file.write(head + index)
        parts.seek(0)
        shutil.copyfileobj(parts, file)
    file.flush()
    os.fsync(file.fileno())
    return file.tell()


def _row(content: Content, size: int, packed: bytes, offset: int) -> dict[str, Any]:
    """Return what the index says of an entry."""
    cache, key = content.place
    return {
        "cache": cache,
        "key": key,
        "label": {name: value for name, value in asdict(content.label).items() if value},
        "size": size,
        "packed": len(packed),
        "offset": offset,
        "sha256": hashlib.sha256(packed).hexdigest(),
    }
