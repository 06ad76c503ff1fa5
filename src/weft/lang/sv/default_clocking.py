"""Which clocking block is a module's default one."""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from pyslang import ast


def default_clocking(body: ast.InstanceBodySymbol) -> ast.ClockingBlockSymbol | None:
    """Return the default clocking block that a module body declares or names (IEEE 1800-2023 14.12)."""
    blocks = [member for member in body if isinstance(member, ast.ClockingBlockSymbol)]
    for block in blocks:
        word = getattr(block.syntax, "globalOrDefault", None)
        if word is not None and word.valueText == "default":
            return block
    for member in getattr(body.definition.syntax, "members", ()):
        name = getattr(member, "name", None)
        if type(member).__name__ == "DefaultClockingReferenceSyntax" and name is not None:
            return next((block for block in blocks if block.name == name.valueText), None)
    return None
