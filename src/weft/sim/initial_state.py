"""Make the state that a simulation begins with: `--x-initial`, constants, initial procedures, clock samples.

Registers without a value of their own get zeros, ones or random bits in 2-state (as Verilator's `--x-initial` does) and
x in 4-state; inputs of the top are 0, and z in 4-state. After the initial procedures the samples of the clocks take the
clocks' settled values, so that nothing that was set at time 0 counts as an edge.
"""

from __future__ import annotations

import re

import numpy as np

from weft.base.errors import InternalError, UserError
from weft.ir.cone_graph import SETTLE, STARTED, STEP_LIMIT, State
from weft.ir.ops import mask
from weft.ir.program import Program, StateArray
from weft.ir.random_streams import moved_state, stream_of
from weft.sim.compiled_design import CompiledDesign

_PLUSARGS = re.compile(r"\$test\$plusargs\((.*)\)", re.DOTALL)


def parse_x_initial(text: str) -> tuple[str, int]:
    """Return (`0`, `1` or `random`, seed) of an `--x-initial` value."""
    kind, _, seed = text.partition(":")
    if kind in ("0", "1") and not seed:
        return kind, 0
    if kind == "random" and (not seed or seed.isdigit()):
        return kind, int(seed or 0)
    raise UserError("bad-option", f"x_initial is 0, 1 or random:SEED, not '{text}'")


def allocate_state(
    design: CompiledDesign, program: Program, x_initial: str, plusargs: tuple[str, ...], random_seed: int = 0
) -> StateArray:
    """Return a new state array, before any procedure has run; `random_seed` is where `$random` and `$urandom` begin."""
    kind, seed = parse_x_initial(x_initial)
    layout, states = program.layout, design.graph.states
    array = layout.allocate()
    random = np.random.default_rng(seed) if kind == "random" else None  # a part of NumPy that is loaded when it is used
    for number, state in enumerate(states):
        if state.kind == "constant":
            layout.write(array, number, _constant(state, plusargs))
        elif state.kind == "input":
            if state.plane:
                layout.write(array, number, mask(state.width))
        elif state.initial is not None:
            value = _drawing(state, random_seed) if random_seed else state.initial
            if value:
                _fill(program, array, number, value)
        elif kind == "1":
            _fill(program, array, number, mask(state.width))
        elif random is not None:
            _randomise(program, array, number, random)
    return array


def settle_samples(program: Program, array: StateArray) -> None:
    """Let latches and clock samples take their settled values without any edge firing.

    That time 0 is not over yet is not such a sample: combinational procedures begin there (IEEE 1800-2023 9.2.2.2.2).
    """
    graph = program.graph
    writes = [write for write in graph.writes if write.domain == SETTLE and graph.states[write.state].name != STARTED]
    if not writes:
        return
    nodes = [node for write in writes for node in (write.value, write.enable)]
    before: list[int] = []
    for _ in range(STEP_LIMIT):
        values = program.evaluate(array, graph, nodes)
        if values == before:
            return
        before = values
        for write, value, enable in zip(writes, values[::2], values[1::2], strict=True):
            if enable:
                program.layout.write(array, write.state, value)


def _drawing(state: State, random_seed: int) -> int:
    """Return what a state begins with in a run with a seed of its own."""
    assert state.initial is not None
    if state.name == "$random":
        return random_seed & mask(state.width)
    return state.initial if stream_of(state.name) is None else moved_state(state.initial, random_seed)


def _constant(state: State, plusargs: tuple[str, ...]) -> int:
    match = _PLUSARGS.fullmatch(state.name)
    if match is None:
        raise InternalError(f"nobody knows the value of {state.name}")
    return int(any(argument.startswith(match[1]) for argument in plusargs))


def _fill(program: Program, array: StateArray, number: int, value: int) -> None:
    """Set a state, every element of a memory, to a value."""
    slot = program.layout.slots[number]
    element = np.frombuffer(value.to_bytes(slot.stride, "little"), np.uint8)
    count = max(slot.depth, 1)
    array[slot.offset : slot.offset + slot.stride * count] = np.tile(element, count)


def _randomise(program: Program, array: StateArray, number: int, random: np.random.Generator) -> None:
    slot = program.layout.slots[number]
    count = max(slot.depth, 1)
    ones = np.frombuffer(mask(slot.width).to_bytes(slot.stride, "little"), np.uint8)
    bits = random.integers(0, 256, slot.stride * count, np.uint8)
    array[slot.offset : slot.offset + slot.stride * count] = bits & np.tile(ones, count)
