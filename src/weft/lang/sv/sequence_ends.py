"""The ends of sequences as events: `@(sequence)`, `triggered`, `matched` (IEEE 1800-2023 9.4.2.4, 16.13.5, 16.13.6).

A sequence that somebody waits for, or asks whether it has ended, is followed like an assertion; what it triggers at
each match is an event that the sources do not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyslang import ast

from weft.ir.design import Binary, If, Ref, Signal, Statement, Trigger
from weft.lang.sv.attempt_counts import Counts, word
from weft.lang.sv.concurrent_assertions import AssertionProcess
from weft.lang.sv.convert_properties import PropertyConverter
from weft.lang.sv.property_automata import TooLarge, build_automaton
from weft.lang.sv.property_terms import Term
from weft.lang.sv.property_threads import build_data_automaton
from weft.lang.sv.sampling import EVENT_TYPE, key_of

if TYPE_CHECKING:
    from weft.lang.sv.state import State


def sequence_event(state: State, node: ast.AssertionInstanceExpression) -> Signal:
    """Return the event that an instance of a named sequence triggers at each tick where it ends (9.4.2.4, 16.13.6)."""
    converter = PropertyConverter(state, node, True)
    part = converter.convert(node.body, node)
    key = key_of((part, tuple(converter.atoms), converter.clock))
    found = state.endpoints.get(key)
    if found is None:
        stem = state.fresh_label(node.symbol.name)
        found = state.endpoints[key] = Signal(f"{stem}$ended", 64, EVENT_TYPE, span=state.context.span(node))
        state.context.add_signals(found)
        SequenceEnd(state, node, stem, found).follow(converter, part)
    return found


class SequenceEnd(AssertionProcess):
    """Follow a sequence for those who wait for its end; `$assertoff` does not stop it."""

    def __init__(self, state: State, node: ast.AssertionInstanceExpression, label: str, ended: Signal) -> None:
        super().__init__(state, node, label)
        self.place, self.ended = node, ended
        self.cover, self.expect = True, False

    def follow(self, converter: PropertyConverter, part: Term) -> None:
        """Add the variables and the process."""
        while part[0] == "pbegin" and part[2][0] == "seq":
            part = ("seq", ("begin", part[1], part[2][1]), part[2][2])
        if part[0] != "seq":
            self.context.unsupported("an event of this sequence", self.place)
        ended = self.ended
        try:
            if converter.has_data:
                self.follow_threads(
                    converter, build_data_automaton(("scan", part[1]), converter.locals.data, True), None
                )
                # Its threads are reactive, so nothing in the observed region may ask for it.
                self.state.reactive_ends.add(ended)
                self.state.levels[ended] = self.level
                return
            automaton = build_automaton(("scan", part[1]), True)
        except TooLarge:
            self.context.unsupported("a sequence of so many states", self.place)
        states = max(len(automaton.moves), 1)
        counts = Counts(
            self.signal("attempts", states),
            self.signal("next", states),
            self.signal("passed"),
            self.signal("failed"),
        )
        self.add_tick(converter, automaton, counts, None)
        self.state.levels[ended] = self.level

    def prepare_report(self) -> None:
        """Report nothing: it covers nothing."""

    def verdicts(self, counts: Counts) -> list[Statement]:
        """Return what triggers the event."""
        ended = Trigger(Ref(self.ended), span=self.span)
        return [If(Binary("ne", Ref(counts.passed), word(0), 1), ended, span=self.span)]

    def thread_verdicts(self) -> tuple[list[Statement], list[Statement]]:
        """Return what triggers the event."""
        return [Trigger(Ref(self.ended), span=self.span)], []
