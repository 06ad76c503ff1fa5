"""Pack the chains of an FST section, and encode its times, with the kernels of `chain_kernels`.

They begin to compile when a packer is made, and are waited for when the first section comes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.engines.cpu.unroller import ChainSection
from weft.tools.waves import chain_kernels
from weft.tools.waves.chain_kernels import CHAIN_DATA, INDEX_BYTES, MEMORY, SLACK, TABLE_BYTES
from weft.tools.waves.compiled_kernels import CompiledKernels

_VARINT = 10


@dataclass(frozen=True, slots=True)
class PackedChains:
    """Hold the chains as stored and their index, valid until the next section is packed.

    `memory` is how many bytes a reader needs to hold all chains unpacked.
    """

    data: memoryview
    index: memoryview
    memory: int


class ChainPacker:
    """Pack one section after the other."""

    def __init__(self) -> None:
        self._kernels = CompiledKernels(chain_kernels)
        self._out = np.zeros(0, np.uint8)
        self._table = np.zeros(TABLE_BYTES, np.uint8)
        self._result = np.zeros(3, np.int64)

    def pack(self, section: ChainSection) -> PackedChains:
        """Compress a section's chains, each of which is stored once."""
        count = len(section.starts)
        base = section.arena.ctypes.data
        starts, ends = section.starts + base, section.ends + base
        total = int((ends - starts).sum())
        room = total + total // 255 + (_VARINT + 1) * count + SLACK
        if len(self._out) < room:
            self._out = np.empty(room + room // 4, np.uint8)
        index = np.empty(_VARINT * (count + 1), np.uint8)
        seen = np.zeros(1 << (2 * count).bit_length(), np.uint32)
        self._kernels.call(
            "pack_chains", base, starts.ctypes.data, ends.ctypes.data, count, self._out.ctypes.data, index.ctypes.data,
            self._table.ctypes.data, seen.ctypes.data, len(seen) - 1, self._result.ctypes.data,
        )  # fmt: skip
        data, size, memory = (int(self._result[at // 8]) for at in (CHAIN_DATA, INDEX_BYTES, MEMORY))
        return PackedChains(self._out.data[:data], index.data[:size], memory)

    def encode_times(self, times: NDArray[np.uint64], unit_fs: int) -> bytes:
        """Return the table of times, each as the difference to the one before in units, as variable-length integers."""
        out = np.empty(_VARINT * len(times), np.uint8)
        size = self._kernels.call("encode_times", times.ctypes.data, len(times), unit_fs, out.ctypes.data)
        return out[:size].tobytes()
