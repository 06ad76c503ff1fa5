"""The run loop of a single clock in LLVM IR.

Most designs have one clock. Its two edges take turns, so nothing has to be searched, and everything that could end the
run or ask for something is seen with one branch. This is worth a twentieth of a PicoRV32 cycle.
"""

from __future__ import annotations

from weft.engines.cpu import context as ctx
from weft.engines.cpu.loop_text import field, word

SLICE = 6
"""The budget of edge times is used up; call again."""

MISS = 7
"""What a phase function returns, having done nothing, when it does not hold what it takes for granted."""


def _turn(x: str, y: str, first: str = "") -> str:
    """Return the code for edge `x`, which edge `y` follows; `first` are values of phis for the beginning."""
    budget, this, following = (
        f", [%{name}, %{first}]" if first else "" for name in ("budget", f"next.{x}", f"next.{y}")
    )
    return f"""
turn.{x}:
  %left.{x} = phi i64 [%rest.{y}, %look.{y}], [%rest.{y}, %more.{y}]{budget}
  %now.{x} = phi i64 [%then.{y}, %look.{y}], [%then.{y}, %more.{y}]{this}
  %then.{x} = phi i64 [%after.{y}, %look.{y}], [%after.{y}, %more.{y}]{following}
  %rest.{x} = sub i64 %left.{x}, 1
  %spent.{x} = icmp eq i64 %left.{x}, 0
  br i1 %spent.{x}, label %slice, label %early.{x}
early.{x}:
  %past.{x} = icmp ugt i64 %now.{x}, %until
  br i1 %past.{x}, label %end, label %toggle.{x}
toggle.{x}:
  store i64 %now.{x}, ptr %time
  %before.{x} = load i8, ptr %clock
  store i8 %value.{x}, ptr %clock
  %after.{x} = add i64 %now.{x}, %period
  store i64 %after.{x}, ptr %next.{x}.p
  %changed.{x} = icmp ne i8 %before.{x}, %value.{x}
  %chosen.{x} = select i1 %changed.{x}, ptr %function.{x}, ptr %general
  %quick.{x} = call i32 %chosen.{x}(ptr %s, ptr %m, ptr %c)
  %missed.{x} = icmp eq i32 %quick.{x}, {MISS}
  br i1 %missed.{x}, label %miss.{x}, label %reacted.{x}, !prof !{{!"branch_weights", i32 1, i32 100}}
miss.{x}:
  %slow.{x} = call i32 %usual.{x}(ptr %s, ptr %m, ptr %c)
  br label %reacted.{x}
reacted.{x}:
  %status.{x} = phi i32 [%quick.{x}, %toggle.{x}], [%slow.{x}, %miss.{x}]
  switch i64 %hooks, label %several.{x} [i64 0, label %look.{x} i64 1, label %hook.{x}]
hook.{x}:
{field(f"f.{x}", "%hook.table", 0, "ptr")}{field(f"x.{x}", "%hook.table", 1, "ptr")}\
  %hit.{x} = call i32 %f.{x}(ptr %s, ptr %m, ptr %x.{x})
  %hits.{x} = icmp ne i32 %hit.{x}, 0
  br i1 %hits.{x}, label %full.{x}, label %look.{x}
full.{x}:
  store i64 0, ptr %hooked.p
  br label %look.{x}
several.{x}:
  call void @call_hooks(ptr %s, ptr %m, ptr %c)
  br label %look.{x}
look.{x}:
  %late.{x} = load i64, ptr %late.p
  %stop.{x} = load i64, ptr %stop.p
  %int.{x} = load i64, ptr %int.p
  %hooked.{x} = load i64, ptr %hooked.p
  %at.{x} = load i64, ptr %at.p
  %near.{x} = load i64, ptr %near.p
  %full.now.{x} = icmp ugt i64 %at.{x}, %near.{x}
  %stopped.{x} = icmp sge i64 %hooked.{x}, 0
  %ended.{x} = or i1 %full.now.{x}, %stopped.{x}
  %ended64.{x} = zext i1 %ended.{x} to i64
  %status64.{x} = zext i32 %status.{x} to i64
  %any1.{x} = or i64 %late.{x}, %stop.{x}
  %any2.{x} = or i64 %int.{x}, %status64.{x}
  %any3.{x} = or i64 %any1.{x}, %any2.{x}
  %any.{x} = or i64 %any3.{x}, %ended64.{x}
  %quiet.{x} = icmp eq i64 %any.{x}, 0
  br i1 %quiet.{x}, label %turn.{y}, label %attend.{x}, !prof !{{!"branch_weights", i32 100, i32 1}}
attend.{x}:
  %result.{x} = call i32 @finish_time(ptr %s, ptr %m, ptr %c, i32 %status.{x})
  %leaves.{x} = icmp ne i32 %result.{x}, 0
  br i1 %leaves.{x}, label %leave.{x}, label %more.{x}
leave.{x}:
  store i64 %rest.{x}, ptr %budget.p
  ret i32 %result.{x}
more.{x}:
  %interrupt.{x} = load i64, ptr %int.p
  %interrupts.{x} = icmp ne i64 %interrupt.{x}, 0
  br i1 %interrupts.{x}, label %interrupted.{x}, label %turn.{y}
interrupted.{x}:
  store i64 %rest.{x}, ptr %budget.p
  ret i32 5
"""


def run_clock_text() -> str:
    """Return `run_clock`, which gets the clock's two rows of the edge table in the order in which they come."""
    edges = "".join(
        field(f"{name}.{x}", f"%{x}", index, "ptr" if index in (ctx.EDGE_FUNCTION, ctx.EDGE_USUAL) else "i64")
        for x in ("a", "b")
        for name, index in (
            ("next", ctx.EDGE_NEXT),
            ("level", ctx.EDGE_LEVEL),
            ("function", ctx.EDGE_FUNCTION),
            ("usual", ctx.EDGE_USUAL),
        )
    )
    return f"""
define internal i32 @run_clock(ptr %s, ptr %m, ptr %c, i64 %until, ptr %a, ptr %b) nounwind {{
begin:
{word("toff", ctx.TIME_OFFSET)}{word("budget", ctx.BUDGET)}{word("general", ctx.SETTLE, "ptr")}\
{word("hooks", ctx.HOOKS)}{word("hook.table", ctx.HOOK_TABLE, "ptr")}{word("int", ctx.INTERRUPT)}\
{word("late", ctx.POSTPONED)}{word("stop", ctx.STOP)}{word("hooked", ctx.HOOK_STOPPED)}\
{word("at", ctx.EFFECT_AT)}{word("near", ctx.EFFECT_NEAR)}\
{field("period", "%a", ctx.EDGE_PERIOD)}{field("offset", "%a", ctx.EDGE_STATE)}{edges}\
  %time = getelementptr i8, ptr %s, i64 %toff
  %clock = getelementptr i8, ptr %s, i64 %offset
  %value.a = trunc i64 %level.a to i8
  %value.b = trunc i64 %level.b to i8
  %already = icmp ne i64 %int, 0
  br i1 %already, label %interrupted, label %turn.a
interrupted:
  ret i32 5
slice:
  store i64 0, ptr %budget.p
  ret i32 {SLICE}
end:
  %unused = phi i64 [%left.a, %early.a], [%left.b, %early.b]
  store i64 %unused, ptr %budget.p
  store i64 %until, ptr %time
  ret i32 0
{_turn("a", "b", "begin")}{_turn("b", "a")}}}
"""
