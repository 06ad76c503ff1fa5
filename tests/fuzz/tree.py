"""Source text as a tree that can be shrunk: the fuzzer's modules are built of these nodes.

A node is a template with numbered holes and the nodes that fill them. Its role says what may stand in its place when a
failing module is made smaller: an expression by one of its own operands or a constant, a statement by one of its parts
or nothing, an element of a list by nothing. Nothing here knows Verilog's types, for almost any expression may stand
where another one stood; a candidate that the peers refuse is simply not kept.

Icarus 11 lacks much of SystemVerilog. `either` writes a piece twice: as it is, and in words that mean the same and that
Icarus knows. `dialect` chooses when the text is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Node:
    """Be a piece of source text. `role` is `expr`, `stmt`, `item`, `list` or `fixed`; a `list` joins its children."""

    role: str
    template: str
    children: list[Node] = field(default_factory=list["Node"])

    def render(self) -> str:
        """Return the text."""
        parts = [child.render() for child in self.children]
        if self.role == "list":
            return self.template.join(parts)
        return self.template.format(*parts)

    def size(self) -> int:
        """Return the number of nodes below and with this one."""
        return 1 + sum(child.size() for child in self.children)

    def copy(self) -> Node:
        """Return a deep copy."""
        return Node(self.role, self.template, [child.copy() for child in self.children])


def expr(template: str, *children: Node) -> Node:
    """Return an expression."""
    return Node("expr", template, list(children))


def stmt(template: str, *children: Node) -> Node:
    """Return a statement."""
    return Node("stmt", template, list(children))


def item(template: str, *children: Node) -> Node:
    """Return a module item, which may be left out."""
    return Node("item", template, list(children))


def several(children: list[Node], separator: str = "\n") -> Node:
    """Return a list, any of whose elements may be left out."""
    return Node("list", separator, children)


def fixed(template: str, *children: Node) -> Node:
    """Return a piece that must stay."""
    return Node("fixed", template, list(children))


_MODERN, _OLD, _END = "\x01", "\x02", "\x03"


def either(modern: str, old: str) -> str:
    """Return a template of SystemVerilog that stands for the same in older words; they may nest."""
    return f"{_MODERN}{modern}{_OLD}{old}{_END}"


def dialect(text: str, modern: bool) -> str:
    """Return a rendered text with one side of each `either`."""
    parts: list[str] = []
    kept = [True]
    for piece in re.split(f"([{_MODERN}{_OLD}{_END}])", text):
        if piece == _MODERN:
            kept.append(kept[-1] and modern)
        elif piece == _OLD:
            kept[-1] = kept[-2] and not modern
        elif piece == _END:
            kept.pop()
        elif kept[-1]:
            parts.append(piece)
    return "".join(parts)


_EMPTY = {"stmt": ";", "item": ""}
_CONSTANTS = ("1'b0", "1'b1")


def _descendants(node: Node, role: str) -> Iterator[Node]:
    for child in node.children:
        if child.role == role:
            yield child
        else:
            yield from _descendants(child, role)


def _replacements(node: Node) -> Iterator[Node]:
    """Yield what may stand in the place of a node, smallest text first where it matters."""
    if node.role in _EMPTY:
        if node.template != _EMPTY[node.role] or node.children:
            yield Node(node.role, _EMPTY[node.role])
        yield from _descendants(node, node.role)
    elif node.role == "expr" and (node.children or node.template not in _CONSTANTS):
        if node.children:
            yield from (Node("expr", text) for text in _CONSTANTS)
            yield from _descendants(node, "expr")
        elif len(node.template) > 4:
            yield from (Node("expr", text) for text in _CONSTANTS)


def _set(node: Node, other: Node) -> None:
    node.role, node.template, node.children = other.role, other.template, other.children


def _delete_runs(node: Node, root: Node, fails: Callable[[Node], bool]) -> bool:
    """Leave out runs of a list's elements, long ones first (delta debugging, Zeller and Hildebrandt 2002)."""
    changed = False
    length = max(1, len(node.children) // 2)
    while length:
        at = 0
        while at < len(node.children):
            removed = node.children[at : at + length]
            del node.children[at : at + length]
            if removed and fails(root):
                changed = True
            else:
                node.children[at:at] = removed
                at += length
        length //= 2
    return changed


def _shrink_node(node: Node, root: Node, fails: Callable[[Node], bool]) -> bool:
    changed = node.role == "list" and _delete_runs(node, root, fails)
    for candidate in list(_replacements(node)):
        before = Node(node.role, node.template, node.children)
        if candidate.size() > before.size() or candidate.render() == before.render():
            continue
        _set(node, candidate)
        if fails(root):
            changed = True
            break
        _set(node, before)
    for child in list(node.children):
        changed |= _shrink_node(child, root, fails)
    return changed


def _lists(node: Node) -> Iterator[Node]:
    if node.role == "list":
        yield node
    for child in node.children:
        yield from _lists(child)


def prune(root: Node, fails: Callable[[Node], bool]) -> Node:
    """Return a tree with fewer list elements for which `fails` still holds; what comes last goes first.

    Later elements use what earlier ones declare, so this order takes away most of a source in few steps.
    """
    root = root.copy()
    for node in reversed(list(_lists(root))):
        _delete_runs(node, root, fails)
    return root


def shrink(root: Node, fails: Callable[[Node], bool], rounds: int = 8) -> Node:
    """Return a smaller tree for which `fails` still holds; `root` itself is not changed."""
    root = root.copy()
    for _ in range(rounds):
        if not _shrink_node(root, root, fails):
            break
    return root
