"""Pass the seed of `$random` from process to process.

All processes draw from one seed (IEEE 1800-2023 20.14). Those that run in one step do so one after the other: by
modules, outer ones before those that they instantiate, then as they stand in the module, and then by instances. That
is the order in which the event engine wakes those who wait for one edge. Those whose clock is made in the same step,
with blocking assignments, come later (`assign_domains`).
So what the seed is for a process is a chain: for each process before it, what that makes of the seed if it runs and
draws, else what it was. When a clock edge is compiled, links of processes that wait for other edges fold away.

The end of the chain is the seed's next value. Each domain that draws writes it: the same value, if several fire.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.ir.cone_graph import Write
from weft.passes.assign_domains import NEVER, DomainTable
from weft.passes.elaborate_instances import Hierarchy, InstancePlace
from weft.passes.fragment import Draw
from weft.passes.link_items import LinkedItems


def connect_draws(
    hierarchy: Hierarchy, items: LinkedItems, build: Callable[[int], int], domains: DomainTable
) -> list[Write]:
    """Connect what reads the seed, and return the writes of it; nothing that reads it was built before."""
    draws = [(place, draw) for place in hierarchy.places for draw in place.plan.fragment.draws]
    if not draws:
        return []
    for place, draw in draws:
        what = "$random in a process whose clock depends on what is drawn later in the same step"
        refused = items.refuse(32, what, draw.span)
        for item in _readers(place, draw):
            items.alias(item, refused)
    first_place, first_draw = draws[0]
    seed = build(first_place.uses[first_draw.before])
    modules = {module: number for number, module in enumerate(dict.fromkeys(p.plan.module for p in hierarchy.places))}

    def rank(entry: tuple[InstancePlace, Draw]) -> tuple[int, int, int]:
        place, draw = entry
        return domains.depth(place, draw.trigger), modules[place.plan.module], draw.process

    draws.sort(key=rank)
    return _chain(draws, items, build, domains, seed)


def _readers(place: InstancePlace, draw: Draw) -> list[int]:
    """Return the items that read the seed for a process."""
    return [place.first_item + node for node, use in place.plan.reads if use == draw.before]


def _chain(
    draws: list[tuple[InstancePlace, Draw]],
    items: LinkedItems,
    build: Callable[[int], int],
    domains: DomainTable,
    seed: int,
) -> list[Write]:
    builder = items.builder
    state, enables = builder.param[seed], dict[int, int]()
    for place, draw in draws:
        before = items.add_node(seed)
        for item in _readers(place, draw):
            items.alias(item, before)
        domain = domains.domain(place, draw.trigger)
        if domain == NEVER:
            continue
        value, enable = (domains.at(domain, build(place.first_item + node)) for node in (draw.value, draw.enable))
        enables[domain] = builder.add("or", 1, enables[domain], enable) if domain in enables else enable
        fires = builder.add("and", 1, builder.domains[domain].trigger, enable)
        seed = builder.add("mux", 32, fires, value, seed)
        domains.keep(seed)
    return [Write(state, seed, enable, domain) for domain, enable in enables.items()]
