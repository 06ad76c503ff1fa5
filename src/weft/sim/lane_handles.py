"""What `batch["path"]` and `batch.memory("path")` give: arrays over lanes that can be read and set.

Values are NumPy arrays of the smallest unsigned type that holds the signal: `uint8` to `uint64`, and for wider ones
rows of 64-bit words, least significant first. In 4-state they are the value plane; `unknown` is the other one. A signal
that is one whole word of the state, as every input of up to 64 bits is, is also an array without a copy (`array`,
`__dlpack__`, and on a GPU `__cuda_array_interface__`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.ir.layout import container_bytes
from weft.sim.handles import lowest_index
from weft.sim.lane_arrays import is_on_gpu
from weft.sim.signal_map import Found

if TYPE_CHECKING:
    from weft.sim.batch import Batch

LaneValues = NDArray[np.unsignedinteger]

_EVERY = slice(None)


def pick_lanes(count: int, lanes: Any, what: str) -> NDArray[np.int64]:
    """Return the numbers of lanes that an index, a range, a slice or an array picks; raises `bad-lanes`."""
    try:
        return np.atleast_1d(np.arange(count)[list(lanes) if isinstance(lanes, range) else lanes])
    except IndexError as error:
        raise UserError("bad-lanes", f"{what}: {error}") from None


class LaneSignal:
    """Be one signal in all lanes; `signal[:]`, `signal[3]` and `signal[10:20]` are lanes."""

    def __init__(self, batch: Batch, path: str, found: Found) -> None:
        self._batch, self.path, self._found = batch, path, found

    def __repr__(self) -> str:
        return f"<signal {self.path} [{self.width}] x {len(self)} lanes>"

    def __len__(self) -> int:
        return self._batch.lanes

    @property
    def width(self) -> int:
        """Return the number of bits."""
        return self._found.signal.bits

    @property
    def value(self) -> LaneValues:
        """Return the settled values, as a copy."""
        values = self._batch.residency.peek(self.path)
        return self._batch.get(self._found) if values is None else values

    @property
    def unknown(self) -> LaneValues | None:
        """Return the plane of unknown bits, or None in 2-state."""
        return self._batch.get(self._found, unknown=True) if self._found.unknown >= 0 else None

    def __getitem__(self, lanes: Any) -> Any:
        """Return the settled values of some lanes."""
        return self.value[lanes]

    def __setitem__(self, lanes: Any, values: Any) -> None:
        """Set some lanes: an int for all of them, or an array over them."""
        every = isinstance(lanes, slice) and lanes == _EVERY
        if not (every and self._batch.residency.poke(self.path, values)):
            self._batch.put(self.path, self._found, lanes, values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> LaneValues:
        """Return the settled values."""
        values = self.value
        return values if dtype is None else values.astype(dtype)

    @property
    def array(self) -> Any:
        """Return the state itself, without a copy: what is written to it is seen by the next look or run.

        It is a NumPy array on the CPU, and an object with `__cuda_array_interface__` on a GPU. Raises `bad-lanes` for
        a signal that is not one whole word of the state.
        """
        return self._batch.row(self.path, self._found)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Describe the state to CuPy, PyTorch and JAX; a batch on the CPU has no such thing."""
        found = getattr(self.array, "__cuda_array_interface__", None)
        if found is None:
            raise AttributeError("a batch on the CPU is no CUDA array")
        return found

    def __dlpack__(self, **options: Any) -> Any:
        """Export the state through DLPack, without a copy."""
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Say where the state is, as DLPack does."""
        return self.array.__dlpack_device__()


class LaneMemory:
    """Be one memory in some lanes: an array `[lane, element]`, whose lanes are those that were chosen."""

    def __init__(self, batch: Batch, path: str, found: Found, lanes: NDArray[np.int64]) -> None:
        self._batch, self.path, self._found, self.lanes = batch, path, found, lanes
        self._lowest = lowest_index(found)

    def __repr__(self) -> str:
        return f"<memory {self.path} [{self.width}] x {self.depth} x {len(self.lanes)} lanes>"

    @property
    def width(self) -> int:
        """Return the number of bits of an element."""
        return self._found.signal.width

    @property
    def depth(self) -> int:
        """Return the number of elements."""
        return self._found.signal.depth

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of lanes and of elements."""
        return len(self.lanes), self.depth

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> LaneValues:
        """Return all elements of the lanes."""
        values = self[:, :]
        return values if dtype is None else values.astype(dtype)

    def __getitem__(self, index: Any) -> Any:
        """Return elements: `memory[lanes]` all of some lanes, `memory[lanes, elements]` some of them."""
        lanes, elements, drop = self._select(index)
        values = self._batch.get_elements(self._found, lanes, elements)
        for axis in sorted(drop, reverse=True):
            values = np.take(values, 0, axis=axis)
        return values

    def __setitem__(self, index: Any, values: Any) -> None:
        """Set elements; the values are an int, or an array that fits `[lane, element]`."""
        lanes, elements, drop = self._select(index)
        data = np.asarray(values)
        for axis in sorted(drop):
            if data.ndim:
                data = np.expand_dims(data, axis)
        self._batch.put_elements(self.path, self._found, lanes, elements, data)

    def _select(self, index: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], list[int]]:
        """Return the lanes and positions of an index, and the axes that a single number drops."""
        pair: tuple[Any, Any] = index if isinstance(index, tuple) else (index, slice(None))
        if len(pair) != 2:
            raise UserError("bad-lanes", f"'{self.path}' has two axes, lanes and elements")
        drop = [axis for axis, part in enumerate(pair) if isinstance(part, int | np.integer)]
        try:
            lanes = np.atleast_1d(self.lanes[pair[0]])
            part: Any = pair[1]
            if isinstance(part, slice):
                start = None if part.start is None else part.start - self._lowest
                stop = None if part.stop is None else part.stop - self._lowest
                part = slice(start, stop, part.step)
            else:
                part = np.asarray(part) - self._lowest
            elements = np.atleast_1d(np.arange(self.depth)[part])
        except IndexError as error:
            raise UserError("bad-lanes", f"'{self.path}': {error}") from None
        return lanes, elements, drop


def check_values(
    path: str, values: Any, width: int, shape: tuple[int, ...], kind: str, copy: bool = True
) -> LaneValues:
    """Return values as an array of the container of `width` bits and of a shape that fits; raise what is wrong.

    For more than 64 bits the array has a last axis of 64-bit words. Without `copy` it may be the array that was given.
    """
    item = container_bytes(width)
    if kind == "cpu" and is_on_gpu(values):
        raise UserError("bad-lanes", f"'{path}': the array is on a GPU and the batch on the CPU; copy it first")
    if isinstance(values, int):
        if not -(1 << width >> 1) <= values < 1 << width:
            raise UserError("value-range", f"{values} does not fit '{path}', which has {width} bits")
        words = [(values & (1 << width) - 1) >> 64 * word & (1 << 64) - 1 for word in range(-(-width // 64))]
        if item <= 8:
            return np.full(shape, words[0], f"u{item}")
        return np.broadcast_to(np.array(words, np.uint64), (*shape, len(words)))
    array = _as_array(path, values)
    if array.dtype.kind not in "uib":
        raise UserError("bad-lanes", f"'{path}' takes integers, not {array.dtype}")
    full = shape if item <= 8 else (*shape, item // 8)
    try:
        array = np.broadcast_to(array, full)
    except ValueError:
        raise UserError("bad-lanes", f"'{path}' takes an array of shape {full}, not {array.shape}") from None
    if item > 8:
        return _check_words(path, array, width)
    same = array.dtype == np.dtype(f"u{item}")
    if same and width == 8 * item:
        return array.copy() if copy else array
    if array.size and array.dtype.kind == "i" and width < 64 and array.min() < -(1 << width >> 1):
        raise UserError("value-range", f"{array.min()} does not fit '{path}', which has {width} bits")
    if array.size and width < 64 and array.max() >= 1 << width:
        raise UserError("value-range", f"{array.max()} does not fit '{path}', which has {width} bits")
    if same and not copy and width < 64:
        return array
    cut: LaneValues = array.astype(f"u{item}")
    return np.bitwise_and(cut, np.array((1 << width) - 1, cut.dtype))


def _check_words(path: str, array: NDArray[Any], width: int) -> LaneValues:
    """Return rows of 64-bit words whose last one has only the bits that the signal has."""
    rest = (width - 1) % 64 + 1
    top = array[..., -1]
    low = -(1 << rest >> 1) if array.dtype.kind == "i" else 0
    if array.size and (int(top.max()) >= 1 << rest or int(top.min()) < low):
        raise UserError("value-range", f"a value does not fit '{path}', which has {width} bits")
    words = array.astype(np.uint64)
    words[..., -1] &= np.uint64((1 << rest) - 1)
    return words


def _as_array(path: str, values: Any) -> NDArray[Any]:
    """Return a foreign array as NumPy's, from a GPU too."""
    if is_on_gpu(values):
        for method in ("get", "cpu"):  # CuPy's and PyTorch's ways home
            if hasattr(values, method):
                return np.asarray(getattr(values, method)())
        raise UserError("bad-lanes", f"'{path}': {type(values).__name__} is on a GPU and cannot be copied from it")
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UserError("bad-lanes", f"'{path}': {error}") from None
