"""Random module items: processes, clocks, memories, structures, functions, instances."""

from __future__ import annotations

import itertools
from dataclasses import replace

from tests.fuzz.generate_expressions import Memory, Signal
from tests.fuzz.generate_statements import StatementGenerator
from tests.fuzz.tree import Node, either, fixed, item, several, stmt

_EDGES = ("posedge clk0", "negedge clk0", "posedge clk1", "negedge clk1", "posedge gated", "posedge divided")
_MORE_EDGES = ("posedge muxed", "posedge inverted", "both clk0", "both clk1", "iff")
_EARLY = ("posedge divided", "posedge muxed")


class ItemGenerator(StatementGenerator):
    """Make module items."""

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
        """Return a process on some edge; one whose clock moves with other values only reads what is settled by then."""
        edge = self.random.choice(_EDGES if self.chance(0.6) else _MORE_EDGES)
        kept = self.readable, self.memories
        if edge in _EARLY:
            self.readable = [*self.registers]
        nodes = self.clocked_on(edge, targets, memory)
        self.readable, self.memories = kept
        return nodes

    def clocked_on(self, edge: str, targets: list[Signal], memory: Memory | None) -> list[Node]:
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
        if self.chance(0.15):
            drawn = Signal(self.fresh("d"), 31, 0, True)
            draws = self.draws(drawn, declarations)
            self.readable.append(drawn)
            body = [*draws, *body, *(self.assign(targets, "<=", 2) for _ in range(2))]
            self.readable.remove(drawn)
        if memory:
            select = f"[{memory.width - 1}:{memory.width // 2}]" if self.chance(0.3) else ""
            if memory.width > 2 and self.chance(0.2):
                select = f"[{self.random.randrange(memory.width - 1)} +: 2]"
            target = self.element(memory, 2)
            body.append(
                stmt(
                    f"if ({{0}}) {{1}}{select} <= {{2}};",
                    self.expression(2),
                    Node("fixed", target.template, target.children),
                    self.expression(3),
                )
            )
        if not self.shows and self.chance(0.15):
            self.shows = True
            body.append(self.display())
        work = several(body)
        resets = several([stmt(f"{signal.name} <= {{0}};", self.constant(signal.width)) for signal in targets])
        word = self.random.choice(("always", "always_ff"))
        word = "always" if declarations else word
        if edge == "iff":
            head = either("always @(posedge clk0 iff ({0})) begin", "always @(posedge clk0) if ({0}) begin")
            return [*declarations, item(f"{head}\n{{1}}\nend", self.expression(2), work)]
        if edge.startswith("both"):
            clock = edge.split()[1]
            edge = self.random.choice(
                (f"posedge {clock} or negedge {clock}", either(f"edge {clock}", f"posedge {clock} or negedge {clock}"))
            )
        reset_kind = self.random.random()
        if reset_kind < 0.3:
            text = "{word} @({edge} or negedge rst_n) if (!rst_n) begin\n{{0}}\nend else begin\n{{1}}\nend"
        elif reset_kind < 0.4 and "muxed" not in edge:
            sets = several([stmt(f"{signal.name} <= {{0}};", self.constant(signal.width)) for signal in targets])
            text = (
                f"{word} @({edge} or negedge rst_n or posedge en0) if (!rst_n) begin\n{{0}}\nend"
                " else if (en0) begin\n{1}\nend else begin\n{2}\nend"
            )
            return [*declarations, item(text, resets, sets, work)]
        elif reset_kind < 0.6:
            text = "{word} @({edge}) if (!rst_n) begin\n{{0}}\nend else begin\n{{1}}\nend"
        else:
            return [*declarations, item(f"{word} @({edge}) begin\n{{0}}\nend", work)]
        return [*declarations, item(text.format(word=word, edge=edge), resets, work)]

    def draws(self, drawn: Signal, declarations: list[Node]) -> list[Node]:
        """Return statements of a clocked process that draw random numbers into a variable of its own.

        Draws are statements by themselves: Icarus 11 evaluates what `&&` does not need. It wakes processes in an order
        of its own, so that only one draws from the common seed.
        """
        declarations.append(self.declare(drawn, f" = 32'h{self.random.getrandbits(32):x}"))
        if not self.draws_common and self.chance(0.4):
            self.draws_common, call = True, "$random"
        else:
            seed = self.fresh("seed")
            declarations.append(item(f"integer {seed} = 32'h{self.random.getrandbits(32):x};"))
            self.observed.append((seed, 32))
            call = f"{self.random.choice(('$random', '$random', '$urandom'))}({seed})"
            self.draws_seeded = True
        name = drawn.name
        nodes = [stmt(f"{name} = {call};")]
        if self.chance(0.6):
            nodes.append(
                stmt(f"if ({{0}}) {name} = {name} ^ ({call} >>> {self.random.randrange(20)});", self.expression(2))
            )
        if self.two_state and self.chance(0.4):  # Icarus 11 repeats for ever if it does not know how often
            count = "{{1'b0, ({0}) & 2'd3}}"
            nodes.append(stmt(f"repeat ({count}) {name} = {name} + {call} % 1000;", self.sized(2)))
        return nodes

    def display(self) -> Node:
        """Return a $display or $write of some values in random formats."""
        formats: list[str] = []
        values: list[Node] = []
        for _ in range(self.random.randint(1, 4)):
            letter = self.random.choice("bohdxbohd")
            formats.append(f"%{self.random.choice(('', '0', '', '3', '40'))}{letter}")
            values.append(self.sized(2))
        holes = ", ".join(f"{{{at}}}" for at in range(len(values)))
        return stmt(f'$display("show {" ".join(formats)}|", {holes});', *values)

    def function(self) -> list[Node]:
        name, count = self.fresh("f"), self.random.randint(1, 3)
        result = Signal(name, self.some_width() - 1, 0, self.chance(0.3))
        arguments = [Signal(self.fresh("a"), self.some_width() - 1, 0, self.chance(0.3)) for _ in range(count)]
        outer, memories = self.readable, self.memories
        self.readable, self.memories = list(arguments), []
        self.in_function = True
        first = self.expression(3)
        self.readable.append(result)
        body = several([self.statement([result], "=", 2) for _ in range(self.random.randint(1, 2))])
        self.readable, self.memories = outer, memories
        self.in_function = False
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
            if self.chance(0.4):
                modern = ", ".join(f"{n}: ({{{at}}})" for at, (n, _, _) in enumerate(fields))
                old = " ".join(f"{name}.{n} <= {{{at}}};" for at, (n, _, _) in enumerate(fields))
                text = either(f"{name} <= '{{{{{modern}}}}};", f"begin {old} end")
                writes.children.append(stmt(text, *(self.expression(3) for _ in fields)))
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

    def stream(self) -> list[Node]:
        """Return a signal's parts in the opposite order, by a streaming operator."""
        sources = [signal for signal in self.readable if not signal.constant and 1 < signal.width < 100]
        if not sources:
            return []
        source, size = self.random.choice(sources), self.random.randint(1, 9)
        low, parts = 0, list[str]()
        while low < source.width:
            high = min(low + size, source.width) - 1
            parts.append(f"{source.name}[{source.bit(high)}:{source.bit(low)}]")
            low = high + 1
        result = Signal(self.fresh("w"), source.width - 1, 0, self.chance(0.3))
        value = either(f"{{{{<<{size}{{{{{source.name}}}}}}}}}", f"{{{{{', '.join(parts)}}}}}")
        node = item(f"{result.type} {result.name};\nassign {result.name} = {value};")
        self.show(result)
        return [node]

    def union(self) -> list[Node]:
        """Return a packed union that is written by one member and read by the other."""
        width, name, kind, copy = self.random.randint(2, 40), self.fresh("n"), self.fresh("union"), self.fresh("w")
        split = self.random.randrange(1, width)
        members = f"logic [{width - 1}:0] all; struct packed {{{{ logic [{width - 1}:{split}] high; "
        members += f"logic [{split - 1}:0] low; }}}} parts;"
        edge = self.random.choice(_EDGES[:4])
        # Icarus 11 writes members of a structure in a union to other places.
        kinds = either(f"typedef union packed {{{{ {members} }}}} {kind};\n{kind}", f"logic [{width - 1}:0]")
        whole, low = either(f"{name}.all", name), either(f"{name}.parts.low", f"{name}[{split - 1}:0]")
        high = either(f"{name}.parts.high", f"{name}[{width - 1}:{split}]")
        nodes = [
            item(f"{kinds} {name}{self.initial_value(width)};"),
            item(
                f"always @({edge}) begin\nif ({{0}}) {whole} <= {{1}};\n{low} <= {{2}};\nend",
                self.expression(2),
                self.expression(2),
                self.expression(2),
            ),
            item(f"logic [{width - split - 1}:0] {copy};\nassign {copy} = {high};"),
        ]
        self.observed.append((name, width))
        self.show(Signal(copy, width - split - 1, 0))
        return nodes

    def enumeration(self) -> list[Node]:
        """Return a state machine over an enumeration, with next state logic in a case."""
        kind, state, upcoming = self.fresh("enum"), self.fresh("e"), self.fresh("e")
        names = [self.fresh("E") for _ in range(self.random.randint(2, 6))]
        values = self.random.sample(range(8), len(names))
        labels = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
        arms = several(
            [
                item(f"{name}: if ({{0}}) {upcoming} = {self.random.choice(names)};", self.expression(2))
                for name in names
            ]
        )
        check = either(self.random.choice(("unique ", "")), "")
        nodes = [
            item(
                f"typedef enum logic [2:0] {{{{ {labels} }}}} {kind};\n{kind} {state} = {names[0]};\n{kind} {upcoming};"
            ),
            item(
                f"always @* begin\nif (data[0] === 1'bx) {upcoming} = {names[0]};\n{upcoming} = {state};\n"
                f"{check}case ({state})\n{{0}}\n"
                f"default: {upcoming} = {names[-1]};\nendcase\nend",
                arms,
            ),
            item(f"always @({self.random.choice(_EDGES[:4])}) {state} <= {upcoming};"),
        ]
        self.show(Signal(state, 2, 0))
        return nodes

    def task(self) -> list[Node]:
        """Return a task with two outputs, and a combinational process that calls it."""
        name = self.fresh("task")
        argument, first, second = (
            Signal(self.fresh("a"), self.some_width() - 1, 0, self.chance(0.3)) for _ in range(3)
        )
        if self.two_state:  # Verilator, which judges these, does not sign-extend a signed output to a wider variable.
            first, second = replace(first, signed=False), replace(second, signed=False)
        targets = [self.new_signal("c"), self.new_signal("c")]
        value, guard = self.expression(2), self.expression(2)
        kept, self.in_function = (self.readable, self.memories), True
        self.readable, self.memories = [argument], []
        starts = [self.expression(2), self.expression(2)]
        self.readable += [first, second]
        body = several([self.statement([first, second], "=", 2) for _ in range(2)])
        (self.readable, self.memories), self.in_function = kept, False
        ports = f"input {argument.type} {argument.name}, "
        ports += ", ".join(f"output {signal.type} {signal.name}" for signal in (first, second))
        nodes = [
            item(
                f"task automatic {name}({ports});\nbegin\n{first.name} = {{0}};\n{second.name} = {{1}};\n"
                "{2}\nend\nendtask",
                *starts,
                body,
            ),
            item(
                f"{targets[0].type} {targets[0].name};\n{targets[1].type} {targets[1].name};\nalways @* begin\n"
                f"if (data[0] === 1'bx) {targets[0].name} = 0;\n"
                f"{name}({{0}}, {targets[0].name}, {targets[1].name});\n"
                f"if ({{1}}) {name}({targets[1].name}, {targets[0].name}, {targets[1].name});\nend",
                value,
                guard,
            ),
        ]
        for signal in targets:
            self.show(signal)
        return nodes

    def interface(self) -> list[Node]:
        """Return an interface between this module and a child that is made for it; the child is kept for later."""
        kind, child, bus, copy = self.fresh("bus"), self.fresh("kid"), self.fresh("u"), self.fresh("w")
        request, answer = (Signal(self.fresh("b"), self.some_width() - 1, 0) for _ in range(2))
        value = self.expression(3)
        kept = self.readable, self.memories, self.functions
        inner = Signal(either(f"port.{request.name}", request.name), request.left, 0)
        self.readable, self.memories, self.functions = [inner], [], []
        result = self.expression(3)
        self.readable, self.memories, self.functions = kept
        signals = f"logic [{request.left}:0] {request.name}; logic [{answer.left}:0] {answer.name};"
        modport = f"modport server(input {request.name}, output {answer.name});"
        kind, child = f"{self.name}_{kind}", f"{self.name}_{child}"
        ports = f"input logic [{request.left}:0] {request.name}, output logic [{answer.left}:0] {answer.name}"
        self.children.append(
            item(
                either(f"interface {kind}; {signals} {modport} endinterface\n", "")
                + f"module {child}({either(f'{kind}.server port', ports)});\n"
                + f"assign {either(f'port.{answer.name}', answer.name)} = {{0}};\nendmodule\n",
                result,
            )
        )
        old = f"logic [{request.left}:0] {bus}_{request.name}; logic [{answer.left}:0] {bus}_{answer.name};"
        connections = f".{request.name}({bus}_{request.name}), .{answer.name}({bus}_{answer.name})"
        node = item(
            f"{either(f'{kind} {bus}();', old)}\n"
            f"{child} {bus}_child({either(f'.port({bus})', connections)});\n"
            f"assign {bus}{either('.', '_')}{request.name} = {{0}};\n"
            f"logic [{answer.left}:0] {copy};\nassign {copy} = {bus}{either('.', '_')}{answer.name};",
            value,
        )
        self.show(Signal(copy, answer.left, 0))
        return [node]

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

    def memory(self) -> list[Node]:
        depths = (self.random.choice((2, 4, 8, 5)),)
        if self.chance(0.3):
            depths = (*depths, self.random.choice((2, 3)))
        memory = Memory(self.fresh("mem"), self.some_width(), depths)
        ranges = "".join(f" [0:{depth - 1}]" for depth in depths)
        nodes = [item(f"logic [{memory.width - 1}:0] {memory.name}{ranges};")]
        if self.two_state or self.chance(0.5):
            value = self.random.getrandbits(min(memory.width, 30))
            loops = " ".join(f"for (int k{at} = 0; k{at} < {n}; k{at} = k{at} + 1)" for at, n in enumerate(depths))
            place = "".join(f"[k{at}]" for at in range(len(depths)))
            number = " + 3 * ".join(f"k{at}" for at in range(len(depths)))
            nodes.append(item(f"initial {loops} {memory.name}{place} = {value} * ({number});"))
        self.memories.append(memory)
        for index in itertools.product(*map(range, depths)):
            self.observed.append((memory.name + "".join(f"[{i}]" for i in index), memory.width))
        return nodes

    def clocks(self) -> list[Node]:
        """Return a gated clock with the latch that keeps it free of glitches, a divided, a chosen, an inverted one."""
        return [
            item("logic gate = 1'b0;"),
            item("always_latch if (!clk0) gate = en1;"),
            item("logic gated;\nassign gated = clk0 & gate;"),
            item("logic divided = 1'b0;"),
            item("always @(posedge clk1) divided <= ~divided;"),
            item("logic muxed;\nassign muxed = en1 ? clk0 : clk1;"),
            item("logic inverted;\nassign inverted = ~clk0;"),
        ]
