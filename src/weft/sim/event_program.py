"""From sources to a program of events: front end, code and machine code, or all of it from the design cache.

The cache keeps the program, written and laid out but for its text, under the files and options that it was made of
(`design_cache`); its machine code is in the code cache, by digest. A program is stored while other threads compile it.
Where anything of it is missing, damaged or older than a source, it is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weft.base.collector import without_collector
from weft.base.dataclass import dataclass, field
from weft.base.workers import Job
from weft.engines.event.code_program import ProgramCode
from weft.engines.event.machine_code import KernelCode, MachineCode, begin_code, begin_kernels, find_code
from weft.ir.design import Design, Module
from weft.lang.sv.front_end_options import FrontEndOptions
from weft.passes.add_force_points import EventForce, add_force_points
from weft.sim.design_cache import DesignCache, compiler_version, hash_words, list_files
from weft.sim.event_delays import TASK as SDF_ANNOTATE
from weft.sim.event_delays import PreparedDelays, prepare_delays
from weft.sim.force_targets import find_forced
from weft.sim.regions.engine_choice import EngineChoice
from weft.sim.regions.mixed_design import MixedDesign
from weft.sim.regions.run_regions import begin_regions
from weft.sim.run_plan import SdfFile
from weft.sim.stages import Stages
from weft.sim.tasks.dump_scopes import plain_path

if TYPE_CHECKING:
    from weft.engines.cpu.region_program import RegionProgram


_DUMPS = ("$dump", "$countdrivers")


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """Choose how the code of a design is written.

    `observe` makes every signal tell its changes; `delays` false leaves all delays out; `sdf` are the delay files
    that the user names, `forced` the paths or patterns of signals that Python may force; `netlists` lets gates be
    data, which a random order of events rules out.
    """

    front_end: FrontEndOptions = field(default_factory=FrontEndOptions)
    observe: bool = False
    delays: bool = True
    sdf: tuple[SdfFile, ...] = ()
    forced: tuple[str, ...] = ()
    cache: bool = True
    netlists: bool = True
    choice: EngineChoice = field(default_factory=EngineChoice)


@dataclass(frozen=True, slots=True)
class EventProgram:
    """Hold a program and its machine code, which may still be on its way; `regions` are the programs of its regions."""

    code: ProgramCode
    machine: MachineCode
    delays: PreparedDelays
    mixed: MixedDesign
    regions: dict[Module, RegionProgram]
    tests: Mapping[str, bool]
    forces: dict[str, EventForce] = field(default_factory=dict[str, EventForce])
    """By full path, what forces a signal from Python."""
    cached: bool = False

    @property
    def design(self) -> Design:
        """Return the design."""
        return self.code.design.design


@dataclass(frozen=True, slots=True)
class StoredProgram:
    """Be what the cache keeps of a program; `tests` are plusargs, and whether they must be there for it to be right."""

    code: ProgramCode
    delays: PreparedDelays
    mixed: MixedDesign
    tests: Mapping[str, bool]
    forces: dict[str, EventForce] = field(default_factory=dict[str, EventForce])


def program_of(
    design: Design,
    observe: bool = False,
    sdf: Sequence[SdfFile] = (),
    kernels: Job[KernelCode] | None = None,
    forced: Sequence[str] = (),
    netlists: bool = True,
    choice: EngineChoice | None = None,
) -> EventProgram:
    """Return the program of a design that has just been loaded, which is changed; `kernels` have perhaps begun."""
    choice = choice or EngineChoice()
    from weft.engines.event.code_program import write_program
    from weft.passes.defer_assertions import defer_assertions
    from weft.passes.end_programs import end_programs
    from weft.sim.reached_tasks import reached_tasks

    delays = prepare_delays(design, sdf)
    for module in (*design.modules, *(module for _, module in (*design.packages, *design.tops))):
        defer_assertions(module)
    end_programs(design)
    targets = find_forced(design, forced)
    points = add_force_points(design, targets)
    names = [plain_path(".".join((*path, signal.name))) for path, signal in targets]
    reached = reached_tasks(design, choice.plusargs)
    observe = observe or any(name.startswith(_DUMPS) for name in reached.tasks)
    mixed = choice.mix(design, observe, bool(sdf) or SDF_ANNOTATE in reached.tasks)
    regions = begin_regions(mixed)
    stubs = {stub: built.region for stub, built in mixed.regions.items()}
    code = write_program(mixed.design, observe, netlists, stubs, choice.races)
    forces = dict(zip(names, points, strict=True))
    return EventProgram(code, begin_code(code, kernels), delays, mixed, regions, reached.tests, forces)


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
    return without_collector(lambda: _make(files, options, texts or {}, stages or Stages()))


def _make(
    files: Sequence[str | Path], options: ProgramOptions, texts: Mapping[str, str], stages: Stages
) -> EventProgram:
    kernels = begin_kernels()
    key = _options_key(files, options, texts)
    store = DesignCache() if options.cache else None
    if store is not None:
        with stages.stage("load from cache"):
            found = _load(store, key, kernels, options.choice.plusargs)
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
        program = program_of(
            design, options.observe, options.sdf, kernels, options.forced, options.netlists, options.choice
        )
    if store is not None:
        with stages.stage("store in cache"):
            _keep(store, key, program, options)
    return program


def has_plusarg(plusargs: Sequence[str], prefix: str) -> bool:
    """Say whether `$test$plusargs` finds a prefix."""
    return any(argument.startswith(prefix) for argument in plusargs)


def _load(store: DesignCache, key: str, kernels: Job[KernelCode], plusargs: Sequence[str]) -> EventProgram | None:
    design_key = store.find(key)
    stored = store.load(design_key, StoredProgram) if design_key is not None else None
    if stored is None or any(has_plusarg(plusargs, test) != result for test, result in stored.tests.items()):
        return None
    return restore_program(stored, kernels)


def restore_program(stored: StoredProgram, kernels: Job[KernelCode] | None = None) -> EventProgram | None:
    """Return a program that comes from the cache, or None if any of its machine code is not there."""
    machine = find_code(stored.code, kernels)
    if machine is None:
        return None
    regions = begin_regions(stored.mixed)
    return EventProgram(
        stored.code, machine, stored.delays, stored.mixed, regions, stored.tests, stored.forces, cached=True
    )


def _keep(store: DesignCache, key: str, program: EventProgram, options: ProgramOptions) -> None:
    program.code.forget_text()
    design, front_end = program.design, options.front_end
    design_key = hash_words([key, str(Path.cwd()), design.digest])
    delays = PreparedDelays(program.delays.timing)
    stored = StoredProgram(program.code, delays, program.mixed, program.tests, program.forces)
    store.store(design_key, stored, [name for name, _ in design.tops])
    folders = [*front_end.include_dirs, *front_end.library_dirs]
    files = [*design.files, *list_files(front_end.arguments), *program.delays.files, *program.mixed.images()]
    store.remember(key, design_key, files, folders)


def _options_key(files: Sequence[str | Path], options: ProgramOptions, texts: Mapping[str, str]) -> str:
    front_end = options.front_end
    words = ["events", compiler_version(), *(str(file) for file in files), "--options"]
    words += [
        front_end.assertions,
        f"{front_end.specify} {options.observe} {options.delays} {options.netlists}",
        *front_end.words(),
    ]
    words += ["--forced", *options.forced, "--sdf"]
    words += [part for file in options.sdf for part in (file.path, file.scope)]
    choice = options.choice
    words.append(f"{choice.engine} {choice.shuffled} {choice.worth} {choice.whole} {choice.races}")
    words += [part for name, text in texts.items() for part in (name, text)]
    return hash_words(words)
