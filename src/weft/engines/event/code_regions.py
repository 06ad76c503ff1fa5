"""Write the unit of a region (`ir.region`): what calls its compiled steps, and when (IEEE 1800-2023 4.4, 4.5).

The threads of a region always wait (`WATCH_NODE`). That of an edge runs in the active region, where the procedures that
the edge starts would read their inputs: it copies the inputs that they read, notes the edge, and has the step wait for
the NBA region. There the step commits the state, and the outputs that are registers change, as nonblocking assignments
would change them. Edges that have come by then are one step, since each procedure reads what was before it.

Logic that reads inputs follows them in threads that wait for their changes, as those of continuous assignments do and
in the same places of the order: one for all the logic that reads the same inputs, with copies of its own. If these
reach outputs or latches, the thread computes them; so does another one, which steps make ready, for what registers
reach. So the step uses, of each input, what procedures have seen when the edge came, and what logic had followed by
then: if logic follows inputs between the edge and the step, what it had before is kept and put back for the step, and
latches with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_places import Place, store_whole
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.records import NODE_LIST, NODE_PC, WATCH_ANY, WATCH_NEGEDGE, WATCH_NODE, WATCH_POSEDGE
from weft.engines.event.region_kernels import HELD_CONTEXT
from weft.engines.event.sites import Site, Watch
from weft.engines.event.writer import Operand, Value, plane_bytes
from weft.ir.expressions import Ref
from weft.ir.region import (
    REGION_CHANGED,
    REGION_CHANGES,
    REGION_COMMIT,
    REGION_CONTEXT,
    REGION_DIRECT,
    REGION_EARLY,
    REGION_EDGES,
    REGION_EVALUATE,
    REGION_HELD,
    REGION_MEMORIES,
    REGION_MOVED,
    REGION_OUT,
    REGION_PENDING,
    REGION_STATE,
    REGION_STEP,
    REGION_THROUGH,
    Region,
    RegionGroup,
    RegionInput,
    RegionOutput,
)

_EDGES = {"posedge": WATCH_POSEDGE, "negedge": WATCH_NEGEDGE}
_WORDS = (1, 2, 4, 8)
_WORD_BITS = 64


def write_region(unit: UnitCode, region: Region) -> int:
    """Write the functions and threads of a region; return where the record of an instance lies in its block."""
    return _RegionWriter(unit, region).write()


class _RegionWriter:
    def __init__(self, unit: UnitCode, region: Region) -> None:
        self.unit, self.region = unit, region
        self.record = unit.layout.take(REGION_EDGES + 8 * len(region.edges))
        self.settle_at = -1
        self.keeping = ""
        self.followed = [port for group in region.groups for port in group.inputs]
        sizes = [port.stride * (2 if port.unknown >= 0 else 1) for port in self.followed]
        self.kept = unit.layout.take((sum(sizes) + sum(size for _, size in region.latches) + 15) // 8 * 8)
        """Where the block has room for what logic had followed before the step, and for latches."""

    def write(self) -> int:
        """Write everything."""
        self.keeping = self._copy_followed()
        settle = FunctionCode(self.unit, self.unit.symbol("settle"), "look")
        plan = self.unit.thread(settle.name, 0)
        plan.what, plan.span, self.settle_at = "region", self.region.span, plan.offset
        self._settle(settle)
        # A thread for each: inputs of another one may change between a change of its inputs and its turn.
        for group in self.region.groups:
            self._follow(group)
        for flag, order in ((self.region.begun, -1), (self.region.started, 3)):
            if flag >= 0:
                self._begin(flag, order)
        if self.region.initial:
            self._initial()
        hold = self._hold()
        commit = self._commit(hold)
        functions = [FunctionCode(self.unit, self.unit.symbol("edge"), "look") for _ in self.region.edges]
        plans = [self.unit.thread(f.name, 2) for f in functions]
        for edge, plan in zip(self.region.edges, plans, strict=True):
            plan.what, plan.span = "region", self.region.span
            watch = Watch(Ref(edge.signal), _EDGES[edge.edge] | WATCH_NODE, 0, 1)
            self.unit.sites.append(Site(plan.offset, (watch,)))
        for number, f in enumerate(functions):
            missed = [p.offset for edge, p in zip(self.region.edges, plans, strict=True) if edge.shared >> number & 1]
            self._edge(f, number, missed, hold, commit)
        return self.record

    # ------------------------------------------------------------------------------------------- threads

    def _edge(self, f: FunctionCode, number: int, missed: list[int], hold: str, commit: str) -> None:
        """Write the thread of an edge. What it runs for first is the start: only then it begins to wait.

        An edge that came before this thread ran found its procedures ready already, if they wait for both: they do not
        see it. `missed` are the threads of such edges.
        """
        w = f.w
        self._once(f, "waits")
        for offset in missed:
            ready, on = w.fresh("ready"), w.fresh("on")
            w.branch(w.compare("ne", 64, w.load_word("%Ip", offset + NODE_LIST), 0), ready, on)
            w.label(ready)
            w.call("unlink", w.op("add", 64, "%inst", offset))
            w.label(on)
        samples = [port for port in self.region.samples if port.edges >> number & 1]
        place = w.address("%Ip", self.record + REGION_PENDING)
        pending = w.load_word(place)
        first, later, apart, joined = (w.fresh(stem) for stem in ("first", "later", "apart", "joined"))
        w.branch(w.compare("eq", 64, pending, 0), first, later)
        w.label(first)
        code = w.emit(f"ptrtoint ptr @{commit} to i64")
        w.store_word(w.pointer(w.call("nba_push", code, 8, "%S")), 0, "%node")
        w.jump(joined)
        w.label(later)
        moved = w.compare("ne", 64, w.load_word("%Ip", self.record + REGION_MOVED), 0)
        again = w.compare("ne", 64, w.and_(64, pending, self.region.edges[number].again), 0)
        w.branch(w.or_(1, w.or_(1, moved, again), self._differs(f, samples, pending)), apart, joined)
        w.label(apart)
        w.emit(f"call i64 @{hold}(i64 %node, i64 %S)")
        w.jump(joined)
        w.label(joined)
        w.store_word(place, 0, w.or_(64, w.load_word(place), 1 << number))
        self._sample(f, samples)
        w.ret()
        self.unit.add_function(f)

    def _differs(self, f: FunctionCode, inputs: Iterable[RegionInput], pending: Operand = 0) -> Operand:
        """Say whether inputs are not as they were copied; of samples, by one of the edges that are `pending`."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        differs: Operand = 0
        for port in inputs:
            value = f.load_signal(port.signal, f.signal_pointer(port.signal))
            taken = w.compare("ne", 64, w.and_(64, pending, port.edges), 0) if port.edges else 1
            for at, plane in ((port.value, value.bits), (port.unknown, value.unknown)):
                if at >= 0:
                    size = 8 * port.stride
                    held = w.emit(f"load i{size}, ptr {w.address(state, at)}, align 1")
                    now = w.resize(plane, value.width, size)
                    differs = w.or_(1, differs, w.and_(1, taken, w.compare("ne", size, held, now)))
        return differs

    def _hold(self) -> str:
        """Write what computes the step that waits, for another one to come; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("hold"), "look")
        w = f.w
        record = w.op("add", 64, "%inst", self.record)
        room = w.op("add", 64, w.call("region_hold", record), HELD_CONTEXT)
        self._exchange(f)
        self._set_flags(f, w.load_word("%Ip", self.record + REGION_PENDING))
        w.store_word("%Ip", self.record + REGION_PENDING, 0)
        self._call(f, w.load_word("%Ip", self.record + REGION_EVALUATE), context=room)
        # What is assigned with `=` changes when the procedure runs (IEEE 1800-2023 10.4.1), before it runs again.
        self._call(f, w.load_word("%Ip", self.record + REGION_EARLY), context=room)
        self._put_back(f)
        w.ret()
        return self.unit.add_function(f)

    def _settle(self, f: FunctionCode) -> None:
        """Write the thread of what registers reach; at the start it gives all outputs their values."""
        w, region = f.w, self.region
        start, settle = w.fresh("start"), w.fresh("settle")
        place = w.address("%N", NODE_PC)
        w.branch(w.compare("eq", 32, w.emit(f"load i32, ptr {place}"), 0), start, settle)
        w.label(start)
        w.do(f"store i32 1, ptr {place}")
        self._publish(f, REGION_DIRECT, region.direct)
        w.label(settle)
        if region.settles:
            self._keep(f)
            self._sample(f, [port for group in region.groups if group.passes for port in group.inputs])
            self._call(f, w.load_word("%Ip", self.record + REGION_THROUGH), out=True)
            self._store(f, region.through)
        w.ret()
        self.unit.add_function(f)

    def _follow(self, group: RegionGroup) -> None:
        """Write the thread of inputs that some logic reads. What a step has followed already, it does not follow."""
        f = FunctionCode(self.unit, self.unit.symbol("follow"), "look")
        w = f.w
        plan = self.unit.thread(f.name, 0)
        plan.what, plan.span = "region", self.region.span
        kind = WATCH_ANY | WATCH_NODE
        watches = [Watch(Ref(port.signal), kind, low, high) for port in group.inputs for low, high in port.ranges]
        self.unit.sites.append(Site(plan.offset, tuple(watches)))
        if group.passes:
            new, old = w.fresh("new"), w.fresh("old")
            w.branch(self._differs(f, group.inputs), new, old)
            w.label(old)
            w.ret()
            w.label(new)
        self._keep(f)
        self._sample(f, group.inputs)
        if group.passes:
            self._call(f, w.load_word("%Ip", self.record + REGION_THROUGH), out=True)
            self._store(f, self.region.through)
        w.ret()
        self.unit.add_function(f)

    def _begin(self, flag: int, order: int) -> None:
        """Write the thread that says when the region's procedures begin, in their place in the first order."""
        f = FunctionCode(self.unit, self.unit.symbol("begin"), "look")
        plan = self.unit.thread(f.name, order)
        plan.what, plan.span = "region", self.region.span
        if flag == self.region.begun:
            # What procedures wait for a change of is what signals are now, which latches keep.
            self._sample(f, self.followed)
            if self.region.settles:
                self._call(f, f.w.load_word("%Ip", self.record + REGION_THROUGH), out=True)
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

    def _several(self, hold: str) -> str:
        """Write what commits steps one after the other, the last of which waits; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("several"), "look")
        w = f.w
        w.emit(f"call i64 @{hold}(i64 %node, i64 %S)")
        record = w.op("add", 64, "%inst", self.record)
        each, some, done = w.fresh("each"), w.fresh("some"), w.fresh("done")
        w.jump(each)
        w.label(each)
        block = w.call("region_take", record)
        w.branch(w.compare("eq", 64, block, 0), done, some)
        w.label(some)
        context = w.op("add", 64, block, HELD_CONTEXT)
        self._call(f, w.load_word("%Ip", self.record + REGION_COMMIT), context=context)
        w.call("weft_free", block)
        self._show(f)
        w.jump(each)
        w.label(done)
        w.ret()
        return self.unit.add_function(f)

    def _show(self, f: FunctionCode) -> None:
        """Write what a step that has been committed shows at outputs."""
        region = self.region
        if region.direct:
            self._call(f, f.w.load_word("%Ip", self.record + REGION_DIRECT), out=True)
        self._store(f, region.direct[: region.early])
        self._make_settle(f)
        self._store(f, region.direct[region.early :])

    def _commit(self, hold: str) -> str:
        """Write what the NBA region does: the step, then the outputs; return the function's name."""
        several = self._several(hold)
        f = FunctionCode(self.unit, self.unit.symbol("step"), "look")
        w, region = f.w, self.region
        more, one = w.fresh("more"), w.fresh("one")
        w.branch(w.compare("ne", 64, w.load_word("%Ip", self.record + REGION_HELD), 0), more, one)
        w.label(more)
        w.emit(f"call i64 @{several}(i64 %node, i64 %S)")
        w.ret()
        w.label(one)
        pending = w.load_word("%Ip", self.record + REGION_PENDING)
        w.store_word("%Ip", self.record + REGION_PENDING, 0)
        self._exchange(f)
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
        self._set_flags(f, pending)
        w.do(f"store i64 {w.load_word('%Ip', self.record + REGION_STEP)}, ptr {slot}")
        w.jump(call)
        w.label(call)
        self._call(f, w.emit(f"load i64, ptr {slot}"))
        self._put_back(f)
        self._show(f)
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

    def _set_flags(self, f: FunctionCode, pending: Operand) -> None:
        """Set the flags of the edges that have come, for the step that looks at all of them."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for number, edge in enumerate(self.region.edges):
            flag = w.emit(f"trunc i64 {w.op('lshr', 64, pending, number)} to i1")
            w.store(w.address(state, edge.flag), flag, 1)

    def _call(self, f: FunctionCode, code: Operand, out: bool = False, context: Operand | None = None) -> None:
        """Call a function of the region's, in the instance's context if in no other."""
        w = f.w
        names = [REGION_STATE, REGION_MEMORIES, REGION_CONTEXT, *([REGION_OUT] if out else [])]
        words = [w.load_word("%Ip", self.record + name) for name in names]
        words = [w.pointer(word if context is None or at != 2 else context) for at, word in enumerate(words)]
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
            if self._copy_output(f, out, port):
                continue
            bits = self._load_words(f, out, port.value, signal.width)
            unknown = self._load_words(f, out, port.unknown, signal.width) if port.unknown >= 0 else 0
            pointer = f.signal_pointer(signal)
            watched = self.unit.is_watched(signal)
            store_whole(f, Place(signal, pointer, pointer, 1, watched), Value(signal.width, bits, unknown))

    def _copy_output(self, f: FunctionCode, out: str, port: RegionOutput) -> bool:
        """Write a copy of an output that nobody watches, byte for byte, if it can be; return whether it can."""
        w, signal = f.w, port.signal
        planes = (port.value, port.unknown) if signal.type.four_state else (port.value,)
        if self.unit.is_watched(signal) or signal.width > _WORD_BITS or min(planes) < 0:
            return False
        target, size = f.signal_pointer(signal), plane_bytes(signal.width)
        for number, at in enumerate(planes):
            self._copy(f, w.address(target, number * size), w.address(out, at), size)
        return True

    def _load_words(self, f: FunctionCode, out: str, at: int, width: int) -> Operand:
        bits = (width + 63) // 64 * 64
        return f.w.resize(f.w.emit(f"load i{bits}, ptr {f.w.address(out, at)}, align 8"), bits, width)

    def _sample(self, f: FunctionCode, inputs: Iterable[RegionInput]) -> None:
        """Copy inputs to the region's state."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for port in inputs:
            signal = port.signal
            pointer, size = f.signal_pointer(signal), plane_bytes(signal.width)
            if signal.width <= _WORD_BITS and port.stride == size and signal.type.four_state and port.unknown >= 0:
                for number, at in enumerate((port.value, port.unknown)):
                    self._copy(f, w.address(state, at), w.address(pointer, number * size), size)
            else:
                self._put(f, state, port, f.load_signal(signal, pointer))

    def _put(self, f: FunctionCode, state: str, port: RegionInput, value: Value) -> None:
        for at, plane in ((port.value, value.bits), (port.unknown, value.unknown)):
            if at >= 0:
                size = 8 * port.stride
                wide = f.w.resize(plane, value.width, size)
                f.w.do(f"store i{size} {wide}, ptr {f.w.address(state, at)}, align 1")

    # ------------------------------------------------------------------------------------------- between edge and step

    def _keep(self, f: FunctionCode) -> None:
        """Keep what logic has followed, if an edge waits and nothing has been kept for it."""
        w = f.w
        pending = w.load_word("%Ip", self.record + REGION_PENDING)
        moved = w.load_word("%Ip", self.record + REGION_MOVED)
        waits = w.and_(1, w.compare("ne", 64, pending, 0), w.compare("eq", 64, moved, 0))
        keep, go_on = w.fresh("keep"), w.fresh("follow")
        w.branch(waits, keep, go_on)
        w.label(keep)
        w.emit(f"call i64 @{self.keeping}(i64 %node, i64 %S)")
        w.jump(go_on)
        w.label(go_on)

    def _copy_followed(self) -> str:
        """Write what copies what logic has followed to where it is kept; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("keep"), "look")
        w = f.w
        w.store_word("%Ip", self.record + REGION_MOVED, 1)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            self._copy(f, w.address("%Ip", at), w.address(state, place), size)
        w.ret()
        return self.unit.add_function(f)

    def _exchange(self, f: FunctionCode) -> None:
        """Exchange what logic has followed for what it had when the first edge came, where that has been kept."""
        w = f.w
        moved = w.load_word("%Ip", self.record + REGION_MOVED)
        exchange, done = w.fresh("exchange"), w.fresh("exchanged")
        w.branch(w.compare("ne", 64, moved, 0), exchange, done)
        w.label(exchange)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            inside, kept = w.address(state, place), w.address("%Ip", at)
            if size in _WORDS:
                new = w.emit(f"load i{8 * size}, ptr {inside}, align 1")
                old = w.emit(f"load i{8 * size}, ptr {kept}, align 1")
                w.do(f"store i{8 * size} {old}, ptr {inside}, align 1")
                w.do(f"store i{8 * size} {new}, ptr {kept}, align 1")
            else:
                room = f.w.fresh("%room")
                w.entry.append(f"  {room} = alloca [{size} x i8]")
                self._copy(f, room, inside, size)
                self._copy(f, inside, kept, size)
                self._copy(f, kept, room, size)
        w.jump(done)
        w.label(done)

    def _put_back(self, f: FunctionCode) -> None:
        """Put back what logic has followed, after the step."""
        w = f.w
        moved = w.load_word("%Ip", self.record + REGION_MOVED)
        back, done = w.fresh("back"), w.fresh("followed")
        w.branch(w.compare("ne", 64, moved, 0), back, done)
        w.label(back)
        w.store_word("%Ip", self.record + REGION_MOVED, 0)
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for place, size, at in self._places():
            self._copy(f, w.address(state, place), w.address("%Ip", at), size)
        w.jump(done)
        w.label(done)

    def _places(self) -> Iterator[tuple[int, int, int]]:
        """Yield what has to be kept: its place in the state, its size, and where the block has room for it."""
        at = self.kept
        for place, size in self._parts():
            yield place, size, at
            at += size

    def _parts(self) -> Iterator[tuple[int, int]]:
        for port in self.followed:
            yield port.value, port.stride
            if port.unknown >= 0:
                yield port.unknown, port.stride
        yield from self.region.latches

    def _copy(self, f: FunctionCode, target: str, source: str, size: int) -> None:
        w = f.w
        if size in _WORDS:
            word = w.emit(f"load i{8 * size}, ptr {source}, align 1")
            w.do(f"store i{8 * size} {word}, ptr {target}, align 1")
            return
        w.declare("llvm.memcpy.p0.p0.i64", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        w.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")
