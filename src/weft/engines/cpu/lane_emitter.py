"""Emit steps of a lane program for a tile of lanes in the vectors of a CPU.

While a tile runs, its scalar state lies in a *buffer* that fits the first-level cache: a bit of each lane in
a byte, a word in as many vectors as it takes. `load_columns` and `save_columns` bring the chosen lanes there from the
batch's array and back. Memories stay in the batch's array: reads are gathers; writes are scatters where there are some
(AVX-512), else a store for each lane.

All functions have the arguments of `SIGNATURE`: the context (`lane_context`), the tile's number, the buffer, and the
lanes that take part.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.engines.cpu import lane_context as ctx
from weft.engines.cpu.lane_pages import PagedPlane, table_size
from weft.engines.lanes.emitter import LaneEmitter
from weft.engines.lanes.shape import Operand, Shape, element
from weft.ir.lane_program import LaneAction, LaneProgram, LaneStep
from weft.ir.layout import container_bytes
from weft.ir.ops import mask
from weft.ir.step_graph import MEMREAD


@dataclass(frozen=True, slots=True)
class TileBuffer:
    """Place the words of a program in the buffer; `size` is its length in bytes."""

    offsets: tuple[int, ...]
    size: int


def place_buffer(program: LaneProgram, shape: Shape) -> TileBuffer:
    """Return the buffer's layout: words by size, so that all are aligned; temporaries lie behind those of the state."""
    bits = [shape.bit_size if word.width == 1 else element(word.width) for word in program.words]
    sizes = [shape.lanes * size // 8 for size in bits]
    offsets, at = [0] * len(sizes), 0
    for number in sorted(range(len(sizes)), key=lambda number: (program.words[number].state < 0, -sizes[number])):
        at = -(-at // sizes[number]) * sizes[number]
        offsets[number] = at
        at += sizes[number]
    return TileBuffer(tuple(offsets), -(-at // 64) * 64 + 64)


def signature(shape: Shape) -> str:
    """Return the parameters of every function."""
    return f"(ptr noalias %x, i64 %tile, ptr noalias %b, {shape.set} %active) nounwind"


def function_text(name: str, body: str, shape: Shape, define: str = "define internal") -> str:
    """Return the whole function with a body."""
    return f"{define} void @{name}{signature(shape)} {{\nentry:\n  {body}\n}}\n"


def call_text(name: str, shape: Shape) -> str:
    """Return the call of a function with its caller's arguments."""
    return f"call void @{name}(ptr %x, i64 %tile, ptr %b, {shape.set} %active)"


class TileEmitter(LaneEmitter):
    """Emit one function. With `guarded`, words of the state keep their values in lanes that are not active."""

    def __init__(
        self, program: LaneProgram, step: LaneStep, shape: Shape, buffer: TileBuffer, guarded: bool = False
    ) -> None:
        super().__init__(step, shape)
        self.program, self.buffer, self.guarded = program, buffer, guarded
        self.bases: dict[int, str] = {}
        self._active: tuple[str, ...] = ()
        self._active_bit = ""
        self._scratch = ""
        self.pool = ""

    def body(self) -> str:
        """Emit the step and return the instructions of its function."""
        self._scratch = self.put(f"alloca [{8 + 3 * self.shape.lanes} x i64], align 64") if self._writes() else ""
        planes = self._planes()
        for plane in planes:
            self.bases[plane] = self._base(plane)
        if any(self.program.memories[plane].paged for plane in planes):
            self.pool = self.context_word(ctx.POOL, "ptr")
        self._begin()
        self.emit()
        return "\n  ".join([*self.lines, "ret void"])

    def _writes(self) -> bool:
        return any(action.kind == "write" for action in self.step.actions)

    def _planes(self) -> list[int]:
        step = self.step
        found = {step.param[node] for node in step.nodes if step.op[node] == MEMREAD}
        return sorted(found | {action.target for action in step.actions if action.kind == "write"})

    # -------------------------------------------------------------------------------------------- addresses

    def context_word(self, index: int, kind: str = "i64") -> str:
        """Load a word of the context."""
        return self.put(f"load {kind}, ptr {self.put(f'getelementptr i64, ptr %x, i64 {index}')}")

    def _base(self, plane: int) -> str:
        """Return the address of this tile's part of a memory plane."""
        memory = self.program.memories[plane]
        base = self.context_word(ctx.WORDS + plane, "ptr")
        if memory.shared:
            return base
        size = memory.depth * self.shape.lanes * container_bytes(memory.width)
        if memory.paged:
            size = table_size(self, plane)
        return self.put(f"getelementptr i8, ptr {base}, i64 {self.put(f'mul i64 %tile, {size}')}")

    def _place(self, word: int, chunk: int) -> str:
        size = element(self.program.words[word].width)
        at = self.buffer.offsets[word] + chunk * self.shape.chunk * size // 8
        return self.put(f"getelementptr i8, ptr %b, i64 {at}") if at else "%b"

    def read(self, word: int) -> Operand:
        """Load a word from the buffer."""
        width = self.program.words[word].width
        if width == 1:
            return self.put(f"load {self.shape.bit}, ptr {self._place(word, 0)}, align {self._bit_alignment()}")
        kind = self.shape.vector(element(width))
        return tuple(
            self.put(f"load {kind}, ptr {self._place(word, chunk)}, align {self.alignment(width)}")
            for chunk in range(self.shape.chunks)
        )

    def _bit_alignment(self) -> int:
        """Return the alignment of bits."""
        return min(64, self.shape.lanes * self.shape.bit_size // 8)

    def alignment(self, width: int) -> int:
        """Return the alignment of a word's chunks."""
        return min(64, self.shape.chunk * element(width) // 8)

    def store(self, word: int, value: str | tuple[str, ...]) -> None:
        """Store a word to the buffer."""
        width = self.program.words[word].width
        if isinstance(value, str):
            place = self._place(word, 0)
            self.add(f"store {self.shape.bit} {value}, ptr {place}, align {self._bit_alignment()}")
            return
        kind = self.shape.vector(element(width))
        for chunk, text in enumerate(value):
            self.add(f"store {kind} {text}, ptr {self._place(word, chunk)}, align {self.alignment(width)}")

    def _begin(self) -> None:
        """Make the active lanes a bit and masks, where every block sees them."""
        shape = self.shape
        every = self.put(f"bitcast {shape.set} %active to <{shape.lanes} x i1>")
        self._active_bit = self.put(f"sext <{shape.lanes} x i1> {every} to {shape.bit}")
        self._active = (every,) if shape.chunks == 1 else self.unpack(self._active_bit)

    def some(self, condition: int, polarity: int) -> str:
        """Return whether a condition has a value in some active lane."""
        bit = self.bit(condition)
        lanes = self.lanes_of(self.bits("and", bit if polarity else self.invert(bit), self._active_bit))
        return self.put(f"icmp ne {self.shape.set} {lanes}, 0")

    # ---------------------------------------------------------------------------------------------- actions

    def act(self, action: LaneAction) -> None:
        """Emit an action; masks that its own blocks make are unknown behind it."""
        masks, self._masks = self._masks, dict(self._masks)
        self._act(action)
        self._masks = masks

    def _act(self, action: LaneAction) -> None:
        match action.kind:
            case "store":
                self._store(action.target, action.nodes[0])
            case "write":
                self._write(action)
            case "stop":
                self._collect(ctx.STOPS + action.target, self.bit(action.nodes[0]))
            case "fire":
                self._collect(ctx.FIRE, self.bit(action.nodes[0]))
            case "holds":
                self._collect(ctx.HOLDS, self.bit(action.nodes[0]))
            case "condition":
                self._collect(ctx.STOPS + 1, self.bit(action.nodes[0]))
            case "count":
                self._count_message(action)
            case _:
                self._output(action)

    def _store(self, word: int, node: int) -> None:
        width, guarded = self.program.words[word].width, self.guarded and self.program.words[word].state >= 0
        if width == 1:
            bit = self.bit(node)
            if guarded:
                old = self.read(word)
                assert isinstance(old, str)
                bit = self._merge(old, bit)
            self.store(word, bit)
            return
        chunks = self.words(node)
        if guarded:
            old = self.read(word)
            assert isinstance(old, tuple)
            chunks = self.choose(element(width), self._active, chunks, old)
        self.store(word, chunks)

    def _merge(self, old: str, new: str) -> str:
        """Return a bit that is new in active lanes."""
        changed = self.bits("and", self.bits("xor", old, new), self._active_bit)
        return self.bits("xor", old, changed)

    def _collect(self, index: int, bit: str) -> None:
        """Add lanes to a mask behind the buffer's words."""
        at = self.put(f"getelementptr i64, ptr %b, i64 {index - ctx.MASKS}")
        at = self.put(f"getelementptr i8, ptr {at}, i64 {self.buffer.size}")
        before = self.put(f"load {self.shape.set}, ptr {at}, align 8")
        lanes = self.lanes_of(self.bits("and", bit, self._active_bit))
        both = self.put(f"or {self.shape.set} {before}, {lanes}")
        self.add(f"store {self.shape.set} {both}, ptr {at}, align 8")

    def _output(self, action: LaneAction) -> None:
        """Store a look's word to its own row, in the container of its width."""
        (node,) = action.nodes
        width = self.width(node)
        base = self.context_word(ctx.WORDS + len(self.program.memories) + action.target, "ptr")
        self._store_row(base, width, self.bit(node) if width == 1 else self.words(node))

    def _store_row(self, base: str, width: int, value: str | tuple[str, ...], lanes: tuple[str, ...] = ()) -> None:
        """Store a word to a row of the batch, in the chosen lanes (all by default)."""
        item, chunk = container_bytes(width), self.shape.chunk
        kind = self.shape.vector(8 * item)
        for number in range(self.shape.chunks):
            at = self._row_place(base, item, number)
            if isinstance(value, str):
                part = self.put(f"zext {self.shape.mask} {self.unpack(value)[number]} to {kind}")
            else:
                part = value[number]
                if 8 * item < element(width):
                    part = self.put(f"trunc {self.shape.vector(element(width))} {part} to {kind}")
            if lanes:
                old = self.put(f"load {kind}, ptr {at}, align {min(64, item * chunk)}")
                part = self.put(f"select {self.shape.mask} {lanes[number]}, {kind} {part}, {kind} {old}")
            self.add(f"store {kind} {part}, ptr {at}, align {min(64, item * chunk)}")

    def _row_place(self, base: str, item: int, chunk: int) -> str:
        first = self.put(f"mul i64 %tile, {item * self.shape.lanes}")
        at = self.put(f"add i64 {first}, {chunk * self.shape.chunk * item}")
        return self.put(f"getelementptr i8, ptr {base}, i64 {at}")

    def _count_message(self, action: LaneAction) -> None:
        """Add one to a message's counter in the lanes where it ran."""
        bit = self.bits("and", self.bit(action.nodes[0]), self._active_bit)
        done = self._branch_if_any(self.lanes_of(bit))
        rows, stride = self.context_word(ctx.COUNTS, "ptr"), self.context_word(ctx.STRIDE)
        row = self.put(f"mul i64 {stride}, {4 * action.target}")
        base = self.put(f"getelementptr i8, ptr {rows}, i64 {row}")
        kind = self.shape.vector(32)
        for number, lane in enumerate(self.unpack(bit)):
            at = self._row_place(base, 4, number)
            more = self.put(f"zext {self.shape.mask} {lane} to {kind}")
            old = self.put(f"load {kind}, ptr {at}, align {min(64, 4 * self.shape.chunk)}")
            new = self.put(f"add {kind} {old}, {more}")
            self.add(f"store {kind} {new}, ptr {at}, align {min(64, 4 * self.shape.chunk)}")
        self._join(done)

    def _branch_if_any(self, lanes: str) -> str:
        """Begin a block that is skipped if no lane is chosen; return the label behind it."""
        some = self.put(f"icmp ne {self.shape.set} {lanes}, 0")
        go, done = self.label(), self.label()
        self.add(f"br i1 {some}, label %{go}, label %{done}")
        self.begin(go)
        return done

    def _join(self, label: str) -> None:
        self.add(f"br label %{label}")
        self.begin(label)

    # --------------------------------------------------------------------------------------------- memories

    def memory_read(self, node: int, plane: int, address: int) -> tuple[str, ...]:
        """Gather an element for each lane."""
        memory, shape = self.program.memories[plane], self.shape
        item, size = container_bytes(memory.width), element(memory.width)
        known = self.step.constant(address)
        if known is not None and (not memory.paged or known >= memory.depth):
            return self._read_constant(plane, known)
        bits = self.width(address)
        index = self.words(address)
        have = element(bits)
        inside: tuple[str, ...] = ()
        if mask(bits) >= memory.depth:
            inside = self.compare("ult", have, index, self.constants(have, memory.depth))
            index = self.choose(have, inside, index, self.constants(have, 0))
        index = self.convert(index, have, 32)
        full = inside or ("splat (i1 true)",) * shape.chunks
        if self.region is not None:
            # Lanes that do not need the element do not touch the cache for it.
            needed = self.masks(self.region[0])
            if not self.region[1]:
                needed = self.binary("xor", 1, needed, ("splat (i1 true)",) * shape.chunks)
            full = self.binary("and", 1, full, needed)
        if memory.paged:
            paged = PagedPlane(self, plane)
            places = paged.places(index, paged.entries(index, full)[1])
        else:
            places = self._element_places(plane, index)
        kind, pointer = shape.vector(size), f"<{shape.chunk} x ptr>"
        name = f"@llvm.masked.gather.v{shape.chunk}i{size}.v{shape.chunk}p0"
        # A gather takes whole 32- or 64-bit integers: narrow ones are read with their neighbours.
        alignment = 1 if item < 4 else item
        call = f"call {kind} {name}({pointer} align {alignment} {{0}}, {shape.mask} {{1}}, {kind} zeroinitializer)"
        found = self.each(call, places, full)
        return self.trim(found, size, memory.width) if 8 * item < size else found

    def _element_places(self, plane: int, index: tuple[str, ...]) -> tuple[str, ...]:
        """Return the places of elements of a plane that is not paged, for a gather."""
        memory, shape = self.program.memories[plane], self.shape
        item = container_bytes(memory.width)
        per_lane, bytes_wide = 1 if memory.shared else shape.lanes, item < 4
        if bytes_wide:
            index = self.binary("mul", 32, index, self.constants(32, per_lane * item))
        elif per_lane > 1:
            index = self.binary("mul", 32, index, self.constants(32, per_lane))
        if not memory.shared:
            lanes = [self.lane_numbers(chunk, item if bytes_wide else 1) for chunk in range(shape.chunks)]
            index = self.binary("add", 32, index, lanes)
        unit = "i8" if bytes_wide else f"i{8 * item}"
        return self.each(f"getelementptr {unit}, ptr {self.bases[plane]}, {shape.vector(32)} {{0}}", index)

    def lane_numbers(self, chunk: int, scale: int, size: int = 32) -> str:
        """Return the numbers of a chunk's lanes, times `scale`."""
        first = chunk * self.shape.chunk
        return "<" + ", ".join(f"i{size} {(first + lane) * scale}" for lane in range(self.shape.chunk)) + ">"

    def _read_constant(self, plane: int, address: int) -> tuple[str, ...]:
        """Read the same element in every lane: neighbours in a private memory, one for all in a shared one."""
        memory, shape = self.program.memories[plane], self.shape
        item, size = container_bytes(memory.width), element(memory.width)
        if address >= memory.depth:
            return self.constants(size, 0)
        if memory.shared:
            at = self.put(f"getelementptr i8, ptr {self.bases[plane]}, i64 {address * item}")
            one = self.put(f"load i{8 * item}, ptr {at}")
            start = self.put(f"insertelement {shape.vector(8 * item)} poison, i{8 * item} {one}, i64 0")
            zeros = f"<{shape.chunk} x i32> zeroinitializer"
            kind = shape.vector(8 * item)
            every = self.put(f"shufflevector {kind} {start}, {kind} poison, {zeros}")
            found = (every,) * shape.chunks
        else:
            first = address * shape.lanes * item
            found = tuple(
                self.put(
                    f"load {shape.vector(8 * item)}, ptr "
                    f"{self.put(f'getelementptr i8, ptr {self.bases[plane]}, i64 {first + c * shape.chunk * item}')}"
                    f", align {min(64, shape.chunk * item)}"
                )
                for c in range(shape.chunks)
            )
        return self.convert(found, 8 * item, size)

    def _write(self, action: LaneAction) -> None:
        """Write an element in each lane that asks for it.

        Where there is no scatter, every lane of the tile stores, those that do not fire to a place where it does no
        harm: how many fire is random, and a loop over them would be predicted wrongly as often as it ends.
        """
        if action.count > 1:
            self._fill(action)
            return
        address, enable = action.nodes[0], action.nodes[3]
        memory, shape = self.program.memories[action.target], self.shape
        item, kind = container_bytes(memory.width), f"i{8 * container_bytes(memory.width)}"
        bit = self.bits("and", self.bit(enable), self._active_bit)
        index, have = self.words(address), element(self.width(address))
        if mask(self.width(address)) >= memory.depth:
            inside = self.compare("ult", have, index, self.constants(have, memory.depth))
            bit = self.bits("and", bit, self.pack(inside))
        done = self._branch_if_any(self.lanes_of(bit))
        if memory.paged:
            self._write_pages(action, self.convert(index, have, 32), bit)
            self._join(done)
            return
        index = self.binary("mul", have, index, self.constants(have, shape.lanes))
        index = self.binary("add", have, index, [self.lane_numbers(chunk, 1, have) for chunk in range(shape.chunks)])
        base = self.bases[action.target]
        if shape.scatters and item >= 4:
            index = self.convert(index, have, 32)
            places = self.each(f"getelementptr {kind}, ptr {base}, {shape.vector(32)} {{0}}", index)
            self._scatter(action, 8 * item, places, self.unpack(bit))
            self._join(done)
            return
        places = self.each(f"getelementptr {kind}, ptr {base}, {shape.vector(have)} {{0}}", index)
        self._store_each(action, places, bit)
        self._join(done)

    def _write_pages(self, action: LaneAction, index: tuple[str, ...], bit: str) -> None:
        """Write an element of a paged memory in the lanes of a bit, all of which have it."""
        paged, shape = PagedPlane(self, action.target), self.shape
        masks = self.unpack(bit)
        entry_places, entries = paged.entries(index, masks)
        places = paged.places(index, paged.own(entry_places, entries, bit, masks))
        if shape.scatters and paged.item >= 4:
            self._scatter(action, 8 * paged.item, places, masks)
        else:
            self._store_each(action, places, bit)

    def _store_each(self, action: LaneAction, places: tuple[str, ...], bit: str) -> None:
        """Write an element in every lane of the tile, one after the other, those without a bit to scratch memory."""
        _, value, chosen, _ = action.nodes
        memory, shape = self.program.memories[action.target], self.shape
        item, kind = container_bytes(memory.width), f"i{8 * container_bytes(memory.width)}"
        pointers = f"<{shape.chunk} x ptr>"
        first = self.put(f"insertelement {pointers} poison, ptr {self._scratch}, i64 0")
        nowhere = self.put(
            f"shufflevector {pointers} {first}, {pointers} poison, <{shape.chunk} x i32> zeroinitializer"
        )
        choice = f"select {shape.mask} {{0}}, {pointers} {{1}}, {pointers} {nowhere}"
        safe = self.each(choice, self.unpack(bit), places)
        for chunk, text in enumerate(safe):
            self.add(f"store {pointers} {text}, ptr {self.scratch_at(64 + chunk * shape.chunk * 8)}, align 64")
        sizes = [self._spill(node, number) for number, node in ((1, value), (2, chosen)) if node >= 0]
        for lane in range(shape.lanes):
            place = self.put(f"load ptr, ptr {self.scratch_at(64 + 8 * lane)}")
            new = self._unspill(1, sizes[0], str(lane), 8 * item)
            if chosen >= 0:
                old, bits = self.put(f"load {kind}, ptr {place}"), self._unspill(2, sizes[1], str(lane), 8 * item)
                new = self._mixed(kind, old, new, bits)
            self.add(f"store {kind} {new}, ptr {place}")

    def scratch_at(self, offset: int) -> str:
        """Return a place in scratch memory."""
        return self.put(f"getelementptr i8, ptr {self._scratch}, i64 {offset}")

    def _scatter(self, action: LaneAction, size: int, places: tuple[str, ...], masks: tuple[str, ...]) -> None:
        """Write integers of `size` bits in the lanes of some masks, whose places are never the same."""
        shape, chosen = self.shape, action.nodes[2]
        kind, pointers = shape.vector(size), f"<{shape.chunk} x ptr>"
        suffix = f"v{shape.chunk}i{size}.v{shape.chunk}p0"
        new = self.words(action.nodes[1], size)
        if chosen >= 0:
            call = f"call {kind} @llvm.masked.gather.{suffix}({pointers} align {size // 8} {{0}}, {shape.mask} {{1}},"
            old = self.each(f"{call} {kind} zeroinitializer)", places, masks)
            bits = self.words(chosen, size)
            changed = self.binary("and", size, self.binary("xor", size, old, new), bits)
            new = self.binary("xor", size, old, changed)
        call = f"call void @llvm.masked.scatter.{suffix}({kind} {{0}}, {pointers} align {size // 8} {{1}},"
        for group in zip(new, places, masks, strict=True):
            self.add(f"{call} {shape.mask} {{2}})".format(*group))

    def _mixed(self, kind: str, old: str, new: str, bits: str) -> str:
        """Return an element some of whose bits are new."""
        changed = self.put(f"and {kind} {self.put(f'xor {kind} {old}, {new}')}, {bits}")
        return self.put(f"xor {kind} {old}, {changed}")

    def _fill(self, action: LaneAction) -> None:
        """Write several consecutive elements, as many as exist, one lane after the other."""
        address, value, chosen, enable = action.nodes
        memory, shape = self.program.memories[action.target], self.shape
        item, kind = container_bytes(memory.width), f"i{8 * container_bytes(memory.width)}"
        lanes = self.lanes_of(self.bits("and", self.bit(enable), self._active_bit))
        sizes = [self._spill(node, number) for number, node in enumerate((address, value, chosen)) if node >= 0]
        done = self._branch_if_any(lanes)
        start, loop, store, again, latch, following = (self.label() for _ in range(6))
        self._join(start)
        self.add(f"br label %{loop}")
        self.begin(loop)
        rest, left, index, more = (self.put_name() for _ in range(4))
        self.add(f"{rest} = phi {shape.set} [{lanes}, %{start}], [{left}, %{following}]")
        lane = self.put(f"call {shape.set} @llvm.cttz.{shape.set}({shape.set} {rest}, i1 true)")
        number = lane if shape.lanes == 64 else self.put(f"zext {shape.set} {lane} to i64")
        first = self._unspill(0, sizes[0], number, 64)
        self.add(f"{left} = and {shape.set} {rest}, {self.put(f'sub {shape.set} {rest}, 1')}")
        last = self.put(f"add i64 {first}, {action.count}")
        limit = self.put(f"call i64 @llvm.umin.i64(i64 {last}, i64 {memory.depth})")
        inside = self.put(f"icmp ult i64 {first}, {limit}")
        self.add(f"br i1 {inside}, label %{store}, label %{following}")
        self.begin(store)
        self.add(f"br label %{again}")
        self.begin(again)
        self.add(f"{index} = phi i64 [{first}, %{store}], [{more}, %{latch}]")
        place = self._one_place(action.target, index, lane, number)
        new = self._unspill(1, sizes[1], number, 8 * item)
        if chosen >= 0:
            old, bits = self.put(f"load {kind}, ptr {place}"), self._unspill(2, sizes[2], number, 8 * item)
            new = self._mixed(kind, old, new, bits)
        self.add(f"store {kind} {new}, ptr {place}")
        self.add(f"{more} = add i64 {index}, 1")
        further = self.put(f"icmp ult i64 {more}, {limit}")
        self.add(f"br i1 {further}, label %{latch}, label %{following}")
        self.begin(latch)
        self.add(f"br label %{again}")
        self.begin(following)
        some = self.put(f"icmp ne {shape.set} {left}, 0")
        self.add(f"br i1 {some}, label %{loop}, label %{done}")
        self.begin(done)

    def _one_place(self, plane: int, index: str, lane: str, number: str) -> str:
        """Return the place of an element, an i64 index, of one lane."""
        memory, shape = self.program.memories[plane], self.shape
        if memory.paged:
            return PagedPlane(self, plane).one_place(index, lane, number)
        at = self.put(f"add i64 {self.put(f'mul i64 {index}, {shape.lanes}')}, {number}")
        return self.put(f"getelementptr i{8 * container_bytes(memory.width)}, ptr {self.bases[plane]}, i64 {at}")

    def _spill(self, node: int, number: int) -> int:
        """Store a value's chunks to scratch memory, where lanes can be picked; return the size of its integers."""
        size = element(self.width(node))
        for chunk, text in enumerate(self.words(node, size)):
            at = 64 + number * self.shape.lanes * 8 + chunk * self.shape.chunk * size // 8
            place = self.put(f"getelementptr i8, ptr {self._scratch}, i64 {at}")
            self.add(f"store {self.shape.vector(size)} {text}, ptr {place}, align {self.shape.chunk * size // 8}")
        return size

    def _unspill(self, number: int, size: int, lane: str, want: int) -> str:
        """Load a lane's value from scratch memory."""
        base = self.put(f"getelementptr i8, ptr {self._scratch}, i64 {64 + number * self.shape.lanes * 8}")
        value = self.put(f"load i{size}, ptr {self.put(f'getelementptr i{size}, ptr {base}, i64 {lane}')}")
        if size == want:
            return value
        return self.put(f"{'zext' if size < want else 'trunc'} i{size} {value} to i{want}")
