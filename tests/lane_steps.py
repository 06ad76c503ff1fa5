"""Interpret a step of a lane program for one lane, as its definition says; what engines emit is compared with this."""

from __future__ import annotations

from weft.ir.lane_program import LaneAction, LaneBranch, LaneStep
from weft.ir.ops import OPS


class StepRun:
    """Run a step on words and memories, which change; `outputs` are those of a look, `events` the other actions."""

    def __init__(self, step: LaneStep, words: list[int], memories: list[list[int]]) -> None:
        self.step, self.words, self.memories = step, words, memories
        self.values: dict[int, int] = {}
        self.outputs: dict[int, int] = {}
        self.events: dict[str, int] = {}
        for item in step.sequence:
            if not isinstance(item, LaneBranch):
                self._do(item)
            elif self.value(item.condition) == item.polarity:
                for inner in item.items:
                    self._do(inner)
            else:
                self.values.update(dict.fromkeys(item.results, 0))

    def value(self, node: int) -> int:
        known = self.step.constant(node)
        return self.values[node] if known is None else known

    def _do(self, item: int | LaneAction) -> None:
        if isinstance(item, LaneAction):
            self._act(item)
            return
        step = self.step
        op, width, sources = OPS[step.op[item]], step.width[item], step.srcs[item]
        if op.name == "read":
            self.values[item] = self.words[step.param[item]]
        elif op.name == "memread":
            memory, at = self.memories[step.param[item]], self.value(sources[0])
            self.values[item] = memory[at] if at < len(memory) else 0
        else:
            assert op.evaluate is not None
            values, widths = [self.value(s) for s in sources], [step.width[s] for s in sources]
            self.values[item] = op.evaluate(values, widths, width, step.param[item])

    def _act(self, action: LaneAction) -> None:
        nodes = [self.value(node) if node >= 0 else -1 for node in action.nodes]
        if action.kind == "store":
            self.words[action.target] = nodes[0]
        elif action.kind == "output":
            self.outputs[action.target] = nodes[0]
        elif action.kind == "write":
            memory, (at, value, mask, enable) = self.memories[action.target], nodes
            for index in range(at, min(at + action.count, len(memory))) if enable else ():
                memory[index] = value if mask < 0 else memory[index] & ~mask | value & mask
        else:
            self.events[f"{action.kind} {action.target}"] = nodes[0]
