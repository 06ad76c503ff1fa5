"""Save the state of an event simulation to a file, for this process or another, and load it.

The file (`sim.state_files`) has the arena, what Python remembers, how the design's files are, and where in the arena
addresses of code are. It belongs to one program: the same sources, options and version of Weft, which make the same
code. Whether that is optimised does not matter, nor where it is.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np

import weft
from weft.base.dataclass import replace
from weft.base.errors import UserError
from weft.engines.event.code_links import CodeLinks
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.engine_state import link_state
from weft.engines.event.machine_code import code_digest
from weft.sim.engine import Checkpoint
from weft.sim.event_program import EventProgram
from weft.sim.event_simulation import EventOptions, EventSimulation
from weft.sim.event_snapshot import HostSnapshot, dump, load
from weft.sim.state_files import load_state, save_state
from weft.sim.tasks.task_call import Writer


def save_events(path: str | Path, simulation: EventSimulation, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of this simulation; raises `cannot-write`."""
    host = checkpoint.host
    assert isinstance(host, HostSnapshot)
    links = link_state(simulation.engine, checkpoint.state)
    content = host.base, host.data, host.files, links.names, links.words.tobytes(), links.numbers.tobytes()
    save_state(path, replace(checkpoint, host=dump(content)), _digest(simulation.engine.code))


def load_events(path: str | Path, code: ProgramCode) -> Checkpoint:
    """Read a checkpoint of a program; raises `no-such-file` or `bad-state-file`."""
    checkpoint = load_state(path, code.design.design.digest, _digest(code))
    try:
        base, data, files, names, words, numbers = load(checkpoint.host if isinstance(checkpoint.host, bytes) else b"")
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError) as error:
        raise damaged(path) from error
    links = CodeLinks(names, np.frombuffer(words, np.uint32), np.frombuffer(numbers, np.uint32))
    return replace(checkpoint, host=HostSnapshot(base, data, files, links=links))


def begin_in(path: str | Path, other: EventSimulation, checkpoint: Checkpoint) -> EventSimulation:
    """Return a simulation that takes the place of another one of the same program, in a state from a file.

    The other one's files are closed. Raises `bad-state-file`, and what opening files and reserving memory raise.
    """
    engine = other.engine
    program = EventProgram(engine.code, engine.second_tier.machine, other.delays.prepared, other.mixed, {}, {})
    files = other.host.state.files
    files.flush()
    begun = begin(path, program, other.out, other.options, checkpoint)
    files.close_all()
    return begun


def begin(
    path: str | Path, program: EventProgram, out: Writer, options: EventOptions, checkpoint: Checkpoint
) -> EventSimulation:
    """Return a simulation of a program in a state from a file; raises `bad-state-file` and others."""
    try:
        return EventSimulation(program.design, out, options, program, checkpoint)
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        raise damaged(path) from error


def damaged(path: str | Path) -> UserError:
    """Return the error of a file whose content cannot be understood."""
    return UserError("bad-state-file", f"'{path}' is damaged: its content cannot be read")


def _digest(code: ProgramCode) -> str:
    words = (weft.__version__, code.design.design.digest, code_digest(code))
    return hashlib.blake2b("\0".join(words).encode(), digest_size=20).hexdigest()
