"""Give compiled code the characters of strings, whose handles Python gives out (`engines.event.text_kernels`)."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from weft.engines.event.text_kernels import TEXT_BYTES

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation


def fetch_text(simulation: EventSimulation, handle: int) -> int:
    """Put the characters of a string into compiled memory, for as long as its handle is in use; return the address."""
    data = simulation.handles.text(handle).encode("latin-1", "replace")
    engine = simulation.engine
    block = engine.call("weft_malloc", TEXT_BYTES + len(data))
    ctypes.memmove(block, len(data).to_bytes(TEXT_BYTES, "little") + data, TEXT_BYTES + len(data))
    return engine.call("text_keep", handle, block, engine.state)


def release_texts(simulation: EventSimulation, handles: list[int]) -> None:
    """Forget the characters of strings whose handles are taken back."""
    words = np.array(handles, dtype=np.uint64)
    simulation.engine.call("text_release", words.ctypes.data, len(words), simulation.engine.state)
