"""Print a design as text: what golden tests compare and bug reports show.

One line for each thing, indented by its place. Expressions are written so that nothing is left out: every width change
stands there (`zext`, `sext`, `trunc`), a slice is `value[offset+:width]`, a signal of another instance `a.b::name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from weft.base.logic import digits
from weft.ir.design import (
    Assertion,
    Assign,
    AssignExpr,
    Binary,
    Block,
    Call,
    Case,
    CaseItem,
    Concat,
    Cond,
    Const,
    Delay,
    Design,
    Element,
    Evaluate,
    Event,
    Expr,
    Function,
    If,
    Instance,
    Jump,
    Loop,
    Module,
    Process,
    Ref,
    Repeat,
    RepeatTimes,
    Resize,
    Signal,
    Slice,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Timing,
    Unary,
    Wait,
    WaitUntil,
)

_STEP = "  "


def print_design(design: Design) -> str:
    """Return the whole design as text, the inner modules first."""
    lines = [f"top {name} = {module.key}" for name, module in design.tops]
    lines += [f"package {name} = {module.key}" for name, module in design.packages]
    modules = [*(module for _, module in design.packages), *design.modules]
    return "\n".join([*lines, *(print_module(module) for module in modules)]) + "\n"


def print_module(module: Module) -> str:
    """Return one module as text."""
    parameters = "".join(f" {name}={value}" for name, value in module.parameters.items())
    lines = [f"module {module.key}{parameters}"]
    ports = {id(port.signal): port for port in module.ports}
    for signal in module.signals:
        port = ports.get(id(signal))
        role = f"{port.direction} " if port is not None else ""
        lines.append(f"{_STEP}{role}{_declaration(signal)}")
    for function in module.functions:
        lines += _indent(_function(function))
    for assign in module.assigns:
        strength = "" if assign.strength == ("strong", "strong") else f"({', '.join(assign.strength)}) "
        delay = f"#{print_expression(assign.delay.value)} " if assign.delay is not None else ""
        lines.append(f"{_STEP}assign {strength}{delay}{print_expression(assign.lhs)} = {print_expression(assign.rhs)}")
    for process in module.processes:
        lines += _indent(_process(process))
    for instance in module.instances:
        lines += _indent(_instance(instance))
    return "\n".join(lines)


def print_expression(expression: Expr | None) -> str:
    """Return an expression as text; `-` for one that is left out."""
    match expression:
        case None:
            return "-"
        case Const(width, value, unknown):
            return f"{width}'b{digits(value, unknown, width)}" if unknown else f"{width}'h{value:x}"
        case Text(value):
            return repr(value)
        case Ref(signal, path):
            return _name(signal, path)
        case Element(signal, index, path):
            return f"{_name(signal, path)}[{print_expression(index)}]"
        case Slice(value, offset, width):
            start = str(offset) if isinstance(offset, int) else print_expression(offset)
            return f"{print_expression(value)}[{start}+:{width}]"
        case Resize(value, width, signed):
            name = "trunc" if width < value.width else "sext" if signed else "zext"
            return f"{name}({print_expression(value)}, {width})"
        case Unary(op, value):
            return f"{op}({print_expression(value)})"
        case Binary(op, lhs, rhs):
            return f"({print_expression(lhs)} {op} {print_expression(rhs)})"
        case Cond(cond, then, other):
            return f"({print_expression(cond)} ? {print_expression(then)} : {print_expression(other)})"
        case Concat(parts):
            return f"{{{_list(parts)}}}"
        case Repeat(count, value):
            return f"{{{count}{{{print_expression(value)}}}}}"
        case Call(function, args):
            return f"{function.name}({_list(args)})"
        case SystemCall(name, args, width):
            return f"{name}({_list(args)}):{width}"
        case AssignExpr(lhs, rhs, post=post):
            return f"({print_expression(lhs)} {'post=' if post else '='} {print_expression(rhs)})"


def print_statement(statement: Statement | None) -> list[str]:
    """Return a statement as lines of text."""
    match statement:
        case None:
            return []
        case Block(body, label, fork):
            head = " ".join(word for word in (fork and f"fork {fork}", label and f": {label}") if word)
            lines = [line for inner in body for line in print_statement(inner)]
            return [f"begin {head}".rstrip(), *_indent(lines), "end"] if head else lines
        case Assign(lhs, rhs, blocking, timing=timing):
            wait = f"{_timing(timing)} " if timing is not None else ""
            return [f"{print_expression(lhs)} {'=' if blocking else '<='} {wait}{print_expression(rhs)}"]
        case If(cond, then, other, check):
            lines = [f"{check} if {print_expression(cond)}".strip(), *_indent(print_statement(then))]
            return lines if other is None else [*lines, "else", *_indent(print_statement(other))]
        case Case(kind, subject, items, default, check):
            lines = [f"{check} {kind} {print_expression(subject)}".strip()]
            for item in items:
                lines += _indent([f"{_labels(item)}:", *_indent(print_statement(item.body))])
            return lines if default is None else [*lines, *_indent(["default:", *_indent(print_statement(default))])]
        case Loop(cond, body, step, test_last):
            lines = [f"{'do ' if test_last else ''}while {print_expression(cond)}", *_indent(print_statement(body))]
            steps = [line for inner in step for line in print_statement(inner)]
            return [*lines, "step", *_indent(steps)] if steps else lines
        case RepeatTimes(count, body):
            return [f"repeat {print_expression(count)}", *_indent(print_statement(body))]
        case Jump(kind, label, value):
            return [" ".join(word for word in (kind, label, "" if value is None else print_expression(value)) if word)]
        case Evaluate(value):
            return [print_expression(value)]
        case SystemTask(name, args):
            return [f"{name}({_list(args)})"]
        case Assertion(kind, cond, passed, failed, deferred, label):
            lines = [" ".join(word for word in (kind, deferred, label, print_expression(cond)) if word)]
            lines += _indent(print_statement(passed))
            return lines if failed is None else [*lines, "else", *_indent(print_statement(failed))]
        case Wait(timing, body):
            return [_timing(timing), *_indent(print_statement(body))]
        case WaitUntil(cond, body):
            return [f"wait {print_expression(cond)}", *_indent(print_statement(body))]


def _indent(lines: Iterable[str]) -> Iterator[str]:
    return (_STEP + line for line in lines)


def _name(signal: Signal, path: tuple[str, ...]) -> str:
    return f"{'.'.join(path)}::{signal.name}" if path else signal.name


def _list(expressions: Iterable[Expr | None]) -> str:
    return ", ".join(map(print_expression, expressions))


def _labels(item: CaseItem) -> str:
    return ", ".join(
        f"[{print_expression(label[0])} : {print_expression(label[1])}]"
        if isinstance(label, tuple)
        else print_expression(label)
        for label in item.labels
    )


def _declaration(signal: Signal) -> str:
    kind = signal.net or ("automatic" if signal.automatic else "static" if signal.local else "var")
    signed = "signed " if signal.signed else ""
    depth = f" x {signal.depth}" if signal.depth else ""
    named = f" ({signal.type.kind} {signal.type.name})" if signal.type.name else ""
    initial = f" = {print_expression(signal.initial)}" if signal.initial is not None else ""
    return f"{kind} {signed}[{signal.width}{depth}] {signal.name}{named}{initial}"


def _event(event: Event) -> str:
    condition = f" iff {print_expression(event.condition)}" if event.condition is not None else ""
    return f"{event.edge} {print_expression(event.value)}{condition}"


def _timing(timing: Timing) -> str:
    if isinstance(timing, Delay):
        return f"#{print_expression(timing.value)}"
    return f"@({', '.join(map(_event, timing))})"


def _function(function: Function) -> list[str]:
    kind = "task" if function.task else "function"
    lifetime = " automatic" if function.automatic else ""
    result = f" -> {_declaration(function.result)}" if function.result is not None else ""
    args = ", ".join(f"{direction} {_declaration(signal)}" for direction, signal in function.args)
    inner = [_declaration(signal) for signal in function.locals]
    return [
        f"{kind}{lifetime} {function.name}({args}){result}",
        *_indent(inner),
        *_indent(print_statement(function.body)),
    ]


def _process(process: Process) -> list[str]:
    events = f" @({', '.join(map(_event, process.events))})" if process.events else ""
    scope = f" in {process.scope}" if process.scope else ""
    head = f"{process.kind.value} ({process.keyword}){events}{scope}"
    return [head, *_indent(print_statement(process.body))]


def _instance(instance: Instance) -> list[str]:
    lines = [f"instance {instance.name} = {instance.module.key}"]
    for port, connection in zip(instance.module.ports, instance.connections, strict=True):
        arrow = {"input": "<-", "output": "->"}.get(port.direction, "<->")
        lines.append(f"{_STEP}{port.name} {arrow} {print_expression(connection)}")
    return lines
