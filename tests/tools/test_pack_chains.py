"""Chains packed by the kernels: every block is LZ4 that its own library reads, equal chains are stored once."""

from random import Random

import lz4.block
import numpy as np
import pytest

from weft.engines.cpu.unroller import ChainSection
from weft.tools.waves.fst_writer import varint
from weft.tools.waves.pack_chains import ChainPacker


@pytest.fixture(scope="module")
def packer() -> ChainPacker:
    return ChainPacker()


def section(chains):
    """Lay chains out with gaps, as an arena has them."""
    starts, ends, arena = [], [], bytearray()
    for chain in chains:
        arena += b"\xa5" * 3
        starts.append(len(arena))
        arena += chain
        ends.append(len(arena))
    arena += b"\xa5" * 64
    nothing = np.zeros(0, np.uint8)
    places = (np.array(places, np.int64) for places in (starts, ends))
    return ChainSection(np.frombuffer(bytes(arena), np.uint8), *places, nothing, nothing, nothing)


def signed_varint(value):
    """Return LEB128."""
    out = bytearray()
    while True:
        byte = value & 127
        value >>= 7
        if (value == 0 and not byte & 64) or (value == -1 and byte & 64):
            return bytes([*out, byte])
        out.append(byte | 128)


def read_varint(data, at, signed=False):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return (value - (1 << shift) if signed and byte & 64 else value), at


def unpack(packed, count):
    """Return the chains as a reader of the format sees them, and how many are stored."""
    data, index = bytes(packed.data), bytes(packed.index)
    found, places, at, position, alias = [], {}, 0, 0, 0
    while at < len(index):
        if not index[at] & 1:
            silent, at = read_varint(index, at)
            found += [b""] * (silent >> 1)
            continue
        value, at = read_varint(index, at, signed=True)
        value >>= 1
        if value > 0:
            position += value
            places[len(found)] = position
            size, body = read_varint(data, position - 1)
            found.append((size, body))
        else:
            alias = value if value else alias
            found.append(found[-alias - 1])
    stops = sorted(places.values())
    ends = dict(zip(stops, [*(stop - 1 for stop in stops[1:]), len(data)], strict=True))
    chains = []
    where = {entry: places[i] for i, entry in enumerate(found) if i in places}
    for entry in found:
        if entry == b"":
            chains.append(b"")
            continue
        size, body = entry
        raw = data[body : ends[where[entry]]]
        chains.append(lz4.block.decompress(raw, uncompressed_size=size) if size else raw)
    assert len(chains) == count
    return chains, len(places)


def chain_like(random, size):
    """Return bytes as signals have them: runs, counters, few values, noise."""
    kind = random.randrange(4)
    out = bytearray()
    while len(out) < size:
        if kind == 0:
            out += bytes([random.choice((4, 6, 8))]) * random.randrange(1, 700)
        elif kind == 1:
            out += bytes([2]) + (len(out) // 5).to_bytes(4, "big")
        elif kind == 2:
            out += bytes([random.randrange(3)]) + random.choice((b"abcd", b"abce", b"\0\0\0\1"))
        else:
            out += random.randbytes(random.randrange(1, 40))
    return bytes(out[:size])


@pytest.mark.parametrize("seed", range(6))
def test_chains_are_read_back(packer, seed):
    random = Random(seed)
    sizes = [0, 1, 12, 13, 32, 33, 34, 70, 300, 70_000, 200_000]
    chains = [chain_like(random, random.choice(sizes)) for _ in range(60)]
    for _ in range(20):
        chains.insert(random.randrange(len(chains)), random.choice(chains))
    packed = packer.pack(section(chains))
    found, stored = unpack(packed, len(chains))
    assert found == chains
    assert stored == len(set(chains) - {b""})
    assert packed.memory == sum(map(len, chains))


def test_every_length_near_the_ends_of_blocks(packer):
    chains = [bytes([n % 256]) * n for n in range(400)] + [bytes(range(n)) + bytes(range(n)) for n in range(15, 120)]
    assert unpack(packer.pack(section(chains)), len(chains))[0] == chains


def test_blocks_are_about_as_short_as_those_of_the_library(packer):
    random = Random(7)
    chains = [chain_like(random, 100_000) for _ in range(20)]
    theirs = sum(len(lz4.block.compress(chain, store_size=False)) for chain in chains)
    assert len(packer.pack(section(chains)).data) < 1.05 * theirs


def test_chains_of_one_length_and_end_are_told_apart(packer):
    chains = [bytes([n]) + bytes(200) for n in range(50)] * 2
    found, stored = unpack(packer.pack(section(chains)), len(chains))
    assert found == chains
    assert stored == 50


@pytest.mark.parametrize("unit_fs", [1, 1000, 1_000_000])
def test_times_are_differences_in_units(packer, unit_fs):
    random = Random(unit_fs)
    times, now = [], 0
    for _ in range(3000):
        times.append(now)
        now += random.choice((5_000_000, 5_000_000, 5_000_000, 3, 1_500_000, 7_000_000_000_000))
    units = np.array([time // unit_fs for time in times], np.uint64)
    expected = b"".join(map(varint, np.diff(units, prepend=np.uint64(0)).tolist()))
    assert packer.encode_times(np.array(times, np.uint64), unit_fs) == expected


def test_signed_integers_are_those_of_the_format(packer):
    """Handles of aliases are negative; the index must read the same as the one that Python writes."""
    base = [bytes([n & 255, n >> 8]) * 30 for n in range(9000)]
    chains = [*base, base[5], base[5], base[8999], base[63], base[64], base[8000]]
    index = bytes(packer.pack(section(chains)).index)
    values = (-6 << 1 | 1, 1, -9000 << 1 | 1, -64 << 1 | 1, -65 << 1 | 1, -8001 << 1 | 1)
    assert index.endswith(b"".join(map(signed_varint, values)))
