"""Choose which assignments are gates of a netlist (`netlist_gates`), and which remain code.

A gate with a delay is always data. One without is data among its like only: a lone `assign ready = valid & ~full`
between procedures is woken by watches and read by code, and then a function of its own is faster. So gates that read
one another are joined into groups over all instances (union-find; Tarjan, 1975), and those of a group are data if one
of them has a delay or if they are many. A module's gate is data in all instances if it is in one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from weft.engines.event.elaborate import Node, Unit
from weft.engines.event.gates import Bit
from weft.engines.event.netlist_gates import NetlistGate, plan_netlist_gate
from weft.ir.design import Signal

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode

_MANY = 8
"""So many gates without delays are a netlist."""

Place = tuple[Node, Signal, int]
"""A bit of a net: the instance and signal that hold it, and which of its bits."""


def choose_netlists(program: ProgramCode) -> None:
    """Give the code of each unit the gates of its netlist, by the numbers of their assignments."""
    for unit, code in program.codes.items():
        for index, assign in enumerate(unit.assigns):
            gate = plan_netlist_gate(code, index, assign)
            if gate is not None:
                code.netlist[index] = gate
    if any(not gate.ticks for code in program.codes.values() for gate in code.netlist.values()):
        kept = _in_groups(program)
        for unit, code in program.codes.items():
            code.netlist = {index: gate for index, gate in code.netlist.items() if gate.ticks or (unit, index) in kept}


def _in_groups(program: ProgramCode) -> set[tuple[Unit, int]]:
    """Return the gates that are in groups with a delay, or of many gates, in some instance."""
    gates: list[tuple[Node, int, NetlistGate]] = []
    for node in program.design.nodes:
        gates += [(node, index, gate) for index, gate in program.codes[node.unit].netlist.items()]
    drivers = {_place(program, node, gate.output): number for number, (node, _, gate) in enumerate(gates)}
    parents = list(range(len(gates)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    for number, (node, _, gate) in enumerate(gates):
        for bit in gate.inputs:
            driver = drivers.get(_place(program, node, bit))
            if driver is not None:
                parents[root(driver)] = root(number)
    sizes: dict[int, int] = defaultdict(int)
    for number, (_, _, gate) in enumerate(gates):
        sizes[root(number)] += _MANY if gate.ticks else 1
    return {(node.unit, index) for number, (node, index, _) in enumerate(gates) if sizes[root(number)] >= _MANY}


def _place(program: ProgramCode, node: Node, bit: Bit) -> Place:
    return (*program.design.net(node, bit.ref).key, bit.at)
