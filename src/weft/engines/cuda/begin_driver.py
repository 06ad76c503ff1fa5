"""Initialise a GPU through the driver's library alone, as early as can be.

To initialise the driver and to make a GPU's context takes 0.2 to 0.5 s, in which the calling thread holds no lock of
Python's. `cuda-bindings` and what `driver` needs besides take a tenth of a second of Python's own to import; so this
calls the library by `ctypes`, before any of that is there. The context is the GPU's primary one, which the bindings
find made when they ask for it. What goes wrong here is found again, and told, there.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def begin_driver(ordinal: int) -> bool:
    """Make the primary context of a GPU, which stays as long as the process; say whether that went well."""
    cuda = _library()
    if cuda is None or cuda.cuInit(0):
        return False
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if cuda.cuDeviceGet(ctypes.byref(device), ctypes.c_int(ordinal)):
        return False
    return not cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)


def _library() -> Any:
    """Return the driver's library, or None where there is none."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
