"""Write `fork`, named blocks that can be disabled, and frames of blocks (IEEE 1800-2023 9.3, 9.6).

A branch of a `fork` is a thread that goes on at another place of the same code and shares the frame. A block whose
variables a branch may outlive has a frame of its own, made on entry.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.base.dataclass import replace
from weft.engines.event.code_function import FunctionCode, Label
from weft.engines.event.layout import FrameLayout
from weft.engines.event.records import (
    FLAG_WAIT_FORK,
    FRAME_CALLER,
    FRAME_OUTER,
    JOIN_WAITER,
    NODE_BASE,
    NODE_FLAGS,
    NODE_FRAME,
    NODE_LIVE,
    SCOPE_SIZE,
)
from weft.ir.design import Block, Disable, DisableFork, Signal, Statement, WaitFork
from weft.ir.expressions import SystemCall

Write = Callable[[FunctionCode, Statement], None]


def write_fork(f: FunctionCode, block: Block, write: Write) -> None:
    """Write a `fork` with its branches."""
    if not f.thread:
        raise f.unsupported("a 'fork' in a function")
    if block.locals:
        with_frame(f, block.locals, lambda: _scoped_fork(f, replace(block, locals=()), write))
    else:
        _scoped_fork(f, block, write)


def _scoped_fork(f: FunctionCode, block: Block, write: Write) -> None:
    def body() -> None:
        if not block.label:
            _fork(f, block, write)
            return
        label = Label(block.label, f.w.fresh("leave"), len(f.frames), f.open_scopes)
        f.labels.append(label)
        _fork(f, block, write)
        f.labels.pop()
        if label.used:
            f.w.label(label.target)

    if block.scope:
        scoped(f, f.unit.scope_list(block.scope), body)
    else:
        body()


def _fork(f: FunctionCode, block: Block, write: Write) -> None:
    w = f.w
    branches = [statement for statement in block.body if not _is_empty(statement)]
    if not branches:
        return
    waits = block.fork != "join_none"
    join = w.call("join_new", len(branches), int(block.fork == "join_any"), "%S") if waits else "0"
    places: list[int] = []
    for _ in branches:
        number = f.new_place()
        places.append(number)
        w.call("fork_thread", "%node", number, join, "%S")
    after = w.fresh("joined")
    if waits:
        w.store_word(w.pointer(join), JOIN_WAITER, "%node")
        f.suspend()
    w.jump(after)
    labels, loops, scopes = f.labels, f.loops, f.open_scopes
    for number, statement in zip(places, branches, strict=True):
        w.label(f"place{number}")
        end = Label("", w.fresh("ended"), len(f.frames), 0)
        f.labels, f.loops, f.open_scopes = [end], [], 0
        write(f, statement)
        w.label(end.target)
        w.call("end_thread", "%node", "%S")
        w.ret("i64 0")
    f.labels, f.loops, f.open_scopes = labels, loops, scopes
    w.label(after)


def _is_empty(statement: Statement) -> bool:
    return isinstance(statement, Block) and not statement.body


# ------------------------------------------------------------------------------------------- frames of blocks


def with_frame(f: FunctionCode, variables: tuple[Signal, ...], body: Callable[[], None]) -> None:
    """Write a block whose variables have a frame of their own."""
    w = f.w
    layout = FrameLayout(f.unit.program.frame_name())
    f.unit.program.frames.append(layout)
    for signal in variables:
        layout.signal(signal)
    outer = w.load_word("%N", NODE_FRAME)
    new = w.call("frame_new", f"$Z{layout.name}$", "%S")
    pointer = w.pointer(new)
    w.store_word(pointer, FRAME_OUTER, outer)
    # A forked thread does not return through the frames below the one that it began with.
    base = w.load_word("%N", NODE_BASE)
    caller = w.load_word(w.pointer(outer), FRAME_CALLER)
    w.store_word(pointer, FRAME_CALLER, w.select(64, w.compare("eq", 64, outer, base), 0, caller))
    w.store_word("%N", NODE_FRAME, new)
    f.frames.append(layout)
    body()
    leave_frames(f, 1)
    f.frames.pop()


def leave_frames(f: FunctionCode, count: int) -> None:
    """Write the exit from the innermost frames."""
    w = f.w
    if w.closed:
        return
    for _ in range(count):
        inner = w.load_word("%N", NODE_FRAME)
        outer = w.load_word(w.pointer(inner), FRAME_OUTER)
        w.call("frame_retain", outer)
        w.call("frame_release", inner, "%S")
        w.store_word("%N", NODE_FRAME, outer)


# ------------------------------------------------------------------------------------------- disable


def scoped(f: FunctionCode, list_offset: int, body: Callable[[], None]) -> None:
    """Write a block that others can disable: a record of each activation is in the list of the block."""
    w = f.w
    depth, offset = f.frame_slot(SCOPE_SIZE)
    number = f.new_place()
    record = w.emit(f"ptrtoint ptr {w.address(f.frame_pointer(depth), offset)} to i64")
    w.call("scope_enter", record, f.unit.block_word(w, list_offset), "%node", number)
    f.open_scopes += 1
    body()
    if not w.closed:
        w.call("scope_leave", "%node")
    f.open_scopes -= 1
    w.label(f"place{number}")


def leave_scopes(f: FunctionCode, count: int) -> None:
    """Write the exit from the innermost scopes."""
    for _ in range(count):
        f.w.call("scope_leave", "%node")


def disable(f: FunctionCode, statement: Disable) -> None:
    """Write the disabling of a block or task somewhere else, or around."""
    w = f.w
    lists = f.unit.remote_scope_list(w, statement.scope, statement.path)
    inside = w.call("disable_scope", lists, "%node", "%S")
    out, stay = w.fresh("disabled"), w.fresh("stay")
    w.branch(w.compare("ne", 64, inside, 0), out, stay)
    w.label(out)
    w.ret("i64 0")
    w.label(stay)


def disable_fork(f: FunctionCode, statement: DisableFork) -> None:
    """Write `disable fork`."""
    f.w.call("kill_children", "%node", "%S")


def kill(f: FunctionCode, call: SystemCall) -> None:
    """Write `kill` of a process, which may be the present one, or one that has forked it (IEEE 1800-2023 9.7)."""
    from weft.engines.event.code_expressions import value

    w = f.w
    handle = value(f, call.args[0]).bits
    f.unit.program.check_null(f, handle)
    out, stay = w.fresh("killed"), w.fresh("stay")
    w.branch(w.compare("ne", 64, w.call("process_kill", handle, "%S"), 0), out, stay)
    w.label(out)
    w.ret("i64 0")
    w.label(stay)


def wait_fork(f: FunctionCode, statement: WaitFork) -> None:
    """Write `wait fork`."""
    w = f.w
    if not f.thread:
        raise f.unsupported("'wait fork' in a function")
    wait, done = w.fresh("wait"), w.fresh("waited")
    w.branch(w.compare("eq", 64, w.load_word("%N", NODE_LIVE), 0), done, wait)
    w.label(wait)
    flags = w.emit(f"load i32, ptr {w.address('%N', NODE_FLAGS)}")
    w.do(f"store i32 {w.op('or', 32, flags, FLAG_WAIT_FORK)}, ptr {w.address('%N', NODE_FLAGS)}")
    f.suspend()
    w.label(done)
