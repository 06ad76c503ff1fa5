"""Random programs on queues, dynamic and associative arrays, and what they print by a model in Python.

A program is one straight run of operations (IEEE 1800-2023 7.4 to 7.10, 7.12) on some variables, static ones and
properties of an object. The model does each operation when it is written: a dynamic array or queue is a list, an
associative array a dictionary. Elements are 2- and 4-state vectors of up to 130 bits, reals, strings and queues; keys
are signed and unsigned vectors, and strings. Icarus has few of these operations, so it is no judge here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OPERATIONS = 110


@dataclass(frozen=True, slots=True)
class Kind:
    """Be a type of elements or keys: a vector of `width` bits, or `real` or `string`."""

    name: str
    width: int
    four_state: bool = False
    signed: bool = False

    @property
    def vector(self) -> bool:
        """Say whether values are (bits, unknowns)."""
        return self.width > 0

    @property
    def default(self) -> Any:
        """Return what is read where there is no element."""
        if not self.vector:
            return "" if self.name == "string" else 0.0
        return (0, (1 << self.width) - 1 if self.four_state else 0)

    def draw(self, rng: random.Random) -> Any:
        """Return a value."""
        if not self.vector:
            return rng.choice(["", "a", "bc", "text", "zz"]) if self.name == "string" else float(rng.randint(-9, 9))
        bits = rng.choice([rng.getrandbits(self.width), rng.getrandbits(3) & ((1 << self.width) - 1)])
        return (bits, rng.getrandbits(self.width) if self.four_state and rng.random() < 0.3 else 0)

    def literal(self, value: Any) -> str:
        """Return a value as it is written."""
        if not self.vector:
            return f'"{value}"' if self.name == "string" else f"{value:.1f}"
        return f"{self.width}'{'s' if self.signed else ''}b{self.shown(value)}"

    def shown(self, value: Any) -> str:
        """Return a value as it is printed."""
        if not self.vector:
            return value if self.name == "string" else f"{value:.1f}"
        bits, unknown = value
        return "".join("01xz"[(bits >> i & 1) + 2 * (unknown >> i & 1)] for i in reversed(range(self.width)))

    def number(self, value: Any) -> Any:
        """Return a value by which it is compared."""
        if not self.vector:
            return value
        return value[0] - (1 << self.width) if self.signed and value[0] >> (self.width - 1) else value[0]

    @property
    def format(self) -> str:
        """Return how it is printed."""
        return "%b" if self.vector else "%s" if self.name == "string" else "%.1f"


ELEMENTS = [
    Kind("int", 32, signed=True),
    Kind("byte", 8, signed=True),
    Kind("bit [4:0]", 5),
    Kind("logic", 1, True),
    Kind("logic [7:0]", 8, True),
    Kind("logic signed [32:0]", 33, True, True),
    Kind("logic [63:0]", 64, True),
    Kind("bit [69:0]", 70),
    Kind("logic [129:0]", 130, True),
    Kind("real", 0),
    Kind("string", 0),
]
KEYS = [
    Kind("int", 32, signed=True),
    Kind("bit [15:0]", 16),
    Kind("byte", 8, signed=True),
    Kind("logic [2:0]", 3, True),
    Kind("longint", 64, signed=True),
    Kind("bit [63:0]", 64),
    Kind("string", 0),
]


@dataclass(slots=True)
class Variable:
    """Be a container and what the model has of it: a list, or a dictionary of keys as they are compared."""

    name: str
    shape: str
    """`queue dynamic map`, or `nested` for a queue of queues."""
    element: Kind
    key: Kind | None = None
    bound: int = 0
    other: Any = None
    """What all other keys of an associative array read, if that is given."""
    items: list[Any] = field(default_factory=list[Any])
    entries: dict[Any, Any] = field(default_factory=dict[Any, Any])

    def declaration(self, name: str) -> str:
        """Return a declaration of the same type."""
        if self.shape == "map":
            assert self.key is not None
            return f"{self.element.name} {name}[{self.key.name}]"
        size = {"dynamic": "[]", "queue": f"[$:{self.bound - 1}]" if self.bound else "[$]", "nested": "[$][$]"}
        return f"{self.element.name} {name}{size[self.shape]}"

    def cut(self) -> None:
        """Drop what a bounded queue cannot hold."""
        if self.bound:
            del self.items[self.bound :]


class Program:
    """Write a program and run the model."""

    def __init__(self, seed: int, operations: int = OPERATIONS) -> None:
        self.rng = random.Random(f"containers {seed}")
        self.lines: list[str] = []
        self.printed: list[str] = []
        self.variables: list[Variable] = []
        elements = self.rng.sample(ELEMENTS, 3)
        for at in range(9):
            shape = self.rng.choice(["queue", "queue", "dynamic", "map", "map", "nested"])
            element = self.rng.choice(elements)
            key = self.rng.choice(KEYS) if shape == "map" else None
            bound = self.rng.choice([0, 0, 2, 3, 6]) if shape == "queue" else 0
            self.variables.append(Variable(f"{'o.' if at % 3 == 2 else ''}v{at}", shape, element, key, bound))
        for _ in range(operations):
            self.operation(self.rng.choice(self.variables))
            if self.rng.random() < 0.1:
                self.lines.append("#1;")
        for variable in self.variables:
            self.dump(variable)

    def text(self) -> str:
        """Return the program."""
        fields = [v.declaration(v.name[2:]) for v in self.variables if v.name.startswith("o.")]
        statics = [v.declaration(v.name) for v in self.variables if not v.name.startswith("o.")]
        routines = [
            f"function automatic void add{i}(ref {v.declaration('a')}, input {v.element.name} e, input int n);\n"
            f"  {v.declaration('c')} = a; repeat (n) a.push_back(e); if (c.size() > 0) a.push_front(c[c.size() - 1]);\n"
            "endfunction"
            for i, v in enumerate(self.variables)
            if v.shape == "queue"
        ]
        body = "\n".join(f"    {line}" for line in self.lines)
        return "\n".join([
            "module test;",
            f"class Holder; {' '.join(f'{one};' for one in fields)} endclass",
            *(f"{one};" for one in statics),
            "Holder o = new;",
            *routines,
            f"  initial begin\n{body}\n  end",
            "endmodule\n",
        ])  # fmt: skip

    # ------------------------------------------------------------------------------------------- operations

    def operation(self, v: Variable) -> None:
        """Do one operation on a variable."""
        choices: dict[str, list[Callable[[Variable], None]]] = {
            "queue": [
                self.push,
                self.push,
                self.push,
                self.pop,
                self.insert,
                self.write,
                self.slice,
                self.join,
                self.add,
            ],
            "dynamic": [self.new, self.new, self.grow, self.write, self.write, self.slice],
            "map": [self.put, self.put, self.put, self.put, self.get, self.remove, self.walk, self.default],
            "nested": [self.push_inner, self.push_inner, self.push_inner, self.read_inner, self.copy_inner],
        }
        common = [self.dump, self.copy, self.literal, self.clear]
        if v.shape in ("queue", "dynamic"):
            common += [self.read, self.read, self.order, self.find, self.compare]
        self.rng.choice(self.rng.choice([choices[v.shape], choices[v.shape], common]))(v)

    def show(self, kind: Kind, what: str, value: Any) -> None:
        """Print a value."""
        self.lines.append(f'$display("{kind.format}", {what});')
        self.printed.append(kind.shown(value))

    def index(self, v: Variable) -> int:
        """Return an index, now and then one that is out of range."""
        return (
            self.rng.randint(-1, len(v.items) + 1) if self.rng.random() < 0.2 else self.rng.randrange(len(v.items) + 1)
        )

    def push(self, v: Variable) -> None:
        value, front = v.element.draw(self.rng), self.rng.random() < 0.4
        self.lines.append(f"{v.name}.push_{'front' if front else 'back'}({v.element.literal(value)});")
        v.items.insert(0 if front else len(v.items), value)
        v.cut()

    def pop(self, v: Variable) -> None:
        front = self.rng.random() < 0.5
        value = v.items.pop(0 if front else -1) if v.items else v.element.default
        self.show(v.element, f"{v.name}.pop_{'front' if front else 'back'}()", value)

    def insert(self, v: Variable) -> None:
        at, value = self.index(v), v.element.draw(self.rng)
        self.lines.append(f"{v.name}.insert({at}, {v.element.literal(value)});")
        if 0 <= at <= len(v.items):
            v.items.insert(at, value)
            v.cut()

    def write(self, v: Variable) -> None:
        at, value = self.index(v), v.element.draw(self.rng)
        self.lines.append(f"{v.name}[{at}] = {v.element.literal(value)};")
        if 0 <= at < len(v.items):
            v.items[at] = value
        elif at == len(v.items) and v.shape == "queue":
            v.items.append(value)
            v.cut()

    def read(self, v: Variable) -> None:
        at = self.index(v)
        self.show(v.element, f"{v.name}[{at}]", v.items[at] if 0 <= at < len(v.items) else v.element.default)

    def slice(self, v: Variable) -> None:
        low, high = self.rng.randint(-1, len(v.items)), self.rng.randint(-1, len(v.items) + 1)
        if v.shape == "dynamic":
            return
        self.lines.append(f"{v.name} = {v.name}[{low}:{high}];")
        v.items = v.items[max(low, 0) : max(high + 1, 0)]

    def join(self, v: Variable) -> None:
        other = self.rng.choice(
            [u for u in self.variables if u.element == v.element and u.shape in ("queue", "dynamic")]
        )
        value = v.element.draw(self.rng)
        self.lines.append(f"{v.name} = {{{other.name}, {v.element.literal(value)}, {v.name}}};")
        v.items = [*other.items, value, *v.items][:40]
        self.lines.append(f"if ({v.name}.size() > 40) {v.name} = {v.name}[0:39];")
        v.cut()

    def add(self, v: Variable) -> None:
        value, count = v.element.draw(self.rng), self.rng.randrange(3)
        self.lines.append(f"add{self.variables.index(v)}({v.name}, {v.element.literal(value)}, {count});")
        before = list(v.items)
        v.items += [value] * count
        v.cut()
        if before:
            v.items.insert(0, before[-1])
            v.cut()

    def new(self, v: Variable) -> None:
        size = self.rng.randrange(7)
        self.lines.append(f"{v.name} = new[{size}];")
        v.items = [v.element.default] * size

    def grow(self, v: Variable) -> None:
        size = self.rng.randrange(9)
        self.lines.append(f"{v.name} = new[{size}]({v.name});")
        v.items = (v.items + [v.element.default] * size)[:size]

    def order(self, v: Variable) -> None:
        if not v.element.vector or v.element.four_state:
            self.lines.append(f"{v.name}.reverse();")
            v.items.reverse()
            return
        down = self.rng.random() < 0.5
        self.lines.append(f"{v.name}.{'r' if down else ''}sort();")
        v.items.sort(key=v.element.number, reverse=down)

    def find(self, v: Variable) -> None:
        wanted = self.rng.choice(v.items) if v.items else v.element.draw(self.rng)
        equals = "===" if v.element.vector else "=="
        self.lines.append(f'$display("%0d", {v.name}.sum() with (int\'(item {equals} {v.element.literal(wanted)})));')
        self.printed.append(str(v.items.count(wanted)))
        test = f"item {equals} {v.element.literal(wanted)}"
        found = [str(i) for i, item in enumerate(v.items) if item == wanted]
        for name, part in (("", found), ("_first", found[:1]), ("_last", found[-1:])):
            self.lines.append(f'$display("%p", {v.name}.find{name}_index with ({test}));')
            self.printed.append(f"'{{{', '.join(part)}}}")
        if v.shape == "queue" and not v.bound:
            self.lines.append(f"{v.name} = {v.name}.find with ({test} || item.index > 2);")
            v.items = [item for i, item in enumerate(v.items) if item == wanted or i > 2]

    def compare(self, v: Variable) -> None:
        alike = [u for u in self.variables if u.element == v.element and u.shape == v.shape]
        other = self.rng.choice(alike)
        self.lines.append(f'$display("%b", {v.name} == {other.name});')
        if not v.element.vector or len(v.items) != len(other.items):
            self.printed.append(str(int(v.items == other.items)))
            return
        pairs = list(zip(v.items, other.items, strict=True))
        differ = any((a[0] ^ b[0]) & ~(a[1] | b[1]) for a, b in pairs)
        self.printed.append("0" if differ else "x" if any(a[1] | b[1] for a, b in pairs) else "1")

    # ------------------------------------------------------------------------------------------- common

    def copy(self, v: Variable) -> None:
        alike = [u for u in self.variables if u.element == v.element and u.key == v.key and self.fits(u, v)]
        other = self.rng.choice(alike)
        self.lines.append(f"{v.name} = {other.name};")
        v.items = [list(item) if isinstance(item, list) else item for item in other.items]
        v.entries, v.other = dict(other.entries), other.other
        v.cut()

    @staticmethod
    def fits(u: Variable, v: Variable) -> bool:
        """Say whether one variable may be assigned to another."""
        return u.shape == v.shape or {u.shape, v.shape} == {"queue", "dynamic"}

    def literal(self, v: Variable) -> None:
        if v.shape in ("nested", "map"):
            return
        v.items = [v.element.draw(self.rng) for _ in range(self.rng.randrange(1, 6))]
        self.lines.append(f"{v.name} = '{{{', '.join(map(v.element.literal, v.items))}}};")
        v.cut()

    def clear(self, v: Variable) -> None:
        if self.rng.random() < 0.5:
            self.lines.append(f"{v.name}.delete();")
            v.items, v.entries = [], {}
        elif v.shape in ("queue", "nested") and v.items:
            at = self.rng.randrange(len(v.items))
            self.lines.append(f"{v.name}.delete({at});")
            del v.items[at]

    def dump(self, v: Variable) -> None:
        """Print all elements."""
        self.lines.append(f'$display("{v.name} %0d", {v.name}.size());')
        self.printed.append(f"{v.name} {len(v.entries if v.shape == 'map' else v.items)}")
        form = v.element.format
        if v.shape == "nested":
            self.lines.append(f'foreach ({v.name}[i, j]) $display("%0d.%0d {form}", i, j, {v.name}[i][j]);')
            for i, inner in enumerate(v.items):
                self.printed += [f"{i}.{j} {v.element.shown(item)}" for j, item in enumerate(inner)]
            return
        pairs = list(enumerate(v.items))
        if v.key is not None:
            pairs = sorted(v.entries.items())
        index = "%s" if v.key is not None and not v.key.vector else "%0d"
        self.lines.append(f'foreach ({v.name}[i]) $display("{index} {form}", i, {v.name}[i]);')
        self.printed += [f"{i} {v.element.shown(item)}" for i, item in pairs]

    # ------------------------------------------------------------------------------------------- associative arrays

    def key(self, v: Variable) -> tuple[str, Any]:
        """Return a key as it is written and as it is kept, often one that is there; None if it has unknown bits."""
        assert v.key is not None
        if v.entries and self.rng.random() < 0.5:
            number = self.rng.choice(list(v.entries))
            bits = number if not v.key.vector else (number & ((1 << v.key.width) - 1), 0)
            return v.key.literal(bits), number
        drawn = v.key.draw(self.rng)
        return v.key.literal(drawn), None if v.key.vector and drawn[1] else v.key.number(drawn)

    def put(self, v: Variable) -> None:
        (key, number), value = self.key(v), v.element.draw(self.rng)
        self.lines.append(f"{v.name}[{key}] = {v.element.literal(value)};")
        if number is not None:
            v.entries[number] = value

    def get(self, v: Variable) -> None:
        key, number = self.key(v)
        missing = v.other if v.other is not None else v.element.default
        self.show(v.element, f"{v.name}[{key}]", v.entries.get(number, missing))
        self.lines.append(f'$display("%0d %0d", {v.name}.exists({key}), {v.name}.num());')
        self.printed.append(f"{int(number in v.entries)} {len(v.entries)}")

    def remove(self, v: Variable) -> None:
        key, number = self.key(v)
        self.lines.append(f"{v.name}.delete({key});")
        v.entries.pop(number, None)

    def walk(self, v: Variable) -> None:
        assert v.key is not None
        key, number = self.key(v)
        if number is None:
            return
        name = self.rng.choice(["first", "last", "next", "prev"])
        keys = sorted(v.entries)
        found = {
            "first": keys[:1],
            "last": keys[-1:],
            "next": [k for k in keys if k > number][:1],
            "prev": [k for k in keys if k < number][-1:],
        }[name]
        form = "%0d" if v.key.vector else "%s"
        self.lines.append(
            f'begin automatic {v.key.name} k = {key}; if ({v.name}.{name}(k)) $display("{form}", k); '
            'else $display("none"); end'
        )
        self.printed.append(str(found[0]) if found else "none")

    def default(self, v: Variable) -> None:
        key, number = self.key(v)
        if number is None:
            return
        value, v.other = v.element.draw(self.rng), v.element.draw(self.rng)
        self.lines.append(f"{v.name} = '{{{key}: {v.element.literal(value)}, default: {v.element.literal(v.other)}}};")
        v.entries = {number: value}

    # ------------------------------------------------------------------------------------------- queues of queues

    def push_inner(self, v: Variable) -> None:
        value, at = v.element.draw(self.rng), self.rng.randrange(len(v.items) + 1)
        self.lines.append(f"{v.name}[{at}].push_back({v.element.literal(value)});")
        if at == len(v.items):
            v.items.append([])
        v.items[at].append(value)

    def read_inner(self, v: Variable) -> None:
        i, j = self.rng.randrange(4), self.rng.randrange(3)
        there = i < len(v.items) and j < len(v.items[i])
        self.show(v.element, f"{v.name}[{i}][{j}]", v.items[i][j] if there else v.element.default)

    def copy_inner(self, v: Variable) -> None:
        if v.items:
            i, j = self.rng.randrange(len(v.items)), self.rng.randrange(len(v.items))
            self.lines.append(f"{v.name}[{i}] = {v.name}[{j}];")
            v.items[i] = list(v.items[j])
