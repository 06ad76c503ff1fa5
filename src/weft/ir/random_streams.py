"""The streams of random numbers that processes have (IEEE 1800-2023 18.14): their names, states and first states.

The state of a stream is one 64-bit word. The generator is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom
number generators, OOPSLA 2014): the state goes up by a constant, and each draw is a mix of the bits of the state. What
a stream begins with is decided by the process's place in the hierarchy and among the processes of its module, so it is
the same whatever else a design has, and whichever engine runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from weft.ir.design import Kind, Process
from weft.ir.walk import may_draw_in

GOLDEN = 0x9E3779B97F4A7C15
"""What the state goes up by."""
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""The rounds of a mix: xor with the bits shifted to the right, then multiply."""
LAST_SHIFT = 31
"""The shift of the mix's last xor."""

DECLARED = 1
"""The first state of the stream that the initialisers of variables draw from."""

_SEED_STEP = 0xD1342543DE82EF95
"""An odd constant that keeps the first states of runs apart."""
_WORD = (1 << 64) - 1
_STATE = "$urandom"


def stream_names(processes: Iterable[Process]) -> list[str]:
    """Return what stands for each process of a module where its stream begins.

    What may be in a region of mixed execution instead counts only if it draws.
    """
    names: list[str] = []
    numbers = {True: 0, False: 0}
    for process in processes:
        loops = process.kind in (Kind.COMB, Kind.EVENTS)
        names.append(f"{'loop' if loops else 'procedure'} {numbers[loops]}")
        numbers[loops] += not loops or may_draw_in(process.body)
    return names


def first_state(path: str, name: str) -> int:
    """Return the first state of the stream of an instance's process."""
    return int.from_bytes(hashlib.blake2b(f"{path} {name}".encode(), digest_size=8).digest(), "little")


def moved_state(state: int, seed: int) -> int:
    """Return a first state for the runs of a seed; that of 0 is the state itself."""
    return seed * _SEED_STEP + state & _WORD


def state_name(name: str) -> str:
    """Return the name of the variable that holds a stream in the instance of its process."""
    return name + _STATE


def stream_of(variable: str) -> int | None:
    """Return the first state of the stream that a variable holds, by the variable's path; None if it holds none."""
    path, _, name = variable.rpartition(".")
    return first_state(path, name.removesuffix(_STATE)) if name.endswith(_STATE) else None
