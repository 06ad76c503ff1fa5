"""What values a single variable may have, as a list of ranges, and how constraints on it alone narrow that.

Most constraints are about one variable and constants (`x inside {[1:9]}`, `x != y` where `y` is not random); they
need no search: the values they leave are worked out as ranges of unsigned numbers, in order and apart.
"""

from __future__ import annotations

from weft.base.number_ranges import Ranges, tidy
from weft.sim.randomize.terms import Term, ones, signed


def complement(ranges: Ranges, width: int) -> Ranges:
    """Return all other values."""
    result: Ranges = []
    at = 0
    for low, high in ranges:
        if at < low:
            result.append((at, low - 1))
        at = high + 1
    if at <= ones(width):
        result.append((at, ones(width)))
    return result


def intersect(a: Ranges, b: Ranges) -> Ranges:
    """Return the values that are in both."""
    result: Ranges = []
    i = j = 0
    while i < len(a) and j < len(b):
        low, high = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if low <= high:
            result.append((low, high))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return result


def size(ranges: Ranges) -> int:
    """Return how many values there are."""
    return sum(high - low + 1 for low, high in ranges)


def pick(ranges: Ranges, number: int) -> int:
    """Return the value of a position."""
    for low, high in ranges:
        if number <= high - low:
            return low + number
        number -= high - low + 1
    raise AssertionError("a position outside the ranges")


def signed_range(low: int, high: int, width: int) -> Ranges:
    """Return the unsigned ranges of a range of signed numbers."""
    low, high = max(low, -(1 << (width - 1))), min(high, ones(width - 1))
    full = ones(width)
    if low > high:
        return []
    if low < 0 <= high:
        return [(0, high), (low & full, full)]
    return [(low & full, high & full)]


def ranges_of(term: Term) -> tuple[int, int, Ranges] | None:
    """Return the variable that a bit is about, its width, and the values that make it true; None for anything else."""
    op = term[0]
    if op == "v":
        return (term[2], 1, [(1, 1)]) if term[1] == 1 else None
    if op == "not" and term[1] == 1:
        inner = ranges_of(term[2])
        return None if inner is None else (inner[0], inner[1], complement(inner[2], inner[1]))
    if op in ("and", "or") and term[1] == 1:
        a, b = ranges_of(term[2]), ranges_of(term[3])
        if a is None or b is None or a[0] != b[0]:
            return None
        return a[0], a[1], intersect(a[2], b[2]) if op == "and" else tidy(a[2] + b[2])
    if op in ("eq", "ult", "ule", "slt", "sle"):
        return _comparison(op, term[2], term[3])
    return None


def _comparison(op: str, left: Term, right: Term) -> tuple[int, int, Ranges] | None:
    flipped = left[0] == "c"
    side, other = (right, left) if flipped else (left, right)
    if other[0] != "c":
        return None
    extension = side[0] if side[0] in ("zext", "sext") else ""
    variable = side[2] if extension else side
    if variable[0] != "v":
        return None
    number, width = variable[2], variable[1]
    value = other[2]
    if op == "eq":
        low = value & ones(width)
        again = signed(low, width) & ones(other[1]) if extension == "sext" else low
        return number, width, [(low, low)] if again == value else []
    strict = op.endswith("lt")
    if op[0] == "s":
        value = signed(value, other[1])
        least, most = -(1 << (other[1] - 1)), ones(other[1] - 1)
    else:
        least, most = 0, ones(other[1])
    low, high = (value + strict, most) if flipped else (least, value - strict)
    if op[0] == "s" and extension != "zext":
        return number, width, signed_range(low, high, width)
    if op[0] == "u" and extension == "sext":
        return None
    return number, width, tidy([(max(low, 0), min(high, ones(width)))])


def narrow(terms: list[Term], domains: dict[int, Ranges]) -> None:
    """Narrow the ranges of variables that are compared with each other, until nothing more follows.

    Each of a few rounds takes what the bounds of one side say about the other.
    """
    comparisons = [found for term in terms if (found := _pair(term)) is not None]
    for _ in range(len(comparisons) + 1):
        changed = False
        for sign, strict, (a, b), width in comparisons:
            below, above = domains[a], domains[b]
            if not below or not above:
                return
            most = max(_ends(above, sign, width)) - strict
            least = min(_ends(below, sign, width)) + strict
            bounds = (-(1 << (width - 1)), ones(width - 1)) if sign else (0, ones(width))
            for number, low, high in ((a, bounds[0], most), (b, least, bounds[1])):
                allowed = signed_range(low, high, width) if sign else tidy([(low, high)])
                kept = intersect(domains[number], allowed)
                changed |= kept != domains[number]
                domains[number] = kept
        if not changed:
            return


def _ends(ranges: Ranges, sign: bool, width: int) -> list[int]:
    ends = [end for pair in ranges for end in pair]
    if not sign:
        return ends
    top = 1 << (width - 1)
    # A range that goes over the middle holds both the greatest and the least signed number.
    ends += [end for low, high in ranges if low < top <= high for end in (top - 1, top)]
    return [signed(end, width) for end in ends]


def _pair(term: Term) -> tuple[bool, bool, tuple[int, int], int] | None:
    """Return sign, strictness, variables and width of a comparison of two variables of equal width."""
    flip = term[0] == "not" and term[1] == 1
    inner = term[2] if flip else term
    if inner[0] not in ("ult", "ule", "slt", "sle"):
        return None
    a, b = inner[2], inner[3]
    if a[0] == b[0] == ("sext" if inner[0][0] == "s" else "zext"):
        a, b = a[2], b[2]
    if a[0] != "v" or b[0] != "v" or a[1] != b[1] or a[2] == b[2]:
        return None
    strict = inner[0].endswith("lt") != flip
    return inner[0][0] == "s", strict, (b[2], a[2]) if flip else (a[2], b[2]), a[1]
