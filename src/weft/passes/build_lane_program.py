"""Build the lane program of a 2-state graph: split its state into words, and lower each event of its clocks.

The events of the clocks' common period are specialised by `ir.step_graph`, as the CPU engine's phases are: triggers
fold to constants and most of an edge's other domains vanish. All writes of one state become one next value;
`passes.order_step` then puts what is left in an order.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from weft.base.dataclass import replace
from weft.base.errors import InternalError, Note, Unsupported
from weft.ir.cone_graph import SETTLE, ConeGraph, State
from weft.ir.lane_program import (
    LaneAction,
    LaneEvent,
    LaneMemory,
    LaneProgram,
    LaneStatus,
    LaneStep,
    LaneWord,
)
from weft.ir.program import Clock
from weft.ir.step_graph import MEMREAD, READ, StepGraph, after_graph, edge_graph, live_nodes, poke_graph, step_graph
from weft.passes.drive_inputs import DrivePlan
from weft.passes.order_step import BRANCH_COST, order_step
from weft.passes.split_words import Words, WordSplitter, word_count, word_width

_MOST_EVENTS = 256
_WORTH_A_GUARD = 3
"""A step has this many nodes for each state of its guard, or more."""
_STOPS = {
    "$finish": LaneStatus.FINISH,
    "$exit": LaneStatus.FINISH,
    "$stop": LaneStatus.STOP,
    "$fatal": LaneStatus.FATAL,
}


def build_lane_program(
    graph: ConeGraph,
    clocks: Sequence[Clock] = (),
    *,
    steady: Mapping[int, int] | None = None,
    condition: tuple[ConeGraph, int] | None = None,
    private: Collection[int] = (),
    count_messages: bool = False,
    habits: Mapping[int, int] | None = None,
    branch_cost: int = BRANCH_COST,
    drive: DrivePlan | None = None,
    paged: Collection[int] = (),
) -> LaneProgram:
    """Return the lane program of a graph.

    `steady` gives inputs that have one value in every lane during a run. `condition` is a node of a graph with the same
    state table; lanes stop where it is 1. Memories in `private` are not shared although the design never writes them.
    Messages (`$display`, `$error`, ...) are counted with `count_messages`, else they raise Unsupported. `habits` gives
    states that have nearly always a value: events get a shorter form for it, behind a guard. `branch_cost` is what a
    branch must save (`passes.order_step`). With `drive` inputs take new values at the beginning of each cycle; the
    planes that it needs are the last of the program's memories. Memories in `paged` are shared until written.
    """
    if graph.four_state:
        raise InternalError("lanes run 2-state graphs: split the planes first")
    builder = _Builder(
        graph, clocks, steady or {}, condition, private, count_messages, habits or {}, branch_cost, drive, paged
    )
    return builder.program()


def build_look(program: LaneProgram, graph: ConeGraph, nodes: Sequence[int]) -> LaneStep:
    """Return a step that outputs the words of some nodes of a graph with the program's state table, in order."""
    lowering = _Lowering(program, step_graph(_without_sinks(graph)), "look")
    at = 0
    for node in nodes:
        for word in lowering.splitter.words(node):
            lowering.act("output", at, word)
            at += 1
    return lowering.finish()


def _without_sinks(graph: ConeGraph) -> ConeGraph:
    """Return a graph without its sinks, to compute values alone."""
    return replace(graph, domains=graph.domains[:1], writes=[], memory_writes=[], effects=[])


class _Builder:
    def __init__(
        self,
        graph: ConeGraph,
        clocks: Sequence[Clock],
        steady: Mapping[int, int],
        condition: tuple[ConeGraph, int] | None,
        private: Collection[int],
        count_messages: bool,
        habits: Mapping[int, int],
        branch_cost: int,
        drive: DrivePlan | None,
        paged: Collection[int],
    ) -> None:
        self.branch_cost, self.drive = branch_cost, drive
        self.graph, self.clocks, self.steady, self.condition = graph, clocks, steady, condition
        self.habits = {state: value for state, value in habits.items() if state not in steady}
        self.step = step_graph(graph)
        self.time = next((i for i, state in enumerate(graph.states) if state.kind == "time"), -1)
        self._refuse_messages(count_messages)
        states = drive.graph.states if drive is not None else graph.states
        own = {*private, *range(len(graph.states), len(states))}
        words, memories, places = place_words(replace(graph, states=states), own, paged)
        empty = LaneStep("", [], [], [], [], [], [])
        self.result = LaneProgram(states, words, memories, places, empty, messages=self.messages)

    def _lowering(self, step: StepGraph, name: str, time: int = -1, delta: int = 0) -> _Lowering:
        return _Lowering(self.result, step, name, time, delta, self.branch_cost)

    def _refuse_messages(self, count_messages: bool) -> None:
        self.messages: list[int] = []
        for index, effect in self.step.effects:
            if effect.task.name in _STOPS:
                continue
            if not count_messages:
                help_text = 'with messages="count" a batch counts, lane by lane, how often each statement ran'
                raise Unsupported(f"{effect.task.name} in a batch", effect.task.span, notes=(Note(help_text),))
            self.messages.append(index)

    def program(self) -> LaneProgram:
        """Build every step."""
        result = self.result
        timed = self._reads_time()
        if self.condition is not None:
            result.condition = self._condition(*self.condition)
        result.general = self._general()
        if self.clocks:
            result.period_fs, events = _pattern(self.clocks)
            before = 0
            if self.drive is not None:
                begins = [(offset, ()) for offset in range(0, result.period_fs, self.drive.period_fs)]
                # The stable sort leaves the edges of a time before the drive of the same time.
                events = sorted([*events, *begins], key=lambda event: event[0])
            for offset, levels in events:
                if not levels and self.drive is not None:
                    result.events.append(self._drive(self.drive, offset))
                    continue
                result.events.append(self._event(offset, levels, offset - before if timed else 0))
                before = offset
        return result

    def _drive(self, plan: DrivePlan, offset: int) -> LaneEvent:
        """Return the event that gives inputs their values of the cycle that begins, and what settles after it."""
        lowering = self._lowering(step_graph(_without_sinks(plan.graph)), "drive")
        places, builder = self.result.places, lowering.splitter.builder
        for state, node in plan.stores:
            for number, word in enumerate(lowering.splitter.words(node)):
                lowering.act("store", places[state] + number, word)
        none, always = builder.const(32, 0), builder.const(1, 1)
        for state in plan.counts:
            width, place = plan.graph.states[state].width, places[state]
            following = builder.add("add", width, builder.node(MEMREAD, width, (none,), place), builder.const(width, 1))
            lowering.writes.append(LaneAction("write", place, (none, following, -1, always)))
        after = self._after(poke_graph(self.step, [state for state, _ in plan.stores]), "after drive")
        return LaneEvent(offset, (), lowering.finish(), after, drive=True)

    def _reads_time(self) -> bool:
        """Say whether anything reads the time, so that lanes must keep it."""
        live = live_nodes(self.step)
        reads = zip(self.step.op, self.step.param, live, strict=True)
        if any(op == READ and param == self.time and needed for op, param, needed in reads):
            return True
        if self.condition is None:
            return False
        graph = self.condition[0]
        return bool(((graph.op == READ) & (graph.param == self.time)).any())

    def _condition(self, graph: ConeGraph, node: int) -> LaneStep:
        lowering = self._lowering(step_graph(_without_sinks(graph)), "condition")
        lowering.act("condition", 0, lowering.splitter.word(node))
        return lowering.finish()

    def _event(self, offset: int, levels: tuple[tuple[int, int], ...], delta: int) -> LaneEvent:
        names = ", ".join(f"{self.graph.states[state].name}={level}" for state, level in levels)
        if len(levels) > 1:
            # Coincident edges: set the clocks, and let the general step see what that causes.
            lowering = self._lowering(replace(self.step, writes=[], memory_writes=[], effects=[]), names)
            self._keep(lowering, levels, delta)
            after = self._lowering(self.step, f"after {names}")
            after.act("fire", 0, after.splitter.builder.const(1, 1))
            return LaneEvent(offset, levels, lowering.finish(), after.finish())
        clock, level = next(iter(levels))
        steady = {state: value for state, value in self.steady.items() if state != clock}
        first = self._edge(clock, level, steady, delta, names)
        after = after_graph(self.step, clock, level, steady)
        after.writes = [write for write in after.writes if write.domain == SETTLE]
        after.memory_writes = [write for write in after.memory_writes if write.domain == SETTLE]
        after.effects = [(index, effect) for index, effect in after.effects if effect.domain == SETTLE]
        last = self._after(after, f"after {names}")
        # What has settled stays so if the edge has changed nothing that it depends on.
        stored = {action.target for action in first.actions if action.kind == "store"}
        wrote = any(action.kind == "write" for action in first.actions)
        if not wrote and not any(last.op[item] == READ and last.param[item] in stored for item in last.nodes):
            last = self._lowering(after, f"after {names}").finish()
        guard = usual = None
        habits = {state: value for state, value in self.habits.items() if state != clock}
        if habits and len(first.nodes) > _WORTH_A_GUARD * len(habits):
            guard = self._guard(habits)
            usual = self._edge(clock, level, {**steady, **habits}, delta, f"usual {names}")
        return LaneEvent(offset, levels, first, last, guard, usual)

    def _after(self, step: StepGraph, name: str) -> LaneStep:
        """Return what follows an edge's first step: whether another domain fires, or else latches and samples.

        Where one fires, the general step must see the samples as they were.
        """
        lowering = self._lowering(step, name)
        pending = lowering.pending()
        lowering.sinks(self.messages, unless=pending)
        lowering.fire(pending)
        return lowering.finish()

    def _edge(self, clock: int, level: int, known: Mapping[int, int], delta: int, name: str) -> LaneStep:
        """Return what the first step after an edge does, in lanes where some states are known."""
        lowering = self._lowering(edge_graph(self.step, clock, level, known), name, self.time, delta)
        self._keep(lowering, ((clock, level),), delta)
        lowering.sinks(self.messages)
        return lowering.finish()

    def _guard(self, habits: Mapping[int, int]) -> LaneStep:
        """Return the step that says whether states have their habits."""
        empty = replace(self.step, writes=[], memory_writes=[], effects=[])
        lowering = self._lowering(empty, "guard")
        builder, holds = lowering.splitter.builder, -1
        for state, value in habits.items():
            for word in range(word_count(self.graph.states[state].width)):
                read = builder.read(self.result.places[state] + word)
                width = builder.width[read]
                want = value >> 64 * word & (1 << width) - 1
                if width == 1:
                    same = read if want else builder.add("not", 1, read)
                else:
                    same = builder.add("eq", 1, read, builder.const(width, want))
                holds = same if holds < 0 else builder.add("and", 1, holds, same)
        lowering.act("holds", 0, holds)
        return lowering.finish()

    def _keep(self, lowering: _Lowering, levels: tuple[tuple[int, int], ...], delta: int) -> None:
        """Store the clocks' new levels, and the time if anything reads it."""
        builder = lowering.splitter.builder
        for clock, level in levels:
            lowering.act("store", self.result.places[clock], builder.const(1, level))
        if delta:
            place = self.result.places[self.time]
            old = builder.read(place)
            lowering.act("store", place, builder.add("add", 64, old, builder.const(64, delta)))

    def _general(self) -> LaneStep:
        lowering = self._lowering(self.step, "general")
        lowering.sinks(self.messages)
        lowering.fire(lowering.pending())
        return lowering.finish()


def place_words(
    graph: ConeGraph, private: Collection[int] = (), paged: Collection[int] = ()
) -> tuple[list[LaneWord], list[LaneMemory], list[int]]:
    """Return the words and memory planes of a graph, and for each state the number of its first one."""
    written = {write.state for write in graph.memory_writes} | set(private)
    words: list[LaneWord] = []
    memories: list[LaneMemory] = []
    places: list[int] = []
    for number, state in enumerate(graph.states):
        each = [(word, word_width(state.width, word)) for word in range(word_count(state.width))]
        if state.depth:
            places.append(len(memories))
            shared = number not in written
            page = number in paged and not shared
            memories += [LaneMemory(number, word, width, state.depth, shared, page) for word, width in each]
        else:
            places.append(len(words))
            words += [LaneWord(number, word, width) for word, width in each]
    return words, memories, places


def _pattern(clocks: Sequence[Clock]) -> tuple[int, list[tuple[int, tuple[tuple[int, int], ...]]]]:
    """Return the clocks' common period, and for each time in it the clocks that change and their levels."""
    period = math.lcm(*(clock.period_fs for clock in clocks))
    count = sum(2 * period // clock.period_fs for clock in clocks)
    if count > _MOST_EVENTS:
        raise Unsupported(f"a batch with clocks that have {count} edges in their common period")
    found: dict[int, list[tuple[int, int]]] = {}
    for clock in clocks:
        for first, level in ((clock.rise_fs, 1), (clock.fall_fs, 0)):
            for times in range(period // clock.period_fs):
                at = (first + times * clock.period_fs) % period or period
                found.setdefault(at, []).append((clock.state, level))
    return period, [(at, tuple(found[at])) for at in sorted(found)]


class _Splitter(WordSplitter):
    """Read the time as what it is once the event's time has come."""

    def __init__(self, step: StepGraph, places: Sequence[int], states: Sequence[State], time: int, delta: int) -> None:
        super().__init__(step, places, states)
        self._time, self._delta = time, delta

    def _split(self, node: int) -> Words:
        words = super()._split(node)
        if self._delta and self.step.op[node] == READ and self.step.param[node] == self._time:
            return (self.builder.add("add", 64, words[0], self.builder.const(64, self._delta)),)
        return words


class _Lowering:
    """Turn one step into straight-line code."""

    def __init__(
        self,
        program: LaneProgram,
        step: StepGraph,
        name: str,
        time: int = -1,
        delta: int = 0,
        branch_cost: int = BRANCH_COST,
    ) -> None:
        self.program, self.step, self.name, self.branch_cost = program, step, name, branch_cost
        # The splitter's own state table serves reads only, which need no more than widths.
        self.splitter = _Splitter(step, program.places, [State("", word.width) for word in program.words], time, delta)
        self._unless = -1
        self.stores: dict[int, int] = {}
        self.writes: list[LaneAction] = []
        self.others: list[LaneAction] = []

    def act(self, kind: str, target: int, node: int) -> None:
        """Add an action on one node; a store replaces an earlier one of the same word."""
        if kind == "store":
            self.stores[target] = node
        else:
            self.others.append(LaneAction(kind, target, (node,)))

    def sinks(self, messages: Sequence[int], unless: int = -1) -> None:
        """Add the step's writes and effects; they do not happen where node `unless` is 1."""
        self._unless = unless
        step, splitter, builder = self.step, self.splitter, self.splitter.builder
        for write in step.writes:
            fire = self._fire(write.domain, write.enable)
            first = self.program.places[write.state]
            for number, word in enumerate(splitter.words(write.value)):
                place = first + number
                old = self.stores.get(place)
                if old is None:
                    old = builder.read(place)
                self.stores[place] = builder.add("mux", builder.width[word], fire, word, old)
        for write in step.memory_writes:
            fire = self._fire(write.domain, write.enable)
            first, address = self.program.places[write.state], splitter.index(write.address)
            masks = splitter.words(write.mask) if write.mask >= 0 else None
            for number, word in enumerate(splitter.words(write.value)):
                chosen = masks[number] if masks is not None else -1
                nodes = (address, word, chosen, fire)
                self._write(LaneAction("write", first + number, nodes, write.count))
        for index, effect in step.effects:
            fire = self._fire(effect.domain, effect.enable)
            status = _STOPS.get(effect.task.name)
            if status is not None:
                self.act("stop", status, fire)
            else:
                self.act("count", messages.index(index), fire)

    def _write(self, action: LaneAction) -> None:
        """Add a memory write; one to the address of the write before, such as another byte, is joined with that."""
        place = next((n for n in reversed(range(len(self.writes))) if self.writes[n].target == action.target), -1)
        before = self.writes[place] if place >= 0 else None
        if before is None or before.nodes[0] != action.nodes[0] or (before.count, action.count) != (1, 1):
            self.writes.append(action)
            return
        builder = self.splitter.builder
        width = builder.width[action.nodes[1]]

        def chosen(one: LaneAction) -> int:
            mask = builder.const(width, (1 << width) - 1) if one.nodes[2] < 0 else one.nodes[2]
            return builder.add("mux", width, one.nodes[3], mask, builder.const(width, 0))

        first, last = chosen(before), chosen(action)
        kept = builder.add("and", width, before.nodes[1], builder.add("not", width, last))
        value = builder.add("or", width, kept, builder.add("and", width, action.nodes[1], last))
        both, enable = builder.add("or", width, first, last), builder.add("or", 1, before.nodes[3], action.nodes[3])
        self.writes[place] = LaneAction("write", action.target, (action.nodes[0], value, both, enable))

    def _fire(self, domain: int, enable: int) -> int:
        splitter = self.splitter
        builder = splitter.builder
        fire = builder.add("and", 1, splitter.word(self.step.triggers[domain]), splitter.word(enable))
        return fire if self._unless < 0 else builder.add("and", 1, fire, builder.add("not", 1, self._unless))

    def pending(self) -> int:
        """Return the node that says whether a domain fires, or -1 if there is none."""
        builder, pending = self.splitter.builder, -1
        for trigger in self.step.triggers[SETTLE + 1 :]:
            node = self.splitter.word(trigger)
            pending = node if pending < 0 else builder.add("or", 1, pending, node)
        return pending

    def fire(self, pending: int) -> None:
        """Add whether a domain fires, unless none ever does."""
        if pending >= 0 and self.splitter.builder.value(pending) != 0:
            self.act("fire", 0, pending)

    def finish(self) -> LaneStep:
        """Return the step, its nodes and actions in order."""
        builder = self.splitter.builder
        reads = {place: builder.read(place) for place in self.stores}
        stores = {place: node for place, node in self.stores.items() if node != reads[place]}
        writes = [action for action in self.writes if builder.value(action.nodes[3]) != 0]
        others = [action for action in self.others if action.kind != "stop" or builder.value(action.nodes[0]) != 0]
        return order_step(self.name, builder, stores, writes, others, self.branch_cost)
