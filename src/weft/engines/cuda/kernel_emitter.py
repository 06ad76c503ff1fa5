"""Emit a lane program as CUDA kernels in LLVM IR: one lane in each thread.

A thread loads its words at the beginning, keeps them in registers over its slots (they are `alloca`s here, which LLVM
promotes; with `pack_bits`, 32 bits share one), and stores them at the end. Private memories are reached through one
pointer for each plane, to this lane's first element; elements of one lane are `TILE` containers apart, so a warp that
agrees on an address reads one line.
Small memories that the design writes, register files above all, can live in *local* memory instead: it is interleaved
alike, but its writes stay in the first-level cache; they are copied in and out around the loop.

A branch of the lane program is a branch of the thread; whether the warp diverges is the hardware's business.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, replace
from weft.base.errors import InternalError
from weft.engines.cuda.lane_pages import PagedPlane
from weft.engines.lanes.emitter import LaneEmitter
from weft.engines.lanes.shape import Operand, Shape, element
from weft.ir.cone_graph import STEP_LIMIT
from weft.ir.lane_pages import is_paged, page_count
from weft.ir.lane_program import LaneAction, LaneProgram, LaneStatus, LaneStep
from weft.ir.layout import container_bytes
from weft.ir.ops import mask

TILE = 32
"""Lanes whose memories are interleaved: a warp."""

_SCALAR = Shape(1, 1)
_GLOBAL = "ptr addrspace(1)"

ROWS = ("state", "chosen", "first", "last", "status", "done", "counts")
"""The parameters of every kernel behind the number of lanes and the stride: addresses, in this order."""

_EMPTY = LaneStep("", [], [], [], [], [], [])

DECLARATIONS = """declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
"""


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """Choose how kernels are made: threads in a block, the largest memory kept in local memory, packed bits."""

    threads: int = 128
    local_bytes: int = 0
    pack_bits: bool = True
    blocks: int = 0


def run_text(program: LaneProgram, options: KernelOptions) -> str:
    """Return the module with the kernel `lanes_run`."""
    return DECLARATIONS + KernelEmitter(program, options).run()


def settle_text(program: LaneProgram, options: KernelOptions) -> str:
    """Return the module with the kernel `lanes_settle`."""
    return DECLARATIONS + KernelEmitter(program, replace(options, local_bytes=0)).settle()


def look_text(program: LaneProgram, look: LaneStep, options: KernelOptions) -> str:
    """Return the module with the kernel `lanes_look`, whose outputs are further parameters."""
    return DECLARATIONS + KernelEmitter(program, replace(options, local_bytes=0)).look(look)


class KernelEmitter(LaneEmitter):
    """Emit one kernel."""

    def __init__(self, program: LaneProgram, options: KernelOptions) -> None:
        super().__init__(_EMPTY, _SCALAR)
        bits = [number for number, word in enumerate(program.words) if word.width == 1] if options.pack_bits else []
        self._packed = {number: divmod(place, 32) for place, number in enumerate(bits)}
        self._stride, self._lane = "%stride", ""
        self.program, self.options, self.paged = program, options, is_paged(program)
        self.local = {
            plane
            for plane, memory in enumerate(program.memories)
            if memory.private and container_bytes(memory.width) * memory.depth <= options.local_bytes
        }

    # ---------------------------------------------------------------------------------------------- kernels

    def run(self) -> str:
        """Return the kernel that takes each lane from its first slot to its last."""
        self._enter()
        first, last = (
            self.put(f"load i64, {_GLOBAL} {self._row_of(name, 8)}, align 8") for name in ("%first", "%last")
        )
        self._leave_unless(self.put(f"icmp ult i64 {first}, {last}"))
        self._load_words()
        self._copy_local(inwards=True)
        count = max(1, len(self.program.events))
        self.add("store i32 0, ptr %stop")
        self.add(f"store i64 {first}, ptr %slot")
        self.add(f"store i64 {self.put(f'urem i64 {first}, {count}')}, ptr %event")
        loop, done = self.label(), self.label()
        self.add(f"br label %{loop}")
        self.begin(loop)
        self._events(count)
        slot = self.put(f"add i64 {self.put('load i64, ptr %slot')}, 1")
        self.add(f"store i64 {slot}, ptr %slot")
        stop = self.put("load i32, ptr %stop")
        goes = self.put(f"icmp eq i32 {stop}, 0")
        if self.paged:
            room = self.put(f"xor i1 {self.put('load i1, ptr %full')}, true")
            goes = self.put(f"and i1 {goes}, {room}")
        more = self.put(f"icmp ult i64 {slot}, {last}")
        self.add(f"br i1 {self.put(f'and i1 {goes}, {more}')}, label %{loop}, label %{done}")
        self.begin(done)
        self._finish()
        self.add(f"store i64 {slot}, {_GLOBAL} {self._row_of('%done', 8)}, align 8")
        self._copy_local(inwards=False)
        return self._close("lanes_run")

    def _events(self, count: int, looks: str = "") -> None:
        """Emit the event that is next, what settles the design after it, and the condition (if bit `looks` is 1)."""
        labels = [self.label() for _ in range(count)]
        after = self.label()
        event = self.put("load i64, ptr %event")
        if count > 1:
            cases = " ".join(f"i64 {number}, label %{label}" for number, label in enumerate(labels))
            self.add(f"switch i64 {event}, label %{labels[0]} [ {cases} ]")
        else:
            self.add(f"br label %{labels[0]}")
        for number, label in enumerate(labels):
            self.begin(label)
            if self.program.events:
                self._step(self.program.events[number].step)
                self._step(self.program.events[number].after)
            self.add(f"store i64 {(number + 1) % count}, ptr %event")
            self.add(f"br label %{after}")
        self.begin(after)
        if self.program.fires:
            self._settle_loop()
        if self.program.condition is not None:
            done = self._if(looks) if looks else ""
            self._step(self.program.condition)
            if done:
                self._join(done)

    def settle(self) -> str:
        """Return the kernel that settles each lane at its present time."""
        self._enter()
        self._load_words()
        self.add("store i32 0, ptr %stop")
        self.add("store i1 true, ptr %fire")
        self._settle_loop()
        self._finish()
        return self._close("lanes_settle")

    def look(self, look: LaneStep) -> str:
        """Return the kernel that computes a look's outputs."""
        self._enter()
        self._load_words()
        self._step(look)
        return self._close("lanes_look", len(look.actions))

    def _settle_loop(self) -> None:
        """Run the general step while a domain fires, at most `STEP_LIMIT` times."""
        test, body, done = self.label(), self.label(), self.label()
        self.add("store i32 0, ptr %rounds")
        self.add(f"br label %{test}")
        self.begin(test)
        self.add(f"br i1 {self.put('load i1, ptr %fire')}, label %{body}, label %{done}")
        self.begin(body)
        self.add("store i1 false, ptr %fire")
        self._step(self.program.general)
        rounds = self.put(f"add i32 {self.put('load i32, ptr %rounds')}, 1")
        self.add(f"store i32 {rounds}, ptr %rounds")
        again = self.put("load i1, ptr %fire")
        tired = self.put(f"icmp uge i32 {rounds}, {STEP_LIMIT}")
        bad = self.put(f"and i1 {again}, {tired}")
        self._stop(LaneStatus.OSCILLATION, bad)
        good = self.put(f"xor i1 {bad}, true")
        self.add(f"store i1 {self.put(f'and i1 {again}, {good}')}, ptr %fire")
        self.add(f"br label %{test}")
        self.begin(done)

    # ------------------------------------------------------------------------------------------------- parts

    def _enter(self) -> None:
        """Find this thread's lane, leave if there is none, and make room for its state."""
        self._make_room()
        thread = self._thread_number()
        self._leave_unless(self.put(f"icmp ult i64 {thread}, %lanes"))
        # With `chosen` the threads take the lanes that it lists: those that still run, side by side.
        before, listed, found = self.here, self.label(), self.label()
        some = self.put(f"icmp ne {_GLOBAL} %chosen, null")
        self.add(f"br i1 {some}, label %{listed}, label %{found}")
        self.begin(listed)
        place = self.put(f"getelementptr i32, {_GLOBAL} %chosen, i64 {thread}")
        lane = self.put(f"zext i32 {self.put(f'load i32, {_GLOBAL} {place}')} to i64")
        self.add(f"br label %{found}")
        self.begin(found)
        self._lane = self.put(f"phi i64 [{thread}, %{before}], [{lane}, %{listed}]")
        self._find_memories()

    def _thread_number(self) -> str:
        """Return which thread of all this is."""
        block = self.put("call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()")
        size = self.put("call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()")
        thread = self.put("call i32 @llvm.nvvm.read.ptx.sreg.tid.x()")
        number = self.put(f"add i32 {self.put(f'mul i32 {block}, {size}')}, {thread}")
        return self.put(f"zext i32 {number} to i64")

    def _make_room(self) -> None:
        """Make room for the state of a lane."""
        for number, word in enumerate(self.program.words):
            if number not in self._packed:
                self.add(f"%w{number} = alloca {_kind(word.width)}")
        for group in range(-(-len(self._packed) // 32)):
            self.add(f"%p{group} = alloca i32")
            self.add(f"store i32 0, ptr %p{group}")
        for name, kind in (("stop", "i32"), ("fire", "i1"), ("rounds", "i32"), ("slot", "i64"), ("event", "i64")):
            self.add(f"%{name} = alloca {kind}")
        for plane in sorted(self.local):
            memory = self.program.memories[plane]
            self.add(f"%local{plane} = alloca [{memory.depth} x i{8 * container_bytes(memory.width)}], align 16")
        self.add("store i1 false, ptr %fire")
        if self.paged:
            self.add("%full = alloca i1")
            self.add("store i1 false, ptr %full")

    def _find_memories(self) -> None:
        """Compute where the lane's memories begin."""
        tile = self.put(f"lshr i64 {self._lane}, {TILE.bit_length() - 1}")
        place = self.put(f"and i64 {self._lane}, {TILE - 1}")
        self._bases: list[str] = []
        for plane, memory in enumerate(self.program.memories):
            if memory.shared:
                self._bases.append(f"%m{plane}")
                continue
            item, count = container_bytes(memory.width), memory.depth
            if memory.paged:
                item, count = 4, page_count(memory)
            first = self.put(f"add i64 {self.put(f'mul i64 {tile}, {count * TILE}')}, {place}")
            self._bases.append(self.put(f"getelementptr i{8 * item}, {_GLOBAL} %m{plane}, i64 {first}"))

    def _leave_unless(self, test: str) -> None:
        go, leave = self.label(), self.label()
        self.add(f"br i1 {test}, label %{go}, label %{leave}")
        self.begin(leave)
        self.add("ret void")
        self.begin(go)

    def _row_of(self, base: str, item: int) -> str:
        """Return this lane's place in a row."""
        return self.put(f"getelementptr i{8 * item}, {_GLOBAL} {base}, i64 {self._lane}")

    def _word_place(self, number: int) -> str:
        before = sum(container_bytes(word.width) for word in self.program.words[:number])
        item = container_bytes(self.program.words[number].width)
        row = self.put(f"getelementptr i8, {_GLOBAL} %state, i64 {self.put(f'mul i64 {self._stride}, {before}')}")
        return self._row_of(row, item)

    def _load_words(self) -> None:
        for number, word in enumerate(self.program.words):
            item, kind = container_bytes(word.width), _kind(word.width)
            value = self.put(f"load i{8 * item}, {_GLOBAL} {self._word_place(number)}, align {item}")
            if word.width == 1:
                value = self.put(f"icmp ne i{8 * item} {value}, 0")
            elif f"i{8 * item}" != kind:
                value = self.put(f"zext i{8 * item} {value} to {kind}")
            self._set(number, value)

    def _get(self, number: int) -> str:
        """Return a word's present value."""
        if number not in self._packed:
            return self.put(f"load {_kind(self.program.words[number].width)}, ptr %w{number}")
        group, bit = self._packed[number]
        value = self.put(f"and i32 {self.put(f'load i32, ptr %p{group}')}, {1 << bit}")
        return self.put(f"icmp ne i32 {value}, 0")

    def _set(self, number: int, value: str) -> None:
        """Give a word a new value."""
        if number not in self._packed:
            self.add(f"store {_kind(self.program.words[number].width)} {value}, ptr %w{number}")
            return
        group, bit = self._packed[number]
        others = self.put(f"and i32 {self.put(f'load i32, ptr %p{group}')}, {~(1 << bit)}")
        mine = self.put(f"select i1 {value}, i32 {1 << bit}, i32 0")
        self.add(f"store i32 {self.put(f'or i32 {others}, {mine}')}, ptr %p{group}")

    def _finish(self) -> None:
        """Store the words and the status."""
        self._store_words()
        status = self.put(f"trunc i32 {self.put('load i32, ptr %stop')} to i8")
        if self.paged:
            short = self.put(f"select i1 {self.put('load i1, ptr %full')}, i8 {int(LaneStatus.PAGES)}, i8 0")
            status = self.put(f"select i1 {self.put(f'icmp eq i8 {status}, 0')}, i8 {short}, i8 {status}")
        self.add(f"store i8 {status}, {_GLOBAL} {self._row_of('%status', 1)}")

    def _store_words(self) -> None:
        """Store the words.

        The addresses are computed anew from numbers of which LLVM does not know that they are the same, for it would
        rather keep two registers for each word over the whole loop.
        """
        self._lane = self._forget(self._lane)
        if self._stride == "%stride":
            self._stride = self._forget(self._stride)
        for number, word in enumerate(self.program.words):
            item, kind = container_bytes(word.width), _kind(word.width)
            value = self._get(number)
            if f"i{8 * item}" != kind:
                value = self.put(f"{'zext' if word.width == 1 else 'trunc'} {kind} {value} to i{8 * item}")
            self.add(f"store i{8 * item} {value}, {_GLOBAL} {self._word_place(number)}, align {item}")

    def _forget(self, value: str) -> str:
        """Return a copy of a number that LLVM cannot see through."""
        return self.put(f'call i64 asm sideeffect "mov.u64 $0, $1;", "=l,l"(i64 {value})')

    def _copy_local(self, inwards: bool) -> None:
        """Copy the memories that are kept in local memory in or out."""
        for plane in sorted(self.local):
            memory = self.program.memories[plane]
            kind = f"i{8 * container_bytes(memory.width)}"
            before, loop, done = self.here, self.label(), self.label()
            self.add(f"br label %{loop}")
            self.begin(loop)
            index, more = self.put_name(), self.put_name()
            self.add(f"{index} = phi i64 [0, %{before}], [{more}, %{loop}]")
            far = self._element(plane, index, local=False)
            near = self._element(plane, index, local=True)
            source, target = (far, near) if inwards else (near, far)
            value = self.put(f"load {kind}, {source}")
            self.add(f"store {kind} {value}, {target}")
            self.add(f"{more} = add i64 {index}, 1")
            self.add(f"br i1 {self.put(f'icmp ult i64 {more}, {memory.depth}')}, label %{loop}, label %{done}")
            self.begin(done)

    def _close(self, name: str, outputs: int = 0) -> str:
        self.add("ret void")
        rows = ", ".join(f"{_GLOBAL} %{row}" for row in ROWS)
        planes = "".join(f", {_GLOBAL} noalias %m{plane}" for plane in range(len(self.program.memories)))
        pages = f", {_GLOBAL} %header, {_GLOBAL} noalias %pool" if self.paged else ""
        more = "".join(f", {_GLOBAL} %o{number}" for number in range(outputs))
        return self._function(name, f"i64 %lanes, i64 %stride, {rows}{planes}{pages}{more}")

    def _function(self, name: str, parameters: str) -> str:
        body = "\n  ".join(self.lines)
        attributes = f'"nvvm.maxntid"="{self.options.threads}"'
        if self.options.blocks:
            attributes += f' "nvvm.minctasm"="{self.options.blocks}"'
        head = f"define ptx_kernel void @{name}({parameters}) nounwind {attributes}"
        return f"{head} {{\nentry:\n  {body}\n}}\n"

    def _step(self, step: LaneStep) -> None:
        """Emit a step where it stands."""
        self.step = step
        self._values, self._masks, self._wide = {}, {}, {}
        self.emit()

    # ----------------------------------------------------------------------------------------- what steps need

    def some(self, condition: int, polarity: int) -> str:
        """Return whether a condition has a value in this lane."""
        bit = self.bit(condition)
        return bit if polarity else self.invert(bit)

    def read(self, word: int) -> Operand:
        """Load a word."""
        width = self.program.words[word].width
        value = self._get(word)
        return value if width == 1 else (value,)

    def act(self, action: LaneAction) -> None:
        """Emit an action."""
        match action.kind:
            case "store":
                (node,) = action.nodes
                width = self.program.words[action.target].width
                value = self.bit(node) if width == 1 else self.words(node)[0]
                self._set(action.target, value)
            case "write":
                self._write(action)
            case "stop":
                self._stop(action.target, self.bit(action.nodes[0]))
            case "condition":
                self._stop(LaneStatus.CONDITION, self.bit(action.nodes[0]))
            case "fire":
                fire = self.put(f"or i1 {self.put('load i1, ptr %fire')}, {self.bit(action.nodes[0])}")
                self.add(f"store i1 {fire}, ptr %fire")
            case "count":
                self._count_message(action)
            case "output":
                self._output(action)
            case _:
                raise InternalError(f"a kernel cannot do {action.kind}")

    def _stop(self, status: int, bit: str) -> None:
        """Stop the lane; of several reasons the gravest, with the greatest number, counts."""
        before = self.put("load i32, ptr %stop")
        after = self.put(f"select i1 {bit}, i32 {int(status)}, i32 0")
        most = self.put(f"call i32 @llvm.umax.i32(i32 {before}, i32 {after})")
        self.add(f"store i32 {most}, ptr %stop")

    def _if(self, bit: str) -> str:
        """Begin a block that runs if a bit is 1; return the label behind it."""
        go, done = self.label(), self.label()
        self.add(f"br i1 {bit}, label %{go}, label %{done}")
        self.begin(go)
        return done

    def _join(self, label: str) -> None:
        self.add(f"br label %{label}")
        self.begin(label)

    def _count_message(self, action: LaneAction) -> None:
        done = self._if(self.bit(action.nodes[0]))
        row = self.put(f"getelementptr i32, {_GLOBAL} %counts, i64 {self.put(f'mul i64 %stride, {action.target}')}")
        place = self._row_of(row, 4)
        before = self.put(f"load i32, {_GLOBAL} {place}")
        self.add(f"store i32 {self.put(f'add i32 {before}, 1')}, {_GLOBAL} {place}")
        self._join(done)

    def in_container(self, node: int) -> tuple[str, int]:
        """Return a word of an output as it lies in a container, and the container's bytes."""
        width = self.width(node)
        item = container_bytes(width)
        value = self.put(f"zext i1 {self.bit(node)} to i8") if width == 1 else self.words(node)[0]
        if width > 1 and 8 * item < element(width):
            value = self.put(f"trunc i{element(width)} {value} to i{8 * item}")
        return value, item

    def _output(self, action: LaneAction) -> None:
        value, item = self.in_container(action.nodes[0])
        self.add(f"store i{8 * item} {value}, {_GLOBAL} {self._row_of(f'%o{action.target}', item)}")

    def _element(self, plane: int, index: str, local: bool, own: bool = False) -> str:
        """Return the typed address of an element at an i64 index that is in range; with `own` it is to be written."""
        memory = self.program.memories[plane]
        if memory.paged:
            return PagedPlane(self, memory, self._bases[plane], TILE).place(index, own)
        kind = f"i{8 * container_bytes(memory.width)}"
        if local:
            return f"ptr {self.put(f'getelementptr {kind}, ptr %local{plane}, i64 {index}')}"
        at = index if memory.shared else self.put(f"mul i64 {index}, {TILE}")
        return f"{_GLOBAL} {self.put(f'getelementptr {kind}, {_GLOBAL} {self._bases[plane]}, i64 {at}')}"

    def _index(self, address: int, depth: int) -> tuple[str, str]:
        """Return an address as i64, 0 if it is out of range, and whether it is in range."""
        known = self.step.constant(address)
        if known is not None:
            return (str(known), "true") if known < depth else ("0", "false")
        bits = self.width(address)
        (value,) = self.words(address)
        size, inside = element(bits), "true"
        if mask(bits) >= depth:
            inside = self.put(f"icmp ult i{size} {value}, {depth}")
            value = self.put(f"select i1 {inside}, i{size} {value}, i{size} 0")
        return (value if size == 64 else self.put(f"zext i{size} {value} to i64")), inside

    def memory_read(self, node: int, plane: int, address: int) -> tuple[str, ...]:
        """Load an element."""
        memory = self.program.memories[plane]
        item, size = container_bytes(memory.width), element(memory.width)
        index, inside = self._index(address, memory.depth)
        if inside == "false":
            return self.constants(size, 0)
        value = self.put(f"load i{8 * item}, {self._element(plane, index, plane in self.local)}, align {item}")
        if 8 * item < size:
            value = self.put(f"zext i{8 * item} {value} to i{size}")
        if inside != "true":
            value = self.put(f"select i1 {inside}, i{size} {value}, i{size} 0")
        return (value,)

    def _write(self, action: LaneAction) -> None:
        """Store an element, or several, if the enable is 1."""
        address, value, chosen, enable = action.nodes
        memory = self.program.memories[action.target]
        item, size = container_bytes(memory.width), element(memory.width)
        kind, local = f"i{8 * item}", action.target in self.local
        index, inside = self._index(address, memory.depth)
        new = self._narrow(value, size, 8 * item)
        bits = self._narrow(chosen, size, 8 * item) if chosen >= 0 else ""
        done = self._if(self.put(f"and i1 {self.bit(enable)}, {inside}"))
        if action.count > 1:
            before, loop, again = self.here, self.label(), self.label()
            self.add(f"br label %{loop}")
            self.begin(loop)
            at, more = self.put_name(), self.put_name()
            self.add(f"{at} = phi i64 [{index}, %{before}], [{more}, %{again}]")
        else:
            loop, again, at, more = "", "", index, ""
        place = self._element(action.target, at, local, own=True)
        if bits:
            old = self.put(f"load {kind}, {place}, align {item}")
            changed = self.put(f"and {kind} {self.put(f'xor {kind} {old}, {new}')}, {bits}")
            new = self.put(f"xor {kind} {old}, {changed}")
        self.add(f"store {kind} {new}, {place}, align {item}")
        if loop:
            self.add(f"{more} = add i64 {at}, 1")
            last = self.put(f"add i64 {index}, {action.count}")
            limit = self.put(f"call i64 @llvm.umin.i64(i64 {last}, i64 {memory.depth})")
            self.add(f"br i1 {self.put(f'icmp ult i64 {more}, {limit}')}, label %{again}, label %{done}")
            self.begin(again)
            self.add(f"br label %{loop}")
            self.begin(done)
        else:
            self._join(done)

    def _narrow(self, node: int, size: int, want: int) -> str:
        """Return a word in the container of a memory."""
        (value,) = self.words(node, size)
        return value if size == want else self.put(f"trunc i{size} {value} to i{want}")


def _kind(width: int) -> str:
    """Return the type of a word in registers."""
    return "i1" if width == 1 else f"i{element(width)}"
