"""Write the LLVM function of one process, task, function or other piece of a unit: places, suspension, calls of the
host.

A function that cannot suspend keeps its automatic variables in stack slots, which LLVM turns into registers. Code
that can suspend is a state machine: all variables lie in memory, a suspension stores the number of the place where it
goes on and returns, and the function begins with a switch to that place. So no LLVM value lives across a suspension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.base.errors import InternalError, Unsupported
from weft.base.source import NOWHERE, Span
from weft.engines.event.layout import FrameLayout, element_bytes, value_bytes
from weft.engines.event.operators import concat
from weft.engines.event.records import (
    FRAME_OUTER,
    HOST_CALL,
    NODE_FRAME,
    NODE_PC,
    STOP,
)
from weft.engines.event.writer import Operand, Value, Writer, plane_bytes
from weft.ir.design import Expr, Function, Signal, Type

if TYPE_CHECKING:
    from weft.engines.event.code_unit import UnitCode


@dataclass(slots=True, eq=False)
class Label:
    """Be a block that `disable` or `return` can leave, and where that leads; `depth` counts the frames there."""

    name: str
    target: str
    depth: int
    scopes: int = 0
    used: bool = False


@dataclass(slots=True, eq=False)
class FunctionCode:
    """Hold what is known while one LLVM function is written."""

    unit: UnitCode
    name: str
    kind: str
    """`thread` can suspend, `look` runs in a waiting thread's frame, `routine` is called, `bare` has no instance."""
    frames: list[FrameLayout] = field(default_factory=list[FrameLayout])
    function: Function | None = None
    w: Writer = field(default_factory=Writer)
    places: list[int] = field(default_factory=list[int])
    labels: list[Label] = field(default_factory=list[Label])
    loops: list[tuple[str, str, int, int]] = field(default_factory=list[tuple[str, str, int, int]])
    span: Span = NOWHERE
    scope: str = ""
    open_scopes: int = 0
    locals: dict[Signal, str] = field(default_factory=dict[Signal, str])
    operands: dict[Signal, Value] = field(default_factory=dict[Signal, Value])
    """Placeholders in an expression, and the values that are already loaded for them."""
    references: dict[Signal, str] = field(default_factory=dict[Signal, str])
    rereads: frozenset[Signal] | None = field(default_factory=frozenset[Signal])
    """The signals whose changes start the process again (`code_races`); None: all that it reads."""
    stopped: str = ""
    this: Signal | None = None

    @property
    def thread(self) -> bool:
        """Say whether the code can suspend."""
        return self.kind == "thread"

    # ------------------------------------------------------------------------------------------- errors

    def unsupported(self, what: str, span: Span | None = None) -> Unsupported:
        """Return the error for something that is legal and not done yet."""
        return Unsupported(what, span if span is not None and span != NOWHERE else self.span)

    # ------------------------------------------------------------------------------------------- places

    def is_local(self, signal: Signal) -> bool:
        """Say whether a variable belongs to an activation, not to an instance."""
        return signal.automatic or signal in self.locals or signal in self.references

    def signal_pointer(self, signal: Signal, path: tuple[str, ...] = ()) -> str:
        """Return a pointer to the value of a signal, to the first element of an array."""
        if signal in self.references:
            return self.references[signal]
        if signal in self.locals:
            return self.locals[signal]
        if signal.automatic:
            return self._automatic(signal)
        return self.unit.signal_pointer(self.w, signal, path)

    def _automatic(self, signal: Signal) -> str:
        if not self.frames:
            name = f"%{self.w.fresh('local')}"
            self.w.entry.append(f"  {name} = alloca [{value_bytes(signal) + 16} x i8], align 8")
            self.w.entry.append(
                f"  call void @llvm.memset.p0.i64(ptr {name}, i8 0, i64 {value_bytes(signal)}, i1 false)"
            )
            self.w.declare("llvm.memset.p0.i64", "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            self.locals[signal] = name
            return name
        depth = next((i for i, frame in enumerate(self.frames) if signal in frame.signals), None)
        if depth is None:
            # A variable is placed in the outermost frame of its routine unless a block has claimed it.
            depth = 0
        frame = self.frame_pointer(depth)
        return self.w.address(frame, self.frames[depth].signal(signal))

    def frame_pointer(self, depth: int = -1) -> str:
        """Return a pointer to one of the frames that are open here; -1 is the innermost."""
        w = self.w
        word = w.load_word("%N", NODE_FRAME)
        steps = len(self.frames) - 1 - (depth if depth >= 0 else len(self.frames) - 1)
        for _ in range(steps):
            word = w.load_word(w.pointer(word), FRAME_OUTER)
        return w.pointer(word)

    def frame_slot(self, size: int) -> tuple[int, int]:
        """Return depth and offset of new bytes that live across suspensions."""
        depth = len(self.frames) - 1
        return depth, self.frames[depth].take(size)

    def instance_word(self) -> Operand:
        """Return the address of the instance's block as a word."""
        return self.unit.instance_word(self.w)

    # ------------------------------------------------------------------------------------------- suspension

    def new_place(self) -> int:
        """Return the number of a new place where the thread may go on; its block is `place<number>`."""
        number = len(self.places) + 1
        self.places.append(number)
        return number

    def set_place(self, number: int) -> None:
        """Store where the thread goes on."""
        self.w.do(f"store i32 {number}, ptr {self.w.address('%N', NODE_PC)}")

    def suspend(self) -> None:
        """Return to the scheduler; what is written next runs when the thread is resumed."""
        if not self.thread:
            raise self.unsupported("a function that waits, called inside an expression,")
        number = self.new_place()
        self.set_place(number)
        self.w.ret("i64 0")
        self.w.label(f"place{number}")

    def poll(self) -> None:
        """Leave the code if the run is to stop; loops that wait for nothing ask."""
        w = self.w
        stop = w.emit(f"load volatile i64, ptr {w.address('%Sp', STOP)}")
        go_on = w.fresh("goon")
        w.branch(w.compare("ne", 64, stop, 0), self.stop_block(), go_on)
        w.label(go_on)

    def stop_block(self) -> str:
        """Return the block that ends the activity for good."""
        if not self.stopped:
            self.stopped = self.w.fresh("stopped")
        return self.stopped

    # ------------------------------------------------------------------------------------------- the host

    def host_call(self, site: int, arguments: str) -> str:
        """Call Python for a system task or function; `arguments` points to its buffer."""
        w = self.w
        function = w.pointer(w.load_word("%Sp", HOST_CALL))
        words = [f"i64 {site}", f"i64 {w.emit(f'ptrtoint ptr {arguments} to i64')}", "i64 %node"]
        words.append(f"i64 {self.instance_word()}")
        return w.emit(f"call i64 {function}({', '.join(words)})")

    # ------------------------------------------------------------------------------------------- finishing

    def finish(self, result: str = "i64", parameters: str = "i64 %node, i64 %S", stop_value: str = "i64 0") -> str:
        """Return the function's text."""
        w = self.w
        if self.stopped:
            w.label(self.stopped)
            w.ret(stop_value)
        head = [f"define {result} @{self.name}({parameters}) nounwind {{", "entry:", *w.entry]
        head.append("  %Sp = inttoptr i64 %S to ptr")
        head.append("  %N = inttoptr i64 %node to ptr")
        head += self.unit.prologue(self.kind)
        if self.thread:
            pc = [f"  %pc.p = getelementptr i8, ptr %N, i64 {NODE_PC}", "  %pc = load i32, ptr %pc.p"]
            cases = " ".join(f"i32 {number}, label %place{number}" for number in self.places)
            pc.append(f"  switch i32 %pc, label %start [ {cases} ]" if cases else "  br label %start")
            head += [*pc, "start:"]
        return "\n".join([*head, *w.lines, "}"])

    def this_value(self) -> Value:
        """Return the handle of the object that the present method was called on."""
        if self.this is None:
            raise self.internal("no object here")
        return self.load_signal(self.this, self.signal_pointer(self.this))

    def call_method(self, method: Function, receiver: Value, args: tuple[Expr, ...], span: Span) -> None:
        """Write a call of a method, its object already computed."""
        from weft.engines.event.code_calls import call_function
        from weft.ir.expressions import Call, Ref

        holder = Signal("object$", 64, Type("class", 64, four_state=False), automatic=True, local=True)
        pointer = self.signal_pointer(holder)
        self.w.store_word(pointer, 0, receiver.bits)
        call_function(self, Call(method, args, 0, span, Ref(holder)))

    def element_pointer(self, signal: Signal, pointer: str, index: Operand) -> str:
        """Return a pointer to an element of an array; `index` is a 64-bit word inside the array."""
        step = element_bytes(signal)
        offset = index * step if isinstance(index, int) else self.w.op("mul", 64, index, step)
        return self.w.address(pointer, offset)

    def load_signal(self, signal: Signal, pointer: str) -> Value:
        """Load one element (or a plain signal)."""
        bits = self.w.load(pointer, signal.width)
        if not signal.type.four_state:
            return Value(signal.width, bits)
        return Value(signal.width, bits, self.w.load(self.w.address(pointer, plane_bytes(signal.width)), signal.width))

    def load_flat(self, signal: Signal, pointer: str) -> Value:
        """Load a whole signal, all elements of an array as one vector."""
        if not signal.depth:
            return self.load_signal(signal, pointer)
        places = (self.element_pointer(signal, pointer, i) for i in reversed(range(signal.depth)))
        return concat(self.w, [self.load_signal(signal, place) for place in places])

    def internal(self, message: str, node: Expr | None = None) -> InternalError:
        """Return the error for a bug of ours."""
        return InternalError(message, repr(node) if node is not None else "")
