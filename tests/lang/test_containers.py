"""Dynamic arrays, queues and associative arrays: literals, selects, methods, loops, and when they are copied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.lang.compile_text import load, show

from weft.base.errors import Unsupported
from weft.ir.design import Assign, SystemCall

CONTAINERS = """
module t;
  typedef struct {string name; int list[$];} item_t;
  int n, q[$], d[], fixed[3], down[2:0]; int bounded[$:7]; logic [3:0] vs[$]; string names[$]; int by_name[string];
  int any[*]; int nested[$][]; item_t items[$], item; real rs[]; byte bytes[]; int start[$] = '{1, 2}; logic [31:0] v;
  event es[$]; int mixed[2][$];
  function automatic int total(int a[$], ref int b[]); a.push_back(1); return a.sum() + b.size(); endfunction
  initial begin
    d = new[3]; d = new[n](d); d = '{1, n}; d = '{3{n}}; q = {}; q = {q, n}; q = {1, q, d}; q = {fixed, 4}; q = d;
    q = '{1, 2}; d = fixed; fixed = d; by_name = '{"a": 1, "b": n, default: 2}; by_name = '{default: 0};
    n = q[0]; n = q[$]; n = q[$ - 1]; q[n] = 3; q[1]++; q[n] += 2; q = q[1:$]; q = q[n:n + 2]; n = vs[v[3:0]][2];
    n = by_name["a"]; by_name[names[0]] = 1; n = any[5]; nested[0][1] = 3; n = nested[n][n]; mixed[1].push_back(2);
    q.push_back(n); q.push_front(1); n = q.pop_front(); q.insert(0, 2); q.delete(1); q.delete(); n = q.size();
    n = by_name.num(); if (by_name.exists("a")) by_name.delete("a"); n = by_name.first(names[0]); n = d.size();
    items.push_back(item); items[0].list.push_back(3); items[1].name = "x"; item = items[$]; nested.push_back(d);
    q = q.find with (item > 3); q = q.find_first_index(x) with (x == x.index); q = q.unique(); q = q.min;
    q.sort(); q.rsort with (-item); q.reverse(); q.shuffle(); n = q.sum(); n = q.sum with (item * 2);
    n = by_name.sum with (item.index == "a"); items.sort with (item.name); q = fixed.find with (item.index > 0);
    q = down.find with (item.index > item); q = fixed.find_index with (item == 0); fixed.sort();
    foreach (q[i]) n += q[i]; foreach (by_name[k]) n += by_name[k]; foreach (nested[i, j]) n += nested[i][j];
    foreach (items[i]) foreach (items[i].list[j]) n = items[i].list[j]; foreach (mixed[i, j]) n = mixed[i][j];
    n = total(q, d); n = q == start; n = q != start; if (n inside {1, q}) n = 0; n = $size(q);
    n = $high(d); n = $bits(q);
    v = {>>{bytes}}; bytes = {<<8{v}}; rs = new[2]; rs[0] = 1.5; bounded.push_back(1); $display("%p", q, n);
  end
endmodule"""


def test_containers(golden: Callable[[str, str], None]):
    golden("containers.txt", show(CONTAINERS, "-Wnone"))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a", "array.copy"),
        ("n ? a : b", "array.copy"),
        ("'{1, 2}", "array.literal"),
        ("{a, 1}", "array.join"),
        ("a[1:2]", "array.slice"),
        ("f(a)", None),
    ],
)
def test_only_what_somebody_holds_is_copied(value: str, name: str | None):
    text = f"""module t; int a[$], b[$], c[$]; bit n; typedef int q_t[$];
        function automatic q_t f(q_t a); return a; endfunction initial c = {value}; endmodule"""
    statement = load(text).modules[0].processes[0].body
    assert isinstance(statement, Assign)
    assert (statement.rhs.name if isinstance(statement.rhs, SystemCall) else None) == name


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("int a[2:0]; initial a.sort();", "this method of an array that does not count up from 0"),
        ("string q[$]; bit [31:0] v; initial v = {>>{q}};", "a stream of an array of such elements"),
    ],
)
def test_what_is_refused(source: str, message: str):
    with pytest.raises(Unsupported, match=message):
        load(f"module t; {source} endmodule", "-Wnone")
