"""Notice what every lane of a batch has had all the time: registers of which shorter code can take for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.sim.batch import Batch

SAMPLES = 8
"""After how many slices the habits of the lanes are known."""


class LaneHabits:
    """Look at a batch now and then; `found` has the registers with habits, and their values, once they are known."""

    def __init__(self) -> None:
        self.found: dict[int, int] = {}
        self._words: dict[int, int] | None = {}
        self._samples = 0

    def notice(self, batch: Batch) -> None:
        """Look at the lanes once more, unless enough is known."""
        if self._words is None or batch.device.kind != "cpu":
            return
        words = self._words
        for word, value in list(words.items()) if self._samples else enumerate([None] * len(batch.program.words)):
            row = batch.state.word_row(word)
            if (row != (row[0] if value is None else value)).any():
                words.pop(word, None)
            else:
                words[word] = int(row[0])
        self._samples += 1
        if self._samples >= SAMPLES:
            self.found = _habitual_states(batch, words)
            self._words = None


def _habitual_states(batch: Batch, words: dict[int, int]) -> dict[int, int]:
    """Return the registers all of whose words have habits."""
    found: dict[int, int] = {}
    for number, state in enumerate(batch.design.graph.states):
        if state.kind in ("register", "latch") and not state.depth:
            places = range(batch.program.places[number], batch.program.places[number] + -(-state.width // 64))
            if all(place in words for place in places):
                found[number] = sum(words[place] << 64 * n for n, place in enumerate(places))
    return found
