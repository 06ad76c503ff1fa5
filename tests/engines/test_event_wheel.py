"""Events come in the order of their times, and of their making where these are equal, however they wait."""

from __future__ import annotations

import heapq
import io
import random

import pytest

from events.run_events import run_events
from weft.engines.event.records import UNTIL
from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation


def expected(delays: list[list[int]]) -> list[str]:
    """Return what processes print that each wait for some delays, by a heap of times and numbers."""
    words, made = list[str](), 0
    waiting: list[tuple[int, int, int, int]] = []
    for process, own in enumerate(delays):
        heapq.heappush(waiting, (own[0], made, process, 0))
        made += 1
    while waiting:
        time, _, process, step = heapq.heappop(waiting)
        words.append(f"{process}.{step}@{time}")
        if step + 1 < len(delays[process]):
            heapq.heappush(waiting, (time + delays[process][step + 1], made, process, step + 1))
            made += 1
    return words


@pytest.mark.parametrize("seed", range(12))
def test_processes_run_in_the_order_of_a_heap(seed: int) -> None:
    draw = random.Random(seed)
    choices = ([5], [1, 2, 3], [5, 10, 64, 100], [1, 63, 64, 65, 4095, 4096, 5000], [7, 1 << 18, (1 << 18) + 1])
    own = choices[seed % len(choices)]
    delays = [[draw.choice(own) for _ in range(draw.randrange(1, 30))] for _ in range(draw.choice([1, 2, 3, 8]))]
    processes = "\n".join(
        "  initial begin " + " ".join(f'#{d} $write("{p}.{n}@%0d ", $time);' for n, d in enumerate(each)) + " end"
        for p, each in enumerate(delays)
    )
    assert run_events(f"module t;\n{processes}\nendmodule\n")[0].split() == expected(delays)


def test_who_comes_at_the_time_of_a_lonely_one_comes_behind_it() -> None:
    # The clock is the only one that waits when something is put at its time, before it, and behind it.
    text = """
module t;
  reg clk = 0;
  always #5 clk = ~clk;
  always @(clk) begin
    fork
      #5 $write("same@%0d ", $time);
      #3 $write("before@%0d ", $time);
      #6 $write("behind@%0d ", $time);
    join_none
  end
  always @(clk) if ($time) $write("clk@%0d ", $time);
  initial #12 #4 $finish(0);
endmodule
"""
    assert run_events(text)[0].split() == [
        "clk@5",
        "before@8",
        "same@10",
        "clk@10",
        "behind@11",
        "before@13",
        "same@15",
        "clk@15",
        "behind@16",
    ]


def test_a_lonely_one_may_be_disabled() -> None:
    text = """
module t;
  initial begin : waits #7 $write("never "); end
  initial begin #1 $write("one "); #2 disable waits; $write("three "); #10 $write("%0d ", $time); end
  initial #3 #0 $write("later ");
endmodule
"""
    assert run_events(text)[0].split() == ["one", "three", "later", "13"]


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_as_many_events_are_counted_in_steps(count: int) -> None:
    # A batch of gates is more events than a step asks for: they are counted all the same.
    gates = "\n".join(f"  not #2 (w[{i + 1}], w[{i}]); xor #3 (v[{i}], w[{i}], a);" for i in range(20))
    text = f"""
module t;
  reg a = 0; wire [20:0] w; wire [19:0] v; integer n = 0;
  assign w[0] = a;
{gates}
  always #50 a = ~a;
  always @(v[0]) n = n + 1;
  initial #400 $finish(0);
endmodule
"""

    def begun() -> EventSimulation:
        return EventSimulation(load_design(texts={"t.sv": text}), io.BytesIO(), EventOptions())

    whole, stepped = begun(), begun()
    whole.run()
    stepped.engine.set_word(UNTIL, 350)
    while stepped.engine.time < 350 and stepped.engine.step(count):
        pass
    before = stepped.engine.events
    stepped.run()
    assert 0 < before < whole.engine.events == stepped.engine.events
