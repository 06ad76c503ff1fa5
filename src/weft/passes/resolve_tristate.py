"""Resolve a net with several drivers, or with drivers that can let go (IEEE 1800-2023 6.6, tables 6-2 to 6-6).

In 4-state a bit that is not driven carries z and `resolve` joins drivers. In 2-state there is no z: a driver's value is
masked with its enable, the drivers are or-ed (a net where two drivers disagree has no 2-state meaning), and bits that
nobody drives read 0, or 1 on `tri1` and pulled-up nets. Weak drivers count where no strong one drives.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass
from weft.ir.ops import CODE, mask
from weft.passes.link_items import LinkedItems

_AND, _OR, _NOT, _MUX, _RESOLVE, _ISZ = (CODE[name] for name in ("and", "or", "not", "mux", "resolve", "isz"))

PULLS = {"tri1": 1, "tri0": 0}
SUPPLIES = {"supply0": 0, "supply1": 1}
SPECIAL = PULLS.keys() | SUPPLIES.keys()
"""The net types of which even a sole driver does not say everything."""
_ANDS = ("wand", "triand")
_ORS = ("wor", "trior")


@dataclass(frozen=True, slots=True)
class NetDriver:
    """Drive all bits of a net's segment with item `value`, where item `enable` has ones (-1: everywhere)."""

    value: int
    enable: int = -1
    weak: bool = False


def undriven(items: LinkedItems, net: str, width: int, four_state: bool) -> int:
    """Return the item of net bits that nobody drives."""
    level = PULLS.get(net, SUPPLIES.get(net))
    if level is not None:
        return items.constant(width, mask(width) * level)
    return (
        items.constant(width, mask(width), mask(width) if four_state else 0) if four_state else items.constant(width, 0)
    )


def resolve_net(items: LinkedItems, net: str, width: int, drivers: list[NetDriver], four_state: bool) -> int:
    """Return the item of a net segment's value."""
    if net in SUPPLIES or not drivers:
        return undriven(items, net, width, four_state)
    if len(drivers) == 1 and drivers[0].enable < 0 and not (four_state and net in PULLS):
        return drivers[0].value
    return (
        _Resolver(items, width).four_state(net, drivers)
        if four_state
        else _Resolver(items, width).two_state(net, drivers)
    )


class _Resolver:
    def __init__(self, items: LinkedItems, width: int) -> None:
        self.items, self.width = items, width

    def op(self, code: int, *sources: int) -> int:
        return self.items.add(code, self.width, sources)

    def reduce(self, code: int, values: list[int]) -> int:
        result = values[0]
        for value in values[1:]:
            result = self.op(code, result, value)
        return result

    def two_state(self, net: str, drivers: list[NetDriver]) -> int:
        value, driven = self._join_two_state(net, [driver for driver in drivers if not driver.weak])
        weak, weakly = self._join_two_state(net, [driver for driver in drivers if driver.weak])
        if weak >= 0:
            if driven < 0 <= value:
                return value
            value = weak if value < 0 else self.op(_OR, value, self.op(_AND, weak, self.op(_NOT, driven)))
            driven = -1 if weakly < 0 else weakly if driven < 0 else self.op(_OR, driven, weakly)
        if PULLS.get(net) and driven >= 0:
            value = self.op(_OR, value, self.op(_NOT, driven))
        return value

    def _join_two_state(self, net: str, drivers: list[NetDriver]) -> tuple[int, int]:
        """Return the value, 0 where not driven, and the mask of driven bits (-1: all); (-1, -1) without drivers."""
        if not drivers:
            return -1, -1
        enables = [driver.enable for driver in drivers]
        driven = -1 if min(enables) < 0 else self.reduce(_OR, enables)
        if net in _ANDS:
            held = [d.value if d.enable < 0 else self.op(_OR, d.value, self.op(_NOT, d.enable)) for d in drivers]
            value = self.reduce(_AND, held)
            return (value if driven < 0 else self.op(_AND, value, driven)), driven
        return self.reduce(
            _OR, [d.value if d.enable < 0 else self.op(_AND, d.value, d.enable) for d in drivers]
        ), driven

    def four_state(self, net: str, drivers: list[NetDriver]) -> int:
        strong = [self._released(driver) for driver in drivers if not driver.weak]
        weak = [self._released(driver) for driver in drivers if driver.weak]
        value = self._join_four_state(net, strong) if strong else -1
        if weak:
            pulled = self._join_four_state(net, weak)
            value = pulled if value < 0 else self.choose(self.op(_ISZ, value), pulled, value)
        if net in PULLS:
            z = self.op(_ISZ, value)
            value = self.op(_AND, value, self.op(_NOT, z))
            value = self.op(_OR, value, z) if PULLS[net] else value
        return value

    def _join_four_state(self, net: str, values: list[int]) -> int:
        if len(values) == 1:
            return values[0]
        if net not in _ANDS and net not in _ORS:
            return self.reduce(_RESOLVE, values)
        # A released driver counts as the neutral value: z | 1 is 1, z & 0 is 0.
        released = [self.op(_ISZ, value) for value in values]
        known = [
            self.op(_OR, value, z) if net in _ANDS else self.op(_AND, value, self.op(_NOT, z))
            for value, z in zip(values, released, strict=True)
        ]
        joined = self.reduce(_AND if net in _ANDS else _OR, known)
        return self.choose(self.reduce(_AND, released), self._z(), joined)

    def _z(self) -> int:
        return self.items.constant(self.width, mask(self.width), mask(self.width))

    def _released(self, driver: NetDriver) -> int:
        """Return the driver's value with z where it is not enabled."""
        return driver.value if driver.enable < 0 else self.choose(driver.enable, driver.value, self._z())

    def choose(self, selector: int, then: int, other: int) -> int:
        """Return the bits of `then` where `selector` is 1, else of `other`, keeping z apart (and, or do not)."""
        if self.width == 1:
            return self.op(_MUX, selector, then, other)
        cut = self.items.slice
        bits = [
            self.items.add(_MUX, 1, (cut(selector, i, 1), cut(then, i, 1), cut(other, i, 1))) for i in range(self.width)
        ]
        return self.items.concat(bits)
