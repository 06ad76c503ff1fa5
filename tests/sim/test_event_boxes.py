"""Mailboxes and semaphores in compiled memory: kinds of messages, errors, what memory is freed, checkpoints."""

from __future__ import annotations

import pytest

from sim.event_runs import simulate, totals
from weft.base.errors import UserError
from weft.engines.event.records import HEAP_BYTES, HEAP_LENGTH
from weft.sim import collect_garbage


def test_messages_of_all_kinds():
    text = """
    class Box; int v; endclass
    module t; mailbox any = new, same = any; logic [129:0] wide = {2'b1x, 128'd7}, back; logic [7:0] byte8; string s;
      int q[$], p[$]; real r; Box b = new, c;
      typedef struct { string name; int n; logic [69:0] l; } rec_t; rec_t one, two;
      initial begin
        one = '{"rec", 5, 70'hx}; b.v = 3; q = {1, 2}; any.put(wide); s = "text"; any.put(s); any.put(q); any.put(2.5);
        any.put(b); any.put(one);
        any.put(8'hz3); any.put(wide); q.push_back(3); $display("%0d", same.num());
        any.peek(back); any.get(back); $display("%b", back === wide);
        any.get(s); any.get(p); any.get(r); any.get(c); any.get(two); $display("%s %p %.1f %0d %p", s, p, r, c.v, two);
        any.get(back); $display("%h", back); any.get(byte8); $display("%h %0d", byte8, any.num());
        s = "x"; $display("%0d %0d", any.try_get(back), any.try_put(s));
        $display("%0d %0d %0d %0d", any.try_get(byte8), any.try_peek(s), any.try_get(s), any.try_get(s));
      end
    endmodule
    """
    assert simulate(text)[1] == [
        "8", "1", "text '{1, 2} 2.5 3 '{name:\"rec\", n:5, l:x}", "0000000000000000000000000000000z3", "07 0", "0 1",
        "-1 1 1 0",
    ]  # fmt: skip


def test_bounds_order_and_keys():
    text = """
    module t; mailbox #(int) m = new(2); semaphore s = new(3); int v, n[3];
      initial begin
        fork
          for (int i = 0; i < 5; i++) begin m.put(i); $display("put %0d at %0t", i, $time); end
          begin #5; repeat (5) begin #1 m.get(v); $display("got %0d", v); end end
        join
        $display("%0d %0d %0d", m.try_get(v), m.try_put(7), m.num());
        $display("%0d %0d", s.try_get(4), s.try_get(2));
        fork begin s.get(2); $display("two at %0t", $time); end
          begin #1 s.get(); $display("one"); end join_none
        #5 s.put(3); s.put(-1); #1 $display("%0d %0d", s.try_get(2), s.try_get(1));
        s.put(); $display("%0d", s.try_get());
      end
    endmodule
    """
    assert simulate(text)[1] == [
        "put 0 at 0", "put 1 at 0", "got 0", "put 2 at 6", "got 1", "put 3 at 7", "got 2", "put 4 at 8",
        "got 3", "got 4",
        "0 1 1", "0 1", "one", "two at 15", "0 0", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("m.put(1); m.get(s);", "t.sv:1:75: error: the message in the mailbox is of another type than the variable"),
        ("m = null; m.put(1);", "t.sv:1:75: error: a null mailbox is used here"),
        ("k = null; k.put(1);", "t.sv:1:75: error: a null semaphore is used here"),
    ],
)
def test_errors_have_their_place(body: str, message: str):
    with pytest.raises(UserError) as caught:
        simulate(f"module t; string s; mailbox m = new; semaphore k; initial begin {body} end endmodule")
    assert str(caught.value).startswith(message)


def test_memory_stays_flat(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collect_garbage, "LEAST_BYTES", 4000)
    text = """
    class Item; int v; logic [199:0] wide; endclass
    module t; mailbox #(Item) items = new(3); mailbox wides = new, lost; int total; logic [199:0] w;
      initial for (int i = 0; i < 4000; i++) begin automatic Item one = new; one.v = i; items.put(one); end
      initial begin
        for (int i = 0; i < 4000; i++) begin
          automatic Item one; items.get(one); total += one.v;
          w = {200{1'b1}} - i; wides.put(w); if (i > 2) begin wides.get(w); total += w == {200{1'b1}} - (i - 3); end
          lost = new; lost.put(w); lost.put(one); #1;
        end
        $display("%0d", total);
      end
    endmodule
    """
    simulation, lines = simulate(text)
    assert lines == [str(sum(range(4000)) + 3997)]
    assert simulation.collector.runs > 10
    assert simulation.engine.word(HEAP_BYTES) < 20_000 and simulation.engine.word(HEAP_LENGTH) < 200


def test_a_checkpoint_has_messages_and_who_waits():
    text = """
    module t; mailbox #(logic [99:0]) m = new(2); semaphore k = new(0); int total; logic [99:0] v;
      always begin #10 m.put(total + (100'd1 << 90)); end
      always begin m.get(v); #25 total = total + v[31:0] + v[90] + 1; k.put(1); end
      always begin k.get(3); total = total + 1000; end
    endmodule
    """
    want, again = totals(text, "142ns", "450ns")
    assert again == want > 1000
