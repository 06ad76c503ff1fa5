"""Random expressions: all operators and selects, over the signals and memories that a module has so far."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.fuzz.tree import Node, either, expr

_BINARY = ("+", "-", "*", "&", "|", "^", "~^", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "===", "!==")
_UNARY = ("~", "-", "+", "!", "&", "|", "^", "~&", "~|", "~^")


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
    """Be an unpacked array of one or more dimensions."""

    name: str
    width: int
    depths: tuple[int, ...]


@dataclass(slots=True)
class ExpressionGenerator:
    random: random.Random
    two_state: bool
    name: str
    readable: list[Signal] = field(default_factory=list[Signal])
    memories: list[Memory] = field(default_factory=list[Memory])
    functions: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    observed: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    children: list[Node] = field(default_factory=list[Node])  # modules that are made for an item
    casts: set[str] = field(default_factory=set[str])
    counter: int = 0
    registers: list[Signal] = field(default_factory=list[Signal])  # these and inputs have no value under way
    in_function: bool = False
    shows: bool = False  # a process has a $display
    checks: bool = True  # cases may be unique0 or priority
    draws_common: bool = False  # a process draws from the seed of the whole design
    draws_seeded: bool = False  # a process draws with a seed of its own
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
        if kind < 0.98:
            return self.random.randint(66, 200)
        return self.random.randint(201, 1000)

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
            part = f"{signal.name}[{signal.bit(high)}:{signal.bit(low)}]"
            # Icarus 11 takes a part select of the whole of a signed vector for signed.
            return expr(either(part, f"{{{{{part}}}}}") if signal.signed and size == signal.width else part)
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

    def element(self, memory: Memory, depth: int) -> Node:
        """Return an element of a memory."""
        template = memory.name + "".join(f"[{{{at}}}]" for at in range(len(memory.depths)))
        return expr(template, *(self.index_below(size, depth) for size in memory.depths))

    def inside(self, depth: int) -> Node:
        """Return a test for membership; the tested value and the set are unsigned and equally wide."""
        width = self.random.randint(1, 40)
        node = expr(f"(({{0}}) & {width}'h{(1 << width) - 1:x})", self.sized(depth))
        name = self.cast(width, False)
        operand = expr(either(f"{width}'($unsigned({{0}}))", f"{name}($unsigned({{0}}))"), node)
        modern: list[str] = []
        old: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            low, high = sorted(self.random.getrandbits(width) for _ in range(2))
            if self.chance(0.4):
                modern.append(f"[{width}'h{low:x}:{width}'h{high:x}]")
                old.append(f"(({{0}} >= {width}'h{low:x}) & ({{0}} <= {width}'h{high:x}))")
            else:
                digits = "".join(self.random.choice("01?") for _ in range(width))
                modern.append(f"{width}'b{digits}")
                old.append(f"({{0}} ==? {width}'b{digits})")
        return expr(either(f"({{0}} inside {{{{{', '.join(modern)}}}}})", f"({' | '.join(old)})"), operand)

    def cast(self, width: int, signed: bool) -> str:
        """Return the name of a function that resizes, for Icarus has no size casts."""
        name = f"{'s' if signed else 'u'}cast{width}"
        self.casts.add(name)
        return name

    def helpers(self) -> str:
        """Return the functions that stand for size casts and system functions in Icarus."""
        texts: list[str] = []
        for name in sorted(self.casts - {"count_ones"}):
            kind = f"{'signed ' if name[0] == 's' else ''}[{int(name[5:]) - 1}:0]"
            texts.append(f"function automatic {kind} {name}(input {kind} x); {name} = x; endfunction\n")
        if "count_ones" in self.casts:
            loop = "while (x !== 0) begin if (x[0] === 1'b1) count_ones = count_ones + 1; x = x >> 1; end"
            head = "function automatic integer count_ones(input [2047:0] x);"
            texts.append(f"{head} begin count_ones = 0; {loop} end endfunction\n")
        return either("", "".join(texts))

    def query(self, depth: int) -> Node:
        """Return a size cast or a call of a system function of bits."""
        kind = self.random.random()
        if kind < 0.5:
            width, signed = self.some_width(), self.chance(0.4)
            name, sign = self.cast(width, signed), "$signed" if signed else "$unsigned"
            return expr(either(f"{width}'({sign}({{0}}))", f"{name}({sign}({{0}}))"), self.expression(depth))
        if kind < 0.6 and self.two_state:
            return expr("$clog2($unsigned({0}))", self.expression(depth))
        # Icarus 11 evaluates the arguments of these with too few bits, or too late; a function counts there.
        operand, function = self.sized(depth), self.random.choice(("countones", "onehot", "onehot0", "isunknown"))
        old = {
            "countones": "count_ones({{{0}}})",
            "onehot": "(count_ones({{{0}}}) == 1)",
            "onehot0": "(count_ones({{{0}}}) <= 1)",
            "isunknown": "((^{{{0}}}) === 1'bx)",
        }[function]
        self.casts.add("count_ones")
        return expr(either(f"${function}({{{{{{0}}}}}})", old), operand)

    def leaf(self, depth: int = 0) -> Node:
        kind = self.random.random()
        if kind < 0.2 or not self.readable:
            return self.constant()
        if self.memories and kind < 0.28 and depth > 0:
            memory = self.random.choice(self.memories)
            return self.element(memory, depth - 1)
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
        match self.random.randrange(18):
            case 0 | 1:
                return expr(f"({self.random.choice(_UNARY)}({{0}}))", self.expression(below))
            case 2 if self.chance(0.2):
                # Verilator wants a constant pattern.
                pattern = self.constant() if self.two_state or self.chance(0.5) else self.expression(below)
                return expr(f"({{0}} {self.random.choice(('==?', '!=?'))} {{1}})", self.expression(below), pattern)
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
            case 16:
                return self.inside(below) if self.chance(0.3) else self.query(below)
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
