"""What system tasks remember between calls: open files, random seeds, the time format, queues, the waveform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.base.source import Span
from weft.sim.design_files import DesignFiles
from weft.sim.format_arguments import FormatContext

if TYPE_CHECKING:
    from weft.sim.tasks.dump_scopes import WaveFactory
    from weft.sim.tasks.dump_tasks import Dump
    from weft.sim.tasks.port_dump import PortDump
    from weft.sim.tasks.stochastic_tasks import StochasticQueue


@dataclass(slots=True)
class TaskState:
    """Hold the state of one simulation's system tasks.

    `plusargs` are without their plus. `run_shell` runs a command for `$system` and returns its status; without it the
    task is refused. `open_wave` makes the writer of a waveform by its file name. `followed` has the scopes in which a
    call of an asynchronous logic array has been made, by the call's place.
    """

    files: DesignFiles
    precision_fs: int = 1_000_000
    plusargs: Sequence[str] = ()
    run_shell: Callable[[str], int] | None = None
    open_wave: WaveFactory | None = None
    random_seed: int = 0
    formats: FormatContext = field(init=False)
    search_path: list[str] = field(default_factory=list[str])
    queues: dict[int, StochasticQueue] = field(default_factory=dict[int, "StochasticQueue"])
    followed: dict[Span, set[str]] = field(default_factory=dict[Span, set[str]])
    dump: Dump | None = None
    port_dumps: dict[str, PortDump] = field(default_factory=dict[str, "PortDump"])

    def __post_init__(self) -> None:
        self.formats = FormatContext(precision_fs=self.precision_fs, shapes=True)

    def close(self, time: int) -> None:
        """Complete and close every file; `time` is the last tick."""
        if self.dump is not None:
            self.dump.close(time)
        for dump in self.port_dumps.values():
            dump.close(time)
        self.files.close_all()
