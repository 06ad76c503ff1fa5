"""Give the addresses of code that lie in a simulation's memory names, and put other addresses in their places.

Threads, frames and delayed records say which function goes on with them. Where that is differs from process to process,
and in one run from tier to tier, so a state that leaves its process has names in these places. Compiled code can only
store the addresses that somebody gives it: those of exported symbols, which Python knows, and those that the code of a
module takes itself. Each module ends with a table of the latter, so they need no symbols of their own; such a function
is named by its table and its number there.

Words that hold the address of a function are found by their value. Values of signals are left alone whatever they are:
where they lie is known. Elsewhere (a frame, an object, a pending assignment) data that happens to be the address of one
of some thousand functions would be taken for it, which one word in 10^15 is.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from weft.base.dataclass import dataclass
from weft.engines.event.layout import value_bytes

if TYPE_CHECKING:
    from weft.engines.cpu.jit import Library
    from weft.engines.event.code_program import ProgramCode

_TAKEN = re.compile(r"ptrtoint ptr @([\w.]+) to i64")

Words = npt.NDArray[np.uint64]


def table_symbol(module: str | int) -> str:
    """Return the symbol of a module's table."""
    return f"weft_taken_{module}"


def with_table(text: str, module: str | int) -> str:
    """Return the text of a module with its table: how many functions it takes the address of, and those addresses."""
    names = list(dict.fromkeys(_TAKEN.findall(text)))
    entries = "".join(f", ptr @{name}" for name in names)
    kind = "".join(", ptr" for _ in names)
    return f"{text}\n@{table_symbol(module)} = constant {{ i64{kind} }} {{ i64 {len(names)}{entries} }}\n"


def name_addresses(libraries: Iterable[Library]) -> dict[int, str]:
    """Return the names of all functions of some libraries of the same program, by address."""
    names: dict[int, str] = {}
    for library in libraries:
        for symbol, address in library.addresses.items():
            if symbol.startswith(table_symbol("")):
                count = ctypes.c_uint64.from_address(address).value
                table = (ctypes.c_uint64 * count).from_address(address + 8)
                names.update({word: f"{symbol} {i}" for i, word in enumerate(table)})
        # A function in a table may have a symbol too; the name by its symbol is the same in all libraries.
        names.update({address: symbol for symbol, address in library.addresses.items()})
    return names


@dataclass(frozen=True, slots=True)
class CodeLinks:
    """Hold which words of a memory are addresses of code: for each its index, and the number of its name."""

    names: list[str]
    words: npt.NDArray[np.uint32]
    numbers: npt.NDArray[np.uint32]

    def enter(self, memory: Words, library: Library) -> None:
        """Write the addresses that the functions have in a library; raises KeyError if it lacks one."""
        known = {name: address for address, name in name_addresses([library]).items()}
        # One function may have several names, of which the last has been kept.
        known |= library.addresses
        addresses = np.array([known[name] for name in self.names], dtype=np.uint64)
        memory[self.words] = addresses[self.numbers]


def find_links(memory: Words, names: dict[int, str], code: ProgramCode, state: int) -> CodeLinks:
    """Return which words of a memory are addresses of code; `state` is where in it, in bytes, the instances begin."""
    known = np.array(sorted(names), dtype=np.uint64)
    found = np.flatnonzero((memory >= known[0]) & (memory <= known[-1]))
    at = np.searchsorted(known, memory[found])
    exact = (known[at] == memory[found]) & ~_in_signals(found, code, state)
    used, numbers = np.unique(at[exact], return_inverse=True)
    listed = [names[int(known[number])] for number in used]
    return CodeLinks(listed, found[exact].astype(np.uint32), numbers.astype(np.uint32))


def _in_signals(words: npt.NDArray[np.int64], code: ProgramCode, state: int) -> npt.NDArray[np.bool_]:
    """Say which words lie in the value of a signal of an instance."""
    starts: list[int] = []
    ends: list[int] = []
    for unit in code.codes.values():
        for signal, offset in unit.layout.signals.items():
            for node in unit.unit.nodes:
                starts.append(state + node.base + offset)
                ends.append(starts[-1] + value_bytes(signal))
    order = np.argsort(starts)
    first, last = np.array(starts, dtype=np.int64)[order], np.array(ends, dtype=np.int64)[order]
    if not len(first):
        return np.zeros(len(words), dtype=np.bool_)
    before = np.searchsorted(first, 8 * words, side="right") - 1
    return (before >= 0) & (8 * words < last[before])
