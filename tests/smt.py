"""Cone graph nodes as bit-vector terms of the SMT solver Bitwuzla, for proving rewrites."""

from __future__ import annotations

from bitwuzla import Bitwuzla, Kind, Options, Result, Term, TermManager

from weft.engines.reference.cone import needed_nodes
from weft.ir.cone_graph import ConeGraph, Node
from weft.ir.ops import mask


class Encoder:
    """Encode the cone of some nodes of a 2-state graph without memories; scalar states are free variables."""

    def __init__(self, graph: ConeGraph, targets: set[int]) -> None:
        self.manager = TermManager()
        self.reads: dict[int, Term] = {}
        self.terms: dict[int, Term] = {}
        for index in needed_nodes(graph, targets):
            node = graph.node(index)
            sources = [self.terms[source] for source in node.sources]
            widths = [int(graph.width[source]) for source in node.sources]
            self.terms[index] = self._encode(graph, node, sources, widths)

    def value(self, width: int, value: int) -> Term:
        return self.manager.mk_bv_value(self.manager.mk_bv_sort(width), value & mask(width))

    def make(self, kind: Kind, *terms: Term, indices: tuple[int, ...] = ()) -> Term:
        return self.manager.mk_term(kind, list(terms), list(indices))

    def bit(self, boolean: Term) -> Term:
        return self.make(Kind.ITE, boolean, self.value(1, 1), self.value(1, 0))

    def resize(self, term: Term, have: int, width: int, sign: bool = False) -> Term:
        if width < have:
            return self.make(Kind.BV_EXTRACT, term, indices=(width - 1, 0))
        if width == have:
            return term
        kind = Kind.BV_SIGN_EXTEND if sign else Kind.BV_ZERO_EXTEND
        return self.make(kind, term, indices=(width - have,))

    def equal(self, first: int, second: int) -> bool:
        """Return whether two nodes are equal for all values of the states."""
        options = Options()
        solver = Bitwuzla(self.manager, options)
        solver.assert_formula(self.make(Kind.DISTINCT, self.terms[first], self.terms[second]))
        result = solver.check_sat()
        assert result in (Result.SAT, Result.UNSAT)
        return result == Result.UNSAT

    def _encode(self, graph: ConeGraph, node: Node, s: list[Term], w: list[int]) -> Term:
        make, n = self.make, node.width
        match node.op:
            case "const":
                return self.value(n, graph.constants[node.param][0])
            case "read":
                if node.param not in self.reads:
                    self.reads[node.param] = self.manager.mk_const(self.manager.mk_bv_sort(n), f"s{node.param}")
                return self.reads[node.param]
            case "not" | "and" | "or" | "xor" | "add" | "sub" | "mul":
                return make(getattr(Kind, f"BV_{node.op.upper()}"), *s)
            case "udiv" | "umod":
                quotient = make(Kind.BV_UDIV if node.op == "udiv" else Kind.BV_UREM, *s)
                return make(Kind.ITE, make(Kind.EQUAL, s[1], self.value(n, 0)), self.value(n, 0), quotient)
            case "sdiv" | "smod":
                quotient = make(Kind.BV_SDIV if node.op == "sdiv" else Kind.BV_SREM, *s)
                return make(Kind.ITE, make(Kind.EQUAL, s[1], self.value(n, 0)), self.value(n, 0), quotient)
            case "upow":
                return self._power(s, w, n)
            case "eq" | "ceq" | "weq":
                return self.bit(make(Kind.EQUAL, *s))
            case "changed":
                return self.bit(make(Kind.DISTINCT, *s))
            case "ult":
                return self.bit(make(Kind.BV_ULT, *s))
            case "slt":
                return self.bit(make(Kind.BV_SLT, *s))
            case "shl" | "lshr" | "ashr":
                wide = max(n, w[1])
                kind = {"shl": Kind.BV_SHL, "lshr": Kind.BV_SHR, "ashr": Kind.BV_ASHR}[node.op]
                value = self.resize(s[0], n, wide, node.op == "ashr")
                return self.resize(make(kind, value, self.resize(s[1], w[1], wide)), wide, n)
            case "concat":
                return make(Kind.BV_CONCAT, *reversed(s)) if len(s) > 1 else s[0]
            case "slice":
                return make(Kind.BV_EXTRACT, s[0], indices=(node.param + n - 1, node.param))
            case "zext" | "sext":
                return self.resize(s[0], w[0], n, node.op == "sext")
            case "mux":
                return make(Kind.ITE, make(Kind.EQUAL, s[0], self.value(1, 1)), s[1], s[2])
            case "extract":
                return self._extract(s, w, n)
            case "insert":
                return self._insert(s, w, n)
            case "redand":
                return self.bit(make(Kind.EQUAL, s[0], self.value(w[0], mask(w[0]))))
            case "redor" | "true":
                return self.bit(make(Kind.DISTINCT, s[0], self.value(w[0], 0)))
            case "redxor":
                return make(Kind.BV_REDXOR, s[0])
            case "popcount":
                total = self.value(n, 0)
                for bit in range(w[0]):
                    one = make(Kind.BV_EXTRACT, s[0], indices=(bit, bit))
                    total = make(Kind.BV_ADD, total, self.resize(one, 1, n))
                return total
            case "posedge":
                return make(Kind.BV_AND, make(Kind.BV_NOT, s[0]), s[1])
            case "negedge":
                return make(Kind.BV_AND, s[0], make(Kind.BV_NOT, s[1]))
            case _:
                raise AssertionError(f"no SMT meaning for {node.op}")

    def _power(self, s: list[Term], w: list[int], n: int) -> Term:
        """Square and multiply over the bits of the exponent."""
        result, square = self.value(n, 1), s[0]
        for bit in range(w[1]):
            chosen = self.make(Kind.EQUAL, self.make(Kind.BV_EXTRACT, s[1], indices=(bit, bit)), self.value(1, 1))
            result = self.make(Kind.ITE, chosen, self.make(Kind.BV_MUL, result, square), result)
            square = self.make(Kind.BV_MUL, square, square)
        return result

    def _place(self, offset: Term, width: int, shift: int, wide: int) -> tuple[Term, Term]:
        """Return `offset + shift` in `wide` bits, and whether it is negative."""
        place = self.make(Kind.BV_ADD, self.resize(offset, width, wide, sign=True), self.value(wide, shift))
        return place, self.make(Kind.BV_SLT, place, self.value(wide, 0))

    def _extract(self, s: list[Term], w: list[int], n: int) -> Term:
        wide = w[0] + 2 * n + w[1] + 2
        place, below = self._place(s[1], w[1], n, wide)
        padded = self.make(Kind.BV_CONCAT, s[0], self.value(n, 0))
        shifted = self.make(Kind.BV_SHR, self.resize(padded, w[0] + n, wide), place)
        return self.make(Kind.ITE, below, self.value(n, 0), self.resize(shifted, wide, n))

    def _insert(self, s: list[Term], w: list[int], n: int) -> Term:
        field = w[2]
        wide = n + 2 * field + w[1] + 2
        place, below = self._place(s[1], w[1], field, wide)

        def shifted(term: Term) -> Term:
            moved = self.make(Kind.BV_SHL, self.resize(term, field, wide), place)
            return self.make(Kind.BV_EXTRACT, moved, indices=(field + n - 1, field))

        hole = self.make(Kind.BV_NOT, shifted(self.value(field, mask(field))))
        written = self.make(Kind.BV_OR, self.make(Kind.BV_AND, s[0], hole), shifted(s[2]))
        return self.make(Kind.ITE, below, s[0], written)
