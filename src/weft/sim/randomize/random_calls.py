"""The calls of random variables' methods and of the streams of random numbers (IEEE 1800-2023 18.6 to 18.14)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.base.errors import UserError
from weft.engines.event.code_classes import OBJECT_SEED
from weft.engines.event.host_sites import HostSite
from weft.engines.event.records import NODE_SEED, PROCESS_THREAD
from weft.sim.event_containers import number
from weft.sim.format_arguments import Value
from weft.sim.random_sequence import random32
from weft.sim.randomize.random_stream import seeded

if TYPE_CHECKING:
    from weft.sim.event_simulation import EventSimulation

Outputs = dict[int, Any]
RandomCall = Callable[["EventSimulation", HostSite, list[Any]], tuple[Any, Outputs]]

_ONES = 0xFFFFFFFF
_HALF = 1 << 31


def _randomize(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    return simulation.randomizer.randomize(site.extra, args, site.span)


# ------------------------------------------------------------------------------------------- modes


def _object(site: HostSite, handle: Any) -> int:
    if not handle:
        raise UserError("null-handle", "a null handle is used here", site.span)
    return int(handle)


def _rand_mode(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Do `rand_mode`: with a value switch one property or all on or off, else say whether one is on (18.8)."""
    randomizer = simulation.randomizer
    handle = _object(site, args[0])
    name = args[1] if len(args) > 1 and isinstance(args[1], str) else ""
    rest = args[2:] if name or (len(args) > 1 and isinstance(args[1], str)) else args[1:]
    known = randomizer.random_class(randomizer.class_of(handle)).names
    if name and name not in known:
        raise UserError("bad-random-call", f"'{name}' is not random", site.span)
    if not rest:
        return int(handle not in randomizer.modes or name not in randomizer.modes[handle].random), {}
    chosen = {name} if name else set(known)
    off = randomizer.mode(handle).random
    if number(rest[0]):
        off -= chosen
    else:
        off |= chosen
    return None, {}


def _constraint_mode(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Do `constraint_mode` likewise; a static constraint is switched for all objects (18.9)."""
    randomizer = simulation.randomizer
    handle = _object(site, args[0])
    named = len(args) > 1 and isinstance(args[1], str)
    name, rest = (args[1] if named else ""), args[2 if named else 1 :]
    blocks = randomizer.random_class(randomizer.class_of(handle)).blocks
    chosen = [(block, owner) for block, owner in blocks if not name or block.name == name]
    if name and not chosen:
        raise UserError("bad-random-call", f"there is no constraint '{name}'", site.span)
    if not rest:
        return int(any(block is chosen[0][0] for block in randomizer.active_blocks(handle))), {}
    on = bool(number(rest[0]))
    off = randomizer.mode(handle).constraints
    for block, owner in chosen:
        names: set[Any] = randomizer.static_off if block.static else off
        key: Any = (owner.key, block.name) if block.static else block.name
        (names.discard if on else names.add)(key)
    return None, {}


# ------------------------------------------------------------------------------------------- streams


def _object_seed(simulation: EventSimulation, site: HostSite, handle: Any) -> int:
    return _object(site, handle) + OBJECT_SEED


def _process_seed(simulation: EventSimulation, site: HostSite, handle: Any) -> int:
    thread = ctypes.c_uint64.from_address(_object(site, handle) + PROCESS_THREAD).value
    if not thread:
        raise UserError("bad-random-call", "a process that has ended has no random numbers", site.span)
    return thread + NODE_SEED


Where = Callable[["EventSimulation", HostSite, Any], int]


def _srandom(where: Where) -> RandomCall:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        ctypes.c_uint64.from_address(where(simulation, site, args[0])).value = seeded((number(args[1]) or 0) & _ONES)
        return None, {}

    return perform


def _get_state(where: Where) -> RandomCall:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        return f"{ctypes.c_uint64.from_address(where(simulation, site, args[0])).value:016x}", {}

    return perform


def _set_state(where: Where) -> RandomCall:
    def perform(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
        text = args[1] if isinstance(args[1], str) else ""
        if isinstance(args[1], Value):
            text = args[1].value.to_bytes((args[1].width + 7) // 8, "big").lstrip(b"\0").decode("latin-1")
        try:
            state = int(text, 16) if len(text) == 16 else None
        except ValueError:
            state = None
        if state is None:
            raise UserError("bad-random-call", "this string is no state of random numbers", site.span)
        ctypes.c_uint64.from_address(where(simulation, site, args[0])).value = state
        return None, {}

    return perform


def _urandom(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    """Do `$urandom`: of the running thread's stream, or of the seed that is given, which goes on by itself."""
    if args and args[0] is not None:
        drawn, seed = random32((number(args[0]) or 0) & _ONES)
        seed = Value(32, seed & _ONES)
        return Value(32, (drawn + _HALF) & _ONES), {0: seed}
    with simulation.randomizer.thread_stream() as stream:
        return Value(32, stream.bits(32)), {}


def _urandom_range(simulation: EventSimulation, site: HostSite, args: list[Any]) -> tuple[Any, Outputs]:
    bounds = [(number(argument) or 0) & _ONES for argument in args if argument is not None]
    low, high = sorted((bounds[0], bounds[1] if len(bounds) > 1 else 0))
    with simulation.randomizer.thread_stream() as stream:
        return Value(32, low + stream.below(high - low + 1)), {}


RANDOM_CALLS: dict[str, RandomCall] = {
    "$weft$randomize": _randomize,
    "class.rand_mode": _rand_mode,
    "class.constraint_mode": _constraint_mode,
    **{f"{kind}.srandom": _srandom(where) for kind, where in (("class", _object_seed), ("process", _process_seed))},
    **{
        f"{kind}.get_randstate": _get_state(where)
        for kind, where in (("class", _object_seed), ("process", _process_seed))
    },
    **{
        f"{kind}.set_randstate": _set_state(where)
        for kind, where in (("class", _object_seed), ("process", _process_seed))
    },
    "$urandom": _urandom,
    "$urandom_range": _urandom_range,
}
"""What performs the calls."""
