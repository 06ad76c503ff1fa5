"""The run loop in LLVM IR: many clock edges a call, without Python.

It is the same text for every design (so it comes from the cache): everything particular is reached through the context
block. `weft_run` goes from edge time to edge time as `ir.program` says; `weft_settle` is one settled time without an
edge. Both return a `Status` or `SLICE` when the budget of edge times is used up, so that the program can swap tiers and
let Python handle signals.
"""

from __future__ import annotations

from weft.engines.cpu import context as ctx
from weft.engines.cpu.loop_text import field, word
from weft.engines.cpu.run_clock import MISS, SLICE, run_clock_text


def run_loop_text() -> str:
    """Return the module's text."""
    return f"""
define internal i32 @finish_time(ptr %s, ptr %m, ptr %c, i32 %status) alwaysinline nounwind {{
entry:
{word("late", ctx.POSTPONED)}  %some = icmp ne i64 %late, 0
  br i1 %some, label %write, label %after
write:
{word("writer", ctx.POSTPONED_FUNCTION, "ptr")}  call void %writer(ptr %s, ptr %m, ptr %c)
  store i64 0, ptr %late.p
  br label %after
after:
  %bad = icmp ne i32 %status, 0
  br i1 %bad, label %oscillation, label %fine
oscillation:
  ret i32 4
fine:
{word("stop", ctx.STOP)}  %stopping = icmp ne i64 %stop, 0
  br i1 %stopping, label %effect, label %running
effect:
  ret i32 2
running:
{word("hook", ctx.HOOK_STOPPED)}  %hooked = icmp sge i64 %hook, 0
  br i1 %hooked, label %stopped, label %free
stopped:
  ret i32 1
free:
{word("at", ctx.EFFECT_AT)}{word("near", ctx.EFFECT_NEAR)}  %full = icmp ugt i64 %at, %near
  %r = select i1 %full, i32 3, i32 0
  ret i32 %r
}}

define i32 @weft_settle(ptr %s, ptr %m, ptr %c) nounwind {{
{word("settle", ctx.SETTLE, "ptr")}  %status = call i32 %settle(ptr %s, ptr %m, ptr %c)
  %r = call i32 @finish_time(ptr %s, ptr %m, ptr %c, i32 %status)
  ret i32 %r
}}

define internal void @call_hooks(ptr %s, ptr %m, ptr %c) nounwind {{
entry:
{word("n", ctx.HOOKS)}{word("table", ctx.HOOK_TABLE, "ptr")}  %some = icmp ne i64 %n, 0
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [0, %entry], [%i1, %next]
  %row = getelementptr [2 x i64], ptr %table, i64 %i
{field("f", "%row", 0, "ptr")}{field("x", "%row", 1, "ptr")}  %r = call i32 %f(ptr %s, ptr %m, ptr %x)
  %hit = icmp ne i32 %r, 0
  br i1 %hit, label %stop, label %next
stop:
{word("first", ctx.HOOK_STOPPED)}  %none = icmp slt i64 %first, 0
  %which = select i1 %none, i64 %i, i64 %first
  store i64 %which, ptr %first.p
  br label %next
next:
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}

define i32 @weft_run(ptr %s, ptr %m, ptr %c, i64 %until) nounwind {{
entry:
{word("n", ctx.EDGES)}{word("table", ctx.EDGE_TABLE, "ptr")}{word("toff", ctx.TIME_OFFSET)}\
{word("budget", ctx.BUDGET)}{word("general", ctx.SETTLE, "ptr")}  %time = getelementptr i8, ptr %s, i64 %toff
  %two = icmp eq i64 %n, 2
  br i1 %two, label %compare, label %edge
compare:
  %second = getelementptr [{ctx.EDGE_WORDS} x i64], ptr %table, i64 1
{field("next.0", "%table", ctx.EDGE_NEXT)}{field("next.1", "%second", ctx.EDGE_NEXT)}\
{field("clock.0", "%table", ctx.EDGE_STATE)}{field("clock.1", "%second", ctx.EDGE_STATE)}\
  %same = icmp eq i64 %clock.0, %clock.1
  %apart = icmp ne i64 %next.0, %next.1
  %turns = and i1 %same, %apart
  br i1 %turns, label %alone, label %edge
alone:
  %order = icmp ult i64 %next.0, %next.1
  %row.a = select i1 %order, ptr %table, ptr %second
  %row.b = select i1 %order, ptr %second, ptr %table
  %done = call i32 @run_clock(ptr %s, ptr %m, ptr %c, i64 %until, ptr %row.a, ptr %row.b)
  ret i32 %done
edge:
  %left = phi i64 [%budget, %entry], [%budget, %compare], [%left1, %again]
  store i64 %left, ptr %budget.p
{word("int", ctx.INTERRUPT)}  %interrupted = icmp ne i64 %int, 0
  br i1 %interrupted, label %leave_interrupted, label %check
leave_interrupted:
  ret i32 5
check:
  %spent = icmp eq i64 %left, 0
  br i1 %spent, label %leave_slice, label %find
leave_slice:
  ret i32 {SLICE}
find:
  %any = icmp ne i64 %n, 0
  br i1 %any, label %least, label %leave_done
least:
  %i = phi i64 [0, %find], [%i1, %least]
  %best = phi i64 [-1, %find], [%best1, %least]
  %row = getelementptr [{ctx.EDGE_WORDS} x i64], ptr %table, i64 %i
{field("next", "%row", ctx.EDGE_NEXT)}  %best1 = call i64 @llvm.umin.i64(i64 %best, i64 %next)
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %n
  br i1 %more, label %least, label %found
found:
  %past = icmp ugt i64 %best1, %until
  br i1 %past, label %leave_done, label %toggle_all
leave_done:
  store i64 %until, ptr %time
  ret i32 0
toggle_all:
  store i64 %best1, ptr %time
  br label %toggle
toggle:
  %j = phi i64 [0, %toggle_all], [%j1, %toggle_next]
  %count = phi i64 [0, %toggle_all], [%count1, %toggle_next]
  %function = phi ptr [%general, %toggle_all], [%function1, %toggle_next]
  %other = phi ptr [%general, %toggle_all], [%other1, %toggle_next]
  %edge_row = getelementptr [{ctx.EDGE_WORDS} x i64], ptr %table, i64 %j
{field("when", "%edge_row", ctx.EDGE_NEXT)}  %now = icmp eq i64 %when, %best1
  br i1 %now, label %set, label %toggle_next
set:
{field("period", "%edge_row", ctx.EDGE_PERIOD)}{field("offset", "%edge_row", ctx.EDGE_STATE)}\
{field("level", "%edge_row", ctx.EDGE_LEVEL)}{field("phase", "%edge_row", ctx.EDGE_FUNCTION, "ptr")}\
{field("usual", "%edge_row", ctx.EDGE_USUAL, "ptr")}\
  %clock = getelementptr i8, ptr %s, i64 %offset
  %before = load i8, ptr %clock
  %new = trunc i64 %level to i8
  store i8 %new, ptr %clock
  %after = add i64 %when, %period
  store i64 %after, ptr %when.p
  %changed = icmp ne i8 %before, %new
  %first = icmp eq i64 %count, 0
  %special = and i1 %changed, %first
  %chosen = select i1 %special, ptr %phase, ptr %general
  br label %toggle_next
toggle_next:
  %count1 = phi i64 [%count, %toggle], [1, %set]
  %function1 = phi ptr [%function, %toggle], [%chosen, %set]
  %other1 = phi ptr [%other, %toggle], [%usual, %set]
  %j1 = add i64 %j, 1
  %others = icmp ult i64 %j1, %n
  br i1 %others, label %toggle, label %react
react:
  %quick = call i32 %function1(ptr %s, ptr %m, ptr %c)
  %missed = icmp eq i32 %quick, {MISS}
  br i1 %missed, label %miss, label %reacted, !prof !{{!"branch_weights", i32 1, i32 100}}
miss:
  %slow = call i32 %other1(ptr %s, ptr %m, ptr %c)
  br label %reacted
reacted:
  %status = phi i32 [%quick, %react], [%slow, %miss]
  call void @call_hooks(ptr %s, ptr %m, ptr %c)
  %end = call i32 @finish_time(ptr %s, ptr %m, ptr %c, i32 %status)
  %quiet = icmp eq i32 %end, 0
  br i1 %quiet, label %again, label %leave_early
again:
  %left1 = sub i64 %left, 1
  br label %edge
leave_early:
  %unused = sub i64 %left, 1
  store i64 %unused, ptr %budget.p
  ret i32 %end
}}
{run_clock_text()}"""
