"""Lay out the watches of signals: an array for each signal, and for a wide one an array for each of its bits.

A change walks the array of its signal. Most watches want nothing looked at: they are for any change of the signal, or
for an edge. So for each edge of bit 0 that a change may have, and for none, there is a *plain* array of all that it
makes ready, if that is known of every watch. Half of those who look at a clock want its other edge, so where many do,
and others look as well, the watches that an edge can wake have an array for each edge. Where a vector has many watches
of single bits (the nets of a netlist declared as one vector), a change of one bit would walk them all, a quadratic cost
in all; so such a signal has an *index*: for each bit the array of those watches that look at it, in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from weft.engines.event.records import (
    WATCH_ANY,
    WATCH_CALL,
    WATCH_ENTRIES,
    WATCH_EVALUATE,
    WATCH_FALLS,
    WATCH_INDEX,
    WATCH_NEGEDGE,
    WATCH_NODE,
    WATCH_PART,
    WATCH_PLAIN,
    WATCH_POSEDGE,
    WATCH_RECORD,
    WATCH_RISES,
    WATCH_SIZE,
    WATCH_WHOLE,
)

Entry = tuple[int, int, int, int, int]
"""A watch: the list, the kind, the bits from and to, the code."""

_EDGES = WATCH_POSEDGE | WATCH_NEGEDGE | WATCH_ANY
_LOOKS = WATCH_EVALUATE | WATCH_RECORD | WATCH_CALL
"""Kinds of watches that do something else than to make ready."""
_FEW = 16
"""So many watches are walked as fast as an index is looked up."""
_LEFT_OUT = 2
"""So many watches must want another edge for an edge to have its own array."""
_COPIES = 8
"""How many times the watches of a signal may be written down for the sake of its index."""


def lay_out_watches(entries: Mapping[int, Sequence[Entry]]) -> tuple[npt.NDArray[np.uint64], dict[int, int]]:
    """Return a table with the arrays of some signals, given by their places, and the address of each."""
    entries = {signal: _without_parts(found) for signal, found in entries.items()}
    indexed = {signal: _by_bit(found) for signal, found in entries.items()}
    plain = {signal: _plain(found) for signal, found in entries.items()}
    edges = {
        signal: {} if indexed[signal] else _by_edge(found, plain[signal].keys()) for signal, found in entries.items()
    }
    words = 0
    for signal, found in entries.items():
        bits = indexed[signal]
        words += sum(len(part) + 1 for part in set(plain[signal].values()))
        words += _words(found) + (1 + len(bits) + sum(_words(part) for part in bits if part) if bits else 0)
        words += sum(map(_words, edges[signal].values()))
    table = np.zeros(words + 1, dtype=np.uint64)
    base, at = table.ctypes.data, 0

    def write(found: Sequence[Entry]) -> int:
        nonlocal at
        start = at
        table[at] = len(found) | _wanted(found) << 32
        at += WATCH_ENTRIES // 8
        for site, kind, low, high, function in found:
            table[at : at + WATCH_SIZE // 8] = (site, kind, low | min(high, 0xFFFFFFFF) << 32, function)
            at += WATCH_SIZE // 8
        return start

    places: dict[int, int] = {}
    for signal, found in entries.items():
        start = write(found)
        places[signal] = base + 8 * start
        for field, part in edges[signal].items():
            table[start + field // 8] = base + 8 * write(part)
        written: dict[tuple[int, ...], int] = {}
        for edge, part in plain[signal].items():
            if part not in written:
                written[part] = base + 8 * at
                table[at : at + len(part)] = part
                at += len(part) + 1
            table[start + WATCH_PLAIN // 8 + edge] = written[part]
        bits = indexed[signal]
        if bits:
            index = at
            table[start + WATCH_INDEX // 8] = base + 8 * index
            table[index] = len(bits)
            at += 1 + len(bits)
            for bit, part in enumerate(bits):
                table[index + 1 + bit] = base + 8 * write(part) if part else 0
    return table, places


def _without_parts(found: Sequence[Entry]) -> list[Entry]:
    """Return watches without those of parts of a signal by who looks at all of it, too."""
    any_part = [entry for entry in found if entry[1] & WATCH_PART]
    whole = {entry[0]: entry for entry in found if any_part and entry[1] & WATCH_WHOLE and entry[1] & WATCH_ANY}
    kept = dict[tuple[int, ...], Entry]()
    for number, entry in enumerate(found):
        joined = entry[0] in whole and entry[1] & WATCH_ANY
        kept.setdefault((entry[0],) if joined else (entry[0], number), whole[entry[0]] if joined else entry)
    return list(kept.values())


def _words(found: Sequence[Entry]) -> int:
    return (WATCH_ENTRIES + WATCH_SIZE * len(found)) // 8


def _wanted(found: Sequence[Entry]) -> int:
    """Return the edges that some watches look for, all edges if one looks for something else."""
    wanted = 0
    for _, kind, *_ in found:
        wanted |= kind & _EDGES or _EDGES
    return wanted


def _plain(found: Sequence[Entry]) -> dict[int, tuple[int, ...]]:
    """Return what a change with each edge of bit 0, or none, makes ready, where no watch has to be looked at."""
    chosen: dict[int, tuple[int, ...]] = {}
    for edge in range((WATCH_POSEDGE | WATCH_NEGEDGE) + 1):
        part = [entry for entry in found if entry[1] & (edge | WATCH_ANY | _LOOKS)]
        if all(kind & WATCH_WHOLE and not kind & _LOOKS for _, kind, *_ in part):
            chosen[edge] = tuple(place if kind & WATCH_NODE else place + 1 for place, kind, *_ in part)
    return chosen


def _by_edge(found: Sequence[Entry], plain: Collection[int]) -> dict[int, list[Entry]]:
    """Return the watches that a rising and a falling edge can wake, where that leaves enough of them out.

    Edges that have a plain array need no other.
    """
    chosen: dict[int, list[Entry]] = {}
    for field, edge in ((WATCH_RISES, WATCH_POSEDGE), (WATCH_FALLS, WATCH_NEGEDGE)):
        if edge in plain:
            continue
        part = [entry for entry in found if _wanted([entry]) & (edge | WATCH_ANY)]
        if len(part) + _LEFT_OUT <= len(found):
            chosen[field] = part
    return chosen


def _by_bit(found: Sequence[Entry]) -> list[list[Entry]]:
    """Return for each bit the watches that look at it; nothing if an index is not worth its size."""
    if len(found) <= _FEW:
        return []
    if sum(high - low for _, _, low, high, _ in found) > _COPIES * len(found):
        return []
    bits: list[list[Entry]] = [[] for _ in range(max(high for _, _, _, high, _ in found))]
    for entry in found:
        for bit in range(entry[2], entry[3]):
            bits[bit].append(entry)
    return bits
