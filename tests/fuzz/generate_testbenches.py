"""Random testbenches for the event engine, the same for the same seed on every machine, and free of races.

What may happen in any order (IEEE 1800-2023 4.7, 4.8) never meets here:

* Time is cut into periods, and each *actor*, a procedure or a branch of a fork, has a slot of the period of its own, in
  which alone it acts; a delayed assignment lands in a slot of its own too. All delays are constants, so
  that who is where at a time is plain to see.
* A variable has one writer. Actors read the variables of other actors, which rest while they act, and never nets.
* *Watchers* are started by a change of actors' variables, in the same slot, and read nothing else; nobody reads what
  they write but the sampler and the printer.
* Nets hang on actors' variables. What delays they have is over before the next slot begins.
* The *sampler* reads nets and watchers' variables in its slot and assigns nonblocking. The *printer* prints everything
  in the last slot, when all is settled; actors print their own view, one at a time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.fuzz.generate_expressions import Signal
from tests.fuzz.generate_items import ItemGenerator
from tests.fuzz.tree import Node, either, expr, fixed, item, several, stmt

SLOT, PERIOD = 16, 1024
PERIODS = 16

_NETS = ("wire", "tri", "wand", "wor", "triand", "trior", "tri0", "tri1")
_STRENGTHS = ("supply", "strong", "pull", "weak")
_GATES = ("and", "or", "nand", "nor", "xor", "xnor", "buf", "not")
_THREE_STATE = ("bufif0", "bufif1", "notif0", "notif1")
_SWITCHES = ("nmos", "pmos", "rnmos", "rpmos")


@dataclass(slots=True)
class Actor:
    """Be a procedure: its slot, and what it alone writes."""

    slot: int
    owned: list[Signal]
    extra: list[Node] = field(default_factory=list[Node])


class TestbenchGenerator(ItemGenerator):
    """Make a testbench."""

    __test__ = False

    def __init__(self, seed: int) -> None:
        super().__init__(random.Random(f"testbench-{seed}"), False, "fuzz")
        self.checks = False  # Icarus 11 does not report violations of unique and priority.
        self.slots = 0
        self.actors: list[Actor] = []
        self.steady: list[Signal] = []
        self.watched: list[Signal] = []
        self.nets: list[Signal] = []
        self.strong: list[str] = []
        self.reals: list[str] = []
        self.events: list[tuple[str, int]] = []
        self.shared_events: set[str] = set()

    def slot(self) -> int:
        """Return the time in a period of a new slot."""
        self.slots += 1
        return self.slots * SLOT

    # ------------------------------------------------------------------------------------------- the whole

    def testbench(self) -> Node:
        """Return the source."""
        items: list[Node] = []
        for _ in range(self.random.randint(2, 4)):
            owned = [self.new_signal("v") for _ in range(self.random.randint(2, 4))]
            self.actors.append(Actor(self.slot(), owned))
            self.steady += owned
            items += [self.declare(signal, self.initial_value(signal.width)) for signal in owned]
        for number, _ in enumerate(self.actors):
            self.reals.append(f"real{number}")
            self.events.append((f"event{number}", number))
            items.append(item(f"real real{number} = {self.random.randint(-9, 9)}.25; event event{number};"))
        self.readable = list(self.steady)
        for _ in range(self.random.randint(0, 2)):
            items += self.function()
        for _ in range(self.random.randint(2, 6)):
            items += self.random.choice((self.net, self.net, self.gates, self.assigned_net, self.delayed_net))()
        for _ in range(self.random.randint(1, 4)):
            items += self.watcher()
        procedures = [self.actor(number, actor) for number, actor in enumerate(self.actors)]
        items += [node for actor in self.actors for node in actor.extra]
        items += procedures
        items += self.sampler()
        items += self.printer()
        casts = fixed(self.helpers().replace("{", "{{"))
        head = "`timescale 1ns/1ns\nmodule fuzz;\n{0}\nendmodule\n"
        return fixed(head, several([casts, *items]))

    def declare(self, signal: Signal, initial: str = "") -> Node:
        """Declare a variable; it stays when a testbench is made smaller, since so much names it."""
        kind = f"reg {'signed ' if signal.signed else ''}[{signal.left}:{signal.right}]"
        return item(f"{kind} {signal.name}{initial};")

    # ------------------------------------------------------------------------------------------- actors

    def actor(self, number: int, actor: Actor) -> Node:
        """Return an initial procedure that acts in its slot until the end."""
        body = several([self.action(number, actor) for _ in range(self.random.randint(3, 8))])
        head, tail = f"initial begin\n#{actor.slot};\n", "\nend"
        if self.chance(0.5):
            head, tail = f"{head}forever begin\n", f"\n#{PERIOD}; end\nend"
        return item(f"{head}{{0}}{tail}", body)

    def action(self, number: int, actor: Actor) -> Node:
        """Return something that an actor does."""
        owned = actor.owned
        target = self.random.choice(owned)
        periods = self.random.randint(1, 3) * PERIOD
        match self.random.randrange(20):
            case 0 | 1 | 2:
                return stmt(f"#{periods};")
            case 3:
                return stmt(f"{{0}} = #{periods} {{1}};", self.target(target, 1), self.expression(2))
            case 4:
                landing = (self.slot() - actor.slot) % PERIOD + self.random.randrange(3) * PERIOD
                return stmt(f"{{0}} <= #{landing} {{1}};", self.target(target, 1), self.expression(2))
            case 5:
                return self.statement(owned, "<=", 2)
            case 6:
                return stmt(f"-> {self.events[number][0]};")
            case 7:
                return self.fork(actor)
            case 8:
                return self.task(actor)
            case 9 if self.nets:
                return self.force_net()
            case 10:
                return self.hold(target)
            case 11:
                return stmt(f"real{number} = real{number} * 0.5 + $itor({{0}});", self.small())
            case 12:
                return self.show_some()
            case 13:
                return self.left_block(actor)
            case _:
                return self.statement(owned, "=", 2)

    def small(self) -> Node:
        """Return an expression of a small known integer."""
        self.known_only += 1
        node = expr("(({0}) & 255)", self.sized(1))
        self.known_only -= 1
        # `| 0` of an unknown would be x, which $itor makes 0 in both; comparison makes it known.
        return expr("({0} === 1 ? 3 : 4)", node)

    def fork(self, actor: Actor) -> Node:
        """Return a fork whose branches act in slots of their own, each on variables of its own."""
        join = self.random.choice(("join", "join", "join_any", "join_none"))
        # Icarus 11 takes a fork of one branch for a block, whatever joins it.
        owned = self.random.sample(actor.owned, min(len(actor.owned), self.random.randint(2, 3)))
        branches: list[Node] = []
        for signal in owned:
            slot = self.slot()
            there, back = PERIOD + slot - actor.slot, PERIOD + actor.slot - slot
            again = f"#{PERIOD} {{1}} " if self.chance(0.4) else ""
            body = [self.statement([signal], "=", 1) for _ in range(2 if again else 1)]
            branches.append(stmt(f"begin #{there} {{0}} {again}#{back}; end", *body))
        # What a branch still does is over four periods later, before its variables are touched again.
        return stmt(f"fork\n{{0}}\n{join}\n#{4 * PERIOD};", several(branches))

    def task(self, actor: Actor) -> Node:
        """Return a call of a task with a delay inside, whose output is copied when it returns."""
        name, target = self.fresh("act"), self.random.choice(actor.owned)
        width = self.random.randint(1, 40)
        formal = Signal("a", width - 1, 0, self.chance(0.3))
        outer, memories, functions = self.readable, self.memories, self.functions
        self.readable, self.memories, self.functions = [formal], [], []
        body = self.expression(2)
        self.readable, self.memories, self.functions = outer, memories, functions
        kind = self.random.choice(("task", "task automatic"))
        sign = "signed " if formal.signed else ""
        head = f"{kind} {name}(input {sign}[{width - 1}:0] a, output [{target.width - 1}:0] o);"
        actor.extra.append(item(f"{head}\nbegin\n#{PERIOD} o = {{0}};\nend\nendtask", body))
        return stmt(f"{name}({{0}}, {target.name});", self.expression(2))

    def force_net(self) -> Node:
        """Return a force of a whole net, or its release."""
        net = self.random.choice(self.nets)
        if self.chance(0.5):
            return stmt(f"force {net.name} = {{0}};", self.constant(net.width))
        return stmt(f"release {net.name};")

    def hold(self, target: Signal) -> Node:
        """Return a procedural continuous assignment or force of a variable, for a period."""
        words = self.random.choice((("force", "release"), ("assign", "deassign")))
        return stmt(
            f"begin {words[0]} {target.name} = {{0}}; #{PERIOD} {words[1]} {target.name}; end",
            self.constant(target.width),
        )

    def left_block(self, actor: Actor) -> Node:
        """Return a block that is left by `disable`."""
        name = self.fresh("block")
        inner = several([self.statement(actor.owned, "=", 1), stmt(f"if ({{0}}) disable {name};", self.expression(1))])
        return stmt(f"begin : {name}\n{{0}}\n{{1}}\nend", inner, self.statement(actor.owned, "=", 1))

    # ------------------------------------------------------------------------------------------- watchers

    def watcher(self) -> list[Node]:
        """Return a process that a change of actors' variables starts, and its variable."""
        signal = self.new_signal("c")
        self.watched.append(signal)
        sources = self.random.sample(self.steady, min(2, len(self.steady)))
        names = " or ".join(source.name for source in sources)
        declared = self.declare(signal, self.initial_value(signal.width))
        value = self.expression(2)
        count = f"{signal.name} + 1"
        match self.random.randrange(7):
            case 0:
                return [declared, item(f"always @({names}) {signal.name} = {{0}};", value)]
            case 1:
                edge = self.random.choice(("posedge", "negedge"))
                return [declared, item(f"always @({edge} {sources[0].name}) {signal.name} <= {{0}};", value)]
            case 2:
                # Icarus 11 leaves out what does not count, as in `v << 65`, though it is read (9.2.2.2.1).
                plain = " ^ ".join(source.name for source in sources)
                return [declared, item(f"always @* {signal.name} = {plain};")]
            case 3:
                event = self.random.choice(self.events)[0]
                return [declared, item(f"always @({event}) {signal.name} = {count};")]
            case 4:
                wait = f"wait ({sources[0].name}[{sources[0].right}] === 1'b1)"
                low = f"wait ({sources[0].name}[{sources[0].right}] !== 1'b1)"
                return [declared, item(f"initial forever begin {wait} {signal.name} = {count}; {low}; end")]
            case 5:
                # Of two processes that wait for an event or the same variable, Icarus 11 wakes only the last.
                event = self.random.choice(self.events)[0]
                also = "" if event in self.shared_events else f" or {names}"
                self.shared_events.add(event)
                return [declared, item(f"always @({event}{also}) {signal.name} <= {count};")]
            case _:
                condition = either("iff ({0})", "")
                check = either("", "if ({0}) ")
                text = f"always @(posedge {sources[0].name} {condition}) {check}{signal.name} <= {{1}};"
                # Icarus asks when the process runs, Weft at the edge: only what the time step keeps is the same.
                asked = f"(($time / {self.random.randint(1, 9)}) % 2) == {self.random.randrange(2)}"
                return [declared, item(text, expr(asked), value)]

    # ------------------------------------------------------------------------------------------- nets

    def new_net(self, width: int | None = None) -> Signal:
        """Return a new net."""
        width = width or self.random.choice((1, 1, self.random.randint(2, 12)))
        net = Signal(self.fresh("n"), width - 1, 0)
        self.nets.append(net)
        return net

    def bit(self) -> Node:
        """Return one bit of an actor's variable."""
        signal = self.random.choice(self.steady)
        return expr(f"{signal.name}[{signal.bit(self.random.randrange(signal.width))}]")

    def three_state(self, width: int) -> Node:
        """Return an expression that may be z.

        It is as wide as the net, since Icarus 11 forgets the strengths of an assignment that cuts bits off; it is no
        call itself, for of those it forgets them too.
        """
        name = self.cast(width, False)
        value = expr(either(f"{width}'($unsigned({{0}}))", f"{{{{{name}($unsigned({{0}}))}}}}"), self.expression(1))
        return expr(f"({{0}} ? {{1}} : {width}'bz)", self.bit(), value)

    def strength(self) -> str:
        """Return a pair of strengths, perhaps none."""
        if self.chance(0.4):
            return ""
        zero, one = self.random.choice(_STRENGTHS) + "0", self.random.choice(_STRENGTHS) + "1"
        kind = self.random.randrange(6)
        if kind == 0:
            zero = "highz0"
        elif kind == 1:
            one = "highz1"
        return f"({zero}, {one}) "

    def net(self) -> list[Node]:
        """Return a net with one to three drivers."""
        net = self.new_net()
        kind = self.random.choice(_NETS)
        # Icarus 11 forgets the strengths of what drives wired nets (IEEE 1800-2023 28.12.4).
        wired = kind not in ("wire", "tri", "tri0", "tri1")
        # Of three drivers, two of them ambiguous, Icarus 11 keeps levels that the third excludes (28.12.2).
        count = self.random.randint(1, 3)
        drivers = several(
            [
                item(
                    f"assign {'' if wired or count > 2 else self.strength()}{net.name} = {{0}};",
                    self.three_state(net.width),
                )
                for _ in range(count)
            ]
        )
        if net.width == 1 and not wired:
            self.strong.append(net.name)
        return [item(f"{kind} [{net.left}:0] {net.name};\n{{0}}", drivers)]

    def assigned_net(self) -> list[Node]:
        """Return a net with an expression in its declaration, and one part of another that is driven by itself."""
        net = self.new_net(self.random.randint(2, 12))
        split = self.random.randrange(1, net.width)
        low, high = self.sized(2), self.sized(2)
        text = f"wire {'signed ' if self.chance(0.3) else ''}[{net.left}:0] {net.name};\n"
        text += f"assign {net.name}[{split - 1}:0] = {{0}};\nassign {net.name}[{net.left}:{split}] = {{1}};"
        return [item(text, low, high)]

    def delayed_net(self) -> list[Node]:
        """Return a net, or its assignment, with delays of a rise, a fall and a change to z."""
        net = self.new_net()
        delays = ", ".join(str(self.random.randint(1, 4)) for _ in range(self.random.choice((1, 2, 3))))
        width = f"[{net.left}:0] "
        # Icarus 11 has no delays in declarations of nets.
        return [item(f"wire {width}{net.name};\nassign #({delays}) {net.name} = {{0}};", self.three_state(net.width))]

    def gates(self) -> list[Node]:
        """Return gates, three-state gates and switches on a net of one bit, perhaps with delays and strengths."""
        nodes: list[Node] = []
        net = self.new_net(1)
        self.strong.append(net.name)
        resists = False
        for _ in range(self.random.randint(1, 2)):
            delay = f"#{self.random.randint(1, 4)} " if self.chance(0.4) else ""
            kind = self.random.choice((_GATES, _GATES, _THREE_STATE, _SWITCHES))
            gate = self.random.choice(kind)
            strength = "" if kind is _SWITCHES else self.strength()
            count = 1 if gate in ("buf", "not") else 2 if kind is not _GATES else self.random.randint(2, 3)
            holes = ", ".join(f"{{{at}}}" for at in range(count))
            resists |= gate[:2] in ("rn", "rp")
            nodes.append(item(f"{gate} {strength}{delay}(n_{net.name}, {holes});", *(self.bit() for _ in range(count))))
        # Icarus 11 lets equal strengths of opposite values cancel beside an ambiguous one (IEEE 1800-2023 28.12.2).
        if self.chance(0.3) and not resists:
            nodes.append(item(f"{self.random.choice(('pullup', 'pulldown'))} (n_{net.name});"))
        text = f"wire n_{net.name};\n{{0}}\nwire [0:0] {net.name};\nassign {net.name} = n_{net.name};"
        return [item(text, several(nodes))]

    # ------------------------------------------------------------------------------------------- looking

    def sampler(self) -> list[Node]:
        """Return a process that reads nets and what watchers write."""
        signal, slot = self.new_signal("s"), self.slot()
        outer = self.readable
        self.readable = [*self.steady, *self.nets, *self.watched]
        body = several([self.statement([signal], "<=", 2) for _ in range(2)])
        self.readable = outer
        self.watched.append(signal)
        text = f"initial begin #{slot}; forever begin\n{{0}}\n#{PERIOD}; end end"
        return [self.declare(signal), item(text, body)]

    def show_some(self) -> Node:
        """Return a $display of what an actor sees."""
        return self.display()

    def printer(self) -> list[Node]:
        """Return the process that prints everything at the end of each period, and ends the run."""
        shown: list[Node] = []
        for signal in (*self.steady, *self.watched, *self.nets):
            letter = self.random.choice(("b", "b", "h", "d", "0d", "o", "0h", "0b"))
            shown.append(stmt(f'$write(" {signal.name}=%{letter}", {signal.name});'))
        shown += [stmt(f'$write(" %v", {name});') for name in self.strong]
        shown += [stmt(f'$write(" %0.3f %e %g", {name}, {name}, {name});') for name in self.reals]
        steady = self.random.choice(self.steady)
        shown += [
            stmt(f'$write(" %t %0t %m %c %s|", $time, $realtime, {steady.name}, {steady.name});'),
            stmt(f'$strobe("strobe %b %0d", {steady.name}, {self.random.choice(self.steady).name});'),
        ]
        end = f"if ($time > {PERIODS * PERIOD}) $finish(0);"
        last = PERIOD - SLOT
        text = f'initial begin #{last}; forever begin\n$write("%0d:", $time / {PERIOD});\n'
        return [item(f"{text}{{0}}\n$display;\n#1 {end}\n#{PERIOD - 1}; end end", several(shown))]


def generate_testbench(seed: int) -> Node:
    """Return the testbench of a seed."""
    return TestbenchGenerator(seed).testbench()
