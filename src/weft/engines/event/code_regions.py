"""Write the unit of a region (`ir.region`): what calls its compiled steps, and when (IEEE 1800-2023 4.4, 4.5).

The threads of a region always wait (`WATCH_NODE`). There is one for each set of edges that procedures wait for: it is
made ready when they would be, and runs in the active region, where they would read their inputs. It copies the inputs
that they read, notes that they have run, and has the step wait for the NBA region. There the step commits the state,
and the outputs that are registers change, as nonblocking assignments would change them. What has run by then is one
step, since each procedure reads what was before it.

Logic that reads inputs follows them in threads that wait for their changes, as those of continuous assignments do and
in the same places of the order: one for all the logic that reads the same inputs, with copies of its own. If these
reach outputs or latches, the thread computes them; so does another one, which steps make ready, for what registers
reach. So the step uses, of each input, what procedures have seen when the edge came, and what logic had followed by
then: if logic follows inputs between the edge and the step, what it had before is kept and put back for the step, and
latches with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.code_kept_inputs import KeptInputs, copy_bytes
from weft.engines.event.code_places import Place, store_whole
from weft.engines.event.code_unit import UnitCode
from weft.engines.event.records import ACTIVE, NODE_LIST, NODE_PC, WATCH_ANY, WATCH_NEGEDGE, WATCH_NODE, WATCH_POSEDGE
from weft.engines.event.region_kernels import HELD_CONTEXT
from weft.engines.event.sites import Site, ThreadPlan, Watch
from weft.engines.event.writer import Operand, Value, plane_bytes
from weft.ir.expressions import Ref
from weft.ir.ops import mask
from weft.ir.region import (
    FOLLOWS_STEP,
    MOST_GROUPS,
    REGION_AHEAD,
    REGION_CHANGED,
    REGION_CHANGES,
    REGION_COMMIT,
    REGION_CONTEXT,
    REGION_DIRECT,
    REGION_EARLY,
    REGION_EDGES,
    REGION_EVALUATE,
    REGION_HELD,
    REGION_LATER,
    REGION_MEMORIES,
    REGION_MOVED,
    REGION_OUT,
    REGION_PENDING,
    REGION_STATE,
    REGION_STEP,
    REGION_THROUGH,
    Region,
    RegionInput,
    RegionOutput,
    group_bit,
)

_EDGES = {"posedge": WATCH_POSEDGE, "negedge": WATCH_NEGEDGE}
_WORD_BITS = 64


def write_region(unit: UnitCode, region: Region) -> int:
    """Write the functions and threads of a region; return where the record of an instance lies in its block."""
    return _RegionWriter(unit, region).write()


class _RegionWriter:
    def __init__(self, unit: UnitCode, region: Region) -> None:
        self.unit, self.region = unit, region
        self.record = unit.layout.take(REGION_EDGES + 8 * len(region.steps))
        self.settle_at, self.follow_at = -1, list[int]()
        self.flowing = ""
        self.kept = KeptInputs(unit, region, self.record)

    def write(self) -> int:
        """Write everything."""
        # A thread for each group: inputs of another one may change between a change of its inputs and its turn.
        names = [self.unit.symbol("settle"), *(self.unit.symbol("follow") for _ in self.region.groups)]
        plans = [self.unit.thread(name, 0) for name in names]
        for plan in plans:
            plan.what, plan.span = "region", self.region.span
        self.settle_at, *self.follow_at = (plan.offset for plan in plans)
        self.flowing = self._flow(plans[-1].offset - self.settle_at) if self.region.settles else ""
        self._settle(FunctionCode(self.unit, names[0], "look"))
        for number, plan in enumerate(plans[1:]):
            self._follow(number, plan)
        for flag, order in ((self.region.begun, -1), (self.region.started, 3)):
            if flag >= 0:
                self._begin(flag, order)
        if self.region.initial:
            self._initial()
        hold = self._hold()
        commit = self._commit(hold)
        for number in range(len(self.region.triggers)):
            self._trigger(number, hold, commit)
        return self.record

    # ------------------------------------------------------------------------------------------- threads

    def _trigger(self, number: int, hold: str, commit: str) -> None:
        """Write the thread of a set of edges. What it runs for first is the start: only then it begins to wait."""
        trigger = self.region.triggers[number]
        f = FunctionCode(self.unit, self.unit.symbol("edge"), "look")
        plan = self.unit.thread(f.name, 2)
        plan.what, plan.span = "region", self.region.span
        watches = [Watch(Ref(signal), _EDGES[edge] | WATCH_NODE, 0, 1) for signal, edge in trigger.edges]
        self.unit.sites.append(Site(plan.offset, tuple(watches)))
        w = f.w
        self._once(f, "waits")
        samples = [port for port in self.region.samples if port.trigger == number]
        place = w.address("%Ip", self.record + REGION_PENDING)
        pending = w.load_word(place)
        first, later, apart, joined = (w.fresh(stem) for stem in ("first", "later", "apart", "joined"))
        w.branch(w.compare("eq", 64, pending, 0), first, later)
        w.label(first)
        code = w.emit(f"ptrtoint ptr @{commit} to i64")
        w.store_word(w.pointer(w.call("nba_push", code, 8, "%S")), 0, "%node")
        w.jump(joined)
        w.label(later)
        # What has run already is as good as what runs now only where nothing has changed that it reads.
        moved = w.compare("ne", 64, w.load_word("%Ip", self.record + REGION_MOVED), 0)
        already = w.compare("ne", 64, w.and_(64, pending, 1 << number), 0)
        differs = 1 if trigger.again else self._differs(f, samples)
        w.branch(w.or_(1, moved, w.and_(1, already, differs)), apart, joined)
        w.label(apart)
        w.emit(f"call i64 @{hold}(i64 %node, i64 %S)")
        w.jump(joined)
        w.label(joined)
        w.store_word(place, 0, w.or_(64, w.load_word(place), 1 << number))
        self._sample(f, samples)
        w.ret()
        self.unit.add_function(f)

    def _differs(self, f: FunctionCode, inputs: Iterable[RegionInput]) -> Operand:
        """Say whether inputs are not as they were copied."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        differs: Operand = 0
        for port in inputs:
            value = f.load_signal(port.signal, f.signal_pointer(port.signal))
            for at, plane in ((port.value, value.bits), (port.unknown, value.unknown)):
                if at >= 0:
                    size = 8 * port.stride
                    held = w.emit(f"load i{size}, ptr {w.address(state, at)}, align 1")
                    now = w.resize(plane, value.width, size)
                    differs = w.or_(1, differs, w.compare("ne", size, held, now))
        return differs

    def _hold(self) -> str:
        """Write what computes the step that waits, for another one to come; return the function's name."""
        f = FunctionCode(self.unit, self.unit.symbol("hold"), "look")
        w = f.w
        record = w.op("add", 64, "%inst", self.record)
        room = w.op("add", 64, w.call("region_hold", record), HELD_CONTEXT)
        self.kept.exchange(f)
        self._set_flags(f, w.load_word("%Ip", self.record + REGION_PENDING))
        w.store_word("%Ip", self.record + REGION_PENDING, 0)
        self._call(f, w.load_word("%Ip", self.record + REGION_EVALUATE), context=room)
        # What is assigned with `=` changes when the procedure runs (IEEE 1800-2023 10.4.1), before it runs again.
        self._call(f, w.load_word("%Ip", self.record + REGION_EARLY), context=room)
        self.kept.put_back(f)
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
        if region.settles:
            self._sample(f, [port for group in region.groups if group.passes for port in group.inputs])
            self._note(f, REGION_LATER, mask(64))
            w.emit(f"call i64 @{self.flowing}(i64 %node, i64 %S)")
        w.ret()
        w.label(settle)
        if region.settles:
            self.kept.keep(f)
            for number, group in enumerate(region.groups):
                if group.joins:
                    self._sample(f, group.inputs)
                    if group.parts:
                        ready = w.compare("ne", 64, w.load_word("%Ip", self.follow_at[number] + NODE_LIST), 0)
                        self._note(f, REGION_AHEAD, w.op("shl", 64, w.resize(ready, 1, 64), group_bit(number)))
            self._note(f, REGION_LATER, 1 << FOLLOWS_STEP)
            w.emit(f"call i64 @{self.flowing}(i64 %node, i64 %S)")
        w.ret()
        self.unit.add_function(f)

    def _note(self, f: FunctionCode, word: int, bits: Operand) -> None:
        """Note in a word of the record what has been followed."""
        w = f.w
        w.store_word("%Ip", self.record + word, w.or_(64, w.load_word("%Ip", self.record + word), bits))

    def _follow(self, number: int, plan: ThreadPlan) -> None:
        """Write the thread of inputs that some logic reads. What a step has followed already, it does not follow."""
        group = self.region.groups[number]
        f = FunctionCode(self.unit, plan.symbol, "look")
        w = f.w
        kind = WATCH_ANY | WATCH_NODE
        watches = [Watch(Ref(port.signal), kind, low, high) for port in group.inputs for low, high in port.ranges]
        self.unit.sites.append(Site(plan.offset, tuple(watches)))
        new, old = w.fresh("new"), w.fresh("old")
        apart = number < MOST_GROUPS
        differs = self._differs(f, group.inputs) if group.passes and apart else 1
        if group.joins and group.parts and apart:
            ahead, bit = w.load_word("%Ip", self.record + REGION_AHEAD), 1 << group_bit(number)
            differs = w.or_(1, differs, w.compare("ne", 64, w.and_(64, ahead, bit), 0))
            w.store_word("%Ip", self.record + REGION_AHEAD, w.and_(64, ahead, mask(64) ^ bit))
        w.branch(differs, new, old)
        w.label(new)
        self.kept.keep(f)
        self._sample(f, group.inputs)
        if group.passes:
            self._note(f, REGION_LATER, 1 << group_bit(number))
        w.jump(old)
        w.label(old)
        if self.flowing:
            w.emit(f"call i64 @{self.flowing}(i64 %node, i64 %S)")
        w.ret()
        self.unit.add_function(f)

    def _flow(self, span: int) -> str:
        """Write what computes and stores what inputs reach, once for all threads that follow each other.

        Assignments that several inputs reach one after the other would take values on their way that events do not
        show: there all assignments that inputs have made ready run before those that these make ready. `span` is how
        far the last one of the region's threads for logic lies behind the first one.
        """
        f = FunctionCode(self.unit, self.unit.symbol("flow"), "look")
        w = f.w
        some, last, none = w.fresh("some"), w.fresh("last"), w.fresh("none")
        later = w.load_word("%Ip", self.record + REGION_LATER)
        w.branch(w.compare("ne", 64, later, 0), some, none)
        w.label(some)
        behind = w.op("sub", 64, w.load_word("%Sp", ACTIVE), w.op("add", 64, "%inst", self.settle_at))
        w.branch(w.compare("ule", 64, behind, span), none, last)
        w.label(last)
        w.store_word("%Ip", self.record + REGION_LATER, 0)
        self._call(f, w.load_word("%Ip", self.record + REGION_THROUGH), out=True)
        # An output that nothing of this reaches has its turn later, or has had it.
        for output in self.region.through:
            reached, on = w.fresh("reached"), w.fresh("on")
            w.branch(w.compare("ne", 64, w.and_(64, later, output.groups), 0), reached, on)
            w.label(reached)
            self._store(f, (output,))
            w.jump(on)
            w.label(on)
        w.jump(none)
        w.label(none)
        w.ret()
        return self.unit.add_function(f)

    def _begin(self, flag: int, order: int) -> None:
        """Write the thread that says when the region's procedures begin, in their place in the first order."""
        f = FunctionCode(self.unit, self.unit.symbol("begin"), "look")
        plan = self.unit.thread(f.name, order)
        plan.what, plan.span = "region", self.region.span
        if flag == self.region.begun:
            # What procedures wait for a change of is what signals are now, which latches keep.
            self._sample(f, self.region.followed)
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
        self.kept.exchange(f)
        general, call = w.fresh("general"), w.fresh("call")
        slot = w.slot(64)
        for number, fired in enumerate(region.steps):
            alone, other = w.fresh("alone"), w.fresh("other")
            w.branch(w.compare("eq", 64, pending, fired), alone, other)
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
        self.kept.put_back(f)
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
        """Set the flags of what has run, for the step that looks at all of them."""
        w = f.w
        state = w.pointer(w.load_word("%Ip", self.record + REGION_STATE))
        for number, trigger in enumerate(self.region.triggers):
            flag = w.emit(f"trunc i64 {w.op('lshr', 64, pending, number)} to i1")
            w.store(w.address(state, trigger.flag), flag, 1)

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
            copy_bytes(f, w.address(target, number * size), w.address(out, at), size)
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
                    copy_bytes(f, w.address(state, at), w.address(pointer, number * size), size)
            else:
                self._put(f, state, port, f.load_signal(signal, pointer))

    def _put(self, f: FunctionCode, state: str, port: RegionInput, value: Value) -> None:
        for at, plane in ((port.value, value.bits), (port.unknown, value.unknown)):
            if at >= 0:
                size = 8 * port.stride
                wide = f.w.resize(plane, value.width, size)
                f.w.do(f"store i{size} {wide}, ptr {f.w.address(state, at)}, align 1")
