"""Merge the outcomes of branches: one value and one enable for each piece that some branch has changed.

With conditions that exclude one another, branches of equal value share one mux. Otherwise the muxes follow the order of
the branches; a branch that does not assign the piece needs a place in that order only if there is something to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.ir.ops import OPS
from weft.passes.symbolic_paths import Changes, Entry, Path, conjunction

if TYPE_CHECKING:
    from weft.passes.symbolic_state import Environment


Table = tuple[int, list[list[int]]]
"""A subject, and for each branch the values of the subject that choose it."""

TABLE_SIZE = 8
"""From so many different values on, a table is a tree."""


class Join:
    """Merge branches: `outcomes[k]` holds where `conditions[k]` is the first to hold; one more if none may."""

    def __init__(
        self,
        environment: Environment,
        conditions: Sequence[int],
        paths: list[Path],
        outcomes: list[Changes],
        exclusive: bool,
        table: Table | None = None,
    ) -> None:
        self.environment, self.conditions, self.paths = environment, conditions, paths
        self.outcomes, self.exclusive, self.table = outcomes, exclusive, table
        self._none: list[int] = []

    def merge(self, key: int, arms: list[int]) -> Entry:
        """Return the entry of a piece that some arms have changed."""
        entries = [entry for arm in arms if (entry := self.outcomes[arm][key]) is not None]
        before = self.environment.current.get(key)
        everywhere = len(arms) == len(self.outcomes)
        settle = self.environment.settle
        values = [settle(entry[0]) for entry in entries]
        enable = self._enable(arms, [entry[1] for entry in entries], before, everywhere)
        if before is None or everywhere:
            return self._choose(arms[:-1], values[:-1], values[-1], before is None), enable
        old = settle(before[0])
        if arms[-1] < len(self.conditions):
            return self._choose(arms, values, old, False), enable
        all_values = [old] * len(self.outcomes)
        for arm, value in zip(arms, values, strict=True):
            all_values[arm] = value
        return self._choose(list(range(len(self.conditions))), all_values[:-1], all_values[-1], False), enable

    def _choose(self, arms: list[int], values: list[int], value: int, free: bool) -> int:
        """Return the value of the arm that runs, else `value`; `free`: other arms than these do not matter."""
        environment = self.environment
        if self.exclusive:
            groups: dict[int, list[int]] = {}
            for arm, chosen in zip(arms, values, strict=True):
                groups.setdefault(chosen, []).append(self.conditions[arm])
            groups.pop(value, None)
            if self.table is not None and len(groups) >= TABLE_SIZE and self._plain([value, *groups]):
                return self._look_up(self.table, dict(zip(arms, values, strict=True)), value)
            for chosen, conditions in reversed(groups.items()):
                value = environment.mux(environment.any_of(conditions), chosen, value)
            return value
        for position in reversed(range(len(arms))):
            arm, chosen = arms[position], values[position]
            cond = self.conditions[arm] if free or arm == position else self.selector(arm)
            value = environment.mux(cond, chosen, value)
        return value

    def _plain(self, values: Sequence[int]) -> bool:
        """Return whether values cost nothing to have, so that no branch around them saves work."""
        builder = self.environment.builder
        return all(OPS[builder.op[value]].name in ("const", "read", "slice") for value in values)

    def _look_up(self, table: Table, chosen: dict[int, int], other: int) -> int:
        """Choose by the subject's bits, the highest first: a tree of muxes in place of a chain of comparisons."""
        subject, labels = table
        items = {label: value for arm, value in chosen.items() if value != other for label in labels[arm]}
        return self._tree(subject, self.environment.builder.width[subject], items, other)

    def _tree(self, subject: int, bits: int, items: dict[int, int], other: int) -> int:
        environment, builder = self.environment, self.environment.builder
        if not items:
            return other
        values = set(items.values())
        if len(values) == 1 and len(items) == 1 << bits:
            return values.pop()
        if len(items) == 1:
            ((label, value),) = items.items()
            here = builder.add("eq", 1, builder.slice(subject, 0, bits), builder.const(bits, label))
            return environment.mux(here, value, other)
        half = 1 << bits - 1
        low = self._tree(subject, bits - 1, {k: v for k, v in items.items() if k < half}, other)
        high = self._tree(subject, bits - 1, {k - half: v for k, v in items.items() if k >= half}, other)
        return environment.mux(builder.slice(subject, bits - 1, 1), high, low)

    def selector(self, arm: int) -> int:
        """Return the condition, within the enclosing path, that this arm runs."""
        if self.exclusive and arm < len(self.conditions):
            return self.conditions[arm]
        builder, none = self.environment.builder, self._none
        if self.exclusive:
            return builder.add("not", 1, self.environment.any_of(self.conditions))
        while len(none) <= arm:
            if not none:
                none.append(self.environment.one)
                continue
            missed = builder.add("not", 1, self.conditions[len(none) - 1])
            none.append(conjunction(builder, none[-1], missed))
        return none[arm] if arm == len(self.conditions) else conjunction(builder, none[arm], self.conditions[arm])

    def _enable(self, arms: list[int], enables: list[Path | int], before: Entry | None, everywhere: bool) -> Path | int:
        environment = self.environment
        if before is not None and environment.covers(before[1]):
            return before[1]
        full = all(enable is self.paths[arm] for arm, enable in zip(arms, enables, strict=True))
        outer = environment.frame.path
        enable: Path | int
        if full and everywhere:
            enable = outer
        elif full and len(arms) == 1:
            enable = enables[0]
        elif full:
            chosen = set(arms)
            missing = [arm for arm in range(len(self.outcomes)) if arm not in chosen]
            if len(missing) < len(arms):
                enable = Path(outer, environment.any_of([self.selector(arm) for arm in missing]), inverted=True)
            else:
                enable = Path(outer, environment.any_of([self.selector(arm) for arm in arms]))
            enable.active = False
        else:
            enable = environment.any_of([environment.node_of(enable) for enable in enables])
        if before is None:
            return enable
        return environment.any_of([environment.node_of(before[1]), environment.node_of(enable)])
