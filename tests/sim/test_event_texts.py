"""Strings in compiled memory, and associative arrays with texts as keys, against models in Python."""

from __future__ import annotations

import ctypes
import random

import pytest

from sim.event_runs import simulate, totals
from weft.engines.event.records import TEXT_ROOM, TEXT_TABLE
from weft.sim import collect_garbage


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect often."""
    monkeypatch.setattr(collect_garbage, "LEAST_BYTES", 4000)
    monkeypatch.setattr(collect_garbage, "LEAST_HANDLES", 100)


def test_strings_are_compared_and_read_without_python():
    text = r"""
    module test; string s[5] = '{"", "a", "ab", "b", "\377z"}, r; int i = -1; logic [3:0] x;
      initial begin
        foreach (s[i]) begin
          r = "";
          foreach (s[j]) r = {r, s[i] == s[j] ? "=" : s[i] < s[j] ? "<" : ">", s[i] != s[j] ? "!" : "."};
          $display("%s %0d %0d %0d", r, s[i].len(), s[i].getc(0), s[i][1]);
        end
        $display("%0d %0d %0d %0d", s[2].compare("ac"), s[2].getc(i), s[2].getc(x), s[2][2]);
        $display("%0d %0d", s[1] <= "a", {s[1], "b"} == s[2]);
      end
    endmodule
    """
    assert simulate(text)[1] == [
        "=.<!<!<!<! 0 0 0",
        ">!=.<!<!<! 1 97 0",
        ">!>!=.<!<! 2 97 98",
        ">!>!>!=.<! 1 98 0",
        ">!>!>!>!=. 2 -1 122",
        "-1 0 97 0",
        "1 1",
    ]


@pytest.mark.usefixtures("eager")
def test_an_array_with_text_keys_agrees_with_a_dictionary():
    # Keys come and go, so that blocks are filled, split and joined, and handles of old keys are given to other texts.
    rng = random.Random(8)
    model: dict[str, int] = {}
    script: list[tuple[int, int]] = []
    for phase in range(8):
        for i in range(700):
            key = rng.choice([rng.randrange(4000), phase * 450 + i])
            script.append((int(rng.random() < (0.85 if phase % 3 != 2 else 0.1)), key))
    want: list[str] = []
    digest = 0
    for n, (put, key) in enumerate(script):
        name = f"k{key:x}"
        if put:
            model[name] = n
        else:
            model.pop(name, None)
        if n % 10 == 0:
            after = min((k for k in model if k > name), default="")
            before = max((k for k in model if k < name), default="")
            digest = (digest * 31 + model.get(name, 7) + len(after) * 5 + len(before)) & 0xFFFFFFFF
            digest = (digest + (model[after] if after else 0) * 3 + (model[before] if before else 0)) & 0xFFFFFFFF
        if n % 1400 == 1399:
            want.append(f"{len(model)} {digest:x} {min(model)} {max(model)}")
            want.append(f"{sum(model.values())} {sorted(model)[len(model) // 2]}")
    data = ", ".join(str(put << 16 | key) for put, key in script)
    text = f"""
    module test; int m[string]; int script[{len(script)}] = '{{{data}}}; string k, j, all[$]; int digest, total;
      initial foreach (script[n]) begin
        k = $sformatf("k%0h", script[n][15:0]);
        if (script[n][16]) m[k] = n; else m.delete(k);
        if (n % 10 == 0) begin
          digest = digest * 31 + (m.exists(k) ? m[k] : 7);
          j = k; if (m.next(j)) digest += j.len() * 5 + m[j] * 3;
          j = k; if (m.prev(j)) digest += j.len() + m[j];
        end
        if (n % 1400 == 1399) begin
          total = 0; all = {{}}; foreach (m[i]) begin total += m[i]; all.push_back(i); end
          void'(m.first(j)); void'(m.last(k));
          $display("%0d %0h %s %s", m.num(), digest, j, k);
          $display("%0d %s", total, all[all.size() / 2]);
        end
        if (n % 50 == 0) #1;
      end
    endmodule
    """
    simulation, lines = simulate(text)
    assert lines == want
    assert simulation.collector.runs > 5
    simulation.collector.collect()
    # The characters go with their handles.
    table, room = simulation.engine.word(TEXT_TABLE), simulation.engine.word(TEXT_ROOM)
    words = (ctypes.c_uint64 * room).from_address(table)
    assert 0 < sum(map(bool, words)) <= simulation.handles.used


def test_arrays_with_text_keys_are_values():
    text = """
    module test; int a[string] = '{"x": 1, "y": 2, default: 9}, b[string], n[string][$]; string keys[$], k;
      int nested[string][string];
      function automatic int total(int m[string]); total = 0; foreach (m[i]) total += m[i]; endfunction
      initial begin
        b = a; b["z"] = 5; a["x"] += 10; b.delete("y");
        $display("%p %p %0d %0d %0d", a, b, a["none"], b["none"], total(b));
        keys = a.find_index with (item > 5); $display("%p %0d", keys, b == a);
        n["one"].push_back(3); n["one"].push_back(4); n["two"] = n["one"]; n["two"].push_back(5); $display("%p", n);
        nested["p"]["q"] = 1; nested["p"]["r"] = 2; nested["s"]["q"] = 3;
        foreach (nested[i, j]) $display("%s.%s %0d", i, j, nested[i][j]);
        $display("%0d %0d", nested.exists("p"), nested["p"].exists("none"));
        keys = b.unique_index(); k = "a"; void'(b.next(k)); $display("%p %s", keys, k);
        a.delete(); $display("%0d %0d", a.num(), a.first(k));
      end
    endmodule
    """
    assert simulate(text)[1] == [
        '\'{"x":11, "y":2} \'{"x":1, "z":5} 9 9 6',
        '\'{"x"} 0',
        '\'{"one":\'{3, 4}, "two":\'{3, 4, 5}}',
        "p.q 1",
        "p.r 2",
        "s.q 3",
        "1 0",
        '\'{"x", "z"} x',
        "0 0",
    ]


def test_a_checkpoint_has_the_characters_of_strings():
    text = """
    module test; int m[string]; int total; string s; int i;
      always #1 begin
        i++; s = $sformatf("name %0d", i % 7); m[s] += i; total = 0;
        foreach (m[k]) total = total * 3 + m[k] + k.len() + k[5];
      end
    endmodule
    """
    first, second = totals(text, "5ns", "20ns")
    assert first == second != 0
