"""Write the choice of random values as compiled code where no solver is needed (IEEE 1800-2023 18.5, 18.7, 18.12).

A call of `randomize` is *plain* if its random variables are vectors of at most 64 bits and its constraints are
operators on variables: no calls, no soft constraints, no order, no arrays or containers. Its code does what
`sim.randomize.choose_values` does first:

1. Constraints on one variable alone leave it one range, with bounds that are computed when the call runs, or several
   constant ones, with the weights of a distribution if it has one (`draw_domains`).
2. Values are drawn from these until all other constraints hold, so that all solutions are equally likely.
3. Where that does not succeed soon, or a bound is unknown, nothing has been changed, and Python is asked: it searches,
   or leaves it to the solver.

Constraints are evaluated like any expression, on values that have been drawn into their places: the properties
themselves, whose old values are put back on failure, and copies of variables, so that nobody sees what is only tried.
The object that is asked may be of a derived class with constraints of its own: there is a choice for each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from weft.base.dataclass import dataclass
from weft.engines.event.code_classes import OBJECT_SEED
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.draw_domains import Domain, Target, distribution, find_domains, plain_items, plain_target
from weft.engines.event.records import NODE_SEED, RANDOM_MODES
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, Value, plane_bytes
from weft.ir.constraints import Constraint, Distribute, Implies, Require, constraint_expressions
from weft.ir.design import Class, Signal
from weft.ir.expressions import Field, Randomize, Ref
from weft.ir.walk import subexpressions

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

    def write(self) -> None:
        """Write the choice; what is written next runs where it has succeeded."""
        w = self.f.w
        domains, tests = find_domains(self.f, self.choice.targets, self.choice.items, self.failed)
        old = self._read() if tests and self.choice.holders else None
        again, retry, drawn, hopeless = (w.fresh(stem) for stem in ("again", "retry", "drawn", "hopeless"))
        left = w.slot(64)
        w.do(f"store i64 {TRIES}, ptr {left}")
        w.label(again)
        for target in self.choice.targets:
            self._put(target, self._number(target, domains[target.signal]))
        if not tests:
            return
        self._test(tests, retry)
        w.jump(drawn)
        w.label(retry)
        rest = w.op("sub", 64, w.emit(f"load i64, ptr {left}"), 1)
        w.do(f"store i64 {rest}, ptr {left}")
        w.branch(w.nonzero(64, rest), again, hopeless)
        w.label(hopeless)
        for target, value in zip(self.choice.targets, old or (), strict=bool(old)):
            self._store(target, value)
        w.jump(self.failed)
        w.label(drawn)

    # ------------------------------------------------------------------------------------------- places

    def _read(self) -> list[Value]:
        return [self.f.load_signal(target.signal, self.places[target.signal]) for target in self.choice.targets]

    def _store(self, target: Target, value: Value) -> None:
        w, pointer = self.f.w, self.places[target.signal]
        w.store(pointer, value.bits, target.width)
        if target.signal.type.four_state:
            w.store(w.address(pointer, plane_bytes(target.width)), value.unknown, target.width)

    def _put(self, target: Target, number: Operand) -> None:
        self._store(target, Value(target.width, self.f.w.resize(number, 64, target.width)))

    # ------------------------------------------------------------------------------------------- numbers

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
    choice = Choice(tuple(map(Target, signals)), node.constraints)
    return choice if signals and _plain(f, choice) else None


def _class_choice(f: FunctionCode, found: Class, node: Randomize) -> Choice | None:
    """Return the choice for objects of a class, if it is plain."""
    methods = [step.methods for step in found.lineage()]
    if any(hook in own and own[hook].body is not None for own in methods for hook in HOOKS):
        return None
    fields = found.random_fields()
    if not fields or any(cyclic or not plain_target(member) for member, cyclic in fields):
        return None
    blocks = [block for block, _ in found.constraint_blocks()]
    items = tuple(item for block in blocks for item in block.items)
    own = {block.this for block in blocks}
    for expression in constraint_expressions(items):
        # A class may be declared elsewhere: only what is in its objects can be reached from here.
        if any(isinstance(part, Ref) and part.signal not in own for part in subexpressions(expression)):
            return None
    holders = (*own, node.this) if node.this is not None else tuple(own)
    choice = Choice(tuple(Target(member, True) for member, _ in fields), items + node.constraints, holders)
    return choice if _plain(f, choice) else None


def _plain(f: FunctionCode, choice: Choice) -> bool:
    """Say whether constraints are such that `_Draw` and `find_domains` can do all of them."""
    targets = {target.signal: target for target in choice.targets}
    if len(targets) < len(choice.targets) or not plain_items(choice.items):
        return False
    if any(f.unit.program.shadow(signal) is not None or signal in f.references for signal in targets):
        return False
    spread = [distribution(targets, item) for item in choice.items if isinstance(item, Distribute)]
    if None in spread or len({found[0] for found in spread if found is not None}) < len(spread):
        return False
    # A random property of another object of the class would look like one of the object that is asked.
    return all(
        not isinstance(part, Field)
        or part.member not in targets
        or (isinstance(part.object, Ref) and part.object.signal in choice.holders)
        for expression in constraint_expressions(choice.items)
        for part in subexpressions(expression)
    )


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
    ask, plain = w.fresh("ask"), w.fresh("plain")
    w.branch(w.nonzero(64, w.load_word("%Sp", RANDOM_MODES)), ask, plain)
    w.label(plain)
    pointer = w.pointer(handle)
    blocks = [(number, choice, w.fresh("class")) for number, choice in choices]
    cases = " ".join(f"i64 {number}, label %{block}" for number, _, block in blocks)
    w.do(f"switch i64 {w.load_word(pointer)}, label %{ask} [ {cases} ]")
    for _, choice, block in blocks:
        w.closed = True
        w.label(block)
        _draw_class(f, choice, handle, pointer, ask)
        w.jump(done)
    w.label(ask)
    return True


def _draw_class(f: FunctionCode, choice: Choice, handle: Operand, pointer: str, failed: str) -> None:
    w, classes = f.w, f.unit.program.classes
    holder = f"%{w.fresh('holder')}"
    w.entry.append(f"  {holder} = alloca i64, align 8")
    w.store_word(holder, 0, handle)
    hidden = {signal: f.locals[signal] for signal in choice.holders if signal in f.locals}
    f.locals |= dict.fromkeys(choice.holders, holder)
    places = {target.signal: w.address(pointer, classes.field_offset(target.signal)) for target in choice.targets}
    stream = w.emit(f"add i64 {handle}, {OBJECT_SEED - NODE_SEED}")
    _Draw(f, choice, stream, places, failed).write()
    for signal in choice.holders:
        del f.locals[signal]
    f.locals |= hidden
