"""A batch's bytes in the memory of a GPU, and arrays over them for other packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.engines.cuda.dlpack import CUDA, foreign_array, make_capsule
from weft.engines.cuda.driver import Driver
from weft.engines.cuda.uploads import Uploads
from weft.ir.lane_engine import Bytes
from weft.ir.lane_layout import LaneLayout, join_layouts


class DeviceArray:
    """Be an array in the GPU's memory, for CuPy, PyTorch and JAX: it has no methods of its own."""

    def __init__(self, owner: DeviceBytes, address: int, count: int, kind: str, ordinal: int) -> None:
        self._owner, self._address, self._count, self._kind, self._ordinal = owner, address, count, kind, ordinal
        self.__cuda_array_interface__ = {
            "shape": (count,),
            "typestr": np.dtype(kind).str,
            "data": (address, False),
            "strides": None,
            "version": 3,
        }

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        """Return a DLPack capsule. Nothing writes the memory while Python has it, so no stream has to wait."""
        return make_capsule(self._owner, self._address, self._count, self._kind, self.__dlpack_device__())

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return which GPU it is on."""
        return CUDA, self._ordinal


class DeviceBytes:
    """Implement `ir.lane_engine.LaneBytes` in a GPU's memory."""

    def __init__(self, driver: Driver, size: int) -> None:
        self._driver, self._size = driver, size
        self._address = driver.allocate(size)
        self._uploads: Uploads | None = None

    def __del__(self) -> None:
        address = getattr(self, "_address", 0)
        if address:
            if self._uploads is not None:
                self._uploads.close()
            self._driver.free(address)

    def join(self, layout: LaneLayout, other: DeviceBytes, more: LaneLayout) -> LaneLayout:
        """Return a layout whose last memories are those of `more`, in other bytes."""
        return join_layouts(layout, more, other.address() - self.address())

    def address(self) -> int:
        """Return where the bytes begin."""
        return self._address

    def read(self, offset: int, count: int) -> Bytes:
        """Return a copy of some bytes."""
        return self._driver.read(self._address + offset, count)

    def write(self, offset: int, data: Bytes) -> None:
        """Set some bytes."""
        self._driver.write(self._address + offset, data)

    def read_rows(self, offset: int, pitch: int, width: int, rows: int) -> Bytes:
        """Return `rows` rows of `width` bytes that begin `pitch` bytes apart."""
        data = np.empty((rows, width), np.uint8)
        self._driver.copy_rows(self._address + offset, pitch, data, inwards=False)
        return data

    def write_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Set rows that begin `pitch` bytes apart."""
        self._driver.copy_rows(self._address + offset, pitch, np.ascontiguousarray(data), inwards=True)

    def staging(self, size: int) -> Bytes:
        """Return page-locked memory for rows that are sent."""
        if self._uploads is None:
            self._uploads = Uploads(self._driver)
        return self._uploads.staging(size)

    def send_rows(self, offset: int, pitch: int, data: Bytes) -> None:
        """Begin to set rows in the stream of copies."""
        if self._uploads is None:
            self._uploads = Uploads(self._driver)
        self._uploads.send(self._address + offset, pitch, data)

    def sent(self) -> None:
        """Wait until all rows that were sent are there."""
        if self._uploads is not None:
            self._uploads.sent()

    def receive(self) -> None:
        """Let kernels from now on wait for all rows that were sent."""
        if self._uploads is not None:
            self._uploads.receive()

    def move(self, offset: int, other: DeviceBytes, place: int, size: int) -> None:
        """Set bytes to those at a place in other bytes of the same GPU."""
        self._driver.copy(self._address + offset, other.address() + place, size)

    def repeat(self, offset: int, size: int, count: int) -> None:
        """Copy `size` bytes to the places behind them, so that there are `count` copies."""
        done = 1
        while done < count:
            more = min(done, count - done)
            self._driver.copy(self._address + offset + done * size, self._address + offset, more * size)
            done += more

    def take(self, offset: int, size: int, foreign: Any) -> bool:
        """Copy a foreign array of a GPU that is just these bytes, of integers; say whether that was possible."""
        found = foreign_array(foreign)
        if found is None:
            return False
        address, shape, kind, _alive = found
        if len(shape) != 1 or shape[0] * np.dtype(kind).itemsize != size or np.dtype(kind).kind not in "ui":
            return False
        self._driver.synchronise()
        self._driver.copy(self._address + offset, address, size)
        return True

    def array_at(self, offset: int, count: int, kind: str) -> DeviceArray:
        """Return an array of some elements, without a copy."""
        return DeviceArray(self, self._address + offset, count, kind, self._driver.ordinal)

    def copy(self, sizes: Sequence[int] = ()) -> DeviceBytes:
        """Return a copy on the GPU, of the first bytes if there is a size."""
        other = DeviceBytes(self._driver, sizes[0] if sizes else self._size)
        other.assign(self)
        return other

    def assign(self, other: DeviceBytes) -> None:
        """Set the bytes that a copy has."""
        self._driver.copy(self._address, other.address(), min(self._size, other.size))

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def parts_of(self, layout: LaneLayout) -> list[tuple[DeviceBytes, LaneLayout]]:
        """Return these bytes, which are all there are."""
        return [(self, layout)]

    def read_pages(self, offset: int, pages: NDArray[Any]) -> Bytes:
        """Return copies of pages, which a kernel collects."""
        return self._driver.pages.read(self._address + offset, pages)

    def write_pages(self, offset: int, pages: NDArray[Any], data: Bytes) -> None:
        """Set pages, which a kernel distributes."""
        self._driver.pages.write(self._address + offset, pages, data)
