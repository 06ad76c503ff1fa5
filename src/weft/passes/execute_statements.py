"""Symbolic execution of statements: one walk over a process yields what it assigns, as nodes.

Branches become joins (`symbolic_state`). Loops are unrolled while their condition is known; a condition that depends on
data leaves the loop like a `break`, under a guard, for as many rounds as the condition can possibly hold. Jumps set a
flag; the statements after them run where no flag is set. A loop that only fills a memory with one value becomes one
write. System tasks and failing assertions become effects, enabled by the path that leads to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from weft.base.dataclass import dataclass, replace
from weft.base.errors import InternalError, Unsupported
from weft.base.source import NOWHERE, Span
from weft.ir.design import (
    Assertion,
    Assign,
    Block,
    Case,
    Evaluate,
    If,
    Jump,
    Loop,
    RepeatTimes,
    Statement,
    SystemTask,
    Wait,
    WaitUntil,
)
from weft.ir.expressions import AssignExpr, Call, Expr, Signal, SystemCall, Text, Type
from weft.passes.fill_loops import find_fill
from weft.passes.fragment import FragmentEffect
from weft.passes.lower_calls import evaluate_system_call, inline
from weft.passes.lower_targets import Writer
from weft.passes.match_cases import run_case
from weft.passes.module_context import ModuleContext
from weft.passes.node_ranges import never_true, upper_bound
from weft.passes.report_choices import report_overlap, unhandled_report
from weft.passes.side_effects import may_act
from weft.passes.symbolic_state import Environment, Variable

GUARDED_ROUNDS = 1024
"""How many rounds a loop whose condition depends on data is unrolled at most."""

UNROLLED_ROUNDS = 1 << 20
"""How many rounds any loop is unrolled at most: beyond, it probably never ends."""

POSTPONED = {"$strobe", "$strobeb", "$strobeo", "$strobeh", "$monitor", "$monitorb", "$monitoro", "$monitorh"}
_WRITERS = ("$display", "$write", "$strobe", "$monitor", "$fdisplay", "$fwrite", "$fstrobe", "$fmonitor")
EFFECTS = {name + radix for name in _WRITERS for radix in ("", "b", "o", "h")} | {
    *("$finish", "$stop", "$exit", "$fatal", "$error", "$warning", "$info", "$fclose", "$fflush", "$timeformat"),
    *("$dumpfile", "$dumpvars", "$dumpon", "$dumpoff", "$dumpall", "$dumpflush", "$dumplimit"),
    *("$monitoron", "$monitoroff", "$printtimescale"),
}
_FLAG = Signal("jump", 1, Type("bit", 1, four_state=False), automatic=True)


@dataclass(slots=True, eq=False)
class Target:
    """Be a place that a jump can go to; `flag` is assigned where one did."""

    kind: str
    label: str
    flag: Variable


class Executor(Writer):
    """Run the statements of one process."""

    def __init__(self, context: ModuleContext, environment: Environment, process: int = -1, trigger: int = -1) -> None:
        super().__init__(context, environment, process, trigger)
        self.reader = trigger
        self.effects: list[FragmentEffect] = []
        self.effect_trigger = trigger
        self.targets: list[Target] = []
        self.depth = 0
        self.result: Variable | None = None
        self.seed: Variable | None = None
        """The seed of `$random`, in a process that draws."""
        self.postponed = ""
        """The task whose arguments are evaluated, if it shows them when everything else is done."""
        self._jumps = 0
        self._statements: dict[type, Callable[[Any], None]] = {
            Block: self._block,
            Assign: self._assign,
            If: self._if,
            Case: partial(run_case, self),
            Loop: self._loop,
            RepeatTimes: self._repeat_times,
            Jump: self._jump,
            Evaluate: self._evaluate_statement,
            SystemTask: self._system_task,
            Assertion: self._assertion,
            Wait: self._wait,
            WaitUntil: self._wait,
        }

    def execute(self, statement: Statement) -> None:
        """Run one statement on the present path."""
        self._statements[type(statement)](statement)

    def _sequence(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            seen = self._jumps
            self._statements[type(statement)](statement)
            if self._jumps != seen and not self.alive():
                return

    def _block(self, block: Block) -> None:
        if block.fork and len(block.body) > 1:
            raise self.unsupported(f"a fork ... {block.fork} in a synthesizable process (it needs the event engine)")
        if not block.label:
            self._sequence(block.body)
            return
        target = self.open("disable", block.label)
        self._sequence(block.body)
        self.close(target)

    def _assign(self, statement: Assign) -> None:
        self.span = statement.span
        if statement.timing is not None:
            raise self.unsupported("a delay or event inside an assignment (it needs the event engine)")
        self.assign(statement.lhs, self.evaluate(statement.rhs), not statement.blocking)

    def _if(self, statement: If) -> None:
        conditions: list[int] = []
        bodies: list[Callable[[], None]] = []
        other: Statement | None = statement
        check, decided = statement.check, False
        while isinstance(other, If) and not (conditions and (may_act(other.cond) or other.check)):
            self.span = other.span
            cond = self.condition(other.cond)
            known = self.builder.value(cond)
            if known is None:
                conditions.append(cond)
                bodies.append(partial(self.execute, other.then))
            other = other.then if known else other.other
            if known:
                decided = True
                break
            while isinstance(other, Block) and len(other.body) == 1 and not other.label and not other.fork:
                other = other.body[0]
        if isinstance(other, If) and not decided and check != "unique0":
            other = replace(other, check=other.check or check)  # what is left is a statement of its own
        last = None if other is None else partial(self.execute, other)
        if last is None and not decided:
            last = unhandled_report(self, check, "if", statement.span)
        report_overlap(self, check, "if", conditions, statement.span)
        if conditions:
            self.environment.select(conditions, bodies, last, exclusive=False)
        elif last is not None:
            last()

    def check_wiring(self) -> None:
        """Forget what functions called by a continuous assignment left behind; it must not matter."""
        for variable in self.variables.values():
            if variable.read_first and variable.signal in self.context.static:
                name = variable.signal.name
                raise self.unsupported(f"the static variable '{name}', which keeps its value between calls,")
        self.environment.reset()

    # ------------------------------------------------------------------------------------------------- jumps

    def open(self, kind: str, label: str = "") -> Target:
        """Begin something that jumps can leave."""
        target = Target(kind, label, self.fresh(_FLAG))
        self.targets.append(target)
        return target

    def close(self, target: Target) -> None:
        """End it: those who left it go on here."""
        self.targets.pop()
        environment, key = self.environment, target.flag.key
        if key in environment.current:
            del environment.current[key]
            environment.frame.saved.pop(key, None)
            environment.narrow(self._left(), reached=key)

    def _left(self) -> dict[int, int]:
        """Return the conditions under which a jump has left what is still open, by the keys of their flags."""
        current, node_of = self.environment.current, self.environment.node_of
        keys = [target.flag.key for target in self.targets]
        return {key: node_of(entry[1]) for key in keys if (entry := current.get(key)) is not None}

    def alive(self) -> bool:
        """Narrow the path to where no jump has left; return whether anything remains."""
        environment = self.environment
        for target in self.targets:
            entry = environment.current.get(target.flag.key)
            if entry is not None and environment.covers(entry[1]):
                return False
        environment.narrow(self._left())
        return True

    def jump(self, kind: str, label: str = "", span: Span = NOWHERE) -> None:
        """Leave the innermost target of a kind (and label)."""
        for target in reversed(self.targets):
            if target.kind == kind and (kind != "disable" or target.label == label):
                self.environment.write(target.flag, 0, self.environment.one)
                self._jumps += 1
                return
        raise self.unsupported(f"'{kind} {label}'".replace(" '", "'") + " of something that does not enclose it", span)

    def _jump(self, statement: Jump) -> None:
        self.span = statement.span
        if statement.value is not None:
            if self.result is None:
                raise InternalError("a return value outside a function")
            self.environment.write(self.result, 0, self.evaluate(statement.value))
        self.jump(statement.kind, statement.label, statement.span)

    # ------------------------------------------------------------------------------------------------- loops

    def _loop(self, loop: Loop) -> None:
        self.span = loop.span
        fill = find_fill(self, loop)
        if fill is not None:
            fill()
            return
        outer = self.open("break")
        first, guarded, rounds = loop.test_last, 0, 0
        while True:
            if not first and loop.cond is not None:
                cond = self.condition(loop.cond)
                known = 0 if never_true(self.builder, cond) else self.builder.value(cond)
                if known == 0 or (known is None and not self._leave_unless(cond)):
                    break
                guarded += known is None
            first = False
            rounds += 1
            if guarded > GUARDED_ROUNDS or rounds > UNROLLED_ROUNDS:
                raise self._endless(loop.span, guarded > GUARDED_ROUNDS)
            if not self._round(loop.body, loop.step):
                break
        self.close(outer)

    def _endless(self, span: Span, guarded: bool) -> Unsupported:
        why = "whose number of rounds depends on data without a small bound" if guarded else "that does not end"
        return self.unsupported(f"a loop {why}", span)

    def _round(self, body: Statement, step: Sequence[Statement]) -> bool:
        """Run a loop's body and step once; return whether control can be there afterwards."""
        inner, seen = self.open("continue"), self._jumps
        self.execute(body)
        self.close(inner)
        if self._jumps != seen and not self.alive():
            return False
        seen = self._jumps
        self._sequence(step)
        return self._jumps == seen or self.alive()

    def _leave_unless(self, cond: int) -> bool:
        """Leave the innermost loop where a condition does not hold."""
        leave: Callable[[], None] = partial(self.jump, "break")
        self.environment.select([self.negate(cond)], [leave], None, exclusive=True)
        return self.alive()

    def _repeat_times(self, statement: RepeatTimes) -> None:
        self.span = statement.span
        count = self.evaluate(statement.count)
        known, width = self.builder.value(count), self.builder.width[count]
        most = upper_bound(self.builder, count)
        outer, rounds = self.open("break"), 0
        while rounds < most:
            if known is None:
                more = self.builder.add("ult", 1, self.builder.const(width, rounds), count)
                if rounds > GUARDED_ROUNDS:
                    raise self._endless(statement.span, True)
                if not self._leave_unless(self.truth(more)):
                    break
            rounds += 1
            if rounds > UNROLLED_ROUNDS:
                raise self._endless(statement.span, False)
            if not self._round(statement.body, ()):
                break
        self.close(outer)

    # ------------------------------------------------------------------------------------- calls and effects

    def _evaluate_statement(self, statement: Evaluate) -> None:
        self.span = statement.span
        self.evaluate(statement.value)

    def call(self, expression: Call) -> int:
        """Run a function or task in place and return its result."""
        return inline(self, expression)

    def system_call(self, expression: SystemCall) -> int:
        """Return the value of a system function."""
        return evaluate_system_call(self, expression)

    def assign_expression(self, expression: AssignExpr) -> int:
        """Assign; return the old value for `i++`, else the new one."""
        old = self.evaluate(expression.lhs) if expression.post else -1
        value = self.evaluate(expression.rhs)
        self.assign(expression.lhs, value)
        return old if expression.post else value

    def _system_task(self, task: SystemTask) -> None:
        self.span = task.span
        if task.name not in EFFECTS:
            raise self.unsupported(f"{task.name} outside an initial procedure", task.span)
        self.emit(task, task.args)

    def emit(self, task: SystemTask, args: Sequence[Expr | None]) -> None:
        """Add an effect on the present path."""
        postponed = task.name in POSTPONED
        self.postponed = task.name if postponed else ""
        nodes = tuple(-1 if arg is None or isinstance(arg, Text) else self.evaluate(arg) for arg in args)
        self.postponed = ""
        enable = self.environment.path()
        self.effects.append(FragmentEffect(task, nodes, enable, self.effect_trigger, postponed))

    def _assertion(self, statement: Assertion) -> None:
        self.span = statement.span
        cond = self.condition(statement.cond)
        passed = None if statement.passed is None else partial(self.execute, statement.passed)
        failed: Callable[[], None] | None
        if statement.kind == "cover":
            failed = None
        elif statement.failed is not None:
            failed = partial(self.execute, statement.failed)
        else:
            what = f"'{statement.label}' " if statement.label else ""
            text = f"{'Assumption' if statement.kind == 'assume' else 'Assertion'} {what}failed."
            task = SystemTask("$error", (Text(text),), (False,), statement.span)
            failed = partial(self.emit, task, task.args)
        known = self.builder.value(cond)
        if known is not None:
            chosen = passed if known else failed
            if chosen is not None:
                chosen()
            return
        self.environment.select([cond], [passed], failed, exclusive=False)

    def _wait(self, statement: Wait | WaitUntil) -> None:
        raise self.unsupported("a delay or event control inside a process (it needs the event engine)", statement.span)
