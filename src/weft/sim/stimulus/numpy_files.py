"""Stimulus from `.npy` and `.npz` files; arrays are mapped into memory, not read, where they are not compressed.

An `.npy` file is one array, or with a structured type one for each field. In an `.npz` file each array has a name.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from weft.base.errors import UserError
from weft.sim.stimulus.files import StimulusPath
from weft.sim.stimulus.plan import Port

_LOCAL_HEADER = 30
"""The bytes of a member's header in a ZIP file before its name, whose length is at 26, and its extra field's at 28."""


class NumpyFile:
    """Be arrays in a file."""

    def __init__(self, path: StimulusPath) -> None:
        self.path = path
        self._arrays: dict[str, NDArray[Any]] = {}
        try:
            if Path(path).suffix.lower() == ".npz":
                with zipfile.ZipFile(path) as archive:
                    for info in archive.infolist():
                        self._arrays[info.filename.removesuffix(".npy")] = _member(path, archive, info)
            else:
                array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
                names = array.dtype.names
                self._arrays = {name: array[name] for name in names} if names else {Path(path).stem: array}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise UserError("bad-stimulus", f"cannot read '{path}': {error}") from None

    def names(self) -> list[str]:
        """Return the names of the arrays."""
        return list(self._arrays)

    def find(self, name: str) -> list[str]:
        """Return the array of a name."""
        return [name] if name in self._arrays else []

    def column(self, name: str, port: Port) -> NDArray[Any]:
        """Return an array."""
        array = self._arrays[name]
        if not array.ndim:
            raise UserError("bad-stimulus", f"'{self.path}': '{name}' is one number; an input takes one for each cycle")
        return array


def _member(path: StimulusPath, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Return an array of an `.npz` file."""
    if info.compress_type != zipfile.ZIP_STORED:
        with archive.open(info) as data:
            return npy_format.read_array(data, allow_pickle=False)
    with Path(path).open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER)
        skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        file.seek(info.header_offset + _LOCAL_HEADER + skip)
        version = npy_format.read_magic(file)
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        if not int(np.prod(shape)):
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")
