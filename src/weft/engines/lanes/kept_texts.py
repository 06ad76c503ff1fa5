"""Remember which texts the kernels of a lane program are compiled from, so that a later start writes none.

Machine code is kept under the digest of its text, and writing a text takes longer than loading the code. So the digests
are entries of the cache too, under the program's own key and what else decides the text (as `engines.cpu.unit_index`
has it for the cycle engine). An entry that is missing or damaged costs the writing, nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from weft.base.cache_label import Label
from weft.ir.lane_program import LaneProgram


class KernelCache(Protocol):
    """Keep machine code and what is known of it: the batch's maker hands a cache over."""

    def load(self, key: str) -> bytes | None:
        """Return what is stored under a key, or None."""
        ...

    def store(self, key: str, data: bytes, label: Label | None = None) -> None:
        """Keep an entry."""
        ...


def find_digest(cache: KernelCache | None, program: LaneProgram, *words: object) -> str:
    """Return the digest of the text that `words` name, or an empty text if it is not known."""
    found = cache.load(_key(program, words)) if cache is not None and program.key else None
    return "" if found is None else found.decode(errors="replace")


def keep_digest(cache: KernelCache | None, program: LaneProgram, digest: str, *words: object) -> None:
    """Remember the digest of a text."""
    if cache is not None and program.key:
        cache.store(_key(program, words), digest.encode(), Label("units"))


def _key(program: LaneProgram, words: tuple[object, ...]) -> str:
    return hashlib.sha256("|".join(["lane text", program.key, *map(repr, words)]).encode()).hexdigest()
