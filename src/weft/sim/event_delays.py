"""Annotate the delays of an event simulation: `--sdf FILE[:scope]` before it begins, and `$sdf_annotate`.

The files are read before code is written, as far as their names are known by then, because a port gets a delay of its
own only if some file asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from weft.base.dataclass import dataclass, field, replace
from weft.base.errors import UserError
from weft.engines.event.elaborate import Node
from weft.engines.event.engine import EventEngine
from weft.engines.event.walk import statements_in
from weft.ir.design import Design, Module, SystemTask, Text
from weft.sim import run_plan
from weft.sim.annotate_delays import CHOICES, DelayAnnotator, annotated_ports, find_instance, no_scope, reach_module
from weft.sim.design_timing import DesignTiming, insert_timing
from weft.sim.sdf_file import SdfFile, read_sdf_file
from weft.sim.tasks.task_call import TaskCall, Writer

TASK = "$sdf_annotate"
_CHOSEN = {"MINIMUM": "min", "TYPICAL": "typ", "MAXIMUM": "max"}
_FROM = {"FROM_MINIMUM": 0, "FROM_TYPICAL": 1, "FROM_MAXIMUM": 2}


@dataclass(slots=True)
class DelayFiles:
    """Read the delay files of a design, each once, and apply them. `choice` is which of three values counts."""

    design: Design
    out: Writer
    asked: Sequence[run_plan.SdfFile] = ()
    choice: str = "typ"
    timing: DesignTiming = field(init=False)
    _files: dict[str, SdfFile] = field(default_factory=dict[str, SdfFile])

    def __post_init__(self) -> None:
        self.timing = insert_timing(self.design, list(self._delayed_ports()))

    def _read(self, path: str) -> SdfFile:
        if path not in self._files:
            self._files[path] = read_sdf_file(path)
        return self._files[path]

    def _delayed_ports(self) -> Iterator[tuple[Module, str]]:
        """Yield the ports that the files give a delay of their own."""
        tops = dict(self.design.tops)
        first = next(iter(tops.values()), None)
        for asked in self.asked:
            start = self._module(asked.scope) if asked.scope else first
            if start is not None:
                yield from annotated_ports(self.design, self._read(asked.path), start)
        for module in dict.fromkeys([*self.design.modules, *tops.values()]):
            for body in (*module.processes, *module.functions):
                for statement in statements_in(body.body):
                    if isinstance(statement, SystemTask) and statement.name == TASK:
                        yield from self._ports_of_task(module, statement)

    def _ports_of_task(self, module: Module, task: SystemTask) -> Iterator[tuple[Module, str]]:
        name = task.args[0] if task.args else None
        scope = task.args[1] if len(task.args) > 1 else None
        start = self._module(scope.value) if isinstance(scope, Text) else module
        if isinstance(name, Text) and start is not None:
            try:
                file = self._read(name.value)
            except UserError as error:
                if error.code == "no-such-file":
                    return  # the call itself says so, if it is ever made
                raise
            yield from annotated_ports(self.design, file, start)

    def _module(self, path: str) -> Module | None:
        names = path.split(".")
        return reach_module(dict(self.design.tops).get(names[0]), names[1:])

    # ------------------------------------------------------------------------------------------- annotating

    def begin(self, engine: EventEngine) -> None:
        """Apply the files that the user has named."""
        for asked in self.asked:
            scope = self._node(engine, asked.scope) if asked.scope else next(iter(engine.code.design.tops), None)
            if scope is None:
                raise no_scope(asked.path, asked.scope)
            self._annotator(engine).annotate(self._read(asked.path), scope)

    def _annotator(self, engine: EventEngine) -> DelayAnnotator:
        return DelayAnnotator(engine, self.timing, self.out, self.choice)

    def _node(self, engine: EventEngine, path: str) -> Node | None:
        names = path.split(".")
        top = next((node for node in engine.code.design.tops if node.name == names[0]), None)
        return find_instance(top, names[1:]) if top is not None else None

    def perform(self, engine: EventEngine, call: TaskCall, node: Node) -> None:
        """Do `$sdf_annotate(file [, instance [, config [, log [, mtm [, factors [, type]]]]]])`."""
        place = call.host.place(call.span)
        if not call.args or call.args[0] is None:
            self._say(f"SDF ERROR: {place}: {TASK} requires a file name argument.")
            call.host.finish(1)
            return
        path = call.path(0)
        try:
            file = self._read(path)
        except UserError as error:
            if error.code != "no-such-file":
                raise
            self._say(f'SDF WARNING: {place}: Unable to open SDF file "{path}". Skipping this annotation.')
            return
        if len(call.args) > 1 and call.args[1] is not None:
            scope = self._node(engine, call.text(1))
            if scope is None:
                self._say(f"SDF ERROR: {place}: {TASK}'s second argument must be a module instance.")
                call.host.finish(1)
                return
            node = scope
        for index, what in ((2, "configuration"), (3, "log")):
            if len(call.args) > index and call.args[index] is not None and call.text(index):
                self._say(f"SDF WARNING: {place}: {TASK}'s {what} file is not used.")
        self._scaled(self._annotator(engine), call).annotate(file, node)

    def _scaled(self, annotator: DelayAnnotator, call: TaskCall) -> DelayAnnotator:
        """Apply the choice, the factors and what they scale, of a call that gives them (table 32-4)."""
        words = [
            call.text(i).strip().upper() if i < len(call.args) and call.args[i] is not None else "" for i in range(7)
        ]
        choice = _CHOSEN.get(words[4], annotator.choice)
        factors = tuple(map(Fraction, words[5].split(":"))) if words[5] else (Fraction(1),) * 3
        if len(factors) != 3:
            raise UserError("bad-option", f"{TASK}: scale factors are three numbers, such as 1.0:1.0:1.0", call.span)
        source = _FROM.get(words[6])
        return replace(annotator, choice=choice, scale=factors, source=CHOICES[choice] if source is None else source)

    def _say(self, text: str) -> None:
        self.out.write(f"{text}\n".encode("utf-8", "surrogateescape"))
