"""Draw random processes: nested branches, cases, loops, jumps, calls, partial and indexed assignments."""

from __future__ import annotations

from random import Random

from weft.ir.design import (
    Assign,
    Block,
    Case,
    CaseItem,
    Evaluate,
    Function,
    If,
    Jump,
    Loop,
    RepeatTimes,
    Signal,
    Statement,
    Type,
)
from weft.ir.expressions import (
    AssignExpr,
    Binary,
    Call,
    Concat,
    Cond,
    Const,
    Element,
    Expr,
    Ref,
    Resize,
    Slice,
    Unary,
)

BITWISE = ("add", "sub", "and", "or", "xor", "xnor", "mul", "shl", "lshr", "ashr")
COMPARE = ("eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge", "land", "lor")
UNARY = ("not", "neg", "lnot", "redand", "redor", "redxor", "countones", "onehot", "onehot0", "clog2")


class Drawer:
    """Draw expressions over `readable` signals and statements that assign `writable` ones."""

    def __init__(self, random: Random, readable: list[Signal], writable: list[Signal], clocked: bool) -> None:
        self.random, self.readable, self.writable, self.clocked = random, readable, writable, clocked
        self.functions: list[Function] = []
        self.only: dict[Signal, bool] = {}
        self.loops = 0
        self.in_loop = 0
        self.labels: list[str] = []
        self.in_function = False
        self.count = 0
        self.made: list[Signal] = []

    def fresh(self, name: str, width: int, automatic: bool = True) -> Signal:
        self.count += 1
        signal = Signal(f"{name}{self.count}", width, Type("logic", width), automatic=automatic, local=True)
        self.made.append(signal)
        return signal

    # ---------------------------------------------------------------------------------------- expressions

    def fit(self, expression: Expr, width: int) -> Expr:
        if expression.width == width:
            return expression
        return Resize(expression, width, self.random.random() < 0.3)

    def value(self, width: int, depth: int) -> Expr:
        return self.fit(self.any_value(width, depth), width)

    def any_value(self, width: int, depth: int) -> Expr:
        random = self.random
        if depth <= 0 or random.random() < 0.15:
            return self.leaf(width)
        match random.randrange(9):
            case 0 | 1:
                op = random.choice(BITWISE)
                return Binary(op, self.value(width, depth - 1), self.value(width, depth - 1), width)
            case 2:
                size = random.randint(1, 6)
                return Binary(random.choice(COMPARE), self.value(size, depth - 1), self.value(size, depth - 1), 1)
            case 3:
                op = random.choice(UNARY)
                inner = self.any_value(random.randint(1, 6), depth - 1)
                size = {"not": inner.width, "neg": inner.width, "countones": 5, "clog2": 5}.get(op, 1)
                return Unary(op, inner, size)
            case 4:
                then, other = self.value(width, depth - 1), self.value(width, depth - 1)
                return Cond(self.condition(depth - 1), then, other, width)
            case 5:
                parts = (self.any_value(3, depth - 1), self.any_value(2, depth - 1))
                return Concat(parts, sum(part.width for part in parts))
            case 6:
                inner = self.any_value(6, depth - 1)
                return self.part(inner, depth)
            case 7 if self.functions and not self.in_function:
                return self.call(depth)
            case _:
                return self.leaf(width)

    def part(self, inner: Expr, depth: int) -> Slice:
        width = self.random.randint(1, inner.width)
        if self.random.random() < 0.5:
            return Slice(inner, self.random.randint(-1, inner.width - 1), width)
        return Slice(inner, self.value(4, depth - 2), width)

    def leaf(self, width: int) -> Expr:
        random = self.random
        if random.random() < 0.25 or not self.readable:
            return Const(width, random.getrandbits(width))
        signal = random.choice(self.readable)
        if signal.depth and random.random() < 0.9:
            return Element(signal, self.index(signal))
        return Ref(signal)

    def index(self, signal: Signal) -> Expr:
        if self.random.random() < 0.3:
            return Const(4, self.random.randrange(signal.depth + 1))
        plain = [s for s in self.readable if not s.depth]
        return self.fit(Ref(self.random.choice(plain)), 4) if plain else Const(4, 1)

    def condition(self, depth: int) -> Expr:
        return self.value(1 if self.random.random() < 0.8 else 2, depth)

    def call(self, depth: int) -> Call:
        function = self.random.choice(self.functions)
        args: list[Expr] = []
        for direction, formal in function.args:
            if direction == "input":
                args.append(self.value(formal.width, depth - 1))
            else:
                args.append(Ref(self.random.choice([s for s in self.scratch if s.width == formal.width])))
        return Call(function, tuple(args), function.result.width)

    scratch: list[Signal] = []

    # ---------------------------------------------------------------------------------------- statements

    def block(self, depth: int) -> Block:
        return Block(tuple(self.statement(depth) for _ in range(self.random.randint(1, 3))))

    def statement(self, depth: int) -> Statement:
        random = self.random
        if depth <= 0:
            return self.assignment()
        match random.randrange(12):
            case 0 | 1 | 2:
                other = self.block(depth - 1) if random.random() < 0.6 else None
                if random.random() < 0.3:
                    other = If(self.condition(2), self.block(depth - 1), other)
                return If(self.condition(2), self.block(depth - 1), other)
            case 3 | 4:
                return self.case(depth)
            case 5:
                return self.loop(depth)
            case 6 if self.in_loop:
                return If(self.condition(2), Jump(random.choice(("break", "continue"))))
            case 6 if self.labels:
                return If(self.condition(2), Jump("disable", random.choice(self.labels)))
            case 7:
                self.count += 1
                label = f"block{self.count}"
                self.labels.append(label)
                inner = self.block(depth - 1)
                self.labels.pop()
                return Block((*inner.body, self.assignment()), label)
            case 8 if self.scratch:
                signal = random.choice(self.scratch)
                one = Binary("add", Ref(signal), Const(signal.width, 1), signal.width)
                return Evaluate(AssignExpr(Ref(signal), one, signal.width, True))
            case _:
                return self.assignment()

    def case(self, depth: int) -> Case:
        random = self.random
        kind, width = random.choice(("case", "case", "casez", "casex", "inside")), random.choice((1, 2, 2, 3))
        items: list[CaseItem] = []
        for _ in range(random.randint(1, 5)):
            labels = tuple(self.label(kind, width) for _ in range(random.randint(1, 2)))
            items.append(CaseItem(labels, self.block(depth - 1)))
        if random.random() < 0.3:
            values = list(range(1 << width))
            random.shuffle(values)
            kind, items = "case", [CaseItem((Const(width, v),), self.block(depth - 1)) for v in values]
        default = self.block(depth - 1) if random.random() < 0.5 else None
        return Case(kind, self.value(width, 2), tuple(items), default)

    def label(self, kind: str, width: int):
        random = self.random
        if kind == "inside" and random.random() < 0.3:
            return (Const(width, random.getrandbits(width)), Const(width, random.getrandbits(width)))
        if random.random() < 0.2:
            return self.value(width, 1)
        unknown = random.getrandbits(width) if random.random() < 0.4 else 0
        return Const(width, random.getrandbits(width), unknown)

    def loop(self, depth: int) -> Statement:
        random = self.random
        counter = self.fresh("i", 8)
        self.in_loop += 1
        self.readable.append(counter)
        body = self.block(depth - 1)
        self.readable.remove(counter)
        self.in_loop -= 1
        if random.random() < 0.2:
            return RepeatTimes(Const(3, random.randint(0, 3)) if random.random() < 0.5 else self.value(2, 1), body)
        limit: Expr = Const(8, random.randint(0, 4))
        if random.random() < 0.4:
            limit = Resize(self.value(2, 1), 8, False)
            frozen = self.fresh("limit", 8)
            start: tuple[Statement, ...] = (Assign(Ref(frozen), limit, True),)
            limit = Ref(frozen)
        else:
            start = ()
        cond: Expr = Binary("ult", Ref(counter), limit, 1)
        if random.random() < 0.2:
            cond = Binary("land", cond, self.value(1, 1), 1)
        step = Assign(Ref(counter), Binary("add", Ref(counter), Const(8, 1), 8), True)
        begin = Assign(Ref(counter), Const(8, 0), True)
        return Block((*start, begin, Loop(cond, body, (step,), random.random() < 0.1)))

    def assignment(self) -> Statement:
        random = self.random
        signal = random.choice(self.writable)
        now = self.only.setdefault(signal, not self.clocked or random.random() < 0.4)
        if random.random() < 0.1:
            others = [s for s in self.writable if not s.depth and self.only.get(s, now) == now]
            if len(others) > 1:
                parts = tuple(Ref(s) for s in random.sample(others, 2))
                for part in parts:
                    self.only[part.signal] = now
                width = sum(part.width for part in parts)
                return Assign(Concat(parts, width), self.value(width, 3), now)
        lhs: Expr = Ref(signal)
        if signal.depth:
            lhs = Element(signal, self.index(signal))
        while (random.random() < 0.4 and not isinstance(lhs, Ref | Element)) or random.random() < 0.35:
            lhs = self.part(lhs, 3)
        return Assign(lhs, self.value(lhs.width, 3), now)

    # ---------------------------------------------------------------------------------------- functions

    def function(self, automatic: bool = True) -> None:
        random = self.random
        width = random.randint(1, 6)
        args = [("input", self.fresh("a", random.randint(1, 5))) for _ in range(2)]
        if self.scratch and random.random() < 0.4:
            args.append((random.choice(("output", "inout")), self.fresh("o", random.choice(self.scratch).width)))
        result, local = self.fresh("f", width), self.fresh("v", 4)
        outer = self.readable, self.writable, self.clocked, self.only
        self.readable = [signal for _, signal in args] + [local]
        self.writable = [local, result, *(s for way, s in args if way != "input")]
        self.clocked, self.in_function, self.only = False, True, {}
        first = [Assign(Ref(s), Const(s.width, 0), True) for s in (local, result)]
        early = If(self.condition(2), Jump("return", value=self.value(width, 2)))
        body = Block((*first, self.block(1), early, self.block(2)))
        self.readable, self.writable, self.clocked, self.only = outer
        self.in_function = False
        self.functions.append(Function(f"f{self.count}", args, result, [local], body, automatic))
