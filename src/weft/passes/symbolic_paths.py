"""Conditions and values of symbolic execution that become nodes only when somebody needs them."""

from __future__ import annotations

from weft.ir.graph_builder import GraphBuilder


def conjunction(builder: GraphBuilder, a: int, b: int) -> int:
    """Return `a & b` of two 1-bit nodes."""
    for x, y in ((a, b), (b, a)):
        known = builder.value(x)
        if known is not None:
            return y if known else x
    return builder.add("and", 1, a, b)


class Path:
    """Be a condition that holds while some statements run: `parent` and `cond`, or its complement."""

    __slots__ = ("active", "cond", "flags", "inverted", "known", "parent")

    def __init__(self, parent: Path | None, cond: int, inverted: bool = False) -> None:
        self.parent, self.cond, self.inverted = parent, cond, inverted
        self.active = True  # while the statements that run are inside it
        self.known = -1 if parent is not None else cond
        self.flags: tuple[int, ...] = ()  # of a narrowed path: the jump targets it excludes

    def node(self, builder: GraphBuilder) -> int:
        """Return the whole condition as a node; made only when somebody needs it."""
        chain: list[Path] = []
        path: Path = self
        while path.known < 0:
            chain.append(path)
            assert path.parent is not None
            path = path.parent
        node = path.known
        for path in reversed(chain):
            cond = builder.add("not", 1, path.cond) if path.inverted else path.cond
            node = path.known = conjunction(builder, node, cond)
        return node


class Choice:
    """Be a value assigned under a narrowed path: `then` on that path, else `other`.

    It becomes a mux only when somebody off the path needs it; so the counter of a loop that may be left by data stays
    a constant inside the loop.
    """

    __slots__ = ("node", "other", "path", "then")

    def __init__(self, path: Path, then: int, other: int | Choice) -> None:
        self.path, self.then, self.other = path, then, other
        self.node = -1


Entry = tuple[int | Choice, Path | int]
"""What a piece holds: a value, and when it was assigned."""

Changes = dict[int, Entry | None]
