"""Find the root of a set in a forest of parents: union-find with path compression (Tarjan, 1975)."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def find_root(parents: dict[T, T], key: T) -> T:
    """Return what stands for all that is joined with `key`, and have its parents lead there at once.

    `parents` has what has been joined to something else; who joins two roots makes one the other's parent.
    """
    root = key
    while root in parents:
        root = parents[root]
    while key != root:
        parents[key], key = root, parents[key]
    return root
