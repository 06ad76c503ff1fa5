"""Archives: another machine starts warm from one, and nothing that is damaged or does not fit is ever used."""

import contextlib
import errno
import json
import os
import platform
import subprocess
import sys
import threading
import types
from random import Random

import pytest

import weft
from weft.base.cache_label import Label, entry_key, parse_label
from weft.engines.cpu import jit
from weft.engines.cpu.object_cache import ObjectCache
from weft.sim import archive_file, archives, fit_entries
from weft.sim.archive_file import ArchiveFile, DamagedEntry
from weft.sim.design_cache import compiler_version
from weft.sim.fit_entries import explain_misfit, misfit

TOP = """`include "step.vh"
module top(input clk, output reg [7:0] q = 0);
  always @(posedge clk) q <= q + `STEP;
endmodule
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Give a function that moves to a machine: a working folder and a cache of its own."""

    def move(name):
        folder = tmp_path / name
        if not folder.exists():
            (folder / "inc").mkdir(parents=True)
            (folder / "inc" / "step.vh").write_text("`define STEP 3\n")
            (folder / "top.v").write_text(TOP)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("WEFT_CACHE_DIR", str(folder / "cache"))
        fit_entries.present_labels.cache_clear()
        return folder

    move("one")
    yield move
    fit_entries.present_labels.cache_clear()


def simulate(cycles=4):
    sim = weft.compile("top.v", top="top", include_dirs=["inc"])
    sim.engine.program.compile_edges([sim.clocks[0].clock.state])
    sim.run_cycles(cycles)
    assert sim.peek("q") == 3 * cycles
    return sim


def was_warm(sim):
    return "load from cache" in sim.build_seconds and "parse and elaborate" not in sim.build_seconds


def forbid_compiling(monkeypatch):
    monkeypatch.setattr(jit, "compile_object", None)


def harvest(tmp_path):
    path = tmp_path / "top.weftar"
    with weft.archive.harvest(path) as report:
        simulate()
    assert report.taken and report.bytes == path.stat().st_size and not report.lines
    return path


def test_another_machine_starts_warm_after_load(machine, tmp_path, monkeypatch):
    path = harvest(tmp_path)
    machine("two")
    report = weft.archive.load(path)
    assert report.taken == len(weft.archive.entries(path)) and not report.lines
    assert weft.archive.load(path).present == report.taken, "and again: all is there"
    forbid_compiling(monkeypatch)
    assert was_warm(simulate()) and was_warm(simulate())


def test_an_archive_can_be_used_in_place(machine, tmp_path, monkeypatch):
    path = harvest(tmp_path)
    two = machine("two")
    with monkeypatch.context() as patch:
        forbid_compiling(patch)
        with weft.archive.use(path) as report:
            assert was_warm(simulate())
        assert report.taken > 3
        assert was_warm(simulate()), "what was taken is in the cache now"
    (two / "inc" / "step.vh").write_text("`define STEP 30/10\n")
    machine("three")
    (tmp_path / "three" / "inc" / "step.vh").write_text("`define STEP 30/10\n")
    with weft.archive.use(path):
        assert not was_warm(simulate()), "other sources"


def test_a_new_file_in_a_searched_folder_is_seen(machine, tmp_path):
    path = harvest(tmp_path)
    two = machine("two")
    (two / "inc" / "more.vh").write_text("")
    with weft.archive.use(path):
        assert not was_warm(simulate())


def test_the_whole_cache(machine, tmp_path, monkeypatch):
    simulate()
    path = tmp_path / "all.weftar"
    report = weft.archive.save(path)
    kinds = {entry.label.kind for entry in weft.archive.entries(path)}
    assert kinds == {"object", "units", "design", "index"} and report.taken == len(weft.archive.entries(path))
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    machine("two")
    weft.archive.load(path)
    forbid_compiling(monkeypatch)
    assert was_warm(simulate())


def test_harvests_add_up(machine, tmp_path):
    path = harvest(tmp_path)
    first = {entry.place for entry in weft.archive.entries(path)}
    with weft.archive.harvest(path):
        weft.compile("top.v", top="top", include_dirs=["inc"], defines={"OTHER": 1})
    second = {entry.place for entry in weft.archive.entries(path)}
    assert first < second
    with weft.archive.harvest(path, add=False):
        weft.compile("top.v", top="top", include_dirs=["inc"], defines={"OTHER": 1})
    assert {entry.place for entry in weft.archive.entries(path)} < second


def positions(path):
    """Return a place in each part of the file: magic, hash, index, and the data of each entry."""
    found = {"magic": 3, "hash": 20, "table": 200}
    return found | {entry.label.kind: entry.offset + entry.packed // 2 for entry in weft.archive.entries(path)}


@pytest.mark.parametrize("where", ["magic", "hash", "table", "object", "design", "units"])
def test_damage_is_found_and_never_used(machine, tmp_path, where):
    path = harvest(tmp_path)
    data = bytearray(path.read_bytes())
    data[positions(path)[where]] ^= 0x10
    path.write_bytes(data)
    machine("two")
    if where in ("magic", "hash", "table"):
        for work in (weft.archive.load, weft.archive.verify, weft.archive.entries, weft.archive.prune):
            with pytest.raises(weft.UserError, match="bad-archive"):
                work(path)
        return
    report = weft.archive.verify(path)
    assert report.damaged == 1 and len(report.lines) == 1
    assert f"the {where} entry" in report.lines[0] and report.lines[0].endswith("is damaged: to be compiled again")
    said = []
    with weft.archive.use(path, said.append):
        simulate()
    assert said == report.lines
    machine("three")
    assert weft.archive.load(path).lines == report.lines
    simulate()
    before = len(weft.archive.entries(path))
    assert weft.archive.prune(path).taken == before - 1 and not weft.archive.verify(path).damaged


def test_any_damage_is_found(machine, tmp_path):
    """Whatever byte is changed, what is loaded is what was saved; nothing but a UserError is raised."""
    path = harvest(tmp_path)
    data = path.read_bytes()
    with ArchiveFile(path) as archive:
        good = {place: archive.read(entry) for place, entry in archive.entries.items()}
    random = Random(4)
    for number in range(150):
        changed, at = bytearray(data), random.randrange(len(data))
        changed[at] ^= 1 << random.randrange(8)
        (tmp_path / "bad.weftar").write_bytes(changed[: at + 1] if number % 10 == 0 else changed)
        try:
            report = weft.archive.verify(tmp_path / "bad.weftar")
        except weft.UserError as error:
            assert error.code == "bad-archive"
            continue
        assert report.damaged
        with ArchiveFile(tmp_path / "bad.weftar") as archive:
            assert set(archive.entries) == set(good)
            for place, entry in archive.entries.items():
                with contextlib.suppress(DamagedEntry):
                    assert archive.read(entry) == good[place]


def test_other_files_are_not_overwritten(machine, tmp_path):
    source = (tmp_path / "one" / "top.v").read_text()
    message = r"'top\.v' is no archive of Weft, and is left as it is \[bad-archive\]"
    with pytest.raises(weft.UserError, match=message):
        weft.archive.save("top.v")
    with pytest.raises(weft.UserError, match=message), weft.archive.harvest("top.v"):
        raise AssertionError("it is said before anything is done")
    assert (tmp_path / "one" / "top.v").read_text() == source
    (tmp_path / "empty.weftar").write_text("")
    weft.archive.save(tmp_path / "empty.weftar")
    assert weft.archive.verify(tmp_path / "empty.weftar").damaged == 0


@pytest.mark.parametrize("part", [0, 1, 30, 90, 0.3, 0.9])
def test_a_part_of_an_archive_is_damaged(machine, tmp_path, part):
    path = harvest(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: part if isinstance(part, int) else int(len(data) * part)])
    machine("two")
    try:
        assert weft.archive.load(path).damaged > 0
    except weft.UserError as error:
        assert error.code == "bad-archive"
    simulate()


def test_messages_about_files(machine, tmp_path):
    for name, text, message in (
        ("text", b"hello\n", "is no archive of Weft"),
        ("new", b"WEFTARCHIVE 7\n", "has format 7; this version of Weft reads format 1"),
        ("line", b"WEFTARCHIVE 1\nx\n", "is damaged: its second line cannot be read"),
        ("cut", b"WEFTARCHIVE 1\n" + b"0" * 64 + b" 5\n{}", "is damaged: its index does not match its hash"),
    ):
        (tmp_path / name).write_bytes(text)
        with pytest.raises(weft.UserError) as error:
            weft.archive.load(tmp_path / name)
        assert str(error.value) == f"error: '{tmp_path / name}' {message} [bad-archive]"
    with pytest.raises(
        weft.UserError, match=r"cannot read the archive 'none': No such file or directory \[no-such-file"
    ):
        weft.archive.load("none")


def test_another_version_is_told_and_made_again(machine, tmp_path, monkeypatch):
    path = harvest(tmp_path)
    machine("two")
    old = Label("design", "weft 0.0.1 abc")
    monkeypatch.setattr("weft.sim.design_cache.present_label", lambda: old)
    monkeypatch.setattr("weft.sim.design_cache.compiler_version", lambda: "abc")
    monkeypatch.setattr("weft.sim.compile_design.compiler_version", lambda: "abc")
    said = []
    with weft.archive.use(path, said.append):
        assert not was_warm(simulate())
    made = f"made by weft {weft.__version__} {compiler_version()[:12]}, and this is weft 0.0.1 abc"
    assert sorted(said) == [
        f"1 design entry of '{path}' is {made}: to be compiled again",
        f"1 index entry of '{path}' is {made}: to be compiled again",
    ]
    report = weft.archive.prune(path)
    assert report.lines == [f"dropped, {made}: 2"] and report.taken == len(weft.archive.entries(path))


def test_code_for_another_cpu_is_told_and_made_again(machine, tmp_path, monkeypatch):
    here = jit.present_label()
    wide = Label("object", here.compiler, "x86_64 wide", f"{here.features},+avx1024,+b1,+b2,+b3,+b4")
    with monkeypatch.context() as patch:
        patch.setattr(jit, "present_label", lambda: wide)
        path = harvest(tmp_path)
    machine("two")
    count = sum(entry.label.kind == "object" for entry in weft.archive.entries(path))
    assert count > 2
    said = []
    with weft.archive.use(path, said.append):
        simulate()
    assert said == [
        f"{count} object entries of '{path}' are for x86_64 wide with avx1024, b1, b2, b3 and 1 more, "
        f"which {here.device} lacks: to be compiled again"
    ]
    report = weft.archive.load(path)
    assert report.lines == said
    store = ObjectCache()
    assert not any(store.entry(key)[0].device == "x86_64 wide" for key in store.all_keys())
    assert weft.archive.prune(path).taken == len(weft.archive.entries(path)), "another CPU's code is no waste"
    weft.archive.prune(path, here=True)
    assert {entry.label.kind for entry in weft.archive.entries(path)} == {"design", "index", "units"}


@pytest.mark.skipif(
    "x86-64-v2" not in jit.LEVELS or platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 only"
)
def test_code_for_a_level_of_cpus(machine, tmp_path, monkeypatch):
    """It is made and used wherever WEFT_CPU names the level; one that this CPU does not have is refused."""
    for function in (jit.host, jit.present_label):
        function.cache_clear()
    monkeypatch.setenv("WEFT_CPU", "x86-64-v2")
    try:
        path = harvest(tmp_path)
        label = next(entry.label for entry in weft.archive.entries(path) if entry.label.kind == "object")
        assert label.device.endswith(" x86-64-v2") and "+sse4.2" in label.features and "avx" not in label.features
        machine("two")
        with weft.archive.use(path) as report, monkeypatch.context() as patch:
            forbid_compiling(patch)
            assert was_warm(simulate()) and not report.lines
        for level, message in (
            ("386", "WEFT_CPU=386: choose one of x86-64-v2, x86-64-v3, x86-64-v4, or none for this CPU"),
            ("x86-64-v9", "WEFT_CPU=x86-64-v9: this CPU lacks avx9000"),
        ):
            monkeypatch.setenv("WEFT_CPU", level)
            jit.host.cache_clear()
            jit.present_label.cache_clear()
            with monkeypatch.context() as patch, pytest.raises(weft.UserError) as error:
                if level != "386":
                    patch.setitem(jit.LEVELS, level, ("sse3", "avx9000"))
                simulate()
            assert error.value.message == message
    finally:
        jit.host.cache_clear()
        jit.present_label.cache_clear()


def test_entries_of_other_engines_travel_too(machine, tmp_path, monkeypatch):
    """An engine gives its entries labels and keys, and is otherwise unknown here."""
    label = Label("spirv", "llvm 22, some assembler 13.0", "model 90", note="soc, 65,536 lanes")
    key = entry_key(label, "digest of the text", "options")
    path = tmp_path / "gpu.weftar"
    with weft.archive.harvest(path):
        ObjectCache().store(key, b"code", label)
    machine("two")
    assert ObjectCache().load(key) is None
    with weft.archive.use(path):
        assert ObjectCache().load(key) == b"code"
    machine("three")
    monkeypatch.setitem(fit_entries._PRESENT, "spirv", ("weft.test_devices", "present_labels"))
    module = types.ModuleType("weft.test_devices")
    monkeypatch.setitem(sys.modules, "weft.test_devices", module)
    module.present_labels = list  # the engine finds no device
    assert weft.archive.load(path).lines == [
        f"1 spirv entry of '{path}' is for model 90, and there is no such device here: to be compiled again"
    ]
    fit_entries.present_labels.cache_clear()
    module.present_labels = lambda: [Label("spirv", label.compiler, each) for each in ("model 80", "model 90")]
    assert weft.archive.load(path).taken == 1


def test_nothing_waits_for_gpus_but_their_code(machine, tmp_path, monkeypatch):
    """Which there are takes their driver long to say, and is told as soon as it matters, or at the end."""
    label = Label("spirv", "llvm 22, some assembler 13.0", "model 90")
    path, key = tmp_path / "gpu.weftar", entry_key(label, "text")
    with weft.archive.harvest(path):
        ObjectCache().store(key, b"code", label)
    machine("two")
    known, module, told = threading.Event(), types.ModuleType("weft.test_devices"), []
    monkeypatch.setattr(archives, "SLOW", frozenset({"spirv"}))
    monkeypatch.setitem(fit_entries._PRESENT, "spirv", ("weft.test_devices", "present_labels"))
    monkeypatch.setitem(sys.modules, "weft.test_devices", module)
    module.present_labels = lambda: [label] if known.wait(60) else []
    with weft.archive.use(path, told.append) as report:
        assert ObjectCache().load("0" * 64) is None  # an entry that is not there waits for nothing
        known.set()
        assert ObjectCache().load(key) == b"code"
    assert (report.lines, told) == ([], [])
    machine("three")
    fit_entries.present_labels.cache_clear()
    known.clear()
    module.present_labels = lambda: [] if known.wait(60) else [label]
    with weft.archive.use(path, told.append) as report:
        assert not told
        known.set()
    assert (
        told
        == report.lines
        == [f"1 spirv entry of '{path}' is for model 90, and there is no such device here: to be compiled again"]
    )


def test_reasons():
    here = Label("object", "llvm 20", "x86_64 zen", "+a,+b")
    assert explain_misfit(here, [here]) == ""
    assert explain_misfit(Label("object", "llvm 20", "x86_64 zen", "+a"), [here]) == "for a lesser x86_64 zen"
    other = Label("object", "llvm 20", "x86_64 lake", "+a,+b")
    assert explain_misfit(other, [here]) == "for x86_64 lake, and this is x86_64 zen"
    assert explain_misfit(other, [here, other]) == ""
    assert explain_misfit(other, []) == "for x86_64 lake, and there is no such device here"
    assert misfit(Label("a kind that nobody knows")) == ""


def test_labels_and_keys():
    label = Label("cubin", "llvm 20, ptxas 12.8", "sm_90", note="full")
    assert parse_label(label.dump()) == label
    assert entry_key(label, "text") == entry_key(Label("cubin", label.compiler, "sm_90"), "text")
    assert len({entry_key(label, "text"), entry_key(label, "te", "xt"), entry_key(Label("cubin"), "text")}) == 3
    for bad in (b"[]", b"{", b'{"kind": 1}', b'{"kind": "a", "x": "y"}'):
        with pytest.raises(ValueError, match=r"."):
            parse_label(bad)


def test_an_archive_that_cannot_be_written(machine, tmp_path, monkeypatch):
    simulate()
    with pytest.raises(
        weft.UserError, match=r"cannot write the archive 'no/a.weftar': No such file or dir.*cannot-write"
    ):
        weft.archive.save("no/a.weftar")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = harvest(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(archive_file.os, "fsync", full)
    with pytest.raises(weft.UserError, match=r"top\.weftar': No space left on device"):
        weft.archive.save(path)
    assert path.read_bytes() == before and [each.name for each in tmp_path.glob("*weftar*")] == ["top.weftar"]


def test_a_cache_that_cannot_be_written(machine, tmp_path, monkeypatch):
    path = harvest(tmp_path)
    two = machine("two")
    (two / "file").write_text("")
    monkeypatch.setenv("WEFT_CACHE_DIR", str(two / "file" / "cache"))
    with pytest.raises(weft.UserError, match=r"cannot write the cache '.*': Not a directory \[cannot-write\]"):
        weft.archive.load(path)
    forbid_compiling(monkeypatch)
    with weft.archive.use(path):
        assert was_warm(simulate()), "using it in place needs no folder"


def test_processes_that_add_at_once_lose_nothing(machine, tmp_path):
    """Each process adds a design of its own; all of them are there in the end."""
    code = (
        "import sys, weft\nwith weft.archive.harvest('../all.weftar'):\n"
        "    weft.compile('top.v', top='top', include_dirs=['inc'], defines={'N': sys.argv[1]})"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    report = weft.archive.verify(tmp_path / "all.weftar")
    assert not report.lines
    designs = [entry for entry in weft.archive.entries(tmp_path / "all.weftar") if entry.label.kind == "design"]
    assert len(designs) == 4 and {entry.label.note for entry in designs} == {"top"}
    assert [each.name for each in tmp_path.glob("*weftar*")] == ["all.weftar"]


def test_an_index_cannot_smuggle_sizes(machine, tmp_path):
    """An entry that unpacks to more than it says is damaged."""
    with pytest.raises(ValueError, match="size"):
        archive_file.unpack(__import__("zlib").compress(bytes(10_000_000)), 100)
    path = harvest(tmp_path)
    assert json.loads(path.read_bytes().split(b"\n")[2])["weft"] == weft.__version__
