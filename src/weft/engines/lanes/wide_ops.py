"""Products and quotients of many words, as loops over limbs of 32 bits.

`passes.split_words` leaves four operations on values of more than 64 bits: a `concat` of words makes one, `mul`, `udiv`
and `umod` work on them, and `slice` takes a word out again. Such a value lies in memory of the function, a 64-bit
integer for each limb and lane. Products are schoolbook products (Knuth, The Art of Computer Programming, volume 2,
4.3.1, algorithm M): a product of limbs with two more limbs added fits 64 bits. Quotients come bit by bit, by shifts and
subtractions, in all lanes alike: the digits of algorithm D would have to be guessed in each lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass
from weft.base.errors import InternalError
from weft.engines.lanes.shape import element

if TYPE_CHECKING:
    from weft.engines.lanes.emitter import LaneEmitter

_LIMB = 32
_LOW = (1 << _LIMB) - 1

Chunks = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WideValue:
    """Be a value in memory: where it begins, and the number of its limbs."""

    place: str
    limbs: int


class WideEmitter:
    """Emit one operation on wide values."""

    def __init__(self, emitter: LaneEmitter) -> None:
        self.e = emitter
        self._bytes = 8 * emitter.shape.lanes

    # ------------------------------------------------------------------------------------------------ small tools

    def room(self, limbs: int) -> WideValue:
        """Return memory of the function for some limbs; what is there is not known."""
        return WideValue(self.e.function_memory(limbs * self._bytes), limbs)

    def _place(self, value: WideValue, index: str, chunk: int) -> str:
        e = self.e
        at = e.put(f"add i64 {e.put(f'mul i64 {index}, {self._bytes}')}, {8 * chunk * e.shape.chunk}")
        return e.put(f"getelementptr i8, ptr {value.place}, i64 {at}")

    def load(self, value: WideValue, index: str) -> Chunks:
        """Load a limb."""
        e, kind = self.e, self.e.shape.vector(64)
        return tuple(
            e.put(f"load {kind}, ptr {self._place(value, index, chunk)}, align 8") for chunk in range(e.shape.chunks)
        )

    def store(self, value: WideValue, index: str, chunks: Chunks) -> None:
        """Store a limb."""
        e, kind = self.e, self.e.shape.vector(64)
        for chunk, text in enumerate(chunks):
            e.add(f"store {kind} {text}, ptr {self._place(value, index, chunk)}, align 8")

    def loop(self, count: str, body: Callable[[str], None]) -> None:
        """Emit a loop whose index counts from 0; there is at least one round."""
        e, before = self.e, self.e.here
        head, latch, done = (e.label() for _ in range(3))
        index, following = e.put_name(), e.put_name()
        e.add(f"br label %{head}")
        e.begin(head)
        e.add(f"{index} = phi i64 [0, %{before}], [{following}, %{latch}]")
        body(index)
        e.add(f"br label %{latch}")
        e.begin(latch)
        e.add(f"{following} = add i64 {index}, 1")
        e.add(f"br i1 {e.put(f'icmp ult i64 {following}, {count}')}, label %{head}, label %{done}")
        e.begin(done)

    def _every(self, scalar: str) -> Chunks:
        """Return an i64 in every lane."""
        e, shape = self.e, self.e.shape
        if shape.chunk == 1:
            return (scalar,) * shape.chunks
        kind = shape.vector(64)
        first = e.put(f"insertelement {kind} poison, i64 {scalar}, i64 0")
        every = e.put(f"shufflevector {kind} {first}, {kind} poison, <{shape.chunk} x i32> zeroinitializer")
        return (every,) * shape.chunks

    def _binary(self, name: str, a: Chunks, b: Chunks | int) -> Chunks:
        return self.e.binary(name, 64, a, self.e.constants(64, b) if isinstance(b, int) else b)

    def _clear(self, value: WideValue) -> None:
        none = self.e.constants(64, 0)
        self.loop(str(value.limbs), lambda index: self.store(value, index, none))

    # ------------------------------------------------------------------------------------------------ operations

    def emit(self, node: int, name: str, width: int, sources: tuple[int, ...]) -> WideValue:
        """Emit an operation whose result is wide."""
        if name == "concat":
            return self._join(sources)
        a, b = (self.e.wide(source) for source in sources)
        if name == "mul":
            return self._product(a, b)
        if name in ("udiv", "umod"):
            return self._quotient(width, a, b, name == "umod")
        raise InternalError(f"a wide {name} stands in a lane program")

    def _join(self, sources: tuple[int, ...]) -> WideValue:
        """Make a value of words."""
        result = self.room(2 * len(sources))
        for number, source in enumerate(sources):
            word = self.e.words(source, 64)
            self.store(result, str(2 * number), self._binary("and", word, _LOW))
            self.store(result, str(2 * number + 1), self._binary("lshr", word, _LIMB))
        return result

    def word(self, value: WideValue, low: int, width: int) -> Chunks:
        """Return up to 64 bits that begin at a bit, as integers of `element(width)` bits."""
        first, inner = divmod(low, _LIMB)
        both = self.load(value, str(first))
        if first + 1 < value.limbs:
            both = self._binary("or", both, self._binary("shl", self.load(value, str(first + 1)), _LIMB))
        if inner:
            both = self._binary("lshr", both, inner)
        if inner + width > 64:
            both = self._binary("or", both, self._binary("shl", self.load(value, str(first + 2)), 64 - inner))
        size = element(width)
        return self.e.trim(self.e.convert(both, 64, size), size, width)

    def _product(self, a: WideValue, b: WideValue) -> WideValue:
        result, carry = self.room(a.limbs), self.room(1)
        self._clear(result)

        def row(i: str) -> None:
            factor = self._binary("and", self.load(a, i), _LOW)
            self.store(carry, "0", self.e.constants(64, 0))

            def column(j: str) -> None:
                place = self.e.put(f"add i64 {i}, {j}")
                part = self._binary("mul", factor, self._binary("and", self.load(b, j), _LOW))
                total = self._binary("add", self._binary("add", part, self.load(result, place)), self.load(carry, "0"))
                self.store(result, place, self._binary("and", total, _LOW))
                self.store(carry, "0", self._binary("lshr", total, _LIMB))

            self.loop(self.e.put(f"sub i64 {a.limbs}, {i}"), column)

        self.loop(str(a.limbs), row)
        return result

    def _quotient(self, width: int, a: WideValue, b: WideValue, remainder: bool) -> WideValue:
        """Divide: the rest takes one bit more of `a` each time, and gives `b` away where it has it."""
        e, limbs = self.e, a.limbs
        result, rest, less, state = self.room(limbs), self.room(limbs + 1), self.room(limbs + 1), self.room(2)
        self._clear(result)
        self._clear(rest)
        none = e.constants(64, 0)

        def subtract(k: str) -> None:
            """Shift a limb of the rest, and subtract the divisor's limb from it in a second place."""
            bits = self._binary("or", self._binary("shl", self.load(rest, k), 1), self.load(state, "0"))
            self.store(state, "0", self._binary("lshr", bits, _LIMB))
            bits = self._binary("and", bits, _LOW)
            self.store(rest, k, bits)
            # The divisor has no limb where the rest has its last one.
            last = self._every(e.put(f"sext i1 {e.put(f'icmp ult i64 {k}, {limbs}')} to i64"))
            inside = e.put(f"call i64 @llvm.umin.i64(i64 {k}, i64 {limbs - 1})")
            divisor = self._binary("and", self.load(b, inside), last)
            left = self._binary("sub", self._binary("sub", bits, divisor), self.load(state, "1"))
            self.store(state, "1", self._binary("lshr", left, 63))
            self.store(less, k, self._binary("and", left, _LOW))

        def round_(step: str) -> None:
            bit = e.put(f"sub i64 {width - 1}, {step}")
            limb, place = e.put(f"lshr i64 {bit}, 5"), self._every(e.put(f"and i64 {bit}, {_LIMB - 1}"))
            self.store(state, "0", self._binary("and", self._binary("lshr", self.load(a, limb), place), 1))
            self.store(state, "1", none)
            self.loop(str(limbs + 1), subtract)
            fits = e.compare("eq", 64, self.load(state, "1"), none)

            def choose(k: str) -> None:
                self.store(rest, k, e.choose(64, fits, self.load(less, k), self.load(rest, k)))

            self.loop(str(limbs + 1), choose)
            one = self._binary("shl", e.choose(64, fits, e.constants(64, 1), none), place)
            self.store(result, limb, self._binary("or", self.load(result, limb), one))

        self.loop(str(width), round_)
        return WideValue(rest.place, limbs) if remainder else result
