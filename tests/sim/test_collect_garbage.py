"""Objects, strings, containers and processes that nothing names are freed; all others stay as they are."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from weft.engines.event.records import HEAP_BYTES, HEAP_LENGTH
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim import collect_garbage
from weft.sim.event_simulation import EventSimulation


def simulate(tmp_path: Path, text: str) -> tuple[EventSimulation, list[str]]:
    """Run a testbench; return the simulation and what it has displayed."""
    path = tmp_path / "test.sv"
    path.write_text(text)
    out = io.BytesIO()
    simulation = EventSimulation(load_design((path,), FrontEndOptions()), out)
    simulation.run()
    return simulation, out.getvalue().decode().splitlines()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect often."""
    monkeypatch.setattr(collect_garbage, "LEAST_BYTES", 4000)
    monkeypatch.setattr(collect_garbage, "LEAST_HANDLES", 100)


def test_a_million_objects_stay_flat(tmp_path: Path):
    text = """
    class Node; int v; Node next; function new(int v); this.v = v; endfunction endclass
    module test; Node n; int sum;
      initial begin
        for (int i = 0; i < 500000; i++) begin
          n = new(i); n.next = new(i + 1); sum += n.next.v - n.v;
          if (i % 1000 == 0) #1;
        end
        $display("%0d", sum);
      end
    endmodule
    """
    simulation, lines = simulate(tmp_path, text)
    assert lines == ["500000"]
    assert simulation.collector.runs > 10
    assert simulation.engine.word(HEAP_BYTES) <= collect_garbage.LEAST_BYTES + (100 << 10)
    assert simulation.engine.word(HEAP_LENGTH) < 100_000


@pytest.mark.usefixtures("eager")
def test_strings_queues_mailboxes_and_processes_stay_flat(tmp_path: Path):
    text = """
    module test; string s, t; int q[$], d[], n; mailbox #(int) m; semaphore k; process p; string names[int];
      initial begin
        for (int i = 0; i < 6000; i++) begin
          s = $sformatf("value %0d", i); t = {s, "!"}; q = {i, i + 1}; d = new[3]; d[1] = q.size();
          if (i % 4 == 0) begin m = new; k = new(1); fork begin p = process::self(); #1; end join_none end
          if (i % 4 == 1) begin n += q[0] - d[1]; #1; end
        end
        #2 $display("%s %s %p %p %0d", s, t, q, d, n);
      end
    endmodule
    """
    simulation, lines = simulate(tmp_path, text)
    total = sum(i - 2 for i in range(1, 6000, 4))
    assert lines == [f"value 5999 value 5999! '{{5999, 6000}} '{{0, 2, 0}} {total}"]
    assert simulation.collector.runs > 50
    assert len(simulation.handles.values) < 1000
    assert simulation.engine.word(HEAP_LENGTH) < 200


@pytest.mark.usefixtures("eager")
def test_everything_that_is_named_stays(tmp_path: Path):
    text = """
    class Node; int v; Node next; string name; int q[$]; rand bit [3:0] r;
      function new(int v); this.v = v; name = $sformatf("node%0d", v); q.push_back(v); endfunction
      function bit fine(); return name == $sformatf("node%0d", v) && q.size() == 1 && q[0] == v; endfunction
    endclass
    typedef struct { bit [3:0] tag; string text; Node node; } odd_t;
    module test;
      Node n, list, map[int], arr[4], late, keyed[Node]; string texts[$]; mailbox #(Node) box = new; odd_t odds[$], odd;
      int sum, bad; mailbox #(string) never = new; Node switched; string st;
      task automatic work(int i);
        Node mine = new(i); string own = $sformatf("own%0d", i);
        #3;
        if (!mine.fine() || own != $sformatf("own%0d", i)) bad++;
      endtask
      initial begin automatic string got; never.get(got); if (got != "end") bad++; end
      initial begin
        for (int i = 0; i < 100; i++) begin
          n = new(i); n.next = list; list = n;
          map[i] = new(i * 7); texts.push_back($sformatf("text%0d", i));
          odd.tag = i; odd.text = $sformatf("odd%0d", i); odd.node = new(i); odds.push_back(odd);
        end
        n = new(5); keyed[n] = new(6); n = null;
        switched = new(8); switched.r.rand_mode(0); switched.r = 9;
        late <= #50 new(77);
        box.put(list.next);
        for (int i = 0; i < 300; i++) begin
          n = new(i); arr[i % 4] = n; st = $sformatf("junk%0d", i);
          fork automatic int k = i; work(k); join_none
          #1;
        end
        n = list;
        while (n != null) begin if (!n.fine()) bad++; sum += n.v; n = n.next; end
        foreach (map[i]) if (!map[i].fine() || map[i].v != i * 7) bad++;
        foreach (texts[i]) if (texts[i] != $sformatf("text%0d", i)) bad++;
        foreach (odds[i]) begin st = odds[i].text; if (st != $sformatf("odd%0d", i) || !odds[i].node.fine()) bad++; end
        foreach (keyed[k]) if (!k.fine() || !keyed[k].fine()) bad++;
        box.get(n); if (n != list.next) bad++;
        void'(switched.randomize()); if (switched.r != 9) bad++;
        never.put("end"); #5;
        $display("%0d %0d %0d", sum, bad, late.fine());
      end
    endmodule
    """
    simulation, lines = simulate(tmp_path, text)
    assert lines == ["4950 0 1"]
    assert simulation.collector.runs > 1
