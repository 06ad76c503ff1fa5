"""Emit the functions of one graph: `step`, `settle` around it, and the records of effects.

A step computes everything that fires from the present state, writes effect records, then commits. Reads of the state
come before the first commit, so no shadow copy exists: new values wait in SSA values, and wide ones in scratch unless
they are their own words.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.engines.cpu import context as ctx
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emitter import WIDE, Emitter, words
from weft.engines.cpu.wide_words import helper_text
from weft.ir.cone_graph import SETTLE, STEP_LIMIT, ConeGraph, MemoryWrite
from weft.ir.layout import StateLayout, container_bytes
from weft.ir.ops import CODE
from weft.ir.program import STOPPING_TASKS

_ALIASES = {CODE[name] for name in ("read", "memread", "mux", "zext", "sext", "slice")}

SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c) nounwind"

_SETTLE_TEXT = f"""define i32 @settle{SIGNATURE} {{
entry:
  br label %loop
loop:
  %i = phi i32 [0, %entry], [%next, %loop]
  %fired = call i1 @step(ptr %s, ptr %m, ptr %c)
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, {STEP_LIMIT}
  %again = and i1 %fired, %more
  br i1 %again, label %loop, label %done
done:
  %status = zext i1 %fired to i32
  ret i32 %status
}}
"""


def module_text(functions: Sequence[str], emitters: Sequence[Emitter]) -> str:
    """Join functions with the constants and helpers that their emitters ask for."""
    names: dict[str, str] = {}
    helpers: set[str] = set()
    for emitter in emitters:
        names.update(emitter.globals)
        helpers |= emitter.helpers
    return "\n".join([*names.values(), *functions, helper_text(helpers)])


def function_text(name: str, emitter: Emitter, result: str, signature: str = SIGNATURE) -> str:
    """Return a function's text; the last line of the emitter must return."""
    return f"define {result} @{name}{signature} {{\nentry:\n  " + "\n  ".join(emitter.lines) + "\n}\n"


def record_bytes(graph: ConeGraph, index: int) -> int:
    """Return the size of an effect's record."""
    effect = graph.effects[index]
    size = sum(container_bytes(int(graph.width[node])) for node in effect.args if node >= 0)
    if effect.unknowns:
        size *= 2
    return (16 + size + 7) & ~7


class StepEmitter:
    """Emit the general step of a graph."""

    def __init__(self, graph: ConeGraph, layout: StateLayout) -> None:
        self.graph, self.layout = graph, layout
        self.scratch = ctx.scratch_offset(len(graph.effects))
        self.time_state = next((i for i, state in enumerate(graph.states) if state.kind == "time"), -1)

    def text(self) -> str:
        """Return the module: `settle`, and `postponed` if the graph has postponed effects."""
        step = NodeEmitter(self.graph, self.layout, self.scratch)
        self._step(step)
        functions, emitters = [function_text("step", step, "i1").replace("define", "define internal", 1)], [step]
        functions.append(_SETTLE_TEXT)
        self.scratch = step.scratch
        if self.has_postponed:
            late = NodeEmitter(self.graph, self.layout, self.scratch)
            self._postponed(late)
            functions.append(function_text("postponed", late, "void"))
            emitters.append(late)
            self.scratch = late.scratch
        return module_text(functions, emitters)

    @property
    def has_postponed(self) -> bool:
        """Say whether any effect is postponed."""
        return any(effect.postponed for effect in self.graph.effects)

    # ------------------------------------------------------------------------------------------------ a step

    def _step(self, e: Emitter) -> None:
        graph = self.graph
        triggers = [e.use(domain.trigger) for domain in graph.domains]
        scalars = [(write, self._fire(e, triggers, write.domain, write.enable)) for write in graph.writes]
        memories = [(write, self._fire(e, triggers, write.domain, write.enable)) for write in graph.memory_writes]
        effects = [self._fire(e, triggers, effect.domain, effect.enable) for effect in graph.effects]
        values = [self._held(e, write.value, write.state) for write, _ in scalars]
        for write, _ in memories:
            for node in (write.address, write.value, write.mask):
                if node >= 0:
                    self._held(e, node, -1)
        for effect in graph.effects:
            if not effect.postponed:
                for node in (*effect.args, *effect.unknowns):
                    if node >= 0:
                        e.use(node)
        for index, fire in enumerate(effects):
            self._effect(e, index, fire)
        for (write, fire), value in zip(scalars, values, strict=True):
            self._commit(e, write.state, value, fire)
        for write, fire in memories:
            self._commit_memory(e, write, fire)
        fired = "false"
        for trigger in triggers[SETTLE + 1 :]:
            fired = e.put(f"or i1 {fired}, {trigger}")
        e.add(f"ret i1 {fired}")

    def _fire(self, e: Emitter, triggers: list[str], domain: int, enable: int) -> str:
        trigger, enabled = triggers[domain], e.use(enable)
        if trigger == "1":
            return enabled
        return trigger if enabled == "1" else e.put(f"and i1 {trigger}, {enabled}")

    def _held(self, e: Emitter, node: int, state: int) -> str:
        """Return a value that commits of other states do not change: wide words of the state are copied first."""
        name, width = e.use(node), e.width[node]
        if width <= WIDE or e.op[node] not in _ALIASES:
            return name
        at = e.allocate(width)
        e.store(at, name, width, 8 * words(width))
        e.names[node] = at
        return at

    def _commit(self, e: Emitter, state: int, value: str, fire: str) -> None:
        slot = self.layout.slots[state]
        address = e.state_address(state)
        if fire == "1":
            e.store(address, value, slot.width, slot.stride)
        elif slot.width > WIDE:
            target = e.put(f"select i1 {fire}, ptr {address}, ptr {e.allocate(slot.width)}")
            e.store(target, value, slot.width, slot.stride)
        else:
            old = e.container(address, slot.width, slot.stride)
            new = e.put(f"select i1 {fire}, i{slot.width} {value}, i{slot.width} {old}")
            e.store(address, new, slot.width, slot.stride)

    def _commit_memory(self, e: Emitter, write: MemoryWrite, fire: str) -> None:
        slot = self.layout.slots[write.state]
        if write.count > 1:
            self._fill_memory(e, write, fire)
            return
        index, inside = e.index(write.address, slot.depth)
        if inside == "false":
            return
        write_label, done = e.label(), e.label()
        go = fire if inside == "true" else e.put(f"and i1 {fire}, {inside}")
        e.add(f"br i1 {go}, label %{write_label}, label %{done}")
        e.add(f"{write_label}:")
        self._store_element(e, write, e.element_address(write.state, index))
        e.add(f"br label %{done}")
        e.add(f"{done}:")

    def _store_element(self, e: Emitter, write: MemoryWrite, address: str) -> None:
        slot = self.layout.slots[write.state]
        value = e.names[write.value]
        if write.mask < 0:
            e.store(address, value, slot.width, slot.stride)
        elif slot.width <= WIDE:
            kind = f"i{slot.width}"
            old = e.container(address, slot.width, slot.stride)
            changed = e.put(f"and {kind} {e.put(f'xor {kind} {old}, {value}')}, {e.names[write.mask]}")
            e.store(address, e.put(f"xor {kind} {old}, {changed}"), slot.width, slot.stride)
        else:
            count, mixed = words(slot.width), e.allocate(slot.width)
            e.call("w_xor", f"ptr {mixed}, ptr {address}, ptr {value}, i64 {count}")
            e.call("w_and", f"ptr {mixed}, ptr {mixed}, ptr {e.names[write.mask]}, i64 {count}")
            e.call("w_xor", f"ptr {address}, ptr {address}, ptr {mixed}, i64 {count}")

    def _fill_memory(self, e: Emitter, write: MemoryWrite, fire: str) -> None:
        """Write `count` consecutive elements in a loop, as many as exist."""
        slot = self.layout.slots[write.state]
        first = e.amount(write.address)
        last = e.put(f"call i64 @llvm.umin.i64(i64 {e.put(f'add i64 {first}, {write.count}')}, i64 {slot.depth})")
        some = e.put(f"icmp ult i64 {first}, {last}")
        start, loop, done = e.label(), e.label(), e.label()
        e.add(f"br i1 {e.put(f'and i1 {fire}, {some}')}, label %{start}, label %{done}")
        e.add(f"{start}:")
        e.add(f"br label %{loop}")
        e.add(f"{loop}:")
        following = e.temp()
        index = e.put(f"phi i64 [{first}, %{start}], [{following}, %{loop}]")
        self._store_element(e, write, e.element_address(write.state, index))
        e.add(f"{following} = add i64 {index}, 1")
        e.add(f"br i1 {e.put(f'icmp ult i64 {following}, {last}')}, label %{loop}, label %{done}")
        e.add(f"{done}:")

    # ----------------------------------------------------------------------------------------------- effects

    def _effect(self, e: Emitter, index: int, fire: str) -> None:
        effect = self.graph.effects[index]
        go, done = e.label(), e.label()
        e.add(f"br i1 {fire}, label %{go}, label %{done}")
        e.add(f"{go}:")
        if effect.task.name in STOPPING_TASKS:
            e.add(f"store i64 1, ptr {e.context_word(ctx.STOP)}")
        if effect.postponed:
            e.add(f"store i64 1, ptr {e.context_word(ctx.POSTPONED)}")
            e.add(f"store i8 1, ptr {e.put(f'getelementptr i8, ptr %c, i64 {ctx.PENDING + index}')}")
        else:
            self._record(e, index)
        e.add(f"br label %{done}")
        e.add(f"{done}:")

    def _record(self, e: Emitter, index: int) -> None:
        """Append an effect's record; the buffer always has room, because runs return when it is nearly full."""
        effect, size = self.graph.effects[index], record_bytes(self.graph, index)
        word = e.context_word(ctx.EFFECT_AT)
        at = e.put(f"load ptr, ptr {word}")
        e.add(f"store ptr {e.put(f'getelementptr i8, ptr {at}, i64 {size}')}, ptr {word}")
        e.add(f"store i64 0, ptr {e.put(f'getelementptr i8, ptr {at}, i64 {size - 8}')}, align 1")
        e.add(f"store i64 {index | size << 32}, ptr {at}, align 1")
        now = "0" if self.time_state < 0 else e.container(e.state_address(self.time_state), 64, 8)
        e.add(f"store i64 {now}, ptr {e.put(f'getelementptr i8, ptr {at}, i64 8')}, align 1")
        offset = 16
        for position, node in enumerate(effect.args):
            for value in (node, effect.unknowns[position] if effect.unknowns else -1):
                if node >= 0 and value >= 0:
                    width = e.width[value]
                    stride = container_bytes(width)
                    target = e.put(f"getelementptr i8, ptr {at}, i64 {offset}")
                    e.store_unaligned(target, e.use(value), width, stride)
                    offset += stride

    def _postponed(self, e: Emitter) -> None:
        chosen = [index for index, effect in enumerate(self.graph.effects) if effect.postponed]
        for index in chosen:
            effect = self.graph.effects[index]
            for node in (*effect.args, *effect.unknowns):
                if node >= 0:
                    e.use(node)
        for index in chosen:
            flag = e.put(f"getelementptr i8, ptr %c, i64 {ctx.PENDING + index}")
            pending = e.put(f"icmp ne i8 {e.put(f'load i8, ptr {flag}')}, 0")
            go, done = e.label(), e.label()
            e.add(f"br i1 {pending}, label %{go}, label %{done}")
            e.add(f"{go}:")
            e.add(f"store i8 0, ptr {flag}")
            self._record(e, index)
            e.add(f"br label %{done}")
            e.add(f"{done}:")
        e.add("ret void")


def evaluate_text(graph: ConeGraph, layout: StateLayout, nodes: Sequence[int]) -> tuple[str, int]:
    """Return a module with `evaluate(state, memories, context, out)`, and the scratch it needs.

    It writes each node's value to `out` in whole words, one after the other.
    """
    e = NodeEmitter(graph, layout, 0)
    at = 0
    for node in nodes:
        width, value = e.width[node], e.use(node)
        target = e.put(f"getelementptr i8, ptr %out, i64 {at}")
        if width > WIDE:
            e.store(target, value, width, 8 * words(width))
        else:
            e.store_words(target, value, width)
        at += 8 * words(width)
    e.add("ret void")
    signature = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %out) nounwind"
    return module_text([function_text("evaluate", e, "void", signature)], [e]), e.scratch


def condition_text(graph: ConeGraph, layout: StateLayout, node: int) -> tuple[str, int]:
    """Return a module with the hook function `condition`, and the scratch it needs."""
    e = NodeEmitter(graph, layout, 0)
    e.add(f"ret i32 {e.resize(e.use(node), 1, 32)}")
    return module_text([function_text("condition", e, "i32")], [e]), e.scratch
