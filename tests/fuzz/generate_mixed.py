"""Random synchronous designs with testbenches that do not mind races: for mixed execution beside events alone.

What a testbench here does at a clock edge may race with the design: it assigns inputs with `=` and `<=` before, at and
after edges, in the process of the clock and in others, before and after the design in the hierarchy, with `#0` and
without. Both ways of running draw the same order of what the standard leaves open, so they print the same, but for the
order of what outputs of several parts wake in one time step.

Where the two may differ by design (`docs/event-engine.md`) nothing happens here. There are no chains: an input goes
through one assignment or procedure to a register, a register through one to an output; what an input reaches at once
is only looked at. No edge comes between a step and
the logic behind its registers: a clock that is assigned with `<=` has no other edges beside it. And inputs are unknown
at first, so that what `always @*` waits for at the start has no pulses without a width; resets may
have some where no variable chooses bits that they leave alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.fuzz.tree import Node, fixed, item, several

_WIDTH = 4
_INPUTS = ("a", "b", "c")
_STEP = 10


@dataclass(slots=True)
class _Part:
    """Be a module under construction: what may be read in it, its items, and its outputs."""

    name: str
    inputs: list[str]
    clocks: list[str]
    items: list[Node] = field(default_factory=list[Node])
    registers: list[str] = field(default_factory=list[str])
    logic: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])
    steady: set[str] = field(default_factory=set[str])
    """The outputs that no input reaches without an edge."""


class MixedGenerator:
    """Make a design and its testbench."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"mixed-{seed}")
        self.count = 0
        self.resets = ["rst_n0", "rst_n1"]
        self.late_clock = self.choosing = False
        self.steady: list[str] = []

    def fresh(self, stem: str) -> str:
        """Return a new name."""
        self.count += 1
        return f"{stem}{self.count}"

    def chance(self, probability: float) -> bool:
        """Return whether something happens."""
        return self.random.random() < probability

    def value(self, names: list[str]) -> str:
        """Return an expression of some names."""
        a, b = self.random.choice(names), self.random.choice(names)
        constant = f"4'd{self.random.randrange(16)}"
        forms = (
            "({a} + {b})",
            "({a} ^ {b})",
            "({a} & ~{b})",
            "({a} + {k})",
            "({a} ^ {k})",
            "{a}",
            "({a}[0] ? {b} : {k})",
        )
        return self.random.choice(forms).format(a=a, b=b, k=constant)

    # ------------------------------------------------------------------------------------------- the design

    def design(self, leaves: list[_Part], inner: bool = False) -> _Part:
        """Return a module with clocked procedures, logic, and instances of `leaves`; one that is `inner` is a leaf."""
        part = _Part(self.fresh("part"), list(_INPUTS), ["clk", "clk2"][: self.random.choice((1, 1, 2))])
        for _ in range(self.random.randint(2, 4)):
            name = self.fresh("q")
            part.registers.append(name)
            initial = f" = {self.random.randrange(16)}" if self.chance(0.5) else ""
            part.items.append(item(f"reg [3:0] {name}{initial};"))
        for _ in range(self.random.randint(1, 4)):
            part.items.append(self.logic(part))
        written = list(part.registers)
        if self.chance(0.3):
            part.items.append(self.half_reset(part, written.pop(), written.pop()))
        for name in written:
            part.items.append(self.clocked(part, name))
        for leaf in leaves:
            part.items += self.instance(part, leaf)
        if self.chance(0.3):
            part.items.append(self.memory(part))
        for _ in range(self.random.randint(1, 4)):
            part.items.append(self.output(part, inner))
        return part

    def logic(self, part: _Part) -> Node:
        """Return one assignment or procedure of inputs and registers."""
        name = self.fresh("w")
        value = self.value(part.inputs + part.registers)
        enable = f"{self.random.choice(part.registers)}[0]"
        part.logic.append(name)
        forms = (
            f"wire [3:0] {name} = {value};",
            f"wire [3:0] {name}; assign {name} = {value};",
            f"reg [3:0] {name}; always @* {name} = {value};",
            f"logic [3:0] {name}; always_comb {name} = {value};",
            f"reg [3:0] {name}; always @* if ({enable}) {name} = {value};",
            self.listed(name, part.inputs + part.registers),
        )
        return item(self.random.choice(forms))

    def listed(self, name: str, names: list[str]) -> str:
        """Return a procedure that waits for a bit and a vector, and for no other bits of the former."""
        a, b = self.random.choice(names), self.random.choice(names)
        bit = f"{a}[{self.random.randrange(4)}]"
        return f"reg [3:0] {name}; always @({bit} or {b}) if ({bit}) {name} = {b} + 4'd{self.random.randrange(16)};"

    def clocked(self, part: _Part, name: str) -> Node:
        """Return the procedure of a register."""
        value = self.value(part.inputs * 2 + part.registers + part.logic * 3)
        other = self.value(part.inputs + part.registers + part.logic)
        condition = f"{self.random.choice(part.inputs + part.logic)}[{self.random.randrange(4)}]"
        chosen = f"if ({condition}) {name} <= {value}; else {name} <= {other};"
        body = self.random.choice((f"{name} <= {value};", chosen))
        clock = self.random.choice(part.clocks)
        reset = f"if (!rst_n) {name} <= {self.random.randrange(16)}; else "
        match self.random.randrange(8):
            case 6:
                return self.counting(part, name, reset)
            case 7:
                self.choosing = True
                index = self.random.choice(part.inputs + part.logic)
                chosen = f"{name}[{index}[1:0]] <= {self.random.choice(part.inputs + part.logic)}[1];"
                return item(f"always @(posedge {clock} or negedge rst_n) {reset}{chosen}")
            case 0:
                return item(f"always @(posedge {clock} or negedge rst_n) {reset}{body}")
            case 1:
                return item(f"always @(posedge {clock}) {reset}{body}")
            case 2:
                return item(f"always @(negedge {clock}) {body}")
            case 3:
                call = f"function [3:0] {name}_f(input [3:0] x); {name}_f = x + {self.random.choice(part.inputs)};"
                return item(f"{call} endfunction\nalways @(posedge {clock}) {name} <= {name}_f({value});")
            case _:
                return item(f"always @(posedge {clock}) {body}")

    def counting(self, part: _Part, name: str, reset: str) -> Node:
        """Return the procedure of a register and of a variable that it assigns with `=`, at the edges of all clocks."""
        count, edges = self.fresh("t"), " or ".join(f"posedge {clock}" for clock in part.clocks)
        values = [self.value(part.inputs * 2 + part.registers + part.logic) for _ in range(2)]
        body = f"begin {count} = {count} + {values[0]}; {name} <= {count} ^ {values[1]}; end"
        if self.chance(0.3):
            edges, body = f"{edges} or negedge rst_n", f"{reset}{body}"
        return item(f"reg [3:0] {count} = {self.random.randrange(16)};\nalways @({edges}) {body}")

    def half_reset(self, part: _Part, reset: str, kept: str) -> Node:
        """Return the procedure of two registers of which a reset sets one; the other is assigned bit by bit."""
        bit, clock = f"{self.random.choice(part.inputs + part.logic)}[0]", self.random.choice(part.clocks)
        values = [self.value(part.inputs * 2 + part.registers + part.logic) for _ in range(3)]
        body = f"{reset} <= {values[0]}; {kept}[1:0] <= {values[1]}; if ({bit}) {kept}[3:2] <= {values[2]};"
        head = f"always @(posedge {clock} or negedge rst_n)"
        return item(f"{head} if (!rst_n) {reset} <= {self.random.randrange(16)}; else begin {body} end")

    def memory(self, part: _Part) -> Node:
        """Return a memory that is written at the edge and read by logic."""
        name, read = self.fresh("m"), self.fresh("w")
        address, value = self.value(part.inputs + part.logic), self.value(part.inputs + part.logic)
        part.registers.append(read)
        return item(
            f"reg [3:0] {name} [0:15], {read};\nalways @(posedge clk) begin {name}[{address}] <= {value}; "
            f"{read} <= {name}[{self.random.choice(part.inputs)}]; end"
        )

    def instance(self, part: _Part, leaf: _Part) -> list[Node]:
        """Return an instance of a leaf, its inputs whole signals or expressions."""
        ports = [f".{clock}({self.random.choice(part.clocks)})" for clock in leaf.clocks] + [".rst_n(rst_n)"]
        for name in leaf.inputs:
            whole = self.random.choice(part.inputs + part.registers)
            ports.append(f".{name}({whole if self.chance(0.6) else self.value(part.inputs + part.registers)})")
        nodes: list[Node] = []
        for name in leaf.outputs:
            wire = self.fresh("n")
            nodes.append(item(f"wire [3:0] {wire};"))
            ports.append(f".{name}({wire})")
            part.logic.append(wire)
        return [*nodes, item(f"{leaf.name} {self.fresh('u')}({', '.join(ports)});")]

    def output(self, part: _Part, inner: bool) -> Node:
        """Return an output port's driver: a register, or logic of registers and, if it is no leaf's, of inputs."""
        name = self.fresh("o")
        part.outputs.append(name)
        if self.chance(0.25):
            part.steady.add(name)
            value = self.value(part.inputs + part.registers)
            return item(f"reg [3:0] {name}; always @(posedge {self.random.choice(part.clocks)}) {name} <= {value};")
        names = part.registers
        if inner or self.chance(0.5):
            part.steady.add(name)
        else:
            names = names + part.inputs
        return item(f"wire [3:0] {name}; assign {name} = {self.value(names)};")

    def module(self, part: _Part) -> Node:
        """Return the text of a module."""
        declared = "".join(f"input [3:0] {name};\n" for name in part.inputs)
        declared += "".join(f"output [3:0] {name};\n" for name in part.outputs)
        ports = ", ".join([*part.clocks, "rst_n", *part.inputs, *part.outputs])
        head = f"module {part.name}({ports});\ninput {', '.join(part.clocks)}, rst_n;\n{declared}"
        return fixed(f"{head}{{0}}\nendmodule\n", several(part.items))

    # ------------------------------------------------------------------------------------------- the testbench

    def testbench(self) -> Node:
        """Return the whole."""
        leaves = [self.design([], True) for _ in range(self.random.randint(0, 1))]
        parts = [self.design(self.random.sample(leaves, self.random.randint(0, len(leaves)))) for _ in range(2)]
        clocks = ["clk"]
        items: list[Node] = [self.clock()]
        match self.random.randrange(6):
            case 0:
                items.append(item("wire clk_b = clk;"))
                clocks.append("clk_b")
            case 1:
                items.append(item("reg gate = 1; wire clk_b = clk & gate; always @(negedge clk) gate = ~gate;"))
                clocks.append("clk_b")
            case 2:
                items.append(item("reg clk_b = 0; always @(posedge clk) clk_b = ~clk_b;"))
                clocks.append("clk_b")
            case 3 if all(len(part.clocks) == 1 for part in (*parts, *leaves)):
                items.append(item("reg clk_b = 0; always @(posedge clk) clk_b <= ~clk_b;"))
                self.late_clock = True
                clocks.append("clk_b")
            case _:
                pass
        shown: list[str] = []
        for number, part in enumerate(parts):
            items += self.placed(part, number, clocks, shown)
        names = [f"{name}{number}" for number in range(len(parts)) for name in _INPUTS]
        items += [item(f"reg [3:0] {name}; initial #1 {name} = {self.random.randrange(16)};") for name in names]
        items += [item(f"reg {name} = 1;") for name in self.resets]
        items += [self.driver(names, clocks) for _ in range(self.random.randint(2, 5))]
        items += [self.watcher(shown, clocks) for _ in range(self.random.randint(1, 3))]
        items.append(item(f'initial $monitor("%0t m {" %h" * len(shown)}", $time, {", ".join(shown)});'))
        modules = [self.module(part) for part in (*leaves, *parts)]
        end = f"initial #{_STEP * 24 + 3} $finish(0);"
        head = f"`timescale 1ns/1ns\n{{0}}\nmodule tb;\n{{1}}\n{end}\nendmodule\n"
        return fixed(head, several(modules), several(items))

    def clock(self) -> Node:
        """Return what makes the clock."""
        half = _STEP // 2
        self.late_clock = self.chance(0.25)
        if self.late_clock:
            return item(f"reg clk = 0; always #{half} clk <= ~clk;")
        return item(
            self.random.choice(
                (
                    f"reg clk = 0; always #{half} clk = ~clk;",
                    f"reg clk; initial begin clk = 0; forever begin #{half} clk = 1; #{half} clk = 0; end end",
                    f"reg root = 0; always #{half} root = ~root; wire clk; assign clk = root;",
                )
            )
        )

    def placed(self, part: _Part, number: int, clocks: list[str], shown: list[str]) -> list[Node]:
        """Return an instance in the testbench; its inputs are the testbench's or those of the instance before it."""
        ports = [f".{clock}({self.random.choice(clocks)})" for clock in part.clocks] + [f".rst_n(rst_n{number})"]
        for name in part.inputs:
            source = self.random.choice(self.steady) if self.steady and self.chance(0.3) else f"{name}{number}"
            constant = f"4'd{self.random.randrange(16)}"
            ports.append(f".{name}({constant if self.chance(0.15) else source})")
        nodes: list[Node] = []
        found: list[str] = []
        for name in part.outputs:
            wire = f"s{len(shown)}"
            shown.append(wire)
            if name in part.steady:
                found.append(wire)
            nodes.append(item(f"wire [3:0] {wire};"))
            ports.append(f".{name}({wire})")
        self.steady += found
        return [*nodes, item(f"{part.name} dut{number}({', '.join(ports)});")]

    def act(self, names: list[str]) -> str:
        """Return an assignment of a driver."""
        name = self.random.choice(names)
        value = self.random.choice((self.value([name, *self.steady]), "$urandom", f"{name} + 1"))
        return f"{name} {self.random.choice(('=', '=', '<='))} {value};"

    def driver(self, names: list[str], clocks: list[str]) -> Node:
        """Return a process that assigns inputs at, before or after edges; one of them may have a reset."""
        clock = self.random.choice(clocks)
        edge = self.random.choice(("posedge", "posedge", "negedge"))
        form = self.random.randrange(5)
        # A reset beside a clock that is assigned with `<=` is one more edge between a step and its logic.
        resets = [self.resets.pop()] if self.resets and self.chance(0.5) and not self.late_clock else []
        pieces: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            if self.chance(0.2):
                pieces.append("#0;")
            pieces.append(self.act(names))
        if resets and self.chance(0.7):
            at = self.random.randint(0, len(pieces))
            pieces.insert(at, f"{resets[0]} = $urandom_range(1);")
            if not self.choosing and self.chance(0.3):
                pieces.insert(self.random.randint(at + 1, len(pieces)), f"{resets[0]} = ~{resets[0]};")
        body = " ".join(pieces)
        half = _STEP // 2
        waits = f"#{self.random.choice((half, _STEP, 1, 3, 2 * _STEP))};"
        match form:
            case 0 | 1:
                return item(f"always @({edge} {clock}) begin {body} end")
            case 2:
                return item(f"always begin {waits} {body} end")
            case 3:
                return item(f"initial begin {waits} forever begin {body} #{_STEP}; end end")
            case _:
                then = self.act(names)
                return item(f"initial forever begin @({edge} {clock}); {body} @(negedge {clock}); {then} end")

    def watcher(self, shown: list[str], clocks: list[str]) -> Node:
        """Return a process that prints what it sees."""
        signal = self.random.choice(shown)
        tag = self.fresh("p")
        match self.random.randrange(4):
            case 0:
                return item(f'always @({signal}) $display("%0t {tag} %h", $time, {signal});')
            case 1:
                return item(
                    f'always @(posedge {self.random.choice(clocks)}) $display("%0t {tag} %h", $time, {signal});'
                )
            case 2:
                return item(f'always @(posedge {self.random.choice(clocks)}) $strobe("%0t {tag} %h", $time, {signal});')
            case _:
                return item(
                    f'always @(negedge {self.random.choice(clocks)}) #0 $display("%0t {tag} %h", $time, {signal});'
                )


def generate_mixed(seed: int) -> Node:
    """Return a design with its testbench; `render` gives the source."""
    return MixedGenerator(seed).testbench()
