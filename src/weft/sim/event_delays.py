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
from weft.ir.design import Design, Module, SystemTask, Text
from weft.ir.walk import statements_in
from weft.sim import run_plan
from weft.sim.annotate_delays import CHOICES, DelayAnnotator, annotated_ports, find_instance, no_scope, reach_module
from weft.sim.design_timing import DesignTiming, insert_timing
from weft.sim.sdf_file import SdfFile, read_sdf_file
from weft.sim.tasks.task_call import TaskCall, Writer

TASK = "$sdf_annotate"
_CHOSEN = {"MINIMUM": "min", "TYPICAL": "typ", "MAXIMUM": "max"}
_FROM = {"FROM_MINIMUM": 0, "FROM_TYPICAL": 1, "FROM_MAXIMUM": 2}


@dataclass(slots=True)
class PreparedDelays:
    """Be what a design's delays have become (`insert_timing`), and the delay files that have been read so far."""

    timing: DesignTiming
    files: dict[str, SdfFile] = field(default_factory=dict[str, SdfFile])


def prepare_delays(design: Design, asked: Sequence[run_plan.SdfFile] = ()) -> PreparedDelays:
    """Read the delay files of a design, as far as they are known, and insert what they can change into the design."""
    finder = _PortFinder(design, asked)
    timing = insert_timing(design, list(finder.delayed_ports()))
    return PreparedDelays(timing, finder.files)


@dataclass(slots=True)
class _PortFinder:
    """Find the ports that delay files give a delay of their own."""

    design: Design
    asked: Sequence[run_plan.SdfFile]
    files: dict[str, SdfFile] = field(default_factory=dict[str, SdfFile])

    def delayed_ports(self) -> Iterator[tuple[Module, str]]:
        """Yield the ports."""
        tops = dict(self.design.tops)
        for asked in self.asked:
            for start in (self._module(asked.scope),) if asked.scope else tops.values():
                if start is not None:
                    yield from annotated_ports(self.design, _read(self.files, asked.path), start)
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
                file = _read(self.files, name.value)
            except UserError as error:
                if error.code == "no-such-file":
                    return  # the call itself says so, if it is ever made
                raise
            yield from annotated_ports(self.design, file, start)

    def _module(self, path: str) -> Module | None:
        names = path.split(".")
        return reach_module(dict(self.design.tops).get(names[0]), names[1:])


def _read(files: dict[str, SdfFile], path: str) -> SdfFile:
    if path not in files:
        files[path] = read_sdf_file(path)
    return files[path]


@dataclass(slots=True)
class DelayFiles:
    """Apply the delay files of a running design. `choice` is which of three values counts."""

    out: Writer
    prepared: PreparedDelays
    asked: Sequence[run_plan.SdfFile] = ()
    choice: str = "typ"

    # ------------------------------------------------------------------------------------------- annotating

    def begin(self, engine: EventEngine) -> None:
        """Apply the files that the user has named."""
        for asked in self.asked:
            scopes = engine.code.design.tops
            if asked.scope:
                scope = self._node(engine, asked.scope)
                if scope is None:
                    raise no_scope(asked.path, asked.scope)
                scopes = [scope]
            self._annotator(engine).annotate(_read(self.prepared.files, asked.path), scopes)

    def _annotator(self, engine: EventEngine) -> DelayAnnotator:
        return DelayAnnotator(engine, self.prepared.timing, self.out, self.choice)

    def _node(self, engine: EventEngine, path: str) -> Node | None:
        names = path.split(".")
        top = next((node for node in engine.code.design.tops if node.name == names[0]), None)
        return find_instance(top, names[1:]) if top is not None else None

    def perform(self, engine: EventEngine, node: Node, call: TaskCall) -> None:
        """Do `$sdf_annotate(file [, instance [, config [, log [, mtm [, factors [, type]]]]]])`."""
        place = call.host.place(call.span)
        if not call.args or call.args[0] is None:
            self._say(f"SDF ERROR: {place}: {TASK} requires a file name argument.")
            call.host.finish(1)
            return
        path = call.path(0)
        try:
            file = _read(self.prepared.files, path)
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
        self._scaled(self._annotator(engine), call).annotate(file, [node])

    def _scaled(self, annotator: DelayAnnotator, call: TaskCall) -> DelayAnnotator:
        """Apply the choice, the factors and what they scale, of a call that gives them (table 32-4)."""
        given = [i < len(call.args) and call.args[i] is not None for i in range(7)]
        words = [call.text(i).strip().upper() if given[i] else "" for i in range(7)]
        choice = _CHOSEN.get(words[4], annotator.choice)
        factors = tuple(map(Fraction, words[5].split(":"))) if words[5] else (Fraction(1),) * 3
        if len(factors) != 3:
            raise UserError("bad-option", f"{TASK}: scale factors are three numbers, such as 1.0:1.0:1.0", call.span)
        source = _FROM.get(words[6])
        return replace(annotator, choice=choice, scale=factors, source=CHOICES[choice] if source is None else source)

    def _say(self, text: str) -> None:
        self.out.write(f"{text}\n".encode("utf-8", "surrogateescape"))
