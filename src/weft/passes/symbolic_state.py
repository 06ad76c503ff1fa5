"""The symbolic environment of one process: what each bit of each variable holds at the present statement, as nodes.

A variable is cut into *pieces*, the bit ranges that the process writes apart; a write at a new boundary splits pieces
wherever they are held. So bits stay independent, and a loop that exists only per word is none.

A piece holds a value and an *enable*: the condition under which the process has assigned it so far. Where the enable
is 0 the value does not matter. So a branch that alone assigns a register needs no mux, and the enable is exactly the OR
of the paths that assign: it becomes the register's clock enable, or shows that a combinational variable is a latch.

Branches are run one after the other in *frames*, which log what they change (an undo log, so copying costs what
changed, not what exists). A join visits only the changed pieces of all arms at once, however many arms there are:
chains of else-if and big cases cost the sum of their assignments.

`break`, `continue`, `return` and `disable` *narrow* the rest of a frame to the condition that none of them ran.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from weft.ir.design import Signal
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import CODE, mask
from weft.passes.join_branches import Join, Table
from weft.passes.symbolic_paths import Changes, Choice, Entry, Path

MUX = CODE["mux"]


class Variable:
    """Be something that a process reads or writes.

    `origin` makes the node that reads a range of bits as they were when the process began, and `key` plus a piece's low
    bit is that piece's key in the environment. `read_first` has a 1 for each bit read before it was assigned;
    `forwarded` says that some were read after it.
    """

    __slots__ = (
        "forwarded",
        "key",
        "lows",
        "memory",
        "origin",
        "path",
        "pending",
        "private",
        "read_first",
        "signal",
        "width",
    )

    def __init__(self, signal: Signal, path: tuple[str, ...], key: int, width: int) -> None:
        self.signal, self.path, self.key, self.width = signal, path, key, width
        self.lows = [0]
        self.memory = False
        self.private = False  # an automatic variable: nobody else sees it
        self.read_first = 0
        self.forwarded = False
        self.pending: Variable | None = None
        self.origin: Callable[[int, int], int] | None = None


class Frame:
    """Log what one branch changes: the entries it found."""

    __slots__ = ("base", "narrowed", "path", "saved")

    def __init__(self, path: Path) -> None:
        self.base = self.path = path
        self.narrowed: list[Path] = []
        self.saved: Changes = {}

    def close(self) -> None:
        """Say that the present statement is no longer inside the narrowed paths."""
        for path in self.narrowed:
            path.active = False
        self.narrowed.clear()
        self.path = self.base


class Environment:
    """Hold the present values of one process's variables."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.one = builder.const(1, 1)
        self.current: dict[int, Entry] = {}
        self.root = Path(None, self.one)
        self.frame = Frame(self.root)
        self._live: list[Changes] = []
        self._paths: dict[int, Path] = {}
        self._next_key = 0

    def variable(self, signal: Signal, path: tuple[str, ...], width: int) -> Variable:
        """Return a new variable."""
        self._next_key += 1 << 40
        return Variable(signal, path, self._next_key, width)

    def reset(self) -> None:
        """Forget all assignments."""
        self.current.clear()
        self.frame.saved.clear()

    # ------------------------------------------------------------------------------------------------ nodes

    def mux(self, cond: int, then: int, other: int) -> int:
        """Return `cond ? then : other` for a condition that is never x."""
        if then == other:
            return then
        known = self.builder.value(cond)
        if known is not None:
            return then if known else other
        return self.builder.node(MUX, self.builder.width[then], (cond, then, other))

    def any_of(self, nodes: Sequence[int]) -> int:
        """Return the OR of 1-bit nodes, as a balanced tree."""
        level = list(dict.fromkeys(nodes))
        if not level:
            return self.builder.const(1, 0)
        while len(level) > 1:
            pairs = [self._or(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
            level = pairs + level[len(level) & ~1 :]
        return level[0]

    def _or(self, a: int, b: int) -> int:
        for x, y in ((a, b), (b, a)):
            known = self.builder.value(x)
            if known is not None:
                return x if known else y
        return self.builder.add("or", 1, a, b)

    def node_of(self, enable: Path | int) -> int:
        """Return an enable as a node."""
        return enable if isinstance(enable, int) else enable.node(self.builder)

    def covers(self, enable: Path | int) -> bool:
        """Tell whether an enable certainly holds at the present statement."""
        if isinstance(enable, int):
            path = self._paths.get(enable)
            return enable == self.one or (path is not None and path.active)
        return enable.active

    def path(self) -> int:
        """Return the condition of the present statement as a node."""
        return self.frame.path.node(self.builder)

    # ------------------------------------------------------------------------------------------------- reads

    def read(self, variable: Variable, low: int, width: int) -> int:
        """Return the present value of bits `low` to `low + width - 1`, all inside the variable."""
        lows, current, key = variable.lows, self.current, variable.key
        index = bisect_right(lows, low) - 1 if len(lows) > 1 else 0
        parts: list[int] = []
        position, end = low, low + width
        while position < end:
            start = lows[index]
            index += 1
            entry = current.get(key + start)
            if entry is None:
                while index < len(lows) and lows[index] < end and key + lows[index] not in current:
                    index += 1
            stop = min(lows[index] if index < len(lows) else variable.width, end)
            if entry is None:
                parts.append(self.first(variable, position, stop - position))
            else:
                variable.forwarded = True
                node = self._whole(variable, start, entry)
                parts.append(self.builder.slice(node, position - start, stop - position))
            position = stop
        return self.builder.concat(parts)

    def first(self, variable: Variable, low: int, width: int) -> int:
        """Return bits as they were before the process assigned them."""
        variable.read_first |= mask(width) << low
        assert variable.origin is not None
        return variable.origin(low, width)

    def _whole(self, variable: Variable, low: int, entry: Entry) -> int:
        value, enable = entry
        if not isinstance(value, int):
            value = value.then if value.path.active else self.settle(value)
        if self.covers(enable):
            return value
        return self.mux(self.node_of(enable), value, self.first(variable, low, self.builder.width[value]))

    def settle(self, value: int | Choice) -> int:
        """Return a value as a node."""
        chain: list[Choice] = []
        while not isinstance(value, int):
            if value.node >= 0:
                value = value.node
            else:
                chain.append(value)
                value = value.other
        for choice in reversed(chain):
            value = choice.node = self.mux(choice.path.node(self.builder), choice.then, value)
        return value

    def final(self, entry: Entry) -> tuple[int, int]:
        """Return a piece's value and enable as nodes, at the end of the process."""
        return self.settle(entry[0]), self.one if self.covers(entry[1]) else self.node_of(entry[1])

    def pieces(self, variable: Variable) -> list[tuple[int, Entry]]:
        """Return the assigned pieces of a variable: (low bit, entry)."""
        found = ((low, self.current.get(variable.key + low)) for low in variable.lows)
        return [(low, entry) for low, entry in found if entry is not None]

    # ------------------------------------------------------------------------------------------------ writes

    def write(self, variable: Variable, low: int, value: int) -> None:
        """Assign a value to the bits from `low` up, all inside the variable, on the present path."""
        width = self.builder.width[value]
        path = self.frame.path
        if len(variable.lows) == 1 and width == variable.width:
            self.store(variable.key, value, path)
            return
        for start, size in self.cut(variable, low, width):
            self.store(variable.key + start, self.builder.slice(value, start - low, size), path)

    def write_if(self, variable: Variable, low: int, value: int, cond: int) -> None:
        """Assign as `write` does, where a known condition holds."""
        known = self.builder.value(cond)
        if known is not None:
            if known:
                self.write(variable, low, value)
            return
        self.select([cond], [lambda: self.write(variable, low, value)], None, exclusive=True)

    def define(self, variable: Variable, value: int) -> None:
        """Give a new private variable its value, on whatever path."""
        self.frame.saved.setdefault(variable.key, None)
        self.current[variable.key] = (value, self.root)

    def forget(self, variable: Variable) -> None:
        """Drop a private variable that was made in the present frame."""
        for low in variable.lows:
            key = variable.key + low
            if self.current.pop(key, None) is not None:
                self.frame.saved.pop(key, None)

    def store(self, key: int, value: int | Choice, enable: Path | int) -> None:
        """Put an entry in place of a piece's present one, which stays where a jump has left the present path."""
        frame = self.frame
        before = self.current.get(key)
        frame.saved.setdefault(key, before)
        path = frame.path
        if path is not frame.base and before is not None and before[1] is not path:
            old = before[0]
            while not isinstance(old, int) and old.path is path:
                old = old.other
            value = Choice(path, self.settle(value), old)
            if self.covers(before[1]):
                enable = before[1]
            elif enable is path and path.inverted and self.node_of(before[1]) == path.cond:
                enable = frame.base  # assigned where it jumped and where it did not
            else:
                all_of_path = enable is path
                enable = self.any_of([self.node_of(before[1]), self.node_of(enable)])
                if all_of_path:
                    self._paths[enable] = path
        self.current[key] = (value, enable)

    def cut(self, variable: Variable, low: int, width: int) -> list[tuple[int, int]]:
        """Make `low` and `low + width` piece boundaries; return the pieces between: (low bit, width)."""
        lows, end = variable.lows, low + width
        self._split(variable, low)
        self._split(variable, end)
        first = bisect_left(lows, low)
        last = bisect_left(lows, end)
        stops = [*lows[first + 1 : last], end]
        return [(start, stop - start) for start, stop in zip(lows[first:last], stops, strict=True)]

    def _split(self, variable: Variable, at: int) -> None:
        lows = variable.lows
        if at >= variable.width:
            return
        index = bisect_right(lows, at) - 1
        start = lows[index]
        if start == at:
            return
        lows.insert(index + 1, at)
        old, new, size = variable.key + start, variable.key + at, at - start
        slice_ = self.builder.slice
        for entries in (self.current, *self._live):
            if old not in entries:
                continue
            entry = entries[old]
            if entry is None:
                entries[new] = None  # type: ignore[assignment]  # only undo logs hold None
                continue
            value, enable = self.settle(entry[0]), entry[1]
            entries[old] = (slice_(value, 0, size), enable)
            entries[new] = (slice_(value, size, self.builder.width[value] - size), enable)

    # ----------------------------------------------------------------------------------------------- branches

    def speculate(self, path: Path, body: Callable[[], None]) -> Changes:
        """Run `body` on a path, undo what it changed, and return that."""
        outer = self.frame
        frame = self.frame = Frame(path)
        self._live.append(frame.saved)
        body()
        self._live.pop()
        self.frame = outer
        frame.close()
        frame.base.active = False
        current = self.current
        changes: Changes = {}
        for key, old in frame.saved.items():
            changes[key] = current[key]
            if old is None:
                del current[key]
            else:
                current[key] = old
        return changes

    def select(
        self,
        conditions: Sequence[int],
        bodies: Sequence[Callable[[], None] | None],
        other: Callable[[], None] | None,
        exclusive: bool,
        complete: bool = False,
        table: Table | None = None,
    ) -> None:
        """Run the first body whose condition holds, else `other`.

        `exclusive`: no two conditions hold together, so their order is free. `complete`: one always holds. `table`:
        the conditions say that a subject has one of some values.
        """
        rest = self.frame.path
        paths: list[Path] = []
        outcomes: list[Changes] = []
        live = len(self._live)
        for cond, body in zip(conditions, bodies, strict=True):
            path = Path(rest, cond)
            paths.append(path)
            if not exclusive:
                rest = Path(rest, cond, inverted=True)
            outcomes.append(self.speculate(path, body) if body is not None else {})
            self._live.append(outcomes[-1])
        if not complete:
            if exclusive:
                rest = Path(rest, self.any_of(conditions), inverted=True)
            paths.append(rest)
            outcomes.append(self.speculate(rest, other) if other is not None else {})
            self._live.append(outcomes[-1])
        del self._live[live:]
        if any(outcomes):
            self.join(Join(self, conditions, paths, outcomes, exclusive, table))

    def join(self, join: Join) -> None:
        """Store the merged outcome of branches."""
        touched: dict[int, list[int]] = {}
        for arm, changes in enumerate(join.outcomes):
            for key in changes:
                touched.setdefault(key, []).append(arm)
        for key, arms in touched.items():
            value, enable = join.merge(key, arms)
            self.store(key, value, enable)

    def narrow(self, left: dict[int, int], reached: int = 0) -> None:
        """Go on only where control flow has not left by a jump.

        `left` has, for the key of each open jump target's flag, the condition under which one went there; `reached` is
        the key of a target that was just reached, whose jumps no longer count.
        """
        frame = self.frame
        for path in frame.narrowed:
            if reached in path.flags:
                path.active = False
        frame.path = frame.base
        if left:
            frame.path = Path(frame.base, self.any_of(list(left.values())), inverted=True)
            frame.path.flags = tuple(left)
            frame.narrowed.append(frame.path)
