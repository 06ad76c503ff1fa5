"""Write one choice of random values: draw until the constraints hold, then elements of containers (`code_draws`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_places import choose_word, make_container, store_element
from weft.engines.event.draw_arrays import ArrayTarget
from weft.engines.event.draw_domains import Domain, Targets, definitions, find_domains
from weft.engines.event.draw_kernels import CYCLE_BYTES
from weft.engines.event.draw_targets import Target
from weft.engines.event.element_loops import count_up
from weft.engines.event.records import CONTAINER_COUNT
from weft.engines.event.writer import Operand, Value, mask, plane_bytes
from weft.ir.constraints import Constraint, Implies, Require, constraint_expressions
from weft.ir.design import Expr, Signal

TRIES = 100
"""How often values are drawn before Python is asked, which tries as often before it searches."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Be random variables and what constrains them; `holders` have the object's handle in the constraints."""

    targets: tuple[Target, ...]
    items: tuple[Constraint, ...]
    holders: tuple[Signal, ...] = ()
    arrays: tuple[ArrayTarget, ...] = ()


@dataclass(slots=True, eq=False)
class Draw:
    """Write one choice: `stream` is the word behind which the state of the random numbers lies."""

    f: FunctionCode
    choice: Choice
    stream: Operand
    places: dict[Signal, str]
    failed: str
    """The block to go to where nothing has been found."""
    cycles: dict[Signal, str] = field(default_factory=dict[Signal, str])
    """Where the cycles of `randc` properties are."""

    allowed: dict[Target, Operand] = field(default_factory=dict[Target, Operand])
    """The sets of the values that `randc` properties may have."""

    def write(self) -> dict[Signal, Value]:
        """Write the choice; what is written next runs where it has succeeded. Return what the old values were."""
        w = self.f.w
        domains, tests = find_domains(self.f, self.choice.targets, self.choice.items, self.failed)
        if self._tries_cycles(tests):
            w.jump(self.failed)
            w.label(w.fresh("never"))
            return {}
        self.allowed = {target: self._allowed(domains[target]) for target in self.choice.targets if target.cyclic}
        given = definitions(Targets([t for t in self.choice.targets if not domains[t].pieces]), tests)
        equations = {equation for _, _, equation in given.values()}
        old = self._read() if (tests and self.choice.holders) or self.choice.arrays else {}
        again, retry, drawn, hopeless = (w.fresh(stem) for stem in ("again", "retry", "drawn", "hopeless"))
        left = w.slot(64)
        w.do(f"store i64 {TRIES}, ptr {left}")
        self._make_known()
        w.label(again)
        for target in self.choice.targets:
            if target not in given:
                self._put(target, self._drawn(target, domains[target]))
        for target, (expression, extend, _) in given.items():
            self._put(target, self._given(expression, extend, domains[target], retry))
        if tests:
            self._test([test for test in tests if test not in equations], retry)
            w.jump(drawn)
            w.label(retry)
            rest = w.op("sub", 64, w.emit(f"load i64, ptr {left}"), 1)
            w.do(f"store i64 {rest}, ptr {left}")
            w.branch(w.nonzero(64, rest), again, hopeless)
            w.label(hopeless)
            self.put_back(old)
            w.jump(self.failed)
            w.label(drawn)
        return old

    def put_back(self, old: dict[Signal, Value]) -> None:
        """Write the stores of old values."""
        for signal, value in old.items():
            self._store(signal, value)

    def take_cycles(self) -> None:
        """Note which values `randc` properties have got."""
        w = self.f.w
        for target, where in self.allowed.items():
            used = w.emit(f"ptrtoint ptr {self.cycles[target.signal]} to i64")
            value = w.resize(w.load(self.places[target.signal], target.width), target.width, 64)
            w.call("cycle_take", used, where, value)

    def _drawn(self, target: Target, domain: Domain) -> Operand:
        w = self.f.w
        if not target.cyclic:
            return self._number(target, domain)
        used = w.emit(f"ptrtoint ptr {self.cycles[target.signal]} to i64")
        return w.call("cycle_draw", used, self.allowed[target], self.stream)

    def _given(self, expression: Expr, extend: bool, domain: Domain, retry: str) -> Operand:
        """Write the value that an equation gives a variable; go to `retry` if the variable cannot have it."""
        from weft.engines.event.code_expressions import value

        w = self.f.w
        found = value(self.f, expression)
        number = w.resize(found.bits, found.width, 64, extend)
        inside = w.fresh("inside")
        fits = w.and_(1, w.compare("sge", 64, number, domain.low), w.compare("sle", 64, number, domain.high))
        w.branch(w.and_(1, fits, w.not_(1, w.nonzero(found.width, found.unknown))), inside, retry)
        w.label(inside)
        return number

    def _tries_cycles(self, tests: Sequence[Constraint]) -> bool:
        """Say whether values of `randc` properties would have to be tried, and not be equally likely (18.4.2)."""
        found = Targets(self.choice.targets)
        return any(t.cyclic for expression in constraint_expressions(tuple(tests)) for t in found.of(expression))

    # ------------------------------------------------------------------------------------------- places

    def _read(self) -> dict[Signal, Value]:
        signals = dict.fromkeys(target.signal for target in self.choice.targets)
        return {signal: self.f.load_signal(signal, self.places[signal]) for signal in signals}

    def _store(self, signal: Signal, value: Value) -> None:
        w, pointer = self.f.w, self.places[signal]
        w.store(pointer, value.bits, signal.width)
        if signal.type.four_state:
            w.store(w.address(pointer, plane_bytes(signal.width)), value.unknown, signal.width)

    def _make_known(self) -> None:
        """Store that nothing of what is drawn is unknown."""
        w = self.f.w
        for signal in dict.fromkeys(target.signal for target in self.choice.targets):
            if signal.type.four_state:
                w.store(w.address(self.places[signal], plane_bytes(signal.width)), 0, signal.width)

    def _put(self, target: Target, number: Operand) -> None:
        """Store a number that has been drawn: a variable, whole bytes of one, or some of its bits."""
        w, pointer, size = self.f.w, self.places[target.signal], target.signal.width
        bits = w.resize(number, 64, target.width)
        last = target.low + target.width == size and target.low % 64 == 0
        if last or (target.width in (8, 16, 32, 64) and target.low % target.width == 0):
            w.store(w.address(pointer, target.low // 8), bits, target.width)
            return
        hole = mask(size) ^ (mask(target.width) << target.low)
        kept = w.op("and", size, w.load(pointer, size), hole)
        moved = w.op("shl", size, w.resize(bits, target.width, size), target.low)
        w.store(pointer, w.op("or", size, kept, moved), size)

    # ------------------------------------------------------------------------------------------- numbers

    def _allowed(self, domain: Domain) -> Operand:
        """Write the set of the values that a `randc` property may have; return its address."""
        w = self.f.w
        name = f"%{w.fresh('allowed')}"
        w.entry.append(f"  {name} = alloca [{CYCLE_BYTES} x i8], align 8")
        place = w.emit(f"ptrtoint ptr {name} to i64")
        ranges = [(low, high) for low, high, _ in domain.pieces]
        if not ranges and isinstance(domain.low, int) and isinstance(domain.high, int):
            ranges = [(domain.low, domain.high)]
        if not ranges:
            w.call("cycle_allow", place, domain.low, domain.high)
            return place
        bits = 0
        for low, high in ranges:
            bits |= mask(high + 1) ^ mask(low)
        for at in range(0, CYCLE_BYTES, 8):
            w.store_word(name, at, bits >> 8 * at & mask(64))
        return place

    def _below(self, count: Operand) -> Operand:
        return 0 if count == 1 else self.f.w.call("random_below", self.stream, count)

    def _number(self, target: Target, domain: Domain) -> Operand:
        """Draw a number of a domain."""
        w = self.f.w
        if domain.pieces:
            return self._of_pieces(domain.pieces)
        if (domain.low, domain.high) == target.whole:
            return w.op("lshr", 64, w.call("seed_next", self.stream), 64 - target.width)
        if isinstance(domain.low, int) and isinstance(domain.high, int):
            count: Operand = domain.high - domain.low + 1
        else:
            count = w.emit(f"add i64 {w.emit(f'sub i64 {domain.high}, {domain.low}')}, 1")
        return w.emit(f"add i64 {self._below(count)}, {domain.low}")

    def _of_pieces(self, pieces: Sequence[tuple[int, int, int]]) -> Operand:
        """Choose a piece by its weight, then one of its numbers."""
        w = self.f.w
        ends = list(accumulate(weight for _, _, weight in pieces))
        drawn = self._below(ends[-1])
        low, high, _ = pieces[-1]
        start: Operand = low
        count: Operand = high - low + 1
        for (low, high, _), end in zip(reversed(pieces[:-1]), reversed(ends[:-1]), strict=True):
            inside = w.compare("ult", 64, drawn, end)
            start = w.emit(f"select i1 {inside}, i64 {low}, i64 {start}")
            count = w.emit(f"select i1 {inside}, i64 {high - low + 1}, i64 {count}")
        if all(low == high for low, high, _ in pieces):
            return start
        return w.emit(f"add i64 {start}, {self._below(count)}")

    # ------------------------------------------------------------------------------------------- tests

    def _test(self, items: Sequence[Constraint], retry: str) -> None:
        """Write tests that go to `retry` where one does not hold."""
        from weft.engines.event.code_expressions import condition

        w = self.f.w
        for item in items:
            if isinstance(item, Require):
                holds = w.fresh("holds")
                w.branch(condition(self.f, item.value), holds, retry)
                w.label(holds)
            elif isinstance(item, Implies):
                then, other, after = w.fresh("implied"), w.fresh("otherwise"), w.fresh("after")
                w.branch(condition(self.f, item.cond), then, other)
                w.closed = True
                w.label(then)
                self._test(item.body, retry)
                w.jump(after)
                w.label(other)
                self._test(item.other, retry)
                w.jump(after)
                w.label(after)


def draw_arrays(f: FunctionCode, draw: Draw, old: dict[Signal, Value], pointer: str) -> None:
    """Write the choice of the elements of containers; no container changes before all elements have been found."""
    w, classes, arrays = f.w, f.unit.program.classes, draw.choice.arrays
    lost, found = w.fresh("lost"), w.fresh("found")
    rooms = {array: w.slot(64) for array in arrays}
    for room in rooms.values():
        w.do(f"store i64 0, ptr {room}")
    taken: list[tuple[ArrayTarget, str, Operand]] = []
    for array in arrays:
        place = w.address(pointer, classes.field_offset(array.member))
        taken.append((array, place, _draw_elements(f, draw, array, (place, rooms[array], lost))))
    for array, place, count in taken:
        handle = w.load_word(place)
        there = w.compare("ne", 64, handle, 0)
        kept = choose_word(f, there, lambda handle=handle: handle, lambda array=array: make_container(f, array.layout))
        w.store_word(place, 0, kept)
        w.call("elements_take", kept, w.emit(f"load i64, ptr {rooms[array]}"), count, "%S")
    w.jump(found)
    w.label(lost)
    for room in rooms.values():
        w.call("weft_free", w.emit(f"load i64, ptr {room}"))
    draw.put_back(old)
    w.jump(draw.failed)
    w.label(found)


def _draw_elements(f: FunctionCode, draw: Draw, array: ArrayTarget, where: tuple[str, str, str]) -> Operand:
    """Write the loop that draws elements into room of their own; return how many they are."""
    w, layout = f.w, array.layout
    place, room, lost = where
    if array.sized:
        count: Operand = w.resize(w.load(draw.places[array.size], 32), 32, 64)
    else:
        handle = w.load_word(place)
        there = w.compare("ne", 64, handle, 0)
        count = choose_word(f, there, lambda: w.load_word(w.pointer(handle), CONTAINER_COUNT), lambda: 0)
    made = w.call("elements_make", count, layout.step)
    w.do(f"store i64 {made}, ptr {room}")
    if array.plain:
        w.call("elements_draw", made, w.op("mul", 64, count, layout.step), draw.stream)
        return count
    size = 2 * plane_bytes(array.element.width)
    one, index = f"%{w.fresh('one')}", f"%{w.fresh('index')}"
    w.entry += [f"  {one} = alloca [{size} x i8], align 8", f"  {index} = alloca i32, align 8"]
    f.locals |= {array.element: one, array.index: index}

    def choose(number: str, done: str) -> None:
        w.store(index, w.resize(number, 64, 32), 32)
        inner = Choice((Target(array.element),), tuple(array.items))
        Draw(f, inner, draw.stream, {array.element: one}, lost).write()
        target = w.pointer(w.op("add", 64, made, w.op("mul", 64, number, layout.step)))
        store_element(f, layout.element, target, f.load_signal(array.element, one))

    count_up(f, count, choose)
    del f.locals[array.element], f.locals[array.index]
    return count
