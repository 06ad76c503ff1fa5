"""Emit the code of a clock edge for a design that keeps to its habits (`speculation`).

Behind the guard, which compares all that is taken for granted, lies one version of the step for each usual value of a
register (`choose_pivot`), or a single one. What is known is folded into the step, and what is left is tabulated.
Versions are modules of their own: they are compiled one by one, each has its own tables and constants, and nothing in
them is taken out of the guard's vectors, which would be slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from weft.base.dataclass import replace
from weft.engines.cpu.choose_pivot import choose_pivot
from weft.engines.cpu.emit_guard import guard_text
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.run_loop import MISS
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.unit_text import ARGUMENTS, Unit, module_text
from weft.ir.cone_graph import Write
from weft.ir.step_graph import StepGraph, edge_graph

GUARD_SHARE = 8
"""A guard must be less than this part of the code behind it."""


def speculative_phase(emitter: StepEmitter, clock: int, level: int, habits: Habits) -> Unit:
    """Return the unit of `phase` for a design that keeps to its habits: it returns `MISS` when it does not.

    An edge that does so little that it is not worth a guard gets its usual code.
    """
    emitter.reset_scratch()
    steady = emitter.steady_inputs(clock)
    known = {state: value for state, value in habits.known.items() if state != clock} | steady
    step = edge_graph(emitter.step, clock, level, known)
    pivot, versions = choose_pivot(step, habits.varied) or (-1, {0: step})
    texts: list[str] = []
    for value, version in versions.items():
        lean = tabulate_logic(without_repeats(version, {**known, pivot: value}))
        functions, emitters, pieces = emitter.emit_step(lean, f"step{value}")
        texts += [module_text(functions, emitters), *pieces]
    declared = [f"declare i1 @step{value}(ptr, ptr, ptr) nounwind" for value in versions]
    guard = guard_text(emitter.layout, known)
    offset = emitter.layout.slots[pivot].offset if pivot >= 0 else -1
    parts = [guard, f"  ret i32 {MISS}\n", choice_text(offset, sorted(versions))]
    unit = emitter.phase_around(clock, level, parts, declared, [], texts)
    worth = sum(map(len, unit.texts)) > GUARD_SHARE * len(guard)
    return unit if worth else emitter.phase(clock, level)


def choice_text(offset: int, values: list[int]) -> str:
    """Return code that sets `%fired` by the version for the value at an offset; it goes to `%other` if there is none.

    A negative offset stands for a single version, which suits any value.
    """
    cases = " ".join(f"i8 {value}, label %value{value}" for value in values)
    text = f"""  %pivot = getelementptr i8, ptr %s, i64 {offset}
  %value = load i8, ptr %pivot
  switch i8 %value, label %other [{cases}]
"""
    if offset < 0:
        text = f"  br label %value{values[0]}\n"
    for value in values:
        text += f"""value{value}:
  %fired{value} = call i1 @step{value}{ARGUMENTS}
  br label %chosen
"""
    fired = ", ".join(f"[%fired{value}, %value{value}]" for value in values)
    return f"{text}chosen:\n  %fired = phi i1 {fired}\n  br label %stepped\n"


def without_repeats(step: StepGraph, known: Mapping[int, int]) -> StepGraph:
    """Leave out each state's only write if it writes the value that the state is known to have."""
    counts = Counter(write.state for write in step.writes)

    def repeats(write: Write) -> bool:
        return counts[write.state] == 1 and step.constant(write.value) == known.get(write.state, -1)

    return replace(step, writes=[write for write in step.writes if not repeats(write)])
