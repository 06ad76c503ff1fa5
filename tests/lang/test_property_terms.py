"""Derivatives agree with the definition of what a sequence matches (IEEE 1800-2023 F.5), and properties with theirs."""

from __future__ import annotations

import random
from functools import cache

from weft.lang.sv import property_terms as terms
from weft.lang.sv.property_terms import EMPTY, NONE, TRUE, F, Progression, T, Term, V

Word = tuple[tuple[bool, bool], ...]


@cache
def matches(part: Term, word: Word) -> bool:
    """Say whether a sequence matches exactly a word, straight from the definition."""
    length = len(word)
    cuts = range(length + 1)
    match part[0]:
        case "empty":
            return length == 0
        case "true":
            return length == 1
        case "lit":
            return length == 1 and word[0][part[1]]
        case "cat":
            return any(matches(part[1], word[:i]) and matches(part[2], word[i:]) for i in cuts)
        case "fuse":
            return any(matches(part[1], word[: i + 1]) and matches(part[2], word[i:]) for i in range(length))
        case "alt":
            return any(matches(inner, word) for inner in part[1])
        case "meet":
            return matches(part[1], word) and matches(part[2], word)
        case "both":
            one, other = part[1], part[2]
            return any(
                (matches(one, word) and matches(other, word[:i])) or (matches(other, word) and matches(one, word[:i]))
                for i in cuts
            )
        case "first":
            return matches(part[1], word) and not any(matches(part[1], word[:i]) for i in range(length))
        case "rep":
            _, inner, low, high = part
            if low == 0 and length == 0:
                return True
            if high == 0:
                return False
            rest = ("rep", inner, max(low - 1, 0), None if high is None else high - 1)
            # A round that takes no tick changes nothing once the least number is reached.
            empty = matches(inner, ()) and low > 0 and matches(rest, word)
            return empty or any(matches(inner, word[:i]) and matches(rest, word[i:]) for i in range(1, length + 1))
        case _:
            return False


def draw(rng: random.Random, depth: int) -> Term:
    """Return a random sequence."""
    if depth == 0:
        return rng.choice([("lit", 0), ("lit", 1), TRUE])
    one, other = draw(rng, depth - 1), draw(rng, rng.randrange(depth))
    low = rng.randrange(3)
    high = rng.choice([None, low, low + 1, low + 2])
    made = rng.choice(["cat", "fuse", "alt", "meet", "both", "first", "rep", "delay", "goto"])
    match made:
        case "cat":
            return terms.cat(one, other)
        case "fuse":
            return terms.fuse(one, other)
        case "alt":
            return terms.alternatives(one, other)
        case "meet":
            return terms.meet(one, other)
        case "both":
            return terms.both(one, other)
        case "first":
            return one if one in (NONE, EMPTY) else ("first", one)
        case "rep":
            return terms.repeat(one, low, high)
        case "delay":
            return terms.delayed(one, low, high, other)
        case _:
            return terms.goto(("lit", 0), ("lit", 1), max(low, 1), None if high is None else max(high, low, 1))


def test_derivatives_match_what_the_definition_does() -> None:
    rng = random.Random(16)
    seen = 0
    for _ in range(500):
        part = draw(rng, rng.randrange(1, 4))
        word = tuple((rng.random() < 0.6, rng.random() < 0.6) for _ in range(5))
        left = part
        for length in range(len(word) + 1):
            expected = matches(part, word[:length])
            assert terms.nullable(left) == expected, (part, word[:length])
            seen += expected
            if length < len(word):
                left = terms.derive(left, dict(enumerate(word[length])))
    assert seen > 300


def verdict(part: Term, word: Word) -> bool:
    """Say whether a property has not failed when a word ends, by the rules of 16.12 for words that end."""
    if not word:
        return terms.at_end(part)
    match part[0]:
        case "T":
            return True
        case "F":
            return False
        case "seq":
            return any(matches(part[1], word[:i]) for i in range(1, len(word) + 1))
        case "not":
            return not verdict(part[1], word)
        case "and":
            return all(verdict(inner, word) for inner in part[1])
        case "or":
            return any(verdict(inner, word) for inner in part[1])
        case "after":
            _, sequence, then, overlapped = part
            first, last = (1, len(word) + 1) if overlapped else (0, len(word))
            ends = [i for i in range(first, last) if matches(sequence, word[:i])]
            return all(verdict(then, word[i - 1 :] if overlapped else word[i:]) for i in ends)
        case "next":
            return verdict(part[2], word[part[1] :]) if part[1] < len(word) else not part[3]
        case "until":
            _, hold, stop, overlapped, strong = part
            for i in range(len(word)):
                stopped, held = verdict(stop, word[i:]), verdict(hold, word[i:])
                if stopped and (held or not overlapped):
                    return True
                if not held:
                    return False
            return not strong
        case _:
            kind, ticks, inner, strong = part
            last = len(word) if ticks is None else ticks + 1
            found = [verdict(inner, word[i:]) for i in range(min(last, len(word)))]
            short = ticks is None or ticks >= len(word)
            if kind == "always":
                return all(found) and not (short and strong)
            return any(found) or (short and not strong)


def draw_property(rng: random.Random, depth: int) -> Term:
    """Return a random property whose sequences are strong, so that a word decides each of them."""
    if depth == 0:
        part = draw(rng, 1)
        return F if part in (NONE, EMPTY) else ("seq", part, True)
    one, other = draw_property(rng, depth - 1), draw_property(rng, rng.randrange(depth))
    strong = rng.random() < 0.5
    ticks = rng.choice([None, 0, 1, 2])
    match rng.choice(["not", "and", "or", "after", "next", "range", "until"]):
        case "not":
            return terms.negation(one)
        case "and":
            return terms.conjunction(one, other)
        case "or":
            return terms.disjunction(one, other)
        case "after":
            return terms.after(draw(rng, 1), one, rng.random() < 0.5)
        case "next":
            return terms.later(rng.randrange(3), one, strong)
        case "range":
            return (rng.choice(["always", "event"]), ticks, one, strong)
        case _:
            return ("until", one, other, rng.random() < 0.5, strong)


def test_progression_agrees_with_the_meaning_of_properties() -> None:
    rng = random.Random(12)
    outcomes = {True: 0, False: 0}
    for _ in range(1500):
        part = draw_property(rng, rng.randrange(1, 4))
        word = tuple((rng.random() < 0.7, rng.random() < 0.7) for _ in range(4))
        expected = verdict(part, word)
        outcomes[expected] += 1
        for vacuity in (False, True):
            left, progression = part, Progression(vacuity)
            for letter in word:
                left = progression.advance(left, dict(enumerate(letter)))
            assert terms.at_end(left) == expected, (part, word)
    assert min(outcomes.values()) > 300


def test_a_vacuous_success_is_told_from_another() -> None:
    part = terms.after(("lit", 0), ("seq", ("lit", 1), False), True)
    assert Progression(True).advance(part, {0: False, 1: True}) == V
    assert Progression(True).advance(part, {0: True, 1: True}) == T
    assert Progression(False).advance(part, {0: False, 1: True}) == T
