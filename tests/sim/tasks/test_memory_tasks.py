"""Memory images: what is stored, what is written, and how complaints are worded."""

import io
import random

import pytest

from sim.tasks.icarus import needs_icarus, run_icarus
from sim.tasks.task_host import Memory, TaskHost, integer, unknown
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventSimulation
from weft.sim.format_arguments import Value


def load(text, tmp_path, *bounds, name="$readmemh", left=0, right=7, width=8):
    """Return the words after reading an image, and what was said."""
    host, memory = TaskHost(), Memory(left, right, width)
    (tmp_path / "image").write_text(text)
    host.call(name, str(tmp_path / "image"), memory, *map(integer, bounds))
    return memory.numbers(), host.said.replace(str(tmp_path) + "/", "")


def test_words_addresses_and_comments(tmp_path):
    words, said = load("1 /* two */ 2 // rest\n@5 ff @4\n1_2", tmp_path)
    assert words == [1, 2, "x", "x", 0x12, 0xFF, "x", "x"]
    assert said == ""


def test_ranges(tmp_path):
    assert load("1 2 3", tmp_path, 4, 2) == (["x", "x", 3, 2, 1, "x", "x", "x"], "")
    words, said = load("1 2 3 4", tmp_path, 6)
    assert words[6:] == [1, 2]
    assert said == "WARNING: t.v:1: $readmemh(image): Too many words in the file for the requested range [6:7].\n"
    words, said = load("1", tmp_path, 1, 2)
    assert said == "WARNING: t.v:1: $readmemh(image): Not enough words in the file for the requested range [1:2].\n"
    words, said = load("1", tmp_path, 1, 9)
    assert words == ["x"] * 8
    assert said == "ERROR: t.v:1: $readmemh: Finish address 9 is out of bounds for memory 't.m[0:7]'!\n"


def test_declared_downwards_is_filled_upwards(tmp_path):
    words, said = load("1 2 3 4", tmp_path, left=3, right=0)
    assert words == [1, 2, 3, 4]
    assert "changed in the 1364-2005 standard" in said


def test_malformed_images(tmp_path):
    words, said = load("12 3g 4", tmp_path)
    assert words[:3] == [0x12, 3, "x"]
    assert said == "ERROR: t.v:1: $readmemh(image): Invalid input character: g\n"
    assert load("102", tmp_path, name="$readmemb")[1].endswith("Invalid input character: 2\n")
    assert "address (0x99) is out of range [0x0:0x7]" in load("@99 1", tmp_path)[1]
    assert "Excess hex digits (2 of '1234') while reading 8-bit words." in load("1234", tmp_path)[1]
    assert load("1 /* open", tmp_path)[0][0] == 1


def test_files_that_are_not_there(tmp_path):
    host, memory = TaskHost(), Memory(0, 3, 8)
    host.call("$readmemh", "nowhere", memory)
    assert host.said == "ERROR: t.v:1: $readmemh: Unable to open nowhere for reading.\n"
    host.call("$writememh", str(tmp_path / "no" / "file"), memory)
    assert "for writing" in host.said
    host.call("$readmemh", "x", memory, unknown())
    assert "Start address is undefined" in host.said
    host.call("$readmemh", "x", integer(0))
    assert host.finished == 1


def test_search_path(tmp_path):
    (tmp_path / "image").write_text("7 6")
    host, memory = TaskHost(), Memory(0, 1, 8)
    host.call("$readmempath", f"{tmp_path}:/nowhere/at/all")
    assert 'could not find directory "/nowhere/at/all"' in host.said
    host.call("$readmemh", "image", memory)
    assert memory.numbers() == [7, 6]


def test_writing(tmp_path):
    host, memory = TaskHost(), Memory(0, 17, 6)
    for index in range(17):
        memory.set(index, Value(6, index))
    memory.set(16, Value(6, 0b110011, 0b010001))
    host.call("$writememh", str(tmp_path / "out"), memory, integer(15), integer(17))
    assert (tmp_path / "out").read_text() == "// 0x00000000\n0f\nZZ\nxx\n"
    host.call("$writememb", str(tmp_path / "out"), memory)
    lines = (tmp_path / "out").read_text().splitlines()
    assert lines[0] == "// 0x00000000" and lines[17] == "// 0x00000010" and lines[1] == "000000"


@pytest.mark.peer
@needs_icarus
def test_as_icarus(tmp_path, monkeypatch):
    """Random images, good and bad, with random bounds: the same words, and the same complaints."""
    monkeypatch.chdir(tmp_path)
    choose = random.Random(11)
    lines, expected = [], []
    pieces = ["1", "0", "x", "Z1", "1_0", "@2", "@9", "11", "101", "f", "// c\n", "/* c */", "\n", "2", "g", "00000001"]
    for case in range(150):
        text = " ".join(choose.choice(pieces) for _ in range(choose.randint(1, 7)))
        (tmp_path / f"i{case}").write_text(text)
        name = choose.choice(["$readmemh", "$readmemb"])
        bounds = [choose.randint(0, 5) for _ in range(choose.choice([0, 0, 1, 2]))]
        left, right = choose.choice([(1, 5), (5, 1)])
        memory = "u" if left == 1 else "d"
        shown = "".join(f", {b}" for b in bounds)
        lines.append(f'for (i = 1; i < 6; i = i + 1) {memory}[i] = 7; {name}("i{case}", {memory}{shown});')
        lines.append(" ".join(f'$writeb({memory}[{i}], " ");' for i in range(1, 6)) + ' $display("|");')
        mine = Memory(left, right, 5, f"t.{memory}")
        for index in range(1, 6):
            mine.set(index, Value(5, 7))
        host = TaskHost()
        host.call(name, f"i{case}", mine, *map(integer, bounds))
        for index in range(1, 6):
            host.call("$writeb", mine.get(index), " ")
        host.call("$display", "|")
        expected.append(host.said)
    body = "\n".join(lines)
    source = f"module t; integer i; reg [4:0] u [1:5], d [5:1]; initial begin\n{body}\nend endmodule\n"
    got = run_icarus(tmp_path, source)

    def compared(text):
        """Leave out places and what Icarus Verilog 11 does not say, or says in other words than later ones."""
        said = (part.partition(": $")[2] or part for part in text.splitlines())
        return [line for line in said if "Excess" not in line and "1364-2005" not in line]

    assert compared("".join(expected)) == compared(got)


@pytest.mark.parametrize("width", [3, 8, 12, 33, 64, 70])
@pytest.mark.parametrize("watched", [False, True])
def test_images_of_plain_words_fill_memories_at_once(width, watched, tmp_path):
    """Elements of all sizes, in a running design, from an address up, whether or not something waits for them."""
    source = random.Random(width)
    values = [source.getrandbits(width) for _ in range(20)]
    (tmp_path / "image").write_text("\n".join(f"{value:x}" for value in values))
    text = f"""
        module t;
          reg [{width - 1}:0] m [4:30]; integer i;
          {"always @(m[7]) $display(m[7]);" if watched else ""}
          initial begin
            #1 $readmemh("{tmp_path}/image", m, 6, 25);
            #1 for (i = 5; i < 27; i = i + 1) $display("%h", m[i]);
          end
        endmodule
        """
    out = io.BytesIO()
    assert EventSimulation(load_design(texts={"t.sv": text}), out).run() == 0
    digits = -(-width // 4)
    shown = ["x" * digits, *(f"{value:0{digits}x}" for value in values), "x" * digits]
    assert out.getvalue().decode().split() == [*([str(values[1])] if watched else []), *shown]


def test_plain_words_that_are_too_wide_are_cut(tmp_path):
    words, said = load("7f 1ff", tmp_path, 0, 1, width=9)
    assert (words[:2], said) == ([0x7F, 0x1FF], "")
    words, said = load("fff 001", tmp_path, 0, 1, width=9)
    assert (words[:2], said) == ([0x1FF, 1], "")
