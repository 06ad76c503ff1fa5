"""Carry out `randomize` (IEEE 1800-2023 18.6, 18.7, 18.12), and remember what objects' modes and cycles are.

First the objects are found that take part: the one that is asked, and those that its random properties hold, theirs
too. Then the sizes of containers are chosen if constraints say something about them, then all values together. Nothing
is written before everything has been chosen.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator, Iterable, MutableSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import Unsupported, WeftError
from weft.base.source import NOWHERE
from weft.engines.event.code_classes import OBJECT_SEED
from weft.engines.event.code_draws import HOOKS
from weft.engines.event.code_randomize import Entry, RandomizeSite
from weft.engines.event.draw_targets import LARGEST_SIZE, USUAL_SIZE
from weft.engines.event.records import NODE_SEED, RANDOM_BEGUN, RANDOM_MODES
from weft.engines.event.value_types import CONTAINERS, WORDS
from weft.engines.event.writer import plane_bytes
from weft.ir.constraints import Constraint, ConstraintBlock
from weft.ir.design import Class, Expr, Signal
from weft.ir.expressions import Element, Field, Item, Randomize, Ref, Slice
from weft.sim.randomize.choose_values import Plan, Plans, Used, substitute
from weft.sim.randomize.cycle_set import CycleSet
from weft.sim.randomize.domains import intersect, ranges_of
from weft.sim.randomize.lower_constraints import Lowering
from weft.sim.randomize.problem import Problem
from weft.sim.randomize.random_stream import RandomStream
from weft.sim.randomize.random_world import (
    NotYetError,
    RandomPlace,
    RandomWorld,
    element_width,
    read_property,
)
from weft.sim.randomize.terms import Term, constant, make, ones, signed, variables_of

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation


@dataclass(slots=True, eq=False)
class Modes:
    """Hold what has been switched off in an object: properties, constraints."""

    random: set[str] = field(default_factory=set[str])
    constraints: set[str] = field(default_factory=set[str])


@dataclass(slots=True, eq=False)
class RandomClass:
    """Know what is random in the objects of a class, and what constrains them."""

    fields: list[tuple[Signal, bool]]
    """Each random property, and whether it is `randc`."""
    blocks: list[tuple[ConstraintBlock, Class]]
    names: dict[str, Signal]

    simple: bool | None = None
    """Whether its constraints look at nothing but the random values, so that `plan` serves all objects."""
    plan: Plan | None = None
    layout: list[tuple[int, int, int, int, bool]] = field(default_factory=list[tuple[int, int, int, int, bool]])
    """Of each random property its offset, the width and number of its elements, a plane's bytes, its states."""


@dataclass(slots=True, eq=False)
class Randomizer:
    """Choose random values for one simulation."""

    simulation: EventSimulation
    plans: Plans = field(default_factory=Plans)
    modes: dict[int, Modes] = field(default_factory=dict[int, Modes])
    cycles: dict[object, dict[tuple[Signal, int], set[int]]] = field(
        default_factory=dict[object, "dict[tuple[Signal, int], set[int]]"]
    )
    static_off: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _classes: dict[Class, RandomClass] = field(default_factory=dict[Class, RandomClass])
    _numbers: dict[Expr, int] = field(default_factory=dict[Expr, int])
    _entries: list[Entry] = field(default_factory=list[Entry])
    _compiled: dict[str, Callable[[int, int, int, int], int]] = field(
        default_factory=dict[str, "Callable[[int, int, int, int], int]"]
    )

    # ------------------------------------------------------------------------------------------- the design

    def class_of(self, handle: int) -> Class:
        """Return the class of an object."""
        return self.simulation.design.classes[ctypes.c_uint64.from_address(handle).value - 1]

    def random_class(self, found: Class) -> RandomClass:
        """Return what is known about a class."""
        known = self._classes.get(found)
        if known is None:
            fields = found.random_fields()
            names = {member.name: member for member, _ in fields}
            known = self._classes[found] = RandomClass(fields, found.constraint_blocks(), names)
        return known

    def call_number(self, expression: Expr) -> int:
        """Return the number of a call in a constraint."""
        number = self._numbers.get(expression)
        if number is None:
            number = self._numbers[expression] = len(self._entries)
            self._entries.append(self.simulation.engine.code.entries.found[expression])
        return number

    def entry(self, number: int) -> Entry:
        """Return the code of a call."""
        return self._entries[number]

    def compiled(self, entry: Entry) -> Callable[[int, int, int, int], int]:
        """Return an entry as a function."""
        found = self._compiled.get(entry.symbol)
        if found is None:
            found = self._compiled[entry.symbol] = self.simulation.engine.entry(entry.symbol)
        return found

    # ------------------------------------------------------------------------------------------- streams

    @contextmanager
    def stream_at(self, address: int) -> Generator[RandomStream]:
        """Lend the stream whose state is in memory."""
        word = ctypes.c_uint64.from_address(address)
        stream = RandomStream(word.value)
        yield stream
        word.value = stream.state

    def thread_stream(self) -> Any:
        """Lend the stream of the running thread."""
        assert self.simulation.host.current is not None
        return self.stream_at(self.simulation.host.current[0] + NODE_SEED)

    # ------------------------------------------------------------------------------------------- modes

    def mode(self, handle: int) -> Modes:
        """Return what is off in an object, to be changed."""
        self.simulation.engine.set_word(RANDOM_MODES, 1)
        return self.modes.setdefault(handle, Modes())

    def copy_modes(self, source: int, target: int) -> None:
        """Give a copied object the modes of its source (8.12)."""
        old = self.modes.get(source)
        if old is not None:
            self.modes[target] = Modes(set(old.random), set(old.constraints))
        cycles = self.cycles.get(source)
        if cycles is not None:
            self.cycles[target] = {key: set(values) for key, values in cycles.items()}

    def forget(self, handles: Iterable[int]) -> None:
        """Forget objects that are freed."""
        if self.modes or self.cycles:
            for handle in handles:
                self.modes.pop(handle, None)
                self.cycles.pop(handle, None)

    def active_fields(self, handle: int) -> list[tuple[Signal, bool]]:
        """Return the properties of an object that are random now."""
        fields = self.random_class(self.class_of(handle)).fields
        off = self.modes.get(handle)
        return fields if off is None else [entry for entry in fields if entry[0].name not in off.random]

    def active_blocks(self, handle: int) -> list[ConstraintBlock]:
        """Return the constraints of an object that hold now."""
        off = self.modes.get(handle)
        names: set[str] = off.constraints if off is not None else set()
        return [
            block
            for block, owner in self.random_class(self.class_of(handle)).blocks
            if ((owner.key, block.name) not in self.static_off if block.static else block.name not in names)
        ]

    # ------------------------------------------------------------------------------------------- randomize

    def randomize(self, site: RandomizeSite, args: list[Any], span: Any) -> tuple[int, dict[int, Any]]:
        """Carry out a call: return whether it succeeds, and the new values of local variables by argument."""
        node = site.node
        assert self.simulation.host.current is not None
        thread, instance = self.simulation.host.current
        first = 1 if node.object is not None else 0
        captured = dict(zip(site.captured, args[first:], strict=True))
        handle = int(args[0]) if first else 0
        world = RandomWorld(self.simulation, thread, instance, captured, span)
        if handle and node.targets is None and not node.constraints and handle not in self.modes:
            done = self._randomize_simple(world, handle)
            if done is not None:
                return done, {}
        objects = self._objects(world, handle, node) if handle else []
        address = handle + OBJECT_SEED if handle else thread + NODE_SEED
        with self.stream_at(address) as stream:
            done = self._choose(world, node, handle, objects, stream)
        if not done:
            return 0, {}
        for found in objects:
            self._hook(world, found, HOOKS[1])
        return 1, {first + i: captured[signal] for i, signal in enumerate(site.captured)}

    def _hook(self, world: RandomWorld, handle: int, name: str) -> None:
        """Call a hook if the object's class has it; compiled code may have called the first one."""
        if name == HOOKS[0] and self.simulation.engine.word(RANDOM_BEGUN) == handle:
            self.simulation.engine.set_word(RANDOM_BEGUN, 0)
            return
        found: Class | None = self.class_of(handle)
        while found is not None:
            method = found.methods.get(name)
            if method is not None:
                entry = self.simulation.engine.code.entries.found.get(method)
                if entry is not None:
                    world.run(entry, (handle,))
                return
            found = found.base

    def _randomize_simple(self, world: RandomWorld, handle: int) -> int | None:
        """Randomise an object whose constraints look at nothing but its own random values, or return None."""
        known = self.random_class(self.class_of(handle))
        if known.simple is False or self.static_off:
            return None
        if known.simple is None:
            known.simple = self._prepare(world, handle, known)
            if not known.simple:
                return None
        self._hook(world, handle, HOOKS[0])
        if handle in self.modes:
            self.simulation.engine.set_word(RANDOM_BEGUN, handle)
            return None
        with self.stream_at(handle + OBJECT_SEED) as stream:
            if known.plan is None:
                values = [stream.bits(width) for _, width, count, _, _ in known.layout for _ in range(count)]
            else:
                found = known.plan.choose(stream, {}, world.evaluate)
                if found is None:
                    return 0
                values = found
        at = 0
        for offset, width, count, size, four_state in known.layout:
            bits = values[at]
            for i in range(1, count):
                bits |= values[at + i] << i * width
            at += count
            ctypes.memmove(handle + offset, bits.to_bytes(size, "little"), size)
            if four_state:
                ctypes.memset(handle + offset + size, 0, size)
        self._hook(world, handle, HOOKS[1])
        return 1

    def _prepare(self, world: RandomWorld, handle: int, known: RandomClass) -> bool:
        """Find the plan that all objects of a class share, if there is one."""
        if any(cyclic or member.type.kind in WORDS or member.depth for member, cyclic in known.fields):
            return False
        trial = RandomWorld(self.simulation, world.thread, world.node, {}, world.span)
        for member, _ in known.fields:
            trial.make_random(handle, member)
        trial.looked = False
        if known.blocks:
            lowering = Lowering(trial, span=world.span)
            for block, _ in known.blocks:
                lowering.bound[block.this] = constant(64, handle)
                lowering.span = block.span
                lowering.add(block.items)
            if trial.looked:
                return False
            known.plan = Plan(_problem(trial, lowering))
        elif any(variable.values is not None for variable in trial.variables):
            known.plan = Plan(_problem(trial, Lowering(trial)))
        code = self.simulation.engine.code
        for member, _ in known.fields:
            width = element_width(member)
            size = plane_bytes(member.width)
            four_state = member.type.four_state
            known.layout.append((code.field_offset(member), width, member.width // width, size, four_state))
        return True

    def _objects(self, world: RandomWorld, handle: int, node: Randomize) -> list[int]:
        """Return the objects that take part, the one that is asked first; call `pre_randomize` of each."""
        found: list[int] = []
        pending = [handle]
        while pending:
            one = pending.pop(0)
            if one in found:
                continue
            found.append(one)
            self._hook(world, one, HOOKS[0])
            if node.targets is None or one != handle:
                members = [member for member, _ in self.active_fields(one)]
            else:
                members = [
                    target.member
                    for target in node.targets
                    if isinstance(target, Field)
                    and isinstance(target.object, Ref)
                    and target.object.signal is node.this
                ]
            for member in members:
                pending += self._held(one, member)
        return found

    def _held(self, handle: int, member: Signal) -> list[int]:
        """Return the objects that a property holds."""
        kind = member.type
        if kind.kind == "class":
            whole = [read_property(self.simulation, handle, member, i)[0] for i in range(max(member.depth, 1))]
            found = [word >> at & ones(64) for word in whole for at in range(0, member.width, 64)]
        elif kind.kind in CONTAINERS and kind.element is not None and kind.element.kind == "class":
            container = self.simulation.containers.find(read_property(self.simulation, handle, member)[0])
            found = [int(item) for item in container.values()]
        else:
            return []
        return [one for one in found if one]

    # ------------------------------------------------------------------------------------------- choosing

    def _choose(
        self, world: RandomWorld, node: Randomize, handle: int, objects: list[int], stream: RandomStream
    ) -> bool:
        sized: list[RandomPlace] = []
        for one in objects:
            if node.targets is None or one != handle:
                for member, _ in self.active_fields(one):
                    if member.type.kind == "class":
                        continue
                    sized += self._sizable(world, one, member)
        bound = {node.this: constant(64, handle)} if node.this is not None and handle else {}
        targets = [self._target(world, target, bound) for target in node.targets or ()]
        sized += [place for place, whole in targets if whole and place.container]
        sized = [place for place in sized if place.member.type.kind != "assoc"]
        if sized and not self._choose_sizes(world, node, handle, objects, sized, stream):
            return False
        for one in objects:
            if node.targets is None or one != handle:
                for member, cyclic in self.active_fields(one):
                    if member.type.kind != "class":
                        world.make_random(one, member, cyclic)
        for (place, whole), target in zip(targets, node.targets or (), strict=True):
            if whole:
                cyclic = isinstance(place.owner, int) and self._is_cyclic(place.owner, place.member)
                world.make_random(place.owner, place.member, cyclic)
            else:
                self._part(world, place, target, bound)
        lowering = self._lower(world, node, handle, objects)
        values = self._solve(world, lowering, stream)
        if values is None:
            return False
        fixed = dict(enumerate(values))
        for place in world.places.values():
            world.store(place, [_value_of(term, fixed) for term in place.elements])
        return True

    def _is_cyclic(self, handle: int, member: Signal) -> bool:
        return any(member is found and cyclic for found, cyclic in self.random_class(self.class_of(handle)).fields)

    @staticmethod
    def _sizable(world: RandomWorld, owner: int, member: Signal) -> list[RandomPlace]:
        return [world.root(owner, member)] if member.type.kind in CONTAINERS and member.type.kind != "assoc" else []

    def _target(self, world: RandomWorld, target: Expr, bound: dict[Signal, Term]) -> tuple[RandomPlace, bool]:
        """Return the place of a target, and whether it is all of it."""
        lowering = Lowering(world, dict(bound), span=world.span)
        root, whole = target, True
        while isinstance(root, Slice | Item):
            root, whole = (root.value if isinstance(root, Slice) else root.container), False
        if isinstance(root, Field):
            return world.root(lowering.handle(root.object), root.member), whole
        if isinstance(root, Ref | Element):
            whole = whole and isinstance(root, Ref)
            return world.root(world.signal(root), root.signal), whole
        raise Unsupported("randomising this", world.span)

    def _part(self, world: RandomWorld, place: RandomPlace, target: Expr, bound: dict[Signal, Term]) -> None:
        """Make an element, or some bits, random."""
        lowering = Lowering(world, dict(bound), span=world.span)
        width, low, index = target.width, 0, 0
        step = target
        while True:
            if isinstance(step, Slice):
                offset = step.offset
                if not isinstance(offset, int):
                    term = lowering.value(offset)
                    offset = signed(term[2], term[1])
                low += offset
                step = step.value
            elif isinstance(step, Item | Element):
                index += lowering.value(step.index)[2]
                step = step.container if isinstance(step, Item) else Ref(step.signal, step.path)
            else:
                break
        step_width = element_width(place.member)
        if not place.container and not isinstance(target, Element):
            index, low = index + low // step_width, low % step_width
        world.make_part_random(place, index, low, width)

    def _lower(self, world: RandomWorld, node: Randomize, handle: int, objects: list[int]) -> Lowering:
        """Lower the constraints: those of the objects that are held first, the call's own last."""
        lowering = Lowering(world, span=world.span)
        for one in reversed(objects):
            for block in self.active_blocks(one):
                lowering.bound[block.this] = constant(64, one)
                lowering.span = block.span
                self._add(world, lowering, block.items)
        if node.this is not None and handle:
            lowering.bound[node.this] = constant(64, handle)
        lowering.span = node.span
        self._add(world, lowering, node.constraints)
        return lowering

    @staticmethod
    def _add(world: RandomWorld, lowering: Lowering, items: tuple[Constraint, ...]) -> None:
        if not world.sizing:
            lowering.add(items)
            return
        for item in items:
            # What is about the elements is left for later.
            before = len(lowering.hard), len(lowering.soft), len(lowering.distributions)
            try:
                lowering.add((item,))
            except NotYetError:
                del lowering.hard[before[0] :], lowering.soft[before[1] :], lowering.distributions[before[2] :]

    def _choose_sizes(
        self,
        world: RandomWorld,
        node: Randomize,
        handle: int,
        objects: list[int],
        sized: list[RandomPlace],
        stream: RandomStream,
    ) -> bool:
        """Choose the sizes of containers that constraints speak of; the others keep theirs (18.4)."""
        world.sizing = True
        numbers = {world.make_sized(place): place for place in sized}
        for one in objects:
            if node.targets is None or one != handle:
                for member, _ in self.active_fields(one):
                    if member.type.kind not in WORDS:
                        world.make_random(one, member)
        for target in node.targets or ():
            bound = {node.this: constant(64, handle)} if node.this is not None and handle else {}
            place, whole = self._target(world, target, bound)
            if whole and place.element_type.kind not in WORDS and not place.container:
                world.make_random(place.owner, place.member)
        lowering = self._lower(world, node, handle, objects)
        known: dict[Term, frozenset[int]] = {}
        used = frozenset[int]().union(*(variables_of(term, known) for term in (*lowering.hard, *lowering.soft)))
        used |= frozenset[int]().union(*(variables_of(d.value, known) for d in lowering.distributions))
        for number in numbers:
            if number in used:
                self._bound_size(lowering, number)
        values = self._solve(world, lowering, stream) if used & set(numbers) else []
        # The scalars are chosen again, together with the elements.
        world.sizing = False
        world.variables, world.keys = [], {}
        kept = [place for place in world.places.values() if place.container]
        world.places = {(place.owner, place.member): place for place in kept}
        if values is None:
            return False
        for number, place in numbers.items():
            world.resize(place, values[number] if number in used else len(place.elements))
        return True

    @staticmethod
    def _bound_size(lowering: Lowering, number: int) -> None:
        size: Term = ("v", 32, number)
        lowering.hard.append(make("ule", 1, size, constant(32, LARGEST_SIZE)))
        domain = [(0, LARGEST_SIZE)]
        for term in lowering.hard:
            found = ranges_of(term)
            if found is not None and found[0] == number:
                domain = intersect(domain, found[2])
        if domain and domain[-1][1] == LARGEST_SIZE:
            # Nothing bounds the size from above; an array is then not made longer than is usual, if possible.
            lowering.soft.insert(0, make("ule", 1, size, constant(32, max(USUAL_SIZE, 2 * domain[0][0]))))

    def _solve(self, world: RandomWorld, lowering: Lowering, stream: RandomStream) -> list[int] | None:
        used: Used = {}
        for number, (owner, member, index) in world.keys.items():
            used[number] = self._used(owner, member, index)
        if not (lowering.hard or lowering.soft or lowering.distributions or lowering.orders or used):
            simple = all(variable.values is None for variable in world.variables)
            if simple:
                return [stream.bits(variable.width) for variable in world.variables]
        try:
            return self.plans.find(_problem(world, lowering)).choose(stream, used, world.evaluate)
        except WeftError as error:
            error.span = error.span if error.span != NOWHERE else world.span
            raise

    def _used(self, owner: object, member: Signal, index: int) -> MutableSet[int]:
        """Return the values that a `randc` property, or its element, has had in its present cycle."""
        offset = self.simulation.engine.code.classes.cycle_offset(member) if isinstance(owner, int) else None
        if offset is not None:
            return CycleSet(int(owner) + offset)  # pyright: ignore[reportArgumentType]
        return self.cycles.setdefault(owner, {}).setdefault((member, index), set())


def _problem(world: RandomWorld, lowering: Lowering) -> Problem:
    return Problem(
        tuple(world.variables),
        tuple(lowering.hard),
        tuple(lowering.soft),
        tuple(lowering.distributions),
        tuple(lowering.orders),
    )


def _value_of(term: Term, fixed: dict[int, int]) -> int:
    if term[0] == "c":
        return term[2]
    if term[0] == "v":
        return fixed[term[2]]
    return substitute(term, fixed, _no_calls, {})[2]


def _no_calls(number: int, arguments: tuple[int, ...]) -> int:
    raise AssertionError("a place holds no calls")
