"""Read the text form of a cone graph (see `print_graph`), so that golden tests and bug reports can be run.

Each line is cut into tokens by one regular expression and read left to right. The nodes keep their numbers; nothing is
folded or shared, and the result is verified.
"""

from __future__ import annotations

import json
import re

import numpy as np

from weft.base.dataclass import replace
from weft.base.errors import UserError
from weft.base.source import NOWHERE, Span
from weft.ir.cone_graph import ConeGraph, Domain, Effect, MemoryWrite, Scope, State, Write
from weft.ir.design import Expr, Module, Signal, SystemTask, Text, Type
from weft.ir.ops import BY_NAME
from weft.ir.verify_graph import verify_graph

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[%@]\d+|0b[01xz]+|0x[0-9a-f]+|-?\d+|[a-z_][a-z_0-9]*|;.*|\S)')


class _Line:
    """Read one line's tokens in order."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.tokens = [token for token in _TOKEN.findall(text) if not token.startswith(";")]
        self.at = 0

    def error(self, expected: str) -> UserError:
        """Return the error that something else was expected here."""
        found = self.peek() or "the end of the line"
        return UserError("source-errors", f"line {self.number} of the graph: expected {expected}, found {found}")

    def peek(self) -> str:
        """Return the next token, or an empty string at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        """Read the token if it is next, and say whether it was."""
        if self.peek() != token:
            return False
        self.at += 1
        return True

    def expect(self, token: str) -> None:
        """Read a token that must be next."""
        if not self.take(token):
            raise self.error(f"'{token}'")

    def match(self, pattern: str, expected: str) -> str:
        """Read the next token, which must match."""
        token = self.peek()
        if not re.fullmatch(pattern, token):
            raise self.error(expected)
        self.at += 1
        return token

    def word(self) -> str:
        """Read a word."""
        return self.match(r"[a-z_][a-z_0-9]*", "a word")

    def integer(self) -> int:
        """Read a decimal or hexadecimal integer."""
        return int(self.match(r"-?\d+|0x[0-9a-f]+", "a number"), 0)

    def text(self) -> str:
        """Read a quoted string."""
        return json.loads(self.match(r'".*"', "a string"))

    def node(self) -> int:
        """Read a node."""
        return int(self.match(r"%\d+", "a node")[1:])

    def state(self) -> int:
        """Read a state."""
        return int(self.match(r"@\d+", "a state")[1:])

    def size(self) -> tuple[int, int]:
        """Read a width, and a depth if there is one: `8` or `8x16`."""
        width = self.integer()
        token = self.peek()
        if not re.fullmatch(r"x\d+", token):
            return width, 0
        self.at += 1
        return width, int(token[1:])

    def place(self) -> int:
        """Read a signal's place, encoded as in `Scope.nodes`."""
        if self.take("_"):
            return -1
        return -2 - self.state() if self.peek().startswith("@") else self.node()

    def span(self) -> Span:
        """Read an optional span."""
        if not self.take("at"):
            return NOWHERE
        file = self.integer()
        self.expect(":")
        start = self.integer()
        self.expect(":")
        return Span(file, start, self.integer())

    def end(self) -> None:
        """Check that the line ends here."""
        if self.peek():
            raise self.error("the end of the line")


def parse_graph(text: str) -> ConeGraph:
    """Return the graph that `text` describes, verified; raise `UserError` for text that is malformed."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), 1):
        tokens = _Line(number, line)
        if tokens.peek():
            reader.read(tokens)
            tokens.end()
    graph = reader.finish()
    verify_graph(graph)
    return graph


class _Reader:
    """Collect what the lines say."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, int, int, tuple[int, ...]]] = []
        self.constants: list[tuple[int, int]] = []
        self.states: list[State] = []
        self.domains: list[Domain] = []
        self.writes: list[Write] = []
        self.memory_writes: list[MemoryWrite] = []
        self.effects: list[Effect] = []
        self.scopes: list[tuple[Scope, list[int], list[int]]] = []
        self.four_state = False

    def read(self, line: _Line) -> None:
        """Read one line."""
        if line.peek().startswith("%"):
            self._node(line)
            return
        match line.word():
            case "graph":
                self.four_state = line.word() == "four_state"
            case "state":
                self._state(line)
            case "domain":
                self._number(line, len(self.domains))
                self.domains.append(Domain(line.text(), line.node()))
            case "write":
                self._write(line)
            case "effect":
                self._effect(line)
            case "scope":
                self._scope(line)
            case "signal":
                self._signal(line)
            case _:
                line.at -= 1
                raise line.error("a kind of line")

    def _number(self, line: _Line, expected: int) -> None:
        if line.integer() != expected:
            line.at -= 1
            raise line.error(f"number {expected}")

    def _state(self, line: _Line) -> None:
        self._number(line, len(self.states))
        kind, name = line.word(), line.text()
        width, depth = line.size()
        state = State(name, width, depth, kind)
        if line.take("initial"):
            state = replace(state, initial=line.integer())
        if line.peek() in ("value", "unknown"):
            plane = line.word()
            line.expect("of")
            state = replace(state, plane=plane, twin=line.state())
        self.states.append(replace(state, known=line.take("known"), span=line.span()))

    def _node(self, line: _Line) -> None:
        if line.node() != len(self.nodes):
            line.at -= 1
            raise line.error(f"%{len(self.nodes)}")
        line.expect("=")
        op = BY_NAME.get(line.word())
        if op is None:
            line.at -= 1
            raise line.error("an operation")
        line.expect(":")
        width, param = line.integer(), 0
        if op.name == "const":
            param = len(self.constants)
            self.constants.append(self._constant(line))
        elif op.name in ("read", "memread"):
            param = line.state()
        sources: list[int] = []
        while line.peek().startswith("%"):
            sources.append(line.node())
        if op.name == "slice":
            line.expect("[")
            param = line.integer()
            line.expect("]")
        self.nodes.append((op.code, width, param, tuple(sources)))

    def _constant(self, line: _Line) -> tuple[int, int]:
        if not line.peek().startswith("0b"):
            return line.integer(), 0
        digits = line.match(r"0b[01xz]+", "a constant")[2:]
        value = int("".join("1" if digit in "1z" else "0" for digit in digits), 2)
        return value, int("".join("1" if digit in "xz" else "0" for digit in digits), 2)

    def _write(self, line: _Line) -> None:
        state, address = line.state(), -1
        if line.take("["):
            address = line.node()
            line.expect("]")
        line.expect("=")
        value = line.node()
        enable, domain = self._condition(line)
        if address < 0:
            self.writes.append(Write(state, value, enable, domain))
            return
        mask = line.node() if line.take("mask") else -1
        count = line.integer() if line.take("count") else 1
        self.memory_writes.append(MemoryWrite(state, address, value, enable, domain, mask, count))

    def _condition(self, line: _Line) -> tuple[int, int]:
        line.expect("if")
        enable = line.node()
        line.expect("on")
        return enable, line.integer()

    def _effect(self, line: _Line) -> None:
        name = line.text()
        arguments: list[Expr | None] = []
        signed: list[bool] = []
        nodes: list[int] = []
        unknowns: list[int] = []
        line.expect("(")
        while not line.take(")"):
            literal = line.peek().startswith('"')
            arguments.append(Text(line.text()) if literal else None)
            nodes.append(-1 if literal or line.take("_") else line.node())
            unknowns.append(line.node() if line.take("/") else -1)
            signed.append(line.take("signed"))
            line.take(",")
        enable, domain = self._condition(line)
        line.expect("scope")
        scope = line.text()
        line.expect("unit")
        unit = line.integer()
        postponed = line.take("postponed")
        block = line.text() if line.take("block") else ""
        split = any(node >= 0 for node in unknowns)
        task = SystemTask(name, tuple(arguments), tuple(signed), line.span(), block)
        planes = tuple(unknowns) if split else ()
        self.effects.append(Effect(task, tuple(nodes), enable, domain, scope, planes, postponed, unit))

    def _scope(self, line: _Line) -> None:
        self._number(line, len(self.scopes))
        path = line.text()
        line.expect("parent")
        parent = line.integer()
        line.expect("module")
        module = Module(line.text(), line.text())
        self.scopes.append((Scope(path, parent, module, np.zeros(0, np.int32)), [], []))

    def _signal(self, line: _Line) -> None:
        if not self.scopes:
            raise line.error("a scope before its signals")
        scope, nodes, unknowns = self.scopes[-1]
        name = line.text()
        width, depth = line.size()
        line.expect("=")
        nodes.append(line.place())
        if line.take("/"):
            unknowns.append(line.place())
        scope.module.signals.append(Signal(name, width, Type("logic", width), depth))

    def finish(self) -> ConeGraph:
        """Return the graph."""
        for scope, nodes, unknowns in self.scopes:
            scope.nodes = np.array(nodes, np.int32)
            scope.unknowns = np.array(unknowns, np.int32) if unknowns else None
        starts = np.zeros(len(self.nodes) + 1, np.int32)
        np.cumsum([len(sources) for _, _, _, sources in self.nodes], out=starts[1:])
        return ConeGraph(
            op=np.array([node[0] for node in self.nodes], np.uint8),
            width=np.array([node[1] for node in self.nodes], np.int32),
            param=np.array([node[2] for node in self.nodes], np.int32),
            start=starts,
            src=np.array([source for node in self.nodes for source in node[3]], np.int32),
            constants=self.constants,
            states=self.states,
            domains=self.domains,
            writes=self.writes,
            memory_writes=self.memory_writes,
            effects=self.effects,
            scopes=[scope for scope, _, _ in self.scopes],
            four_state=self.four_state,
        )
