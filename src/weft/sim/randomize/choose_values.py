"""Choose random values that meet constraints.

Variables that no constraint joins are chosen apart. For each such group:

1. Constraints on one variable alone leave ranges of values (`domains`), from which it is drawn, with the weights of a
   distribution if it has one.
2. What remains is tried: values are drawn until all constraints hold. What is found so is exactly as likely as the
   standard wants it, all solutions equally or by their weights.
3. If that does not succeed soon, a small group is searched through, and then all its solutions are known; a big one is
   left to the solver (`solve_group`).

`solve ... before` and `randc` make stages: the values of the first variables are chosen among those for which the rest
has a solution (18.5.9). Soft constraints are kept from the last to the first as far as they agree with those before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSet
from itertools import accumulate, product
from typing import Any

from weft.base.dataclass import dataclass, field
from weft.base.errors import UserError
from weft.base.number_ranges import Ranges, tidy
from weft.sim.randomize import domains as ranges
from weft.sim.randomize.problem import Distribution, Problem, Variable
from weft.sim.randomize.random_stream import RandomStream
from weft.sim.randomize.solve_group import draw_with_solver
from weft.sim.randomize.term_solver import TermSolver
from weft.sim.randomize.terms import ENVIRONMENT, TRUE, Term, ones, text_of, variables_of

CallFunction = Callable[[int, tuple[int, ...]], int]
"""Evaluates a function of the design: its number and its arguments."""

Used = dict[int, MutableSet[int]]
"""The values that each `randc` variable has had in its present cycle."""

_TRIES = 100
_SMALL = 4096
_SMALL_CYCLE = 1 << 16


def _flatten(terms: Iterable[Term]) -> list[Term]:
    """Return the parts of conjunctions, without those that are always true."""
    pending, found = list(terms)[::-1], list[Term]()
    while pending:
        term = pending.pop()
        if term[0] == "and" and term[1] == 1:
            pending += [term[3], term[2]]
        elif term != TRUE:
            found.append(term)
    return found


def has_calls(term: Term) -> bool:
    """Say whether a term calls a function of the design."""
    return term[0] == "call" or any(isinstance(part, tuple) and has_calls(part) for part in term[2:])


@dataclass(slots=True, eq=False)
class Group:
    """Be variables that constraints join, and what is known about their values."""

    variables: dict[int, Variable]
    hard: list[Term]
    distributions: list[Distribution]
    stages: list[list[int]]
    """What is chosen before the rest, in this order."""
    domains: dict[int, Ranges] = field(default_factory=dict[int, Ranges])
    rest: list[Term] = field(default_factory=list[Term])
    weighted: dict[int, list[tuple[Ranges, float]]] = field(default_factory=dict[int, list[tuple[Ranges, float]]])
    """For variables with a distribution of their own: ranges, and the weight of each whole list of them."""
    others: list[Distribution] = field(default_factory=list[Distribution])
    count: int = 0
    """How many combinations of values there are to try."""
    hopeless: bool = False
    """Whether trying has failed before, so that it is not worth while."""
    _test: Any = None
    _solutions: list[tuple[int, ...]] | None = None
    _weights: list[float] | None = None
    _solver: TermSolver | None = None

    def __post_init__(self) -> None:
        for number, variable in self.variables.items():
            values = variable.values
            self.domains[number] = (
                [(0, ones(variable.width))] if values is None else tidy([(value, value) for value in values])
            )
        for term in _flatten(self.hard):
            found = ranges.ranges_of(term)
            if found is None:
                self.rest.append(term)
            else:
                self.domains[found[0]] = ranges.intersect(self.domains[found[0]], found[2])
        ranges.narrow(self.rest, self.domains)
        for one in self.distributions:
            value = one.value
            if one.guard == TRUE and value[0] == "v" and value[2] not in self.weighted:
                self.weighted[value[2]] = self._pieces(one, self.domains[value[2]])
            else:
                self.others.append(one)
        self.count = 1
        for number in self.variables:
            self.count *= ranges.size(self.domains[number])

    @staticmethod
    def _pieces(one: Distribution, domain: Ranges) -> list[tuple[Ranges, float]]:
        found: list[tuple[Ranges, float]] = []
        for piece in one.pieces:
            inside = ranges.intersect(one.ranges(piece), domain)
            if inside and piece.weight > 0:
                found.append((inside, piece.weight * ranges.size(inside)))
        return found

    # ------------------------------------------------------------------------------------------- drawing

    def draw(self, number: int, stream: RandomStream) -> int:
        """Return a value that the constraints on the variable alone allow."""
        pieces = self.weighted.get(number)
        domain = self.domains[number]
        if pieces is not None:
            domain = pieces[choose_weighted([weight for _, weight in pieces], stream)][0]
        if len(domain) == 1:
            low, high = domain[0]
            return low + stream.below(high - low + 1)
        return ranges.pick(domain, stream.below(ranges.size(domain)))

    def _compiled(self) -> Any:
        """Return a function that says what weight given values have; 0 if they break a constraint."""
        if self._test is None:
            names = ", ".join(f"v{number}" for number in self.variables)
            memo: dict[Term, str] = {}
            body: list[str] = []
            for term in sorted(self.rest, key=has_calls):
                lines: list[str] = []
                text = text_of(term, memo, lines)
                body += [*lines, f"if not {text}: return 0"]
            body.append("w = 1.0")
            environment: dict[str, Any] = dict(ENVIRONMENT)
            for i, one in enumerate(self.others):
                lines = []
                guard, value = text_of(one.guard, memo, lines), text_of(one.value, memo, lines)
                body += [*lines, f"if {guard}: w *= weight{i}({value})"]
                environment[f"weight{i}"] = one.weight
            body.append("return w")
            source = f"def test(call, {names}):\n" + "\n".join(f"  {line}" for line in body)
            exec(source, environment)
            self._test = environment["test"]
        return self._test

    def _try(self, stream: RandomStream, call: CallFunction) -> dict[int, int] | None:
        """Draw until the values are right, for a while."""
        most = 1.0
        for one in self.others:
            most *= max([1.0, *(sum(p.weight for p in one.pieces if p.low <= q.low <= p.high) for q in one.pieces)])
        test = self._compiled()
        numbers = list(self.variables)
        for _ in range(_TRIES):
            values = [self.draw(number, stream) for number in numbers]
            weight = test(call, *values)
            if weight and (not self.others or stream.bits(53) < weight / most * (1 << 53)):
                return dict(zip(numbers, values, strict=True))
        return None

    def solutions(self, call: CallFunction) -> tuple[list[tuple[int, ...]], list[float]]:
        """Return all solutions of a small group and their weights."""
        if self._solutions is None or self._weights is None:
            test = self._compiled()
            self._solutions, self._weights = [], []
            lists = [[v for low, high in self.domains[n] for v in range(low, high + 1)] for n in self.variables]
            own = [self._own_weight(number) for number in self.variables]
            for values in product(*lists):
                weight = test(call, *values)
                for one, value in zip(own, values, strict=True):
                    weight = weight and weight * one(value)
                if weight:
                    self._solutions.append(values)
                    self._weights.append(float(weight))
        return self._solutions, self._weights

    def _own_weight(self, number: int) -> Callable[[int], float]:
        pieces = self.weighted.get(number)
        if pieces is None:
            return lambda value: 1.0

        def weight(value: int) -> float:
            return sum(w / ranges.size(rs) for rs, w in pieces if any(low <= value <= high for low, high in rs))

        return weight

    # ------------------------------------------------------------------------------------------- choosing

    def choose(self, stream: RandomStream, used: Used, call: CallFunction) -> dict[int, int] | None:
        """Return random values of all variables, or None if there are none."""
        if not self.count or any(not pieces for pieces in self.weighted.values()):
            return None
        cyclic = any(variable.cyclic for variable in self.variables.values())
        if not cyclic and not self.stages:
            if not self.rest and not self.others:
                return {number: self.draw(number, stream) for number in self.variables}
            if not self.hopeless:
                found = self._try(stream, call)
                if found is not None:
                    return found
                self.hopeless = True
        calls = any(has_calls(term) for term in self.rest)
        if self.count <= (_SMALL_CYCLE if cyclic else _SMALL) and not calls:
            return self._choose_listed(stream, used, call)
        if calls:
            return self._choose_with_calls(stream, used, call)
        return draw_with_solver(self, stream, used)

    def solver(self) -> TermSolver:
        """Return a solver that knows the constraints."""
        if self._solver is None:
            self._solver = TermSolver({n: variable.width for n, variable in self.variables.items()}, self.rest)
            for number, variable in self.variables.items():
                if self.domains[number] != [(0, ones(variable.width))]:
                    self._solver.require(domain_term(number, variable.width, self.domains[number]))
        return self._solver

    def _choose_listed(self, stream: RandomStream, used: Used, call: CallFunction) -> dict[int, int] | None:
        """Choose among all solutions, stage by stage."""
        solutions, weights = self.solutions(call)
        if not solutions:
            return None
        numbers = list(self.variables)
        if not self.stages:
            return dict(zip(numbers, solutions[choose_weighted(weights, stream)], strict=True))
        left = list(range(len(solutions)))
        for stage in self.stages:
            places = [numbers.index(number) for number in stage]
            own = [self._own_weight(number) for number in stage]
            found: dict[tuple[int, ...], float] = {}
            for i in left:
                key = tuple(solutions[i][place] for place in places)
                if key not in found:
                    weight = 1.0
                    for one, value in zip(own, key, strict=True):
                        weight *= one(value)
                    found[key] = weight
            if self.variables[stage[0]].cyclic:
                had = used.setdefault(stage[0], set())
                fresh = {key: weight for key, weight in found.items() if key[0] not in had}
                if not fresh:
                    had.clear()
                found = fresh or found
            keys = list(found)
            chosen = keys[choose_weighted(list(found.values()), stream)]
            left = [i for i in left if tuple(solutions[i][place] for place in places) == chosen]
        last = left[choose_weighted([weights[i] for i in left], stream)]
        return dict(zip(numbers, solutions[last], strict=True))

    def _choose_with_calls(self, stream: RandomStream, used: Used, call: CallFunction) -> dict[int, int] | None:
        """Choose the arguments of functions first, then the rest with the functions' values (18.5.11)."""
        known: dict[Term, frozenset[int]] = {}
        arguments: set[int] = set()
        for term in self.rest:
            arguments |= _call_arguments(term, known)
        plain = Group(
            self.variables, [term for term in self.hard if not has_calls(term)], self.distributions, self.stages
        )
        for _ in range(_TRIES):
            first = plain.choose(stream, used, call)
            if first is None:
                return None
            fixed = {number: first[number] for number in arguments}
            hard = [substitute(term, fixed, call, {}) for term in self.hard]
            free = {number: variable for number, variable in self.variables.items() if number not in fixed}
            stages = [kept for stage in self.stages if (kept := [number for number in stage if number in free])]
            spread = [
                Distribution(
                    substitute(d.guard, fixed, call, {}), substitute(d.value, fixed, call, {}), d.pieces, d.signed
                )
                for d in self.distributions
            ]
            spread = [d for d in spread if d.value[0] != "c"]
            if any(term[0] == "c" and not term[2] for term in hard):
                continue
            found = Group(free, hard, spread, stages).choose(stream, used, call) if free else {}
            if found is not None:
                return {**fixed, **found}
        return None


def _call_arguments(term: Term, known: dict[Term, frozenset[int]]) -> frozenset[int]:
    if term[0] == "call":
        return variables_of(term, known)
    parts = [_call_arguments(part, known) for part in term[2:] if isinstance(part, tuple)]
    return frozenset[int]().union(*parts)


def substitute(term: Term, fixed: dict[int, int], call: CallFunction, memo: dict[Term, Term]) -> Term:
    """Return a term with the values of some variables put in."""
    from weft.sim.randomize.terms import choose, constant, extract, join, make

    op, width = term[0], term[1]
    if op == "c":
        return term
    if op == "v":
        return constant(width, fixed[term[2]]) if term[2] in fixed else term
    found = memo.get(term)
    if found is None:
        parts = [substitute(part, fixed, call, memo) for part in term[2:] if isinstance(part, tuple)]
        if op == "call":
            known = all(part[0] == "c" for part in parts)
            arguments = tuple(part[2] for part in parts)
            found = constant(width, call(term[2], arguments)) if known else (op, width, term[2], *parts)
        elif op == "ite":
            found = choose(width, *parts)
        elif op == "concat":
            found = join(parts)
        elif op == "extract":
            found = extract(parts[0], term[3], width)
        else:
            found = make(op, width, *parts)
        memo[term] = found
    return found


def domain_term(number: int, width: int, domain: Ranges) -> Term:
    """Return the bit that says that a variable is in some ranges."""
    from weft.sim.randomize.terms import FALSE, both, constant, either, make

    variable: Term = ("v", width, number)
    found: Term = FALSE
    for low, high in domain:
        inside = both(
            make("ule", 1, constant(width, low), variable) if low else TRUE,
            make("ule", 1, variable, constant(width, high)) if high < ones(width) else TRUE,
        )
        found = either(found, inside)
    return found


def choose_weighted(weights: list[float], stream: RandomStream) -> int:
    """Return a position, each as likely as its weight says."""
    if len(weights) == 1:
        return 0
    sums = list(accumulate(weights))
    at = stream.bits(53) / (1 << 53) * sums[-1]
    for i, total in enumerate(sums):
        if at < total:
            return i
    return len(weights) - 1


# ------------------------------------------------------------------------------------------- problems


@dataclass(slots=True, eq=False)
class Plan:
    """Know how to solve a problem; equal problems share one."""

    problem: Problem
    impossible: bool = False
    free: list[int] = field(default_factory=list[int])
    groups: list[Group] = field(default_factory=list[Group])
    _parts: list[tuple[list[int], list[Term], list[Term]]] = field(
        default_factory=list[tuple[list[int], list[Term], list[Term]]]
    )

    def __post_init__(self) -> None:
        problem = self.problem
        known: dict[Term, frozenset[int]] = {}
        hard = _flatten(problem.hard)
        self.impossible = any(term[0] == "c" and not term[2] for term in hard)
        supports = [(term, variables_of(term, known)) for term in hard]
        soft = [(term, variables_of(term, known)) for term in problem.soft if term[0] != "c"]
        owner = list(range(len(problem.variables)))

        def find(number: int) -> int:
            while owner[number] != number:
                owner[number] = number = owner[owner[number]]
            return number

        spread = [variables_of(d.value, known) | variables_of(d.guard, known) for d in problem.distributions]
        joined = [s for _, s in supports] + [s for _, s in soft] + spread
        joined += [frozenset(first + then) for first, then in problem.orders]
        touched: set[int] = set()
        for support in joined:
            touched |= support
            members = list(support)
            for number in members[1:]:
                owner[find(number)] = find(members[0])
        members_of: dict[int, list[int]] = {}
        for number, variable in enumerate(problem.variables):
            if number in touched or variable.cyclic or variable.values is not None:
                members_of.setdefault(find(number), []).append(number)
            else:
                self.free.append(number)
        for root, members in members_of.items():
            here = [term for term, support in supports if support and find(min(support)) == root]
            wanted = [term for term, support in soft if find(min(support)) == root]
            self._parts.append((members, here, wanted))

    def _group(self, members: list[int], hard: list[Term]) -> Group:
        variables = {number: self.problem.variables[number] for number in members}
        known: dict[Term, frozenset[int]] = {}
        inside = set(members)
        spread = [d for d in self.problem.distributions if variables_of(d.value, known) <= inside]
        spread = [d for d in spread if variables_of(d.value, known)]
        return Group(variables, hard, spread, self._stages(members))

    def _stages(self, members: list[int]) -> list[list[int]]:
        """Return what is chosen first: `randc` variables one by one, then as the constraints order the others."""
        variables = self.problem.variables
        stages = [[number] for number in members if variables[number].cyclic]
        level: dict[int, int] = {}
        for _ in range(len(members) + 1):
            changed = False
            for first, then in self.problem.orders:
                for number in first:
                    level.setdefault(number, 0)
                for number in then:
                    wanted = max(level.get(one, 0) for one in first) + 1 if first else 0
                    if level.get(number, -1) < wanted:
                        level[number], changed = wanted, True
            if not changed:
                break
        else:
            raise UserError("bad-constraint", "the constraints order variables before themselves")
        most = max((level.get(number, 0) for number in members if number in level), default=0)
        for step in range(most):
            stage = [n for n in members if level.get(n) == step and not variables[n].cyclic]
            if stage:
                stages.append(stage)
        return stages

    def _settle(self, stream: RandomStream, used: Used, call: CallFunction) -> None:
        """Find out which soft constraints can be kept."""
        for members, hard, soft in self._parts:
            group = self._group(members, hard + soft)
            if soft:
                copy: Used = {number: set(values) for number, values in used.items()}
                if group.choose(RandomStream(stream.state), copy, call) is None:
                    kept: list[Term] = []
                    for term in reversed(soft):
                        trial = self._group(members, [*hard, *kept, term])
                        if trial.choose(RandomStream(stream.state), copy, call) is not None:
                            kept.append(term)
                    group = self._group(members, hard + kept)
            self.groups.append(group)
        self._parts = []

    def choose(self, stream: RandomStream, used: Used, call: CallFunction) -> list[int] | None:
        """Return a random value of each variable, or None if the constraints contradict each other."""
        if self.impossible:
            return None
        if self._parts:
            self._settle(stream, used, call)
        variables = self.problem.variables
        values = [0] * len(variables)
        for number in self.free:
            values[number] = stream.bits(variables[number].width)
        for group in self.groups:
            found = group.choose(stream, used, call)
            if found is None:
                return None
            for number, value in found.items():
                values[number] = value
        for number, variable in enumerate(variables):
            if variable.cyclic:
                used.setdefault(number, set()).add(values[number])
        return values


@dataclass(slots=True)
class Plans:
    """Remember the plans of the latest problems."""

    limit: int = 256
    _known: dict[Problem, Plan] = field(default_factory=dict[Problem, Plan])

    def find(self, problem: Problem) -> Plan:
        """Return the plan of a problem."""
        plan = self._known.pop(problem, None)
        if plan is None:
            plan = Plan(problem)
            if len(self._known) >= self.limit:
                del self._known[next(iter(self._known))]
        self._known[problem] = plan
        return plan
