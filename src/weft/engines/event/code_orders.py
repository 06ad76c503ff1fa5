"""Write array methods that compare elements: `sort`, `rsort`, `min`, `max`, `unique` (IEEE 1800-2023 7.12.1, 7.12.2).

A loop evaluates what is compared for each element, the element or its `with` expression, and stores it as a word whose
order without sign is the order of the values: a signed number with its top bit turned round, a real by its bits (those
of negative ones complemented), a string as its handle. Unknown bits count as 0 in an order, and make values different
for `unique`. What does not fit into a word lies behind the words. Kernels do the rest (`order_kernels`): they say
which elements are wanted, by their numbers, or put the elements into their new order.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.engines.event.code_function import FunctionCode
from weft.engines.event.container_layout import SIGN
from weft.engines.event.container_places import handle_of, layout_in_memory
from weft.engines.event.element_loops import append_value, count_up, element_count, empty_container, set_iterator
from weft.engines.event.order_kernels import KEY_DOWN, KEY_TEXT, KEY_WORD, PAIR_BYTES, PAIR_PLACE
from weft.engines.event.value_types import REALS, WORDS, type_of
from weft.engines.event.writer import Operand, Value, mask
from weft.ir.design import Expr, Type
from weft.ir.expressions import Iterate, Ref

COMPARING = frozenset({"sort", "rsort", "min", "max", "unique", "unique_index"})
"""The methods that are written here."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Be what is compared: values of a type, of which `words` words are kept; `down` turns their order round."""

    type: Type
    signed: bool
    unique: bool
    down: bool
    words: int

    @property
    def kind(self) -> int:
        """Return what the kernels call it."""
        if self.words > 1:
            kind = self.words
        elif self.type.kind == "string" and not self.unique:
            kind = KEY_TEXT
        else:
            return KEY_WORD
        return kind | KEY_DOWN if self.down else kind


def order(f: FunctionCode, node: Iterate, array: Expr) -> Value:
    """Write one of the methods, for a container in memory."""
    w = f.w
    keys = _keys_of(node, array)
    count = element_count(f, array)
    pairs = w.call("weft_malloc", w.op("mul", 64, count, PAIR_BYTES + (8 * keys.words if keys.words > 1 else 0)))
    long = w.op("add", 64, pairs, w.op("mul", 64, count, PAIR_BYTES))
    _collect(f, node, array, keys, (pairs, long, count))
    if node.name in ("sort", "rsort"):
        layout = layout_in_memory(f, array, None)
        assert layout is not None
        w.call("order_sort", pairs, count, keys.kind, "%S")
        if not layout.is_map:
            w.call("order_apply", handle_of(f, array), pairs, count)
        w.call("weft_free", pairs)
        f.unit.notify_container(f, array)
        return Value(0, 0)
    if keys.unique:
        kept = w.call("order_unique", pairs, count, keys.kind)
    else:
        kept = w.call("order_best", pairs, count, keys.kind, "%S")
    return _chosen(f, node, array, pairs, kept)


def _keys_of(node: Iterate, array: Expr) -> _Keys:
    if node.body is not None:
        kind, width = type_of(node.body), node.body.width
    else:
        kind, width = type_of(array).element or node.item.type, node.item.bits
    unique = node.name.startswith("unique")
    signed = node.signed or (node.item.signed if node.body is None else kind.signed)
    if kind.kind in WORDS and not kind.unpacked and width <= 64:
        words = 1
    else:
        # Two values are the same if their unknown bits are, too.
        words = max((2 * width if unique else width) + 63, 64) // 64
    return _Keys(kind, signed, unique, node.name in ("rsort", "max"), words)


def _collect(f: FunctionCode, node: Iterate, array: Expr, keys: _Keys, area: tuple[Operand, Operand, Operand]) -> None:
    """Write the loop that stores what is compared of each element."""
    from weft.engines.event.code_expressions import value

    w = f.w
    pairs, long, count = area
    compared: Expr = node.body if node.body is not None else Ref(node.item)

    def store(number: str, done: str) -> None:
        set_iterator(f, node, array, number)
        words = _words(f, keys, value(f, compared))
        pair = w.pointer(w.op("add", 64, pairs, w.op("mul", 64, number, PAIR_BYTES)))
        if len(words) == 1:
            w.store_word(pair, 0, words[0])
        else:
            place = w.op("add", 64, long, w.op("mul", 64, number, 8 * len(words)))
            w.store_word(pair, 0, place)
            pointer = w.pointer(place)
            for i, word in enumerate(words):
                w.store_word(pointer, 8 * i, word)
        w.store_word(pair, PAIR_PLACE, number)

    count_up(f, count, store)


def _words(f: FunctionCode, keys: _Keys, found: Value) -> list[Operand]:
    """Return what is kept of a value, the lowest word first."""
    w = f.w
    if keys.type.kind in REALS:
        return [_turned(f, keys, _real_word(f, found.bits))]
    if keys.type.kind in WORDS and keys.words == 1:
        return [found.bits if keys.type.kind == "string" else _turned(f, keys, found.bits)]
    width, size = found.width, 64 * keys.words
    if keys.unique:
        known = w.resize(found.bits, width, size)
        whole = w.op("or", size, known, w.op("shl", size, w.resize(found.unknown, width, size), width))
        return _split(f, whole, keys.words)
    known = w.and_(width, found.bits, w.not_(width, found.unknown))
    whole = w.resize(known, width, size, keys.signed)
    if keys.signed:
        whole = w.op("xor", size, whole, 1 << (size - 1))
    if keys.words == 1:
        return [_turned(f, keys, whole)]
    return _split(f, whole, keys.words)


def _split(f: FunctionCode, whole: Operand, count: int) -> list[Operand]:
    w, size = f.w, 64 * count
    return [w.resize(w.op("lshr", size, whole, 64 * i), size, 64) for i in range(count)]


def _turned(f: FunctionCode, keys: _Keys, word: Operand) -> Operand:
    return f.w.op("xor", 64, word, mask(64)) if keys.down else word


def _real_word(f: FunctionCode, bits: Operand) -> Operand:
    """Return a word that compares without sign as the real does; both zeros are equal."""
    w = f.w
    plain = w.select(64, w.compare("eq", 64, bits, SIGN), 0, bits)
    return w.op("xor", 64, plain, w.op("or", 64, w.op("ashr", 64, plain, 63), SIGN))


def _chosen(f: FunctionCode, node: Iterate, array: Expr, pairs: Operand, kept: Operand) -> Value:
    """Write the loop that puts elements, or their indices, into a new queue."""
    from weft.engines.event.code_expressions import value

    w = f.w
    found = empty_container(f, "found$", node.type)
    wanted = Ref(node.index if node.name.endswith("index") else node.item)

    def take(number: str, done: str) -> None:
        pair = w.pointer(w.op("add", 64, pairs, w.op("mul", 64, number, PAIR_BYTES)))
        set_iterator(f, node, array, w.load_word(pair, PAIR_PLACE))
        append_value(f, found, wanted)

    count_up(f, kept, take)
    w.call("weft_free", pairs)
    return value(f, found)
