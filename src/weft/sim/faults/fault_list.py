"""Lists of faults: all of some sites, those of a file, or a sample of either; columns of numbers, not objects.

A file has a fault on each line: `sa0`, `sa1`, `stuck` (both) or `flip`, and a signal, a bit of one, or an element (and
bit) of a memory, whose name may be a glob; a flip may say at which cycles, `flip top.cpu.pc[3] @ 100,250`. What follows
a `#` is a comment.

A flip without a cycle happens once, at a cycle that is drawn from the seed. A sample is drawn without replacement from
the whole population, which for flips is every bit at every cycle, as statistical fault injection has it (Leveugle et
al., DATE 2009).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.sim.faults.fault_sites import FaultSite, match_paths, refuse_left_out

SA0, SA1, TRANSIENT = 0, 1, 2
"""The numbers of the models in a list."""

MODELS = {"sa0": (SA0,), "sa1": (SA1,), "stuck": (SA0, SA1), "flip": (TRANSIENT,)}
"""The models by the names that users give them."""

MODEL_NAMES = ("sa0", "sa1", "flip")
_LINE = re.compile(r"(sa0|sa1|stuck|flip)\s+(\S+)(?:\s*@\s*([\d,\s]+))?$")
_INDEX = re.compile(r"(.*)\[(-?\d+)\]$", re.DOTALL)
_MOST = 50_000_000
"""More faults than this are only taken as a sample."""


@dataclass(slots=True)
class FaultList:
    """Hold faults as columns: the site, a bit of it, an element (-1: none), the model, and a flip's cycle (-1: none).

    `population` is how many faults there are of which these are a sample; their number if they are all.
    """

    site: NDArray[np.int32]
    element: NDArray[np.int32]
    bit: NDArray[np.int32]
    model: NDArray[np.uint8]
    cycle: NDArray[np.int64]
    population: int

    def __len__(self) -> int:
        return len(self.site)

    def flat_bits(self, sites: Sequence[FaultSite]) -> NDArray[np.int64]:
        """Return each fault's bit, numbered through all elements of arrays that are no memories."""
        bits = self.bit.astype(np.int64)
        for number, site in enumerate(sites):
            if site.depth and site.memory < 0:
                mine = self.site == number
                bits[mine] += self.element[mine].astype(np.int64) * site.width
        return bits

    def take(self, chosen: NDArray[np.int64], population: int = 0) -> FaultList:
        """Return some of the faults."""
        columns = (self.site[chosen], self.element[chosen], self.bit[chosen], self.model[chosen], self.cycle[chosen])
        return FaultList(*columns, population or len(chosen))


def read_models(models: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of models; raises `bad-option`."""
    found: dict[int, None] = {}
    for name in models:
        if name not in MODELS:
            raise UserError("bad-option", f"a fault model is {', '.join(MODELS)}, not '{name}'")
        found.update(dict.fromkeys(MODELS[name]))
    return tuple(found)


class _Population:
    """Be all faults of some sites: every bit with each stuck-at model, and at each of a number of cycles."""

    def __init__(self, sites: Sequence[FaultSite], models: Sequence[int], flips: int) -> None:
        self.sites = sites
        self.stuck = [model for model in models if model != TRANSIENT]
        self.flips = flips if TRANSIENT in models else 0
        bits = [site.width * max(1, site.depth) for site in sites]
        self.ends = np.cumsum(bits, dtype=np.int64)
        self.bits = int(self.ends[-1]) if bits else 0
        self.stuck_size = self.bits * len(self.stuck)
        self.size = self.stuck_size + self.bits * self.flips

    def decode(self, index: NDArray[np.int64], cycles: NDArray[np.int64] | None) -> FaultList:
        """Return the faults of these numbers; `cycles` are those of flips (None: the numbers 0, 1, ...)."""
        stuck = index < self.stuck_size
        ways = max(1, len(self.stuck))
        flip = index - self.stuck_size
        place = np.where(stuck, index // ways, flip // max(1, self.flips))
        models = np.array([*self.stuck, TRANSIENT], np.uint8)
        model = models[np.where(stuck, index % ways, len(self.stuck))]
        which = flip % max(1, self.flips)
        at = which if cycles is None else cycles[np.minimum(which, len(cycles) - 1)]
        site = np.searchsorted(self.ends, place, side="right").astype(np.int32)
        widths = np.array([each.width for each in self.sites], np.int64)
        memory = np.array([each.depth > 0 for each in self.sites], np.bool_)
        sizes = widths * np.array([max(1, each.depth) for each in self.sites], np.int64)
        inside = place - (self.ends - sizes)[site]
        element = np.where(memory[site], inside // widths[site], -1).astype(np.int32)
        bit = (inside % widths[site]).astype(np.int32)
        return FaultList(site, element, bit, model, np.where(stuck, -1, at), self.size)


def list_faults(
    sites: Sequence[FaultSite],
    models: Sequence[int],
    cycles: int,
    *,
    at: Sequence[int] | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> FaultList:
    """Return the faults of sites: all of them, each flip once at a random cycle or at each cycle of `at`, or a sample.

    Raises `bad-option` for a cycle that is not before `cycles`, and where there are too many faults to list.
    """
    random = np.random.default_rng(seed)
    if at is not None:
        check_cycles(at, cycles)
    chosen = None if at is None else np.array(at, np.int64)
    if sample is not None:
        population = _Population(sites, models, cycles if chosen is None else len(chosen))
        return population.decode(_draw(random, population.size, sample), chosen)
    population = _Population(sites, models, 1 if chosen is None else len(chosen))
    if population.size > _MOST:
        raise UserError("bad-option", f"there are {population.size:,} faults: take a sample of them")
    faults = population.decode(np.arange(population.size), chosen)
    if chosen is None:
        flips = faults.model == TRANSIENT
        faults.cycle[flips] = random.integers(0, cycles, int(flips.sum()))
    return faults


def _draw(random: np.random.Generator, size: int, count: int) -> NDArray[np.int64]:
    """Return so many different numbers below `size`, in order; all of them if there are no more."""
    if count >= size:
        return np.arange(size)
    if size < 1 << 24:
        return np.sort(random.choice(size, count, replace=False))
    found = np.unique(random.integers(0, size, count))
    while len(found) < count:
        found = np.unique(np.concatenate([found, random.integers(0, size, count - len(found))]))
    return found


def check_cycles(at: Sequence[int], cycles: int) -> None:
    """Raise `bad-option` for a cycle that is not one of the campaign's."""
    for cycle in at:
        if not 0 <= cycle < cycles:
            raise UserError("bad-option", f"a fault at cycle {cycle}: the campaign has cycles 0 to {cycles - 1}")


def read_fault_file(
    path: str | Path,
    sites: Sequence[FaultSite],
    cycles: int,
    *,
    left_out: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
) -> FaultList:
    """Return the faults of a file."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise UserError("no-such-file", f"cannot read '{path}': {error.strerror}") from None
    return read_faults(text.splitlines(), sites, cycles, left_out=left_out, name=str(path), sample=sample, seed=seed)


def read_faults(
    lines: Sequence[str],
    sites: Sequence[FaultSite],
    cycles: int,
    *,
    left_out: Sequence[str] = (),
    name: str = "faults",
    sample: int | None = None,
    seed: int = 0,
) -> FaultList:
    """Return the faults that lines describe; raises `bad-fault-list` with the line."""
    random = np.random.default_rng(seed)
    numbers = {site.path: number for number, site in enumerate(sites)}
    rows: dict[tuple[int, int, int, int, int], None] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = _LINE.match(text)
        if match is None:
            raise UserError("bad-fault-list", f"{name}:{number}: write 'sa0 SIGNAL[BIT]' or 'flip SIGNAL[BIT] @ CYCLE'")
        try:
            at = [int(part) for part in match[3].split(",")] if match[3] else None
            if at is not None:
                check_cycles(at, cycles)
            refuse_left_out(left_out, (match[2], match[2].partition("[")[0]))
            places = list(_places(match[2], sites, numbers))
        except (UserError, ValueError) as error:
            message = error.message if isinstance(error, UserError) else "a cycle is a number"
            raise UserError("bad-fault-list", f"{name}:{number}: {message}") from None
        for model in MODELS[match[1]]:
            if model != TRANSIENT and at is not None:
                raise UserError("bad-fault-list", f"{name}:{number}: only a flip has a cycle")
            for place in places:
                for cycle in [-1] if model != TRANSIENT else at or [int(random.integers(0, cycles))]:
                    rows[*place, model, cycle] = None
    table = np.array(list(rows), np.int64).reshape(-1, 5)
    site, element, bit, model, cycle = table.T
    faults = FaultList(
        site.astype(np.int32),
        element.astype(np.int32),
        bit.astype(np.int32),
        model.astype(np.uint8),
        cycle.copy(),
        len(table),
    )
    return faults if sample is None else faults.take(_draw(random, len(faults), sample), len(faults))


def _places(text: str, sites: Sequence[FaultSite], numbers: dict[str, int]) -> Iterator[tuple[int, int, int]]:
    """Yield (site, element, bit) of what a name stands for."""
    indices: list[int] = []
    while True:
        try:
            found = match_paths(numbers, (text,))
            break
        except UserError:
            match = _INDEX.match(text)
            if match is None or len(indices) == 2:
                raise
            text = match[1]
            indices.insert(0, int(match[2]))
    for path in found:
        number = numbers[path]
        site = sites[number]
        if len(indices) > (2 if site.depth else 1):
            raise UserError("index-range", f"'{path}' has not so many indices")
        elements, bits = [-1], range(site.width)
        if site.depth:
            elements = range(site.depth)
            if indices:
                if not 0 <= indices[0] - site.lowest < site.depth:
                    raise UserError("index-range", f"'{path}' has no element {indices[0]}")
                elements = [indices[0] - site.lowest]
        rest = indices[1:] if site.depth else indices
        for element in elements:
            for bit in [site.bit(rest[0])] if rest else bits:
                yield number, element, bit


def confidence_interval(found: int, sample: int, population: int, z: float = 1.96) -> tuple[float, float]:
    """Return the interval (Wilson's, of 95 %, for a finite population) of the part of which a sample has `found`."""
    if sample == 0:
        return 0.0, 1.0
    part = found / sample
    if sample >= population:
        return part, part
    size = sample * (population - 1) / (population - sample)
    middle = (part + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(part * (1 - part) / size + z * z / (4 * size * size))
    return max(0.0, middle - half), min(1.0, middle + half)
