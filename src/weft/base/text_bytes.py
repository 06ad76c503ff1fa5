r"""Text as the bytes that a design sees: source text is UTF-8, and an escape such as `\377` may put in any byte.

A byte that is no UTF-8 is a lone surrogate in the text (Python's `surrogateescape`), so nothing is lost either way.
"""

from __future__ import annotations


def text_bytes(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def bytes_text(data: bytes) -> str:
    """Return bytes as a text."""
    return data.decode("utf-8", "surrogateescape")


def latin_text(text: str) -> str:
    """Return text with one character for each byte, as the strings of a running design have it."""
    return text if text.isascii() else text_bytes(text).decode("latin-1")
