"""Emit the code of a clock edge for a design that keeps to its habits (`speculation`).

Behind the guard, which compares all that is taken for granted, lies one version of the step for each usual value of a
register (`choose_pivot`), or a single one. What is known is folded into the step, and what is left is tabulated.
Versions are modules of their own: they are compiled one by one, each has its own tables and constants, and nothing in
them is taken out of the guard's vectors, which would be slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from weft.base.dataclass import dataclass, replace
from weft.engines.cpu.choose_pivot import choose_pivot
from weft.engines.cpu.emit_guard import guard_text, part_guard_text
from weft.engines.cpu.emit_kernels import Versions
from weft.engines.cpu.emit_step import StepEmitter
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.part_habits import common_habits
from weft.engines.cpu.run_loop import MISS
from weft.engines.cpu.tabulate_logic import tabulate_logic
from weft.engines.cpu.unit_text import ARGUMENTS, Unit, module_text
from weft.ir.cone_graph import Write
from weft.ir.step_graph import StepGraph, edge_graph

LEAST_PARTS = 4
"""Parts whose guard is a loop over them."""

GUARD_SHARE = 8
"""A guard must be less than this part of the code behind it."""


@dataclass(frozen=True, slots=True)
class _Lean:
    """Tabulate steps, and make versions of kernels by registers that had few values."""

    varied: Mapping[int, Mapping[int, int]]

    def refine(self, step: StepGraph) -> StepGraph:
        return tabulate_logic(step)

    def versions(self, step: StepGraph) -> Versions | None:
        found = choose_pivot(step, self.varied)
        if found is None:
            return None
        pivot, steps = found
        return pivot, {value: tabulate_logic(version) for value, version in steps.items()}


def speculative_phase(emitter: StepEmitter, clock: int, level: int, habits: Habits) -> Unit:
    """Return the unit of `phase` for a design that keeps to its habits: it returns `MISS` when it does not.

    An edge that does so little that it is not worth a guard gets its usual code.
    """
    emitter.reset_scratch()
    steady = emitter.steady_inputs(clock)
    known = {state: value for state, value in habits.known.items() if state != clock} | steady
    step = edge_graph(emitter.step, clock, level, known)
    # Versions by a register of one of several parts would take it apart from the others.
    inside = {state for repeat in emitter.repeats for part in repeat.parts for state in part}
    outside = {state: counts for state, counts in habits.varied.items() if state not in inside}
    pivot, versions = choose_pivot(step, outside) or (-1, {0: step})
    texts: list[str] = []
    for value, version in versions.items():
        lean = without_repeats(version, {**known, pivot: value})
        functions, emitters, pieces = emitter.emit_step(lean, f"step{value}", _Lean(habits.varied))
        texts += [module_text(functions, emitters), *pieces]
    declared = [f"declare i1 @step{value}(ptr, ptr, ptr) nounwind" for value in versions]
    guard, guards = _guard(emitter, known)
    offset = emitter.layout.slots[pivot].offset if pivot >= 0 else -1
    parts = [guard, f"  ret i32 {MISS}\n", choice_text(offset, sorted(versions))]
    unit = emitter.phase_around(clock, level, parts, [*declared, *guards], [], texts)
    worth = sum(map(len, unit.texts)) > GUARD_SHARE * len(guard)
    return unit if worth else emitter.phase(clock, level)


def _guard(emitter: StepEmitter, known: Mapping[int, int]) -> tuple[str, list[str]]:
    """Return the guard of all that is taken for granted, and the functions that it calls, one for parts alike."""
    alike, rest = common_habits(known, emitter.repeats, LEAST_PARTS)
    if not alike:
        return guard_text(emitter.layout, known), []
    guard, odd = guard_text(emitter.layout, rest, "odd.rest"), "odd.rest"
    functions: list[str] = []
    for number, habits in enumerate(alike):
        functions.append(part_guard_text(emitter.layout, habits, f"guard{number}"))
        now = "odd" if number == len(alike) - 1 else f"odd{number}"
        guard += f"  %part{number} = call i1 @guard{number}(ptr %s)\n  %{now} = or i1 %{odd}, %part{number}\n"
        odd = now
    return guard, functions


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
