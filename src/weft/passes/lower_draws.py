"""Draws of random numbers as words: `$random`, `$urandom`, `$urandom_range`, with a seed of one's own, `$dist_uniform`.

A seed is a variable, and a draw assigns it: under the path that leads to it, seen by the draws that follow, in loops
and functions as anything else. So every engine can draw, each lane of a batch for itself, and a checkpoint has the
seeds.

`$random` and draws with a seed are those of IEEE 1800-2023 annex N. Its C code makes a single of the 23 upper bits of
the seed and stretches it with doubles; what comes out, roundings included, is for `m`, these bits,

    512 * (m + 1) + m / 2**14 - 2**31, less 1 if that is a whole number below 0,

modulo 2**32, which `tests/passes/test_lower_draws` compares for every `m`. The seed of `$random` without arguments is
one for the whole design: `Executor.seed` has what a process makes of it, and `connect_draws` passes it on to the next.
`$urandom` and `$urandom_range` draw from the stream of the process (18.14, `ir.random_streams`), which is a register.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from weft.base.errors import Unsupported
from weft.ir.expressions import Element, Ref, Resize, Slice, SystemCall, Unary
from weft.ir.graph_builder import GraphBuilder
from weft.ir.ops import mask
from weft.ir.random_streams import GOLDEN, LAST_SHIFT, MIX
from weft.passes.fragment import Draw
from weft.passes.lower_uniform import uniform_number
from weft.passes.symbolic_state import Variable

if TYPE_CHECKING:
    from weft.passes.execute_statements import Executor

DRAWS = frozenset({"$random", "$urandom", "$urandom_range", "$dist_uniform"})

_FIRST_SEED = 259341593
_FACTOR = 69069


class Unclocked(Unsupported):
    """Say that something draws where no clock says how often."""


def draw(executor: Executor, call: SystemCall) -> int:
    """Return what a call of one of `DRAWS` draws."""
    span = executor.span if call.span.file < 0 else call.span
    if executor.trigger < 0:
        what = f"{call.name} in combinational logic, where no clock says how often it draws"
        raise Unclocked(f"{what} (it needs the event engine, weft run)", span)
    if executor.postponed:
        what = f"{call.name} among the arguments of {executor.postponed}, which are evaluated later"
        raise Unsupported(f"{what} (it needs the event engine)", span)
    if call.name == "$urandom_range":
        number = _range(executor, [executor.evaluate(argument) for argument in call.args])
    elif call.args:
        number = _with_seed(executor, call)
    elif call.name == "$random":
        number = random_number(executor.builder, _advance(executor, _seed(executor)))
    else:
        number = executor.builder.slice(_word(executor), 32, 32)
    return executor.resize(number, call.width, call.signed)


def next_seed(builder: GraphBuilder, seed: int) -> int:
    """Return the seed after one draw of annex N."""
    none = builder.add("eq", 1, seed, builder.const(32, 0))
    start = builder.add("mux", 32, none, builder.const(32, _FIRST_SEED), seed)
    return builder.add("add", 32, builder.add("mul", 32, start, builder.const(32, _FACTOR)), builder.const(32, 1))


def random_number(builder: GraphBuilder, seed: int) -> int:
    """Return the number of a draw of annex N over all integers; `seed` is the one after it."""
    stretched = builder.concat([builder.slice(seed, 23, 9), builder.slice(seed, 9, 23)])
    number = builder.add("add", 32, stretched, builder.const(32, (1 << 31) + 512))
    whole = builder.add("eq", 1, builder.slice(seed, 9, 14), builder.const(14, 0))
    below = builder.add("and", 1, whole, builder.add("not", 1, builder.slice(seed, 31, 1)))
    return builder.add("sub", 32, number, builder.add("zext", 32, below))


def drawn(executor: Executor) -> Draw | None:
    """Return what a finished process has made of the seed of `$random`; None if it does not draw."""
    seed = executor.seed
    if seed is None:
        return None
    ((_, entry),) = executor.environment.pieces(seed)
    value, enable = executor.environment.final(entry)
    before = executor.context.special("$random", 32, executor.process)
    return Draw(before, value, enable, executor.trigger, executor.process, seed.signal.span)


def _seed(executor: Executor) -> Variable:
    """Return the seed that the design shares, as the process has left it so far."""
    seed = executor.seed
    if seed is None:
        builder, context = executor.builder, executor.context
        use = context.special("$random", 32, executor.process)
        seed = executor.seed = executor.environment.variable(context.fragment.uses[use].signal, (), 32)
        seed.private = True
        seed.origin = partial(builder.slice, builder.read(use))
    return seed


def _advance(executor: Executor, variable: Variable) -> int:
    """Draw from a seed that is a whole variable; return the seed after it."""
    after = next_seed(executor.builder, executor.environment.read(variable, 0, 32))
    executor.environment.write(variable, 0, after)
    return after


def _with_seed(executor: Executor, call: SystemCall) -> int:
    """Draw with the seed in a variable, which gets the next one; unknown bits are 0, for `$urandom` the whole seed."""
    builder, environment = executor.builder, executor.environment
    target = call.args[0]
    while isinstance(target, Resize | Unary):  # the value's conversions; the variable is what gets the next seed
        target = target.value
    seed = executor.evaluate(target)
    if call.name == "$urandom" and executor.four_state:
        seed = environment.mux(builder.add("isx", 1, seed), builder.const(builder.width[seed], 0), seed)
    seed = _word32(executor, seed, call, 0)
    after = next_seed(builder, seed)
    if call.name == "$dist_uniform":
        number, after = _uniform(executor, call, seed, after)
    else:
        number = random_number(builder, after)
    if isinstance(target, Ref | Element | Slice):
        executor.assign(target, executor.resize(after, target.width, True))
    return builder.add("xor", 32, number, builder.const(32, 1 << 31)) if call.name == "$urandom" else number


def _word32(executor: Executor, value: int, call: SystemCall, index: int) -> int:
    """Return an argument as 32 known bits."""
    signed = index < len(call.signs) and call.signs[index]
    return executor.resize(executor.known(value), 32, signed)


def _uniform(executor: Executor, call: SystemCall, seed: int, after: int) -> tuple[int, int]:
    """Return the number of `$dist_uniform`, and the next seed: between bounds that do not ascend nothing is drawn."""
    builder, mux = executor.builder, executor.environment.mux
    start, end = (_word32(executor, executor.evaluate(bound), call, 1 + at) for at, bound in enumerate(call.args[1:]))
    least = builder.add("eq", 1, start, builder.const(32, 1 << 31))
    greatest = builder.add("eq", 1, end, builder.const(32, mask(31)))
    everything = builder.add("and", 1, least, greatest)
    number = mux(everything, random_number(builder, after), uniform_number(builder, after, start, end))
    ascending = builder.add("slt", 1, start, end)
    return mux(ascending, number, start), mux(ascending, after, seed)


def _word(executor: Executor) -> int:
    """Draw 64 bits from the process's stream."""
    builder, environment = executor.builder, executor.environment
    stream = executor.variable(executor.context.stream(executor.process), ())
    word = builder.add("add", 64, environment.read(stream, 0, 64), builder.const(64, GOLDEN))
    environment.write(stream, 0, word)
    for shift, factor in MIX:
        word = builder.add("mul", 64, _folded(builder, word, shift), builder.const(64, factor))
    return _folded(builder, word, LAST_SHIFT)


def _folded(builder: GraphBuilder, word: int, shift: int) -> int:
    upper = builder.add("zext", 64, builder.slice(word, shift, 64 - shift))
    return builder.add("xor", 64, word, upper)


def _range(executor: Executor, bounds: list[int]) -> int:
    """Draw a number between two unsigned bounds in either order; one that is unknown or left out is 0 (18.13.2)."""
    builder = executor.builder
    wide: list[int] = []
    for bound in bounds:
        known = executor.known(bound)
        if executor.four_state:
            unknown = builder.add("isx", 1, bound)
            zero = builder.const(builder.width[bound], 0)
            known = executor.environment.mux(unknown, zero, known)
        wide.append(executor.resize(executor.resize(known, 32, False), 64, False))
    a, b = wide[0], wide[1] if len(wide) > 1 else builder.const(64, 0)
    ordered = builder.add("ult", 1, a, b)
    low, high = builder.add("mux", 64, ordered, a, b), builder.add("mux", 64, ordered, b, a)
    count = builder.add("add", 64, builder.add("sub", 64, high, low), builder.const(64, 1))
    word, ones = _word(executor), builder.const(64, mask(32))
    # The upper bits of a product of 96, of the word's two halves; `RandomStream.between` has it in one.
    lower = builder.add("mul", 64, builder.add("and", 64, word, ones), count)
    upper = builder.add("mul", 64, _upper(builder, word), count)
    scaled = _upper(builder, builder.add("add", 64, upper, _upper(builder, lower)))
    return builder.slice(builder.add("add", 64, scaled, low), 0, 32)


def _upper(builder: GraphBuilder, word: int) -> int:
    return builder.add("zext", 64, builder.slice(word, 32, 32))
