"""The machine code of a program: the runtime's kernels and the design's modules, compiled side by side.

The kernels are the same for every design; their object is kept under a hash of the Python text that they are written
in, so that later runs do not even write their IR. They and a design's modules are compiled without optimisation, to
start soon, and once more with it while the run goes on (`second_tier`); a later run begins with the better code. A
program that comes from the design cache has no text any more; it names its modules by their digests, under which the
cache has the objects and the text.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass
from weft.base.workers import Job
from weft.engines.cpu.jit import FULL, START, Compiler, Library, Tier, text_digest
from weft.engines.event.code_links import table_symbol, with_table
from weft.ir import region

if TYPE_CHECKING:
    from weft.engines.event.code_program import ProgramCode

_BASE = (
    "memory_kernels",
    "list_kernels",
    "wheel_kernels",
    "scheduler",
    "thread_kernels",
    "heap_kernels",
    "text_kernels",
    "assoc_kernels",
    "container_kernels",
    "order_kernels",
    "box_kernels",
    "draw_kernels",
    "stream_kernels",
    "netlist_kernels",
    "region_kernels",
)
_NETS = ("net_kernels", "gate_kernels", "island_kernels")
_RACES = ("race_kernels",)
_KERNEL_TABLE = "kernels"
_WRITTEN_BY = (
    "kernel_language",
    "records",
    "container_layout",
    "net_records",
    "netlist_records",
    "random_numbers",
    "code_links",
    "machine_code",
)
"""What decides the text of kernels besides their own files."""

_KERNELS = (
    "run",
    "append",
    "postpone",
    "unlink",
    "make_ready",
    "notify",
    "wake",
    "region_hold",
    "region_take",
    "process_object",
    "heap_register",
    "heap_mark",
    "heap_free",
    "heap_total",
    "heap_awaited",
    "collect_later",
    "run_record",
    "run_record_nba",
    "process_kill",
    "process_suspend",
    "process_hold",
    "process_resume",
    "next_time",
    "put_into_wheel",
    "nothing",
    "container_copy",
    "map_read",
    "sequence_make",
    "sequence_resize",
    "text_keep",
    "text_release",
    "weft_malloc",
    "weft_free",
    "weft_realloc",
    "weft_arena_begin",
)

_STACK_TEXT = """
declare ptr @llvm.frameaddress.p0(i32)
define i64 @weft_stack() nounwind {
  %p = call ptr @llvm.frameaddress.p0(i32 0)
  %w = ptrtoint ptr %p to i64
  ret i64 %w
}
"""


Improved = tuple[bytes | None, list[bytes]]
"""Better objects: that of the kernels, or None, and those of the modules, or none."""
Improve = Callable[[Callable[[Callable[[], Improved]], bytes]], None]
"""Begin to compile anew; what is given is called, in a thread of the compiler, with what waits for the objects."""


@dataclass(frozen=True, slots=True)
class KernelCode:
    """Be the object of the kernels; `improve` compiles them anew if they are not optimised."""

    code: bytes
    improve: Improve | None = None


@dataclass(frozen=True, slots=True)
class MachineCode:
    """Be the code of a program on its way: one job for the kernels, and the objects of the modules or their jobs.

    `improve` compiles the modules anew if they are not optimised.
    """

    kernels: Job[KernelCode]
    modules: list[Job[bytes]]
    exports: list[str]
    text_bytes: int
    improve: Improve | None = None

    def link(self) -> Library:
        """Wait for all of it and link it."""
        return Library([self.kernels.result().code, *(module.result() for module in self.modules)], self.exports)


def begin_kernels(nets: bool = False, races: bool = False) -> Job[KernelCode]:
    """Begin to fetch or compile the runtime, with the kernels for strengths and gates, or for races, if asked for."""
    names = _kernel_files(nets, races)
    compiler = Compiler()
    return compiler.start(lambda: _kernels(compiler, names))


def _kernel_files(nets: bool, races: bool) -> tuple[str, ...]:
    return (*_BASE, *(_NETS if nets else ()), *(_RACES if races else ()))


def _kernels(compiler: Compiler, names: tuple[str, ...]) -> KernelCode:
    digest = _kernel_digest(names)
    optimised = compiler.find(digest, FULL)
    if optimised is not None:
        return KernelCode(optimised)

    def improve(then: Callable[[Callable[[], Improved]], bytes]) -> None:
        def optimise() -> Improved:
            return compiler.keep(digest, FULL, lambda: _kernel_text(names)), []

        compiler.start(lambda: then(optimise), urgent=False)

    return KernelCode(compiler.keep(digest, START, lambda: _kernel_text(names)), improve)


def _kernel_digest(names: tuple[str, ...]) -> str:
    folder = Path(__file__).parent
    state = hashlib.sha256(" ".join(names).encode())
    for name in (*names, *_WRITTEN_BY):
        state.update((folder / f"{name}.py").read_bytes())
    state.update(Path(region.__file__).read_bytes())
    return state.hexdigest()


def code_digest(code: ProgramCode) -> str:
    """Return what identifies the code of a program and its runtime: all that decides how memory is used."""
    names = _kernel_files(_has_records(code), code.races is not None)
    return text_digest("\n".join([_kernel_digest(names), *code.digests]))


def _kernel_text(names: tuple[str, ...]) -> str:
    from weft.engines.event.kernel_language import compile_kernels
    from weft.engines.event.memory_kernels import ARENA_TEXT
    from weft.engines.event.random_numbers import TEXT

    modules = [importlib.import_module(f"weft.engines.event.{name}") for name in names]
    chosen = {"RACES": 1} if _RACES[0] in names else None
    return with_table(compile_kernels(*modules, chosen=chosen) + ARENA_TEXT + TEXT + _STACK_TEXT, _KERNEL_TABLE)


def begin_code(code: ProgramCode, kernels: Job[KernelCode] | None = None) -> MachineCode:
    """Begin to compile a program that has just been written; `kernels` is the runtime, if that has begun."""
    texts = code.modules()
    code.digests = [text_digest(text) for text in texts]
    code.text_bytes = sum(map(len, texts))
    runtime = _runtime_of(code, kernels)
    compiler = Compiler()
    optimised = _find_all(compiler, code.digests, FULL)
    if optimised is not None:
        return MachineCode(runtime, optimised, _exports(code), code.text_bytes)

    def first(text: str, digest: str) -> Callable[[], bytes]:
        def work() -> bytes:
            found = compiler.object(text, START)
            compiler.keep_text(digest, text)
            return found

        return work

    modules = [compiler.start(first(text, digest)) for text, digest in zip(texts, code.digests, strict=True)]
    return MachineCode(runtime, modules, _exports(code), code.text_bytes, _improver(compiler, code.digests, texts))


def find_code(code: ProgramCode, kernels: Job[KernelCode] | None = None) -> MachineCode | None:
    """Return the code of a program that comes from the cache, or None if any of its objects is not there."""
    compiler = Compiler()
    optimised = _find_all(compiler, code.digests, FULL)
    modules = _find_all(compiler, code.digests, START) if optimised is None else optimised
    if modules is None:
        return None
    improve = _improver(compiler, code.digests) if optimised is None else None
    return MachineCode(_runtime_of(code, kernels), modules, _exports(code), code.text_bytes, improve)


def _find_all(compiler: Compiler, digests: list[str], tier: Tier) -> list[Job[bytes]] | None:
    """Return the objects of some modules from the cache, or None if any is not there."""
    found: list[Job[bytes]] = []
    for digest in digests:
        code = compiler.find(digest, tier)
        if code is None:
            return None
        found.append(Job.done(code))
    return found


def _improver(compiler: Compiler, digests: list[str], texts: list[str] | None = None) -> Improve:
    """Return what optimises modules; if their texts are not given, they are looked for in the cache."""
    known = dict(zip(digests, texts or (), strict=False))

    def work(digest: str) -> Callable[[], bytes]:
        return lambda: compiler.keep(digest, FULL, lambda: known.get(digest) or compiler.text(digest))

    def improve(then: Callable[[Callable[[], Improved]], bytes]) -> None:
        jobs = [compiler.start(work(digest), urgent=False) for digest in digests]
        compiler.start(lambda: then(lambda: (None, [job.result() for job in jobs])), urgent=False)

    return improve


def _runtime_of(code: ProgramCode, kernels: Job[KernelCode] | None) -> Job[KernelCode]:
    if code.races is not None:
        return begin_kernels(_has_records(code), races=True)
    return begin_kernels(nets=True) if _has_records(code) else kernels or begin_kernels()


def _has_records(code: ProgramCode) -> bool:
    """Say whether nets with strengths or gates are data, which kernels of their own work on."""
    design = code.design
    return any(net.graded for net in design.nets.values()) or any(unit.gates for unit in design.units.values())


def _exports(code: ProgramCode) -> list[str]:
    from weft.engines.event import net_area, netlist_area

    names = [plan.symbol for unit in code.codes.values() for plan in unit.threads]
    names += [watch.code for unit in code.codes.values() for site in unit.sites for watch in site.watches]
    names += code.resolvers.values()
    names += code.initializers.values()
    names += code.entries.symbols()
    names += code.tasks
    nets = net_area.KERNELS if _has_records(code) else ()
    runtime = (*_KERNELS, *netlist_area.KERNELS, *nets)
    tables = [table_symbol(module) for module in (*range(len(code.digests)), _KERNEL_TABLE)]
    return [*dict.fromkeys(name for name in names if name), *runtime, *tables, "weft_stack"]
