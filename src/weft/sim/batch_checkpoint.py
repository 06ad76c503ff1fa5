"""Checkpoints of batches: everything that the lanes remember, in this machine's memory or where the batch has it.

One that the host keeps outlives the GPU: when that fails, or Python ends, it goes on in another batch of the same
design and number of lanes, on any device. Devices differ in how many lanes interleave their memories, and in nothing
else (`ir.lane_layout`), so such memories are put in order again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.ir.lane_engine import aligned_bytes
from weft.ir.lane_layout import place_lanes
from weft.sim.lane_pages import PageTables

if TYPE_CHECKING:
    from weft.sim.batch import Batch

_FORMAT = "weft batch 1"


@dataclass(frozen=True, slots=True)
class BatchCheckpoint:
    """Hold everything that a batch remembers; `data` is an array if the host keeps it, else its device's bytes.

    Memories that lanes share until they write to them are in `pages` then.
    """

    design: str
    tile: int
    data: Any
    status: NDArray[np.uint8]
    end: NDArray[np.uint8]
    pages: PageTables | None = None

    def save(self, path: str | Path) -> None:
        """Write a checkpoint that the host keeps to a file, for `Batch.load`; raises `cannot-write`."""
        if not isinstance(self.data, np.ndarray):
            raise UserError("bad-option", "a checkpoint that the device keeps has no file: make it with keep='host'")
        about = np.array([_FORMAT, self.design, str(self.tile)])
        try:
            with Path(path).open("wb") as file:
                known = {"about": about, "data": self.data, "status": self.status, "end": self.end}
                if self.pages is not None:
                    known |= {"tables": self.pages.tables, "pages": self.pages.pages}
                arrays: dict[str, Any] = known
                np.savez(file, **arrays)
        except OSError as error:
            raise UserError("cannot-write", f"cannot write the state '{path}': {error.strerror}") from error


def take_checkpoint(batch: Batch, keep: str) -> BatchCheckpoint:
    """Return a copy of a batch's state, kept by the `host` or its `device`."""
    if keep not in ("host", "device"):
        raise UserError("bad-option", f"keep is host or device, not '{keep}'")
    batch.settle()
    saved: PageTables | None = None
    if keep == "device" and batch.device.kind != "cpu":
        data: Any = batch.state.copy_bytes()
    else:
        data = np.array(batch.data.read(0, _flat_bytes(batch)))
        saved = batch.state.pages.save() if batch.state.pages is not None else None
    return BatchCheckpoint(
        batch.design.digest, batch.layout.tile, data, batch.status.copy(), batch.ended_row()[: batch.lanes], saved
    )


def _flat_bytes(batch: Batch) -> int:
    """Return the bytes of what is not in shared pages."""
    pool = batch.layout.pool
    return batch.layout.size if pool is None else pool.flat


def put_back(batch: Batch, checkpoint: BatchCheckpoint) -> None:
    """Set a batch's bytes to those of a checkpoint, from whatever device."""
    if checkpoint.design != batch.design.digest or len(checkpoint.status) != batch.lanes:
        raise UserError("bad-state-file", "the checkpoint belongs to another design or number of lanes")
    if not isinstance(checkpoint.data, np.ndarray):
        if type(checkpoint.data) is not type(batch.data) or checkpoint.tile != batch.layout.tile:
            raise UserError("bad-state-file", "a checkpoint that the device keeps is for batches on that device")
        batch.data.assign(checkpoint.data)
        return
    pages = batch.state.pages
    if checkpoint.data.size != _flat_bytes(batch) or (pages is None) != (checkpoint.pages is None):
        raise UserError("bad-state-file", "the checkpoint is of a batch with other private or shared memories")
    if pages is not None and checkpoint.pages is not None:
        pages.restore(checkpoint.pages)
    batch.data.write(0, _with_tile(batch, checkpoint.data, checkpoint.tile))


def _with_tile(batch: Batch, data: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    """Return a state whose memories are interleaved as the batch has them."""
    if tile == batch.layout.tile:
        return data
    program = batch.program
    old, array = place_lanes(program, batch.lanes, tile), aligned_bytes(len(data))
    array[:] = data
    for plane, memory in enumerate(program.memories):
        if memory.private:
            lanes = old.memory(program, data, plane).transpose(0, 2, 1).reshape(batch.layout.stride, memory.depth)
            new = lanes.reshape(-1, batch.layout.tile, memory.depth).transpose(0, 2, 1)
            batch.layout.memory(program, array, plane)[:] = new
    return array


def read_checkpoint(path: str | Path) -> BatchCheckpoint:
    """Return the checkpoint that a file has; raises `no-such-file` and `bad-state-file`."""
    try:
        with np.load(Path(path), allow_pickle=False) as found:
            form, design, tile = found["about"].tolist()
            if form == _FORMAT:
                pages = PageTables(found["tables"], found["pages"]) if "tables" in found else None
                return BatchCheckpoint(design, int(tile), found["data"], found["status"], found["end"], pages)
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the state '{path}': {error.strerror}") from error
    except Exception as error:  # NumPy and zipfile raise many kinds for a file that is damaged
        raise UserError("bad-state-file", f"'{path}' is no state of a batch, or damaged") from error
    raise UserError("bad-state-file", f"'{path}' is a state of another version")
