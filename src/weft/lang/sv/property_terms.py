"""Sequences and properties as terms, and what is left of one after a clock tick (IEEE 1800-2023 16.7 to 16.12, F.5).

An attempt is a term: what has still to hold. A tick turns it into another term by derivatives: for sequences those of
regular expressions (Brzozowski, 1964) with fusion, intersection and first match as in the semantics of annex F; for
properties the progression of temporal formulas (Bacchus and Kabanza, 1998). Terms are tuples that compare by content;
their constructors here keep them in a normal form, so that a property has finitely many, each one a state.

A derivative asks for the values of Booleans one at a time: what it does not know yet raises `Ask`.

Sequences: `("none",)`, `("empty",)`, `("true",)`, `("lit", atom)`, `("cat", r, s)` (`##1`), `("fuse", r, s)`
(`##0`), `("alt", {r})`, `("meet", r, s)` (intersect), `("both", r, s)` (and), `("first", r)`, `("rep", r, low, high)`.
Properties: `T`, `V` (vacuously true), `F`, `("seq", r, strong)`, `("scan", r)` (each match counts), `("not", p)`,
`("and", {p})`, `("or", {p})`, `("after", r, p, overlapped)`, `("next", n, p, strong)`,
`("always", ticks, p, strong)`, `("event", ticks, p, strong)` (eventually), `("until", p, q, with, strong)`,
`("if", literal, p, q)`, `("abort", literal, accept, p)`.
"""

from __future__ import annotations

from typing import Any

Term = tuple[Any, ...]
Known = dict[int, bool]

NONE: Term = ("none",)
EMPTY: Term = ("empty",)
TRUE: Term = ("true",)
T: Term = ("T",)
V: Term = ("V",)
F: Term = ("F",)


class Ask(Exception):
    """Ask for the value of a Boolean that a derivative depends on."""

    def __init__(self, atom: int) -> None:
        self.atom = atom


# ------------------------------------------------------------------------------------------- sequences


def cat(left: Term, right: Term) -> Term:
    """Return `left ##1 right`."""
    if left == NONE or right == NONE:
        return NONE
    if left == EMPTY:
        return right
    if right == EMPTY:
        return left
    if left[0] == "cat":
        return ("cat", left[1], cat(left[2], right))
    return ("cat", left, right)


def fuse(left: Term, right: Term) -> Term:
    """Return `left ##0 right`: the last tick of the one is the first of the other."""
    if NONE in (left, right) or EMPTY in (left, right):
        return NONE
    return ("fuse", left, right)


def alternatives(*parts: Term) -> Term:
    """Return the sequence that matches where one of several does."""
    found: set[Term] = set()
    for part in parts:
        if part[0] == "alt":
            found |= part[1]
        elif part != NONE:
            found.add(part)
    if not found:
        return NONE
    return next(iter(found)) if len(found) == 1 else ("alt", frozenset(found))


def meet(left: Term, right: Term) -> Term:
    """Return `left intersect right`."""
    return NONE if NONE in (left, right) else ("meet", left, right)


def both(left: Term, right: Term) -> Term:
    """Return the sequence `left and right`, which ends with the later of the two."""
    if NONE in (left, right):
        return NONE
    if left == EMPTY:
        return right
    return left if right == EMPTY else ("both", left, right)


def repeat(part: Term, low: int, high: int | None) -> Term:
    """Return `part[*low:high]`; without `high`, any number from `low` up."""
    if high == 0:
        return EMPTY
    if part in (NONE, EMPTY):
        return EMPTY if low == 0 or part == EMPTY else NONE
    return part if (low, high) == (1, 1) else ("rep", part, low, high)


def delayed(left: Term, low: int, high: int | None, right: Term, tick: Term = TRUE) -> Term:
    """Return `left ##[low:high] right`; an empty match on either side takes one tick off the delay (16.9.2.1).

    `tick` is what matches each of the delay's ticks.
    """
    found = [fuse(left, right)] if low == 0 else []
    if high is None or high > 0:
        gap = repeat(tick, max(low - 1, 0), None if high is None else high - 1)
        found.append(cat(left, cat(gap, right)))
    return alternatives(*found)


def goto(literal: Term, opposite: Term, low: int, high: int | None) -> Term:
    """Return `b[->low:high]`."""
    return repeat(cat(repeat(opposite, 0, None), literal), low, high)


def nonconsecutive(literal: Term, opposite: Term, low: int, high: int | None) -> Term:
    """Return `b[=low:high]`."""
    return cat(goto(literal, opposite, low, high), repeat(opposite, 0, None))


def nullable(part: Term) -> bool:
    """Say whether a sequence has an empty match."""
    match part[0]:
        case "empty":
            return True
        case "cat" | "meet" | "both":
            return nullable(part[1]) and nullable(part[2])
        case "alt":
            return any(nullable(inner) for inner in part[1])
        case "first":
            return nullable(part[1])
        case "env" | "begin":
            return nullable(part[2])
        case "rep":
            return part[2] == 0 or nullable(part[1])
        case _:
            return False


def holds(literal: Term, known: Known) -> bool:
    """Return the value of a Boolean; raise `Ask` if it is not known yet."""
    if literal in (TRUE, NONE):
        return literal == TRUE
    if literal[1] not in known:
        raise Ask(literal[1])
    return known[literal[1]]


def derive(part: Term, known: Known) -> Term:
    """Return what is left of a sequence after a tick."""
    match part[0]:
        case "true":
            return EMPTY
        case "lit":
            return EMPTY if holds(part, known) else NONE
        case "cat":
            rest = cat(derive(part[1], known), part[2])
            return alternatives(rest, derive(part[2], known)) if nullable(part[1]) else rest
        case "fuse":
            left = derive(part[1], known)
            rest = fuse(left, part[2])
            return alternatives(rest, derive(part[2], known)) if nullable(left) else rest
        case "alt":
            return alternatives(*(derive(inner, known) for inner in part[1]))
        case "meet":
            left = derive(part[1], known)
            return NONE if left == NONE else meet(left, derive(part[2], known))
        case "both":
            left = derive(part[1], known)
            if left == NONE:
                return NONE
            right = derive(part[2], known)
            if right == NONE:
                return NONE
            return alternatives(both(left, right), right if nullable(left) else NONE, left if nullable(right) else NONE)
        case "first":
            left = NONE if nullable(part[1]) else derive(part[1], known)
            return EMPTY if nullable(left) else NONE if left == NONE else ("first", left)
        case "rep":
            _, inner, low, high = part
            least = 0 if nullable(inner) else max(low - 1, 0)
            return cat(derive(inner, known), repeat(inner, least, None if high is None else high - 1))
        case _:
            return NONE


# ------------------------------------------------------------------------------------------- properties


def negation(part: Term) -> Term:
    """Return `not p`."""
    if part in (T, V):
        return F
    if part == F:
        return T
    return part[1] if part[0] == "not" else ("not", part)


def conjunction(*parts: Term) -> Term:
    """Return `p and q ...`; a vacuous success is a success if all of it is one."""
    found: set[Term] = set()
    for part in parts:
        if part == F:
            return F
        if part[0] == "and":
            found |= part[1]
        else:
            found.add(part)
    if len(found) > 1:
        found.discard(V)
    return next(iter(found)) if len(found) == 1 else ("and", frozenset(found))


def disjunction(*parts: Term) -> Term:
    """Return `p or q ...`."""
    found: set[Term] = set()
    for part in parts:
        if part == T:
            return T
        if part[0] == "or":
            found |= part[1]
        elif part != F:
            found.add(part)
    if V in found:
        return V
    if not found:
        return F
    return next(iter(found)) if len(found) == 1 else ("or", frozenset(found))


def after(sequence: Term, part: Term, overlapped: bool) -> Term:
    """Return `sequence |-> part` or `sequence |=> part`."""
    pending: Term = V if sequence == NONE else ("after", sequence, part, overlapped)
    # The empty match of an antecedent has its consequent at once (16.12.7).
    return conjunction(part, pending) if nullable(sequence) and not overlapped else pending


def later(ticks: int, part: Term, strong: bool) -> Term:
    """Return `nexttime [ticks] part`."""
    return part if ticks == 0 else ("next", ticks, part, strong)


def _begins(part: Term, strong: bool) -> Term:
    """Return a property that begins with the next tick; if there is none, `strong` says that it has failed."""
    return part if at_end(part) != strong else ("next", 0, part, strong)


class Progression:
    """Advance properties by one tick; `vacuity` keeps a success apart from one of which something is vacuous."""

    def __init__(self, vacuity: bool) -> None:
        self.vacuity = vacuity

    def normal(self, part: Term) -> Term:
        """Return a term without what does not matter: successes inside an `and` that counts no vacuous ones."""
        if self.vacuity:
            return part
        if part == V:
            return T
        if part[0] == "and":
            rest = frozenset(inner for inner in part[1] if inner not in (T, V))
            return T if not rest else next(iter(rest)) if len(rest) == 1 else ("and", rest)
        return part

    def advance(self, part: Term, known: Known) -> Term:
        """Return what is left of a property after a tick."""
        return self.normal(self._advance(part, known))

    def _advance(self, part: Term, known: Known) -> Term:
        match part[0]:
            case "T" | "V" | "F":
                return part
            case "seq":
                left = derive(part[1], known)
                return T if nullable(left) else F if left == NONE else ("seq", left, part[2])
            case "scan":
                left = derive(part[1], known)
                return V if left == NONE else ("scan", left)
            case "not":
                return negation(self.advance(part[1], known))
            case "and":
                return conjunction(*(self.advance(inner, known) for inner in _ordered(part[1])))
            case "or":
                return disjunction(*(self.advance(inner, known) for inner in _ordered(part[1])))
            case "after":
                _, sequence, then, overlapped = part
                left = derive(sequence, known)
                rest: Term = V if left in (NONE, EMPTY) else ("after", left, then, overlapped)
                if not nullable(left):
                    return rest
                return conjunction(self.advance(then, known) if overlapped else _begins(then, False), rest)
            case "next":
                _, ticks, inner, strong = part
                if ticks == 0:
                    return self.advance(inner, known)
                return ("next", ticks - 1, inner, strong) if ticks > 1 else _begins(inner, strong)
            case "always" | "event":
                return self._advance_range(part, known)
            case "until":
                return self._advance_until(part, known)
            case "if":
                return self.advance(part[2] if holds(part[1], known) else part[3], known)
            case _:
                if holds(part[1], known):
                    return T if part[2] else F
                left = self.advance(part[3], known)
                return left if left in (T, V, F) else ("abort", part[1], part[2], left)

    def _advance_range(self, part: Term, known: Known) -> Term:
        kind, ticks, inner, strong = part
        join = conjunction if kind == "always" else disjunction
        now = self.advance(inner, known)
        if ticks == 0:
            return now
        return join(now, (kind, None if ticks is None else ticks - 1, inner, strong))

    def _advance_until(self, part: Term, known: Known) -> Term:
        _, hold, stop, overlapped, _ = part
        stopped = self.advance(stop, known)
        if stopped in (T, V) and not overlapped:
            return stopped
        held = self.advance(hold, known)
        if overlapped:
            return conjunction(held, disjunction(stopped, part))
        return disjunction(stopped, conjunction(held, part))


def _ordered(parts: frozenset[Term]) -> list[Term]:
    """Return the parts in an order that is the same in every run."""
    return sorted(parts, key=repr)


def at_end(part: Term) -> bool:
    """Say whether an attempt that the end of the simulation cuts off has not failed: it has if it is strong."""
    match part[0]:
        case "T" | "V" | "scan" | "after" | "rec":
            return True
        case "penv" | "pclk" | "pbegin":
            return at_end(part[2])
        case "F":
            return False
        case "seq":
            return not part[2]
        case "not":
            return not at_end(part[1])
        case "and":
            return all(at_end(inner) for inner in part[1])
        case "or":
            return any(at_end(inner) for inner in part[1])
        case "next" | "always" | "event":
            return not part[3]
        case "until":
            return not part[4]
        case "if":
            return at_end(part[2]) or at_end(part[3])
        case _:
            return at_end(part[3])
