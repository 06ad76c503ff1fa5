"""Keep the slots through which values get into kernels that parts of a design share, and out of them.

A slot is a state that no state array has: it lies in the context. What is the same for all parts has one slot there
(`CONTEXT`). What each part has of its own lies in the part's block of slots: a kernel knows it by its distance from the
block's begin (`ARGUMENT`), the outer step, for each part, by its place in the context.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.ir.cone_graph import State
from weft.ir.layout import Slot, container_bytes

ARGUMENT, CONTEXT = "argument", "context"
"""Kinds of states that are slots; `Emitter.state_address` knows what their offsets are relative to."""

_LINE, _WORD = 64, 8


@dataclass(frozen=True, slots=True)
class PartSlot:
    """Be a value that each part of a group has: a state for each part, and the one by which the kernel knows it."""

    width: int
    parts: tuple[int, ...]
    argument: int


class KernelSlots:
    """Make slots: `states` is a step's table of states with the slots after them."""

    def __init__(self, states: Sequence[State], parts: Sequence[int]) -> None:
        self.states = list(states)
        self._first = len(self.states)
        self._parts = list(parts)
        self._of_group: list[list[PartSlot]] = [[] for _ in parts]
        self._common: list[int] = []

    def part_slot(self, group: int, width: int) -> PartSlot:
        """Make a slot for each part of a group."""
        parts = tuple([self._state(CONTEXT, width) for _ in range(self._parts[group])])
        slot = PartSlot(width, parts, self._state(ARGUMENT, width))
        self._of_group[group].append(slot)
        return slot

    def common_slot(self, width: int) -> int:
        """Make a slot for what is the same everywhere; return its state."""
        self._common.append(self._state(CONTEXT, width))
        return self._common[-1]

    def place(self, scratch: int) -> tuple[list[list[int]], list[Slot], int]:
        """Place all slots in the context from `scratch` on.

        Returns where each part's block begins, by group; the slots in the order of their states; and where they end.
        """
        offsets = [0] * len(self.states)
        scratch = -(-scratch // _LINE) * _LINE
        for state in sorted(self._common, key=lambda state: -_size(self.states[state])):
            offsets[state] = scratch
            scratch += _size(self.states[state])
        begins: list[list[int]] = []
        for slots, parts in zip(self._of_group, self._parts, strict=True):
            slots.sort(key=lambda slot: -container_bytes(slot.width))
            begins.append([])
            for part in range(parts):
                begin = scratch = -(-scratch // _WORD) * _WORD
                begins[-1].append(begin)
                for slot in slots:
                    offsets[slot.parts[part]], offsets[slot.argument] = scratch, scratch - begin
                    scratch += container_bytes(slot.width)
        placed = [
            Slot(offset, _size(state), state.width, 0)
            for state, offset in zip(self.states[self._first :], offsets[self._first :], strict=True)
        ]
        return begins, placed, -(-scratch // _LINE) * _LINE

    def _state(self, kind: str, width: int) -> int:
        self.states.append(State(f"${kind}", width, kind=kind))
        return len(self.states) - 1


def _size(state: State) -> int:
    return container_bytes(state.width)
