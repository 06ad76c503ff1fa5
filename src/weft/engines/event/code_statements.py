"""Write statements (IEEE 1800-2023 clauses 9, 10 and 12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from weft.engines.event import operators as ops
from weft.engines.event.code_assertions import UNSUPPORTED_CONTROLS, refuse_control, write_assertion
from weft.engines.event.code_calls import call_function, enter_task
from weft.engines.event.code_expressions import condition, value
from weft.engines.event.code_forks import (
    disable,
    disable_fork,
    kill,
    leave_frames,
    leave_scopes,
    scoped,
    wait_fork,
    with_frame,
    write_fork,
)
from weft.engines.event.code_function import FunctionCode, Label
from weft.engines.event.code_host import host_task
from weft.engines.event.code_nonblocking import assign_later, assign_on_event, trigger_event
from weft.engines.event.code_objects import WAITING, wait_on_object
from weft.engines.event.code_places import store_lvalue
from weft.engines.event.code_races import note_reads, note_write
from weft.engines.event.code_waits import delay_ticks, wait_for, wait_until
from weft.engines.event.records import UNFLUSHED
from weft.engines.event.writer import Operand, Value, ir_type
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Delay,
    Disable,
    DisableFork,
    Evaluate,
    Expr,
    Force,
    If,
    Jump,
    Loop,
    Release,
    RepeatTimes,
    Statement,
    SystemTask,
    Trigger,
    Wait,
    WaitFork,
    WaitUntil,
)
from weft.ir.expressions import Call, Const, SystemCall
from weft.ir.system_tasks import MONITOR_TASKS, POSTPONED_TASKS


def write_statement(f: FunctionCode, statement: Statement) -> None:
    """Write a statement and all inside it."""
    if f.w.closed:
        f.w.reopen()
    span = getattr(statement, "span", None)
    outer = f.span
    if span is not None and span.file >= 0:
        f.span = span
    if f.unit.program.races is not None:
        note_reads(f, statement)
    _WRITERS[type(statement)](f, statement)
    f.span = outer


def _block(f: FunctionCode, block: Block) -> None:
    if block.fork:
        write_fork(f, block, write_statement)
        return
    if block.locals and f.frames and _has_fork(block):
        with_frame(f, block.locals, lambda: _labelled(f, block))
    else:
        _labelled(f, block)


def _has_fork(block: Block) -> bool:
    from weft.engines.event.walk import statements_in

    return any(isinstance(inner, Block) and inner.fork for inner in statements_in(block))


def _labelled(f: FunctionCode, block: Block) -> None:
    def body() -> None:
        for statement in block.body:
            write_statement(f, statement)

    if block.scope and f.thread:
        scoped(f, f.unit.scope_list(block.scope), lambda: _with_label(f, block.label, body))
    else:
        _with_label(f, block.label, body)


def _with_label(f: FunctionCode, name: str, body: Callable[[], None]) -> None:
    if not name:
        body()
        return
    label = Label(name, f.w.fresh("leave"), len(f.frames), f.open_scopes)
    f.labels.append(label)
    body()
    f.labels.pop()
    if label.used:
        f.w.label(label.target)


def _leave(f: FunctionCode, target: str, depth: int, scopes: int) -> None:
    """Jump out of blocks: leave their scopes and frames on the way."""
    leave_scopes(f, f.open_scopes - scopes)
    leave_frames(f, len(f.frames) - depth)
    f.w.jump(target)


def _jump(f: FunctionCode, jump: Jump) -> None:
    w = f.w
    match jump.kind:
        case "disable":
            for label in reversed(f.labels):
                if label.name == jump.label:
                    label.used = True
                    _leave(f, label.target, label.depth, label.scopes)
                    return
            raise f.unsupported("this 'disable'", jump.span)
        case "break" | "continue":
            after, again, depth, scopes = f.loops[-1]
            _leave(f, after if jump.kind == "break" else again, depth, scopes)
        case _:
            if jump.value is not None and f.function is not None and f.function.result is not None:
                from weft.ir.expressions import Ref

                store_lvalue(f, Ref(f.function.result), value(f, jump.value))
            leave_scopes(f, f.open_scopes - f.labels[0].scopes)
            leave_frames(f, len(f.frames) - f.labels[0].depth)
            f.labels[0].used = True
            w.jump(f.labels[0].target)


# ------------------------------------------------------------------------------------------- assignments


def _assign(f: FunctionCode, assign: Assign) -> None:
    timing = assign.timing
    if not assign.blocking:
        if timing is None or isinstance(timing, Delay):
            ticks = delay_ticks(f, timing) if timing is not None else None
            assign_later(f, assign.lhs, value(f, assign.rhs), ticks)
        else:
            assign_on_event(f, assign, timing, write_statement)
        return
    new = value(f, assign.rhs)
    if timing is None:
        note_write(f, assign.lhs)
        store_lvalue(f, assign.lhs, new)
        return
    if not f.thread:
        raise f.unsupported("a delay inside a function")
    kept = keep_value(f, new)
    wait_for(f, timing)
    note_write(f, assign.lhs)
    store_lvalue(f, assign.lhs, kept())


def keep_value(f: FunctionCode, new: Value) -> Callable[[], Value]:
    """Keep a value in the frame over a suspension; return what reads it back."""
    w = f.w
    depth, offset = f.frame_slot(2 * ((new.width + 63) // 64 * 8))
    w.store_planes(w.address(f.frame_pointer(depth), offset), new)

    def read() -> Value:
        kept = w.load_planes(w.address(f.frame_pointer(depth), offset), new.width)
        return kept if new.unknown != 0 else Value(new.width, kept.bits)

    return read


# ------------------------------------------------------------------------------------------- choice


def _if(f: FunctionCode, statement: If) -> None:
    w = f.w
    test = condition(f, statement.cond)
    if isinstance(test, int):
        chosen = statement.then if test else statement.other
        if chosen is not None:
            write_statement(f, chosen)
        return
    then, other, after = w.fresh("then"), w.fresh("else"), w.fresh("endif")
    w.branch(test, then, other if statement.other is not None else after)
    w.label(then)
    write_statement(f, statement.then)
    w.jump(after)
    if statement.other is not None:
        w.label(other)
        write_statement(f, statement.other)
        w.jump(after)
    w.label(after)


def _case(f: FunctionCode, case: Case) -> None:
    w = f.w
    subject = value(f, case.subject)
    after = w.fresh("endcase")
    bodies = [w.fresh("item") for _ in case.items]
    default = w.fresh("default")
    if not _as_switch(f, case, subject, bodies, default):
        for item, body in zip(case.items, bodies, strict=True):
            for label in item.labels:
                following = w.fresh("next")
                w.branch(_matches(f, case, subject, label), body, following)
                w.label(following)
        w.jump(default)
    for item, body in zip(case.items, bodies, strict=True):
        w.closed = True
        w.label(body)
        write_statement(f, item.body)
        w.jump(after)
    w.closed = True
    w.label(default)
    if case.default is not None:
        write_statement(f, case.default)
    w.jump(after)
    w.label(after)


def _as_switch(f: FunctionCode, case: Case, subject: Value, bodies: list[str], default: str) -> bool:
    """Write a plain case of constants as one switch; a subject with unknown bits equals no known label."""
    labels = [label for item in case.items for label in item.labels]
    if case.kind != "case" or len(labels) < 4 or subject.constant or subject.width > 64:
        return False
    if not all(isinstance(label, Const) and not label.unknown for label in labels):
        return False
    w = f.w
    if subject.unknown != 0:
        known = w.fresh("known")
        w.branch(w.compare("eq", subject.width, subject.unknown, 0), known, default)
        w.label(known)
    pairs: dict[int, str] = {}
    for item, body in zip(case.items, bodies, strict=True):
        for label in item.labels:
            pairs.setdefault(cast("Const", label).value, body)
    kind = ir_type(subject.width)
    listed = " ".join(f"{kind} {number}, label %{body}" for number, body in pairs.items())
    w.do(f"switch {kind} {subject.bits}, label %{default} [ {listed} ]")
    w.closed = True
    return True


def _matches(f: FunctionCode, case: Case, subject: Value, label: Expr | tuple[Expr, Expr]) -> Operand:
    w = f.w
    if isinstance(label, tuple):
        low, high = value(f, label[0]), value(f, label[1])
        order = "s" if case.signed else "u"
        above = ops.if_known(
            w, 1, ops.any_unknown(w, subject, low), w.compare(f"{order}ge", subject.width, subject.bits, low.bits)
        )
        below = ops.if_known(
            w, 1, ops.any_unknown(w, subject, high), w.compare(f"{order}le", subject.width, subject.bits, high.bits)
        )
        return ops.one(w, ops.bit_and(w, above, below))
    found = value(f, label)
    width = subject.width
    if width == 0 or found.width == 0:
        return int(width == found.width)
    match case.kind:
        case "casez" | "casex":
            careless: Operand = 0
            for part in (subject, found):
                z = w.and_(width, part.unknown, part.bits) if case.kind == "casez" else part.unknown
                careless = w.or_(width, careless, z)
            differ = w.or_(
                width,
                w.op("xor", width, subject.bits, found.bits),
                w.op("xor", width, subject.unknown, found.unknown),
            )
            return w.compare("eq", width, w.and_(width, differ, w.not_(width, careless)), 0)
        case "inside":
            return ops.one(w, ops.wildcard_equal(w, subject, found))
        case _:
            return ops.identical(w, subject, found)


# ------------------------------------------------------------------------------------------- loops


def _loop(f: FunctionCode, loop: Loop) -> None:
    w = f.w
    head, test, body, again, after = (w.fresh(stem) for stem in ("loop", "test", "body", "again", "endloop"))
    w.jump(body if loop.test_last else test)
    w.closed = True
    w.label(head)
    _poll_loop(f, loop.body)
    w.jump(test)
    w.label(test)
    w.branch(condition(f, loop.cond) if loop.cond is not None else 1, body, after)
    w.label(body)
    f.loops.append((after, again, len(f.frames), f.open_scopes))
    write_statement(f, loop.body)
    f.loops.pop()
    w.label(again)
    for step in loop.step:
        write_statement(f, step)
    w.jump(head)
    w.label(after)


def _poll_loop(f: FunctionCode, body: Statement) -> None:
    """Let a loop that never waits be stopped."""
    if not (f.thread and f.unit.program.suspensions.statement(body)):
        f.poll()


def _repeat(f: FunctionCode, loop: RepeatTimes) -> None:
    w = f.w
    count = value(f, loop.count)
    unknown = ops.any_unknown(w, count)
    number = w.select(64, unknown, 0, w.resize(count.bits, count.width, 64))
    if f.thread and f.unit.program.suspensions.statement(loop.body):
        depth, offset = f.frame_slot(8)

        def counter() -> str:
            return w.address(f.frame_pointer(depth), offset)
    else:
        slot = w.slot(64)

        def counter() -> str:
            return slot

    head, body, again, after = (w.fresh(stem) for stem in ("repeat", "body", "again", "endrepeat"))
    w.do(f"store i64 {number}, ptr {counter()}")
    w.label(head)
    left = w.emit(f"load i64, ptr {counter()}")
    w.branch(w.compare("eq", 64, left, 0), after, body)
    w.label(body)
    f.loops.append((after, again, len(f.frames), f.open_scopes))
    write_statement(f, loop.body)
    f.loops.pop()
    w.label(again)
    at = counter()
    w.do(f"store i64 {w.op('sub', 64, w.emit(f'load i64, ptr {at}'), 1)}, ptr {at}")
    _poll_loop(f, loop.body)
    w.jump(head)
    w.label(after)


# ------------------------------------------------------------------------------------------- calls


def _evaluate(f: FunctionCode, statement: Evaluate) -> None:
    expression = statement.value
    if isinstance(expression, Call):
        if f.unit.program.suspends(expression) and expression.virtual:
            f.unit.program.classes.enter_virtual(f, expression)
        elif f.unit.program.suspends(expression):
            enter_task(f, expression)
        else:
            call_function(f, expression)
    elif isinstance(expression, SystemCall) and expression.name in _WAITING:
        _WAITING[expression.name](f, expression)
    elif isinstance(expression, SystemCall) and expression.name == "process.kill" and f.thread:
        kill(f, expression)
    else:
        value(f, expression)


_WAITING: dict[str, Callable[[FunctionCode, SystemCall], None]] = dict.fromkeys(WAITING, wait_on_object)
"""What writes the methods that can suspend."""


def _system_task(f: FunctionCode, task: SystemTask) -> None:
    outer, f.scope = f.scope, task.scope or f.scope
    if task.name in POSTPONED_TASKS:
        f.unit.postponed_task(f, task, monitor=task.name in MONITOR_TASKS)
    elif task.name in ("$monitoron", "$monitoroff"):
        f.unit.switch_monitor(f, task.name == "$monitoron")
    elif task.name in UNSUPPORTED_CONTROLS:
        refuse_control(f, task)
    elif task.name == "$fflush" and not task.args:
        _flush_all(f, task)
    else:
        host_task(f, task.name, task.args, task.signed, task.types)
    f.scope = outer


def _flush_all(f: FunctionCode, task: SystemTask) -> None:
    """Write a `$fflush` of all files: many testbenches call it in each cycle, and have written nothing."""
    w = f.w
    flush, done = w.fresh("flush"), w.fresh("flushed")
    w.branch(w.compare("ne", 64, w.load_word("%Sp", UNFLUSHED), 0), flush, done)
    w.label(flush)
    host_task(f, task.name, task.args, task.signed, task.types)
    w.store_word("%Sp", UNFLUSHED, 0)
    w.label(done)


# ------------------------------------------------------------------------------------------- waiting


def _wait(f: FunctionCode, wait: Wait) -> None:
    wait_for(f, wait.timing, wait.body)
    write_statement(f, wait.body)


def _wait_until(f: FunctionCode, wait: WaitUntil) -> None:
    wait_until(f, wait.cond)
    write_statement(f, wait.body)


def _force(f: FunctionCode, force: Force) -> None:
    f.unit.forces.begin(f, force)


def _release(f: FunctionCode, release: Release) -> None:
    f.unit.forces.end(f, release)


def _trigger(f: FunctionCode, trigger: Trigger) -> None:
    trigger_event(f, trigger, write_statement)


_WRITERS: dict[type, Callable[[FunctionCode, object], None]] = cast(
    "dict[type, Callable[[FunctionCode, object], None]]",
    {
        Block: _block,
        Assign: _assign,
        If: _if,
        Case: _case,
        Loop: _loop,
        RepeatTimes: _repeat,
        Jump: _jump,
        Evaluate: _evaluate,
        SystemTask: _system_task,
        Assertion: write_assertion,
        Wait: _wait,
        WaitUntil: _wait_until,
        Force: _force,
        Release: _release,
        Trigger: _trigger,
        Disable: disable,
        WaitFork: wait_fork,
        DisableFork: disable_fork,
    },
)
