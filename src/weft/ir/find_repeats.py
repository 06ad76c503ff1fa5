"""Find the parts of a design that occur several times, by the names of their states.

A state's name is its path, so the state table is a tree of instances and generate blocks. Two of its branches have the
same *shape* if their states have the same names below them, and the same widths, depths and kinds. Shapes are numbered
from the leaves up (Aho, Hopcroft and Ullman, "The Design and Analysis of Computer Algorithms", example 3.2: isomorphism
of trees), which takes linear time. Of branches that lie in one another those are taken whose repetition saves most.

Names are a hint and no more: the layout puts the states of each such part side by side, in the same order, and the
engines compare the logic before they believe that parts do the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass, field
from weft.ir.cone_graph import State

LEAST_SAVED = 100
"""States that a repetition must save to be worth a layout of its own."""

SMALL = 16
"""Parts with fewer states count less: what crosses their boundary is much of what they do."""

_KINDS = ("register", "latch", "memory")


@dataclass(frozen=True, slots=True)
class Repeat:
    """Be parts of the same shape: `parts[j][i]` is the state of part j that corresponds to state i of any other.

    `paths` names the parts.
    """

    paths: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class _Branch:
    """Be one branch of the tree: its own states by name and plane, and the branches below it."""

    path: str
    leaves: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    below: dict[str, _Branch] = field(default_factory=dict[str, "_Branch"])
    shape: int = -1
    size: int = 0


def find_repeats(states: Sequence[State]) -> list[Repeat]:
    """Return the repeated parts of a state table; none of them share a state. Linear in the length of all names."""
    top = _Branch("")
    branches: dict[str, _Branch] = {"": top}
    for number, state in enumerate(states):
        if state.kind in _KINDS:
            path, _, name = state.name.rpartition(".")
            branch = branches.get(path)
            if branch is None:
                branch = _enter(branches, path)
            key = (name, state.plane)
            while key in branch.leaves:
                key = (f"{key[0]}'", state.plane)
            branch.leaves[key] = number
    if sum(len(branch.leaves) for branch in branches.values()) <= LEAST_SAVED:
        return []
    found: dict[int, list[_Branch]] = {}
    numbers: dict[tuple[object, ...], int] = {}
    for branch in _bottom_up(top):
        _number(branch, states, numbers)
        found.setdefault(branch.shape, []).append(branch)
    return _choose([group for group in found.values() if len(group) > 1])


def _enter(branches: dict[str, _Branch], path: str) -> _Branch:
    """Return the branch of a path; make it and those above it."""
    missing: list[str] = []
    while path not in branches:
        missing.append(path)
        path = path.rpartition(".")[0]
    branch = branches[path]
    for each in reversed(missing):
        below = branches[each] = _Branch(each)
        branch.below[each.rpartition(".")[2]] = below
        branch = below
    return branch


def _bottom_up(top: _Branch) -> list[_Branch]:
    """Return all branches, those below before those above."""
    order = [top]
    for branch in order:
        order.extend(branch.below.values())
    return order[::-1]


def _number(branch: _Branch, states: Sequence[State], numbers: dict[tuple[object, ...], int]) -> None:
    """Give a branch the number of its shape."""
    parts: list[tuple[object, ...]] = []
    for key, number in branch.leaves.items():
        state = states[number]
        parts.append((*key, state.width, state.depth, state.kind))
    parts += [(name, "", below.shape, 0, "branch") for name, below in branch.below.items()]
    parts.sort()
    branch.shape = numbers.setdefault(tuple(parts), len(numbers))
    branch.size = len(branch.leaves) + sum(below.size for below in branch.below.values())


def _saved(count: int, size: int) -> float:
    return (count - 1) * size * min(size, SMALL) / SMALL


def _choose(groups: list[list[_Branch]]) -> list[Repeat]:
    """Take the groups that save most, without what lies in, or around, those that are taken already."""
    groups.sort(key=lambda group: (-_saved(len(group), group[0].size), -group[0].size, group[0].path))
    taken: set[str] = set()
    above: set[str] = set()
    chosen: list[Repeat] = []
    for group in groups:
        if _saved(len(group), group[0].size) < LEAST_SAVED:
            break
        free = [branch for branch in group if branch.path not in above and not _inside(branch.path, taken)]
        if len(free) < 2 or _saved(len(free), free[0].size) < LEAST_SAVED:
            continue
        for branch in free:
            taken.add(branch.path)
            path = branch.path
            while path and path not in above:
                above.add(path)
                path = path.rpartition(".")[0]
        free.sort(key=_first_state)
        chosen.append(Repeat(tuple(branch.path for branch in free), _correspond(free)))
    return chosen


def _inside(path: str, taken: set[str]) -> bool:
    """Say whether a branch is, or lies in, one that is taken."""
    while path:
        if path in taken:
            return True
        path = path.rpartition(".")[0]
    return False


def _first_state(branch: _Branch) -> int:
    return min(_states(branch))


def _states(branch: _Branch) -> list[int]:
    """Return a branch's states, in an order that is the same for branches of one shape."""
    found: list[int] = []
    stack = [branch]
    while stack:
        each = stack.pop()
        found += [each.leaves[key] for key in sorted(each.leaves)]
        stack += [each.below[name] for name in sorted(each.below)]
    return found


def _correspond(branches: Sequence[_Branch]) -> tuple[tuple[int, ...], ...]:
    """Return the states of each branch, in the order in which the first branch has them in the table."""
    columns = [_states(branch) for branch in branches]
    order = sorted(range(len(columns[0])), key=columns[0].__getitem__)
    return tuple(tuple([column[place] for place in order]) for column in columns)
