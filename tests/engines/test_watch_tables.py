"""How the watches of signals are laid out, and that an index wakes whom a walk over all watches wakes."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from events.run_events import run_events
from weft.engines.event import watch_tables
from weft.engines.event.records import (
    WATCH_ANY,
    WATCH_ENTRIES,
    WATCH_EVALUATE,
    WATCH_FALLS,
    WATCH_INDEX,
    WATCH_NEGEDGE,
    WATCH_NODE,
    WATCH_PART,
    WATCH_PLAIN,
    WATCH_POSEDGE,
    WATCH_RECORD,
    WATCH_RISES,
    WATCH_SIZE,
    WATCH_WHOLE,
)
from weft.engines.event.watch_tables import Entry, lay_out_watches


def word(place: int) -> int:
    return ctypes.c_uint64.from_address(place).value


def lists_at(place: int) -> list[int]:
    """Return the lists of the watches of an array."""
    return [word(place + WATCH_ENTRIES + WATCH_SIZE * i) for i in range(word(place) & 0xFFFFFFFF)]


def test_few_watches_are_one_array() -> None:
    entries: list[Entry] = [(100 + i, WATCH_POSEDGE, i, i + 1, 7) for i in range(5)]
    table, places = lay_out_watches({64: entries, 128: [(1, WATCH_RECORD, 0, 9, 0)]})
    assert isinstance(table, np.ndarray)
    assert lists_at(places[64]) == [100, 101, 102, 103, 104]
    assert word(places[64]) >> 32 == WATCH_POSEDGE
    assert word(places[128]) >> 32 == 7  # Whatever is no edge wants all changes.
    assert word(places[64] + WATCH_INDEX) == 0


def test_many_watches_of_bits_have_an_index() -> None:
    entries: list[Entry] = [(100 + i, WATCH_ANY, i // 2, i // 2 + 1, 0) for i in range(60)]
    entries.insert(30, (7, WATCH_ANY, 0, 40, 0))
    kept, places = lay_out_watches({64: entries})
    assert len(lists_at(places[64])) == 61
    index = word(places[64] + WATCH_INDEX)
    assert word(index) == 40
    assert lists_at(word(index + 8)) == [100, 101, 7]
    assert lists_at(word(index + 8 + 8 * 29)) == [7, 158, 159]
    assert lists_at(word(index + 8 + 8 * 39)) == [7]
    assert kept.nbytes < 20000


def test_edges_have_arrays_of_their_own_where_many_want_one_edge() -> None:
    kinds = [WATCH_POSEDGE, WATCH_ANY | WATCH_NODE, WATCH_POSEDGE | WATCH_NODE, WATCH_RECORD, WATCH_NEGEDGE]
    kinds += [WATCH_POSEDGE | WATCH_NEGEDGE, WATCH_POSEDGE]
    entries: list[Entry] = [(100 + i, kind, 0, 1, 0) for i, kind in enumerate(kinds)]
    kept, places = lay_out_watches({64: entries, 128: entries[4:]})
    assert lists_at(places[64]) == [100, 101, 102, 103, 104, 105, 106]
    assert word(places[64] + WATCH_RISES) == 0  # It would leave out one of them.
    assert lists_at(word(places[64] + WATCH_FALLS)) == [101, 103, 104, 105]
    assert word(places[128] + WATCH_RISES) == word(places[128] + WATCH_FALLS) == 0
    assert kept.nbytes < 1000


def plain_at(place: int, edge: int) -> list[int] | None:
    """Return what a change with an edge of bit 0 makes ready, if no watch has to be looked at."""
    at = word(place + WATCH_PLAIN + 8 * edge)
    found: list[int] = []
    while at and word(at):
        found.append(word(at))
        at += 8
    return found if at else None


def test_changes_have_plain_arrays_where_no_watch_has_to_be_looked_at() -> None:
    kinds = [WATCH_POSEDGE, WATCH_ANY | WATCH_NODE, WATCH_POSEDGE | WATCH_NODE, WATCH_NEGEDGE]
    entries: list[Entry] = [(64 + 8 * i, kind | WATCH_WHOLE, 0, 1, 0) for i, kind in enumerate(kinds)]
    part: Entry = (128, WATCH_ANY | WATCH_PART, 3, 4, 0)
    falls: Entry = (136, WATCH_NEGEDGE | WATCH_EVALUATE, 0, 1, 9)
    kept, places = lay_out_watches({0: entries, 8: [*entries, part], 16: [*entries, falls], 24: []})
    found = [[plain_at(places[signal], edge) for edge in range(4)] for signal in (0, 8, 16, 24)]
    rises, any_edge, changes = [65, 72, 80], [65, 72, 80, 89], [72]
    assert found[0] == [changes, rises, [72, 89], any_edge]
    assert found[1] == found[2] == [None] * 4
    assert found[3] == [[]] * 4
    assert kept.nbytes < 2000


def test_a_part_is_not_watched_beside_the_whole() -> None:
    part: Entry = (64, WATCH_ANY | WATCH_NODE | WATCH_PART, 0, 8, 0)
    whole: Entry = (64, WATCH_ANY | WATCH_NODE | WATCH_WHOLE, 0, 16, 0)
    other: Entry = (72, WATCH_ANY | WATCH_NODE | WATCH_PART, 0, 8, 0)
    kept, places = lay_out_watches({0: [part, other, whole], 8: [other, (64, WATCH_POSEDGE | WATCH_WHOLE, 0, 1, 0)]})
    assert lists_at(places[0]) == [64, 72] and word(places[0] + WATCH_ENTRIES + 8) == whole[1]
    assert lists_at(places[8]) == [72, 64]
    assert kept.nbytes < 1000


def test_threads_of_programs_and_modules_may_wait_for_one_change() -> None:
    text = """
module t;
  reg clk = 0; always #5 clk = ~clk;
  always @(posedge clk) $write("always@%0d ", $time);
  initial forever @(posedge clk) $write("one@%0d ", $time);
  p p1(clk);
  initial begin @(posedge clk); $write("two@%0d ", $time); @(posedge clk); #1 $finish(0); end
endmodule
program p(input clk);
  initial forever @(posedge clk) $write("program@%0d ", $time);
endprogram
"""
    found, _ = run_events(text)
    assert found.split() == ["always@5", "one@5", "two@5", "program@5", "always@15", "one@15", "program@15"]


def test_watches_of_many_bits_have_no_index() -> None:
    entries: list[Entry] = [(100 + i, WATCH_ANY, 0, 1000, 0) for i in range(60)]
    table, places = lay_out_watches({64: entries})
    assert word(places[64] + WATCH_INDEX) == 0
    assert table.nbytes < 4000


def _no_index(found: object) -> list[list[Entry]]:
    return []


def test_an_index_changes_nothing_but_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = ("posedge ", "", "")
    readers = "\n".join(f'  always @({edges[i % 3]}v[{i}]) $display("{i} %b %0t", v[{i}], $time);' for i in range(30))
    text = f"""
module t;
  reg [31:0] v = 0; integer i;
{readers}
  always @(v) $display("all %b", v);
  initial begin
    for (i = 0; i < 32; i = i + 1) #1 v[i] = i;
    #1 v[17:3] = 15'h2bad; #1 v = ~v; #1 v[4] = 1'bx; #1 v[31] = 0; #1 v[6] = 1'bz; #1 v <= 3; #1;
  end
endmodule
"""
    found = run_events(text)
    monkeypatch.setattr(watch_tables, "_by_bit", _no_index)
    assert run_events(text) == found
    assert found[0].count("\n") > 80
