"""The statements that a `randsequence` stands for, as text with holes (IEEE 1800-2023 18.17).

Productions call one another, recursively too, and their code blocks see the variables of the procedure around them and
may wait, so they become no functions. The whole is a machine in one block instead: a loop around a `case` of *arms*,
where `pc` says which arm runs next and a queue holds the arms to return to. A production has an arm to enter it, which
chooses among the rules with `randcase`, an arm or two for each item of a rule, and one to leave it. A production that
can call itself puts its variables on queues before a call, and takes them back after it.

`rand join` draws the rule of each of its productions first. Then it takes an item of one of them at a time: the next
of the production with the most items left (the fewest, for a degree below one half) with a probability of twice the
degree's distance from one half, and else that of any that has some left. So 0.5 prefers none, and 0 and 1 are strict,
as the examples of 18.17.5 have it. An item that is a production runs whole.

What the user wrote stands in the text as a hole, `randsequence$hole$7`, whose node `rewrite_randsequence` puts in
there. In code blocks a `return` or `break` has become an assignment to `randsequence$how` and a jump to the end of the
block `randsequence$leave`. Arguments and values of productions are copied into variables of their own names around code
and expressions that mention them.
"""

# pyslang's stubs do not say where None can come back.
# pyright: reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Sequence

from pyslang import parsing, syntax

from weft.base.dataclass import dataclass, field
from weft.lang.sv.randsequence_nodes import (
    expression_of,
    items_of,
    mentions,
    named_productions,
    place_of,
    reached_from,
    written_type,
)

PREFIX = "randsequence$"
"""How each name begins that is made here."""

HOLE = f"{PREFIX}hole$"
LEAVE = f"{PREFIX}leave"
HOW = f"{PREFIX}how"
VALUE = f"{PREFIX}value"
_PC = f"{PREFIX}pc"
_CALLS = f"{PREFIX}calls"
_STOP = 0


class Refused(Exception):
    """Say that something legal of a `randsequence` is not supported; the arguments are what and the node."""


@dataclass(slots=True, eq=False)
class Argument:
    """Be a formal argument of a production; `type` names the `typedef` of its type."""

    name: str
    type: str
    default: syntax.SyntaxNode | None


@dataclass(slots=True, eq=False)
class Production:
    """Be a production as it is written; `type` names the `typedef` of its value, or is empty."""

    name: str
    node: syntax.ProductionSyntax
    arguments: list[Argument] = field(default_factory=list[Argument])
    type: str = ""
    rules: list[syntax.RsRuleSyntax] = field(default_factory=list[syntax.RsRuleSyntax])
    recursive: bool = False


@dataclass(slots=True, eq=False)
class Variant:
    """Be a production with variables and arms of its own: one for all its calls, and one for each part of a join."""

    production: Production
    stem: str
    enter: int
    leave: int
    variables: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Each variable's type and name, those of the joins inside it too."""


Scope = tuple[Variant, dict[str, list[str]]]
"""What code of a rule sees: the production, and for each production with a value in the rule its variables."""


class SequenceText:
    """Make the text of one `randsequence`; `holes` are the nodes to put into it, in order."""

    def __init__(self, node: syntax.RandSequenceStatementSyntax) -> None:
        self.holes: list[syntax.SyntaxNode] = []
        self._types: list[str] = []
        self._arms: list[tuple[int, str]] = []
        self._count = 0
        self._stems = 0
        self._productions = {one.name.valueText: self._declare(one) for one in items_of(node.productions)}
        nodes = {name: one.node for name, one in self._productions.items()}
        for production in self._productions.values():
            production.recursive = production.name in reached_from(nodes, production.name)
        self._variants: dict[str, Variant] = {}
        self._all: list[Variant] = []
        first = node.firstProduction.valueText or next(iter(self._productions))
        self._first = self._variant(first)

    def text(self) -> str:
        """Return the block of statements."""
        lines = [f"begin : {PREFIX}block", *self._types]
        for variant in self._all:
            for kind, name in variant.variables:
                lines.append(f"automatic {kind} {name};")
                if variant.production.recursive:
                    lines.append(f"automatic {kind} {name}$saved [$];")
        lines += [f"automatic int {_PC} = {self._first.enter};", f"automatic int {_CALLS} [$] = '{{{_STOP}}};"]
        lines.append(f"while ({_PC} != {_STOP}) case ({_PC})")
        lines += [f"{number}: begin {body} end" for number, body in self._arms]
        text = "\n".join([*lines, "endcase", "end"])
        for variant in self._all:
            names = [name for _, name in variant.variables]
            text = text.replace(f"@save {variant.stem}@", " ".join(f"{one}$saved.push_back({one});" for one in names))
            taken = " ".join(f"{one} = {one}$saved.pop_back();" for one in names)
            text = text.replace(f"@restore {variant.stem}@", taken)
        return text

    # ------------------------------------------------------------------------------------------- declarations

    def _hole(self, node: syntax.SyntaxNode) -> str:
        self.holes.append(node)
        return f"{HOLE}{len(self.holes) - 1}"

    def _alias(self, data_type: syntax.DataTypeSyntax | None, dimensions: str = "") -> str:
        """Return the name of a `typedef` of a type."""
        name = f"{PREFIX}t{len(self._types)}"
        if data_type is None or isinstance(data_type, syntax.ImplicitTypeSyntax):
            written = f"logic {data_type or ''}"
        else:
            written = self._hole(data_type)
        self._types.append(f"typedef {written} {name} {dimensions};")
        return name

    def _declare(self, node: syntax.ProductionSyntax) -> Production:
        made = Production(node.name.valueText, node, rules=items_of(node.rules))
        # No type at all is `void`; a range alone is one of logic.
        made.type = self._alias(node.dataType) if written_type(node.dataType) not in ("", "void") else ""
        previous: syntax.DataTypeSyntax | None = None
        for port in items_of(node.portList.ports) if node.portList is not None else []:
            if port.direction.kind not in (parsing.TokenKind.Unknown, parsing.TokenKind.InputKeyword):
                raise Refused(f"an argument of a production that is '{port.direction.valueText}'", port)
            kind = port.dataType
            if written_type(kind) or port.direction.kind == parsing.TokenKind.InputKeyword or previous is None:
                previous = kind
            declarator = port.declarator
            default = declarator.initializer.expr if declarator.initializer is not None else None
            dimensions = "".join(str(one) for one in declarator.dimensions)
            made.arguments.append(Argument(declarator.name.valueText, self._alias(previous, dimensions), default))
        return made

    def _variant(self, name: str) -> Variant:
        """Return the production that calls mean, with its arms."""
        found = self._variants.get(name)
        if found is None:
            production = self._productions[name]
            found = self._variants[name] = self._start(production, None)
            self._arm(found.leave, f"{_PC} = {_CALLS}.pop_back();")
            self._enter(found)
        return found

    def _start(self, production: Production, owner: Variant | None) -> Variant:
        made = Variant(production, f"{PREFIX}p{self._stems}", self._number(), self._number())
        self._stems += 1
        if owner is not None:
            made.variables = owner.variables
        else:
            self._all.append(made)
        for number, argument in enumerate(production.arguments):
            made.variables.append((argument.type, f"{made.stem}$a{number}"))
        if production.type:
            made.variables.append((production.type, f"{made.stem}$v"))
        return made

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _arm(self, number: int, body: str) -> None:
        self._arms.append((number, body))

    # ------------------------------------------------------------------------------------------- rules

    def _enter(self, variant: Variant) -> None:
        """Make the arms of a production: that which chooses a rule, and those of the rules."""
        starts = [self._number() for _ in variant.production.rules]
        chosen = [f"{_PC} = {start};" for start in starts]
        self._arm(variant.enter, f"{_PC} = {variant.leave}; {self._choice(variant, chosen)}")
        for number, (rule, start) in enumerate(zip(variant.production.rules, starts, strict=True)):
            scope, reset = self._scope(variant, rule, number)
            items = self._items(rule)
            arms = [self._number() for _ in items]
            self._arm(start, f"{reset} {_PC} = {[*arms, variant.leave][0]};")
            for item, arm, after in zip(items, arms, [*arms[1:], variant.leave], strict=True):
                self._item(scope, item, arm, after)

    def _choice(self, variant: Variant, chosen: list[str]) -> str:
        """Return the statement that chooses a rule by the weights (18.17.1)."""
        weights = [
            rule.weightClause.weight if rule.weightClause is not None else None for rule in variant.production.rules
        ]
        if len(chosen) == 1 and weights[0] is None:
            return chosen[0]
        named = [weight for weight in weights if weight is not None]
        written = [self._hole(weight) if weight is not None else "1" for weight in weights]
        branches = " ".join(f"{weight} : begin {body} end" for weight, body in zip(written, chosen, strict=True))
        return f"begin {self._visible((variant, {}), named)} randcase {branches} endcase end"

    def _items(self, rule: syntax.RsRuleSyntax) -> list[syntax.SyntaxNode]:
        """Return what a rule does in order: the code of its weight, then its items, or the whole if it is a join."""
        items: list[syntax.SyntaxNode] = [rule] if rule.randJoin is not None else list(rule.prods)
        if rule.weightClause is not None and rule.weightClause.codeBlock is not None:
            items.insert(0, rule.weightClause.codeBlock)
        return items

    def _scope(self, variant: Variant, rule: syntax.RsRuleSyntax, number: int) -> tuple[Scope, str]:
        """Return what code of a rule sees, and the statements that give it the default values (18.17.7)."""
        values: dict[str, list[str]] = {}
        reset: list[str] = []
        for name in [item.name.valueText for item in named_productions(rule)]:
            kind = self._productions[name].type
            if kind:
                row = values.setdefault(name, [])
                row.append(f"{variant.stem}$r{number}${name}${len(row)}")
                variant.variables.append((kind, row[-1]))
                reset.append(f"begin automatic {kind} {VALUE}; {row[-1]} = {VALUE}; end")
        return (variant, values), " ".join(reset)

    # ------------------------------------------------------------------------------------------- items

    def _item(self, scope: Scope, node: syntax.SyntaxNode, arm: int, after: int) -> None:
        """Make the arms of an item of a rule: `arm` begins it, and it goes on at `after`."""
        match node:
            case syntax.RsCodeBlockSyntax():
                self._code(scope, node, arm, after)
            case syntax.RsProdItemSyntax():
                self._call(scope, node, arm, after)
            case syntax.RsIfElseSyntax():
                then, other = self._number(), after
                self._item(scope, node.ifItem, then, after)
                if node.elseClause is not None:
                    other = self._number()
                    self._item(scope, node.elseClause.item, other, after)
                test = f"if ({self._hole(node.condition)}) {_PC} = {then}; else {_PC} = {other};"
                self._arm(arm, f"{self._visible(scope, [node.condition])} {test}")
            case syntax.RsRepeatSyntax():
                self._repeat(scope, node, arm, after)
            case syntax.RsCaseSyntax():
                self._case(scope, node, arm, after)
            case syntax.RsRuleSyntax():
                self._join(scope, node, arm, after)
            case _:
                raise Refused("this item of a production", node)

    def _code(self, scope: Scope, node: syntax.RsCodeBlockSyntax, arm: int, after: int) -> None:
        variant, _ = scope
        kind = variant.production.type
        value = f"automatic {kind} {VALUE};" if kind else ""
        keep = f"{variant.stem}$v = {VALUE};" if kind else ""
        back = " ".join(
            f"{variant.stem}$a{number} = {argument.name};"
            for number, argument in enumerate(variant.production.arguments)
            if mentions([node], argument.name)
        )
        self._arm(
            arm,
            f"automatic byte {HOW} = 0; {value} {_PC} = {after}; "
            f"begin : {LEAVE} {self._visible(scope, [node])} begin {self._hole(node)}; end {back} end "
            f"if ({HOW} == 1) begin {keep} {_PC} = {variant.leave}; end else if ({HOW} == 2) {_PC} = {_STOP};",
        )

    def _repeat(self, scope: Scope, node: syntax.RsRepeatSyntax, arm: int, after: int) -> None:
        variant, _ = scope
        again, body = self._number(), self._number()
        left = f"{variant.stem}$n{again}"
        variant.variables.append(("longint", left))
        self._arm(arm, f"{self._visible(scope, [node.expr])} {left} = {self._hole(node.expr)}; {_PC} = {again};")
        self._arm(again, f"if ({left} > 0) begin {left}--; {_PC} = {body}; end else {_PC} = {after};")
        self._item(scope, node.item, body, again)

    def _case(self, scope: Scope, node: syntax.RsCaseSyntax, arm: int, after: int) -> None:
        items: list[str] = []
        shown: list[syntax.SyntaxNode] = [node.expr]
        for item in items_of(node.items):
            start = self._number()
            self._item(scope, item.item, start, after)
            labels = items_of(item.expressions) if isinstance(item, syntax.StandardRsCaseItemSyntax) else []
            shown += labels
            items.append(f"{', '.join(map(self._hole, labels)) or 'default'} : {_PC} = {start};")
        self._arm(
            arm,
            f"{self._visible(scope, shown)} {_PC} = {after}; case ({self._hole(node.expr)}) {' '.join(items)} endcase",
        )

    # ------------------------------------------------------------------------------------------- calls

    def _call(self, scope: Scope, node: syntax.RsProdItemSyntax, arm: int, after: int) -> None:
        """Make the arms of a production that is named: one calls it, one takes its value."""
        callee = self._variant(node.name.valueText)
        back = self._number()
        prepare, assign = self._arguments(scope, node, callee)
        save = restore = ""
        if callee.production.recursive:
            # Its variables are not all known yet: `text` replaces these words.
            save, restore = f"@save {callee.stem}@", f"@restore {callee.stem}@"
        self._arm(arm, f"{prepare} {save} {assign} {_CALLS}.push_back({back}); {_PC} = {callee.enter};")
        keep, target = "", self._target(scope, node)
        if target:
            keep = f"automatic {callee.production.type} {VALUE} = {callee.stem}$v;"
            restore += f" {target} = {VALUE};"
        self._arm(back, f"{keep} {restore} {_PC} = {after};")

    def _target(self, scope: Scope, node: syntax.RsProdItemSyntax) -> str:
        """Return the variable of the rule that takes the value of a production at this place."""
        row = scope[1].get(node.name.valueText)
        if not row:
            return ""
        rule = node.parent
        while not isinstance(rule, syntax.RsRuleSyntax):
            rule = rule.parent
        places = [place_of(item) for item in named_productions(rule) if item.name.valueText == node.name.valueText]
        return row[places.index(place_of(node))]

    def _arguments(self, scope: Scope, node: syntax.RsProdItemSyntax, callee: Variant) -> tuple[str, str]:
        """Return what evaluates the arguments of a call, and what gives them to the production."""
        formals = callee.production.arguments
        given: dict[str, syntax.SyntaxNode] = {}
        for number, actual in enumerate(items_of(node.argList.parameters) if node.argList is not None else []):
            if isinstance(actual, syntax.NamedArgumentSyntax):
                if actual.expr is not None:
                    given[actual.name.valueText] = expression_of(actual.expr)
            elif isinstance(actual, syntax.OrderedArgumentSyntax):
                given[formals[number].name] = expression_of(actual.expr)
        values = [given.get(formal.name, formal.default) for formal in formals]
        # The arguments of the caller may have the same names: a default is evaluated where they are not seen.
        first: list[str] = []
        assign: list[str] = []
        names = [
            value for formal, value in zip(formals, values, strict=True) if formal.name in given and value is not None
        ]
        visible = self._visible(scope, names)
        for number, (formal, value) in enumerate(zip(formals, values, strict=True)):
            local = f"{PREFIX}x{number}"
            if value is None:
                raise Refused("a call of a production without a value for each argument", node)
            first.append(f"automatic {formal.type} {local};")
            target = f"{local} = {self._hole(value)};"
            assign.append(f"begin {visible if formal.name in given else ''} {target} end")
        copies = " ".join(f"{callee.stem}$a{number} = {PREFIX}x{number};" for number in range(len(formals)))
        return " ".join([*first, *assign]), copies

    def _visible(self, scope: Scope, nodes: Sequence[syntax.SyntaxNode]) -> str:
        """Return the variables that arguments and values of productions are for code that mentions them."""
        variant, values = scope
        made: list[str] = []
        for number, argument in enumerate(variant.production.arguments):
            if mentions(nodes, argument.name):
                made.append(f"automatic {argument.type} {argument.name} = {variant.stem}$a{number};")
        for name, row in values.items():
            if mentions(nodes, name):
                kind = self._productions[name].type
                if len(row) == 1:
                    made.append(f"automatic {kind} {name} = {row[0]};")
                else:
                    made.append(f"automatic {kind} {name} [1:{len(row)}] = '{{{', '.join(row)}}};")
        return " ".join(made)

    # ------------------------------------------------------------------------------------------- rand join

    def _join(self, scope: Scope, rule: syntax.RsRuleSyntax, arm: int, after: int) -> None:
        """Make the arms of `rand join` (18.17.5): one begins it, one takes turns, one ends it."""
        owner, _ = scope
        turn, done = self._number(), self._number()
        begin: list[str] = []
        parts: list[Variant] = []
        finish: list[str] = []
        steps: list[str] = []
        for number, item in enumerate(rule.prods):
            if not isinstance(item, syntax.RsProdItemSyntax):
                raise Refused("'rand join' of this", item)
            part = self._start(self._productions[item.name.valueText], owner)
            parts.append(part)
            owner.variables += [("int", f"{part.stem}${name}") for name in ("rule", "next", "length")]
            prepare, assign = self._arguments(scope, item, part)
            reset = f"{part.stem}$next = 0; {part.stem}$length = 0;"
            begin.append(f"begin {prepare} {assign} {reset} {self._choice(part, self._prepare(part, steps, turn))} end")
            self._arm(part.leave, f"{part.stem}$next = {part.stem}$length; {_PC} = {turn};")
            steps[number] = f"{number}: {steps[number]}"
            if target := self._target(scope, item):
                finish.append(f"{target} = {part.stem}$v;")
        degree = f"{owner.stem}$d{arm}"
        owner.variables.append(("real", degree))
        clause = rule.randJoin
        given = self._hole(clause.expr.expression) if clause is not None and clause.expr is not None else "0.5"
        visible = self._visible(
            scope, [clause.expr.expression] if clause is not None and clause.expr is not None else []
        )
        self._arm(arm, f"begin {visible} {degree} = {given}; end {' '.join(begin)} {_PC} = {turn};")
        self._arm(
            turn,
            _TURN.format(
                count=len(parts),
                left=", ".join(f"{part.stem}$length - {part.stem}$next" for part in parts),
                degree=degree,
                pc=_PC,
                done=done,
                steps=" ".join(steps),
            ),
        )
        self._arm(done, f"{' '.join(finish)} {_PC} = {after};")

    def _prepare(self, part: Variant, steps: list[str], turn: int) -> list[str]:
        """Make the arms of a part of a join; return what choosing each rule does, and add what takes its next item."""
        chosen: list[str] = []
        rules: list[str] = []
        for number, rule in enumerate(part.production.rules):
            scope, reset = self._scope(part, rule, number)
            items = self._items(rule)
            arms = [self._number() for _ in items]
            for item, start in zip(items, arms, strict=True):
                self._item(scope, item, start, turn)
            chosen.append(f"{reset} {part.stem}$rule = {number}; {part.stem}$length = {len(items)};")
            if arms:
                cases = " ".join(f"{position} : {_PC} = {start};" for position, start in enumerate(arms))
                rules.append(f"{number} : case ({part.stem}$next) {cases} endcase")
        dispatch = f"case ({part.stem}$rule) {' '.join(rules)} endcase" if rules else ""
        steps.append(f"begin {dispatch} {part.stem}$next++; end")
        return chosen


_TURN = f"""
automatic int {PREFIX}left [{{count}}] = '{{{{{{left}}}}}};
automatic int {PREFIX}best = -1;
automatic int {PREFIX}ties = 0;
automatic int {PREFIX}turn = -1;
automatic bit {PREFIX}strict = {{degree}} != 0.5
  && $urandom_range(999999) < ({{degree}} > 0.5 ? 2.0 * {{degree}} - 1.0 : 1.0 - 2.0 * {{degree}}) * 1000000.0;
foreach ({PREFIX}left[{PREFIX}i])
  if ({PREFIX}left[{PREFIX}i] > 0 && ({PREFIX}best < 0
      || ({{degree}} > 0.5 ? {PREFIX}left[{PREFIX}i] > {PREFIX}best : {PREFIX}left[{PREFIX}i] < {PREFIX}best)))
    {PREFIX}best = {PREFIX}left[{PREFIX}i];
foreach ({PREFIX}left[{PREFIX}i])
  if ({PREFIX}left[{PREFIX}i] > 0 && (!{PREFIX}strict || {PREFIX}left[{PREFIX}i] == {PREFIX}best)) begin
    // Each of those so far is the one with the same probability.
    {PREFIX}ties++;
    if ($urandom_range({PREFIX}ties - 1) == 0) {PREFIX}turn = {PREFIX}i;
  end
{{pc}} = {{done}};
case ({PREFIX}turn) {{steps}} default: ; endcase
"""
"""The arm that chooses whose turn it is."""
