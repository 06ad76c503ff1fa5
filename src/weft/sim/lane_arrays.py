"""Arrays of other packages that lie where a batch has its lanes: taken without the detour through the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.sim.signal_map import Found

if TYPE_CHECKING:
    from weft.sim.batch import Batch


def take_array(batch: Batch, found: Found, values: Any) -> bool:
    """Copy an array of a GPU to a signal of a batch there, if it is one word and they fit; say whether they did."""
    if batch.device.kind == "cpu" or not is_on_gpu(values):
        return False
    parts = batch.signals.parts(found.node) or ()
    width, states = found.signal.bits, batch.design.graph.states
    if len(parts) != 1 or width not in (8, 16, 32, 64) or states[parts[0].state].width != width:
        return False
    if states[parts[0].state].twin >= 0:
        return False
    at = batch.layout.rows[batch.program.places[parts[0].state]]
    return batch.data.take(at, batch.lanes * width // 8, values)


def is_on_gpu(values: Any) -> bool:
    """Say whether an array is in the memory of a GPU, by the CUDA array interface or DLPack."""
    if hasattr(values, "__cuda_array_interface__"):
        return True
    device = getattr(values, "__dlpack_device__", None)
    return device is not None and int(device()[0]) in (2, 13)
