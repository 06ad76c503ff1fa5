"""The loop over a tile's slots in LLVM IR, and the two functions that the engine calls.

`lanes_run` takes tiles `begin` to `end - 1` from their lanes' first to their last slot. Within a tile the lanes that
take part only change at the slots where one begins, ends or stops, so the loop keeps the next such slot (`next`) and
otherwise runs events with the same mask. Lanes that have left have their columns saved; what the vectors go on to
compute in them is nobody's. `lanes_settle` runs the general step until every lane has settled, as after pokes.
"""

from __future__ import annotations

from weft.engines.cpu import lane_context as ctx
from weft.engines.lanes.shape import Shape
from weft.ir.cone_graph import STEP_LIMIT
from weft.ir.lane_pages import is_paged
from weft.ir.lane_program import LaneProgram, LaneStatus

_REASONS = (LaneStatus.CONDITION, LaneStatus.FINISH, LaneStatus.STOP, LaneStatus.FATAL, LaneStatus.OSCILLATION)

_TILE = "ptr noalias %x, i64 %tile, ptr noalias %b"


def loop_text(program: LaneProgram, shape: Shape, masks_at: int) -> str:
    """Return the functions; `masks_at` is the offset of the masks in a tile's buffer."""
    leaving = (LaneStatus.PAGES, *_REASONS) if is_paged(program) else _REASONS
    parts = (
        _leave_text(leaving, shape, masks_at),
        _settle_text(shape, masks_at),
        _change_text(shape),
        _run_text(program, leaving, shape, masks_at),
        _entries_text(shape, masks_at),
    )
    return "\n".join(parts)


def _mask_place(name: str, index: int, masks_at: int) -> str:
    return f"  %{name} = getelementptr i8, ptr %b, i64 {masks_at + 8 * (index - ctx.MASKS)}\n"


def _word(name: str, index: int, kind: str = "i64") -> str:
    return f"  %{name}.p = getelementptr i64, ptr %x, i64 {index}\n  %{name} = load {kind}, ptr %{name}.p\n"


def _leave_text(leaving: tuple[LaneStatus, ...], shape: Shape, masks_at: int) -> str:
    """Return what saves the lanes that stop after a slot, sets their status and returns those that go on."""
    bit, text = shape.set, ""
    for status in leaving:
        n = int(status)
        text += _mask_place(f"at{n}", ctx.STOPS + n, masks_at)
        text += f"  %m{n} = load {bit}, ptr %at{n}\n  store {bit} 0, ptr %at{n}\n"
    every = "0"
    for status in leaving:
        text += f"  %any{int(status)} = or {bit} {every}, %m{int(status)}\n"
        every = f"%any{int(status)}"
    # A lane that stops for several reasons has the last of them as its status, the gravest; a lack of pages is none.
    chain, code = "", "0"
    for status in leaving:
        n = int(status)
        chain += f"  %b{n} = lshr {bit} %m{n}, %lane\n  %c{n} = trunc {bit} %b{n} to i1\n"
        chain += f"  %s{n} = select i1 %c{n}, i8 {n}, i8 {code}\n"
        code = f"%s{n}"
    wide = "%lane" if shape.lanes == 64 else "%wide"
    widen = "" if shape.lanes == 64 else f"  %wide = zext {bit} %lane to i64\n"
    return f"""define internal {bit} @leave({_TILE}, {bit} %active, i64 %slot) nounwind noinline {{
entry:
{text}  %leaving = and {bit} {every}, %active
  call void @save_columns(ptr %x, i64 %tile, ptr %b, {bit} %leaving)
{_word("status", ctx.STATUS, "ptr")}{_word("done", ctx.DONE, "ptr")}  %first = mul i64 %tile, {shape.lanes}
  %some = icmp ne {bit} %leaving, 0
  br i1 %some, label %loop, label %end
loop:
  %rest = phi {bit} [%leaving, %entry], [%left, %loop]
  %lane = call {bit} @llvm.cttz.{bit}({bit} %rest, i1 true)
  %less = sub {bit} %rest, 1
  %left = and {bit} %rest, %less
{chain}{widen}  %index = add i64 %first, {wide}
  %sp = getelementptr i8, ptr %status, i64 %index
  store i8 {code}, ptr %sp
  %dp = getelementptr i64, ptr %done, i64 %index
  store i64 %slot, ptr %dp
  %more = icmp ne {bit} %left, 0
  br i1 %more, label %loop, label %end
end:
  %stay = xor {bit} %leaving, -1
  %r = and {bit} %active, %stay
  ret {bit} %r
}}
"""


def _settle_text(shape: Shape, masks_at: int) -> str:
    """Return what runs the general step in lanes where a domain fires, until none does."""
    bit = shape.set
    return f"""define internal void @settle({_TILE}, {bit} %pending) nounwind noinline {{
entry:
{_mask_place("fire", ctx.FIRE, masks_at)}{_mask_place("bad", ctx.STOPS + int(LaneStatus.OSCILLATION), masks_at)}\
  br label %loop
loop:
  %now = phi {bit} [%pending, %entry], [%next, %loop]
  %i = phi i32 [0, %entry], [%i1, %loop]
  store {bit} 0, ptr %fire
  call void @general(ptr %x, i64 %tile, ptr %b, {bit} %now)
  %next = load {bit}, ptr %fire
  %i1 = add i32 %i, 1
  %some = icmp ne {bit} %next, 0
  %few = icmp ult i32 %i1, {STEP_LIMIT}
  %again = and i1 %some, %few
  br i1 %again, label %loop, label %done
done:
  store {bit} 0, ptr %fire
  %before = load {bit}, ptr %bad
  %after = or {bit} %before, %next
  store {bit} %after, ptr %bad
  ret void
}}
"""


def _change_text(shape: Shape) -> str:
    """Return what lets lanes begin and end at a slot: it returns the new active lanes and sets the next such slot."""
    bit = shape.set
    lane = "%i" if shape.lanes == 64 else "%lane"
    narrow = "" if shape.lanes == 64 else f"  %lane = trunc i64 %i to {bit}\n"
    return (
        f"""define internal {bit} @change({_TILE}, {bit} %active, i64 %slot, ptr %next) nounwind noinline {{
entry:
{_word("first", ctx.FIRST, "ptr")}{_word("last", ctx.LAST, "ptr")}{_word("done", ctx.DONE, "ptr")}\
  %base = mul i64 %tile, {shape.lanes}
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%i1, %skip]
  %begins = phi {bit} [0, %entry], [%begins1, %skip]
  %ends = phi {bit} [0, %entry], [%ends1, %skip]
  %soon = phi i64 [-1, %entry], [%soon2, %skip]
  %index = add i64 %base, %i
  %fp = getelementptr i64, ptr %first, i64 %index
  %f = load i64, ptr %fp
  %lp = getelementptr i64, ptr %last, i64 %index
  %l = load i64, ptr %lp
{narrow}  %one = shl {bit} 1, {lane}
  %mine = and {bit} %active, %one
  %on = icmp ne {bit} %mine, 0
  %at = icmp eq i64 %f, %slot
  %some = icmp ult i64 %f, %l
  %begin = and i1 %at, %some
  %over = icmp eq i64 %l, %slot
  %end = and i1 %over, %on
  %b1 = select i1 %begin, {bit} %one, {bit} 0
  %begins1 = or {bit} %begins, %b1
  %e1 = select i1 %end, {bit} %one, {bit} 0
  %ends1 = or {bit} %ends, %e1
  %later = icmp ugt i64 %f, %slot
  %waits = and i1 %later, %some
  %w = select i1 %waits, i64 %f, i64 -1
  %soon1 = call i64 @llvm.umin.i64(i64 %soon, i64 %w)
  %goes = xor i1 %end, true
  %still = and i1 %on, %goes
  %runs = or i1 %still, %begin
  %r = select i1 %runs, i64 %l, i64 -1
  %soon2 = call i64 @llvm.umin.i64(i64 %soon1, i64 %r)
  %done.at = getelementptr i64, ptr %done, i64 %index
  br i1 %end, label %finish, label %skip
finish:
  store i64 %slot, ptr %done.at
  br label %skip
skip:
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, {shape.lanes}
  br i1 %more, label %loop, label %out
out:
  call void @save_columns(ptr %x, i64 %tile, ptr %b, {bit} %ends1)
  call void @load_columns(ptr %x, i64 %tile, ptr %b, {bit} %begins1)
  store i64 %soon2, ptr %next
  %gone = xor {bit} %ends1, -1
  %kept = and {bit} %active, %gone
  %all = or {bit} %kept, %begins1
  ret {bit} %all
}}
""".replace("[%i1, %skip]", "[%i1, %skip]")
        .replace("1, %skip]", "1, %skip]")
        .replace("2, %skip]", "2, %skip]")
    )


def _run_text(program: LaneProgram, leaving: tuple[LaneStatus, ...], shape: Shape, masks_at: int) -> str:
    """Return what takes one tile through its slots."""
    bit, count = shape.set, max(1, len(program.events))
    arguments = f"(ptr %x, i64 %tile, ptr %b, {bit} %active)"
    events = ""
    cases = " ".join(f"i64 {number}, label %e{number}" for number in range(count))
    for number in range(count):
        events += f"e{number}:\n  call void @event{number}{arguments}\n  br label %settle_if\n"
    masks = [ctx.STOPS + int(status) for status in leaving]
    gather, every = "", "0"
    for index in masks:
        n = index - ctx.STOPS
        gather += _mask_place(f"p{n}", index, masks_at) + f"  %v{n} = load {bit}, ptr %p{n}\n"
        gather += f"  %o{n} = or {bit} {every}, %v{n}\n"
        every = f"%o{n}"
    condition = f"  call void @condition{arguments}\n" if program.condition is not None else ""
    return f"""define internal void @run_tile(ptr noalias %x, i64 %tile, ptr noalias %b) nounwind {{
entry:
  %next = alloca i64
  store i64 0, ptr %next
{_mask_place("fire", ctx.FIRE, masks_at)}  br label %head
head:
  %slot = phi i64 [0, %entry], [%slot1, %forward], [%skip, %wait]
  %kept = phi {bit} [0, %entry], [%after, %forward], [0, %wait]
  %when = load i64, ptr %next
  %due = icmp eq i64 %when, %slot
  br i1 %due, label %changes, label %go
changes:
  %changed = call {bit} @change(ptr %x, i64 %tile, ptr %b, {bit} %kept, i64 %slot, ptr %next)
  br label %go
go:
  %active = phi {bit} [%kept, %head], [%changed, %changes]
  %some = icmp ne {bit} %active, 0
  br i1 %some, label %event, label %wait
wait:
  %skip = load i64, ptr %next
  %over = icmp eq i64 %skip, -1
  br i1 %over, label %out, label %head
out:
  ret void
event:
  %k = urem i64 %slot, {count}
  switch i64 %k, label %e0 [ {cases} ]
{events}settle_if:
  %fired = load {bit}, ptr %fire
  %pending = icmp ne {bit} %fired, 0
  br i1 %pending, label %settle, label %look
settle:
  call void @settle(ptr %x, i64 %tile, ptr %b, {bit} %fired)
  br label %look
look:
{condition}{gather}  %slot1 = add i64 %slot, 1
  %stops = icmp ne {bit} {every}, 0
  br i1 %stops, label %leaves, label %forward
leaves:
  %left = call {bit} @leave(ptr %x, i64 %tile, ptr %b, {bit} %active, i64 %slot1)
  br label %forward
forward:
  %after = phi {bit} [%active, %look], [%left, %leaves]
  br label %head
}}
"""


def _entries_text(shape: Shape, masks_at: int) -> str:
    """Return the loops over tiles."""
    bit = shape.set
    text = ""
    for name, call in (
        ("lanes_run", "  call void @run_tile(ptr %x, i64 %tile, ptr %b)\n"),
        (
            "lanes_settle",
            f"  call void @load_columns(ptr %x, i64 %tile, ptr %b, {bit} -1)\n"
            f"  call void @settle(ptr %x, i64 %tile, ptr %b, {bit} -1)\n"
            f"  %stay = call {bit} @leave(ptr %x, i64 %tile, ptr %b, {bit} -1, i64 0)\n"
            f"  call void @save_columns(ptr %x, i64 %tile, ptr %b, {bit} %stay)\n",
        ),
    ):
        text += f"""define void @{name}(ptr noalias %x, i64 %begin, i64 %end, ptr noalias %b) nounwind {{
entry:
  %masks = getelementptr i8, ptr %b, i64 {masks_at}
  call void @llvm.memset.p0.i64(ptr %masks, i8 0, i64 {8 * ctx.MASK_WORDS}, i1 0)
  br label %loop
loop:
  %tile = phi i64 [%begin, %entry], [%tile1, %loop]
{call}  %tile1 = add i64 %tile, 1
  %more = icmp ult i64 %tile1, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""
    return text
