"""Words of the context and of tables, as LLVM IR: for the text of the run loops."""

from __future__ import annotations


def word(name: str, index: int, kind: str = "i64") -> str:
    """Return code that loads a word of the context as `%name`; `%name.p` is its address."""
    return field(name, "%c", index, kind)


def field(name: str, row: str, index: int, kind: str = "i64") -> str:
    """Return code that loads a word of a row as `%name`; `%name.p` is its address."""
    return f"  %{name}.p = getelementptr i64, ptr {row}, i64 {index}\n  %{name} = load {kind}, ptr %{name}.p\n"
