"""Begin to initialise the GPU that a batch is going to want, while its design is still to be compiled or loaded.

The driver takes 0.2 to 0.5 s for that, which is most of what a batch takes to start from an archive, and holds no lock
of Python's meanwhile. Commands that know from their options what they will run on call this before they import anything
else, and so can scripts: `weft.begin_device("cuda")` in the first line. What it finds out is found again where the
batch is made (`sim.make_batch`), and so is what goes wrong.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from weft.base.workers import Workers

_MANY_LANES = 4096
"""From this number on `auto` prefers a GPU: with fewer, most of it would be idle."""

_workers = Workers("weft-device", 1)


def wants_gpu(device: str, lanes: int) -> bool:
    """Say whether a batch is for a GPU, if there is one."""
    if device == "auto":
        return lanes >= _MANY_LANES and importlib.util.find_spec("cuda") is not None
    return device == "cuda"


def first_gpu(devices: str | Sequence[int]) -> int:
    """Return the number of the first of the GPUs that are asked for (`all`, or numbers)."""
    return 0 if isinstance(devices, str) else next(iter(devices), 0)


def begin_device(device: str = "cuda", lanes: int = _MANY_LANES, devices: str | Sequence[int] = (0,)) -> None:
    """Begin to initialise the first GPU of a batch in another thread, if it is for one.

    The arguments are those of `Simulation.batch`. To call this is never needed, and wrong arguments do no harm; in the
    first line of a script it lets the GPU start while modules are imported and the design is loaded.
    """
    if wants_gpu(device, lanes):
        from weft.engines.cuda.begin_driver import begin_driver

        _workers.submit(lambda: begin_driver(first_gpu(devices)))
