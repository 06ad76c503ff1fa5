"""From sources to a program of events: front end, code and machine code, or all of it from the design cache.

The cache keeps the program, written and laid out but for its text, under the files and options that it was made of
(`design_cache`); its machine code is in the code cache, by digest. A program is stored while other threads compile it.
Where anything of it is missing, damaged or older than a source, it is made again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from weft.base.dataclass import dataclass, field
from weft.base.workers import Job
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.machine_code import MachineCode, begin_code, begin_kernels, find_code
from weft.ir.design import Design, SystemTask
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.sim.design_cache import DesignCache, compiler_version, hash_words, list_files
from weft.sim.event_delays import PreparedDelays, prepare_delays
from weft.sim.run_plan import SdfFile
from weft.sim.stages import Stages

Made = TypeVar("Made")

_DUMPS = ("$dump", "$countdrivers")


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """Choose how the code of a design is written.

    `observe` makes every signal tell its changes; `delays` false leaves all delays out; `sdf` are the delay files that
    the user names; `netlists` lets gates be data, which a random order of events rules out.
    """

    front_end: FrontEndOptions = field(default_factory=FrontEndOptions)
    observe: bool = False
    delays: bool = True
    sdf: tuple[SdfFile, ...] = ()
    cache: bool = True
    netlists: bool = True


@dataclass(frozen=True, slots=True)
class EventProgram:
    """Hold a program and its machine code, which may still be on its way."""

    code: ProgramCode
    machine: MachineCode
    delays: PreparedDelays
    cached: bool = False

    @property
    def design(self) -> Design:
        """Return the design."""
        return self.code.design.design


@dataclass(frozen=True, slots=True)
class StoredProgram:
    """Be what the cache keeps of a program."""

    code: ProgramCode
    delays: PreparedDelays


def program_of(
    design: Design,
    observe: bool = False,
    sdf: Sequence[SdfFile] = (),
    kernels: Job[bytes] | None = None,
    netlists: bool = True,
) -> EventProgram:
    """Return the program of a design that has just been loaded, which is changed; `kernels` have perhaps begun."""
    from weft.engines.event.code_program import write_program
    from weft.passes.defer_assertions import defer_assertions
    from weft.passes.end_programs import end_programs

    delays = prepare_delays(design, sdf)
    for module in (*design.modules, *(module for _, module in (*design.packages, *design.tops))):
        defer_assertions(module)
    end_programs(design)
    code = write_program(design, observe or _dumps(design), netlists)
    return EventProgram(code, begin_code(code, kernels), delays)


def make_program(
    files: Sequence[str | Path] = (),
    options: ProgramOptions | None = None,
    texts: Mapping[str, str] | None = None,
    stages: Stages | None = None,
) -> EventProgram:
    """Return the program of some sources, from the cache if nothing has changed.

    Raises what the front end raises, and Unsupported.
    """
    options = options or ProgramOptions()
    return _without_collector(lambda: _make(files, options, texts or {}, stages or Stages()))


def _make(
    files: Sequence[str | Path], options: ProgramOptions, texts: Mapping[str, str], stages: Stages
) -> EventProgram:
    kernels = begin_kernels()
    key = _options_key(files, options, texts)
    store = DesignCache() if options.cache else None
    if store is not None:
        with stages.stage("load from cache"):
            found = _load(store, key, kernels)
        if found is not None:
            return found
        del stages.seconds["load from cache"]
    from weft.lang.sv.compile_sources import load_design  # slang is only loaded when it is needed
    from weft.sim.design_timing import remove_delays

    with stages.stage("parse and elaborate"):
        design = load_design(files, options.front_end, texts)
    if not options.delays:
        remove_delays(design)
    with stages.stage("write code"):
        program = program_of(design, options.observe, options.sdf, kernels, options.netlists)
    if store is not None:
        with stages.stage("store in cache"):
            _keep(store, key, program, options)
    return program


def _load(store: DesignCache, key: str, kernels: Job[bytes]) -> EventProgram | None:
    design_key = store.find(key)
    stored = store.load(design_key, StoredProgram) if design_key is not None else None
    machine = find_code(stored.code, kernels) if stored is not None else None
    return (
        EventProgram(stored.code, machine, stored.delays, True) if stored is not None and machine is not None else None
    )


def _keep(store: DesignCache, key: str, program: EventProgram, options: ProgramOptions) -> None:
    program.code.forget_text()
    design, front_end = program.design, options.front_end
    design_key = hash_words([key, str(Path.cwd()), design.digest])
    stored = StoredProgram(program.code, PreparedDelays(program.delays.timing))
    store.store(design_key, stored, [name for name, _ in design.tops])
    folders = [*front_end.include_dirs, *front_end.library_dirs]
    files = [*design.files, *list_files(front_end.arguments), *program.delays.files]
    store.remember(key, design_key, files, folders)


def _options_key(files: Sequence[str | Path], options: ProgramOptions, texts: Mapping[str, str]) -> str:
    front_end = options.front_end
    words = ["events", compiler_version(), *(str(file) for file in files), "--options"]
    words += [
        front_end.assertions,
        f"{front_end.specify} {options.observe} {options.delays} {options.netlists}",
        *front_end.words(),
    ]
    words += [part for file in options.sdf for part in (file.path, file.scope)]
    words += [part for name, text in texts.items() for part in (name, text)]
    return hash_words(words)


def _dumps(design: Design) -> bool:
    """Say whether the design dumps waveforms, so that every signal must tell its changes."""
    from weft.engines.event.walk import statements_in

    modules = [*design.modules, *(m for _, m in design.packages), *(m for _, m in design.tops)]
    for module in modules:
        for body in (*module.processes, *module.functions):
            for statement in statements_in(body.body):
                if isinstance(statement, SystemTask) and statement.name.startswith(_DUMPS):
                    return True
    return False


def _without_collector(work: Callable[[], Made]) -> Made:
    """Do work that makes a million objects and no garbage without the cyclic collector walking them over and over."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return work()
    finally:
        if enabled:
            gc.enable()
