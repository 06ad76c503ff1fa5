"""Translate the statements of an initial or final procedure to Python source text.

Each process becomes `def make(cells...): def run(): ...`, compiled once for a module and bound once for each instance,
so that a loop over a memory runs as one Python loop. Anything that needs time to pass is the event engine's and raises
`Unsupported` with the statement's span.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.dataclass import replace
from weft.base.errors import InternalError, Unsupported
from weft.base.source import Span
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Disable,
    DisableFork,
    Evaluate,
    Force,
    Function,
    If,
    Jump,
    Loop,
    Release,
    RepeatTimes,
    Statement,
    SystemTask,
    Trigger,
    Wait,
    WaitFork,
    WaitUntil,
)
from weft.ir.expressions import Call, Const, Element, Expr, Ref, Signal, Text
from weft.passes.report_choices import SEVERAL, UNHANDLED
from weft.passes.side_effects import may_act
from weft.sim.initial_expressions import ExpressionWriter
from weft.sim.initial_names import Names, Place

_TO_STRING = {"$swrite": "d", "$swriteb": "b", "$swriteo": "o", "$swriteh": "h", "$sformat": "d"}


class Leave(Exception):
    """Leave a named block (`disable`); each block that needs it has its own subclass."""


class StatementWriter(ExpressionWriter):
    """Write the statements of one process, and the functions that it calls."""

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.call_function = self._call
        self._functions: dict[int, str] = {}
        self._function_lines: list[str] = []
        self._leaves: list[tuple[str, str]] = []
        self._steps: list[Callable[[], None]] = []
        self._result: tuple[Function, str] | None = None

    def process(self, body: Statement) -> str:
        """Return the source of `make` for a process."""
        self.indent = " " * 8
        self.statement(body)
        cells = ", ".join(self._parameters())
        head = [f"def make({cells}):", *self._function_lines, "    def run():", *self.lines, "        return None"]
        return "\n".join([*head, "    return run", ""])

    def _parameters(self) -> list[str]:
        cells = [f"{'m' if signal.depth else 's'}{number}" for number, signal, _ in self.names.signals.values()]
        return [*cells, "system", "nba"]

    # --------------------------------------------------------------------------------------------- statements

    def statement(self, statement: Statement) -> None:
        """Emit a statement."""
        match statement:
            case Block():
                self._block(statement)
            case Assign():
                self._assign(statement)
            case If(cond, then, other):
                if statement.check:
                    self._checked_if(statement)
                else:
                    self._if(cond, then, other)
            case Case():
                self._case(statement)
            case Loop():
                self._loop(statement)
            case RepeatTimes(count, body):
                times = self.temporary(self.value(count))
                self.emit(f"for _ in range({times} if type({times}) is int else 0):")
                self._body(body, lambda: None)
            case Jump():
                self._jump(statement)
            case Evaluate(value):
                self.emit(self.value(value))
            case SystemTask():
                self._task(statement)
            case Assertion():
                self._assertion(statement)
            case Wait(_, _, span) | WaitUntil(_, _, span):
                raise _timed("waiting inside an initial or final procedure", span)
            case Force() | Release() | Trigger() | Disable() | WaitFork() | DisableFork():
                raise _timed("this statement", statement.span)

    def _body(self, body: Statement, step: Callable[[], None]) -> None:
        """Emit a loop's body, then what `step` emits; a `continue` inside emits the step too."""
        self._steps.append(step)
        self.indent += "    "
        self.statement(body)
        step()
        self.emit("pass")
        self.indent = self.indent[:-4]
        self._steps.pop()

    def _indented(self, *statements: Statement | None) -> None:
        self.indent += "    "
        count = len(self.lines)
        for statement in statements:
            if statement is not None:
                self.statement(statement)
        if len(self.lines) == count:
            self.emit("pass")
        self.indent = self.indent[:-4]

    def _block(self, block: Block) -> None:
        if block.fork:
            raise _timed("fork and join inside an initial or final procedure", _first_span(block))
        if not block.label or block.label not in _disabled(block):
            for statement in block.body:
                self.statement(statement)
            return
        leave = self.names.constant(type("Leave", (Leave,), {}))
        self._leaves.append((block.label, leave))
        self.emit("try:")
        self._indented(*block.body)
        self.emit(f"except {leave}:")
        self.emit("    pass")
        self._leaves.pop()

    def _assign(self, statement: Assign) -> None:
        if statement.timing is not None:
            raise _timed("an assignment with a delay inside an initial or final procedure", statement.span)
        if statement.blocking:
            source = self.value(statement.rhs)
            self.write(self.place(statement.lhs), source)
            return
        value = self.temporary(self.value(statement.rhs))
        place = self.place(statement.lhs)
        captured = ", ".join(f"{name}={name}" for name in sorted({value, *_indices(place)}))
        self._temporaries += 1
        name = f"n{self._temporaries}"
        self.emit(f"def {name}({captured}):")
        self.indent += "    "
        self.write(place, value)
        self.emit("return None")
        self.indent = self.indent[:-4]
        self.emit(f"nba.append({name})")

    def _if(self, cond: Expr, then: Statement, other: Statement | None) -> None:
        """Emit an if; a chain of else ifs stays flat where conditions need no statements of their own."""
        self.emit(f"if {self.value(cond)}:")
        self._indented(then)
        while isinstance(other, If):
            lines, source = self.captured(other.cond)
            if lines:
                break
            self.emit(f"elif {source}:")
            self._indented(other.then)
            other = other.other
        if other is not None:
            self.emit("else:")
            self._indented(other)

    def _checked_if(self, statement: If) -> None:
        """Emit a `unique`, `unique0` or `priority` if: the conditions are all looked at first."""
        check, span = statement.check, statement.span
        conditions, bodies = [self.temporary(f"bool({self.value(statement.cond)})")], [statement.then]
        other = statement.other
        while isinstance(other, If) and not other.check and not may_act(other.cond):
            conditions.append(self.temporary(f"bool({self.value(other.cond)})"))
            bodies.append(other.then)
            other = other.other
        if isinstance(other, If) and check != "unique0":
            other = replace(other, check=other.check or check)  # what is left is a statement of its own
        self._report_several(check, "if", conditions, span)
        word = "if"
        for condition, body in zip(conditions, bodies, strict=True):
            self.emit(f"{word} {condition}:")
            self._indented(body)
            word = "elif"
        last = other or self._unhandled(check, "if", span)
        if last is not None:
            self.emit("else:")
            self._indented(last)

    def _unhandled(self, check: str, word: str, span: Span) -> Statement | None:
        """Return what reports that no item of a checked statement matches; None if that is allowed."""
        return _warning(UNHANDLED % word, span) if check in ("unique", "priority") else None

    def _report_several(self, check: str, word: str, conditions: Sequence[str], span: Span) -> None:
        if check in ("unique", "unique0") and len(conditions) > 1:
            self.emit(f"if {' + '.join(conditions)} > 1:")
            self._indented(_warning(SEVERAL % word, span))

    def _case(self, statement: Case) -> None:
        subject = self.temporary(self.value(statement.subject))
        labels = [[self._label(statement, subject, label) for label in item.labels] for item in statement.items]
        default = statement.default
        if statement.check:
            conditions = [self.temporary(f"bool({' or '.join(tests)})") for tests in labels]
            labels = [[condition] for condition in conditions]
            self._report_several(statement.check, "case", conditions, statement.span)
            default = default or self._unhandled(statement.check, "case", statement.span)
        word = "if"
        for item, tests in zip(statement.items, labels, strict=True):
            self.emit(f"{word} {' or '.join(tests)}:")
            self._indented(item.body)
            word = "elif"
        if default is not None:
            if statement.items:
                self.emit("else:")
                self._indented(default)
            else:
                self.statement(default)

    def _label(self, statement: Case, subject: str, label: Expr | tuple[Expr, Expr]) -> str:
        """Return the test of one label (IEEE 1800-2023 12.5)."""
        if isinstance(label, tuple):
            low, high = self.value(label[0]), self.value(label[1])
            return f"in_range({subject}, {low}, {high}, {statement.subject.width}, {statement.signed})"
        if self.four_state:
            helper = {"case": "same", "casez": "matches_z", "casex": "matches_x", "inside": "wild_equal"}
            return f"{helper[statement.kind]}({subject}, {self.value(label)})"
        if isinstance(label, Const) and label.unknown:
            wild = {"case": 0, "casez": label.value & label.unknown}.get(statement.kind, label.unknown)
            if label.unknown & ~wild:
                return "False"
            care = ((1 << label.width) - 1) & ~wild
            return f"{subject} & {care} == {label.value & care}"
        return f"{subject} == {self.value(label)}"

    def _loop(self, loop: Loop) -> None:
        lines, source = self.captured(loop.cond) if loop.cond is not None else ([], "True")
        if not lines and not loop.test_last:
            self.emit(f"while {source}:")
            self._body(loop.body, lambda: self._all(loop.step))
            return
        self.emit("while True:")
        if loop.test_last:
            self._body(loop.body, lambda: self._leave_unless(loop.cond))
            return
        self.lines += [*lines, f"{self.indent}    if not ({source}):", f"{self.indent}        break"]
        self._body(loop.body, lambda: self._all(loop.step))

    def _all(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            self.statement(statement)

    def _leave_unless(self, cond: Expr | None) -> None:
        """Emit the test at the end of a do-while."""
        if cond is not None:
            self.emit(f"if not ({self.value(cond)}):")
            self.emit("    break")

    def _jump(self, jump: Jump) -> None:
        match jump.kind:
            case "break":
                self.emit("break")
            case "continue":
                self._steps[-1]()
                self.emit("continue")
            case "return":
                self._return(jump)
            case "disable":
                for label, leave in reversed(self._leaves):
                    if label == jump.label:
                        self.emit(f"raise {leave}")
                        return
                if self._result is not None and self._result[0].name == jump.label:
                    self.emit(f"return {self._result[1]}")
                    return
                raise _timed(f"disabling '{jump.label}' from outside of it", jump.span)
            case _:
                raise InternalError(f"the jump {jump.kind} is unknown")

    def _return(self, jump: Jump) -> None:
        if self._result is None:
            raise Unsupported("return outside of a function or task", jump.span)
        function, source = self._result
        if jump.value is not None and function.result is not None:
            value = self.value(jump.value)
            self.write(self.place(Ref(function.result)), value)
        self.emit(f"return {source}")

    # ------------------------------------------------------------------------------------------- system tasks

    def _task(self, task: SystemTask) -> None:
        if task.name in ("$readmemh", "$readmemb", "$writememh", "$writememb"):
            self._memory_file(task)
        elif task.name in _TO_STRING:
            self._to_string(task)
        elif task.name.startswith(("$monitor", "$fmonitor")) and task.name not in ("$monitoron", "$monitoroff"):
            self._deferred(task, "monitor")
        elif task.name.startswith(("$strobe", "$fstrobe")):
            self._deferred(task, "strobe")
        else:
            self.emit(f"system.perform({self.names.constant(task)}, {self._arguments(task)})")

    def _arguments(self, task: SystemTask, skip: int = 0) -> str:
        """Return the source of a list of `format_values.Argument`s."""
        sources: list[str] = []
        for position, argument in enumerate(task.args[skip:], skip):
            if argument is None:
                sources.append("None")
            elif isinstance(argument, Text):
                sources.append(repr(argument.value))
            else:
                signed = position < len(task.signed) and task.signed[position]
                sources.append(f"shown({self.value(argument)}, {argument.width}, {signed})")
        return f"[{', '.join(sources)}]"

    def _deferred(self, task: SystemTask, kind: str) -> None:
        """Emit `$strobe` or `$monitor`: a function that computes the arguments when they are to be shown."""
        self._temporaries += 1
        name = f"d{self._temporaries}"
        self.emit(f"def {name}():")
        self.indent += "    "
        self.emit(f"return {self._arguments(task)}")
        self.indent = self.indent[:-4]
        self.emit(f"system.{kind}({self.names.constant(task)}, {name})")

    def _to_string(self, task: SystemTask) -> None:
        target = task.args[0]
        if target is None:
            raise Unsupported(f"{task.name} without a target", task.span)
        place = self.place(target)
        source = f"system.text_bits({self.names.constant(task)}, {self._arguments(task, 1)}, {place.width})"
        self.write(place, source)

    def _memory_file(self, task: SystemTask) -> None:
        """Emit `$readmemh` and its kin: the file name, the memory, and the optional first and last address."""
        if len(task.args) < 2 or task.args[0] is None or not isinstance(task.args[1], Ref | Element):
            raise Unsupported(f"{task.name} of anything but a whole memory", task.span)
        target = task.args[1]
        if isinstance(target, Element) or not target.signal.depth:
            raise Unsupported(f"{task.name} of anything but a whole memory", task.span)
        bounds = [self.value(argument) for argument in task.args[2:4] if argument is not None]
        memory = self.array(target.signal, target.path)
        signal = self.names.constant(target.signal)
        action = "read_memory" if task.name.startswith("$read") else "write_memory"
        joined = "".join(f", {bound}" for bound in bounds)
        text = self.text(task.args[0])
        self.emit(f"system.{action}({self.names.constant(task)}, {text}, {memory}, {signal}{joined})")

    def _assertion(self, statement: Assertion) -> None:
        cond = self.value(statement.cond)
        if statement.kind == "cover":
            if statement.passed is not None:
                self.emit(f"if {cond}:")
                self._indented(statement.passed)
            return
        self.emit(f"if {cond}:")
        self._indented(statement.passed)
        self.emit("else:")
        failed = statement.failed
        if failed is None:
            label = f" {statement.label}" if statement.label else ""
            failed = SystemTask("$error", (Text(f"Assertion{label} failed."),), (False,), statement.span)
        self._indented(failed)

    # ---------------------------------------------------------------------------------------------- functions

    def _call(self, call: Call) -> str:
        function = call.function
        name = self._functions.get(id(function)) or self._define(function)
        outputs: list[tuple[int, Place]] = []
        arguments: list[str] = []
        for position, ((direction, _), argument) in enumerate(zip(function.args, call.args, strict=True)):
            if direction in ("output", "inout", "ref"):
                place = self.place(argument)
                outputs.append((position, place))
                arguments.append("None" if direction == "output" else self.read(place))
            else:
                arguments.append(self.value(argument))
        source = f"{name}({', '.join(arguments)})"
        if not outputs:
            return self.temporary(source)
        results = self.temporary(source)
        for number, (_, place) in enumerate(outputs):
            self.write(place, f"{results}[{number + 1}]")
        return f"{results}[0]"

    def _define(self, function: Function) -> str:
        """Write a function or task; automatic ones keep their variables in Python's own locals."""
        name = self._functions[id(function)] = f"f{len(self._functions)}"
        saved = self.lines, self.indent, self._leaves, self._steps, self._result, self.locals
        self.lines, self.indent, self._leaves, self._steps = [], " " * 8, [], []
        variables = [signal for _, signal in function.args] + function.locals
        if function.result is not None and function.result not in variables:
            variables.append(function.result)
        if function.automatic:
            self.locals = {id(signal): f"v{number}" for number, signal in enumerate(variables)}
        parameters = [f"a{number}" for number in range(len(function.args))]
        self._enter(function, variables, parameters)
        outputs = [signal for direction, signal in function.args if direction in ("output", "inout", "ref")]
        result = self.read(self.place(Ref(function.result))) if function.result is not None else "None"
        if outputs:
            result = f"({', '.join([result, *(self.read(self.place(Ref(signal))) for signal in outputs)])})"
        self._result = (function, result)
        if function.body is not None:
            self.statement(function.body)
        self.emit(f"return {result}")
        body = self.lines
        self.lines, self.indent, self._leaves, self._steps, self._result, self.locals = saved
        self._function_lines += [f"    def {name}({', '.join(parameters)}):", *body]
        return name

    def _enter(self, function: Function, variables: list[Signal], parameters: list[str]) -> None:
        """Emit what happens on entry: formals get their values, automatic variables their defaults."""
        if function.automatic:
            for signal in variables:
                default = self.unknown(signal.width) if signal.type.four_state else "0"
                name = self.locals[id(signal)]
                self.emit(f"{name} = [{default}] * {signal.depth}" if signal.depth else f"{name} = {default}")
        for (direction, signal), parameter in zip(function.args, parameters, strict=True):
            if direction != "output":
                self.write(self.place(Ref(signal)), parameter)
        if function.automatic:
            for signal in variables:
                if signal.initial is not None:
                    value = self.value(signal.initial)
                    self.write(self.place(Ref(signal)), value)


def _timed(what: str, span: Span) -> Unsupported:
    return Unsupported(f"{what} (it needs the event engine)", span)


def _indices(place: Place) -> set[str]:
    """Return the names that a place's indices are held in."""
    names = {place.index} if place.index.isidentifier() else set[str]()
    if isinstance(place.offset, str) and place.offset.isidentifier():
        names.add(place.offset)
    for inner in (*place.parts, *([place.inner] if place.inner is not None else [])):
        names |= _indices(inner)
    return names


def _disabled(statement: Statement | None) -> set[str]:
    """Return the labels that a statement, or one inside it, disables."""
    match statement:
        case Jump("disable", label):
            return {label}
        case Block(body):
            return set[str]().union(*(_disabled(inner) for inner in body))
        case If(_, then, other):
            return _disabled(then) | _disabled(other)
        case Case(_, _, items, default):
            return _disabled(default).union(*(_disabled(item.body) for item in items))
        case Loop(_, body) | RepeatTimes(_, body) | Wait(_, body) | WaitUntil(_, body):
            return _disabled(body)
        case Assertion(_, _, passed, failed):
            return _disabled(passed) | _disabled(failed)
        case _:
            return set()


def _first_span(statement: Statement) -> Span:
    """Return the span of the first statement that has one."""
    while isinstance(statement, Block) and statement.body:
        statement = statement.body[0]
    return getattr(statement, "span", Span(-1, 0, 0))


def _warning(text: str, span: Span) -> SystemTask:
    return SystemTask("$warning", (Text(text),), (False,), span)
