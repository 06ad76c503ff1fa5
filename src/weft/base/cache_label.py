"""Say of an entry of the cache what it is, what made it, and what it runs on.

An entry is bytes under a key that is a hash of everything that decides its content: the design, the options, the
compiler's versions, the device and its features. The label repeats of this what must be told to people and compared
when an entry comes from another machine (`sim.archives`); whoever makes entries of a new kind gives them a label and a
key by `entry_key`, and archives carry them.
"""

from __future__ import annotations

import hashlib
import json

from weft.base.dataclass import asdict, dataclass

RECORDS = ("index", "units", "runs")
"""Kinds of entries that only say where others are: making them is no compilation."""


@dataclass(frozen=True, slots=True)
class Label:
    """Describe an entry.

    `kind` is `object`, `units`, `runs`, `design`, `index`, `program` or another engine's. `compiler` names what made
    it, with versions. `device` is what it runs on (a CPU's or GPU's name as the compiler has it; empty: anything),
    `features` what its code may use there, each with a plus (`+avx2,+bmi`). `note` is for people: a tier, the top
    module.
    """

    kind: str
    compiler: str = ""
    device: str = ""
    features: str = ""
    note: str = ""

    def dump(self) -> bytes:
        """Return one line of JSON."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}).encode() + b"\n"


def parse_label(data: bytes) -> Label:
    """Return the label that `dump` has written; raises ValueError."""
    return make_label(json.loads(data))


def make_label(values: object) -> Label:
    """Return the label that has these values; raises ValueError."""
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("a label has texts only")
    try:
        return Label(**values)
    except TypeError:
        raise ValueError("no such label") from None


def entry_key(label: Label, *content: str) -> str:
    """Return the key of an entry: a hash of its label, but for the note, and of what decides its content."""
    words = (label.kind, label.compiler, label.device, label.features, *content)
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()
