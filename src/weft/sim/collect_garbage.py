"""Free objects, strings and containers that nothing names any more.

The collector runs in the postponed region, when the bytes of objects or the number of handles have doubled since it
last ran: then no code of the design is under way, and all that is alive is reached from the memory of the instances,
from threads and their frames, from delayed updates, and from containers and mailboxes that are alive themselves.
Marking is conservative: a word that looks like a handle or an address keeps what it would name (`heap_kernels`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass, field
from weft.engines.event.heap_kernels import (
    AREA_COUNT,
    AREA_FOUND,
    AREA_FOUND_COUNT,
    AREA_HANDLE_MARKS,
    AREA_HANDLES,
    AREA_MARKS,
    AREA_OBJECTS,
    AREA_ODD,
    AREA_STACK,
    AREA_WORDS,
)
from weft.engines.event.records import (
    ACTIVE,
    EARLIEST,
    FRAME_CALLER,
    FRAME_CLASS,
    FRAME_OUTER,
    HEAP_BUFFER,
    HEAP_BYTES,
    HEAP_COLLECTOR,
    HEAP_LENGTH,
    HEAP_LIMIT,
    INACTIVE,
    NBA_BUFFER,
    NBA_LENGTH,
    NODE_BASE,
    NODE_CHILDREN,
    NODE_CODE,
    NODE_FRAME,
    NODE_NEXT,
    NODE_RETURNED,
    NODE_SIBLING,
    NODE_SIZE,
    OBSERVED,
    POSTPONED,
    RE_INACTIVE,
    RE_NBA_BUFFER,
    RE_NBA_LENGTH,
    REACTIVE,
    RECORD_CONTENTS,
    RECORD_SIZE,
    WHEEL_LEVELS,
    WHEEL_SLOTS,
)
from weft.engines.event.value_types import WORDS
from weft.ir.design import Type
from weft.sim.event_containers import KeptMap
from weft.sim.event_texts import release_texts
from weft.sim.format_arguments import Value

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

LEAST_BYTES = 4 << 20
"""How many bytes of objects there may be before the first collection."""
LEAST_HANDLES = 1 << 15
"""How many handles there may be before it."""

Words = npt.NDArray[np.uint64]


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


@dataclass(slots=True, eq=False)
class Collector:
    """Collect for one simulation. `runs` counts the collections."""

    simulation: EventSimulation
    runs: int = 0
    _node: Words = field(init=False)
    _callback: Any = None
    _odd: bool | None = None

    def begin(self) -> None:
        """Have the engine ask for the collector when it is time."""
        engine, handles = self.simulation.engine, self.simulation.handles
        # Between time steps the node is in no list, so it need not be part of a state.
        self._node = np.zeros(NODE_SIZE // 8, dtype=np.uint64)
        self._callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(self._run)
        self._node[NODE_CODE // 8] = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        engine.set_word(HEAP_COLLECTOR, self._node.ctypes.data)
        engine.set_word(HEAP_LIMIT, LEAST_BYTES)
        handles.limit = LEAST_HANDLES
        handles.full = lambda: engine.call("collect_later", engine.state)

    def _run(self, node: int, state: int) -> int:
        engine = self.simulation.engine
        try:
            self.collect()
        except BaseException as error:
            engine.error = engine.error or error
            engine.request_stop()
        return 0

    # ------------------------------------------------------------------------------------------- collecting

    def collect(self) -> None:
        """Free everything that is not reached; no code of the design may be under way."""
        engine, handles = self.simulation.engine, self.simulation.handles
        self.runs += 1
        count = engine.word(HEAP_LENGTH)
        objects = np.sort(_words_at(engine.word(HEAP_BUFFER), count)) if count else np.zeros(0, dtype=np.uint64)
        marks = np.zeros(count + 1, dtype=np.uint8)
        handle_marks = np.zeros(len(handles.values), dtype=np.uint8)
        found = np.zeros(len(handles.values) + 1, dtype=np.uint64)
        stack = np.zeros(count + 2, dtype=np.uint64)
        area = np.zeros(AREA_WORDS, dtype=np.uint64)
        for at, value in (
            (AREA_OBJECTS, objects.ctypes.data),
            (AREA_COUNT, count),
            (AREA_MARKS, marks.ctypes.data),
            (AREA_STACK, stack.ctypes.data),
            (AREA_HANDLES, len(handles.values)),
            (AREA_HANDLE_MARKS, handle_marks.ctypes.data),
            (AREA_FOUND, found.ctypes.data),
            (AREA_ODD, int(self._any_odd())),
        ):
            area[at // 8] = value

        def mark(words: Words) -> None:
            engine.call("heap_mark", words.ctypes.data, len(words), area.ctypes.data)

        for words in self._roots(objects):
            mark(words)
        done = 0
        while done < int(area[AREA_FOUND_COUNT // 8]):
            for handle in found[done : int(area[AREA_FOUND_COUNT // 8])].tolist():
                done += 1
                words = _contents(handles.values[handle])
                if words is not None:
                    mark(words)
        self._sweep(objects, marks[:count].astype(bool), handle_marks.astype(bool))

    def _sweep(self, objects: Words, alive: npt.NDArray[np.bool_], used: npt.NDArray[np.bool_]) -> None:
        engine, simulation = self.simulation.engine, self.simulation
        dead = objects[~alive]
        kept = objects[alive]
        simulation.randomizer.forget(dead.tolist())
        if len(dead):
            # What containers give back here must not ask for another collection.
            engine.set_word(HEAP_LIMIT, 1 << 62)
            engine.call("heap_free", dead.ctypes.data, len(dead), engine.state)
        if len(kept):
            ctypes.memmove(engine.word(HEAP_BUFFER), kept.ctypes.data, 8 * len(kept))
        engine.set_word(HEAP_LENGTH, len(kept))
        total = engine.call("heap_total", kept.ctypes.data, len(kept))
        engine.set_word(HEAP_BYTES, total)
        engine.set_word(HEAP_LIMIT, max(LEAST_BYTES, 2 * total))
        unused = np.flatnonzero(~used).tolist()
        release_texts(simulation, unused)
        simulation.handles.release(unused)
        simulation.handles.limit = max(LEAST_HANDLES, 2 * simulation.handles.used)

    # ------------------------------------------------------------------------------------------- roots

    def _roots(self, objects: Words) -> Iterator[Words]:
        """Yield all memory that is alive by itself."""
        engine = self.simulation.engine
        yield np.arange(1 + len(engine.code.texts), dtype=np.uint64)
        yield engine.memory[: len(engine.memory) // 8 * 8].view(np.uint64)
        yield from engine.keeps()
        for buffer, length in ((NBA_BUFFER, NBA_LENGTH), (RE_NBA_BUFFER, RE_NBA_LENGTH)):
            if engine.word(length):
                yield _words_at(engine.word(buffer), engine.word(length) // 8)
        seen: set[int] = set()
        low, high = engine.state, engine.state + len(engine.memory)
        threads = [engine.state + node.base + plan.offset for node, plan in engine.threads if plan.whole]
        threads += [node for node in self._listed() if not low <= node < high]
        records = engine.addresses("run_record") | engine.addresses("run_record_nba")
        while threads:
            node = threads.pop()
            if node in seen:
                continue
            seen.add(node)
            if _word(node + NODE_CODE) in records:
                yield _words_at(node + RECORD_CONTENTS, _word(node + RECORD_SIZE) // 8)
                continue
            if not low <= node < high:
                yield _words_at(node, NODE_SIZE // 8)
            child = _word(node + NODE_CHILDREN)
            while child:
                threads.append(child)
                child = _word(child + NODE_SIBLING)
            yield from self._frames(node, seen, low, high)
        used = np.zeros(len(objects), dtype=np.uint64)
        yield used[: engine.call("heap_awaited", objects.ctypes.data, len(objects), used.ctypes.data)]

    def _frames(self, node: int, seen: set[int], low: int, high: int) -> Iterator[Words]:
        """Yield the frames of a thread, those around them and those of its callers."""
        frames = [_word(node + at) for at in (NODE_FRAME, NODE_BASE, NODE_RETURNED)]
        static = [(room.ctypes.data, room.ctypes.data + room.nbytes) for room in self.simulation.engine.keeps()]
        while frames:
            frame = frames.pop()
            if not frame or frame in seen:
                continue
            seen.add(frame)
            if not any(first <= frame < last for first, last in static):
                size = 64 << ctypes.c_uint32.from_address(frame + FRAME_CLASS).value
                yield _words_at(frame, size // 8)
            frames += [_word(frame + FRAME_OUTER), _word(frame + FRAME_CALLER)]

    def _listed(self) -> Iterator[int]:
        """Yield all nodes that wait for a time, in a region, or for a change."""
        engine = self.simulation.engine
        regions = [ACTIVE, INACTIVE, REACTIVE, RE_INACTIVE, OBSERVED, POSTPONED, EARLIEST]
        heads = [engine.state + at for at in regions]
        heads += [engine.state + WHEEL_SLOTS + 16 * i for i in range(64 * WHEEL_LEVELS)]
        for code in engine.code.codes.values():
            for node in code.unit.nodes:
                heads += [engine.state + node.base + site.offset for site in code.sites]
        for head in heads:
            node = _word(head)
            while node:
                yield node
                node = _word(node + NODE_NEXT)

    def _any_odd(self) -> bool:
        """Say whether a handle may begin anywhere but at a whole word: inside a struct that is one vector."""
        if self._odd is None:
            code = self.simulation.engine.code
            types = [member.type for found in code.design.design.classes for member in found.fields]
            for unit in code.codes.values():
                types += [signal.type for signal in unit.layout.signals]
                types += [local.type for function in unit.unit.module.functions for local in function.locals]
            for frame in code.frames:
                types += [signal.type for signal in frame.signals]
            self._odd = any(_is_odd(kind) for kind in types)
        return self._odd


def _words_at(address: int, count: int) -> Words:
    if not count:
        return np.zeros(0, dtype=np.uint64)
    return np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(address))


def _is_odd(kind: Type) -> bool:
    """Say whether a type has handles among other members."""
    if kind.kind in ("struct", "union") and any(_has_words(member) for _, _, member in kind.members):
        return True
    return kind.element is not None and _is_odd(kind.element)


def _has_words(kind: Type) -> bool:
    return kind.kind in WORDS or any(_has_words(member) for _, _, member in kind.members)


def _contents(value: object) -> Words | None:
    """Return the words in a container or mailbox that may be handles."""
    match value:
        case KeptMap():
            element = value.type.element
            items = list(value.entries.values())
            if value.default is not None:
                items.append(value.default)
            vectors = element is None or _has_words(element)
        case _:
            return None
    words: list[int] = []
    for item in items:
        if isinstance(item, int):
            words.append(item & 0xFFFFFFFFFFFFFFFF)
        elif vectors and isinstance(item, Value) and item.width >= 64:
            size = (item.width + 63) // 64 * 8
            words += np.frombuffer(item.value.to_bytes(size, "little"), dtype=np.uint64).tolist()
    return np.array(words, dtype=np.uint64) if words else None
