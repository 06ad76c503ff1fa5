"""Give a parsed condition its widths and make graph nodes of it, so that it is compiled into the run loop.

Widths and signs follow IEEE 1800-2023 11.6 and 11.8: each operator has a self-determined width, and operands of
arithmetic, bitwise and comparison operators are extended to the widest of them. The nodes are built once in 4-state
form over stand-ins for the signals, split into planes by the same pass as the design, and joined to the design's own
nodes: so a condition means what it would mean in the design.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.base.dataclass import dataclass, replace
from weft.base.errors import UserError
from weft.ir.cone_graph import ConeGraph, State
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import signed as to_signed
from weft.passes.split_planes import split_planes
from weft.sim.copy_cones import copy_cones, hook_builder
from weft.sim.parse_condition import Literal, Operation, Parser, Path, Tree
from weft.sim.signal_map import Found, SignalMap

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_DIVISION = {"/": ("udiv", "sdiv"), "%": ("umod", "smod")}
_SHIFTS = {"<<": "shl", "<<<": "shl", ">>": "lshr"}
_EQUALITY = {"==": "eq", "!=": "eq", "===": "ceq", "!==": "ceq", "==?": "weq", "!=?": "weq"}
_REDUCTIONS = {
    "&": "redand",
    "|": "redor",
    "^": "redxor",
    "~&": "redand",
    "~|": "redor",
    "~^": "redxor",
    "^~": "redxor",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Be a condition over a design's state: `node` of `graph` is 1 while it holds; `signals` are those it reads."""

    graph: ConeGraph
    node: int
    signals: tuple[Found, ...]


def build_condition(text: str, signals: SignalMap) -> Condition:
    """Return the condition that a text describes."""
    parser = Parser(text)
    return ExpressionBuilder(parser, signals).build(parser.parse())


def build_change(found: Found, signals: SignalMap, memory: int, first: int) -> Condition:
    """Return the condition that a signal differs from what elements `first` and up of a 64-bit memory remember."""
    graph = signals.graph
    builder = hook_builder(graph)
    planes = [found.node] if found.unknown < 0 else [found.node, found.unknown]
    ids = copy_cones(graph, planes, builder)
    differs = builder.const(1, 0)
    for plane in planes:
        width = builder.width[ids[plane]]
        for low in range(0, width, 64):
            size = min(64, width - low)
            old = builder.slice(builder.memread(memory, builder.const(32, first)), 0, size)
            same = builder.add("eq", 1, builder.slice(ids[plane], low, size), old)
            differs = builder.add("or", 1, differs, builder.add("not", 1, same))
            first += 1
    return Condition(builder.freeze(), differs, (found,))


class ExpressionBuilder:
    """Turn a parsed expression into nodes; `terms` are names, with their widths, that are no signals."""

    def __init__(self, parser: Parser, signals: SignalMap, terms: Mapping[str, int] | None = None) -> None:
        self.parser, self.signals, self.terms = parser, signals, terms or {}
        self.builder = GraphBuilder(four_state=True)
        self.found: list[Found | str] = []
        self._selected: dict[int, tuple[int, int]] = {}

    def build(self, tree: Tree) -> Condition:
        """Return the finished condition."""
        value = self.node(tree, self.width(tree))
        if not self.found:
            raise UserError("bad-expression", f"'{self.parser.text}' names no signal, so it can never change")
        final = hook_builder(self.signals.graph)
        node, _ = self.join(self.builder.add("true", 1, value), final, {})
        return Condition(final.freeze(), node, tuple(found for found in self.found if isinstance(found, Found)))

    def join(self, target: int, final: GraphBuilder, terms: Mapping[str, int]) -> tuple[int, int]:
        """Copy a node and what it needs of the design to a builder; return the nodes of its value and unknown plane.

        `terms` gives the nodes of the names that are no signals.
        """
        split = split_planes(self.builder.freeze())
        graph, state_count = self.signals.graph, len(self.found)
        scalars = [found for found in self.found if isinstance(found, Found) and found.memory < 0]
        wanted = [node for found in scalars for node in (found.node, found.unknown) if node >= 0]
        ids = copy_cones(graph, wanted, final)
        replaced: dict[int, int] = {}
        memories: dict[int, int] = {}
        for number, state in enumerate(split.graph.states):
            found = self.found[number if number < state_count else state.twin]
            if isinstance(found, str):
                replaced[number] = terms[found]
            elif found.memory >= 0:
                twin = graph.states[found.memory].twin
                memories[number] = found.memory if number < state_count else twin
            elif number < state_count:
                replaced[number] = ids[found.node]
            else:
                replaced[number] = ids[found.unknown]
        planes = int(split.values[target]), int(split.unknowns[target])
        joined = copy_cones(split.graph, planes, final, replaced, lambda state: memories[state])
        return joined[planes[0]], joined[planes[1]]

    # ------------------------------------------------------------------------------------- widths and signs

    def width(self, tree: Tree) -> int:
        """Return the self-determined width (IEEE 1800-2023 table 11-21)."""
        match tree:
            case Literal():
                return tree.width
            case Path():
                return self.selected(tree)[1]
            case Operation("unary", op, (operand,)):
                return self.width(operand) if op in ("~", "-", "+") else 1
            case Operation("binary", op, (left, right)):
                if op in _EQUALITY or op in ("<", "<=", ">", ">=", "&&", "||"):
                    return 1
                if op in _SHIFTS or op in (">>>", "**"):
                    return self.width(left)
                return max(self.width(left), self.width(right))
            case Operation("choose", _, (_, then, other)):
                return max(self.width(then), self.width(other))
            case Operation("join", _, parts):
                return sum(self.width(part) for part in parts)
            case Operation(_, _, (count, inner)):
                return self.count(count, tree.at) * self.width(inner)
            case _:
                raise AssertionError(tree)

    def signed(self, tree: Tree) -> bool:
        """Say whether an expression is signed (11.8.1)."""
        match tree:
            case Literal():
                return tree.signed
            case Path():
                return not self._term(tree) and self.find(tree)[0].signal.signed and not tree.selects
            case Operation("unary", op, (operand,)):
                return op in ("~", "-", "+") and self.signed(operand)
            case Operation("binary", op, (left, right)):
                if op in _EQUALITY or op in ("<", "<=", ">", ">=", "&&", "||"):
                    return False
                if op in _SHIFTS or op in (">>>", "**"):
                    return self.signed(left)
                return self.signed(left) and self.signed(right)
            case Operation("choose", _, (_, then, other)):
                return self.signed(then) and self.signed(other)
            case _:
                return False

    def count(self, tree: Tree, at: int) -> int:
        """Return a constant, for replication and part selects."""
        if isinstance(tree, Operation) and tree.op == "-" and tree.kind == "unary":
            return -self.count(tree.operands[0], at)
        if not isinstance(tree, Literal) or tree.unknown:
            raise self.parser.error("a constant is expected", at)
        return to_signed(tree.value, tree.width) if tree.signed else tree.value

    # ------------------------------------------------------------------------------------------------- nodes

    def node(self, tree: Tree, width: int, signed: bool | None = None) -> int:
        """Return the node of an expression in a context of `width` bits."""
        signed = self.signed(tree) if signed is None else signed
        match tree:
            case Literal():
                return self.literal(tree, width, signed)
            case Path():
                return self.resize(self.selected(tree)[0], width, signed)
            case Operation("unary"):
                return self.unary(tree, width, signed)
            case Operation("binary"):
                return self.binary(tree, width, signed)
            case Operation("choose", _, (cond, then, other)):
                chosen = self.builder.add("true", 1, self.node(cond, self.width(cond)))
                return self.builder.add(
                    "mux", width, chosen, self.node(then, width, signed), self.node(other, width, signed)
                )
            case Operation("join", _, parts):
                nodes = [self.node(part, self.width(part)) for part in reversed(parts)]
                return self.resize(self.builder.concat(nodes), width, False)
            case Operation(_, _, (count, inner)):
                times = self.count(count, tree.at)
                if times < 1:
                    raise self.parser.error("a replication needs a positive count", tree.at)
                return self.resize(self.builder.concat([self.node(inner, self.width(inner))] * times), width, False)
            case _:
                raise AssertionError(tree)

    def resize(self, node: int, width: int, signed: bool) -> int:
        """Extend or truncate a node."""
        old = self.builder.width[node]
        if width <= old:
            return self.builder.slice(node, 0, width)
        return self.builder.add("sext" if signed else "zext", width, node)

    def literal(self, literal: Literal, width: int, signed: bool) -> int:
        """Return the node of a number."""
        value, unknown, ones = literal.value, literal.unknown, (1 << width) - 1
        if not literal.sized and literal.width == 1:  # '0 '1 'x 'z fill (5.7.1)
            return self.builder.const(width, ones if value else 0, ones if unknown else 0)
        if signed:
            value, unknown = to_signed(value, literal.width), to_signed(unknown, literal.width)
        return self.builder.const(width, value & ones, unknown & ones)

    def unary(self, tree: Operation, width: int, signed: bool) -> int:
        """Return the node of an operator with one operand."""
        (operand,) = tree.operands
        add = self.builder.add
        if tree.op == "+":
            return self.node(operand, width, signed)
        if tree.op == "~":
            return add("not", width, self.node(operand, width, signed))
        if tree.op == "-":
            return add("sub", width, self.builder.const(width, 0), self.node(operand, width, signed))
        inner = self.node(operand, self.width(operand))
        if tree.op == "!":
            return self.resize(add("not", 1, add("redor", 1, inner)), width, False)
        bit = add(_REDUCTIONS[tree.op.strip("~")], 1, inner)
        if "~" in tree.op:
            bit = add("not", 1, bit)
        return self.resize(bit, width, False)

    def binary(self, tree: Operation, width: int, signed: bool) -> int:
        """Return the node of an operator with two operands."""
        left, right = tree.operands
        op, add = tree.op, self.builder.add
        if op in ("&&", "||"):
            bits = [add("redor", 1, self.node(side, self.width(side))) for side in (left, right)]
            return self.resize(add("and" if op == "&&" else "or", 1, *bits), width, False)
        if op in _EQUALITY or op in ("<", "<=", ">", ">="):
            return self.resize(self.compare(op, left, right), width, False)
        if op in _SHIFTS or op == ">>>":
            name = _SHIFTS.get(op) or ("ashr" if signed else "lshr")
            return add(name, width, self.node(left, width, signed), self.node(right, self.width(right)))
        a = self.node(left, width, signed)
        if op == "**":
            return add("spow" if signed else "upow", width, a, self.node(right, self.width(right)))
        b = self.node(right, width, signed)
        if op in _DIVISION:
            return add(_DIVISION[op][signed], width, a, b)
        if op in ("~^", "^~"):
            return add("not", width, add("xor", width, a, b))
        return add(_ARITHMETIC[op], width, a, b)

    def compare(self, op: str, left: Tree, right: Tree) -> int:
        """Return the node of a comparison."""
        width = max(self.width(left), self.width(right))
        signed = self.signed(left) and self.signed(right)
        a, b = self.node(left, width, signed), self.node(right, width, signed)
        add = self.builder.add
        if op in _EQUALITY:
            bit = add(_EQUALITY[op], 1, a, b)
            return add("not", 1, bit) if op[0] == "!" else bit
        if op in (">", "<="):
            a, b = b, a
        bit = add("slt" if signed else "ult", 1, a, b)
        return add("not", 1, bit) if op in ("<=", ">=") else bit

    # ------------------------------------------------------------------------------------------------ signals

    def find(self, path: Path) -> tuple[Found, tuple[tuple[Tree, Tree | None, str], ...]]:
        """Return a path's signal, and the selects that are not part of its name."""
        text, selects = ".".join(path.names), path.selects
        for count in range(len(selects), -1, -1):
            taken = selects[:count]
            if any(second is not None or not isinstance(first, Literal) for first, second, _ in taken):
                continue
            name = text + "".join(f"[{first.value}]" for first, _, _ in taken if isinstance(first, Literal))
            found = self.signals.look_up(name)
            if found is not None and found.node != -1:
                return found, selects[count:]
        return self.signals.find(text), selects

    def selected(self, path: Path) -> tuple[int, int]:
        """Return the node of a path with its selects, and its width."""
        made = self._selected.get(id(path))
        if made is None:
            node = self.select(path)
            made = self._selected[id(path)] = (node, self.builder.width[node])
        return made[0], made[1]

    def _term(self, path: Path) -> str:
        """Return the name of a path that is no signal, or nothing."""
        return path.names[0] if len(path.names) == 1 and path.names[0] in self.terms else ""

    def _select_term(self, name: str, path: Path) -> int:
        """Return the node of a name that is no signal, or of bits of it."""
        if name not in self.found:
            self.found.append(name)
            self.builder.states.append(State(name, self.terms[name], 0, "input", 0, known=True))
        node = self.builder.read(self.found.index(name))
        for first, second, form in path.selects:
            node = self.part(node, (self.builder.width[node] - 1, 0), first, second, form, path.at)
        return node

    def select(self, path: Path) -> int:
        """Return the node of a path with its selects."""
        name = self._term(path)
        if name:
            return self._select_term(name, path)
        found, selects = self.find(path)
        signal = found.signal
        state = self.stand_in(found)
        node = -1 if signal.depth else self.builder.read(state)
        bounds = signal.type.ranges[0] if len(signal.type.ranges) == 1 else (signal.width - 1, 0)
        if signal.depth:
            if not selects or selects[0][1] is not None:
                raise self.parser.error(f"'{'.'.join(path.names)}' is an array: choose an element", path.at)
            node, selects = self.element(found, state, selects[0][0]), selects[1:]
        for first, second, form in selects:
            node = self.part(node, bounds, first, second, form, path.at)
            bounds = (self.builder.width[node] - 1, 0)
        return node

    def element(self, found: Found, state: int, index: Tree) -> int:
        """Return the node of an element of an array."""
        signal = found.signal
        dimensions = signal.type.unpacked
        if len(dimensions) > 1:
            raise self.parser.error("only arrays of one dimension can be indexed here", 0)
        lowest = min(dimensions[0]) if dimensions else 0
        width = max(self.width(index), 32)
        at = self.node(index, width)
        if lowest:
            at = self.builder.add("sub", width, at, self.builder.const(width, lowest & (1 << width) - 1))
        if found.memory >= 0:
            return self.builder.memread(state, at)
        size = max(signal.bits.bit_length() + 1, width)
        offset = self.builder.add("mul", size, self.resize(at, size, False), self.builder.const(size, signal.width))
        return self.builder.add("extract", signal.width, self.builder.read(state), offset)

    def part(self, node: int, bounds: tuple[int, int], first: Tree, second: Tree | None, form: str, at: int) -> int:
        """Return a bit or part select; out-of-range bits read as x (11.5.1)."""
        left, right = bounds
        down = left >= right
        if form == ":":
            assert second is not None
            high, low = self.count(first, at), self.count(second, at)
            high, low = (high - right, low - right) if down else (right - high, right - low)
            if not 0 <= low <= high < self.builder.width[node]:
                raise self.parser.error(f"the part select is outside [{left}:{right}]", at)
            return self.builder.slice(node, low, high - low + 1)
        width = 1 if second is None else self.count(second, at)
        if width < 1:
            raise self.parser.error("a part select needs a positive width", at)
        size = max(self.width(first) + 2, 34)
        index = self.node(first, size)
        base = self.builder.const(size, right & (1 << size) - 1)
        offset = self.builder.add("sub", size, index, base) if down else self.builder.add("sub", size, base, index)
        below = (form == "-:") if down else (form == "+:")
        if below and width > 1:
            offset = self.builder.add("sub", size, offset, self.builder.const(size, width - 1))
        return self.builder.add("extract", width, node, offset)

    def stand_in(self, found: Found) -> int:
        """Return the stand-in state of a signal in the small 4-state graph."""
        for number, other in enumerate(self.found):
            if isinstance(other, Found) and (other.scope, other.index) == (found.scope, found.index):
                return number
        signal = found.signal
        known = found.unknown < 0
        if found.memory >= 0:
            known = self.signals.graph.states[found.memory].twin < 0
            state = State(signal.name, signal.width, signal.depth, "memory", 0)
        else:
            state = State(signal.name, signal.bits, 0, "input", 0)
        self.found.append(found)
        self.builder.states.append(replace(state, known=known))
        return len(self.found) - 1
