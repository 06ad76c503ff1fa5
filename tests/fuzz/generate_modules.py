"""Random well-formed SystemVerilog modules, the same for the same seed on every machine.

Every module has one interface, so that one testbench drives them all: clocks `clk0` and `clk1`, `rst_n`, latch enables
`en0` and `en1`, a bus `data`, and a bus `out` that shows everything the module computes. Inside are registers on many
clocks (both edges, gated, divided, chosen, inverted), asynchronous and synchronous sets and resets, latches, memories,
packed structures, unions, enumerations and arrays, functions and tasks, generate loops, child modules, interfaces,
displays, random numbers, and combinational processes with all operators, selects and control flow. What Icarus 11 does
not know is written for it in older words (`tree.either`).

Modules have no races: each variable has one writer, combinational ones only read what was made before them, clocked
ones write with nonblocking assignments, latch enables are inputs. A clock that moves together with registers (divided)
or latches (chosen by an enable) starts processes that read only registers and inputs, which have no values under way
(IEEE 1800-2023 4.8).

A `two_state` module never makes an x: its state is initialised, divisors are odd, indices are in range. Others may.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.fuzz.generate_items import ItemGenerator
from tests.fuzz.tree import Node, expr, fixed, item, several

DATA_WIDTH = 256
PORTS = "input wire clk0, input wire clk1, input wire rst_n, input wire en0, input wire en1, input wire [255:0] data"


@dataclass(frozen=True, slots=True)
class Module:
    """Be a generated module: its tree (with its children's modules), and the width of its `out`.

    It may draw random numbers, from the seed of the whole design or with seeds of its own.
    """

    name: str
    tree: Node
    out_width: int
    draws_common: bool = False
    draws_seeded: bool = False

    def text(self) -> str:
        """Return the source."""
        return self.tree.render()


class _ModuleGenerator(ItemGenerator):
    def module(self) -> Module:
        """Return a whole module."""
        child_width = 0
        if self.chance(0.5):
            node, child_width = self.child(f"{self.name}_child")
            self.children.append(node)
        items: list[Node] = []
        for _ in range(self.random.randint(2, 5)):
            signal = self.new_signal("i", min(self.some_width(), DATA_WIDTH))
            low = self.random.randrange(DATA_WIDTH - signal.width + 1)
            items.append(item(f"{signal.type} {signal.name};\nassign {signal.name} = data[{low} +: {signal.width}];"))
            self.readable.append(signal)
            self.registers.append(signal)
        registers = [self.new_signal("r") for _ in range(self.random.randint(1, 6))]
        for signal in registers:
            items.append(self.declare(signal, self.initial_value(signal.width)))
            self.show(signal)
            self.registers.append(signal)
        for _ in range(self.random.randint(0, 2)):
            items += self.memory()
        for _ in range(self.random.randint(0, 2)):
            items += self.function()
        makers = [self.combinational] * 5 + [self.latch, self.structure, self.packed_array, self.generate_loop]
        makers += [self.stream, self.union, self.enumeration, self.task, self.interface]
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
        casts = fixed(self.helpers().replace("{", "{{"))
        tree = fixed(
            f"`default_nettype none\n{{0}}\n{head}{{1}}\n{{2}}\nendmodule\n",
            several(self.children),
            several([casts, *items]),
            out,
        )
        return Module(self.name, tree, width, self.draws_common, self.draws_seeded)


def generate_module(seed: int, two_state: bool, name: str = "fuzz") -> Module:
    """Return the module of a seed."""
    return _ModuleGenerator(random.Random(f"{seed}-{two_state}"), two_state, name).module()


def repeat_module(module: Module, copies: int) -> Module:
    """Return a module of several instances of a module, each of which sees other bits of `data`."""
    name, width = f"{module.name}_copies", module.out_width
    text = f"module {name} ({PORTS}, output wire [{copies * width - 1}:0] out);\n"
    for copy in range(copies):
        turned = f"{{data[{37 * copy}:0], data[255:{37 * copy + 1}]}}"
        ports = ", ".join(f".{port}({port})" for port in ("clk0", "clk1", "rst_n", "en0", "en1"))
        out = f"out[{copy * width} +: {width}]"
        text += f"  {module.name} copy{copy} ({ports}, .data({turned}), .out({out}));\n"
    text += "endmodule\n"
    return Module(name, fixed("{0}" + text.replace("{", "{{").replace("}", "}}"), module.tree), copies * width)


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
