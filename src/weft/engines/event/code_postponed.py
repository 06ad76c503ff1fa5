"""Write what looks in the postponed region: `$strobe` and `$monitor` (IEEE 1800-2023 21.2.2, 21.2.3).

A strobe is a node of its own that is put into the postponed list and freed when it has run. A monitor is a thread of
the instance: a change of what it shows puts it into the postponed list, and when it has run it waits again. Only the
latest `$monitor` of the whole design is active; `$fmonitor`s are independent.
"""

from __future__ import annotations

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_host import host_task
from weft.engines.event.records import (
    MONITOR,
    MONITOR_OFF,
    NODE_CODE,
    NODE_FRAME,
    NODE_INSTANCE,
    NODE_SIZE,
    POSTPONED,
    WATCH_EVALUATE,
)
from weft.engines.event.sites import Watch
from weft.ir.design import SystemTask
from weft.ir.reads import reads_of


def _shown(f: FunctionCode, task: SystemTask, stem: str) -> FunctionCode:
    code = FunctionCode(f.unit, f.unit.symbol(stem), "look", list(f.frames), f.function)
    code.span, code.scope, code.this = f.span, f.scope, f.this
    return code


def write_strobe(f: FunctionCode, task: SystemTask) -> None:
    """Write a `$strobe`: its arguments are evaluated when all else at this time is done."""
    if not f.frames and any(f.is_local(ref.signal) for a in task.args if a is not None for ref, _, _ in reads_of(a)):
        raise f.unsupported(f"an automatic variable as an argument of '{task.name}'")
    code = _shown(f, task, "strobe")
    host_task(code, task.name, task.args, task.signed, task.types)
    frame = code.w.load_word("%N", NODE_FRAME)
    code.w.call("frame_release", frame, "%S")
    code.w.call("weft_free", "%node")
    code.w.ret()
    symbol = f.unit.add_function(code)
    w = f.w
    node = w.call("weft_malloc", NODE_SIZE)
    pointer = w.pointer(node)
    w.declare("llvm.memset.p0.i64", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    w.do(f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {NODE_SIZE}, i1 false)")
    w.store_word(pointer, NODE_CODE, w.emit(f"ptrtoint ptr @{symbol} to i64"))
    w.store_word(pointer, NODE_INSTANCE, f.instance_word())
    if f.frames:
        held = w.load_word("%N", NODE_FRAME)
        w.call("frame_retain", held)
        w.store_word(pointer, NODE_FRAME, held)
    w.call("append", w.op("add", 64, "%S", POSTPONED), node)


def write_monitor(f: FunctionCode, task: SystemTask) -> None:
    """Write a `$monitor` or `$fmonitor`."""
    unit = f.unit
    reads = [read for argument in task.args if argument is not None for read in reads_of(argument)]
    if any(f.is_local(ref.signal) for ref, _, _ in reads):
        raise f.unsupported(f"an automatic variable as an argument of '{task.name}'")
    mark = FunctionCode(unit, unit.symbol("mark"), "look")
    global_one = not task.name.startswith("$f")
    if global_one:
        active, off = mark.w.fresh("active"), mark.w.fresh("off")
        mark.w.branch(mark.w.compare("ne", 64, mark.w.load_word("%Sp", MONITOR_OFF), 0), off, active)
        mark.w.label(off)
        mark.w.ret("i64 0")
        mark.w.label(active)
    mark.w.call("unlink", "%node")
    mark.w.call("append", mark.w.op("add", 64, "%S", POSTPONED), "%node")
    mark.w.ret("i64 0")
    marks = unit.add_function(mark)
    site = unit.site([Watch(ref, WATCH_EVALUATE, low, high, marks) for ref, low, high in reads])
    code = _shown(f, task, "monitor")
    code.frames = []
    w = code.w
    w.call("append", unit.block_word(w, site), "%node")
    host_task(code, task.name, task.args, task.signed, task.types)
    w.ret()
    symbol = unit.add_function(code)
    plan = unit.thread(symbol, 1)
    plan.started = False
    w = f.w
    node = unit.block_word(w, plan.offset)
    if global_one:
        old = w.load_word("%Sp", MONITOR)
        some, none = w.fresh("old"), w.fresh("new")
        w.branch(w.compare("ne", 64, old, 0), some, none)
        w.label(some)
        w.call("unlink", old)
        w.label(none)
        w.store_word("%Sp", MONITOR, node)
    w.call("unlink", node)
    w.call("append", w.op("add", 64, "%S", POSTPONED), node)


def write_switch(f: FunctionCode, on: bool) -> None:
    """Write `$monitoron`, which also shows the values once, or `$monitoroff`."""
    w = f.w
    w.store_word("%Sp", MONITOR_OFF, int(not on))
    if not on:
        return
    node = w.load_word("%Sp", MONITOR)
    some, none = w.fresh("shown"), w.fresh("no")
    w.branch(w.compare("ne", 64, node, 0), some, none)
    w.label(some)
    w.call("unlink", node)
    w.call("append", w.op("add", 64, "%S", POSTPONED), node)
    w.label(none)
