"""Write the choice of random values as compiled code where no solver is needed (IEEE 1800-2023 18.5, 18.7, 18.12).

A call of `randomize` is *plain* if its random variables are vectors, packed structs and arrays of fixed size, and its
constraints are operators on variables, or `foreach` of them: no calls, no order, no containers. Its code does what
`sim.randomize.choose_values` does first:

1. Constraints on one variable, or one element, alone leave it one range, with bounds that are computed when the call
   runs, or several constant ones, with the weights of a distribution if it has one (`draw_domains`, `draw_targets`).
   Soft ones do so too, the last ones first, unless they leave nothing.
2. Values are drawn from these until all other constraints hold, so that all solutions are equally likely. Soft ones
   that are left must hold then, too.
3. Where that does not succeed soon, or a bound is unknown, nothing has been changed, and Python is asked: it searches,
   or leaves it to the solver.

A `randc` property has the values of its cycle in the object, if it has up to 8 bits and no constraint that would have
to be tried speaks of it (`draw_kernels`). `pre_randomize` and `post_randomize` are called by this code; if Python is
asked in between, a word tells it that the first has been called.

Constraints are evaluated like any expression, on values that have been drawn into their places: the properties
themselves, whose old values are put back on failure, and copies of variables, so that nobody sees what is only tried.
The object that is asked may be of a derived class with constraints of its own: there is a choice for each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from weft.base.dataclass import dataclass, field
from weft.engines.event.code_classes import OBJECT_SEED
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.draw_domains import Domain, Targets, distribution, find_domains, plain_items
from weft.engines.event.draw_kernels import CYCLE_BYTES
from weft.engines.event.draw_targets import Target, plain_target, property_targets, unroll
from weft.engines.event.records import NODE_SEED, RANDOM_BEGUN, RANDOM_MODES
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value, mask, plane_bytes
from weft.ir.constraints import Constraint, Distribute, ForEach, Implies, Require, constraint_expressions
from weft.ir.design import Class, Signal, Type
from weft.ir.expressions import Call, Field, Randomize, Ref
from weft.ir.walk import subexpressions

_MOST_ITEMS = 512
"""How many constraints there may be once those of elements are written out."""

TRIES = 100
"""How often values are drawn before Python is asked, which tries as often before it searches."""

_MOST_CLASSES = 6
"""For how many classes of objects one call has choices; the objects of others are Python's."""

HOOKS = ("pre_randomize", "post_randomize")


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Be random variables and what constrains them; `holders` have the object's handle in the constraints."""

    targets: tuple[Target, ...]
    items: tuple[Constraint, ...]
    holders: tuple[Signal, ...] = ()


@dataclass(slots=True, eq=False)
class _Draw:
    """Write one choice: `stream` is the word behind which the state of the random numbers lies."""

    f: FunctionCode
    choice: Choice
    stream: Operand
    places: dict[Signal, str]
    failed: str
    """The block to go to where nothing has been found."""
    cycles: dict[Signal, str] = field(default_factory=dict[Signal, str])
    """Where the cycles of `randc` properties are."""

    def write(self) -> None:
        """Write the choice; what is written next runs where it has succeeded."""
        w = self.f.w
        domains, tests = find_domains(self.f, self.choice.targets, self.choice.items, self.failed)
        if self._tries_cycles(tests):
            w.jump(self.failed)
            w.label(w.fresh("never"))
            return
        allowed = {target: self._allowed(domains[target]) for target in self.choice.targets if target.cyclic}
        old = self._read() if tests and self.choice.holders else {}
        again, retry, drawn, hopeless = (w.fresh(stem) for stem in ("again", "retry", "drawn", "hopeless"))
        left = w.slot(64)
        w.do(f"store i64 {TRIES}, ptr {left}")
        self._make_known()
        w.label(again)
        for target in self.choice.targets:
            if target.cyclic:
                used = w.emit(f"ptrtoint ptr {self.cycles[target.signal]} to i64")
                number: Operand = w.call("cycle_draw", used, allowed[target], self.stream)
            else:
                number = self._number(target, domains[target])
            self._put(target, number)
        if tests:
            self._test(tests, retry)
            w.jump(drawn)
            w.label(retry)
            rest = w.op("sub", 64, w.emit(f"load i64, ptr {left}"), 1)
            w.do(f"store i64 {rest}, ptr {left}")
            w.branch(w.nonzero(64, rest), again, hopeless)
            w.label(hopeless)
            for signal, value in old.items():
                self._store(signal, value)
            w.jump(self.failed)
            w.label(drawn)
        for target, where in allowed.items():
            used = w.emit(f"ptrtoint ptr {self.cycles[target.signal]} to i64")
            value = w.resize(w.load(self.places[target.signal], target.width), target.width, 64)
            w.call("cycle_take", used, where, value)

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


# ----------------------------------------------------------------------------------------------- what is plain


def _scope_choice(f: FunctionCode, node: Randomize) -> Choice | None:
    """Return the choice of a call of `std::randomize`, if it is plain."""
    signals: list[Signal] = []
    for target in node.targets or ():
        if not isinstance(target, Ref) or target.path or not plain_target(target.signal):
            return None
        signals.append(target.signal)
    if not signals or len(set(signals)) < len(signals):
        return None
    return _plain(f, [Target(signal) for signal in signals], node.constraints, ())


def _class_choice(f: FunctionCode, found: Class, node: Randomize) -> Choice | None:
    """Return the choice for objects of a class, if it is plain."""
    blocks = [block for block, _ in found.constraint_blocks()]
    items = tuple(item for block in blocks for item in block.items)
    own = {block.this for block in blocks}
    named: set[Signal] = set()
    indices = {item.index for item in items if isinstance(item, ForEach)}
    for expression in constraint_expressions(items):
        for part in subexpressions(expression):
            # A class may be declared elsewhere: only what is in its objects can be reached from here.
            if isinstance(part, Ref) and part.signal not in own and part.signal not in indices:
                return None
    for expression in constraint_expressions(items + node.constraints):
        named |= {part.member for part in subexpressions(expression) if isinstance(part, Field)}
    targets: list[Target] = []
    for member, cyclic in found.random_fields():
        parts = property_targets(member, cyclic, member in named)
        if parts is None:
            return None
        targets += parts
    holders = (*own, node.this) if node.this is not None else tuple(own)
    return _plain(f, targets, items + node.constraints, holders) if targets else None


def _plain(
    f: FunctionCode, targets: Sequence[Target], items: tuple[Constraint, ...], holders: tuple[Signal, ...]
) -> Choice | None:
    """Return a choice whose constraints are such that `_Draw` and `find_domains` can do all of them, or None."""
    found = Targets(targets)
    unrolled = unroll(items)
    if unrolled is None or len(unrolled) > _MOST_ITEMS or not plain_items(unrolled):
        return None
    if any(f.unit.program.shadow(signal) is not None or signal in f.references for signal in found.signals):
        return None
    spread = [distribution(found, item) for item in unrolled if isinstance(item, Distribute)]
    if None in spread or len({one[0] for one in spread if one is not None}) < len(spread):
        return None
    # A random property of another object of the class would look like one of the object that is asked.
    other = any(
        isinstance(part, Field)
        and part.member in found.signals
        and not (isinstance(part.object, Ref) and part.object.signal in holders)
        for expression in constraint_expressions(tuple(unrolled))
        for part in subexpressions(expression)
    )
    return None if other else Choice(tuple(targets), tuple(unrolled), holders)


# ----------------------------------------------------------------------------------------------- calls


def write_draw(f: FunctionCode, node: Randomize, handle: Operand, done: str) -> bool:
    """Write the plain part of a call, and return whether there is any; control goes to `done` where it succeeds.

    What is written next runs where Python has to be asked.
    """
    if node.object is None:
        choice = _scope_choice(f, node)
        if choice is None:
            return False
        _draw_variables(f, choice, done)
        return True
    return node.targets is None and _draw_object(f, node, handle, done)


def _draw_variables(f: FunctionCode, choice: Choice, done: str) -> None:
    from weft.engines.event.code_places import store_lvalue

    w = f.w
    failed = w.fresh("ask")
    places: dict[Signal, str] = {}
    for target in choice.targets:
        place = places[target.signal] = f"%{w.fresh('tried')}"
        w.entry.append(f"  {place} = alloca [{2 * plane_bytes(target.width)} x i8], align 8")
    hidden = {signal: f.locals[signal] for signal in places if signal in f.locals}
    f.locals |= places
    _Draw(f, choice, "%node", places, failed).write()
    drawn = {signal: f.load_signal(signal, place) for signal, place in places.items()}
    for signal in places:
        del f.locals[signal]
    f.locals |= hidden
    for signal, value in drawn.items():
        store_lvalue(f, Ref(signal), value)
    w.jump(done)
    w.label(failed)


def _draw_object(f: FunctionCode, node: Randomize, handle: Operand, done: str) -> bool:
    w, classes = f.w, f.unit.program.classes
    assert node.object is not None
    key = type_of(node.object).name
    choices: list[tuple[int, Choice]] = []
    for number, found in classes.derived(key)[:_MOST_CLASSES]:
        choice = _class_choice(f, found, node)
        if choice is not None:
            choices.append((number, choice))
    if not choices:
        return False
    ask = w.fresh("ask")
    pointer = w.pointer(handle)
    blocks = [(number, choice, w.fresh("class")) for number, choice in choices]
    cases = " ".join(f"i64 {number}, label %{block}" for number, _, block in blocks)
    w.do(f"switch i64 {w.load_word(pointer)}, label %{ask} [ {cases} ]")
    for number, choice, block in blocks:
        w.closed = True
        w.label(block)
        _draw_class(f, classes.classes[number - 1], choice, handle, ask)
        w.jump(done)
    w.label(ask)
    return True


def _draw_class(f: FunctionCode, found: Class, choice: Choice, handle: Operand, ask: str) -> None:
    w, classes = f.w, f.unit.program.classes
    holder = f"%{w.fresh('holder')}"
    w.entry.append(f"  {holder} = alloca i64, align 8")
    w.store_word(holder, 0, handle)
    failed = _call_first(f, found, handle, holder, ask)
    plain = w.fresh("plain")
    w.branch(w.nonzero(64, w.load_word("%Sp", RANDOM_MODES)), failed, plain)
    w.label(plain)
    pointer = w.pointer(handle)
    hidden = {signal: f.locals[signal] for signal in choice.holders if signal in f.locals}
    f.locals |= dict.fromkeys(choice.holders, holder)
    places = {target.signal: w.address(pointer, classes.field_offset(target.signal)) for target in choice.targets}
    cycles: dict[Signal, str] = {}
    for target in choice.targets:
        offset = classes.cycle_offset(target.signal) if target.cyclic else None
        if offset is not None:
            cycles[target.signal] = w.address(pointer, offset)
    stream = w.emit(f"add i64 {handle}, {OBJECT_SEED - NODE_SEED}")
    _Draw(f, choice, stream, places, failed, cycles).write()
    for signal in choice.holders:
        del f.locals[signal]
    f.locals |= hidden
    _call_hook(f, found, HOOKS[1], holder)


def _call_first(f: FunctionCode, found: Class, handle: Operand, holder: str, ask: str) -> str:
    """Write the call of `pre_randomize`; return the block to go to where Python has to be asked."""
    w = f.w
    if not _call_hook(f, found, HOOKS[0], holder):
        return ask
    asked, chosen = w.fresh("called"), w.fresh("choose")
    w.jump(chosen)
    w.label(asked)
    w.store_word("%Sp", RANDOM_BEGUN, handle)
    w.jump(ask)
    w.label(chosen)
    return asked


def _call_hook(f: FunctionCode, found: Class, name: str, holder: str) -> bool:
    """Write the call of a method of the object, if its class has it."""
    from weft.engines.event.code_calls import call_function

    method = next((step.methods[name] for step in reversed(found.lineage()) if name in step.methods), None)
    if method is None or method.body is None:
        return False
    this = Signal("hooked$", 64, Type("class", 64, four_state=False), automatic=True, local=True)
    f.locals[this] = holder
    call_function(f, Call(method, (), 0, f.span, Ref(this)))
    del f.locals[this]
    return True
