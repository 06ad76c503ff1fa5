"""Lower one module of the design to a fragment of graph, once per parameterisation.

Continuous assignments and combinational procedures become drives, clocked procedures registers and memory writes,
system tasks effects, instance ports connections. Initial and final procedures are not lowered: the simulation
interprets them. `symbolic_state` describes the method: symbolic execution with an enable for each piece of a variable
(compare Yosys' `proc`, and Cheng et al., "Synthesizing Sequential Register-Based Computation", for the idea).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from weft.base.collector import without_collector
from weft.base.errors import Unsupported
from weft.base.recursion import deep_recursion
from weft.ir.design import Kind, Module
from weft.ir.expressions import Signal
from weft.ir.graph_builder import Simplify
from weft.ir.reads import Read, process_reads, reads_of
from weft.passes.emit_process import ProcessLowering
from weft.passes.execute_statements import Executor
from weft.passes.fragment import Fragment, Waits
from weft.passes.infer_memories import infer_memories
from weft.passes.lower_drives import lower_assign, lower_instance
from weft.passes.module_context import ModuleContext
from weft.passes.symbolic_state import Environment

RECURSION_LIMIT = 50_000
"""Python frames that expressions and statements nested as deep as the source nests them may take."""


def lower_module(
    module: Module, *, four_state: bool, simplify: Simplify | None = None, sampled: bool = False
) -> Fragment:
    """Return the fragment of a module; `simplify` rewrites nodes as they are built.

    Where inputs are `sampled`, the fragment tells apart which of its processes read them (`sample_inputs`).
    """
    context = ModuleContext(module, infer_memories(module), four_state, simplify, sampled)

    def lower() -> None:
        _lower_wiring(context)
        processes = ProcessLowering(context)
        for number, process in enumerate(module.processes, len(module.assigns)):
            processes.lower(process, number)

    with deep_recursion(RECURSION_LIMIT):
        without_collector(lower)
    if context.sampled:
        context.fragment.waits = dict(_waits(module, context.sampled))
    _drop_scratch(context)
    _check_static(context)
    return context.fragment


def _lower_wiring(context: ModuleContext) -> None:
    """Lower continuous assignments and instances, which all see the signals as they are."""
    module = context.module
    executors = [Executor(context, Environment(context.builder))]

    def reader(logic: int) -> Executor:
        """Return what evaluates for a piece of logic: something of its own where inputs are told apart."""
        last = executors[-1]
        if last.environment.current:
            last.check_wiring()
        if context.sampled and logic != last.logic:
            executors.append(Executor(context, Environment(context.builder)))
            executors[-1].logic = logic
        return executors[-1]

    for number, assign in enumerate(module.assigns):
        lower_assign(context, reader(number), assign, number)
    first = len(module.assigns) + len(module.processes)
    for number, instance in enumerate(module.instances):
        lower_instance(context, reader, instance, number, first)
        first += len(instance.connections)
    reader(-1)
    for executor in executors:
        context.fragment.effects += executor.effects  # of the functions that the assignments call
        context.note_reads(executor.variables.values())


def _waits(module: Module, ports: Collection[Signal]) -> Iterator[tuple[int, Waits]]:
    """Yield the numbers of logic, as `Use.logic` has them, and what of some ports it waits for."""
    logic: list[Iterable[Read]] = [reads_of(assign.rhs) for assign in module.assigns]
    logic += [process_reads(process) if process.kind == Kind.COMB else () for process in module.processes]
    for instance in module.instances:
        logic += [reads_of(actual) if actual is not None else () for actual in instance.connections]
    for number, reads in enumerate(logic):
        found: dict[Signal, set[tuple[int, int]]] = {}
        for ref, low, high in reads:
            if ref.signal in ports and not ref.path:
                found.setdefault(ref.signal, set()).add((low, high))
        if found:
            yield number, {signal: frozenset(ranges) for signal, ranges in found.items()}


def _drop_scratch(context: ModuleContext) -> None:
    """Drop what several processes assign and nobody reads: loop variables that they share (`integer i`)."""
    ports = {port.signal for port in context.module.ports}
    scratch: set[Signal] = {
        signal
        for signal, writers in context.writers.items()
        if len(writers) > 1 and signal not in context.read and signal not in ports and not signal.net
    }
    if scratch:
        fragment = context.fragment
        kept = [use.signal not in scratch for use in fragment.uses]
        fragment.drives = [drive for drive in fragment.drives if kept[drive.target]]
        fragment.clocked = [clocked for clocked in fragment.clocked if kept[clocked.target]]


def _check_static(context: ModuleContext) -> None:
    """Refuse static function variables that keep a value from one process's call to another's."""
    for signal in context.static & context.read:
        if len(context.writers.get(signal, ())) > 1:
            what = f"the static variable '{signal.name}', which keeps its value between calls from several processes,"
            raise Unsupported(what, signal.span)
