"""The prompt of `$stop`, driven by text."""

import io

import pytest

from weft.apps.stop_prompt import StopPrompt

TREE = {"": ["t"], "t": ["u", "v"], "t.u": [], "t.v": ["w"], "t.v.w": []}
VALUES = {"t.clk": "1", "t.n": "8'h0x", "t.u.q": "3"}


class Stopped:
    def __init__(self, steps: int = 9) -> None:
        self.left = steps
        self.time = 40

    def time_text(self):
        return f"{self.time} ns"

    def scopes(self, path):
        return TREE.get(path)

    def signals(self, path):
        return [name.rpartition(".")[2] for name in VALUES if name.rpartition(".")[0] == path]

    def value_text(self, path):
        return VALUES.get(path)

    def processes(self):
        return ["tb.v:12 waits for a time"]

    def step(self, count):
        self.left -= count
        self.time += count
        return f"tb.v:{self.time}" if self.left >= 0 else None


def talk(*lines, scope="t", **options):
    """Return whether the simulation goes on, and what was said after the greeting."""
    out = io.StringIO()
    rest = iter(lines)

    def read(prompt):
        line = next(rest, None)
        if line is None:
            raise EOFError
        if line == "^C":
            raise KeyboardInterrupt
        return line

    going = StopPrompt(Stopped(**options), scope, read, out).run()
    greeting, *said = out.getvalue().splitlines()
    assert greeting.startswith(f"stopped at 40 ns in {scope};")
    return going, said


def test_ends():
    assert talk("cont") == (True, [])
    assert talk("finish") == (False, [])
    assert talk("q") == (True, ["'q' is no command", ""])
    assert talk("quit") == (False, [])
    assert talk("", "^C", "f") == (False, [""])
    assert talk() == (True, [""])


def test_looking():
    assert talk("print clk t.u.q nothing", "cont")[1] == ["clk = 1", "t.u.q = 3", "there is no signal 'nothing' in t"]
    assert talk("p", "c")[1] == ["clk = 1", "n = 8'h0x"]
    assert talk("where", "time", "c")[1] == ["t", "  tb.v:12 waits for a time", "40 ns"]
    assert "step [N]      go on for one statement, or for N" in talk("help", "c")[1]


def test_moving():
    assert talk("scope u", "print q", "c")[1] == ["t.u", "  q", "q = 3"]
    assert talk("scope v.w", "cd ..", "ls", "c")[1] == ["t.v.w", "t.v", "  w/", "t.v", "  w/"]
    assert talk("scope $root", "scope t.u", "scope q", "c")[1] == [
        "(the top)", "  t/", "t.u", "  q", "there is no scope 'q' in t.u",
    ]  # fmt: skip


def test_stepping():
    assert talk("step", "s 3", "step x", "c")[0] is True
    assert talk("step", "step 3", "step 0", "c")[1] == [
        "41 ns: tb.v:41",
        "44 ns: tb.v:44",
        "'0' is no number of statements",
    ]
    assert talk("step 5", "step 5", steps=6) == (True, ["45 ns: tb.v:45", "the simulation has ended"])


@pytest.mark.parametrize("word", ["x", "sc", "t", "s"])
def test_short_commands(word):
    _, said = talk(word, "c")
    expected = {"x": "'x' is no command", "sc": "t", "t": "40 ns", "s": "'s' may be step or scope"}
    assert said[0] == expected[word]
