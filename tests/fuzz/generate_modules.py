"""Random well-formed SystemVerilog modules, the same for the same seed on every machine.

Every module has one interface, so that one testbench drives them all: clocks `clk0` and `clk1`, `rst_n`, latch enables
`en0` and `en1`, a bus `data`, and a bus `out` that shows everything the module computes. Inside are registers on many
clocks (both edges, gated, divided), asynchronous and synchronous resets, latches, memories, packed structures and
arrays, functions, generate loops, child modules, and combinational processes with all operators, selects and control
flow. Modules have no races: each variable has one writer, combinational ones only read what was made before them,
clocked ones write with nonblocking assignments, latch enables are inputs.

A `two_state` module never makes an x: its state is initialised, divisors are odd, indices are in range. Others may.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.fuzz.tree import Node, expr, fixed, item, several, stmt

DATA_WIDTH = 256
PORTS = "input wire clk0, input wire clk1, input wire rst_n, input wire en0, input wire en1, input wire [255:0] data"

_BINARY = ("+", "-", "*", "&", "|", "^", "~^", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "===", "!==")
_UNARY = ("~", "-", "+", "!", "&", "|", "^", "~&", "~|", "~^")
_EDGES = ("posedge clk0", "negedge clk0", "posedge clk1", "negedge clk1", "posedge gated")


@dataclass(frozen=True, slots=True)
class Signal:
    """Be a vector that expressions may read: its name, sign and declared range."""

    name: str
    left: int
    right: int
    signed: bool = False
    constant: bool = False

    @property
    def width(self) -> int:
        return abs(self.left - self.right) + 1

    @property
    def type(self) -> str:
        return f"logic {'signed ' if self.signed else ''}[{self.left}:{self.right}]"

    def bit(self, offset: int) -> int:
        """Return the index of the bit `offset` places above the least significant one."""
        return self.right + offset if self.left >= self.right else self.right - offset


@dataclass(frozen=True, slots=True)
class Memory:
    """Be an unpacked array."""

    name: str
    width: int
    depth: int


@dataclass(frozen=True, slots=True)
class Module:
    """Be a generated module: its tree (with its children's modules), and the width of its `out`."""

    name: str
    tree: Node
    out_width: int

    def text(self) -> str:
        """Return the source."""
        return self.tree.render()


@dataclass(slots=True)
class _Generator:
    random: random.Random
    two_state: bool
    name: str
    readable: list[Signal] = field(default_factory=list[Signal])
    memories: list[Memory] = field(default_factory=list[Memory])
    functions: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    observed: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    counter: int = 0
    known_only: int = 0  # in an index: slang refuses constant unknown ones, and Icarus reads element 0
    sized_only: int = 0  # inside a concatenation, where IEEE 1800-2023 11.4.12 forbids unsized constants

    # Small choices.

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def fresh(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def some_width(self) -> int:
        kind = self.random.random()
        if kind < 0.25:
            return 1
        if kind < 0.75:
            return self.random.randint(2, 20)
        if kind < 0.9:
            return self.random.choice((31, 32, 33, 63, 64, 65))
        return self.random.randint(66, 200)

    def new_signal(self, prefix: str, width: int | None = None) -> Signal:
        width = width or self.some_width()
        low = self.random.choice((0, 0, 0, 0, 1, 5))
        ends = (low + width - 1, low)
        if self.chance(0.1):
            ends = ends[::-1]
        return Signal(self.fresh(prefix), *ends, signed=self.chance(0.35))

    # Expressions.

    def constant(self, width: int | None = None) -> Node:
        width = width or self.some_width()
        kind = self.random.random()
        if kind < 0.2:
            value = 0
        elif kind < 0.3:
            value = (1 << width) - 1
        elif kind < 0.4:
            value = 1 << (width - 1)
        else:
            value = self.random.getrandbits(width)
        sign = "s" if self.chance(0.3) else ""
        if not self.two_state and not self.known_only and self.chance(0.2):
            # No z: where a condition is unknown and both arms are z, Icarus gives z, IEEE 1800-2023 table 11-20 x.
            return expr(f"{width}'{sign}b" + "".join(self.random.choice("01x") for _ in range(width)))
        if not self.sized_only and self.chance(0.2):
            return expr(str(self.random.randint(0, 300)))
        return expr(f"{width}'{sign}h{value:x}")

    def index_below(self, limit: int, depth: int) -> Node:
        """Return an index expression from 0 to below `limit`; in a 4-state module sometimes beyond."""
        if limit == 1:
            return expr("0")
        self.known_only += 1
        index = self.expression(depth)
        self.known_only -= 1
        if not self.two_state and self.chance(0.2):
            # Beyond the end, but not beyond 32 bits, where Icarus 11 drops the rest.
            return expr("(({0}) & 255)", index)
        mask = (1 << (limit.bit_length() - 1)) - 1
        return expr("(({0}) & " + str(mask) + ")", index)

    def select(self, signal: Signal, depth: int) -> Node:
        """Return a bit or part select of a signal."""
        low = self.random.randrange(signal.width)
        size = self.random.randint(1, signal.width - low)
        kind = self.random.random()
        if kind < 0.4 or size == signal.width:
            high = low + size - 1
            return expr(f"{signal.name}[{signal.bit(high)}:{signal.bit(low)}]")
        if kind < 0.7:
            offset = min(signal.left, signal.right)
            index = self.index_below(signal.width, depth)
            return expr(signal.name + "[{0}" + (f" + {offset}" if offset else "") + "]", index)
        # An indexed part select names its lowest index (+:) or its highest (-:), whatever the range's direction.
        start = self.index_below(signal.width - size + 1, depth)
        base = min(signal.left, signal.right)
        if self.chance(0.5):
            return expr(f"{signal.name}[{{0}} + {base} +: {size}]", start)
        return expr(f"{signal.name}[{{0}} + {base + size - 1} -: {size}]", start)

    def leaf(self, depth: int = 0) -> Node:
        kind = self.random.random()
        if kind < 0.2 or not self.readable:
            return self.constant()
        if self.memories and kind < 0.28 and depth > 0:
            memory = self.random.choice(self.memories)
            return expr(memory.name + "[{0}]", self.index_below(memory.depth, depth - 1))
        signal = self.random.choice(self.readable)
        if self.sized_only and signal.constant:
            return self.constant()
        if kind < 0.5 and depth > 0 and not signal.constant:
            return self.select(signal, depth - 1)
        return expr(signal.name)

    def expression(self, depth: int) -> Node:
        if depth <= 0:
            return self.leaf()
        below = depth - 1
        match self.random.randrange(17):
            case 0 | 1:
                return expr(f"({self.random.choice(_UNARY)}({{0}}))", self.expression(below))
            case 2 | 3 | 4 | 5 | 6:
                return expr(
                    f"({{0}} {self.random.choice(_BINARY)} {{1}})", self.expression(below), self.expression(below)
                )
            case 7:
                operator = self.random.choice(("<<", ">>", "<<<", ">>>"))
                amount = self.expression(below) if self.chance(0.4) else expr(str(self.random.randrange(70)))
                amount = expr("(({0}) & 255)", amount) if amount.children else amount
                return expr(f"({{0}} {operator} {{1}})", self.expression(below), amount)
            case 8:
                return self.division(below)
            case 9:
                # Icarus 11 computes powers in continuous assignments in floating point: keep them small.
                return expr("((({0}) & 5'sd15) ** (({1}) & 3))", self.expression(below), self.expression(below))
            case 10 | 11:
                return expr("({0} ? {1} : {2})", self.expression(below), self.expression(below), self.expression(below))
            case 12:
                return expr("{{{0}, {1}}}", self.sized(below), self.sized(below))
            case 13:
                return expr(f"{{{{{self.random.randint(1, 4)}{{{{{{0}}}}}}}}}}", self.sized(below))
            case 14:
                return expr(f"${self.random.choice(('signed', 'unsigned'))}({{0}})", self.expression(below))
            case 15 if self.functions:
                name, count = self.random.choice(self.functions)
                arguments = [self.expression(below) for _ in range(count)]
                return expr(f"{name}({', '.join(f'{{{i}}}' for i in range(count))})", *arguments)
            case _:
                return self.leaf(depth)

    def division(self, depth: int) -> Node:
        """Return a division or remainder of at most 64 bits, the widest that Icarus 11 always computes right."""
        operator = self.random.choice("/%")
        self.sized_only += 1
        narrow = [signal for signal in self.readable if signal.width <= 64 and not signal.constant]
        operands = [
            expr(self.random.choice(narrow).name) if narrow and self.chance(0.7) else self.constant(32)
            for _ in range(2)
        ]
        self.sized_only -= 1
        if self.chance(0.3):
            operands[0] = expr("$signed({0})", operands[0])
        if self.two_state:
            operands[1] = expr("({0} | 2'sb01)", operands[1])
        return expr(f"{{{{({{0}} {operator} {{1}})}}}}", *operands)

    def sized(self, depth: int) -> Node:
        """Return an expression that may stand in a concatenation: one whose width is stated."""
        self.sized_only += 1
        node = self.expression(depth)
        self.sized_only -= 1
        return node

    # Statements.

    def target(self, signal: Signal, depth: int) -> Node:
        if signal.width == 1 or self.chance(0.55):
            return fixed(signal.name)
        return Node("fixed", *_parts(self.select(signal, depth)))

    def assign(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        if len(targets) > 1 and self.chance(0.1):
            first, second = self.random.sample(targets, 2)
            return stmt(f"{{{{{first.name}, {second.name}}}}} {arrow} {{0}};", self.expression(depth))
        signal = self.random.choice(targets)
        return stmt(f"{{0}} {arrow} {{1}};", self.target(signal, 1), self.expression(depth))

    def case(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        kind = self.random.choice(("case", "casez", "case", "casex" if self.two_state else "casez"))
        width = self.random.randint(1, 5)
        arms: list[Node] = []
        for _ in range(self.random.randint(1, 4)):
            digits = "01" if kind == "case" else "01?"
            labels = ", ".join(
                f"{width}'b" + "".join(self.random.choice(digits) for _ in range(width))
                for _ in range(self.random.randint(1, 2))
            )
            arms.append(item(f"{labels}: {{0}}", self.statement(targets, arrow, depth - 1)))
        if self.chance(0.6):
            arms.append(item("default: {0}", self.statement(targets, arrow, depth - 1)))
        return stmt(f"{kind} ({{0}})\n{{1}}\nendcase", self.expression(2), fixed("{0}\n1'b0: ;", several(arms)))

    def loop(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        variable = self.fresh("k")
        signal = self.random.choice(targets)
        count = self.random.randint(1, min(signal.width, 6))
        counter = Signal(variable, 31, 0, True, constant=True)
        self.readable.append(counter)
        step, offset = self.random.choice(((1, 0), (2, 0), (1, 1))), min(signal.left, signal.right)
        body = stmt(
            f"{signal.name}[{variable} + {offset}] {arrow} {{0}};\n{{1}}",
            self.expression(2),
            self.statement(targets, arrow, depth - 1),
        )
        self.readable.remove(counter)
        start = step[1] if count > 1 else 0
        head = f"for (int {variable} = {start}; {variable} < {count}; {variable} = {variable} + {step[0]})"
        return stmt(f"{head} begin\n{{0}}\nend", body)

    def block(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        count = self.random.randint(1, 3)
        return stmt("begin\n{0}\nend", several([self.statement(targets, arrow, depth - 1) for _ in range(count)]))

    def statement(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        if depth <= 0:
            return self.assign(targets, arrow, 2)
        match self.random.randrange(10):
            case 0 | 1 | 2:
                other = self.statement(targets, arrow, depth - 1)
                if self.chance(0.4):
                    return stmt("if ({0}) begin\n{1}\nend", self.expression(2), other)
                return stmt(
                    "if ({0}) begin\n{1}\nend else begin\n{2}\nend",
                    self.expression(2),
                    other,
                    self.statement(targets, arrow, depth - 1),
                )
            case 3:
                return self.case(targets, arrow, depth)
            case 4:
                return self.loop(targets, arrow, depth)
            case 5 | 6:
                return self.block(targets, arrow, depth)
            case _:
                return self.assign(targets, arrow, 3)

    # Module items.

    def initial_value(self, width: int) -> str:
        return f" = {width}'h{self.random.getrandbits(width):x}" if self.two_state or self.chance(0.4) else ""

    def declare(self, signal: Signal, initial: str = "") -> Node:
        return item(f"{signal.type} {signal.name}{initial};")

    def show(self, signal: Signal) -> None:
        self.readable.append(signal)
        self.observed.append((signal.name, signal.width))

    def combinational(self) -> list[Node]:
        """Return an assignment or process that computes one to three new variables from what there is."""
        if self.chance(0.35):
            signal = self.new_signal("w")
            node = item(f"{signal.type} {signal.name};\nassign {signal.name} = {{0}};", self.expression(4))
            self.show(signal)
            return [node]
        targets = [self.new_signal("c") for _ in range(self.random.randint(1, 3))]
        defaults = [fixed(f"{signal.name} = {{0}};", self.expression(2)) for signal in targets]
        self.readable += targets
        body = several([self.statement(targets, "=", 3) for _ in range(self.random.randint(1, 3))])
        for signal in targets:
            self.observed.append((signal.name, signal.width))
        # `data` in the process's list makes `always @*` run when the first row comes, whatever else it reads.
        head = "always_comb" if self.chance(0.5) else "always @*"
        declarations = "\n".join(f"{signal.type} {signal.name};" for signal in targets)
        guard = f"if (data[0] === 1'bx) {targets[0].name} = 0;"
        first = Node("fixed", "\n".join(f"{{{at}}}" for at in range(len(targets))), defaults)
        return [item(f"{declarations}\n{head} begin\n{guard}\n{{0}}\n{{1}}\nend", first, body)]

    def latch(self) -> list[Node]:
        signal = self.new_signal("l")
        # `always @*` does not run at time 0, when the enables are 0; only `always_latch` may start open.
        head, enable = self.random.choice((("always_latch", "!en0"), ("always_latch", "en1"), ("always @*", "en0")))
        initial = self.initial_value(signal.width)
        text = f"{signal.type} {signal.name}{initial};\n{head} if ({enable}) {signal.name} = {{0}};"
        node = item(text, self.expression(3))
        self.show(signal)
        return [node]

    def clocked(self, targets: list[Signal], memory: Memory | None) -> list[Node]:
        edge = self.random.choice(_EDGES)
        body = [self.statement(targets, "<=", 3) for _ in range(self.random.randint(1, 3))]
        declarations: list[Node] = []
        if self.chance(0.3):
            # A blocking temporary, assigned before it is read, seen by this process alone.
            temporary = self.new_signal("t")
            declarations.append(self.declare(temporary, self.initial_value(temporary.width)))
            first = stmt(f"{temporary.name} = {{0}};", self.expression(2))
            self.readable.append(temporary)
            body = [first, *body, self.assign(targets, "<=", 3)]
            self.readable.remove(temporary)
        if memory:
            condition, address = self.expression(2), self.index_below(memory.depth, 2)
            select = f"[{memory.width - 1}:{memory.width // 2}]" if self.chance(0.3) else ""
            body.append(
                stmt(f"if ({{0}}) {memory.name}[{{1}}]{select} <= {{2}};", condition, address, self.expression(3))
            )
        work = several(body)
        resets = several([stmt(f"{signal.name} <= {{0}};", self.constant(signal.width)) for signal in targets])
        word = self.random.choice(("always", "always_ff"))
        word = "always" if declarations else word
        reset_kind = self.random.random()
        if reset_kind < 0.35:
            text = "{word} @({edge} or negedge rst_n) if (!rst_n) begin\n{{0}}\nend else begin\n{{1}}\nend"
        elif reset_kind < 0.6:
            text = "{word} @({edge}) if (!rst_n) begin\n{{0}}\nend else begin\n{{1}}\nend"
        else:
            return [*declarations, item(f"{word} @({edge}) begin\n{{0}}\nend", work)]
        return [*declarations, item(text.format(word=word, edge=edge), resets, work)]

    def function(self) -> list[Node]:
        name, count = self.fresh("f"), self.random.randint(1, 3)
        result = Signal(name, self.some_width() - 1, 0, self.chance(0.3))
        arguments = [Signal(self.fresh("a"), self.some_width() - 1, 0, self.chance(0.3)) for _ in range(count)]
        outer, memories = self.readable, self.memories
        self.readable, self.memories = list(arguments), []
        first = self.expression(3)
        self.readable.append(result)
        body = several([self.statement([result], "=", 2) for _ in range(self.random.randint(1, 2))])
        self.readable, self.memories = outer, memories
        ports = ", ".join(f"input {argument.type} {argument.name}" for argument in arguments)
        head = f"function automatic {result.type} {name}({ports});"
        node = item(f"{head}\nbegin\n{{0}}\n{{1}}\nend\nendfunction", stmt(f"{name} = {{0}};", first), body)
        self.functions.append((name, count))
        return [node]

    def structure(self) -> list[Node]:
        """Return a packed structure that a combinational process fills."""
        type_name, name = self.fresh("struct"), self.fresh("s")
        fields = [(self.fresh("m"), self.some_width(), self.chance(0.3)) for _ in range(self.random.randint(1, 4))]
        members = " ".join(f"logic {'signed ' if s else ''}[{w - 1}:0] {n};" for n, w, s in fields)
        nodes = [item(f"typedef struct packed {{{{ {members} }}}} {type_name};")]
        # Icarus 11 counts a member that a combinational process writes among those that start the process again.
        if self.chance(0.5):
            parts = several([self.sized(3) for _ in fields], ", ")
            nodes.append(item(f"{type_name} {name};\nassign {name} = {{{{{{0}}}}}};", parts))
        else:
            writes = several(
                [stmt(f"if ({{0}}) {name}.{n} <= {{1}};", self.expression(2), self.expression(3)) for n, _, _ in fields]
            )
            edge, width = self.random.choice(_EDGES[:4]), sum(w for _, w, _ in fields)
            nodes += [
                item(f"{type_name} {name}{self.initial_value(width)};"),
                item(f"always @({edge}) begin\n{{0}}\nend", writes),
            ]
        self.observed.append((name, sum(w for _, w, _ in fields)))
        copies: list[Signal] = []
        for n, w, _ in fields[:2]:
            copy = Signal(self.fresh("w"), w - 1, 0)
            nodes.append(item(f"{copy.type} {copy.name};\nassign {copy.name} = {name}.{n};"))
            copies.append(copy)
        self.readable += copies
        return nodes

    def packed_array(self) -> list[Node]:
        """Return a two-dimensional packed array, written by element in a clocked process, and one of its elements."""
        name, copy = self.fresh("p"), self.fresh("w")
        outer, inner = self.random.choice((2, 4)), self.random.randint(2, 9)
        edge = self.random.choice(_EDGES[:4])
        nodes = [
            item(f"logic [{outer - 1}:0][{inner - 1}:0] {name}{self.initial_value(outer * inner)};"),
            item(
                f"always @({edge}) begin\n{{0}}\n{{1}}\nend",
                stmt(f"if ({{0}}) {name} <= {{1}};", self.expression(2), self.expression(2)),
                stmt(f"{name}[{{0}}] <= {{1}};", self.index_below(outer, 1), self.expression(2)),
            ),
            item(f"logic [{inner - 1}:0] {copy};\nassign {copy} = {name}[{{0}}];", self.index_below(outer, 1)),
        ]
        self.observed.append((name, outer * inner))
        self.show(Signal(copy, inner - 1, 0))
        return nodes

    def generate_loop(self) -> list[Node]:
        signal, variable = Signal(self.fresh("g"), self.random.randint(1, 12), 0), self.fresh("v")
        # Icarus 11 folds expressions of a genvar with too few bits; a wire of its value has 32.
        number = Signal(self.fresh("n"), 31, 0, True)
        self.readable.append(number)
        first, second = self.expression(3), self.expression(2)
        self.readable.remove(number)
        node = item(
            f"{signal.type} {signal.name};\n"
            f"for (genvar {variable} = 0; {variable} < {signal.width}; {variable} = {variable} + 1)"
            f" begin : {signal.name}_loop\n"
            f"{number.type} {number.name};\nassign {number.name} = {variable};\n"
            f"if ({variable} % 2 == {self.random.randrange(2)}) begin : branch\n"
            f"assign {signal.name}[{variable}] = {{0}};\nend else begin : other\n"
            f"assign {signal.name}[{variable}] = {{1}};\nend\nend",
            first,
            second,
        )
        self.show(signal)
        return [node]

    def instance(self, child: str, width: int) -> list[Node]:
        """Return an instance of the child module; wires carry its inputs, for Icarus 11 forgets $signed in a port."""
        signal = Signal(self.fresh("o"), width - 1, 0)
        ports = [self.new_signal("w"), self.new_signal("w")]
        wires = "".join(f"{port.type} {port.name};\nassign {port.name} = {{{at}}};\n" for at, port in enumerate(ports))
        node = item(
            f"{wires}{signal.type} {signal.name};\n"
            f"{child} #(.P({self.random.randrange(256)})) {signal.name}_instance (.clk(clk{self.random.randrange(2)}), "
            f".rst_n(rst_n), .a({ports[0].name}), .b({ports[1].name}), .o({signal.name}));",
            self.expression(2),
            self.expression(2),
        )
        self.show(signal)
        return [node]

    def child(self, name: str) -> tuple[Node, int]:
        """Return a small child module with a parameter, a register and combinational logic, and its output's width."""
        outer = (self.readable, self.memories, self.functions)
        self.readable, self.memories, self.functions = [], [], []
        a, b = self.new_signal("a"), self.new_signal("b")
        state, result = self.new_signal("q"), self.new_signal("r")
        self.readable = [
            Signal("a", a.left, a.right, a.signed),
            Signal("b", b.left, b.right, b.signed),
            Signal("P", 31, 0, True, constant=True),
            state,
        ]
        next_state, value = self.expression(3), self.expression(3)
        self.readable, self.memories, self.functions = outer
        width = state.width + result.width
        node = item(
            f"module {name} #(parameter signed [31:0] P = 1) (input wire clk, input wire rst_n, input wire {a.type} a, "
            f"input wire {b.type} b, output wire [{width - 1}:0] o);\n"
            f"{state.type} {state.name}{self.initial_value(state.width)};\n"
            f"always @(posedge clk or negedge rst_n) if (!rst_n) {state.name} <= 0; else {state.name} <= {{0}};\n"
            f"{result.type} {result.name};\nassign {result.name} = {{1}};\n"
            f"assign o = {{{{{state.name}, {result.name}}}}};\nendmodule\n",
            next_state,
            value,
        )
        return node, width

    def module(self) -> Module:
        """Return a whole module."""
        children: list[Node] = []
        child_width = 0
        if self.chance(0.5):
            node, child_width = self.child(f"{self.name}_child")
            children.append(node)
        items: list[Node] = []
        for _ in range(self.random.randint(2, 5)):
            signal = self.new_signal("i")
            low = self.random.randrange(DATA_WIDTH - signal.width + 1)
            items.append(item(f"{signal.type} {signal.name};\nassign {signal.name} = data[{low} +: {signal.width}];"))
            self.readable.append(signal)
        registers = [self.new_signal("r") for _ in range(self.random.randint(1, 6))]
        for signal in registers:
            items.append(self.declare(signal, self.initial_value(signal.width)))
            self.show(signal)
        for _ in range(self.random.randint(0, 2)):
            items += self.memory()
        for _ in range(self.random.randint(0, 2)):
            items += self.function()
        makers = [self.combinational] * 5 + [self.latch, self.structure, self.packed_array, self.generate_loop]
        if child_width:
            makers += [lambda: self.instance(f"{self.name}_child", child_width)] * 2
        for _ in range(self.random.randint(2, 9)):
            items += self.random.choice(makers)()
        items += self.clocks()
        memories = list(self.memories)
        while registers:
            count = self.random.randint(1, len(registers))
            items += self.clocked(registers[:count], memories.pop() if memories else None)
            del registers[:count]
        width = sum(w for _, w in self.observed)
        shown = several([expr(name) for name, _ in self.observed], ", ")
        out = fixed("assign out = {{{0}}};", shown)
        head = f"module {self.name} ({PORTS}, output wire [{width - 1}:0] out);\n"
        tree = fixed(
            f"`default_nettype none\n{{0}}\n{head}{{1}}\n{{2}}\nendmodule\n", several(children), several(items), out
        )
        return Module(self.name, tree, width)

    def memory(self) -> list[Node]:
        memory = Memory(self.fresh("mem"), self.some_width(), self.random.choice((2, 4, 8, 5)))
        nodes = [item(f"logic [{memory.width - 1}:0] {memory.name} [0:{memory.depth - 1}];")]
        if self.two_state or self.chance(0.5):
            value = self.random.getrandbits(min(memory.width, 30))
            nodes.append(
                item(f"initial for (int k = 0; k < {memory.depth}; k = k + 1) {memory.name}[k] = {value} * k;")
            )
        self.memories.append(memory)
        self.observed += [(f"{memory.name}[{at}]", memory.width) for at in range(memory.depth)]
        return nodes

    def clocks(self) -> list[Node]:
        """Return a gated clock, with the latch that makes it free of glitches, and a counter on a divided clock.

        The counter reads only itself: whether logic fed by registers of the undivided clock has settled when the
        divided one rises is a race (IEEE 1800-2023 4.8).
        """
        self.observed.append(("count", 8))
        return [
            item("logic gate = 1'b0;"),
            item("always_latch if (!clk0) gate = en1;"),
            item("logic gated;\nassign gated = clk0 & gate;"),
            item("logic divided = 1'b0;"),
            item("always @(posedge clk1) divided <= ~divided;"),
            item("logic [7:0] count = 8'd0;\nalways @(posedge divided) count <= count + 8'd1;"),
        ]


def _parts(node: Node) -> tuple[str, list[Node]]:
    return node.template, node.children


def generate_module(seed: int, two_state: bool, name: str = "fuzz") -> Module:
    """Return the module of a seed."""
    return _Generator(random.Random(f"{seed}-{two_state}"), two_state, name).module()


def generate_stimulus(seed: int, steps: int, two_state: bool) -> list[dict[str, str]]:
    """Return the inputs of each step as binary digits; one group of inputs changes at a time, so nothing races."""
    source = random.Random(f"stimulus-{seed}")
    row = {"clk0": "0", "clk1": "0", "rst_n": "0", "en0": "0", "en1": "0", "data": "0" * DATA_WIDTH}
    rows = [dict(row)]
    # `always @*` runs when something that it reads changes, not before: the second row changes `data[0]`.
    row["data"] = "".join(source.choice("01") for _ in range(DATA_WIDTH - 1)) + "1"
    rows.append(dict(row))
    for step in range(steps):
        kind = source.randrange(20)
        if step == 3 or (kind == 0 and step > 3):
            row["rst_n"] = "10"[int(row["rst_n"])]
        elif kind <= 2:
            name = source.choice(("en0", "en1"))
            row[name] = "10"[int(row[name])]
        elif kind <= 8:
            digits = "01" if two_state or source.random() < 0.8 else "0011x100"
            row["data"] = "".join(source.choice(digits) for _ in range(DATA_WIDTH))
        else:
            name = source.choice(("clk0", "clk0", "clk1"))
            row[name] = "10"[int(row[name])]
        rows.append(dict(row))
    return rows
