"""Attempts of an assertion as threads, each with a record of its own (IEEE 1800-2023 16.10, 16.13).

The process of the assertion runs in the observed region of each tick: it looks at the Booleans that read no local
variables, tells the threads by an event, and starts an attempt. What is not decided at its first tick becomes a thread:
it waits for the event, which it sees in the reactive region of the same time step, and moves along its state's tree.
Sampled values are the same in both regions. The variable `epoch` counts how often all attempts were forgotten; a thread
of an earlier epoch ends at the next tick. `open` counts those that would fail if the simulation ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Case,
    CaseItem,
    Const,
    Event,
    Expr,
    If,
    Jump,
    Kind,
    Loop,
    Process,
    Ref,
    Signal,
    Statement,
    Trigger,
    Type,
    Wait,
)
from weft.ir.expressions import Unary
from weft.lang.sv.attempt_data import substitute, substitute_call
from weft.lang.sv.property_automata import Automaton, Branch, Leaf, Tree
from weft.lang.sv.sampling import EVENT_TYPE

if TYPE_CHECKING:
    from weft.base.source import Span
    from weft.lang.sv.convert_properties import PropertyConverter
    from weft.lang.sv.state import State

_COUNT = Type("bit", 32, four_state=False)
_PASSED, _FAILED = 1, 2
_OVER = 0xFFFF_FFFF
"""The state of an attempt that is decided."""


class AttemptThreads:
    """Make the statements that follow the attempts of one assertion."""

    def __init__(self, state: State, converter: PropertyConverter, automaton: Automaton, stem: str, span: Span) -> None:
        self.context, self.state = state.context, state
        self.converter, self.automaton, self.stem, self.span = converter, automaton, stem, span
        self.epoch, self.open = self._signal("epoch"), self._signal("open")
        self.tick = Signal(f"{stem}$tick", 64, EVENT_TYPE, span=span)
        self.context.add_signals(self.tick)
        self.atoms = [self._signal(f"atom{n}", Type("logic", 1)) for n in range(len(converter.atoms))]
        self._slots: dict[tuple[Any, ...], Signal] = {}
        self._locals = {name: self._local(name, _COUNT) for name in ("state", "verdict", "age")}
        self._done: tuple[list[Statement], list[Statement]] = ([], [])
        self._cover = False

    def _signal(self, name: str, kind: Type = _COUNT) -> Signal:
        made = Signal(f"{self.stem}${name}", kind.width, kind, span=self.span)
        self.context.add_signals(made)
        self.state.unsampled.add(made)
        return made

    def _local(self, name: str, kind: Type, signed: bool = False) -> Signal:
        return Signal(
            f"{self.stem}${name}", kind.width, kind, signed=signed, span=self.span, automatic=True, local=True
        )

    # --------------------------------------------------------------------------------------- the process

    def events(self) -> tuple[Event, ...]:
        """Return what wakes the process: a tick of any clock."""
        return tuple(event for clock in self.converter.clocks for event in clock)

    def before(self) -> list[Statement]:
        """Return what the process does first: it looks at the Booleans. Clocks note by themselves that they fired."""
        for fired, clock in zip(self.converter.fired, self.converter.clocks, strict=False):
            note = Assign(Ref(fired), Const(1, 1), True, self.span)
            self.context.add_process(Process(Kind.EVENTS, note, clock, "clock", self.span))
        pairs = enumerate(zip(self.atoms, self.converter.atoms, strict=True))
        reads = self.converter.locals.data.reads
        return [Assign(Ref(made), atom, True, self.span) for number, (made, atom) in pairs if number not in reads]

    def look(self) -> list[Statement]:
        """Return what tells the threads of a tick."""
        return [Trigger(Ref(self.tick), span=self.span)]

    def leads(self) -> Expr:
        """Return whether the clock that starts attempts has fired."""
        fired = self.converter.fired
        return Ref(fired[self.converter.leading]) if fired else Const(1, 1)

    def after(self) -> list[Statement]:
        """Return what the process does last."""
        return [Assign(Ref(fired), Const(1, 0), True, self.span) for fired in self.converter.fired]

    def forget(self) -> tuple[Statement, ...]:
        """Return what forgets all attempts."""
        later = Binary("add", Ref(self.epoch), Const(32, 1), 32)
        return (Assign(Ref(self.epoch), later, True, self.span), Assign(Ref(self.open), Const(32, 0), True, self.span))

    # --------------------------------------------------------------------------------------- a thread

    def begin(self, passed: list[Statement], failed: list[Statement], cover: bool) -> Statement:
        """Return what starts an attempt: it makes its first move, and a thread if there is more to do.

        `passed` and `failed` are what a thread does at these verdicts; those of a `cover` are not vacuous.
        """
        state, verdict, age = (self._locals[name] for name in ("state", "verdict", "age"))
        self._done, self._cover = (passed, failed), cover
        first = self._tree(self.automaton.start, None)
        moves = tuple(
            CaseItem((Const(32, number),), self._tree(move, number)) for number, move in enumerate(self.automaton.moves)
        )
        leave = f"{self.stem}$leave"
        over = Jump("disable", leave, span=self.span)
        again = Loop(
            None,
            Block(
                (
                    *self._act(),
                    If(_equal(state, _OVER), over, span=self.span),
                    Wait((Event("any", Ref(self.tick), span=self.span),), Block(()), self.span),
                    If(Binary("ne", Ref(age), Ref(self.epoch), 1), over, span=self.span),
                    Assign(Ref(verdict), Const(32, 0), True, self.span),
                    Case("case", Ref(state), moves, None, span=self.span),
                )
            ),
            span=self.span,
        )
        thread = Block((Block((again,), leave),), fork="join_none")
        undecided = Unary("lnot", _equal(state, _OVER), 1)
        more = Binary("or", undecided, Binary("ne", Ref(verdict), Const(32, 0), 1), 1)
        body = (
            Assign(Ref(age), Ref(self.epoch), True, self.span),
            Assign(Ref(state), Const(32, _OVER), True, self.span),
            Assign(Ref(verdict), Const(32, 0), True, self.span),
            first,
            If(more, thread, span=self.span),
        )
        return Block(body, locals=(*self._locals.values(), *self._slots.values()))

    def _act(self) -> list[Statement]:
        verdict = self._locals["verdict"]
        pairs = zip((_PASSED, _FAILED), self._done, strict=True)
        return [If(_equal(verdict, code), Block(tuple(done)), span=self.span) for code, done in pairs if done]

    def _tree(self, tree: Tree, source: int | None) -> Statement:
        """Return what moves an attempt along the tree of state `source`, or of its start."""
        if isinstance(tree, Branch):
            then, other = self._tree(tree.then, source), self._tree(tree.other, source)
            return If(self._atom(tree.atom), then, other, span=self.span)
        verdict, state = self._locals["verdict"], self._locals["state"]
        result = [self._call(number, env, source is None) for number, env in tree.calls]
        code = self._code(tree)
        if code:
            result.append(Assign(Ref(verdict), Const(32, code), True, self.span))
        result += self._move(tree)
        if tree.target != source:
            result.append(Assign(Ref(state), Const(32, tree.target & _OVER), True, self.span))
        result += self._count_open(source, tree.target)
        return Block(tuple(result))

    def _code(self, leaf: Leaf) -> int:
        if leaf.verdict == "fail":
            return _FAILED if self._done[1] else 0
        passes = leaf.verdict == "pass" or (leaf.verdict == "vacuous" and not self._cover)
        return _PASSED if passes and self._done[0] else 0

    def _count_open(self, source: int | None, target: int) -> list[Statement]:
        unfinished = self.automaton.unfinished
        before = source is not None and unfinished[source]
        after = target >= 0 and unfinished[target]
        if before == after:
            return []
        changed = Binary("add" if after else "sub", Ref(self.open), Const(32, 1), 32)
        return [Assign(Ref(self.open), changed, True, self.span)]

    def _call(self, number: int, env: tuple[Any, ...], starts: bool) -> Statement:
        statement = self.converter.locals.values[number]
        assert isinstance(statement, Statement)
        reads = self.converter.locals.data.items[number].reads
        call = substitute_call(statement, self._values(reads, env))
        return Block((call,), fork="join_none") if starts else call

    # --------------------------------------------------------------------------------------- values

    def _atom(self, atom: Any) -> Expr:
        if isinstance(atom, int):
            return Ref(self.atoms[atom])
        _, number, env = atom
        reads = self.converter.locals.data.reads[number]
        return substitute(self.converter.atoms[number], self._values(reads, env))

    def _values(self, reads: frozenset[int], env: tuple[Any, ...]) -> dict[Signal, Expr]:
        """Return what local variables are in an environment; those that have no value yet have their default."""
        known = dict(env)
        signals = list(self.converter.locals.signals)
        defaults = self.converter.locals.defaults
        return {signals[one]: self._value(known[one]) if one in known else defaults[one] for one in reads}

    def _value(self, token: tuple[Any, ...]) -> Expr:
        if token[0] == "slot":
            return Ref(self._slot(token))
        _, number, env = token
        value = self.converter.locals.values[number]
        assert value is not None
        return substitute(value, self._values(self.converter.locals.data.items[number].reads, env))  # pyright: ignore[reportArgumentType]

    def _slot(self, token: tuple[Any, ...], copy: str = "") -> Signal:
        found = self._slots.get((*token, copy))
        if found is None:
            variable = list(self.converter.locals.signals)[token[1]]
            name = f"{variable.name}{token[2]}{copy}"
            made = self._local(name, variable.type, variable.signed)
            found = self._slots[(*token, copy)] = made
        return found

    def _move(self, leaf: Leaf) -> list[Statement]:
        """Return what gives an attempt its next record; all of it is read before any is written."""
        moves = [(new, old) for new, old in leaf.moves if new != old]
        if len(moves) == 1:
            return [Assign(Ref(self._slot(moves[0][0])), self._value(moves[0][1]), True, self.span)]
        kept = [Assign(Ref(self._slot(new, "$new")), self._value(old), True, self.span) for new, old in moves]
        return [
            *kept,
            *(Assign(Ref(self._slot(new)), Ref(self._slot(new, "$new")), True, self.span) for new, _ in moves),
        ]


def _equal(signal: Signal, value: int) -> Expr:
    return Binary("eq", Ref(signal), Const(32, value), 1)
