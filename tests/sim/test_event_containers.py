"""Queues, dynamic and associative arrays in compiled memory: kernels against models, what memory is freed, errors."""

from __future__ import annotations

import io
import random

import pytest

from sim.event_runs import simulate, totals
from weft.base.errors import Unsupported, UserError
from weft.engines.event.records import HEAP_BYTES, HEAP_LENGTH
from weft.lang.sv.compile_sources import load_design
from weft.sim import collect_garbage
from weft.sim.event_simulation import EventSimulation


def test_an_associative_array_agrees_with_a_dictionary():
    # Keys come from a few ranges, up and down, so that blocks are filled, split, emptied and joined.
    rng = random.Random(5)
    model: dict[int, int] = {}
    script: list[tuple[int, int]] = []
    for phase in range(12):
        for i in range(900):
            key = rng.choice([rng.randrange(-3000, 3000), phase * 500 - 3000 + i, 3000 - i * 2])
            action = rng.random() < (0.8 if phase % 3 != 2 else 0.1)
            script.append((int(action), key))
    digest, want = 0, []
    for n, (put, key) in enumerate(script):
        if put:
            model[key] = n
        else:
            model.pop(key, None)
        after = min((k for k in (key + d for d in range(1, 40)) if k in model), default=0)
        digest = (digest * 31 + model.get(key, 7) + after) & 0xFFFFFFFF
        if n % 2000 == 1999:
            want.append(
                f"{len(model)} {digest:x} {min(model)} {max(model)} {sum(k * v for k, v in model.items()) % 2**32:x}"
            )
    data = ", ".join(str(put << 16 | key & 0xFFFF) for put, key in script)
    text = f"""
    module test; int m[shortint]; int script[{len(script)}] = '{{{data}}}; shortint k, j; int digest, total;
      initial foreach (script[n]) begin
        k = script[n][15:0];
        if (script[n][16]) m[k] = n; else m.delete(k);
        j = k; if (!m.next(j) || j >= k + 40) j = 0;
        digest = digest * 31 + (m.exists(k) ? m[k] : 7) + j;
        if (n % 2000 == 1999) begin
          total = 0; foreach (m[i]) total += i * m[i];
          void'(m.first(j)); void'(m.last(k));
          $display("%0d %0h %0d %0d %0h", m.num(), digest, j, k, total);
        end
      end
    endmodule
    """
    assert simulate(text)[1] == want


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect often."""
    monkeypatch.setattr(collect_garbage, "LEAST_BYTES", 4000)
    monkeypatch.setattr(collect_garbage, "LEAST_HANDLES", 100)


@pytest.mark.usefixtures("eager")
def test_memory_stays_flat_and_what_is_named_stays():
    text = """
    class Box; int q[$]; string names[int]; Box next; endclass
    module test; int q[$], d[], n[$][$], m[int]; Box boxes[$], kept[Box]; string s[$]; Box b; bit [7:0] big[];
      function automatic int length(int a[$]); int c[$] = a; c.push_back(1); return c.size(); endfunction
      initial begin
        for (int i = 0; i < 6000; i++) begin
          q = {q, i}; if (q.size() > 5) q = q[1:$];
          d = new[10](d); d[i % 10] = i; m[i] = i; if (i >= 50) m.delete(i - 50);
          n[i % 3] = q; s.push_back($sformatf("name %0d", i)); if (s.size() > 4) void'(s.pop_front());
          b = new; b.q = q; b.names[i] = s[0]; boxes.push_back(b); if (boxes.size() > 3) void'(boxes.pop_front());
          if (i % 1000 == 0) kept[b] = b;
          big = new[1000]; big[999] = length(q);
          if (i % 20 == 0) #1;
        end
        $display("%p %p %p %p", q, n, s, d);
        foreach (kept[k]) $display("%p %p", kept[k].q, k.names);
        $display("%0d %0d %0d", m.num(), boxes[0].q[$], big[999]);
      end
    endmodule
    """
    simulation, lines = simulate(text)
    last = "'{5995, 5996, 5997, 5998, 5999}"
    inner = ", ".join(f"'{{{', '.join(map(str, range(i - 4, i + 1)))}}}" for i in range(5997, 6000))
    names = ", ".join(f'"name {i}"' for i in range(5996, 6000))
    assert lines[0] == f"{last} '{{{inner}}} '{{{names}}} '{{{', '.join(map(str, range(5990, 6000)))}}}"
    boxes = set(lines[1:-1])
    assert len(boxes) == 6 and "'{996, 997, 998, 999, 1000} '{1000:\"name 997\"}" in boxes
    assert lines[-1] == "50 5997 6"
    assert simulation.collector.runs > 10
    assert simulation.engine.word(HEAP_BYTES) < 200_000 and simulation.engine.word(HEAP_LENGTH) < 2_000
    simulation.collector.collect()
    assert simulation.engine.word(HEAP_LENGTH) < 60


def test_a_size_without_memory_is_told_with_its_place():
    text = "module t; longint n = 64'd1 << 50; byte d[]; initial begin d = new[10]; d = new[n]; end endmodule"
    with pytest.raises(UserError) as caught:
        simulate(text)
    first, *rest = str(caught.value).splitlines()
    assert first == "t.sv:1:73: error: there is no memory for an array of this size [no-memory]"
    assert rest == [text, " " * 72 + "^~~~~~~~~~"]


def test_an_index_of_any_width():
    text = """module t; int m[*], big[longint]; logic [99:0] five = 5, wide = {36'd1, 64'd5}; int i = -1; byte b = -1;
    logic [3:0] x; initial begin
      m[five] = 4; m[5] += 1; m[i] = 9; m[8'hff] = 3; m[x] = 5; big[-(64'd1 << 40)] = 1;
      $display("%0d %0d %0d %0d %0d %0d %p", m[5], m.exists(wide), m[wide], m[32'hffffffff], m[b], m.num(), m);
      m.delete(wide); m.delete(five); $display("%p %p", m, big);
      m[wide] = 1;
    end endmodule
    """
    out = io.BytesIO()
    with pytest.raises(Unsupported) as caught:
        EventSimulation(load_design(texts={"t.sv": text}), out).run()
    assert out.getvalue().decode().splitlines() == [
        "5 0 0 9 3 3 '{5:5, 255:3, 4294967295:9}",
        "'{255:3, 4294967295:9} '{-1099511627776:1}",
    ]
    assert str(caught.value).startswith(
        "t.sv:6:7: error: an index of more than 64 bits in an associative array of any "
    )


def test_sizes_and_indices_that_are_no_numbers():
    text = """
    module test; int d[], q[$:2]; logic [3:0] x; int n = -5, m[logic [3:0]]; logic [99:0] wide = 100'd1 << 64;
      initial begin
        d = new[n]; $display("%0d", d.size()); d = new[x]; $display("%0d", d.size());
        d = new[3]; d[x] = 7; d[wide] = 8; d[-1] = 9; $display("%p %0d %0d", d, d[x], d[wide]);
        q = {1, 2, 3, 4}; q.push_back(5); q.insert(x, 6); q.delete(x); q.delete(n); q[3] = 9; $display("%p", q);
        q.push_front(0); q.insert(1, 7); q.insert(3, 8); $display("%p", q); q = q[x:1]; $display("%p", q);
        m[x] = 1; m[3] = 2; $display("%0d %0d %0d", m.num(), m.exists(x), m[x]); m.delete(x); $display("%p", m);
      end
    endmodule
    """
    assert simulate(text)[1] == [
        "0", "0", "'{0, 0, 0} 0 0", "'{1, 2, 3}", "'{0, 7, 1}", "'{}", "1 0 0", "'{3:2}"
    ]  # fmt: skip


def test_a_checkpoint_has_the_containers():
    text = """
    module t; int q[$], m[int], total; string s[string]; int n[$][string];
      always #10 begin
        total = q.size() * 100 + m.num() * 10 + s.num() + n.size() * 1000;
        q.push_back(total); m[total] = total; s[$sformatf("%0d", total)] = "x"; n.push_back(s_of(total));
      end
      typedef int named[string];
      function automatic named s_of(int v); named a; a["v"] = v; return a; endfunction
      always #10 if (n.size() > 2) n = n[1:$];
    endmodule
    """
    want, again = totals(text, "45ns", "105ns")
    assert again == want > 1000
