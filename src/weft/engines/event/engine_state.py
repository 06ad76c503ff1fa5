"""Copy the memory of an engine, and put it back: into the same engine, or into one of another process.

What another process has elsewhere is entered anew: addresses of code (`code_links`), of functions of Python, and of the
tables that say who watches a signal. All other addresses are of the arena itself, which must begin at the same place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weft.base.errors import InternalError
from weft.engines.event.code_links import CodeLinks, find_links, name_addresses
from weft.engines.event.records import (
    COPY_CALL,
    HEAP_COLLECTOR,
    HOST_CALL,
    RACE_CALL,
    SIGNAL_WATCHES,
    STEP_CALL,
    SWITCH_CALL,
    TEXT_CALL,
)

if TYPE_CHECKING:
    from weft.engines.event.engine import EventEngine

_OF_PYTHON = (HOST_CALL, RACE_CALL, COPY_CALL, TEXT_CALL, SWITCH_CALL, HEAP_COLLECTOR)
"""Words of the control block that are addresses of functions of Python, or of a node that Python has."""


def link_state(engine: EventEngine, content: bytes) -> CodeLinks:
    """Return where in a copy of the arena addresses of code are, to put it into another process."""
    if engine.code.records:
        raise InternalError("a state with regions is not for other processes")
    words = np.frombuffer(content[: len(content) // 8 * 8], dtype=np.uint64)
    return find_links(words, name_addresses(engine.libraries), engine.code, engine.state - engine.arena.base)


def restore_state(engine: EventEngine, content: bytes, links: CodeLinks | None = None) -> None:
    """Put back a copy of the arena, from another process if there are links.

    What Python watches is as it is now, not as it was then. Raises KeyError if a link leads nowhere.
    """
    engine.runner.drop()
    own = {offset: engine.word(offset) for offset in _OF_PYTHON}
    engine.arena.restore(content)
    if links is not None:
        links.enter(engine.arena.bytes[: len(content) // 8 * 8].view(np.uint64), engine.libraries[-1])
    for offset, word in own.items():
        engine.set_word(offset, word)
    if links is not None:
        _forget_watches(engine)
    engine.set_word(STEP_CALL, 0)
    engine.begin_recording()
    engine.forget_changes()
    engine.enter_watches(engine.watch_places)
    engine.second_tier.restored()


def _forget_watches(engine: EventEngine) -> None:
    for code in engine.code.codes.values():
        for offset in code.layout.signals.values():
            for node in code.unit.nodes:
                engine.set_word(node.base + offset - SIGNAL_WATCHES, 0)
