"""What a wave file declares: scopes, and variables that show a logged signal."""

from __future__ import annotations

from weft.base.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class WaveVariable:
    """Show logged signal number `index` under a name; several variables may show one signal.

    `kind` is `wire`, `reg`, `logic`, `bit`, `int`, `parameter` or another that FST knows; `direction` is `input`,
    `output`, `inout` or empty; `bounds` the declared (left, right) of a vector; `enum` the (label, value)
    pairs of an enumerated type.
    """

    name: str
    index: int
    width: int
    kind: str = "wire"
    direction: str = ""
    bounds: tuple[int, int] | None = None
    enum: tuple[tuple[str, int], ...] = ()
    enum_name: str = ""

    @property
    def label(self) -> str:
        """Return the name with its range, as viewers show it."""
        return f"{self.name} [{self.bounds[0]}:{self.bounds[1]}]" if self.bounds else self.name


@dataclass(slots=True)
class WaveScope:
    """Hold a scope's variables and inner scopes; `kind` is `module`, `interface`, `package` or another of FST's."""

    name: str
    kind: str = "module"
    component: str = ""
    variables: list[WaveVariable] = field(default_factory=list[WaveVariable])
    scopes: list[WaveScope] = field(default_factory=list["WaveScope"])
