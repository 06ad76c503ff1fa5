"""Random statements: assignments to every kind of target, branches, cases, loops."""

from __future__ import annotations

from tests.fuzz.generate_expressions import ExpressionGenerator, Signal
from tests.fuzz.tree import Node, either, expr, fixed, item, several, stmt


class StatementGenerator(ExpressionGenerator):
    """Make statements."""

    def target(self, signal: Signal, depth: int) -> Node:
        if signal.width == 1 or self.chance(0.55):
            return fixed(signal.name)
        return Node("fixed", *_parts(self.select(signal, depth)))

    def assign(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        if len(targets) > 1 and self.chance(0.1):
            first, second = self.random.sample(targets, 2)
            return stmt(f"{{{{{first.name}, {second.name}}}}} {arrow} {{0}};", self.expression(depth))
        signal = self.random.choice(targets)
        if arrow == "=" and self.chance(0.12):
            # Icarus 11 drops an operand's high bits before it computes, also where they are unknown.
            operator = self.random.choice("&|^+-*" if self.two_state else "&|^")
            return stmt(f"{signal.name} {operator}= {{0}};", self.expression(depth))
        if arrow == "=" and self.chance(0.03):
            return stmt(f"{signal.name}{self.random.choice(('++', '--'))};")
        return stmt(f"{{0}} {arrow} {{1}};", self.target(signal, 1), self.expression(depth))

    def case(self, targets: list[Signal], arrow: str, depth: int) -> Node:
        kind = self.random.choice(("case", "casez", "case", "inside", "casex" if self.two_state else "casez"))
        width = self.random.randint(1, 5)
        arms: list[Node] = []
        for _ in range(self.random.randint(1, 4)):
            digits = "01" if kind == "case" else "01?"
            labels = ", ".join(
                f"{width}'b" + "".join(self.random.choice(digits) for _ in range(width))
                for _ in range(self.random.randint(1, 2))
            )
            arms.append(item(f"{labels}: {{0}}", self.statement(targets, arrow, depth - 1)))
        subject = self.expression(2)
        has_default = self.chance(0.6)
        if has_default:
            arms.append(item("default: {0}", self.statement(targets, arrow, depth - 1)))
        body = fixed("{0}\n1'b0: ;", several(arms))
        check = either(self.random.choice(("unique0 ", "priority ")), "") if self.checks and self.chance(0.15) else ""
        if kind == "inside":
            # No bit is z after an operator, so that labels with `?` mean the same in casez.
            subject = expr("{{(({0}) ^ 1'b0)}}", self.sized(2))
            return stmt(
                f"{check}{either('case', 'casez')} ({{0}}) {either('inside', '')}\n{{1}}\nendcase", subject, body
            )
        return stmt(f"{check}{kind} ({{0}})\n{{1}}\nendcase", subject, body)

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
        outer, inner = self.fresh("loop"), self.fresh("turn")
        body = several([body])
        if not self.in_function and self.chance(0.5):
            word, label = self.random.choice((("break", outer), ("continue", inner)))
            leave = stmt(f"if ({{0}}) {either(word, f'disable {label}')};", self.expression(2))
            body.children.insert(self.random.randrange(2), leave)
        begin = f"begin : {outer}"
        kind = self.random.randrange(4)
        declared = f"int {variable} = {start}; "
        advance = f"{variable} = {variable} + {step[0]}"
        inside = f"begin : {inner}\n{{0}}\nend"
        if kind == 0:
            # The counter moves first, so that `continue` cannot hold it back; so it counts from one step before.
            text = f"int {variable}; {variable} = {start - step[0]};\n"
            text += f"while ({variable} < {count - step[0]}) begin {advance}; {inside} end"
        elif kind == 1:
            text = f"int {variable}; {variable} = {start - step[0]};\n"
            text += f"repeat ({len(range(start, count, step[0]))}) begin {advance}; {inside} end"
        else:
            text = f"for ({declared}{variable} < {count}; {advance}) {inside}"
        return stmt(f"{begin}\n{text}\nend", body)

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


def _parts(node: Node) -> tuple[str, list[Node]]:
    return node.template, node.children
