"""Archives of compiled designs, `weft.archive`: one file that makes the first start on another machine a warm one.

    weft.archive.save("all.weftar")                 # the whole cache
    with weft.archive.harvest("soc.weftar"):        # what is used inside: the design and its code of all tiers
        sim = weft.compile("soc.sv", top="soc")
        sim.run_cycles(1_000_000)
    weft.archive.load("soc.weftar")                 # into this user's cache
    with weft.archive.use("soc.weftar"):            # or look things up in it, without unpacking it
        sim = weft.compile("soc.sv", top="soc")

An archive has entries of the cache as they are (`base.cache_label`), so it knows nothing of engines. What is made by
another version, for another CPU or GPU, or damaged, is told in one line for each reason and compiled again; it is never
run. Its hashes find damage, not malice: load archives of people whose programs you would run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from weft.base.cache_label import Label
from weft.base.cache_layers import Place, journal, use_source
from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.engines.cpu.object_cache import ObjectCache, cache_folder
from weft.sim.archive_file import ArchiveEntry, ArchiveFile, Content, DamagedEntry, change_archive, check_target
from weft.sim.design_cache import portable_index
from weft.sim.fit_entries import SLOW, is_other_version, misfit

CACHES = ("objects", "designs")
_LOCAL = ("version",)
"""Kinds of entries that mean something on this machine only."""


@dataclass(slots=True)
class Report:
    """Say what came of an archive: how many entries were taken or are good, how many were there already; and a line
    for each reason why others were left out. `damaged` counts entries whose hash is wrong.
    """

    path: str
    taken: int = 0
    present: int = 0
    damaged: int = 0
    bytes: int = 0
    lines: list[str] = field(default_factory=list[str])


def _caches() -> dict[str, ObjectCache]:
    return {name: ObjectCache(cache_folder().parent / name, name=name) for name in CACHES}


# ------------------------------------------------------------------------------------------------------- writing


def save(path: str | Path, *, add: bool = False) -> Report:
    """Write everything in the cache that this version can use into an archive.

    `add` keeps what the archive has already. Raises `cannot-write`.
    """
    places = [(name, key) for name, store in _caches().items() for key in store.all_keys()]
    return save_places(path, places, add=add)


@contextmanager
def harvest(path: str | Path, *, add: bool = True) -> Generator[Report]:
    """Write all entries that are read or made inside into an archive at the end: designs, and code of all tiers.

    What the archive has already stays there unless `add` is false. The report is filled in at the end. Raises
    `cannot-write`; `bad-archive`, at once, if the file is no archive.
    """
    check_target(path)
    report = Report(str(path))
    with journal() as used:
        yield report
    saved = save_places(path, list(used), add=add)
    report.taken, report.bytes, report.lines = saved.taken, saved.bytes, saved.lines


def save_places(path: str | Path, places: Iterable[Place], *, add: bool) -> Report:
    """Write these entries, and the objects that lists of units among them name, into an archive."""
    report = Report(str(path))
    fresh = {content.place: content for content in _contents(places)}

    def change(old: ArchiveFile | None) -> Iterator[Content]:
        kept = old.entries.values() if add and old is not None else ()
        for entry in kept:
            if entry.place not in fresh:
                assert old is not None
                yield Content(entry.place, entry.label, partial(_read_or_tell, old, entry, report))
        yield from fresh.values()

    report.taken = len(fresh)
    report.bytes = change_archive(path, change)
    return report


def _read_or_tell(archive: ArchiveFile, entry: ArchiveEntry, report: Report) -> bytes | None:
    """Return an entry's data; None if it is damaged, which the report then tells."""
    try:
        return archive.read(entry)
    except DamagedEntry:
        report.damaged += 1
        report.lines.append(
            f"the {entry.label.kind} entry {entry.place[1][:12]} of '{report.path}' is damaged: to be compiled again"
        )
        return None


def _contents(places: Iterable[Place]) -> Iterator[Content]:
    """Return the entries to write; those that have gone meanwhile, or are no good here, are left out."""
    stores = _caches()
    seen: dict[Place, None] = {}
    work = list(places)
    while work:
        place = work.pop(0)
        if place in seen:
            continue
        seen[place] = None
        name, key = place
        entry = stores[name].entry(key) if name in stores else None
        if entry is None or entry[0].kind in _LOCAL or misfit(entry[0]):
            continue
        label, data = entry
        if label.kind == "units":
            work += [("objects", each) for each in _objects_of(data) if stores["objects"].has(each)]
        moved = portable_index(data) if label.kind == "index" else None
        if moved is not None:
            yield Content((name, moved[0]), label, partial(bytes, moved[1]))
        elif label.kind != "index":
            yield Content(place, label, partial(_data_of, stores[name], key))


def _data_of(store: ObjectCache, key: str) -> bytes | None:
    entry = store.entry(key)
    return None if entry is None else entry[1]


def _objects_of(units: bytes) -> list[str]:
    """Return the keys of all objects that a list of units can have, in every tier."""
    from weft.engines.cpu.jit import Compiler
    from weft.engines.cpu.unit_index import parse_units

    compiler = Compiler()
    return [key for unit in parse_units(units).values() for text in unit.texts for key in compiler.keys(text)]


# ------------------------------------------------------------------------------------------------------- reading


def load(path: str | Path) -> Report:
    """Put the entries of an archive that fit this machine and version into the cache.

    Raises `no-such-file`, `bad-archive`, and `cannot-write` if the cache cannot be written.
    """
    report = Report(str(path))
    stores = _caches()
    with ArchiveFile(path) as archive:
        report.lines = misfit_lines(archive)
        for entry, data in _good_entries(archive, report):
            name, key = entry.place
            store = stores.get(name)
            if store is None:
                continue
            if store.entry(key) is not None:
                report.present += 1
                continue
            try:
                store.put(key, entry.label, data)
            except OSError as error:
                message = f"cannot write the cache '{store.folder}': {error.strerror}"
                raise UserError("cannot-write", message) from error
            report.taken += 1
            report.bytes += len(data)
    for store in stores.values():
        store.sweep()
    return report


def _good_entries(archive: ArchiveFile, report: Report) -> Iterator[tuple[ArchiveEntry, bytes]]:
    for entry in archive.entries.values():
        data = None if misfit(entry.label) else _read_or_tell(archive, entry, report)
        if data is not None:
            yield entry, data


def misfit_lines(archive: ArchiveFile) -> list[str]:
    """Return a line for each reason why entries cannot be used here."""
    return _misfit_lines(str(archive.path), [entry.label for entry in archive.entries.values()])


def _misfit_lines(path: str, labels: Iterable[Label]) -> list[str]:
    reasons = Counter((misfit(label), label.kind) for label in labels)
    lines: list[str] = []
    for (reason, kind), count in reasons.items():
        if reason:
            what = f"{count} {kind} entries" if count > 1 else f"1 {kind} entry"
            lines.append(f"{what} of '{path}' {'are' if count > 1 else 'is'} {reason}: to be compiled again")
    return lines


@contextmanager
def use(path: str | Path, say: Callable[[str], None] | None = None) -> Generator[Report]:
    """Look entries up in an archive where the cache has none; `say` gets a line about what cannot be used.

    The report's counts grow as entries are taken. Raises `no-such-file` and `bad-archive`.
    """
    report = Report(str(path))
    with ArchiveFile(path) as archive:
        labels = [entry.label for entry in archive.entries.values()]
        slow = [label for label in labels if label.kind in SLOW]
        # What GPUs are here takes the driver tenths of a second to say; nothing waits for it but their code.
        late = _workers.submit(lambda: _misfit_lines(str(path), slow)) if slow else None
        source = _ArchiveSource(archive, report, say, late)
        report.lines = _misfit_lines(str(path), (label for label in labels if label.kind not in SLOW))
        source.tell()
        with use_source(source):
            yield report
        source.hear()


_workers = Workers("weft-archive", 1)


@dataclass(slots=True)
class _ArchiveSource:
    archive: ArchiveFile
    report: Report
    say: Callable[[str], None] | None
    late: Job[list[str]] | None = None
    """What cannot be used of the entries whose labels take long to compare."""
    _told: int = 0

    def find(self, place: Place) -> tuple[Label, bytes] | None:
        entry = self.archive.entries.get(place)
        if entry is not None and entry.label.kind in SLOW:
            self.hear()
        if entry is None or misfit(entry.label):
            return None
        data = _read_or_tell(self.archive, entry, self.report)
        self.tell()
        if data is None:
            del self.archive.entries[place]  # told once
            return None
        self.report.taken += 1
        self.report.bytes += len(data)
        return entry.label, data

    def hear(self) -> None:
        """Wait for what comes late, and tell it."""
        late, self.late = self.late, None
        if late is not None:
            self.report.lines += late.result()
            self.tell()

    def tell(self) -> None:
        """Say what the report has got since the last call."""
        while self.say is not None and self._told < len(self.report.lines):
            self._told += 1
            self.say(self.report.lines[self._told - 1])


# ------------------------------------------------------------------------------------------------------ looking


def entries(path: str | Path) -> list[ArchiveEntry]:
    """Return the entries of an archive. Raises `no-such-file` and `bad-archive`."""
    with ArchiveFile(path) as archive:
        return list(archive.entries.values())


def verify(path: str | Path) -> Report:
    """Check every hash of an archive, and say what this machine could not use; raises as `entries` does."""
    report = Report(str(path))
    with ArchiveFile(path) as archive:
        report.lines = misfit_lines(archive)
        for entry in archive.entries.values():
            data = _read_or_tell(archive, entry, report)
            if data is not None:
                report.taken += 1
                report.bytes += len(data)
    return report


def prune(path: str | Path, *, here: bool = False) -> Report:
    """Take out of an archive what is damaged or of another version; with `here` also what other devices need.

    `taken` are the entries that stay. Raises `no-such-file`, `bad-archive` and `cannot-write`.
    """
    entries(path)  # one that cannot be read is left as it is
    report = Report(str(path))

    def change(old: ArchiveFile | None) -> Iterator[Content]:
        if old is None:
            raise UserError("bad-archive", f"'{path}' has changed while it was read")
        dropped = Counter[str]()
        for entry in old.entries.values():
            if is_other_version(entry.label) or (here and misfit(entry.label)):
                dropped[misfit(entry.label)] += 1
            else:
                report.taken += 1
                yield Content(entry.place, entry.label, partial(_read_or_tell, old, entry, report))
        report.lines += [f"dropped, {reason}: {count}" for reason, count in dropped.items()]

    report.bytes = change_archive(path, change)
    report.taken -= report.damaged
    return report
