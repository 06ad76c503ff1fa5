"""Emit a step for the first cycles: every node in order, then every sink, in pieces that compile fast and in parallel.

The code that runs long is worth an analysis (`sink_regions`) that takes several times as long as writing plain code,
and yields blocks that depend on each other. Here a step is straight-line code: pieces of `PIECE_NODES` nodes each, in
evaluation order, which only load state, and after them pieces that commit the sinks, each under its own test. A value
that another piece needs, or a sink, lies in a slot of the scratch area; which ones those are is known before anything
is emitted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from weft.engines.cpu.emit_carried import CarriedEmitter
from weft.engines.cpu.emit_commit import emit_memory_write
from weft.engines.cpu.emit_effects import emit_effect
from weft.engines.cpu.emitter import words
from weft.engines.cpu.unit_text import Finished, function_text, module_text
from weft.ir.cone_graph import SETTLE, Effect, MemoryWrite, Write
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.ops import CODE
from weft.ir.step_graph import CONST, MEMREAD, READ, StepGraph

PIECE_NODES = 700
"""Nodes of a piece: instruction selection takes longer than linear time in the length of a block."""

PIECE_SINKS = 300

_POINTERS = {READ, MEMREAD, *(CODE[name] for name in ("mux", "zext", "sext", "slice"))}
"""Operations whose wide result may be a pointer into the state."""


class PieceEmitter(CarriedEmitter):
    """Emit one piece; what it does not compute itself it loads from its slot."""

    def __init__(self, step: StepGraph, layout: StateLayout, scratch: int, slots: dict[int, int]) -> None:
        super().__init__(step, layout, scratch)
        self.slots = slots

    def demand(self, node: int) -> None:
        """Load a node from its slot; read state that has none."""
        at = self.slots.get(node)
        if at is None:
            self.emit(node)
            return
        where = self.put(f"getelementptr i8, ptr %c, i64 {at}")
        width = self.width[node]
        wide = width > self.wide
        value = self.put(f"load ptr, ptr {where}, align 8") if wide else self._narrow(where, width)
        self.names[node] = value

    def _narrow(self, where: str, width: int) -> str:
        return self.container(where, width, container_bytes(width))

    def keep(self, node: int) -> None:
        """Put a node into its slot."""
        width, name = self.width[node], self.use(node)
        where = self.put(f"getelementptr i8, ptr %c, i64 {self.slots[node]}")
        if width <= self.wide:
            self.store(where, name, width, container_bytes(width))
            return
        if self.op[node] in _POINTERS:
            at = self.allocate(width)
            self.store(at, name, width, 8 * words(width))
            name = at
        self.add(f"store ptr {name}, ptr {where}, align 8")

    def branch(self, condition: str, body: Callable[[], None]) -> None:
        """Emit code that runs when a condition holds; what it loads is not there afterwards."""
        if condition in ("true", "1"):
            body()
            return
        before, go, done = dict(self.names), self.label(), self.label()
        self.add(f"br i1 {condition}, label %{go}, label %{done}")
        self.begin(go)
        body()
        self.add(f"br label %{done}")
        self.begin(done)
        self.names = before


_Sink = Callable[[PieceEmitter], None]


class PlainStepEmitter:
    """Emit a step's pieces, each a function `(state, memories, context)`; `scratch` is where the context ends.

    Those that commit some states come before the others, if there are `early` ones.
    """

    def __init__(self, step: StepGraph, layout: StateLayout, scratch: int, early: Collection[int] = ()) -> None:
        self.step, self.layout, self.early = step, layout, early
        self.slots: dict[int, int] = {}
        self._roots = dict.fromkeys(node for node in _roots(step) if step.op[node] != CONST)
        self._chunks = self._cut()
        self.scratch = self._place(scratch)

    def modules(self, finished: Finished) -> list[str]:
        """Emit everything as a module for each piece: functions `@piece0` and so on."""
        texts: list[str] = []
        for number, piece in enumerate(self.pieces()):
            texts.append(module_text([function_text(f"define void @piece{number}", piece)], [piece]))
            finished(texts[-1])
        return texts

    @property
    def committing(self) -> tuple[int, int]:
        """Return how many pieces compute, and how many come before those that commit what is not early."""
        return len(self._chunks), len(self._chunks) + len(self._sinks()[0])

    def _sinks(self) -> tuple[list[list[_Sink]], list[list[_Sink]]]:
        """Return what commits, the early states apart, for each piece."""
        step, early = self.step, self.early
        sinks: tuple[list[_Sink], list[_Sink]] = [], []
        sinks[1].extend(lambda e, i=index, x=effect: _effect(e, i, x) for index, effect in step.effects)
        for write in step.writes:
            sinks[write.state not in early].append(lambda e, x=write: _write(e, x))
        for change in step.memory_writes:
            sinks[change.state not in early].append(lambda e, x=change: _memory_write(e, x))
        first, rest = ([half[at : at + PIECE_SINKS] for at in range(0, len(half), PIECE_SINKS)] for half in sinks)
        return first, rest

    def pieces(self) -> Iterator[PieceEmitter]:
        """Emit everything, in the order in which the pieces must run; `scratch` is known at the end."""
        for chunk in self._chunks:
            e = self._piece()
            for node in chunk:
                e.emit(node)
                if node in self.slots:
                    e.keep(node)
            yield self._end(e)
        for half in self._sinks():
            for sinks in half:
                e = self._piece()
                for sink in sinks:
                    sink(e)
                yield self._end(e)

    def fired(self) -> PieceEmitter:
        """Emit the function that says whether any domain but SETTLE has fired."""
        e, step = self._piece(), self.step
        result = "false"
        for trigger in dict.fromkeys(step.triggers[SETTLE + 1 :]):
            known = step.constant(trigger)
            if known is None:
                result = e.use(trigger) if result == "false" else e.put(f"or i1 {result}, {e.use(trigger)}")
            elif known:
                result = "true"
                break
        e.add(f"ret i1 {result}")
        return e

    def _cut(self) -> list[list[int]]:
        """Return the live nodes that are computed, in order, by piece; and state whose old value sinks need."""
        step = self.step
        op, srcs = step.op, step.srcs
        live = bytearray(len(op))
        for node in self._roots:
            live[node] = 1
        for node in range(len(op) - 1, -1, -1):
            if live[node]:
                for source in srcs[node]:
                    live[source] = 1
        order = [node for node in range(len(op)) if live[node] and (op[node] > READ or node in self._roots)]
        return [order[at : at + PIECE_NODES] for at in range(0, len(order), PIECE_NODES)]

    def _place(self, scratch: int) -> int:
        """Give slots to what sinks and later pieces need; return where they end."""
        step = self.step
        wanted = dict(self._roots)
        for chunk in self._chunks:
            first = chunk[0]
            for node in chunk:
                for source in step.srcs[node]:
                    if source < first and step.op[source] > READ:
                        wanted[source] = None
        for node in wanted:
            width = step.width[node]
            size = 8 if width > CarriedEmitter.wide else container_bytes(width)
            align = min(size, 8)
            scratch = (scratch + align - 1) & -align
            self.slots[node] = scratch
            scratch += size
        return (scratch + 63) & ~63

    def _piece(self) -> PieceEmitter:
        return PieceEmitter(self.step, self.layout, self.scratch, self.slots)

    def _end(self, e: PieceEmitter) -> PieceEmitter:
        e.add("ret void")
        self.scratch = e.scratch
        return e


def _roots(step: StepGraph) -> Iterable[int]:
    """Yield what must be known before anything is committed."""
    yield from step.triggers
    for write in step.writes:
        yield from (write.value, write.enable)
    for write in step.memory_writes:
        yield from (write.address, write.value, write.enable)
        if write.mask >= 0:
            yield write.mask
    for _, effect in step.effects:
        yield effect.enable
        yield from (node for node in (*effect.args, *effect.unknowns) if node >= 0)


def _fire(e: PieceEmitter, sink: Write | MemoryWrite | Effect) -> str:
    """Return the operand that says whether a sink fires."""
    nodes = dict.fromkeys((e.step.triggers[sink.domain], sink.enable))
    unknown = [e.use(node) for node in nodes if e.constant(node) is None]
    if len(unknown) == 2:
        return e.put(f"and i1 {unknown[0]}, {unknown[1]}")
    return unknown[0] if unknown else "true"


def _effect(e: PieceEmitter, index: int, effect: Effect) -> None:
    e.branch(_fire(e, effect), lambda: emit_effect(e, index, effect))


def _memory_write(e: PieceEmitter, write: MemoryWrite) -> None:
    e.branch(_fire(e, write), lambda: emit_memory_write(e, write))


def _write(e: PieceEmitter, write: Write) -> None:
    slot, fire = e.layout.slots[write.state], _fire(e, write)
    if slot.width > e.wide:
        e.branch(fire, lambda: e.store(e.state_address(write.state), e.use(write.value), slot.width, slot.stride))
        return
    address, value = e.state_address(write.state), e.use(write.value)
    if fire != "true":
        old = e.container(address, slot.width, slot.stride)
        value = e.select(fire, value, old, slot.width)
    e.store(address, value, slot.width, slot.stride)
