"""Write processes, continuous assignments, routines and the resolution of nets.

A procedure that cannot wait in its middle runs from its head to its end and goes back to its wait site: it has one
place where it goes on, and its automatic variables are stack slots. A continuous assignment is such a procedure that
goes back to its site before it writes, so that it sees changes that its own write makes.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.dataclass import replace
from weft.engines.event import operators as ops
from weft.engines.event.always_watched import always_watched
from weft.engines.event.code_calls import parameters_of, planes_of, result_type, results_of
from weft.engines.event.code_expressions import value
from weft.engines.event.code_forks import leave_frames, scoped
from weft.engines.event.code_function import FunctionCode, Label
from weft.engines.event.code_paths import path_ticks
from weft.engines.event.code_places import Place, store_lvalue, store_whole
from weft.engines.event.code_races import note_write, rereads
from weft.engines.event.code_statements import write_statement
from weft.engines.event.code_strengths import write_graded
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.code_waits import delay_ticks, simple_watch, wait_at, wait_events
from weft.engines.event.driver_parts import parts_of
from weft.engines.event.layout import FrameLayout
from weft.engines.event.records import (
    FLAG_OBSERVED,
    FLAG_POSTPONED,
    FLAG_REACTIVE,
    FRAME_CALLER,
    FRAME_CODE,
    FRAME_INSTANCE,
    FRAME_PC,
    NODE_CODE,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_LIST,
    NODE_PC,
    NODE_RETURNED,
    RUNNING,
    WATCH_ANY,
    WATCH_NODE,
)
from weft.engines.event.sites import Site, ThreadPlan, Watch
from weft.engines.event.walk import written_signals
from weft.engines.event.writer import Operand, Value, ir_type, mask
from weft.ir.assertion_control import is_control
from weft.ir.design import ContinuousAssign, Delay, Expr, Function, Kind, PathDelay, Process, Signal, Type
from weft.ir.expressions import Ref, Slice
from weft.ir.reads import process_reads, reads_of
from weft.ir.system_tasks import is_report
from weft.ir.walk import may_draw


def write_process(unit: UnitCode, seed: str, process: Process) -> None:
    """Write an always, initial or final procedure; `seed` stands for it where random numbers begin."""
    program = unit.program
    f = FunctionCode(unit, unit.symbol("process"), "thread")
    f.span, f.scope = process.span, process.scope
    waits = program.suspensions.statement(process.body)
    layout: FrameLayout | None = None
    simple = all(simple_watch(f, event) is not None for event in process.events)
    if waits or not simple or process.kind == Kind.FREE:
        layout = FrameLayout(program.frame_name())
        program.frames.append(layout)
        f.frames = [layout]
    f.labels = [Label("", f.w.fresh("return"), len(f.frames))]
    plan = unit.thread(f.name, _start_order(process))
    plan.seed = seed
    plan.rereads = f.rereads = rereads(process)
    plan.frame, plan.flags, plan.what = layout, _flags(process), process.keyword
    plan.span, plan.scope = process.span, process.scope
    match process.kind:
        case Kind.INITIAL:
            write_statement(f, process.body)
        case Kind.FINAL:
            plan.started = False
            write_statement(f, process.body)
        case Kind.COMB:
            _write_comb(f, process, plan)
        case Kind.EVENTS:
            _write_loop(f, process, plan)
        case Kind.FREE:
            f.w.label("again")
            write_statement(f, process.body)
            if not waits:
                f.poll()
            f.w.jump("again")
    w = f.w
    w.label(f.labels[0].target)
    w.call("end_thread", "%node", "%S")
    w.ret()
    unit.add_function(f)


def _flags(process: Process) -> int:
    """Return the flags of a process's thread: those of the region that it runs in."""
    if process.region:
        return {"observed": FLAG_OBSERVED, "postponed": FLAG_POSTPONED}[process.region]
    return FLAG_REACTIVE if process.reactive else 0


def _start_order(process: Process) -> int:
    """Return when a procedure first runs: before all assignments if it waits for levels, since users expect it to run.

    What it reads may be constant, and change only when it gets its value.
    """
    if process.region:
        return -2
    if process.keyword in ("always_comb", "always_latch"):
        return 3
    if process.kind == Kind.COMB or (process.events and all(event.edge == "any" for event in process.events)):
        return -1
    return 2


def _write_loop(f: FunctionCode, process: Process, plan: ThreadPlan) -> None:
    w = f.w
    w.label("again")
    if always_watched(process, plan):
        watches = [watch for event in process.events if (watch := simple_watch(f, event)) is not None]
        _name_thread(f.unit, plan, watches)
        _suspend_named(f)
    else:
        wait_events(f, process.events)
    write_statement(f, process.body)
    w.jump("again")
    w.closed = True
    w.reopen()


def _name_thread(unit: UnitCode, plan: ThreadPlan, watches: list[Watch]) -> None:
    """Have watches name a thread (`always_watched`)."""
    named = tuple(replace(watch, kind=watch.kind | WATCH_NODE) for watch in watches)
    unit.sites.append(Site(plan.offset, named))


def _suspend_named(f: FunctionCode) -> None:
    """Write the suspension of a thread that watches name."""
    f.w.store_word("%N", NODE_LIST, 0)
    f.suspend()
    f.w.store_word("%N", NODE_LIST, RUNNING)


def _write_comb(f: FunctionCode, process: Process, plan: ThreadPlan) -> None:
    """Write a procedure that runs whenever something that it reads changes (IEEE 1800-2023 9.2.2.2)."""
    inferred = process.keyword in ("always_comb", "always_latch") or bool(process.region)
    written = {(ref.signal, ref.path) for ref in written_signals(process.body)} if inferred else set()
    watches = unique_watches(
        [
            Watch(ref, WATCH_ANY, low, high)
            for ref, low, high in process_reads(process)
            if not f.is_local(ref.signal)
            and not is_report(ref.signal)
            and not is_control(ref.signal)
            and (ref.signal, ref.path) not in written
        ]
    )
    named = always_watched(process, plan)
    site = 0
    w = f.w
    if named:
        _name_thread(f.unit, plan, watches)
        if inferred:
            w.store_word("%N", NODE_LIST, RUNNING)
    else:
        site = f.unit.site(watches)
    w.label("again")
    if inferred:
        write_statement(f, process.body)
    if named:
        _suspend_named(f)
    else:
        wait_at(f, site)
    if not inferred:
        write_statement(f, process.body)
    w.jump("again")
    w.closed = True
    w.reopen()


def unique_watches(watches: list[Watch]) -> list[Watch]:
    """Join watches of one signal into one for each range of bits."""
    seen: dict[tuple[Signal, tuple[str, ...], int, int], Watch] = {}
    for watch in watches:
        seen.setdefault((watch.ref.signal, watch.ref.path, watch.low, watch.high), watch)
    return list(seen.values())


# ------------------------------------------------------------------------------------------- continuous assignments


def write_assign(unit: UnitCode, index: int, assign: ContinuousAssign) -> None:
    """Write a continuous assignment, with its delay."""
    f = FunctionCode(unit, unit.symbol("assign"), "look")
    f.span = assign.span
    w = f.w
    watches = [Watch(ref, WATCH_ANY, low, high) for ref, low, high in reads_of(assign.rhs)]
    site = unit.site(unique_watches(watches))
    w.call("append", unit.block_word(w, site), "%node")
    new = value(f, assign.rhs)
    if assign.delay is None:
        note_write(f, assign.lhs)
        write_driver(f, index, assign, new)
    else:

        def drive(later: FunctionCode, kept: Value) -> None:
            write_driver(later, index, assign, kept)

        write_delayed(f, assign.delay, new, assign.lhs.width, drive)
    w.ret()
    unit.add_function(f)
    plan = unit.thread(f.name, 0)
    if may_draw(assign.rhs):
        plan.seed = f"assign {sum(may_draw(each.rhs) for each in unit.unit.assigns[:index])}"
    plan.what, plan.span, plan.rereads = "assign", assign.span, None


def write_driver(f: FunctionCode, index: int, assign: ContinuousAssign, new: Value) -> None:
    """Write a driver's value to its net, or to its cell and have the net resolved."""
    unit = f.unit
    parts = parts_of(assign.lhs, assign.span)
    kept = unit.unit.celled | unit.unit.graded
    if not any((index, number) in kept for number in range(len(parts))):
        store_lvalue(f, assign.lhs, new)
        return
    for number, part in enumerate(parts):
        piece = ops.take(f.w, new, part.source, part.width)
        if (index, number) in unit.unit.graded:
            write_graded(f, (index, number), piece, assign.strength)
        elif (index, number) in unit.unit.celled:
            write_cell(f, (index, number), piece, part.ref.signal.type)
        else:
            target: Expr = part.ref if part.width == part.ref.width else Slice(part.ref, part.low, part.width)
            store_lvalue(f, target, piece)


def write_cell(f: FunctionCode, key: tuple[int, int], new: Value, kind: Type) -> None:
    """Write a driver's cell, and have its net resolved if that changes it."""
    w = f.w
    signal, offset, slot = cell_of(f.unit, key, new.width, kind)
    pointer = w.address("%Ip", offset)
    old = f.load_signal(signal, pointer)
    changed = w.not_(1, ops.identical(w, old, new))
    store_whole(f, Place(signal, pointer, pointer), new)
    resolve, done = w.fresh("resolve"), w.fresh("resolved")
    w.branch(changed, resolve, done)
    w.label(resolve)
    code = w.pointer(w.load_word("%Ip", slot))
    w.emit(f"call i64 {code}(i64 0, i64 %S)")
    w.label(done)


def cell_of(unit: UnitCode, key: tuple[int, int], width: int, kind: Type) -> tuple[Signal, int, int]:
    """Return a driver's cell: a hidden signal, its offset, and the offset of its resolver's address."""
    found = unit.cells.get(key)
    if found is None:
        signal = Signal(f"driver${key[0]}${key[1]}", width, Type("logic", width))
        found = unit.cells[key] = (signal, unit.layout.signal(signal), unit.layout.take(8))
    return found


def write_delayed(
    f: FunctionCode, delay: Delay | PathDelay, new: Value, width: int, apply: Callable[[FunctionCode, Value], None]
) -> None:
    """Write an inertial delay (IEEE 1800-2023 10.3.3): a change that does not last as long as the delay is lost.

    `last` is what was applied, `next` what is on its way. A value that differs from what is on its way takes its place;
    one that equals what was applied only takes it away.
    """
    unit, w = f.unit, f.w
    last = Signal("last$", width, Type("logic", width))
    coming = Signal("next$", width, Type("logic", width))
    last_at, coming_at = unit.layout.signal(last), unit.layout.signal(coming)
    later = FunctionCode(unit, unit.symbol("delayed"), "look")
    later.span = f.span
    kept = later.load_signal(coming, later.w.address("%Ip", coming_at))
    pointer = later.w.address("%Ip", last_at)
    store_whole(later, Place(last, pointer, pointer), kept)
    apply(later, kept)
    later.w.ret()
    unit.add_function(later)
    plan = unit.thread(later.name, 0)
    plan.started = False
    target = w.address("%Ip", coming_at)
    inertial_change(f, delay, new, coming, w.address("%Ip", last_at), target, unit.block_word(w, plan.offset))


def inertial_change(
    f: FunctionCode, delay: Delay | PathDelay, new: Value, stored: Signal, last: str, coming: str, node: Operand
) -> None:
    """Write the start of a delayed change: `last` and `coming` point to both values, `node` will apply it."""
    w = f.w
    old = f.load_signal(stored, last)
    waiting = f.load_signal(stored, coming)
    busy = w.compare("ne", 64, w.load_word(w.pointer(node), NODE_LIST), 0)
    present = ops.choose(w, busy, waiting, old)
    differs, start, done = w.fresh("differs"), w.fresh("start"), w.fresh("delayed")
    w.branch(ops.identical(w, present, new), done, differs)
    w.label(differs)
    w.call("unlink", node)
    w.branch(ops.identical(w, old, new), done, start)
    w.label(start)
    store_whole(f, Place(stored, coming, coming), new)
    if isinstance(delay, PathDelay):
        ticks = path_ticks(f, delay, old, new)
        at_once, wait = w.fresh("atonce"), w.fresh("wait")
        w.branch(w.compare("eq", 64, ticks, 0), at_once, wait)
        w.label(at_once)
        w.call("make_ready", node, "%S")
        w.jump(done)
        w.label(wait)
    else:
        ticks = _transition(f, delay, new)
    w.call("delay", node, ticks, "%S")
    w.label(done)


def _transition(f: FunctionCode, delay: Delay, new: Value) -> Operand:
    """Return the delay of a change to a value: rise, fall or turn-off, the least of them to x (28.16)."""
    w = f.w
    rise = delay_ticks(f, delay)
    if delay.fall is None:
        return rise
    fall = delay_ticks(f, delay, delay.fall)
    least = w.select(64, w.compare("ult", 64, rise, fall), rise, fall)
    off = least
    if delay.off is not None:
        off = delay_ticks(f, delay, delay.off)
        least = w.select(64, w.compare("ult", 64, least, off), least, off)
    width = new.width
    zero = w.compare("eq", width, w.or_(width, new.bits, new.unknown), 0)
    all_z = w.compare("eq", width, w.and_(width, new.bits, new.unknown), mask(width))
    some_x = w.nonzero(width, new.unknown) if width == 1 else 0
    ticks = w.select(64, some_x, least, rise)
    ticks = w.select(64, all_z, off, ticks)
    return w.select(64, zero, fall, ticks)


# ------------------------------------------------------------------------------------------- routines


def write_function(unit: UnitCode, function: Function) -> None:
    """Write a function, or a task that cannot suspend, as an LLVM function."""
    program = unit.program
    f = FunctionCode(unit, program.function_symbol(function), "routine", [], function)
    f.span, f.scope, f.this = function.span, function.scope, function.this
    w = f.w
    parameters = ["i64 %node", "i64 %S", "i64 %inst"]
    if function.this is not None:
        parameters.append("i64 %this")
        w.store_word(f.signal_pointer(function.this), 0, "%this")
    for number, formal in enumerate(parameters_of(function)):
        planes: list[Operand] = []
        for plane, width in enumerate(planes_of(formal)):
            parameters.append(f"{ir_type(width)} %a{number}.{plane}")
            planes.append(f"%a{number}.{plane}")
        store_lvalue(f, Ref(formal), Value(formal.bits, planes[0], planes[1] if len(planes) > 1 else 0))
    f.labels = [Label("", w.fresh("return"), 0)]
    if function.automatic:
        program.check_stack(f)
    if function.body is not None:
        write_statement(f, function.body)
    w.label(f.labels[0].target)
    kind = result_type(function)
    if kind == "void":
        w.ret("void")
        unit.add_function(f, f.finish("void", ", ".join(parameters), "void"))
        return
    packed = "undef"
    at = 0
    for signal in results_of(function):
        result = value(f, Ref(signal))
        for plane, width in zip((result.bits, result.unknown), planes_of(signal), strict=False):
            packed = w.emit(f"insertvalue {kind} {packed}, {ir_type(width)} {plane}, {at}")
            at += 1
    w.ret(f"{kind} {packed}")
    unit.add_function(f, f.finish(kind, ", ".join(parameters), f"{kind} zeroinitializer"))


def write_task(unit: UnitCode, function: Function) -> None:
    """Write a task that can suspend: a state machine that threads enter and leave."""
    program = unit.program
    layout = program.task_frame(function)
    f = FunctionCode(unit, program.function_symbol(function), "thread", [layout], function)
    f.span, f.scope, f.this = function.span, function.scope, function.this
    w = f.w
    f.labels = [Label("", w.fresh("return"), 1)]
    body = function.body
    if body is not None and program.is_disabled(unit.module, function.scope):
        scoped(f, unit.scope_list(function.scope), lambda: _with_return(f, function))
    elif body is not None:
        write_statement(f, body)
    w.label(f.labels[0].target)
    leave_frames(f, len(f.frames) - 1)
    frame_word = w.load_word("%N", NODE_FRAME)
    frame = w.pointer(frame_word)
    w.store_word("%N", NODE_CODE, w.load_word(frame, FRAME_CODE))
    place = w.emit(f"trunc i64 {w.load_word(frame, FRAME_PC)} to i32")
    w.do(f"store i32 {place}, ptr {w.address('%N', NODE_PC)}")
    w.store_word("%N", NODE_INSTANCE, w.load_word(frame, FRAME_INSTANCE))
    w.store_word("%N", NODE_FRAME, w.load_word(frame, FRAME_CALLER))
    w.store_word("%N", NODE_RETURNED, frame_word)
    w.ret("i64 1")
    unit.add_function(f)


def _with_return(f: FunctionCode, function: Function) -> None:
    """Write a task's body inside its scope: `return` first leaves the scope."""
    outer = f.labels
    inner = Label("", f.w.fresh("return"), len(f.frames), f.open_scopes)
    f.labels = [inner]
    assert function.body is not None
    write_statement(f, function.body)
    f.w.label(inner.target)
    f.labels = outer


# ------------------------------------------------------------------------------------------- nets


def combine(f: FunctionCode, kind: str, a: Value, b: Value) -> Value:
    """Return the value of a net of two drivers of equal strength (IEEE 1800-2023 tables 6-2 to 6-4)."""
    w, width = f.w, a.width
    a_z, b_z = w.and_(width, a.bits, a.unknown), w.and_(width, b.bits, b.unknown)
    neither = w.not_(width, w.or_(width, a_z, b_z))
    if kind in ("wand", "triand"):
        both = ops.bit_and(w, a, b)
    elif kind in ("wor", "trior"):
        both = ops.bit_or(w, a, b)
    else:
        both = ops.merge(w, ops.as_x(w, a), ops.as_x(w, b))
    bits = w.or_(width, w.and_(width, a_z, b.bits), w.and_(width, b_z, a.bits))
    unknown = w.or_(width, w.and_(width, a_z, b.unknown), w.and_(width, b_z, a.unknown))
    return Value(
        width,
        w.or_(width, bits, w.and_(width, neither, both.bits)),
        w.or_(width, unknown, w.and_(width, neither, both.unknown)),
    )
