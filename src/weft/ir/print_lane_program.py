"""Print a lane program as text, for golden tests and bug reports.

    word 0 clk:1
    memory 0 ram:32x4096
    event 0 at 5000000 fs: clk=1
    step rise clk
      %7 = read:8 count
      %9 = add:8 %7 %8
      store count = %9

An `if` begins a branch, whose items are indented. Constants stand where they are used: `8'3` is the number 3 in 8 bits.
Numbers of nodes are those of the step.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.ir.lane_program import LaneAction, LaneBranch, LaneProgram, LaneStatus, LaneStep
from weft.ir.ops import OPS


def print_lane_program(program: LaneProgram) -> str:
    """Return the text of a program."""
    lines = [f"word {n} {word_name(program, n)}:{word.width}" for n, word in enumerate(program.words)]
    for number, memory in enumerate(program.memories):
        shared = " shared" if memory.shared else " paged" if memory.paged else ""
        lines.append(f"memory {number} {memory_name(program, number)}:{memory.width}x{memory.depth}{shared}")
    for number, event in enumerate(program.events):
        levels = ", ".join(f"{program.states[state].name}={level}" for state, level in event.levels) or "drive"
        lines.append(f"event {number} of {program.period_fs} fs at {event.offset_fs} fs: {levels}")
        lines += _step_lines(program, event.step)
        for step in (event.after, event.guard, event.usual):
            lines += _step_lines(program, step) if step is not None else []
    lines += _step_lines(program, program.general)
    if program.condition is not None:
        lines += _step_lines(program, program.condition)
    return "\n".join(lines) + "\n"


def word_name(program: LaneProgram, number: int) -> str:
    """Return the name of a word: that of its state, with the number of the word if there are several."""
    word = program.words[number]
    state = program.states[word.state]
    return f"{state.name}.{word.word}" if state.width > 64 else state.name


def memory_name(program: LaneProgram, number: int) -> str:
    """Return the name of a memory plane, likewise."""
    memory = program.memories[number]
    state = program.states[memory.state]
    return f"{state.name}.{memory.word}" if state.width > 64 else state.name


def _step_lines(program: LaneProgram, step: LaneStep) -> Iterator[str]:
    yield f"step {step.name}"

    def text(node: int) -> str:
        value = step.constant(node)
        return f"%{node}" if value is None else f"{step.width[node]}'{value}"

    def one(item: int | LaneAction) -> str:
        if isinstance(item, LaneAction):
            return _action_text(program, item, [text(node) if node >= 0 else "" for node in item.nodes])
        op = OPS[step.op[item]].name
        line = f"%{item} = {op}:{step.width[item]}"
        if op == "read":
            line += f" {word_name(program, step.param[item])}"
        elif op == "memread":
            line += f" {memory_name(program, step.param[item])}"
        line += "".join(f" {text(source)}" for source in step.srcs[item])
        return line + (f" [{step.param[item]}]" if op == "slice" else "")

    for item in step.sequence:
        if isinstance(item, LaneBranch):
            results = "".join(f" %{node}" for node in item.results)
            yield f"  if {text(item.condition)} is {item.polarity}" + (f" giving{results}" if results else "")
            yield from (f"    {one(inner)}" for inner in item.items)
        else:
            yield f"  {one(item)}"


def _action_text(program: LaneProgram, action: LaneAction, nodes: list[str]) -> str:
    match action.kind:
        case "store":
            return f"store {word_name(program, action.target)} = {nodes[0]}"
        case "write":
            address, value, mask, enable = nodes
            line = f"write {memory_name(program, action.target)}[{address}] = {value} if {enable}"
            line += f" mask {mask}" if mask else ""
            return line + (f" count {action.count}" if action.count != 1 else "")
        case "stop":
            return f"stop {LaneStatus(action.target).name.lower()} if {nodes[0]}"
        case "count":
            return f"count message {action.target} if {nodes[0]}"
        case "output":
            return f"output {action.target} = {nodes[0]}"
        case _:
            return f"{action.kind} if {nodes[0]}"
