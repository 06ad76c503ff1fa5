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
    Class,
    Concat,
    Cond,
    Const,
    Delay,
    Design,
    Disable,
    DisableFork,
    Element,
    Evaluate,
    Event,
    Expr,
    Field,
    Force,
    Function,
    Gate,
    If,
    Implicit,
    Instance,
    Item,
    Iterate,
    Jump,
    Loop,
    Module,
    New,
    Process,
    Randomize,
    Real,
    Ref,
    Release,
    Repeat,
    Repeated,
    RepeatTimes,
    Resize,
    Signal,
    Slice,
    Statement,
    SystemCall,
    SystemTask,
    Text,
    Timing,
    Trigger,
    Type,
    UdpTable,
    Unary,
    Wait,
    WaitFork,
    WaitUntil,
)
from weft.ir.expressions import WORD_KINDS
from weft.ir.print_constraints import print_constraint_block, print_constraints

_STEP = "  "


def print_design(design: Design) -> str:
    """Return the whole design as text, the inner modules first."""
    lines = [f"top {name} = {module.key}" for name, module in design.tops]
    lines += [f"package {name} = {module.key}" for name, module in design.packages]
    for found in design.classes:
        lines += _class(found)
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
        # Methods stand with their class.
        if function.this is None and not function.virtual:
            lines += _indent(_function(function))
    for assign in module.assigns:
        strength = "" if assign.strength == ("strong", "strong") else f"({', '.join(assign.strength)}) "
        delay = f"{_timing(assign.delay)} " if assign.delay is not None else ""
        lines.append(f"{_STEP}assign {strength}{delay}{print_expression(assign.lhs)} = {print_expression(assign.rhs)}")
    tables: dict[str, UdpTable] = {}
    for gate in module.gates:
        lines.append(_STEP + _gate(gate))
        if gate.table is not None:
            tables[gate.table.name] = gate.table
    for table in tables.values():
        lines += _indent(_table(table))
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
        case Real(value):
            return repr(value)
        case Item(container, index, width, signed):
            return f"{print_expression(container)}[{'signed ' if signed else ''}{print_expression(index)}]:{width}"
        case Field(value, member):
            return f"{print_expression(value)}.{member.name}"
        case New(made, args):
            return f"new {made.key}({_list(args)})"
        case Iterate(name, array, item, index, body, width, signed=signed):
            with_clause = "" if body is None else f" with ({item.name}, {index.name} : {print_expression(body)})"
            return f"{name}({print_expression(array)}{with_clause}):{'signed ' if signed else ''}{width}"
        case Call(function, args, receiver=receiver, virtual=virtual, path=path):
            owner = "" if receiver is None else f"{print_expression(receiver)}.{'virtual ' if virtual else ''}"
            owner = f"{'.'.join(path)}::{owner}" if path else owner
            return f"{owner}{function.name}({_list(args)})"
        case SystemCall(name, args, width, type=kind, signs=signs, types=types):
            marks = " ".join([*("s" if sign else "u" for sign in signs), *_marks(types)])
            result = "" if kind is None else f" {_type_name(kind)}"
            return f"{name}({_list(args)}{'; ' + marks if marks else ''}):{width}{result}"
        case Randomize(value, targets, constraints):
            chosen = "" if targets is None else _list(targets) or "null"
            inline = "; ".join(line.strip() for line in print_constraints(constraints, print_expression))
            owner = "" if value is None else f"{print_expression(value)}."
            return f"{owner}randomize({chosen}){f' with {{{inline}}}' if inline else ''}"
        case AssignExpr(lhs, rhs, post=post):
            return f"({print_expression(lhs)} {'post=' if post else '='} {print_expression(rhs)})"


def print_statement(statement: Statement | None) -> list[str]:
    """Return a statement as lines of text."""
    match statement:
        case None:
            return []
        case Block():
            return _block(statement)
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
        case SystemTask(name, args, types=types):
            marks = " ".join(_marks(types))
            return [f"{name}({_list(args)}{'; ' + marks if marks else ''})"]
        case Assertion(kind, cond, passed, failed, deferred, label):
            lines = [" ".join(word for word in (kind, deferred, label, print_expression(cond)) if word)]
            lines += _indent(print_statement(passed))
            return lines if failed is None else [*lines, "else", *_indent(print_statement(failed))]
        case Wait(timing, body):
            return [_timing(timing), *_indent(print_statement(body))]
        case WaitUntil(cond, body):
            return [f"wait {print_expression(cond)}", *_indent(print_statement(body))]
        case Force(lhs, rhs, kind):
            return [f"{kind} {print_expression(lhs)} = {print_expression(rhs)}"]
        case Release(lhs, kind):
            return [f"{kind} {print_expression(lhs)}"]
        case Trigger(event, blocking, timing):
            wait = f"{_timing(timing)} " if timing is not None else ""
            return [f"{'->' if blocking else '->>'} {wait}{print_expression(event)}"]
        case Disable(scope, path):
            return [f"disable {'.'.join(path)}::{scope}" if path else f"disable ::{scope}"]
        case WaitFork():
            return ["wait fork"]
        case DisableFork():
            return ["disable fork"]


def _block(block: Block) -> list[str]:
    scope = f"in {block.scope}" if block.scope else ""
    words = (block.fork and f"fork {block.fork}", block.label and f": {block.label}", scope)
    head = " ".join(word for word in words if word)
    lines = [_declaration(signal) for signal in block.locals]
    for inner in block.body:
        # In a fork a block is one thread, even if nothing else is to be said of it.
        plain = block.fork and isinstance(inner, Block) and not (inner.label or inner.fork or inner.locals)
        printed = print_statement(inner)
        lines += ["begin", *_indent(printed), "end"] if plain else printed
    return [f"begin {head}".rstrip(), *_indent(lines), "end"] if head or block.locals else lines


def _indent(lines: Iterable[str]) -> Iterator[str]:
    return (_STEP + line for line in lines)


def _name(signal: Signal, path: tuple[str, ...]) -> str:
    return f"{'.'.join(path)}::{signal.name}" if path else signal.name


def _list(expressions: Iterable[Expr | None]) -> str:
    return ", ".join(map(print_expression, expressions))


def _marks(types: tuple[Type | None, ...]) -> list[str]:
    """Return which arguments of a system task or function are no plain vectors."""
    return [f"{number}:{_type_name(found)}" for number, found in enumerate(types) if found is not None]


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
    kinds = signal.type.kind in WORD_KINDS or signal.type.name
    named = f" ({_type_name(signal.type)})" if kinds else ""
    charge = f" ({signal.charge})" if signal.charge else ""
    delay = f" {_timing(signal.delay)}" if signal.delay is not None else ""
    initial = f" = {print_expression(signal.initial)}" if signal.initial is not None else ""
    return f"{kind}{charge}{delay} {signed}[{signal.width}{depth}] {signal.name}{named}{initial}"


def _type_name(found: Type) -> str:
    """Return a type's kind, name and, of a container, what it holds."""
    name = f"{found.kind} {found.name}".rstrip()
    if found.element is None:
        return name
    key = "" if found.kind != "assoc" else f"[{'*' if found.key is None else _type_name(found.key)}]"
    bound = f"[{found.bound}]" if found.bound else ""
    return f"{name}{key}{bound} of {_type_name(found.element)} {found.element.width}"


def _event(event: Event) -> str:
    condition = f" iff {print_expression(event.condition)}" if event.condition is not None else ""
    return f"{event.edge} {print_expression(event.value)}{condition}"


def _timing(timing: Timing) -> str:
    match timing:
        case Delay(value, None, None, real):
            return f"{'#real ' if real else '#'}{print_expression(value)}"
        case Delay(value, fall, off, real):
            later = "" if off is None else f", {print_expression(off)}"
            return f"{'#real ' if real else '#'}({print_expression(value)}, {print_expression(fall)}{later})"
        case Repeated(count, events):
            return f"repeat ({print_expression(count)}) {_timing(events)}"
        case Implicit():
            return "@*"
        case _:
            return f"@({', '.join(map(_event, timing))})"


def _gate(gate: Gate) -> str:
    kind = gate.kind if gate.table is None else gate.table.name
    strength = "" if gate.strength == ("strong", "strong") else f" ({', '.join(gate.strength)})"
    delay = f" {_timing(gate.delay)}" if gate.delay is not None else ""
    return f"{kind}{strength}{delay} {gate.name}({_list(gate.outputs)} : {_list(gate.inputs)})"


def _table(table: UdpTable) -> list[str]:
    kind = f"sequential, at first {table.initial}" if table.sequential else "combinational"
    rows = [" : ".join(part for part in row if part) for row in table.rows]
    return [f"table {table.name} ({kind})", *_indent(rows)]


def _class(found: Class) -> list[str]:
    base = f" extends {found.base.key}" if found.base is not None else ""
    lines = [
        f"{found.random[signal.name]} {_declaration(signal)}" if signal.name in found.random else _declaration(signal)
        for signal in found.fields
    ]
    for block in found.constraints:
        lines += print_constraint_block(block, print_expression)
    methods = [*found.methods.values(), *([found.constructor] if found.constructor is not None else [])]
    for method in methods:
        lines += _function(method) if method.this is not None or method.virtual else [f"static {method.name}"]
    return [f"class {found.key}{base}", *_indent(lines)]


def _function(function: Function) -> list[str]:
    kind = f"{'virtual ' if function.virtual else ''}{'task' if function.task else 'function'}"
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
    reactive = "reactive " if process.reactive else ""
    head = f"{reactive}{process.kind.value} ({process.keyword}){events}{scope}"
    return [head, *_indent(print_statement(process.body))]


def _instance(instance: Instance) -> list[str]:
    lines = [f"instance {instance.name} = {instance.module.key}"]
    for port, connection in zip(instance.module.ports, instance.connections, strict=True):
        arrow = {"input": "<-", "output": "->"}.get(port.direction, "<->")
        lines.append(f"{_STEP}{port.name} {arrow} {print_expression(connection)}")
    return lines
