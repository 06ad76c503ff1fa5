"""Find the first state of a region: what declarations, and initial procedures, leave, which are interpreted.

Initial procedures may load memories (`$readmemh`). What the task says of an image (IEEE 1800-2023 21.4) is kept for the
run to print, for which the task runs on a memory that keeps nothing; and so are the names of the images, since a region
that a cache has is of no use once they change.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.base.errors import Unsupported
from weft.base.source import SourceMap, Span
from weft.engines.reference.program import ReferenceProgram
from weft.ir.cone_graph import ConeGraph
from weft.ir.expressions import Signal
from weft.ir.layout import StateLayout
from weft.ir.program import StateArray
from weft.ir.statements import SystemTask
from weft.passes.trace_clocks import ClockReport
from weft.sim.compiled_design import CompiledDesign
from weft.sim.format_arguments import Value
from weft.sim.initial_state import allocate_state, settle_samples
from weft.sim.interpret_initial import Interpreter, World
from weft.sim.memory_files import memory_bounds
from weft.sim.run_effects import EffectRunner
from weft.sim.signal_map import SignalMap
from weft.sim.tasks.memory_tasks import TASKS


@dataclass(slots=True)
class _Forgetful:
    """Be a memory that keeps nothing of what is written to it."""

    name: str
    left: int
    right: int
    width: int
    signed: bool

    def get(self, index: int) -> Value:
        """Return what nobody has written."""
        return Value(self.width, 0)

    def set(self, index: int, value: Value) -> None:
        """Forget an element."""

    def fill(self, index: int, values: Sequence[int]) -> None:
        """Forget some elements."""


class MemoryImages:
    """Note the images that initial procedures read: their `paths`, and what the tasks have `said` of them."""

    def __init__(self, graph: ConeGraph, sources: SourceMap) -> None:
        self.paths: dict[str, None] = {}
        self.said = bytearray()
        self._effects = EffectRunner(graph, sources, 1, self.said.extend)

    def note(self, task: SystemTask, path: str, signal: Signal, bounds: tuple[int, ...]) -> None:
        """Note an image that has been read."""
        self.paths[path] = None
        call = self._effects.call(task, [path], "", 0, 1)
        call.args.append(_Forgetful(signal.name, *memory_bounds(signal), signal.width, signal.signed))
        call.args += [Value(32, bound & 0xFFFFFFFF, 0, True) for bound in bounds]
        TASKS[task.name](call)


def first_state(
    graph: ConeGraph, layout: StateLayout, sources: SourceMap, images: MemoryImages | None = None
) -> StateArray:
    """Return the state after declarations, and after initial procedures if there is something to note `images`."""
    design = CompiledDesign(
        graph=graph,
        sources=sources,
        tops=("",),
        digest="",
        four_state=True,
        precision_fs=1,
        watch_memory=-1,
        clocks=ClockReport((), (), ()),
    )
    reference = ReferenceProgram(graph)
    state = allocate_state(design, reference, "0", ())
    world = World(
        graph=graph,
        layout=layout,
        state=state,
        evaluate=lambda nodes: reference.evaluate(state, graph, nodes),
        effects=EffectRunner(graph, sources, 1, _refuse_output),
        sources=sources,
        four_state=True,
        warn=_refuse_warning,
    )
    if images is not None:
        world.loaded = images.note
    interpreter = Interpreter(world, SignalMap(graph))
    if images is not None:
        interpreter.run_initial()
    else:
        interpreter.run_declared()
    settle_samples(reference, state)
    return state


def _refuse_output(data: bytes) -> None:
    raise Unsupported("output of an initial procedure")


def _refuse_warning(message: str, span: Span) -> None:
    raise Unsupported(message, span)
