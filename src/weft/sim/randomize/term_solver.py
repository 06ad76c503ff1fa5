"""Ask the SMT solver Bitwuzla for values that make terms true (Niemetz, Preiner: Bitwuzla, CAV 2023).

Terms become bit-vector terms of the solver; one solver is asked again and again under changing assumptions, which is
cheap, since it keeps what it has learnt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.base.errors import UserError
from weft.sim.randomize.terms import Term, constant

_Native = Any
"""A term of the solver, whose package has no types."""

_TIME_LIMIT_MS = 60_000

_DIRECT = {
    "not": "BV_NOT",
    "neg": "BV_NEG",
    "and": "BV_AND",
    "or": "BV_OR",
    "xor": "BV_XOR",
    "add": "BV_ADD",
    "sub": "BV_SUB",
    "mul": "BV_MUL",
}
_DIVISIONS = {"udiv": "BV_UDIV", "umod": "BV_UREM", "sdiv": "BV_SDIV", "smod": "BV_SREM"}
_COMPARISONS = {"eq": "EQUAL", "ult": "BV_ULT", "ule": "BV_ULE", "slt": "BV_SLT", "sle": "BV_SLE"}
_SHIFTS = {"shl": "BV_SHL", "lshr": "BV_SHR", "ashr": "BV_ASHR"}


class TermSolver:
    """Solve some constraints, with others as assumptions."""

    def __init__(self, widths: dict[int, int], hard: Iterable[Term]) -> None:
        """Take the widths of the variables by number, and bits that have to be true."""
        try:
            import bitwuzla
        except ImportError as error:  # pragma: no cover - a dependency of the package
            message = "these constraints need a solver: install the Python package 'bitwuzla'"
            raise UserError("no-solver", message) from error
        self._library = bitwuzla
        self._manager = bitwuzla.TermManager()
        options = bitwuzla.Options()
        options.set(bitwuzla.Option.PRODUCE_MODELS, True)
        options.set(bitwuzla.Option.TIME_LIMIT_PER, _TIME_LIMIT_MS)
        self._solver = bitwuzla.Bitwuzla(self._manager, options)
        self._terms: dict[Term, _Native] = {}
        self.widths = widths
        for term in hard:
            self.require(term)

    def require(self, term: Term) -> None:
        """Have a bit be true from now on."""
        self._solver.assert_formula(self._truth(term))

    def push(self) -> None:
        """Open a scope of requirements."""
        self._solver.push(1)

    def pop(self) -> None:
        """Forget the requirements since the last `push`."""
        self._solver.pop(1)

    def check(self, *assumptions: Term) -> bool:
        """Return whether all can be true at once."""
        result = self._solver.check_sat(*(self._truth(term) for term in assumptions))
        if result == self._library.Result.UNKNOWN:
            raise UserError("bad-constraint", f"the constraints could not be solved in {_TIME_LIMIT_MS // 1000} s")
        return result == self._library.Result.SAT

    def value(self, number: int) -> int:
        """Return a variable's value in the solution that the last successful check has found."""
        return int(self._solver.get_value(self._term(("v", self.widths[number], number))).value(10))

    # ------------------------------------------------------------------------------------------- translation

    def _kind(self, name: str) -> Any:
        return getattr(self._library.Kind, name)

    def _make(self, kind: str, *parts: _Native, indices: tuple[int, ...] = ()) -> _Native:
        return self._manager.mk_term(self._kind(kind), list(parts), list(indices))

    def _constant(self, width: int, value: int) -> _Native:
        return self._manager.mk_bv_value(self._manager.mk_bv_sort(width), value)

    def _truth(self, term: Term) -> _Native:
        op = term[0]
        if op in _COMPARISONS:
            return self._make(_COMPARISONS[op], self._term(term[2]), self._term(term[3]))
        if op == "not" and term[1] == 1:
            return self._make("NOT", self._truth(term[2]))
        if op in ("and", "or") and term[1] == 1:
            return self._make("AND" if op == "and" else "OR", self._truth(term[2]), self._truth(term[3]))
        return self._make("EQUAL", self._term(term), self._constant(1, 1))

    def _term(self, term: Term) -> _Native:
        found = self._terms.get(term)
        if found is None:
            found = self._terms[term] = self._translate(term)
        return found

    def _translate(self, term: Term) -> _Native:
        op, width = term[0], term[1]
        if op == "c":
            return self._constant(width, term[2])
        if op == "v":
            return self._manager.mk_const(self._manager.mk_bv_sort(width), f"v{term[2]}")
        if op == "ite":
            return self._make("ITE", self._truth(term[2]), self._term(term[3]), self._term(term[4]))
        if op == "extract":
            return self._make("BV_EXTRACT", self._term(term[2]), indices=(term[3] + width - 1, term[3]))
        if op in _COMPARISONS:
            return self._make("ITE", self._truth(term), self._constant(1, 1), self._constant(1, 0))
        if op == "pow":
            return self._power(term)
        parts = [self._term(part) for part in term[2:]]
        if op in _DIRECT:
            return self._make(_DIRECT[op], *parts)
        if op in _DIVISIONS:
            zero = self._constant(width, 0)
            return self._make("ITE", self._make("EQUAL", parts[1], zero), zero, self._make(_DIVISIONS[op], *parts))
        if op == "concat":
            return self._make("BV_CONCAT", *parts)
        if op in ("zext", "sext"):
            kind = "BV_ZERO_EXTEND" if op == "zext" else "BV_SIGN_EXTEND"
            return self._make(kind, *parts, indices=(width - term[2][1],))
        if op in _SHIFTS:
            return self._shift(op, width, term[3][1], parts)
        raise AssertionError(op)

    def _shift(self, op: str, width: int, amount: int, parts: list[_Native]) -> _Native:
        wide = max(width, amount)
        sign = "BV_SIGN_EXTEND" if op == "ashr" else "BV_ZERO_EXTEND"
        value = self._make(sign, parts[0], indices=(wide - width,))
        by = self._make("BV_ZERO_EXTEND", parts[1], indices=(wide - amount,))
        return self._make("BV_EXTRACT", self._make(_SHIFTS[op], value, by), indices=(width - 1, 0))

    def _power(self, term: Term) -> _Native:
        """Square and multiply over the bits of the exponent."""
        width, exponent = term[1], term[3]
        result, square = self._constant(width, 1), self._term(term[2])
        bits = self._term(exponent)
        for at in range(exponent[1]):
            bit = self._make("EQUAL", self._make("BV_EXTRACT", bits, indices=(at, at)), self._constant(1, 1))
            result = self._make("ITE", bit, self._make("BV_MUL", result, square), result)
            square = self._make("BV_MUL", square, square)
        return result


def equals(number: int, width: int, value: int) -> Term:
    """Return the bit that says that a variable has a value."""
    return ("eq", 1, ("v", width, number), constant(width, value))


def bit_is(number: int, width: int, at: int, bit: int) -> Term:
    """Return the bit that says that one bit of a variable has a value."""
    return ("eq", 1, ("extract", 1, ("v", width, number), at) if width > 1 else ("v", 1, number), constant(1, bit))
