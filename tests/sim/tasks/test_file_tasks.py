"""Files: modes, characters, lines, binary data, positions, ends and errors, as C and Icarus Verilog have them."""

import errno

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import Memory, TaskHost, integer
from weft.sim.format_arguments import Value


@pytest.fixture
def host():
    host = TaskHost()
    yield host
    host.state.files.close_all()


def opened(host, path, mode):
    file = host.call("$fopen", str(path), mode)
    assert file & 0x80000000
    return integer(file)


def test_modes(host, tmp_path):
    path = tmp_path / "f"
    assert host.call("$fopen", str(path), "r") == 0
    assert host.perform("$ferror", integer(0), "")[1].outputs[1] == "No such file or directory"
    for mode, before, after in (
        ("w", "", "x"),
        ("a", "x", "xx"),
        ("r+", "xx", "xx"),
        ("wb", "", "x"),
        ("ab+", "x", "xx"),
    ):
        file = opened(host, path, mode)
        assert path.read_text() == before
        host.call("$fwrite", file, "x")
        host.call("$fclose", file)
        assert path.read_text() == after, mode
    assert host.call("$fopen", str(path), "rw") == 0
    assert host.call("$fopen", str(path), "w+bb") == 0
    assert host.call("$fopen", str(tmp_path), "r") == 0
    assert host.said == (
        "WARNING: t.v:1: $fopen's mode argument (rw) is invalid.\n"
        "WARNING: t.v:1: $fopen's mode argument (w+bb) is too long.\n"
    )


def test_channels_run_out(host, tmp_path):
    channels = [host.call("$fopen", str(tmp_path / str(i))) for i in range(31)]
    assert channels == [1 << bit for bit in range(1, 31)] + [0]
    host.call("$fclose", integer(channels[3]))
    assert host.call("$fopen", str(tmp_path / "again")) == channels[3]
    host.call("$fdisplay", integer(0x7FFFFFFE), "all")
    host.call("$fflush")
    assert {(tmp_path / str(i)).read_text() for i in range(30)} == {"all\n", ""}


def test_characters_and_ends(host, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"ab\xff")
    file = opened(host, path, "r")
    assert [host.call("$fgetc", file) for _ in range(3)] == [97, 98, 255]
    assert host.call("$feof", file) == 0  # nobody has read beyond it yet
    assert host.call("$fgetc", file) == -1
    assert host.call("$feof", file) == 1
    assert host.call("$ungetc", integer(120), file) == 0
    assert host.call("$feof", file) == 0
    assert host.call("$ftell", file) == 2
    assert host.call("$fgetc", file) == 120
    assert host.call("$fseek", file, integer(-2), integer(2)) == 0
    assert host.call("$fgetc", file) == 98
    assert host.call("$rewind", file) == 0
    assert host.call("$fgetc", file) == 97
    assert host.call("$fseek", file, integer(0), integer(7)) == -1
    assert host.call("$fseek", file, integer(-9), integer(0)) == -1


def test_writing_and_reading_one_file(host, tmp_path):
    file = opened(host, tmp_path / "f", "w+")
    host.call("$fwrite", file, "hello")
    host.call("$rewind", file)
    assert host.call("$fgetc", file) == ord("h")
    host.call("$fseek", file, integer(0), integer(1))
    host.call("$fwrite", file, "E")
    host.call("$fclose", file)
    assert (tmp_path / "f").read_text() == "hEllo"


def test_lines(host, tmp_path):
    (tmp_path / "f").write_text("first\nsecond line\n\nlast")
    file = opened(host, tmp_path / "f", "r")
    count, call = host.perform("$fgets", integer(0, 64, False), file)
    assert (count, call.outputs[0]) == (6, Value(64, int.from_bytes(b"first\n", "big")))
    count, call = host.perform("$fgets", integer(0, 64, False), file)
    assert (count, call.outputs[0].value.to_bytes(8, "big")) == (8, b"second l")
    lines = [host.perform("$fgets", "", file)[1].outputs.get(0) for _ in range(4)]
    assert lines == ["ine\n", "\n", "last", None]


def test_binary_data(host, tmp_path):
    (tmp_path / "f").write_bytes(bytes(range(1, 12)))
    file = opened(host, tmp_path / "f", "rb")
    count, call = host.perform("$fread", integer(0, 20, False), file)
    assert (count, call.outputs[0]) == (3, Value(20, 0x10203 & 0xFFFFF))
    memory = Memory(3, 0, 16)
    assert host.call("$fread", memory, file, integer(1), integer(2)) == 4
    assert memory.numbers() == ["x", 0x0405, 0x0607, "x"]
    assert host.call("$fread", memory, file) == 4
    assert memory.numbers() == [0x0809, 0x0A0B, 0x0607, "x"]
    assert host.call("$fread", memory, file, integer(5)) == 0
    host.call("$rewind", file)
    assert host.call("$fread", memory, file, integer(2), integer(9)) == 4
    assert host.said == (
        "WARNING: t.v:1: $fread's start argument (5) is outside memory range [3:0].\n"
        "WARNING: t.v:1: $fread's count argument (9) is too large for start (2) and memory range [3:0].\n"
    )


def test_descriptors_that_are_not_open(host):
    results = [host.call(name, integer(0x80000005)) for name in ("$fgetc", "$ftell", "$rewind", "$feof")]
    assert results == [-1, -1, -1, 1]
    assert host.said.count("invalid file descriptor (0x80000005) given to") == 4
    host.call("$fclose", integer(0x80000001))
    assert host.said == "WARNING: t.v:1: could not close file descriptor STDOUT (0x80000001) in $fclose().\n"


def test_errors_of_a_file(host, tmp_path):
    (tmp_path / "f").write_text("x")
    file = opened(host, tmp_path / "f", "r")
    host.call("$fwrite", file, "y")
    code, call = host.perform("$ferror", file, integer(0, 640, False))
    assert code == errno.EBADF
    assert call.outputs[1].value.to_bytes(80, "big").strip(b"\0") == b"Bad file descriptor"


def test_closing_ends_monitors(host, tmp_path):
    file = opened(host, tmp_path / "f", "w")
    host.call("$fclose", file)
    (matches,) = host.cancelled
    assert matches(file.value) and not matches(2)


@pytest.mark.peer
@needs_icarus
def test_as_icarus(host, tmp_path, monkeypatch):
    """One program through both: files written, read back in every way, and positions."""
    monkeypatch.chdir(tmp_path)
    source = """module t; integer f, c; reg [8*5:1] r; reg [7:0] m [2:6]; reg [11:0] w; initial begin
        f = $fopen("d", "w"); $fwrite(f, "line one\\nl2\\n\\nabcdefghij"); $fclose(f);
        f = $fopen("d", "r");
        repeat (8) begin c = $fgets(r, f); $display("%0d [%s] %0d %0d", c, r, $ftell(f), $feof(f)); end
        c = $rewind(f); c = $fread(m, f, 3, 3); $display("%0d %h %h %h %h %h", c, m[2], m[3], m[4], m[5], m[6]);
        c = $fread(w, f); $display("%0d %h", c, w);
        c = $fseek(f, -3, 2); c = $fread(m, f);
        $display("%0d %h %h %h %h %h %0d", c, m[2], m[3], m[4], m[5], m[6], $feof(f));
        c = $ungetc(81, f); $display("%0d %0d", c, $fgetc(f));
        end endmodule"""
    lines = run_icarus(tmp_path, source).splitlines()
    mine = []
    (tmp_path / "d").unlink()
    file = opened(host, "d", "w")
    host.call("$fwrite", file, "line one\nl2\n\nabcdefghij")
    host.call("$fclose", file)
    file = opened(host, "d", "r")
    line = integer(0, 40, False)
    for _ in range(8):
        count, call = host.perform("$fgets", line, file)
        line = call.outputs.get(0, line)
        host.call("$write", "[%s]", line)
        mine.append(f"{count} {host.said} {host.call('$ftell', file)} {host.call('$feof', file)}")
    memory = Memory(2, 6, 8)
    host.call("$rewind", file)
    count = host.call("$fread", memory, file, integer(3), integer(3))
    mine.append(" ".join([str(count), *(f"{n:02x}" if n != "x" else "xx" for n in memory.numbers())]))
    count, call = host.perform("$fread", integer(0, 12, False), file)
    mine.append(f"{count} {call.outputs[0].value:03x}")
    host.call("$fseek", file, integer(-3), integer(2))
    count = host.call("$fread", memory, file)
    words = " ".join(f"{n:02x}" if n != "x" else "xx" for n in memory.numbers())
    mine.append(f"{count} {words} {host.call('$feof', file)}")
    mine.append(f"{host.call('$ungetc', integer(81), file)} {host.call('$fgetc', file)}")

    assert "\n".join(mine).split("\n") == lines
