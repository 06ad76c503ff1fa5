"""Print a cone graph as text that `parse_graph` reads back; used by golden tests and bug reports.

    graph two_state
    state 0 input "clk" 1
    state 1 register "top.count" 8 initial 0
    %0 = const:1 1
    %1 = read:8 @1
    %2 = const:8 1
    %3 = add:8 %1 %2                    ; top.next
    domain 0 "settle" %0
    write @1 = %3 if %0 on 0

`%n` is a node, `op:width` its operation, `@n` a state, `[n]` the first bit of a slice; `;` begins a comment. A constant
with unknown bits has binary digits (`0b01xz`). Of the design only what the graph needs is kept: a scope's signals by
name, width and depth, an effect's task by name with its literal arguments; an expression that a node stands for is not
printed and reads back as None.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from weft.base.logic import digits
from weft.base.source import NOWHERE, Span
from weft.ir.cone_graph import ConeGraph, Effect, Scope, State
from weft.ir.design import Text

COMMENT_COLUMN = 40


def print_graph(graph: ConeGraph, names: bool = True) -> str:
    """Return the text of a graph; with `names`, comments tell which signals a node is."""
    lines = [f"graph {'four_state' if graph.four_state else 'two_state'}"]
    lines += [_state_line(index, state) for index, state in enumerate(graph.states)]
    lines += _node_lines(graph, _names_of_nodes(graph) if names else {})
    lines += [f"domain {i} {_quote(domain.name)} %{domain.trigger}" for i, domain in enumerate(graph.domains)]
    lines += [f"write @{w.state} = %{w.value} if %{w.enable} on {w.domain}" for w in graph.writes]
    for write in graph.memory_writes:
        line = f"write @{write.state}[%{write.address}] = %{write.value} if %{write.enable} on {write.domain}"
        line += f" mask %{write.mask}" if write.mask >= 0 else ""
        lines.append(line + (f" count {write.count}" if write.count != 1 else ""))
    lines += [_effect_line(graph, effect) for effect in graph.effects]
    for index, scope in enumerate(graph.scopes):
        lines += _scope_lines(index, scope)
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _span(span: Span) -> str:
    return "" if span == NOWHERE else f" at {span.file}:{span.start}:{span.end}"


def _state_line(index: int, state: State) -> str:
    size = f"{state.width}x{state.depth}" if state.depth else str(state.width)
    line = f"state {index} {state.kind} {_quote(state.name)} {size}"
    if state.initial is not None:
        line += f" initial {_number(state.initial)}"
    if state.plane:
        line += f" {state.plane} of @{state.twin}"
    line += " known" if state.known else ""
    return line + _span(state.span)


def _number(value: int) -> str:
    return str(value) if value < 10 else hex(value)


def _node_lines(graph: ConeGraph, names: dict[int, str]) -> Iterator[str]:
    for index, node in enumerate(graph.nodes()):
        line = f"%{index} = {node.op}:{node.width}"
        if node.op == "const":
            value, unknown = graph.constants[node.param]
            line += f" 0b{digits(value, unknown, node.width)}" if unknown else f" {_number(value)}"
        elif node.op in ("read", "memread"):
            line += f" @{node.param}"
        line += "".join(f" %{source}" for source in node.sources)
        if node.op == "slice":
            line += f" [{node.param}]"
        name = names.get(index)
        yield f"{line:<{COMMENT_COLUMN}}; {name}" if name else line


def _names_of_nodes(graph: ConeGraph) -> dict[int, str]:
    """Return for each node that is a signal its first name; a `+` says that there are more."""
    names: dict[int, str] = {}
    for scope in graph.scopes:
        for signal, node in zip(scope.module.signals, scope.nodes.tolist(), strict=True):
            if node >= 0:
                known = names.get(node)
                names[node] = f"{scope.path}.{signal.name}" if known is None else known.removesuffix(" +") + " +"
    return names


def _effect_line(graph: ConeGraph, effect: Effect) -> str:
    task = effect.task
    parts: list[str] = []
    for position, node in enumerate(effect.args):
        argument = task.args[position]
        part = "_"
        if node >= 0:
            part = f"%{node}"
            if effect.unknowns:
                part += f"/%{effect.unknowns[position]}"
        elif isinstance(argument, Text):
            part = _quote(argument.value)
        signed = position < len(task.signed) and task.signed[position]
        parts.append(part + (" signed" if signed else ""))
    line = f"effect {_quote(task.name)} ({', '.join(parts)}) if %{effect.enable} on {effect.domain}"
    line += f" scope {_quote(effect.scope)} unit {effect.time_unit_fs}"
    line += " postponed" if effect.postponed else ""
    line += f" block {_quote(task.scope)}" if task.scope else ""
    return line + _span(task.span)


def _scope_lines(index: int, scope: Scope) -> Iterator[str]:
    module = scope.module
    yield f"scope {index} {_quote(scope.path)} parent {scope.parent} module {_quote(module.name)} {_quote(module.key)}"
    unknowns = None if scope.unknowns is None else scope.unknowns.tolist()
    for position, (signal, node) in enumerate(zip(module.signals, scope.nodes.tolist(), strict=True)):
        size = f"{signal.width}x{signal.depth}" if signal.depth else str(signal.width)
        line = f"  signal {_quote(signal.name)} {size} = {_place(node)}"
        yield line + (f"/{_place(unknowns[position])}" if unknowns is not None else "")


def _place(node: int) -> str:
    return f"%{node}" if node >= 0 else f"@{-2 - node}" if node < -1 else "_"
