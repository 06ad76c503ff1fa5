"""Notice what the lanes of a batch have had all the time, so that code can take it for granted behind a guard.

After each of the first slices of a run every word of the state is looked at; a register whose words have had one value
in all lanes each time has a habit.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.ir.cone_graph import State
from weft.ir.lane_program import LaneProgram
from weft.sim.lane_state import LaneState

SAMPLES = 8
"""After how many slices the habits of the lanes are known."""


class LaneHabits:
    """Watch a batch; `found` are the registers that have a habit, with it, once that is known."""

    def __init__(self) -> None:
        self.found: dict[int, int] = {}
        self._words: dict[int, int] | None = {}
        self._samples = 0

    def notice(self, state: LaneState, program: LaneProgram, states: Sequence[State]) -> None:
        """Look at the state after a slice."""
        if self._words is None:
            return
        for word, value in list(self._words.items()) if self._samples else enumerate([None] * len(program.words)):
            row = state.word_row(word)
            if (row != (row[0] if value is None else value)).any():
                self._words.pop(word, None)
            else:
                self._words[word] = int(row[0])
        self._samples += 1
        if self._samples >= SAMPLES:
            self.found = _registers(self._words, program, states)
            self._words = None


def _registers(words: dict[int, int], program: LaneProgram, states: Sequence[State]) -> dict[int, int]:
    """Return the registers all of whose words have habits."""
    found: dict[int, int] = {}
    for number, state in enumerate(states):
        if state.kind in ("register", "latch") and not state.depth:
            places = range(program.places[number], program.places[number] + -(-state.width // 64))
            if all(place in words for place in places):
                found[number] = sum(words[place] << 64 * n for n, place in enumerate(places))
    return found
