"""Write the choice of random values as compiled code where no solver is needed (IEEE 1800-2023 18.5, 18.7, 18.12).

A call of `randomize` is *plain* if its random variables are vectors, packed structs, arrays and queues of vectors, and
its constraints are operators on variables, sizes, or `foreach`: no calls, no order. Its code (`code_choices`) does what
`sim.randomize.choose_values` does first:

1. Constraints on one variable, or one element, alone leave it one range, with bounds that are computed when the call
   runs, or several constant ones, with the weights of a distribution if it has one (`draw_domains`, `draw_targets`).
   Soft ones do so too, the last ones first, unless they leave nothing.
2. Values are drawn from these until all other constraints hold, so that all solutions are equally likely. An equation
   gives one of its variables by the others, which need not be drawn then. Soft constraints that are left must hold.
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

from weft.base.dataclass import replace
from weft.engines.event.code_choices import Choice, Draw, draw_arrays
from weft.engines.event.code_classes import OBJECT_SEED
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.draw_arrays import ArrayTarget, array_target, part_constraints
from weft.engines.event.draw_domains import Targets, distribution, plain_items
from weft.engines.event.draw_targets import LARGEST_SIZE, Known, Target, plain_target, property_targets, unroll
from weft.engines.event.records import NODE_SEED, RANDOM_BEGUN, RANDOM_MODES
from weft.engines.event.value_types import type_of
from weft.engines.event.writer import Operand, plane_bytes
from weft.ir.constraints import Constraint, Distribute, ForEach, constraint_expressions
from weft.ir.design import Class, Signal, Type
from weft.ir.expressions import Call, Field, Randomize, Ref
from weft.ir.walk import subexpressions

_MOST_ITEMS = 512
"""How many constraints there may be once those of elements are written out."""

_MOST_CLASSES = 6
"""For how many classes of objects one call has choices; the objects of others are Python's."""

HOOKS = ("pre_randomize", "post_randomize")


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
    arrays: list[ArrayTarget] = []
    for member, cyclic in found.random_fields():
        array = None if cyclic else array_target(f, member)
        parts = property_targets(member, cyclic, member in named) if array is None else []
        if parts is None:
            return None
        targets += parts
        arrays += [] if array is None else [array]
    holders = (*own, node.this) if node.this is not None else tuple(own)
    items += node.constraints
    if arrays:
        parted = part_constraints(arrays, items, holders)
        if parted is None:
            return None
        items = parted
        targets += [Target(array.size, most=LARGEST_SIZE) for array in arrays if array.sized]
    if not targets and not arrays:
        return None
    choice = _plain(f, targets, items, holders)
    if choice is None or not all(_plain_elements(f, array, choice, arrays) for array in arrays):
        return None
    return replace(choice, arrays=tuple(arrays))


def _plain_elements(f: FunctionCode, array: ArrayTarget, choice: Choice, arrays: Sequence[ArrayTarget]) -> bool:
    """Say whether the constraints on elements speak of one element alone, besides what is not random."""
    if not array.items:
        return True
    random = Targets([*choice.targets, *(Target(other.member, True) for other in arrays)])
    if any(random.of(expression) for expression in constraint_expressions(tuple(array.items))):
        return False
    return _plain(f, [Target(array.element)], tuple(array.items), choice.holders) is not None


def _plain(
    f: FunctionCode, targets: Sequence[Target], items: tuple[Constraint, ...], holders: tuple[Signal, ...]
) -> Choice | None:
    """Return a choice whose constraints are such that `Draw` and `find_domains` can do all of them, or None."""
    found = Targets(targets)
    unrolled = unroll(items, Known({}))
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
    Draw(f, choice, "%node", places, failed).write()
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
    places = {t.signal: w.address(pointer, classes.field_offset(t.signal)) for t in choice.targets if t.member}
    sizes = {array.size: f"%{w.fresh('size')}" for array in choice.arrays}
    w.entry += [f"  {place} = alloca i32, align 8" for place in sizes.values()]
    cycles: dict[Signal, str] = {}
    for target in choice.targets:
        offset = classes.cycle_offset(target.signal) if target.cyclic else None
        if offset is not None:
            cycles[target.signal] = w.address(pointer, offset)
    stream = w.emit(f"add i64 {handle}, {OBJECT_SEED - NODE_SEED}")
    f.locals |= sizes
    draw = Draw(f, choice, stream, places | sizes, failed, cycles)
    old = draw.write()
    if choice.arrays:
        draw_arrays(f, draw, old, pointer)
    draw.take_cycles()
    for signal in (*choice.holders, *sizes):
        f.locals.pop(signal, None)
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
