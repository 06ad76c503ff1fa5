"""Properties whose attempts have data: local variables, several clocks, recursion (IEEE 1800-2023 16.10 to 16.13).

`property_terms` says what is left of a property as long as all that an attempt remembers is which term it is. With
local variables it remembers values too. A sequence then has a set of *threads*, each with variables of its own, so
derivatives become partial ones (Antimirov, 1996): a set of pairs of a residual and an environment. An environment gives
each variable a *token*: `("slot", variable, n)`, what the attempt has in its record, or `("value", item, environment)`,
what a match item assigns at this tick. After a tick the tokens are numbered anew; that the next record is made from
this one and from sampled values is what a leaf says (`moves`). Terms keep only variables that they can still read, so
most properties have few states; one that would have to remember ever more values has too many, and is refused.

With several clocks a tick is one of any of them, and a Boolean asks which: a part of another clock stays as it is.

More terms: `("clk", fired, r)`, `("do", r, items)` (match items), `("begin", items, r)` (declarations),
`("env", e, r)`; for properties `("penv", e, p)`, `("pclk", fired, p)`, `("pbegin", items, p)`, `("rec", n)`. A literal
may read local variables; then the Boolean that it asks for is `("local", atom, environment)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from weft.base.dataclass import dataclass, field
from weft.lang.sv.property_automata import MOST_BRANCHES, MOST_STATES, Automaton, Branch, Leaf, TooLarge, Tree
from weft.lang.sv.property_terms import (
    EMPTY,
    NONE,
    TRUE,
    Ask,
    F,
    T,
    Term,
    V,
    alternatives,
    at_end,
    both,
    cat,
    conjunction,
    disjunction,
    fuse,
    meet,
    negation,
    nullable,
    repeat,
)

MOST_VALUES = 8
"""How many values of one variable an attempt may remember at once before an assertion is refused."""

Token = tuple[Any, ...]
Environment = tuple[tuple[int, Token], ...]
Known = dict[Any, bool]
Thread = tuple[Term, Environment]


@dataclass(slots=True, eq=False)
class Item:
    """Be a match item: it gives `target` a value, or none (a declaration without one); -1 calls a subroutine."""

    target: int
    reads: frozenset[int]
    assigns: bool = True


@dataclass(slots=True, eq=False)
class Data:
    """Say what terms refer to: which variables each atom reads, match items, recursive properties."""

    reads: dict[int, frozenset[int]] = field(default_factory=dict[int, "frozenset[int]"])
    items: list[Item] = field(default_factory=list[Item])
    bodies: list[Term] = field(default_factory=list[Term])
    variables: int = 0
    _free: dict[Term, frozenset[int]] = field(default_factory=dict["Term", "frozenset[int]"])

    def free(self, part: Any) -> frozenset[int]:
        """Return the variables that a term may read from its environment."""
        if not isinstance(part, tuple | frozenset) or not part:
            return frozenset()
        if isinstance(part, frozenset):
            return frozenset[int]().union(*map(self.free, part))
        found = self._free.get(part)
        if found is None:
            found = self._free[part] = self._find_free(part)
        return found

    def _find_free(self, part: Term) -> frozenset[int]:
        match part[0]:
            case "lit":
                return self.reads.get(part[1], frozenset())
            case "env" | "penv":
                return frozenset()
            case "rec":
                return frozenset(range(self.variables))
            case "do":
                return self.free(part[1]).union(*(self.items[item].reads for item in part[2]))
            case "begin" | "pbegin":
                return self.free(part[2]).union(*(self.items[item].reads for item in part[1]))
            case _:
                return frozenset[int]().union(*map(self.free, part[1:]))

    def assigned(self, part: Any) -> frozenset[int]:
        """Return the variables that match items in a term assign."""
        if isinstance(part, frozenset):
            return frozenset[int]().union(*map(self.assigned, part))
        if not isinstance(part, tuple) or not part:
            return frozenset()
        if part[0] in ("do", "begin"):
            inner, items = (part[1], part[2]) if part[0] == "do" else (part[2], part[1])
            return self.assigned(inner).union(self.items[item].target for item in items) - {-1}
        return frozenset[int]().union(*map(self.assigned, part[1:]))


def restrict(environment: Environment, variables: frozenset[int]) -> Environment:
    """Return what an environment says of some variables."""
    return tuple(pair for pair in environment if pair[0] in variables)


class Threads:
    """Advance properties with data by one tick; `called` collects the subroutines that match items call at it."""

    def __init__(self, data: Data, vacuity: bool) -> None:
        self.data, self.vacuity = data, vacuity
        self.called: dict[tuple[int, Environment], None] = {}

    # --------------------------------------------------------------------------------------- sequences

    def holds(self, literal: Term, env: Environment, known: Known) -> bool:
        """Return the value of a Boolean; raise `Ask` if it is not known yet."""
        if literal in (TRUE, NONE):
            return literal == TRUE
        reads = self.data.reads.get(literal[1])
        key: Any = ("local", literal[1], restrict(env, reads)) if reads else literal[1]
        if key not in known:
            raise Ask(key)
        return known[key]

    def apply(self, items: Iterable[int], env: Environment) -> Environment:
        """Return an environment after match items; calls are noted."""
        for number in items:
            item = self.data.items[number]
            seen = restrict(env, item.reads)
            if item.target < 0:
                self.called[number, seen] = None
                continue
            env = tuple(pair for pair in env if pair[0] != item.target)
            if item.assigns:
                env = tuple(sorted((*env, (item.target, ("value", number, seen)))))
        return env

    def derive(self, part: Term, env: Environment, known: Known) -> list[Thread]:
        """Return what is left of a sequence after a tick, for each of its threads."""
        return list(dict.fromkeys(self._derive(part, env, known)))

    def _derive(self, part: Term, env: Environment, known: Known) -> list[Thread]:
        match part[0]:
            case "true":
                return [(EMPTY, env)]
            case "lit":
                return [(EMPTY, env)] if self.holds(part, env, known) else []
            case "env":
                return self.derive(part[2], part[1], known)
            case "clk":
                if not self.holds(part[1], env, known):
                    return [(part, env)]
                return self.derive(part[2], env, known)
            case "begin":
                return self.derive(part[2], self.apply(part[1], env), known)
            case "alt":
                return [found for inner in ordered(part[1]) for found in self.derive(inner, env, known)]
            case "cat":
                rest = [(cat(left, part[2]), after) for left, after in self.derive(part[1], env, known)]
                return rest + (self.derive(part[2], env, known) if nullable(part[1]) else [])
            case "fuse":
                return self._fuse(part, env, known)
            case "meet" | "both":
                return self._pairs(part, env, known)
            case "first":
                return self._first(part[1], env, known)
            case "rep":
                _, inner, low, high = part
                least = 0 if nullable(inner) else max(low - 1, 0)
                rest = repeat(inner, least, None if high is None else high - 1)
                return [(cat(left, rest), after) for left, after in self.derive(inner, env, known)]
            case "do":
                return self._do(part, env, known)
            case _:
                return []

    def _fuse(self, part: Term, env: Environment, known: Known) -> list[Thread]:
        result: list[Thread] = []
        for left, after in self.derive(part[1], env, known):
            rest = fuse(left, part[2])
            if rest != NONE:
                result.append((rest, after))
            if nullable(left):
                result += self.derive(part[2], after, known)
        return result

    def _pairs(self, part: Term, env: Environment, known: Known) -> list[Thread]:
        """Advance both sides of `intersect` or `and`; a variable flows out of the side that assigns it."""
        result: list[Thread] = []
        lefts = self.derive(part[1], env, known)
        for left, one in lefts:
            for right, two in self.derive(part[2], env, known):
                merged = _merge(env, one, two)
                if part[0] == "meet":
                    result.append((meet(left, right), merged))
                    continue
                result.append((both(left, right), merged))
                result += [(right, merged)] if nullable(left) else []
                result += [(left, merged)] if nullable(right) else []
        return result

    def _first(self, inner: Term, env: Environment, known: Known) -> list[Thread]:
        threads = [] if nullable(inner) else self.derive(inner, env, known)
        matched = [(EMPTY, after) for left, after in threads if nullable(left)]
        if matched or not threads:
            return matched
        if all(after == env for _, after in threads):
            return [(("first", alternatives(*(left for left, _ in threads))), env)]
        return [(("first", alternatives(*(("env", after, left) for left, after in threads))), env)]

    def _do(self, part: Term, env: Environment, known: Known) -> list[Thread]:
        result: list[Thread] = []
        for left, after in self.derive(part[1], env, known):
            if nullable(left):
                result.append((EMPTY, self.apply(part[2], after)))
            if left != EMPTY:
                result.append((("do", left, part[2]), after))
        return result

    # --------------------------------------------------------------------------------------- properties

    def close(self, threads: Iterable[Thread], more: frozenset[int]) -> Term:
        """Return threads as one sequence, each with the variables that it, or what follows it, can read."""
        made: list[Term] = []
        for left, env in threads:
            kept = restrict(env, self.data.free(left) | more)
            made.append(("env", kept, left) if kept else left)
        return alternatives(*made)

    def keep(self, part: Term, env: Environment) -> Term:
        """Return a property with the variables that it can read."""
        kept = restrict(env, self.data.free(part))
        return ("penv", kept, part) if kept else part

    def matched(self, part: Term, known: Known) -> bool:
        """Say whether a sequence whose every match counts has one at this tick."""
        return part[0] == "scan" and any(nullable(left) for left, _ in self.derive(part[1], (), known))

    def advance(self, part: Term, env: Environment, known: Known) -> Term:
        """Return what is left of a property after a tick."""
        found = self._advance(part, env, known)
        if self.vacuity:
            return found
        if found == V:
            return T
        if found[0] == "and":
            return conjunction(*(inner for inner in found[1] if inner not in (T, V))) if found[1] - {T, V} else T
        return found

    def _advance(self, part: Term, env: Environment, known: Known) -> Term:
        match part[0]:
            case "T" | "V" | "F":
                return part
            case "penv":
                return self.advance(part[2], part[1], known)
            case "pbegin":
                return self.advance(part[2], self.apply(part[1], env), known)
            case "rec":
                return self.advance(self.data.bodies[part[1]], env, known)
            case "pclk":
                if not self.holds(part[1], env, known):
                    return self.keep(part, env)
                return self._counted(part[2], env, known, part[1])
            case "seq" | "scan":
                threads = self.derive(part[1], env, known)
                if part[0] == "seq" and any(nullable(left) for left, _ in threads):
                    return T
                if not threads:
                    return F if part[0] == "seq" else V
                return (part[0], self.close(threads, frozenset()), *part[2:])
            case "not":
                return negation(self.advance(part[1], env, known))
            case "and":
                return conjunction(*(self.advance(inner, env, known) for inner in ordered(part[1])))
            case "or":
                return disjunction(*(self.advance(inner, env, known) for inner in ordered(part[1])))
            case "after":
                return self._after(part, env, known)
            case "if":
                return self.advance(part[2] if self.holds(part[1], env, known) else part[3], env, known)
            case "abort":
                if self.holds(part[1], env, known):
                    return T if part[2] else F
                left = self.advance(part[3], env, known)
                return left if left in (T, V, F) else self.keep(("abort", part[1], part[2], left), env)
            case _:
                return self._counted(part, env, known, None)

    def _after(self, part: Term, env: Environment, known: Known) -> Term:
        _, sequence, then, overlapped = part
        threads = self.derive(sequence, env, known)
        more = self.data.free(then)
        left = self.close([thread for thread in threads if thread[0] != EMPTY], more)
        result: list[Term] = [V if left == NONE else ("after", left, then, overlapped)]
        for residual, after in threads:
            if nullable(residual):
                if overlapped:
                    result.append(self.advance(then, after, known))
                else:
                    result.append(_begins(self.keep(then, after), False))
        return conjunction(*result)

    def _counted(self, part: Term, env: Environment, known: Known, fired: Term | None) -> Term:
        """Advance what counts ticks: those of the clock `fired` if it is given."""

        def again(left: Term) -> Term:
            return self.keep(("pclk", fired, left) if fired is not None else left, env)

        match part[0]:
            case "next":
                _, ticks, inner, strong = part
                if ticks == 0:
                    return self.advance(inner, env, known)
                if ticks > 1:
                    return again(("next", ticks - 1, inner, strong))
                return _begins(self.keep(inner, env), strong)
            case "always" | "event":
                kind, ticks, inner, strong = part
                join = conjunction if kind == "always" else disjunction
                now = self.advance(inner, env, known)
                if ticks == 0:
                    return now
                return join(now, again((kind, None if ticks is None else ticks - 1, inner, strong)))
            case "until":
                _, hold, stop, overlapped, _ = part
                stopped = self.advance(stop, env, known)
                if stopped in (T, V) and not overlapped:
                    return stopped
                held = self.advance(hold, env, known)
                if overlapped:
                    return conjunction(held, disjunction(stopped, again(part)))
                return disjunction(stopped, conjunction(held, again(part)))
            case _:
                return self.advance(part, env, known)


def _begins(part: Term, strong: bool) -> Term:
    return part if at_end(part) != strong else ("next", 0, part, strong)


def _merge(before: Environment, left: Environment, right: Environment) -> Environment:
    """Return the variables after two sides of which at most one has assigned each of them."""
    olds, ones, twos = dict(before), dict(left), dict(right)
    merged = {**olds, **ones, **{variable: token for variable, token in twos.items() if olds.get(variable) != token}}
    for variable in olds:
        if variable not in ones or variable not in twos:
            merged.pop(variable, None)
    return tuple(sorted(merged.items()))


def ordered(parts: frozenset[Term]) -> list[Term]:
    """Return the parts of a set in an order that is the same in every run."""
    return sorted(parts, key=_text)


@lru_cache(maxsize=1 << 14)
def _text(part: Any) -> str:
    if isinstance(part, frozenset):
        return "{" + ",".join(sorted(map(_text, part))) + "}"
    if isinstance(part, tuple):
        return "(" + ",".join(map(_text, part)) + ")"
    return repr(part)


# ------------------------------------------------------------------------------------------- the automaton


def build_data_automaton(part: Term, data: Data, vacuity: bool) -> Automaton:
    """Return the automaton of a property with data; raise `TooLarge` if it has more than `MOST_STATES` states."""
    builder = _Builder(data, vacuity)
    builder.result.start = builder.explore(part, {})
    while len(builder.result.moves) < len(builder.terms):
        builder.result.moves.append(builder.explore(builder.terms[len(builder.result.moves)], {}))
    builder.result.unfinished = [not at_end(found) for found in builder.terms]
    return builder.result


class _Builder:
    def __init__(self, data: Data, vacuity: bool) -> None:
        self.data, self.vacuity = data, vacuity
        self.result = Automaton()
        self.terms: list[Term] = []
        self._numbers: dict[Term, int] = {}
        self._branches = 0

    def explore(self, part: Term, known: Known) -> Tree:
        threads = Threads(self.data, self.vacuity)
        try:
            left = threads.advance(part, (), known)
            matched = threads.matched(part, known)
        except Ask as question:
            self._branches += 1
            if self._branches > MOST_BRANCHES:
                raise TooLarge from None
            atom: Any = question.atom
        else:
            return self._leaf(left, matched, tuple(threads.called))
        then = self.explore(part, {**known, atom: True})
        other = self.explore(part, {**known, atom: False})
        return then if then == other else Branch(atom, then, other)

    def _leaf(self, left: Term, matched: bool, calls: tuple[tuple[int, Environment], ...]) -> Leaf:
        if left in (T, V, F):
            verdict = "fail" if left == F else "pass" if left == T or matched else "vacuous"
            return Leaf(verdict, -1, (), calls)
        moves: dict[Token, Token] = {}
        left = _number_tokens(left, moves)
        number = self._numbers.get(left)
        if number is None:
            number = self._numbers[left] = len(self.terms)
            self.terms.append(left)
            if number >= MOST_STATES:
                raise TooLarge
        return Leaf("pass" if matched else "", number, tuple((new, old) for old, new in moves.items()), calls)


def _number_tokens(part: Any, moves: dict[Token, Token]) -> Any:
    """Return a term with new slots for its tokens; `moves` gets the slot of each token."""
    if isinstance(part, frozenset):
        return frozenset(_number_tokens(inner, moves) for inner in sorted(part, key=_shape))
    if not isinstance(part, tuple) or not part:
        return part
    if part[0] in ("env", "penv"):
        renamed = tuple((variable, _slot(variable, token, moves)) for variable, token in part[1])
        return (part[0], renamed, _number_tokens(part[2], moves))
    return tuple(_number_tokens(inner, moves) for inner in part)


def _slot(variable: int, token: Token, moves: dict[Token, Token]) -> Token:
    if token not in moves:
        taken = sum(1 for slot in moves.values() if slot[1] == variable)
        if taken == MOST_VALUES:
            raise TooLarge
        moves[token] = ("slot", variable, taken)
    return moves[token]


def _shape(part: Any) -> tuple[str, str]:
    """Return a key that sorts the parts of a set by what they are before which tokens they have."""
    return _text(_without_tokens(part)), _text(part)


def _without_tokens(part: Any) -> Any:
    if isinstance(part, frozenset):
        return frozenset(map(_without_tokens, part))
    if not isinstance(part, tuple) or not part:
        return part
    if part[0] in ("env", "penv"):
        return (part[0], tuple(variable for variable, _ in part[1]), _without_tokens(part[2]))
    return tuple(map(_without_tokens, part))
