"""Streams of containers (IEEE 1800-2023 11.4.14) against a model in Python: widths, blocks, unknown bits, the ends."""

from __future__ import annotations

import random

import pytest

from sim.event_runs import simulate


def digits(width: int, bits: int, unknown: int) -> str:
    """Return a vector as the digits of `%b`; an unknown bit is z if its bit is set."""
    shown = ("01", "xz")
    return "".join(shown[unknown >> i & 1][bits >> i & 1] for i in reversed(range(width)))


def turned(text: str, block: int) -> str:
    """Return a stream with its blocks, counted from the right, in opposite order."""
    if not block:
        return text
    parts = [text[max(end - block, 0) : end] for end in range(len(text), 0, -block)]
    return "".join(parts)


@pytest.mark.parametrize("width", [1, 3, 8, 16, 33, 64, 70, 130])
@pytest.mark.parametrize("four_state", [False, True])
def test_streams_agree_with_a_model(width: int, four_state: bool):
    rng = random.Random(width * 2 + four_state)
    count = 5
    items = [digits(width, rng.getrandbits(width), rng.getrandbits(width) if four_state else 0) for _ in range(count)]
    kind = "logic" if four_state else "bit"
    stream = "".join(items)
    lines: list[str] = []
    want: list[str] = []
    for block in (0, 1, 3, 8, 64, 100):
        operator = f"<<{block}" if block else ">>"
        for target in (7, 64, width * count + 9):
            got = turned(stream, block)
            want.append((got + "0" * target)[:target])
            lines.append(f'begin logic [{target - 1}:0] v; v = {{{operator}{{a}}}}; $display("%b", v); end')
        for other in (5, 8, 90):
            got = turned(stream, block)
            padded = got + "0" * (-len(got) % other)
            want.append(" ".join(padded[i : i + other] for i in range(0, len(padded), other)))
            show = 'foreach (q[i]) begin if (i) $write(" "); $write("%b", q[i]); end $display();'
            lines.append(f"begin logic [{other - 1}:0] q[$]; q = {{{operator}{{a}}}}; {show} end")
            want.append(want[-1].translate(str.maketrans("xz", "00")))
            lines.append(f"begin bit [{other - 1}:0] q[]; q = {{{operator}{{a}}}}; {show} end")
            lines.append(f"begin bit [{other - 1}:0] q[]; {{{operator}{{q}}}} = vector; {show} end")
            want.append(want[-1])
    text = f"""
    module test; {kind} [{width - 1}:0] a[] = '{{{", ".join(f"{width}'b{item}" for item in items)}}};
      logic [{width * count - 1}:0] vector = {width * count}'b{stream};
      initial begin {" ".join(lines)} end
    endmodule
    """
    assert simulate(text)[1] == want


def test_the_ends():
    text = """
    module test; byte e[], b[] = '{8'h12, 8'h34, 8'h56}, q[$:1], c[]; logic [15:0] v = '1;
      initial begin
        v = {>>{e}}; $display("%h", v); c = {>>{e}}; $display("%0d", c.size());
        q = {>>{b}}; $display("%p", q);
        b = {<<8{b}}; $display("%p", b);
        {>>{b}} = 16'h1234; $display("%p", b);
      end
    endmodule
    """
    assert simulate(text)[1] == ["0000", "0", "'{18, 52}", "'{86, 52, 18}", "'{18, 52}"]
