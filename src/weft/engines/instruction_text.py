"""The text of a function of LLVM IR while it is written: instructions, names, labels."""

from __future__ import annotations


class InstructionText:
    """Collect instructions; `here` is the label of the block that they go to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.here = "entry"
        self._count = 0

    def put(self, text: str) -> str:
        """Append an instruction and return the name of its result."""
        self._count += 1
        name = f"%t{self._count}"
        self.lines.append(f"{name} = {text}")
        return name

    def add(self, text: str) -> None:
        """Append an instruction without result."""
        self.lines.append(text)

    def label(self) -> str:
        """Return a fresh label."""
        self._count += 1
        return f"l{self._count}"

    def begin(self, label: str) -> None:
        """Start a block."""
        self.lines.append(f"{label}:")
        self.here = label
