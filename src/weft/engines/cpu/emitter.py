"""What emits one function of LLVM IR: its text so far, the names of its values, operands and addresses.

A narrow node is an SSA value of type `iN`, N being its width; LLVM legalises odd widths well. A wide node is a pointer
to little-endian 64-bit words: into the state itself for a `read`, else into the function's scratch area, which lies in
the context. Operations on words are calls of `wide_words` helpers. `Emitter` holds one function's text: `lines`, the
name of every node's value so far, and the scratch it needs.

Text rather than llvmlite's builder objects: three times less time, and the text is the cache key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from weft.engines.instruction_text import InstructionText
from weft.ir.layout import StateLayout
from weft.ir.step_graph import StepGraph

WIDE = 256
"""Values of more bits live in memory."""

_BASES = {"context": "%c", "argument": "%x"}
"""What the slots of `share_code` are relative to."""

CLAMP = 1 << 40
"""Bit positions beyond this are as good as this."""


def words(width: int) -> int:
    """Return the number of 64-bit words of a value."""
    return (width + 63) >> 6


class Emitter(InstructionText):
    """Emit the body of one function `(ptr %s, ptr %m, ptr %c)` over state, memories and context."""

    table: ClassVar[list[Callable[[Any, int, int], str]]] = []
    """How each operation is emitted: `emit_ops.NodeEmitter` sets it."""

    wide: ClassVar[int] = WIDE

    def __init__(self, step: StepGraph, layout: StateLayout, scratch: int) -> None:
        super().__init__()
        self.step, self.layout = step, layout
        self.op, self.width, self.param, self.srcs = step.op, step.width, step.param, step.srcs
        self.constants = step.constants
        self.names: dict[int, str] = {}
        self.globals: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.scratch = scratch

    # ------------------------------------------------------------------------------------------ small tools

    def temp(self) -> str:
        """Return a fresh SSA name."""
        self._count += 1
        return f"%t{self._count}"

    def context_word(self, index: int) -> str:
        """Return the address of a word of the context block."""
        return self.put(f"getelementptr i64, ptr %c, i64 {index}")

    def call(self, helper: str, arguments: str, result: str = "void") -> str:
        """Call a helper of `wide_words`."""
        self.helpers.add(helper)
        if result == "void":
            self.lines.append(f"call void @{helper}({arguments})")
            return ""
        return self.put(f"call {result} @{helper}({arguments})")

    def allocate(self, width: int) -> str:
        """Return a pointer to fresh scratch words."""
        at = self.scratch
        self.scratch += 8 * words(width)
        return self.put(f"getelementptr i8, ptr %c, i64 {at}")

    def sources(self, node: int) -> tuple[int, ...]:
        """Return a node's source ids."""
        return self.srcs[node]

    # ---------------------------------------------------------------------------------------------- operands

    def use(self, node: int) -> str:
        """Return the operand text of a narrow node, or the pointer of a wide one, emitting it if need be."""
        name = self.names.get(node)
        if name is None:
            self.demand(node)
            name = self.names[node]
        return name

    def demand(self, node: int) -> None:
        """Emit a node and before it, depth first, the sources that are not there yet."""
        names, srcs, stack = self.names, self.srcs, [node]
        while stack:
            top = stack[-1]
            if top in names:
                stack.pop()
                continue
            missing = [source for source in srcs[top] if source not in names]
            if missing:
                stack.extend(reversed(missing))
            else:
                stack.pop()
                self.emit(top)

    def emit(self, node: int) -> str:
        """Emit a node, whose sources are there or can be, and return its operand text."""
        name = self.table[self.op[node]](self, node, self.width[node])
        self.names[node] = name
        return name

    def constant(self, node: int) -> int | None:
        """Return the value of a constant node, else None."""
        return self.constants[self.param[node]][0] if self.op[node] == 0 else None

    def pointer(self, node: int) -> str:
        """Return a pointer to the words of a node of any width."""
        name = self.use(node)
        return name if self.width[node] > self.wide else self.spill(name, self.width[node])

    def spill(self, value: str, width: int) -> str:
        """Store a narrow value as words and return the pointer."""
        at = self.allocate(width)
        self.store_words(at, value, width)
        return at

    def store_results(self, nodes: Iterable[int]) -> int:
        """Store nodes' values at `%out`, one after the other in whole words; return how many bytes that takes."""
        at = 0
        for node in nodes:
            width, value = self.width[node], self.use(node)
            target = self.put(f"getelementptr i8, ptr %out, i64 {at}")
            if width > self.wide:
                self.store(target, value, width, 8 * words(width))
            else:
                self.store_words(target, value, width)
            at += 8 * words(width)
        return at

    def store_words(self, at: str, value: str, width: int) -> None:
        """Store a narrow value as whole words."""
        size = 64 * words(width)
        self.add(f"store i{size} {self.resize(value, width, size)}, ptr {at}, align 8")

    def fill(self, at: str, width: int) -> str:
        """Load a narrow value from words."""
        size = 64 * words(width)
        raw = self.put(f"load i{size}, ptr {at}, align 8")
        return raw if size == width else self.put(f"trunc nuw i{size} {raw} to i{width}")

    def ir_type(self, width: int) -> str:
        """Return the type of a node's operand."""
        return "ptr" if width > self.wide else f"i{width}"

    def select(self, condition: str, then: str, other: str, width: int) -> str:
        """Return one of two operands."""
        kind = self.ir_type(width)
        return self.put(f"select i1 {condition}, {kind} {then}, {kind} {other}")

    def resize(self, value: str, width: int, to: int) -> str:
        """Zero-extend or truncate a narrow operand."""
        if width == to:
            return value
        if value[0] != "%":
            number = int(value) & ((1 << width) - 1)
            return str(number & ((1 << to) - 1))
        return self.put(f"{'zext' if width < to else 'trunc'} i{width} {value} to i{to}")

    def trim(self, at: str, width: int) -> None:
        """Clear the unused bits of the top word."""
        if width & 63:
            self.call("w_trim", f"ptr {at}, i64 {words(width)}, i64 {(1 << (width & 63)) - 1}")

    def amount(self, node: int) -> str:
        """Return an unsigned shift amount as i64, saturated."""
        return self._clamped(node, signed=False)

    def offset(self, node: int) -> str:
        """Return a signed bit offset as i64, saturated."""
        return self._clamped(node, signed=True)

    def _clamped(self, node: int, signed: bool) -> str:
        width, known = self.width[node], self.constant(node)
        if known is not None:
            if signed and known >> (width - 1):
                known -= 1 << width
            return str(max(-CLAMP, min(CLAMP, known)))
        if width > self.wide:
            value = self.use(node)
            some = self.call("w_any", f"ptr {self._address(value, 8)}, i64 {words(width) - 1}", "i1")
            low = self.put(f"load i64, ptr {value}")
            if signed:
                sign = self.call("w_bit", f"ptr {value}, i64 {width - 1}", "i1")
                high = self.put(f"select i1 {sign}, i64 {-CLAMP}, i64 {CLAMP}")
                every = self.allocate(width)
                self.call("w_sext", f"ptr {every}, i64 {words(width)}, ptr {value}, i64 {words(width)}, i64 {width}")
                size = 64 * words(width)
                return self._clamp_words(every, size, high)
            capped = self.put(f"call i64 @llvm.umin.i64(i64 {low}, i64 {CLAMP})")
            return self.put(f"select i1 {some}, i64 {CLAMP}, i64 {capped}")
        value = self.use(node)
        if width < 40:
            return self.put(f"{'sext' if signed else 'zext'} i{width} {value} to i64")
        size = max(width, 64)
        if width < 64:
            value = self.put(f"{'sext' if signed else 'zext'} i{width} {value} to i64")
        if signed:
            value = self.put(f"call i{size} @llvm.smax.i{size}(i{size} {value}, i{size} {-CLAMP})")
            value = self.put(f"call i{size} @llvm.smin.i{size}(i{size} {value}, i{size} {CLAMP})")
        else:
            value = self.put(f"call i{size} @llvm.umin.i{size}(i{size} {value}, i{size} {CLAMP})")
        return value if size == 64 else self.put(f"trunc i{size} {value} to i64")

    def _clamp_words(self, at: str, size: int, beyond: str) -> str:
        """Return a sign-extended wide number if it is small, else `beyond`."""
        low = self.put(f"load i64, ptr {at}")
        probe = self.allocate(size)
        self.call("w_sext", f"ptr {probe}, i64 {size // 64}, ptr {at}, i64 1, i64 64")
        same = self.call("w_eq", f"ptr {probe}, ptr {at}, i64 {size // 64}", "i1")
        high = self.put(f"call i64 @llvm.smax.i64(i64 {low}, i64 {-CLAMP})")
        both = self.put(f"call i64 @llvm.smin.i64(i64 {high}, i64 {CLAMP})")
        return self.put(f"select i1 {same}, i64 {both}, i64 {beyond}")

    def _address(self, base: str, offset: int) -> str:
        return self.put(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    # ------------------------------------------------------------------------------------------------ state

    def container(self, base: str, width: int, stride: int) -> str:
        """Load a value from its container."""
        if width > self.wide:
            return base
        raw = self.put(f"load i{8 * stride}, ptr {base}, align {min(stride, 8)}")
        return raw if width == 8 * stride else self.put(f"trunc nuw i{8 * stride} {raw} to i{width}")

    def store(self, base: str, value: str, width: int, stride: int) -> None:
        """Store a value (a pointer if it is wide) to its container."""
        if width > self.wide:
            self.add(f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 {base}, ptr align 8 {value}, i64 {stride}, i1 0)")
        else:
            value = self.resize(value, width, 8 * stride)
            self.add(f"store i{8 * stride} {value}, ptr {base}, align {min(stride, 8)}")

    def store_unaligned(self, base: str, value: str, width: int, stride: int) -> None:
        """Store a value to a container at any address."""
        if width > self.wide:
            self.add(f"call void @llvm.memcpy.p0.p0.i64(ptr {base}, ptr {value}, i64 {stride}, i1 0)")
        else:
            self.add(f"store i{8 * stride} {self.resize(value, width, 8 * stride)}, ptr {base}, align 1")

    def state_address(self, state: int) -> str:
        """Return the address of a scalar state, or of a slot that stands for one (`share_code`)."""
        base = _BASES.get(self.step.states[state].kind, "%s")
        return self._address(base, self.layout.slots[state].offset)

    def element_address(self, state: int, index: str) -> str:
        """Return the address of a memory element at an i64 index that is in range."""
        slot = self.layout.slots[state]
        base = self._address("%m", slot.offset - self.layout.memory_offset)
        return self.put(f"getelementptr inbounds [{slot.stride} x i8], ptr {base}, i64 {index}")

    def index(self, node: int, depth: int) -> tuple[str, str]:
        """Return a memory index as i64, 0 when out of range, and the i1 that says whether it is in range."""
        width, known = self.width[node], self.constant(node)
        if known is not None:
            return (str(known), "true") if known < depth else ("0", "false")
        if width > self.wide:
            wide = self.amount(node)
            inside = self.put(f"icmp ult i64 {wide}, {depth}")
            return self.put(f"select i1 {inside}, i64 {wide}, i64 0"), inside
        value = self.use(node)
        if depth >> width:
            return self.resize(value, width, 64), "true"
        inside = self.put(f"icmp ult i{width} {value}, {depth}")
        return self.put(f"select i1 {inside}, i64 {self.resize(value, width, 64)}, i64 0"), inside

    # ------------------------------------------------------------------------------- narrow pieces of anything

    def piece(self, node: int, low: int, width: int) -> str:
        """Return up to `wide` bits of a node from bit `low` up, as a narrow operand; the bits must exist."""
        value, total = self.use(node), self.width[node]
        if total <= self.wide:
            if value[0] != "%":
                return str(((int(value) & ((1 << total) - 1)) >> low) & ((1 << width) - 1))
            if low:
                value = self.put(f"lshr i{total} {value}, {low}")
            return self.resize(value, total, width)
        first = low >> 3
        size = (((low & 7) + width + 7) >> 3) * 8
        raw = self.put(f"load i{size}, ptr {self._address(value, first)}, align 1")
        if low & 7:
            raw = self.put(f"lshr i{size} {raw}, {low & 7}")
        return self.resize(raw, size, width)

    # ------------------------------------------------------------------------------------- wide values in memory

    def zero(self, width: int) -> str:
        """Return the operand of a zero."""
        if width <= self.wide:
            return "0"
        name = f"@z{words(width)}"
        self.globals[name] = f"{name} = private unnamed_addr constant [{words(width)} x i64] zeroinitializer, align 8"
        return name

    def unbox(self, at: str, width: int) -> str:
        """Return the value whose words lie at a pointer as its width wants it."""
        return at if width > self.wide else self.fill(at, width)

    def extended(self, node: int) -> str:
        """Return a pointer to a value sign-extended to whole words."""
        width = self.width[node]
        if not width & 63:
            return self.pointer(node)
        at = self.allocate(width)
        arguments = f"ptr {at}, i64 {words(width)}, ptr {self.pointer(node)}, i64 {words(width)}, i64 {width}"
        self.call("w_sext", arguments)
        return at

    def extract_words(self, at: str, width: int, source: int, low: str) -> None:
        """Copy `width` bits of a node, from bit `low` (an i64 operand) up, to words at a pointer."""
        size = words(self.width[source])
        arguments = f"ptr {at}, i64 {words(width)}, ptr {self.pointer(source)}, i64 {size}, i64 {low}, i64 0"
        self.call("w_extract", arguments)
        self.trim(at, width)
