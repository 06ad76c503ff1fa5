"""Put modules together: the general step and what settles a design, the phases of a clock, small functions.

A *step* commits everything that fires from the present state and says whether any domain but SETTLE fired. `settle`
repeats it. A *phase* is what one edge of one clock causes: first a step in which triggers are mostly known, then, if it
fired, a look at what may fire next (a clock that is a register, an asynchronous reset that is logic): nothing usually,
and the last step only stores latches and samples; otherwise the general function takes over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from weft.base.dataclass import replace
from weft.engines.cpu import context as ctx
from weft.engines.cpu.cone_step import cone_step
from weft.engines.cpu.emit_effects import emit_effect, emit_record, pending_flag
from weft.engines.cpu.emit_kernels import KernelText, Versions, emit_kernel, emit_plain_kernel
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_plain_step import PlainStepEmitter
from weft.engines.cpu.emit_sinks import SinkEmitter
from weft.engines.cpu.emitter import Emitter
from weft.engines.cpu.share_code import SharedStep, share_code
from weft.engines.cpu.unit_text import (
    ARGUMENTS,
    SIGNATURE,
    Finished,
    Unit,
    function_text,
    module_text,
    piece_text,
    unwatched,
)
from weft.ir.cone_graph import SETTLE, STEP_LIMIT, ConeGraph
from weft.ir.find_repeats import find_repeats
from weft.ir.layout import StateLayout
from weft.ir.step_graph import StepGraph, after_graph, edge_graph, flatten_domains, step_graph

FLAT_NODES = 8000
"""In graphs with more nodes, the general step tests triggers at each sink: it is cut into pieces at its top level."""

_SETTLE_TEXT = f"""define i32 @settle{SIGNATURE} {{
entry:
  br label %loop
loop:
  %i = phi i32 [0, %entry], [%next, %loop]
  %fired = call i1 @step{ARGUMENTS}
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, {STEP_LIMIT}
  %again = and i1 %fired, %more
  br i1 %again, label %loop, label %done
done:
  %status = zext i1 %fired to i32
  ret i32 %status
}}
"""


class Refinement(Protocol):
    """Make better steps of those that a step is split into."""

    def refine(self, step: StepGraph) -> StepGraph:
        """Return a step that does the same."""
        ...

    def versions(self, step: StepGraph) -> Versions | None:
        """Return steps that do the same where a register has some value, if a kernel is worth several."""
        ...


class StepEmitter:
    """Emit the units of one graph, each independently of the others and in any order, but one at a time.

    `steady` gives inputs that nearly always have a value, resets as a rule: phases are compiled for it, and hand over
    to the general function when it is not so.
    """

    def __init__(
        self, graph: ConeGraph, layout: StateLayout, steady: Mapping[int, int] | None = None, share: bool = True
    ) -> None:
        self.graph, self.layout, self.steady = graph, layout, steady or {}
        self.step = step_graph(graph)
        self.repeats = find_repeats(graph.states) if share else []
        self.scratch = 0
        self.finished: Finished = unwatched
        self.has_postponed = any(effect.postponed for effect in graph.effects)

    def first(self) -> Unit:
        """Return a unit that does what `general` does, emitted and compiled in a fraction of the time, but slower."""
        self.reset_scratch()
        shared = self._share(self.step)
        plain = PlainStepEmitter(shared.outer, shared.layout, shared.scratch)
        pieces, fired = plain.modules(self.finished), plain.fired()
        self.scratch = plain.scratch
        before, after = self._kernels(shared, "step", plain=True)
        calls = [kernel.call for kernel in before]
        calls += [f"call void @piece{number}{ARGUMENTS}" for number in range(len(pieces))]
        calls += [kernel.call for kernel in after]
        lines = "".join(f"  {call}\n" for call in calls)
        body = f"{lines}  %r = call i1 @fired{ARGUMENTS}\n  ret i1 %r\n"
        step = f"define internal i1 @step{SIGNATURE} {{\nentry:\n{body}}}"
        declared = [f"declare void @piece{number}(ptr, ptr, ptr) nounwind" for number in range(len(pieces))]
        callers = [kernel.caller for kernel in (*before, *after)]
        functions = [function_text("define internal i1 @fired", fired), step, *declared, *callers, _SETTLE_TEXT]
        texts = [*pieces, *(text for kernel in (*before, *after) for text in kernel.texts)]
        return self._settling_unit(functions, [fired], texts)

    def _share(self, step: StepGraph) -> SharedStep:
        """Return a step split into kernels that parts of the design share, or the step alone."""
        found = share_code(step, self.layout, self.repeats, self.scratch) if self.repeats else None
        return found or SharedStep((), step, (), self.layout, self.scratch)

    def _kernels(
        self, shared: SharedStep, name: str, plain: bool = False, refinement: Refinement | None = None
    ) -> tuple[list[KernelText], list[KernelText]]:
        """Emit the kernels that run before the outer step, and those after it."""
        found: list[KernelText] = []
        for kernel in (*shared.before, *shared.after):
            each, layout = f"{name}_kernel{len(found)}", shared.layout
            if plain:
                found.append(emit_plain_kernel(kernel, each, layout, self.scratch))
            elif refinement is None:
                found.append(emit_kernel(kernel, each, layout, self.scratch))
            else:
                versions = refinement.versions(kernel.step)
                kernel = replace(kernel, step=refinement.refine(kernel.step))
                found.append(emit_kernel(kernel, each, layout, self.scratch, versions))
            self.scratch = found[-1].scratch
        return found[: len(shared.before)], found[len(shared.before) :]

    def general(self) -> Unit:
        """Return the unit of `settle`, and of `postponed` if the graph has postponed effects."""
        self.reset_scratch()
        step = self.step if len(self.step.op) < FLAT_NODES else flatten_domains(self.step)
        functions, emitters, texts = self.emit_step(step)
        return self._settling_unit([*functions, _SETTLE_TEXT], emitters, texts)

    def _settling_unit(self, functions: list[str], emitters: list[Emitter], texts: list[str]) -> Unit:
        """Return a unit with `settle`, and with `postponed` if it is needed; `texts` are other modules."""
        exports = ["settle"]
        if self.has_postponed:
            late = self._postponed()
            functions, emitters = [*functions, function_text("define void @postponed", late)], [*emitters, late]
            exports.append("postponed")
        return Unit((module_text(functions, emitters), *texts), tuple(exports), self.scratch)

    def reset_scratch(self) -> None:
        """Begin a new unit, which may use all scratch."""
        self.scratch = ctx.scratch_offset(len(self.graph.effects))

    def phase(self, clock: int, level: int) -> Unit:
        """Return the unit of `phase`, what an edge of one clock causes in a settled design."""
        other = f"""  %word = getelementptr i64, ptr %c, i64 {ctx.SETTLE}
  %general = load ptr, ptr %word
  %result = call i32 %general{ARGUMENTS}
  ret i32 %result
"""
        steady = self.steady_inputs(clock)
        self.reset_scratch()
        functions, emitters, texts = self.emit_step(edge_graph(self.step, clock, level, steady))
        call = f"  %fired = call i1 @step{ARGUMENTS}\n  br label %stepped\n"
        parts = [self._steady_test(steady), other, call]
        return self.phase_around(clock, level, parts, functions, emitters, texts)

    def steady_inputs(self, clock: int) -> dict[int, int]:
        """Return the inputs that an edge of a clock takes for granted."""
        return {state: value for state, value in self.steady.items() if state != clock}

    def phase_around(
        self,
        clock: int,
        level: int,
        parts: Sequence[str],
        functions: Sequence[str],
        emitters: Sequence[Emitter],
        texts: Sequence[str],
    ) -> Unit:
        """Emit `phase` around the functions of its step.

        `parts` is code that sets `%odd`, what is done if that is true, and what sets `%fired` otherwise.
        """
        guard, other, steps = parts
        # The first step may have changed what was known of registers, so this one only relies on inputs.
        after, last = self._after(after_graph(self.step, clock, level, self.steady_inputs(clock)))
        body = f"""define i32 @phase{SIGNATURE} {{
entry:
{guard}  br i1 %odd, label %other, label %usual
other:
{other}usual:
{steps}stepped:
  br i1 %fired, label %next, label %done
next:
  %status = call i32 @after{ARGUMENTS}
  ret i32 %status
done:
  ret i32 0
}}
"""
        return Unit((module_text([*functions, after, body], [*emitters, last]), *texts), ("phase",), self.scratch)

    def _steady_test(self, steady: Mapping[int, int]) -> str:
        """Return code that sets `%odd` when an input does not have the value that it is compiled for."""
        text, result = "", "false"
        for n, (state, value) in enumerate(steady.items()):
            slot = self.layout.slots[state]
            kind = f"i{8 * slot.stride}"
            text += f"""  %steady{n} = getelementptr i8, ptr %s, i64 {slot.offset}
  %value{n} = load {kind}, ptr %steady{n}
  %differs{n} = icmp ne {kind} %value{n}, {value}
  %some{n} = or i1 {result}, %differs{n}
"""
            result = f"%some{n}"
        return text + f"  %odd = or i1 {result}, false\n"

    def emit_step(
        self, step: StepGraph, name: str = "step", refinement: Refinement | None = None
    ) -> tuple[list[str], list[Emitter], list[str]]:
        """Emit a step; return functions of the main module, their emitters, and the modules of pieces and kernels.

        `refinement` is what is done to its parts after it was split, and before they are emitted.
        """
        shared = self._share(step)
        step = shared.outer if refinement is None else refinement.refine(shared.outer)
        e = SinkEmitter(step, shared.layout, shared.scratch)
        fired = e.test(step.triggers[SETTLE + 1 :])
        known = fired[0] != "%"
        if not known:
            e.add(f"store i64 {e.resize(fired, 1, 64)}, ptr {e.context_word(ctx.FIRED)}")
        for index, effect in step.effects:
            trigger = step.triggers[effect.domain]
            nodes = [effect.enable] if step.constant(trigger) == 1 else [effect.enable, trigger]
            for node in nodes:
                e.demand_here(node)
            fire = e.use(nodes[0])
            if len(nodes) > 1:
                fire = e.put(f"and i1 {fire}, {e.use(trigger)}")
            e.emit_cold(fire, lambda i=index, x=effect: emit_effect(e, i, x))
        e.emit_sinks()
        pieces = {f"{name}_{number}": piece for number, piece in enumerate(e.pieces)}
        self.scratch = e.scratch
        before, after = self._kernels(shared, name, refinement=refinement)
        for kernel in after:
            e.add(kernel.call)
        if known:
            e.add(f"ret i1 {fired}")
        else:
            e.add(f"ret i1 {e.resize(e.put(f'load i64, ptr {e.context_word(ctx.FIRED)}'), 64, 1)}")
        e.lines[:0] = [*(kernel.call for kernel in before), *(f"call void @{piece}{ARGUMENTS}" for piece in pieces)]
        linkage = "internal " if name == "step" else ""
        declared = [f"declare void @{piece}(ptr, ptr, ptr) nounwind" for piece in pieces]
        declared += [kernel.caller for kernel in (*before, *after)]
        texts = [piece_text(*item) for item in pieces.items()]
        texts += [text for kernel in (*before, *after) for text in kernel.texts]
        return [function_text(f"define {linkage}i1 @{name}", e), *declared], [e], texts

    def _after(self, step: StepGraph) -> tuple[str, Emitter]:
        """Emit the step after an edge: hand over to the general function, or store latches and samples."""
        step.writes = [write for write in step.writes if write.domain == SETTLE]
        step.memory_writes = [write for write in step.memory_writes if write.domain == SETTLE]
        step.effects = [(index, effect) for index, effect in step.effects if effect.domain == SETTLE]
        e = SinkEmitter(step, self.layout, self.scratch, whole=True)
        pending = e.test(step.triggers[SETTLE + 1 :])
        if pending != "false":
            go, quiet = e.label(), e.label()
            e.add(f'br i1 {pending}, label %{go}, label %{quiet}, !prof !{{!"branch_weights", i32 1, i32 1000}}')
            e.begin(go)
            general = e.put(f"load ptr, ptr {e.context_word(ctx.SETTLE)}")
            e.add(f"ret i32 {e.put(f'call i32 {general}{ARGUMENTS}')}")
            e.begin(quiet)
        for index, effect in step.effects:
            e.emit_cold(e.use(effect.enable), lambda i=index, x=effect: emit_effect(e, i, x))
        e.emit_sinks()
        e.add("ret i32 0")
        self.scratch = e.scratch
        return function_text("define internal i32 @after", e), e

    def _postponed(self) -> Emitter:
        e = SinkEmitter(self.step, self.layout, self.scratch, whole=True)
        for index, effect in self.step.effects:
            if effect.postponed:
                flag = pending_flag(e, index)
                pending = e.put(f"icmp ne i8 {e.put(f'load i8, ptr {flag}')}, 0")

                def body(i: int = index, flag: str = flag) -> None:
                    e.add(f"store i8 0, ptr {flag}")
                    emit_record(e, i, self.graph.effects[i])

                e.emit_cold(pending, body)
        e.add("ret void")
        self.scratch = e.scratch
        return e


def evaluate_text(graph: ConeGraph, layout: StateLayout, nodes: Sequence[int]) -> tuple[str, int]:
    """Return a module with `evaluate(state, memories, context, out)`, and the scratch it needs.

    It writes each node's value to `out` in whole words, one after the other.
    """
    step, places = cone_step(graph, nodes)
    e = NodeEmitter(step, layout, 0)
    e.store_results(places)
    e.add("ret void")
    signature = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %out) nounwind"
    return module_text([function_text("define void @evaluate", e, signature)], [e]), e.scratch


def condition_text(graph: ConeGraph, layout: StateLayout, node: int) -> tuple[str, int]:
    """Return a module with the hook function `condition`, and the scratch it needs."""
    step, (place,) = cone_step(graph, [node])
    e = NodeEmitter(step, layout, 0)
    e.add(f"ret i32 {e.resize(e.use(place), 1, 32)}")
    return module_text([function_text("define i32 @condition", e)], [e]), e.scratch
