"""Write the unit of a region (`ir.region`): what calls its compiled steps, and when (IEEE 1800-2023 4.4, 4.5).

The threads of a region always wait (`WATCH_NODE`). That of an edge runs in the active region, where the procedures that
the edge starts would read their inputs: it copies the inputs, notes the edge, and has the step wait for the NBA region.
There the step commits the state, and the outputs that depend on the state alone change, as nonblocking assignments
would change them. Edges that have come by then are one step, since each procedure reads what was before it.

Outputs that inputs reach are combinational logic: one more thread, which looks at these inputs and which the step makes
ready, computes them in the active region. If an edge waits meanwhile, the inputs that were sampled for it are put back.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_places import Place, store_whole
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.records import NODE_LIST, NODE_PC, WATCH_ANY, WATCH_NEGEDGE, WATCH_NODE, WATCH_POSEDGE
from weft.engines.event.sites import Site, Watch
from weft.engines.event.writer import Operand, Value
from weft.ir.expressions import Ref
from weft.ir.region import (
    REGION_CHANGED,
    REGION_CHANGES,
    REGION_CONTEXT,
    REGION_DIRECT,
    REGION_EDGES,
    REGION_MEMORIES,
    REGION_OUT,
    REGION_PENDING,
    REGION_STATE,
    REGION_STEP,
    REGION_THROUGH,
    Region,
    RegionInput,
    RegionOutput,
)

_EDGES = {"posedge": WATCH_POSEDGE, "negedge": WATCH_NEGEDGE}


def write_region(unit: UnitCode, region: Region) -> int:
    """Write the functions and threads of a region; return where the record of an instance lies in its block."""
    return _RegionWriter(unit, region).write()


class _RegionWriter:
    def __init__(self, unit: UnitCode, region: Region) -> None:
        self.unit, self.region = unit, region
        self.record = unit.layout.take(REGION_EDGES + 8 * len(region.edges))
        self.settle_at = -1

    def write(self) -> int:
        """Write everything."""
        settle = FunctionCode(self.unit, self.unit.symbol("settle"), "look")
        plan = self.unit.thread(settle.name, 0)
        plan.what, plan.span, self.settle_at = "region", self.region.span, plan.offset
        passing = [port for port in self.region.inputs if port.passes]
        watches = [Watch(Ref(port.signal), WATCH_ANY | WATCH_NODE, 0, port.signal.width) for port in passing]
        self.unit.sites.append(Site(plan.offset, tuple(watches)))
        self._settle(settle)
        for flag, order in ((self.region.begun, 1), (self.region.started, 3)):
            if flag >= 0:
                self._begin(flag, order)
        if self.region.initial:
            self._initial()
        commit = self._commit()
        for number, edge in enumerate(self.region.edges):
            f = FunctionCode(self.unit, self.unit.symbol("edge"), "look")
            plan = self.unit.thread(f.name, 2)
            plan.what, plan.span = "region", self.region.span
            watch = Watch(Ref(edge.signal), _EDGES[edge.edge] | WATCH_NODE, 0, 1)
            self.unit.sites.append(Site(plan.offset, (watch,)))
            self._edge(f, number, commit)
        return self.record

    # ------------------------------------------------------------------------------------------- threads

    def _edge(self, f: FunctionCode, number: int, commit: str) -> None:
        """Write the thread of an edge. What it runs for first is the start: only then it begins to wait."""
        w = f.w
        self._once(f, "waits")
        pending = w.load_word("%Ip", self.record + REGION_PENDING)
        w.store_word("%Ip", self.record + REGION_PENDING, w.or_(64, pending, 1 << number))
        self._sample(f, self.region.inputs)
        first, done = w.fresh("first"), w.fresh("noted")
        w.branch(w.compare("eq", 64, pending, 0), first, done)
        w.label(first)
        code = w.emit(f"ptrtoint ptr @{commit} to i64")
        w.store_word(w.pointer(w.call("nba_push", code, 8, "%S")), 0, "%node")
        w.label(done)
        w.ret()
        self.unit.add_function(f)

    def _settle(self, f: FunctionCode) -> None:
        """Write the thread of what inputs reach; at the start it gives all outputs their values."""
        w, region = f.w, self.region
        start, settle = w.fresh("start"), w.fresh("settle")
        place = w.address("%N", NODE_PC)
        w.branch(w.compare("eq", 32, w.emit(f"load i32, ptr {place}"), 0), start, settle)
        w.label(start)
        w.do(f"store i32 1, ptr {place}")
        self._publish(f, REGION_DIRECT, region.direct)
        w.label(settle)
        if region.settles:
            passing = [port for port in region.inputs if port.passes]
            kept = self._kept(f, passing)
            self._sample(f, passing)
            self._call(f, w.load_word("%Ip", self.record + REGION_THROUGH), out=True)
            # What is put back is what the edge that waits has sampled, or else what nobody reads.
            self._restore(f, passing, kept)
            self._store(f, region.through)
        w.ret()
        self.unit.add_function(f)

    def _begin(self, flag: int, order: int) -> None:
        """Write the thread that says when the region's procedures begin, in their place in the first order."""
        f = FunctionCode(self.unit, self.unit.symbol("begin"), "look")
        plan = self.unit.thread(f.name, order)
        plan.what, plan.span = "region", self.region.span
        state = f.w.pointer(f.w.load_word("%Ip", self.record + REGION_STATE))
        f.w.store(f.w.address(state, flag), 1, 1)
        self._publish(f, REGION_DIRECT, self.region.direct)
        self._make_settle(f)
        f.w.ret()
        self.unit.add_function(f)

    def _initial(self) -> None:
        """Write the thread that runs when initial procedures do: it copies what they leave."""
        f = FunctionCode(self.unit, self.unit.symbol("initial"), "look")
        plan = self.unit.thread(f.name, 2)
        plan.what, plan.span = "region", self.region.span
        w, slot = f.w, f.w.slot(64)
        w.do(f"store i64 {w.load_word('%Ip', self.record + REGION_CHANGES)}, ptr {slot}")
        words = [w.load_word("%Ip", self.record + name) for name in (REGION_STATE, REGION_CHANGED)]
        look, copy, done = w.fresh("look"), w.fresh("copy"), w.fresh("copied")
        w.label(look)
        entry = w.emit(f"load i64, ptr {slot}")
        place = w.load_word(w.pointer(entry))
        size = w.load_word(w.pointer(entry), 8)
        w.branch(w.compare("eq", 64, size, 0), done, copy)
        w.label(copy)
        target, source = (w.pointer(w.op("add", 64, word, place)) for word in words)
        w.declare("llvm.memcpy.p0.p0.i64", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        w.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")
        w.do(f"store i64 {w.op('add', 64, entry, 16)}, ptr {slot}")
        w.jump(look)
        w.label(done)
        self._publish(f, REGION_DIRECT, self.region.direct)
        self._make_settle(f)
        w.ret()
        self.unit.add_function(f)

    def _make_settle(self, f: FunctionCode) -> None:
        """Have what inputs reach computed, if there is anything."""
        if not self.region.settles:
            return
        w = f.w
        ready, done = w.fresh("ready"), w.fresh("settles")
        node = w.op("add", 64, "%inst", self.settle_at)
        w.branch(w.compare("eq", 64, w.load_word("%Ip", self.settle_at + NODE_LIST), 0), ready, done)
        w.label(ready)
        w.call("make_ready", node, "%S")
        w.label(done)

    def _commit(self) -> str:
        """Write what the NBA region does: the step, then the outputs; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("step"), "look")
        w, region = f.w, self.region
        pending = w.load_word("%Ip", self.record + REGION_PENDING)
        w.store_word("%Ip", self.record + REGION_PENDING, 0)
        general, call = w.fresh("general"), w.fresh("call")
        slot = w.slot(64)
        for number in range(len(region.edges)):
            alone, other = w.fresh("alone"), w.fresh("other")
            w.branch(w.compare("eq", 64, pending, 1 << number), alone, other)
            w.label(alone)
            code = w.load_word("%Ip", self.record + REGION_EDGES + 8 * number)
            w.do(f"store i64 {code}, ptr {slot}")
            w.branch(w.compare("ne", 64, code, 0), call, general)
            w.label(other)
        w.jump(general)
        w.label(general)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for number, edge in enumerate(region.edges):
            flag = w.emit(f"trunc i64 {w.op('lshr', 64, pending, number)} to i1")
            w.store(w.address(state, edge.flag), flag, 1)
        w.do(f"store i64 {w.load_word('%Ip', self.record + REGION_STEP)}, ptr {slot}")
        w.jump(call)
        w.label(call)
        self._call(f, w.emit(f"load i64, ptr {slot}"), out=False)
        self._publish(f, REGION_DIRECT, region.direct)
        self._make_settle(f)
        w.ret()
        self.unit.add_function(f)
        # The NBA region calls with the address of what was pushed: the thread, which knows its instance.
        apply = FunctionCode(self.unit, self.unit.symbol("nba"), "bare")
        apply.w.emit(f"call i64 @{f.name}(i64 {apply.w.load_word('%N')}, i64 %S)")
        apply.w.ret()
        return self.unit.add_function(apply)

    # ------------------------------------------------------------------------------------------- parts

    def _once(self, f: FunctionCode, stem: str) -> None:
        """Write a return for the first time that a thread runs."""
        w = f.w
        start, on = w.fresh("start"), w.fresh(stem)
        place = w.address("%N", NODE_PC)
        w.branch(w.compare("eq", 32, w.emit(f"load i32, ptr {place}"), 0), start, on)
        w.label(start)
        w.do(f"store i32 1, ptr {place}")
        w.ret()
        w.label(on)

    def _call(self, f: FunctionCode, code: Operand, out: bool) -> None:
        w = f.w
        names = [REGION_STATE, REGION_MEMORIES, REGION_CONTEXT, *([REGION_OUT] if out else [])]
        words = [w.pointer(w.load_word("%Ip", self.record + name)) for name in names]
        arguments = ", ".join(f"ptr {word}" for word in words)
        w.do(f"call void {w.pointer(code)}({arguments})")

    def _publish(self, f: FunctionCode, function: int, outputs: tuple[RegionOutput, ...]) -> None:
        if outputs:
            self._call(f, f.w.load_word("%Ip", self.record + function), out=True)
            self._store(f, outputs)

    def _store(self, f: FunctionCode, outputs: tuple[RegionOutput, ...]) -> None:
        """Store outputs from the buffer, and tell who waits for those that change."""
        w = f.w
        out = w.pointer(w.load_word("%Ip", self.record + REGION_OUT))
        for port in outputs:
            signal = port.signal
            bits = self._load_words(f, out, port.value, signal.width)
            unknown = self._load_words(f, out, port.unknown, signal.width) if port.unknown >= 0 else 0
            pointer = f.signal_pointer(signal)
            watched = self.unit.is_watched(signal)
            store_whole(f, Place(signal, pointer, pointer, 1, watched), Value(signal.width, bits, unknown))

    def _load_words(self, f: FunctionCode, out: str, at: int, width: int) -> Operand:
        bits = (width + 63) // 64 * 64
        return f.w.resize(f.w.emit(f"load i{bits}, ptr {f.w.address(out, at)}, align 8"), bits, width)

    def _sample(self, f: FunctionCode, inputs: Iterable[RegionInput]) -> None:
        """Copy inputs to the region's state."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for port in inputs:
            value = f.load_signal(port.signal, f.signal_pointer(port.signal))
            self._put(f, state, port, value)

    def _put(self, f: FunctionCode, state: str, port: RegionInput, value: Value) -> None:
        for at, plane in ((port.value, value.bits), (port.unknown, value.unknown)):
            if at >= 0:
                size = 8 * port.stride
                wide = f.w.resize(plane, value.width, size)
                f.w.do(f"store i{size} {wide}, ptr {f.w.address(state, at)}, align 1")

    def _kept(self, f: FunctionCode, inputs: Iterable[RegionInput]) -> list[Value]:
        """Load what the region's state has of some inputs."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        found: list[Value] = []
        for port in inputs:
            size = 8 * port.stride
            planes = [
                w.emit(f"load i{size}, ptr {w.address(state, at)}, align 1") if at >= 0 else 0
                for at in (port.value, port.unknown)
            ]
            found.append(Value(size, *planes))
        return found

    def _restore(self, f: FunctionCode, inputs: list[RegionInput], kept: list[Value]) -> None:
        state = f.w.pointer(f.w.load_word("%Ip", self.record + REGION_STATE))
        for port, value in zip(inputs, kept, strict=True):
            self._put(f, state, port, value)
