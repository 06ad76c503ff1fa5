"""Give a port a delay of its own, for the interconnect delays of delay files (IEEE 1497: INTERCONNECT, PORT).

The port gets a hidden net, which the signal behind the port follows (an input), or which follows that signal (an
output), bit by bit, by a continuous assignment with a `PathDelay`. Its tables are zero until a delay file says
otherwise.
"""

from __future__ import annotations

from weft.base.dataclass import dataclass, replace
from weft.base.errors import Unsupported
from weft.ir.design import Const, ContinuousAssign, Expr, Module, Port, Ref, Signal, Slice, Type
from weft.ir.specify import TRANSITIONS, PathChoice, PathDelay, PathStamp
from weft.passes.insert_path_delays import WORD


@dataclass(frozen=True, slots=True, eq=False)
class PortTable:
    """Be the delays of one bit of a port."""

    port: str
    bit: int
    table: Signal


def insert_port_delay(module: Module, port: Port) -> list[PortTable]:
    """Insert the delay of a port; return the tables of its bits. The module is changed."""
    inner = port.signal
    if port.direction not in ("input", "output") or inner.depth:
        raise Unsupported(f"an interconnect delay of the {port.direction} port '{port.name}'", inner.span)
    outer = Signal(f"$port${port.name}", inner.width, Type("logic", inner.width), net="wire", span=inner.span)
    module.signals.append(outer)
    module.ports[module.ports.index(port)] = replace(port, signal=outer)
    target, source = (inner, outer) if port.direction == "input" else (outer, inner)
    made: list[PortTable] = []
    for bit in range(inner.width):
        stem = f"$port${port.name}${bit}"
        time = Signal(f"{stem}$stamp", 64, WORD, initial=Const(64, 0))
        table = Signal(f"{stem}$table", 64, WORD, len(TRANSITIONS), initial=Const(64 * len(TRANSITIONS), 0))
        module.signals += [time, table]
        stamp = PathStamp(_bit(source, bit), "", time)
        module.stamps.append(stamp)
        delay = PathDelay((PathChoice(stamp, table),))
        module.assigns.append(ContinuousAssign(_bit(target, bit), _bit(source, bit), inner.span, delay=delay))
        made.append(PortTable(port.name, bit, table))
    return made


def _bit(signal: Signal, bit: int) -> Expr:
    return Ref(signal) if signal.width == 1 else Slice(Ref(signal), bit, 1)
