"""Emit a step of a lane program as LLVM IR, for one lane or for a tile of many.

A `Shape` says how many lanes one value stands for. On a GPU that is one: a word is an `i32` or `i64`, a bit an `i1`. On
a CPU it is a tile: a word is a vector or several (*chunks*), a bit a vector of bytes, all ones or all zeros. Logic on
bytes has many registers and three-operand instructions (with AVX-512 of any function of three bits), which integers and
mask registers do not have; bits become masks where a word depends on them, by one instruction, and comparisons become
bytes again. Both are kept, so that a comparison that only selects never leaves the mask registers.

Unused bits above a value's width are always 0. The subclass of each engine says how state and memories are reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.errors import InternalError
from weft.engines.instruction_text import InstructionText
from weft.engines.lanes.lane_ops import BIT_OPS, WORD_OPS
from weft.engines.lanes.shape import Operand, Shape, element, indices
from weft.engines.lanes.wide_ops import WideEmitter, WideValue
from weft.ir.lane_program import LaneAction, LaneBranch, LaneStep
from weft.ir.ops import OPS, mask

WORD = 64
"""The bits of the widest value that is in registers."""


class LaneEmitter(InstructionText):
    """Emit the body of one function; `lines` is its text so far."""

    def __init__(self, step: LaneStep, shape: Shape) -> None:
        super().__init__()
        self.step, self.shape = step, shape
        self._values: dict[int, Operand] = {}
        self._masks: dict[int, tuple[str, ...]] = {}
        self._wide: dict[int, WideValue] = {}
        self.region: tuple[int, int] | None = None

    # ------------------------------------------------------------------------------------------------ small tools

    def each(self, text: str, *operands: Sequence[str]) -> tuple[str, ...]:
        """Append an instruction for each chunk: `{0}`, `{1}`, ... in the text are the operands' chunks."""
        return tuple(self.put(text.format(*group)) for group in zip(*operands, strict=True))

    def put_name(self) -> str:
        """Return a fresh name, for an instruction that is written later."""
        self._count += 1
        return f"%t{self._count}"

    def function_memory(self, size: int) -> str:
        """Return memory of the function: some bytes, there while it runs."""
        name = self.put_name()
        self.lines.insert(0, f"{name} = alloca [{size} x i8], align 64")  # in the first block, so that it is taken once
        return name

    def wide(self, node: int) -> WideValue:
        """Return a value of more than 64 bits."""
        return self._wide[node]

    def width(self, node: int) -> int:
        """Return a node's width."""
        return self.step.width[node]

    # -------------------------------------------------------------------------------------------------- operands

    def value(self, node: int) -> Operand:
        """Return what a node is; all nodes before it are there."""
        known = self.step.constant(node)
        return self._values[node] if known is None else known

    def bit(self, node: int) -> str:
        """Return a bit's operand."""
        value = self.value(node)
        if isinstance(value, int):
            return self.shape.bit_literal(value)
        if not isinstance(value, str):
            raise InternalError("a word stands where a bit belongs")
        return value

    def words(self, node: int, size: int = 0) -> tuple[str, ...]:
        """Return a word's chunks, as integers of `size` bits (at least those of its own width)."""
        width, value = self.width(node), self.value(node)
        size = size or element(width)
        if isinstance(value, int):
            return (self.shape.literal(size, value),) * self.shape.chunks
        if isinstance(value, str):
            one, none = self.shape.literal(size, 1), self.shape.literal(size, 0)
            return self.choose(size, self.masks(node), (one,) * self.shape.chunks, (none,) * self.shape.chunks)
        return self.convert(value, element(width), size)

    def convert(self, chunks: tuple[str, ...], have: int, want: int) -> tuple[str, ...]:
        """Return chunks zero-extended or cut to integers of another size."""
        if have == want:
            return chunks
        a, b = self.shape.vector(have), self.shape.vector(want)
        word = "zext" if have < want else "trunc"
        return self.each(f"{word} {a} {{0}} to {b}", chunks)

    def masks(self, node: int) -> tuple[str, ...]:
        """Return a bit as masks of chunks."""
        found = self._masks.get(node)
        if found is None:
            value = self.value(node)
            if isinstance(value, int):
                found = (self.shape.literal(1, value) if self.shape.chunk == 1 else self._mask_literal(value),)
                found *= self.shape.chunks
            else:
                found = self.unpack(self.bit(node))
            self._masks[node] = found
        return found

    def _mask_literal(self, value: int) -> str:
        return "splat (i1 true)" if value else "zeroinitializer"

    def unpack(self, bit: str) -> tuple[str, ...]:
        """Return the masks of a bit's chunks."""
        shape = self.shape
        if shape.lanes == 1:
            return (bit,)
        every = self.put(f"icmp slt {shape.bit} {bit}, zeroinitializer")
        if shape.chunks == 1:
            return (every,)
        whole = f"<{shape.lanes} x i1>"
        return tuple(
            self.put(f"shufflevector {whole} {every}, {whole} poison, {indices(number * shape.chunk, shape.chunk)}")
            for number in range(shape.chunks)
        )

    def pack(self, masks: tuple[str, ...]) -> str:
        """Return the bit whose chunks are these masks."""
        if self.shape.lanes == 1:
            return masks[0]
        return self.put(f"sext <{self.shape.lanes} x i1> {self.join(masks)} to {self.shape.bit}")

    def join(self, masks: tuple[str, ...]) -> str:
        """Return chunks' masks as one mask of the tile."""
        parts, size = list(masks), self.shape.chunk
        while len(parts) > 1:
            kind, every = f"<{size} x i1>", indices(0, 2 * size)
            parts = [
                self.put(f"shufflevector {kind} {a}, {kind} {b}, {every}")
                for a, b in zip(parts[::2], parts[1::2], strict=True)
            ]
            size *= 2
        return parts[0]

    def lanes_of(self, bit: str) -> str:
        """Return a bit as a set of lanes."""
        if self.shape.lanes == 1:
            return bit
        every = self.put(f"icmp slt {self.shape.bit} {bit}, zeroinitializer")
        return self.put(f"bitcast <{self.shape.lanes} x i1> {every} to {self.shape.set}")

    def choose(self, size: int, masks: Sequence[str], then: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
        """Select chunks by masks."""
        kind, choice = self.shape.vector(size), self.shape.mask
        return self.each(f"select {choice} {{0}}, {kind} {{1}}, {kind} {{2}}", masks, then, other)

    def binary(self, name: str, size: int, a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
        """Apply an instruction to chunks."""
        kind = self.shape.vector(size)
        return self.each(f"{name} {kind} {{0}}, {{1}}", a, b)

    def constants(self, size: int, value: int) -> tuple[str, ...]:
        """Return a constant's chunks."""
        return (self.shape.literal(size, value),) * self.shape.chunks

    def trim(self, chunks: tuple[str, ...], size: int, width: int) -> tuple[str, ...]:
        """Clear bits above a width."""
        return chunks if width == size else self.binary("and", size, chunks, self.constants(size, mask(width)))

    def compare(self, predicate: str, size: int, a: Sequence[str], b: Sequence[str]) -> tuple[str, ...]:
        """Compare chunks; the result is masks."""
        return self.binary(f"icmp {predicate}", size, a, b)

    def bits(self, name: str, a: str, b: str) -> str:
        """Apply a logical instruction to bits."""
        return self.put(f"{name} {self.shape.bit} {a}, {b}")

    def invert(self, bit: str) -> str:
        """Return the complement of a bit."""
        return self.bits("xor", bit, self.shape.bit_literal(1))

    # ----------------------------------------------------------------------------------------------------- steps

    def emit(self) -> None:
        """Emit the whole step."""
        for item in self.step.sequence:
            if isinstance(item, LaneBranch):
                self._branch(item)
            elif isinstance(item, LaneAction):
                self.act(item)
            else:
                self._emit(item)

    def _branch(self, branch: LaneBranch) -> None:
        """Emit a branch; what becomes known in it is forgotten behind it, but for its results."""
        test = self.some(branch.condition, branch.polarity)
        go, done, before = self.label(), self.label(), self.here
        self.add(f"br i1 {test}, label %{go}, label %{done}")
        self.begin(go)
        masks, self._masks = self._masks, dict(self._masks)
        self.region = (branch.condition, branch.polarity)
        for item in branch.items:
            if isinstance(item, LaneAction):
                self.act(item)
            else:
                self._emit(item)
        self.region, self._masks = None, masks
        last = self.here
        self.add(f"br label %{done}")
        self.begin(done)
        for node in branch.results:
            if node in self._wide:
                continue  # it is in memory; where the branch was skipped, nobody looks
            value, width = self._values[node], self.width(node)
            if isinstance(value, str):
                none = self.shape.bit_literal(0)
                self._values[node] = self.put(f"phi {self.shape.bit} [{value}, %{last}], [{none}, %{before}]")
            elif not isinstance(value, int):
                kind, zero = self.shape.vector(element(width)), self.shape.literal(element(width), 0)
                merge = f"phi {kind} [{{}}, %{last}], [{zero}, %{before}]"
                self._values[node] = tuple(self.put(merge.format(chunk)) for chunk in value)

    def some(self, condition: int, polarity: int) -> str:
        """Return an i1: whether a condition has a value in some lane that takes part."""
        raise NotImplementedError

    def act(self, action: LaneAction) -> None:
        """Emit an action."""
        raise NotImplementedError

    def read(self, word: int) -> Operand:
        """Load a word of the state."""
        raise NotImplementedError

    def memory_read(self, node: int, plane: int, address: int) -> tuple[str, ...]:
        """Load an element's chunks, as integers of `element(width)` bits; 0 when out of range."""
        raise NotImplementedError

    def _emit(self, node: int) -> None:
        step = self.step
        name, width, sources = OPS[step.op[node]].name, step.width[node], step.srcs[node]
        if width > WORD:
            self._wide[node] = WideEmitter(self).emit(node, name, width, sources)
        elif name == "slice" and self.width(sources[0]) > WORD:
            chunks = WideEmitter(self).word(self.wide(sources[0]), step.param[node], width)
            self._set_word(node, chunks, element(width), width)
        elif name == "read":
            self._values[node] = self.read(step.param[node])
        elif name == "memread":
            chunks = self.memory_read(node, step.param[node], sources[0])
            self._set_word(node, chunks, element(width), width)
        elif width == 1:
            self._emit_bit(node, name, sources)
        else:
            size = element(width)
            chunks = WORD_OPS[name](self, node, size, width, sources)
            self._values[node] = chunks

    def _set_word(self, node: int, chunks: tuple[str, ...], size: int, width: int) -> None:
        """Set a node to chunks that may be a bit in integers."""
        if width > 1:
            self._values[node] = chunks
        else:
            self._set_masks(node, self.compare("ne", size, chunks, self.constants(size, 0)))

    def _set_masks(self, node: int, masks: tuple[str, ...]) -> None:
        self._masks[node] = masks
        self._values[node] = self.pack(masks)

    def _emit_bit(self, node: int, name: str, sources: tuple[int, ...]) -> None:
        wide = max((self.width(source) for source in sources), default=1)
        if name in ("eq", "ult", "slt") and wide > 1:
            self._set_masks(node, self._compare_words(name, wide, *sources))
        elif name in ("redor", "redand", "redxor", "slice", "popcount") and wide > 1:
            self._set_masks(node, self._reduce(node, name, sources[0], wide))
        elif name == "mux":
            self._values[node] = self._choose_bit(*sources)
        else:
            self._values[node] = BIT_OPS[name](self, sources)

    def _compare_words(self, name: str, width: int, a: int, b: int) -> tuple[str, ...]:
        size = element(width)
        x, y = self.words(a, size), self.words(b, size)
        if name == "slt" and width < size:
            up = self.constants(size, size - width)
            x, y = self.binary("shl", size, x, up), self.binary("shl", size, y, up)
        return self.compare(name, size, x, y)

    def _reduce(self, node: int, name: str, source: int, width: int) -> tuple[str, ...]:
        size, chunks = element(width), self.words(source)
        if name == "redand":
            return self.compare("eq", size, chunks, self.constants(size, mask(width)))
        if name == "slice":
            low = self.step.param[node]
            chunks = self.binary("and", size, chunks, self.constants(size, 1 << low))
        elif name in ("redxor", "popcount"):
            chunks = self.binary("and", size, self.population(chunks, size), self.constants(size, 1))
        return self.compare("ne", size, chunks, self.constants(size, 0))

    def population(self, chunks: tuple[str, ...], size: int) -> tuple[str, ...]:
        """Count ones."""
        kind = self.shape.vector(size)
        suffix = f"i{size}" if self.shape.chunk == 1 else f"v{self.shape.chunk}i{size}"
        return self.each(f"call {kind} @llvm.ctpop.{suffix}({kind} {{0}})", chunks)

    def _choose_bit(self, cond: int, then: int, other: int) -> str:
        c, a, b = self.bit(cond), self.value(then), self.value(other)
        if b == 0:
            return self.bits("and", c, self.bit(then))
        if a == 1:
            return self.bits("or", c, self.bit(other))
        if a == 0:
            return self.bits("and", self.invert(c), self.bit(other))
        if b == 1:
            return self.bits("or", self.invert(c), self.bit(then))
        if self.shape.lanes == 1:
            return self.put(f"select i1 {c}, i1 {self.bit(then)}, i1 {self.bit(other)}")
        chosen = self.bits("and", c, self.bit(then))
        return self.bits("or", chosen, self.bits("and", self.invert(c), self.bit(other)))
