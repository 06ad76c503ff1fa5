"""What the processes of one module share while they are lowered: the fragment, its uses, which arrays are memories."""

from __future__ import annotations

from collections.abc import Iterable

from weft.ir.cone_graph import State
from weft.ir.design import Module
from weft.ir.expressions import Signal, Type
from weft.ir.graph_builder import GraphBuilder, Simplify
from weft.ir.ops import mask
from weft.ir.random_streams import state_name, stream_names
from weft.passes.fragment import Fragment, Use
from weft.passes.infer_memories import infer_foreign_memories
from weft.passes.symbolic_state import Variable


class ModuleContext:
    """Hold the fragment under construction."""

    def __init__(
        self,
        module: Module,
        memories: set[Signal],
        four_state: bool,
        simplify: Simplify | None,
        sampled: bool = False,
    ) -> None:
        self.module, self.memories = module, memories
        self.builder = GraphBuilder(simplify, four_state)
        self.fragment = Fragment(module, self.builder)
        self.static: set[Signal] = set()
        """Static variables of functions and tasks that were called."""
        self.read: set[Signal] = set()
        """Signals whose settled or stored value somebody reads."""
        self.writers: dict[Signal, set[int]] = {}
        """The processes that assign a variable with blocking assignments only."""
        self.sampled = {port.signal for port in module.ports if sampled and port.direction == "input"}
        """Ports whose reads are told apart: by clocked processes by their triggers, by logic one by one."""
        self._uses: dict[tuple[Signal, tuple[str, ...], bool, bool, int, int, int], int] = {}
        self._foreign: set[Signal] | None = None
        self._special: dict[str, Signal] = {}
        self._streams: dict[int, Signal] = {}

    def is_memory(self, signal: Signal, path: tuple[str, ...]) -> bool:
        """Return whether an array is used as a memory; `flatten_design` decides what one of another module is."""
        if not path or not signal.depth:
            return signal in self.memories
        if self._foreign is None:
            self._foreign = infer_foreign_memories(self.module)
        return signal in self._foreign

    def use(
        self,
        signal: Signal,
        path: tuple[str, ...] = (),
        hold: bool = False,
        trigger: int = -1,
        process: int = -1,
        logic: int = -1,
    ) -> int:
        """Return the number of a use, made when it is new."""
        memory = self.is_memory(signal, path)
        key = (signal, path, hold, memory, trigger, process, logic)
        number = self._uses.get(key)
        if number is None:
            number = self._uses[key] = len(self.fragment.uses)
            self.fragment.uses.append(Use(signal, path, hold, memory, trigger, process, logic))
            if memory:
                self.builder.states.append(State(signal.name, signal.width, signal.depth, "memory"))
            else:
                self.builder.states.append(State(signal.name, signal.bits))
        return number

    def special(self, name: str, width: int, process: int = -1) -> int:
        """Return the use of a signal that is the simulation's (`$time`), for a process that has a use of its own."""
        signal = self._special.get(name)
        if signal is None:
            signal = self._special[name] = Signal(name, width, Type("logic", width, four_state=False))
        return self.use(signal, process=process)

    def stream(self, process: int) -> Signal:
        """Return the variable that holds the stream of random numbers of a process (`ir.random_streams`)."""
        signal = self._streams.get(process)
        if signal is None:
            module = self.module
            name = stream_names(module.processes)[process - len(module.assigns)]
            signal = self._streams[process] = Signal(state_name(name), 64, Type("bit", 64, four_state=False))
        return signal

    def attach(self, variable: Variable, held: int, trigger: int, logic: int) -> None:
        """Let a variable begin with the signal's value; the bits of `held` with what the process left there.

        `trigger` is that of a clocked process, `logic` the number of what else reads; or they are -1.
        """
        signal, path, builder = variable.signal, variable.path, self.builder
        variable.memory = self.is_memory(signal, path)
        if signal not in self.sampled or path or variable.memory:
            trigger = logic = -1

        def plain(low: int, width: int) -> int:
            return builder.slice(builder.read(self.use(signal, path, trigger=trigger, logic=logic)), low, width)

        def mixed(low: int, width: int) -> int:
            parts: list[int] = []
            position, end = low, low + width
            while position < end:
                hold = held >> position & 1
                others = (held if not hold else ~held) >> position & mask(end - position)
                stop = position + ((others & -others).bit_length() - 1 if others else end - position)
                node = builder.read(self.use(signal, path, hold=bool(hold), logic=-1 if hold else logic))
                parts.append(builder.slice(node, position, stop - position))
                position = stop
            return builder.concat(parts)

        variable.origin = mixed if held else plain

    def note_reads(self, variables: Iterable[Variable]) -> None:
        """Remember which signals a finished process has read."""
        self.read.update(variable.signal for variable in variables if variable.read_first)
