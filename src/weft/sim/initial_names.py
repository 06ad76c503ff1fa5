"""What the generated source of an initial procedure refers to: variables, constants, and places to assign to."""

from __future__ import annotations

from weft.base.dataclass import dataclass, field
from weft.ir.expressions import Signal


@dataclass(frozen=True, slots=True)
class Place:
    """Be an lvalue whose indices are computed: a whole signal, an element, or a part of another place."""

    kind: str
    width: int
    name: str = ""
    signal: Signal | None = None
    index: str = ""
    inner: Place | None = None
    offset: str | int = 0
    parts: tuple[Place, ...] = ()


@dataclass(slots=True)
class Names:
    """Hold what generated source refers to: signals by slot, and objects as constants of the source."""

    four_state: bool
    signals: dict[tuple[int, tuple[str, ...]], tuple[int, Signal, tuple[str, ...]]] = field(
        default_factory=dict[tuple[int, tuple[str, ...]], tuple[int, Signal, tuple[str, ...]]]
    )
    constants: dict[str, object] = field(default_factory=dict[str, object])

    def signal(self, signal: Signal, path: tuple[str, ...] = ()) -> str:
        """Return the name of a signal's cell (`.v`) or, for an array, of its elements."""
        key = (id(signal), path)
        if key not in self.signals:
            self.signals[key] = (len(self.signals), signal, path)
        return f"{'m' if signal.depth else 's'}{self.signals[key][0]}"

    def constant(self, value: object) -> str:
        """Return a name for an object."""
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name
