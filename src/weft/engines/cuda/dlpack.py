"""DLPack capsules by hand: arrays of a GPU for PyTorch, JAX and CuPy, and theirs for us, without their packages.

A capsule holds a pointer to a `DLManagedTensor` (dlpack.h, version 0.8: the form without flags, which all consumers
take). Whoever takes the tensor renames the capsule and calls its deleter when done; a capsule that nobody took does so
itself when it goes.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

CUDA = 2
"""The device type of GPU memory."""

_UNSIGNED, _SIGNED, _BOOL = 1, 0, 6
_NAME = b"dltensor"


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("dimensions", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("vector", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER)]


_alive: dict[int, tuple[Any, ...]] = {}
"""What capsules that somebody holds need: by the address of their tensor."""


@_DELETER
def _release(address: int) -> None:
    _alive.pop(address, None)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _drop(capsule: int) -> None:
    """Be a capsule's destructor: release a tensor that nobody has taken."""
    python = ctypes.pythonapi
    valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", python))
    if valid(capsule, _NAME):
        pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", python))
        _release(pointer(capsule, _NAME))


def make_capsule(owner: Any, address: int, count: int, kind: str, device: tuple[int, int]) -> Any:
    """Return a capsule of `count` elements of a NumPy type at an address of a device; `owner` lives as long as it."""
    dtype = np.dtype(kind)
    shape = (ctypes.c_int64 * 1)(count)
    code = _UNSIGNED if dtype.kind == "u" else _SIGNED
    tensor = _Tensor(address, *device, 1, code, 8 * dtype.itemsize, 1, shape, None, 0)
    managed = _Managed(tensor, None, _release)
    place = ctypes.addressof(managed)
    _alive[place] = (owner, shape, managed)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
        ("PyCapsule_New", ctypes.pythonapi)
    )
    return new(place, _NAME, ctypes.cast(_drop, ctypes.c_void_p))


def foreign_array(values: Any) -> tuple[int, tuple[int, ...], str, Any] | None:
    """Return address, shape, NumPy type and what keeps it alive of an array in GPU memory whose elements lie in order.

    None if it has gaps or is not of integers. It is taken from `__cuda_array_interface__` or from DLPack.
    """
    interface = getattr(values, "__cuda_array_interface__", None)
    if interface is not None:
        shape, kind = tuple(int(size) for size in interface["shape"]), str(interface["typestr"])
        if interface.get("strides") is not None or np.dtype(kind).kind not in "uib":
            return None
        return int(interface["data"][0]), shape, kind, values
    capsule = values.__dlpack__(stream=1)
    find = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    tensor = _Managed.from_address(find(capsule, _NAME)).tensor
    shape = tuple(int(tensor.shape[axis]) for axis in range(tensor.dimensions))
    names = {_UNSIGNED: "u", _SIGNED: "i", _BOOL: "b"}
    if tensor.code not in names or tensor.vector != 1:
        return None
    if tensor.strides:
        expected = 1
        for axis in reversed(range(len(shape))):
            if shape[axis] > 1 and tensor.strides[axis] != expected:
                return None
            expected *= shape[axis]
    return int(tensor.data or 0) + int(tensor.byte_offset), shape, f"{names[tensor.code]}{tensor.bits // 8}", capsule
