"""Write drivers of nets with strengths, and the refresh of such a net after a force (`net_kernels`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.engines.event.code_function import FunctionCode
from weft.engines.event.strengths import drive_bytes
from weft.engines.event.writer import Operand, Value, storage_bits
from weft.ir.expressions import Ref

if TYPE_CHECKING:
    from weft.engines.event.code_unit import UnitCode


def write_graded(f: FunctionCode, key: tuple[int, int], new: Value, strength: tuple[str, str]) -> None:
    """Write a driver's ranges; a kernel has the net follow if they change."""
    w = f.w
    driver = w.load_word("%Ip", _driver_word(f.unit, key))
    ranges = drive_bytes(strength)
    if new.width == 1:
        code = w.op("or", 64, w.resize(new.bits, 1, 64), w.op("shl", 64, w.resize(new.unknown, 1, 64), 1))
        byte = w.op("and", 64, w.op("lshr", 64, ranges, w.op("shl", 64, code, 3)), 255)
        w.call("drive_bit", driver, byte, "%S")
        return
    planes: list[Operand] = []
    size = storage_bits(new.width)
    for plane in (new.bits, new.unknown):
        slot = w.slot(size)
        w.store(slot, plane, new.width)
        planes.append(w.emit(f"ptrtoint ptr {slot} to i64"))
    w.call("drive", driver, *planes, new.width, ranges, "%S")


def _driver_word(unit: UnitCode, key: tuple[int, int]) -> int:
    """Return the offset of the word that has the address of a driver's record."""
    offset = unit.driver_words.get(key)
    if offset is None:
        offset = unit.driver_words[key] = unit.layout.take(8)
    return offset


def write_refresh(f: FunctionCode, ref: Ref) -> None:
    """Write the refresh of a net, in those instances in which it has strengths."""
    w, unit = f.w, f.unit
    known = unit.net_words.get((ref.signal, ref.path))
    if known is None:
        known = unit.net_words[(ref.signal, ref.path)] = (ref, unit.layout.take(8))
    net = w.load_word("%Ip", known[1])
    some, none = w.fresh("graded"), w.fresh("plain")
    w.branch(w.compare("ne", 64, net, 0), some, none)
    w.label(some)
    w.call("refresh", net, "%S")
    w.label(none)
