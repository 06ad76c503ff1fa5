"""Save a checkpoint to a file and load it: versioned, hashed, and tied to the design that it belongs to.

The file is `WEFTSTATE`, a line with the BLAKE2 hash of all that follows, a line of JSON (format, design, time, outcome,
sizes), and, packed with zlib, the state and what else an engine keeps (`Checkpoint.host`, as bytes). It is written
beside its place and renamed, so that an interrupted save loses nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import weft
from weft.base.dataclass import asdict
from weft.base.errors import UserError
from weft.sim.engine import Checkpoint
from weft.sim.run_effects import Outcome

_MAGIC = b"WEFTSTATE\n"
_FORMAT = 1


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=20).hexdigest().encode()


def save_state(path: str | Path, checkpoint: Checkpoint, state_digest: str) -> None:
    """Write a checkpoint; raises `cannot-write`."""
    host = checkpoint.host if isinstance(checkpoint.host, bytes) else b""
    packed = zlib.compress(checkpoint.state + host, 1)
    header = {
        "format": _FORMAT,
        "weft": weft.__version__,
        "design": state_digest,
        "time_fs": checkpoint.time_fs,
        "outcome": asdict(checkpoint.outcome),
        "size": len(checkpoint.state),
        "host": len(host),
    }
    body = json.dumps(header).encode() + b"\n" + packed
    data = _MAGIC + _hash(body) + b"\n" + body
    target = Path(path)
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(target)
    except OSError as error:
        if name:
            with suppress(OSError):
                Path(name).unlink()
        raise UserError("cannot-write", f"cannot write the state file '{path}': {error.strerror}") from error


def load_state(path: str | Path, design: str, state_digest: str) -> Checkpoint:
    """Read a checkpoint of this design; raises `no-such-file` or `bad-state-file`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError("no-such-file", f"cannot read the state file '{path}': {error.strerror}") from error

    def bad(why: str) -> UserError:
        return UserError("bad-state-file", f"'{path}' {why}")

    if not data.startswith(_MAGIC):
        raise bad("is no state file of Weft")
    digest, _, body = data[len(_MAGIC) :].partition(b"\n")
    if _hash(body) != digest:
        raise bad("is damaged: its content does not match its hash")
    line, _, packed = body.partition(b"\n")
    try:
        header = json.loads(line)
        form, of, size, more = header["format"], header["design"], header["size"], header.get("host", 0)
        outcome, time_fs = Outcome(**header["outcome"]), int(header["time_fs"])
    except (ValueError, KeyError, TypeError):
        raise bad("is damaged: its header cannot be read") from None
    if form != _FORMAT:
        raise bad(f"has format {form}; this version of Weft reads format {_FORMAT}")
    if of != state_digest:
        raise bad("belongs to another design, or to another version of this one")
    content = zlib.decompress(packed)
    if len(content) != size + more:
        raise bad("is damaged: its size is wrong")
    return Checkpoint(design, time_fs, content[:size], outcome, content[size:] or None)
