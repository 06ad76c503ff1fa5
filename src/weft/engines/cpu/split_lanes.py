"""Split the steps of a long lane program into functions of bounded length, and have what steps share only once.

The steps of a program are the same logic, specialised: a rising edge, a falling edge and the general step of a netlist
share nearly all of their nodes. And LLVM's register allocator and scheduler take more than twice the time for a basic
block of twice the length. So the nodes of all steps are numbered by what they compute (value numbering by hashing,
Cocke and Schwartz, 1970). Those of several steps go, grouped by the set of steps, into *parts*, which each of these
steps calls before anything else; so a step computes nothing that it does not need. What is left of a step, its actions
among it, is cut into *segments* where it is long. A value that another function uses is a *temporary*: a word in the
tile's buffer behind those of the state, whose place other values take when nobody needs it any more (linear scan,
Poletto and Sarkar, 1999).

A branch without actions is moved as one. Its results count as its own: a node is only shared where all of its steps
have its sources from the same nodes and branches. Parts see the state as it is before the step, so they read words
where they use them; a segment reads a word again unless a segment before it has stored it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from weft.base.dataclass import dataclass, field, replace
from weft.engines.lanes.emitter import WORD
from weft.engines.lanes.shape import element
from weft.ir.lane_program import LaneAction, LaneBranch, LaneItem, LaneProgram, LaneStep, LaneWord
from weft.ir.ops import CODE
from weft.ir.step_graph import CONST, READ

FUNCTION_NODES = 512
"""The nodes of a function, by and large; a branch with more becomes several."""

WORTH_SPLITTING = 2_000
"""A program is split if so many nodes need not be compiled again."""


_COMMUTATIVE = frozenset(CODE[name] for name in ("and", "or", "xor", "add", "mul", "eq"))
"""The steps' builders order the operands of these by numbers of their own."""


@dataclass(frozen=True, slots=True)
class LaneFunction:
    """Be one function of a split program: code in columns of its own, under the name of its step."""

    name: str
    step: LaneStep


@dataclass(frozen=True, slots=True)
class SplitProgram:
    """Hold the functions, and for each step, by its name, those that it calls, in order.

    The words of `program` are followed by the temporaries, which have no state.
    """

    program: LaneProgram
    functions: list[LaneFunction]
    calls: dict[str, list[str]]


def split_steps(program: LaneProgram, steps: Mapping[str, LaneStep]) -> SplitProgram | None:
    """Return the program's steps, which have names, as functions; None where splitting is not worth it."""
    nodes = [(step, step.nodes) for step in steps.values()]
    if sum(len(each) for _, each in nodes) < WORTH_SPLITTING:
        return None
    if any(step.width[node] > WORD for step, each in nodes for node in each):
        return None  # a value over 64 bits lies in the memory of its function
    splitter = _Splitter(program, steps)
    return splitter.split() if splitter.saved() >= WORTH_SPLITTING else None


@dataclass(slots=True)
class _Unit:
    """Be a node or a branch without actions, as the first of `steps`, which all have it, has it.

    `results` are the values of a branch that some step uses outside of it.
    """

    item: LaneItem
    steps: list[int] = field(default_factory=list[int])
    results: set[int] = field(default_factory=set[int])


@dataclass(slots=True)
class Body:
    """Be what will be a function: items of step `home`. `owner` is that step's number, or -1 for a part.

    `defined` and `imports` have the width of each value that it makes and that comes from elsewhere; `again` are the
    nodes of words that it reads at its beginning.
    """

    name: str
    home: int
    owner: int
    items: Sequence[LaneItem]
    defined: dict[int, int] = field(default_factory=dict[int, int])
    imports: dict[int, int] = field(default_factory=dict[int, int])
    again: dict[int, None] = field(default_factory=dict[int, None])


class _Splitter:
    def __init__(self, program: LaneProgram, steps: Mapping[str, LaneStep]) -> None:
        self.program, self.names, self.steps = program, list(steps), list(steps.values())
        self._numbers: dict[object, int] = {}
        self._units: dict[int, _Unit] = {}
        self.values: list[dict[int, int]] = [{} for _ in self.steps]
        self._items: list[list[tuple[_Unit | None, LaneItem]]] = [[] for _ in self.steps]
        for index, step in enumerate(self.steps):
            for item in step.sequence:
                for piece in _pieces(step, item):
                    self._items[index].append((self._enter(index, step, piece), piece))

    def saved(self) -> int:
        """Return how many nodes need not be compiled again."""
        return sum(_size(unit.item) * (len(unit.steps) - 1) for unit in self._units.values())

    # ------------------------------------------------------------------------------------------ value numbering

    def _number(self, *key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _enter(self, index: int, step: LaneStep, item: LaneItem) -> _Unit | None:
        """Give the nodes of an item their values; return its unit, if steps may share it."""
        values = self.values[index]
        results: tuple[int, ...] = ()
        if isinstance(item, LaneAction):
            return None
        if isinstance(item, LaneBranch):
            nodes = _nodes(item)
            if len(nodes) < len(item.items):
                values.update({node: self._number("own", index, node) for node in nodes})
                return None
            number, results = self._branch(step, item, values), item.results
        else:
            values[item] = number = self._value(step, item, values)
            if step.op[item] == READ:
                return None
        unit = self._units.setdefault(number, _Unit(item))
        unit.steps.append(index)
        unit.results.update(values[node] for node in results)
        return unit

    def _value(self, step: LaneStep, node: int, values: Mapping[int, int], *where: object) -> int:
        """Return the number of what a node computes; sources that have no value yet are constants."""
        sources: list[int] = []
        for source in step.srcs[node]:
            number = values.get(source)
            if number is None:
                number = self._number("constant", step.width[source], step.constant(source))
            sources.append(number)
        if step.op[node] in _COMMUTATIVE:
            sources.sort()
        return self._number(step.op[node], step.width[node], step.param[node], tuple(sources), *where)

    def _branch(self, step: LaneStep, branch: LaneBranch, values: dict[int, int]) -> int:
        """Give the nodes of a branch their values, which are its own; return its number."""
        inner: dict[int, int] = {}
        for node in _nodes(branch):
            inner[node] = self._value(step, node, ChainMap(inner, values), "inner")
        number = self._number("branch", values[branch.condition], branch.polarity, frozenset(inner.values()))
        values.update({node: self._number("result", number, value) for node, value in inner.items()})
        return number

    # ------------------------------------------------------------------------------------------------ functions

    def split(self) -> SplitProgram:
        """Cut everything into functions, and place the temporaries."""
        calls: dict[str, list[str]] = {name: [] for name in self.names}
        bodies: list[Body] = []
        groups: dict[tuple[int, ...], list[LaneItem]] = {}
        for unit in self._units.values():
            if len(unit.steps) > 1:
                groups.setdefault(tuple(unit.steps), []).append(self._with_results(unit, unit.item, unit.steps[0]))
        # What a node needs is needed by all of its steps: it is in the same group, or in one of more steps.
        for steps in sorted(groups, key=lambda steps: (-len(steps), steps)):
            for items in _cut(groups[steps]):
                bodies.append(Body(f"part{len(bodies)}", steps[0], -1, items))
                for index in steps:
                    calls[self.names[index]].append(bodies[-1].name)
        for index, name in enumerate(self.names):
            for number, items in enumerate(_cut(self._rest(index))):
                bodies.append(Body(f"{name}.{number}", index, index, items))
                calls[name].append(bodies[-1].name)
        self._resolve(bodies)
        places, words = place_temporaries(bodies, len(self.program.words))
        functions = [LaneFunction(body.name, _Writer(self, body, places).write()) for body in bodies]
        return SplitProgram(replace(self.program, words=[*self.program.words, *words]), functions, calls)

    def _with_results(self, unit: _Unit | None, item: LaneItem, index: int) -> LaneItem:
        """Return a branch with all that any step uses of it."""
        if unit is None or not isinstance(item, LaneBranch):
            return item
        values = self.values[index]
        return replace(item, results=tuple(node for node in _nodes(item) if values[node] in unit.results))

    def _rest(self, index: int) -> list[LaneItem]:
        """Return the items of a step that are in no part, without reads that only parts have used."""
        step = self.steps[index]
        items = [item for unit, item in self._items[index] if unit is None or len(unit.steps) == 1]
        used = {node for item in items for node in _sources(step, item)}
        return [item for item in items if not isinstance(item, int) or step.op[item] != READ or item in used]

    def value(self, body: Body, node: int) -> int:
        """Return the value of a node in a function; what a segment reads is its step's own."""
        if body.owner >= 0 and self.steps[body.home].op[node] == READ:
            return self._number("read", body.owner, node)
        return self.values[body.home][node]

    def _resolve(self, bodies: Sequence[Body]) -> None:
        """Find what each function defines, takes from others, and reads again."""
        stored: list[set[int]] = [set() for _ in self.steps]
        for body in bodies:
            step = self.steps[body.home]
            before = stored[body.owner] if body.owner >= 0 else set[int]()
            for item in body.items:
                for node in _sources(step, item):
                    if step.op[node] == CONST or self.value(body, node) in body.defined:
                        continue
                    if step.op[node] == READ and step.param[node] not in before:
                        body.again[node] = None
                    else:
                        body.imports[self.value(body, node)] = step.width[node]
                for node in _results(item):
                    body.defined[self.value(body, node)] = step.width[node]
            if body.owner >= 0:
                before.update(_stored(body.items))


class _Writer:
    """Write the code of one function: its nodes in columns, temporaries as words that it reads and stores."""

    def __init__(self, splitter: _Splitter, body: Body, places: Mapping[int, int]) -> None:
        self.splitter, self.body, self.places = splitter, body, places
        self.home = splitter.steps[body.home]
        self.step = LaneStep(splitter.names[body.owner] if body.owner >= 0 else body.name, [], [], [], [], [], [])
        self._new: dict[int, int] = {}

    def write(self) -> LaneStep:
        """Return the function's step."""
        sequence, body = self.step.sequence, self.body
        for node in body.again:
            sequence.append(self._node(node))
        for item in body.items:
            for node in _sources(self.home, item):
                self._fetch(node)
            sequence.append(self._item(item))
            for node in _results(item):
                place = self.places.get(self.splitter.value(body, node))
                if place is not None:
                    sequence.append(LaneAction("store", place, (self._new[node],)))
        return self.step

    def _fetch(self, node: int) -> None:
        """Read a value that comes from another function, before its first use."""
        if node in self._new:
            return
        if self.home.op[node] == CONST:
            self._node(node)
            return
        word = self.places[self.splitter.value(self.body, node)]
        self.step.sequence.append(self._append(node, READ, self.home.width[node], word, ()))

    def _append(self, node: int, op: int, width: int, param: int, sources: tuple[int, ...]) -> int:
        step = self.step
        self._new[node] = number = len(step.op)
        step.op.append(op)
        step.width.append(width)
        step.param.append(param)
        step.srcs.append(sources)
        return number

    def _node(self, node: int) -> int:
        home, param = self.home, self.home.param[node]
        if home.op[node] == CONST:
            self.step.constants.append(home.constants[param])
            param = len(self.step.constants) - 1
        sources = tuple([self._new[source] for source in home.srcs[node]])
        return self._append(node, home.op[node], home.width[node], param, sources)

    def _inner(self, item: int | LaneAction) -> int | LaneAction:
        if isinstance(item, LaneAction):
            return replace(item, nodes=tuple([self._new[node] if node >= 0 else node for node in item.nodes]))
        return self._node(item)

    def _item(self, item: LaneItem) -> LaneItem:
        if not isinstance(item, LaneBranch):
            return self._inner(item)
        items = tuple([self._inner(each) for each in item.items])
        results = tuple([self._new[node] for node in item.results])
        return LaneBranch(self._new[item.condition], item.polarity, items, results)


def place_temporaries(bodies: Sequence[Body], first: int) -> tuple[dict[int, int], list[LaneWord]]:
    """Return the word of each value that another function than its own uses, from number `first` on, and the words.

    Parts run in their order, then the segments of one step; a value that a step takes from a part stays to the end.
    """
    used: dict[int, int] = {}
    makers = {value: body for body in bodies for value in body.defined}
    for number, body in enumerate(bodies):
        for value in body.imports:
            kept = body.owner >= 0 and makers[value].owner < 0
            used[value] = len(bodies) if kept else max(number, used.get(value, 0))
    places: dict[int, int] = {}
    words: list[LaneWord] = []
    free: dict[int, list[int]] = {}
    ends: list[list[tuple[int, int]]] = [[] for _ in range(len(bodies) + 1)]
    for number, body in enumerate(bodies):
        for value, width in body.defined.items():
            if value not in used:
                continue
            kind = 1 if width == 1 else element(width)
            if not free.setdefault(kind, []):
                free[kind].append(len(words))
                words.append(LaneWord(-1, len(words), kind))
            place = free[kind].pop()
            places[value] = first + place
            ends[used[value]].append((kind, place))
        for kind, place in ends[number]:
            free[kind].append(place)
    return places, words


def _pieces(step: LaneStep, item: LaneItem) -> list[LaneItem]:
    """Return an item, or a long branch as several that have the same condition."""
    if not isinstance(item, LaneBranch) or len(item.items) <= FUNCTION_NODES:
        return [item]
    used, found = set(item.results), list[LaneItem]()
    count = -(-len(item.items) // FUNCTION_NODES)
    bounds = [len(item.items) * number // count for number in range(count + 1)]
    for first, end in reversed(list(pairwise(bounds))):
        piece = replace(item, items=item.items[first:end])
        found.append(replace(piece, results=tuple(node for node in _nodes(piece) if node in used)))
        used.update(_sources(step, piece))
    return found[::-1]


def _nodes(branch: LaneBranch) -> list[int]:
    return [item for item in branch.items if not isinstance(item, LaneAction)]


def _results(item: LaneItem) -> Sequence[int]:
    """Return the nodes of an item that are seen outside of it."""
    if isinstance(item, LaneAction):
        return ()
    return item.results if isinstance(item, LaneBranch) else (item,)


def _size(item: LaneItem) -> int:
    return len(item.items) if isinstance(item, LaneBranch) else 1


def _sources(step: LaneStep, item: LaneItem) -> Iterator[int]:
    """Yield the nodes that an item uses and that are not its own."""
    if isinstance(item, LaneAction):
        yield from (node for node in item.nodes if node >= 0)
    elif isinstance(item, LaneBranch):
        own = set(_nodes(item))
        yield item.condition
        for inner in item.items:
            yield from (node for node in _sources(step, inner) if node not in own)
    else:
        yield from step.srcs[item]


def _stored(items: Sequence[LaneItem]) -> Iterator[int]:
    """Yield the words that items store."""
    for item in items:
        if isinstance(item, LaneBranch):
            yield from _stored(item.items)
        elif isinstance(item, LaneAction) and item.kind == "store":
            yield item.target


def _cut(items: Sequence[LaneItem]) -> Iterator[Sequence[LaneItem]]:
    """Yield the items in pieces of about equal size."""
    total = sum(map(_size, items))
    pieces = -(-total // FUNCTION_NODES)
    begin = done = number = 0
    for place, item in enumerate(items):
        done += _size(item)
        if done * pieces >= total * (number + 1) and place + 1 > begin:
            yield items[begin : place + 1]
            begin, number = place + 1, done * pieces // total
    if begin < len(items):
        yield items[begin:]
