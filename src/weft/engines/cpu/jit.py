"""Turn LLVM IR text into callable machine code: optimise, emit an object, keep it in the cache, link it.

Every module is compiled to an object file by itself, in its own LLVM context, so pieces of a design compile in parallel
and come from the cache one by one. llvmlite guards each LLVM call with one global lock; calls on different contexts
need no guard (LLVM Programmer's Manual, "Threading"), so the two expensive ones bypass it. Objects are linked into one
LLJIT, whose libraries live as long as the tracker that `link` returns.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import llvmlite.binding as llvm

from weft.base.cache_label import Label, entry_key
from weft.base.dataclass import dataclass, replace
from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.engines.cpu.object_cache import ObjectCache


@dataclass(frozen=True, slots=True)
class Tier:
    """Choose how hard to optimise: the pass pipeline's speed level (0: no passes; `BRIEF`) and the code generator's."""

    name: str
    passes: int
    codegen: int


BRIEF = -1
"""The level of a few passes, each once: level 1 has InstCombine several times, which takes four fifths of its time."""

START = Tier("start", 0, 0)
QUICK = Tier("quick", 0, 1)
FULL = Tier("full", 3, 3)
LEAN = Tier("lean", 1, 1)
"""For speculative code, which comes in several versions: there it is as fast as `FULL`, in half the time to compile."""

T = TypeVar("T")

_numbers = itertools.count()


@functools.cache
def _target() -> llvm.Target:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


_V2 = ("cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
LEVELS = {"x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}
"""What CPUs of each level of the x86-64 psABI (table 3.1) have at least."""


@functools.cache
def host() -> tuple[str, str]:
    """Return the CPU to make code for, and its features: this one, or the level that WEFT_CPU names.

    Code for a level runs on every CPU that has it, from an archive for instance. Raises `bad-option`.
    """
    level, features = os.environ.get("WEFT_CPU", ""), llvm.get_host_cpu_features()
    if not level:
        return llvm.get_host_cpu_name(), features.flatten()
    if level not in LEVELS:
        raise UserError("bad-option", f"WEFT_CPU={level}: choose one of {', '.join(LEVELS)}, or none for this CPU")
    missing = [name for name in LEVELS[level] if not features.get(name)]
    if missing:
        raise UserError("bad-option", f"WEFT_CPU={level}: this CPU lacks {', '.join(missing)}")
    return level, ",".join(f"+{name}" for name in LEVELS[level])


@functools.cache
def present_label() -> Label:
    """Return the label of objects that this compiler makes for this machine."""
    cpu, features = host()
    used = ",".join(sorted(feature for feature in features.split(",") if feature[:1] == "+"))
    version = ".".join(map(str, llvm.llvm_version_info))
    return Label("object", f"llvm {version}", f"{llvm.get_process_triple()} {cpu}", used)


@functools.cache
def _lljit() -> llvm.LLJIT:
    """Return what links objects: each in one piece of memory where a GPU is in use.

    LLVM's older linker asks for an object's code and its constants one by one. A GPU's driver reserves so much of the
    addresses that they may lie more than 2 GB apart, which code of the small model cannot bridge, and LLVM aborts.
    """
    return llvm.create_lljit_compiler(_machine(2), use_jit_link="cuda.bindings.driver" in sys.modules)


def _machine(codegen: int) -> Any:
    cpu, features = host()
    return _target().create_target_machine(
        cpu=cpu, features=features, opt=codegen, reloc="pic", codemodel="small", jit=True
    )


_workers = Workers("weft-compile", os.cpu_count() or 1)
_improvers = Workers("weft-improve", os.cpu_count() or 1)
"""Threads of their own for what nobody waits for."""


def _unguarded(name: str) -> Any:
    """Return an LLVM entry point without llvmlite's global lock; its argument types are those already declared."""
    function = getattr(llvm.ffi.lib, name)
    return getattr(function, "_cfn", function)


_link_lock = threading.Lock()
_state = threading.local()


def _thread_machine(codegen: int) -> Any:
    """Return this thread's own target machine: they must not be shared."""
    machines: dict[int, Any] | None = getattr(_state, "machines", None)
    if machines is None:
        machines = _state.machines = {}
    if codegen not in machines:
        machines[codegen] = _machine(codegen)
    return machines[codegen]


def _optimise(module: Any, machine: Any, level: int) -> None:
    if level == BRIEF:
        manager: Any = llvm.create_new_module_pass_manager()
        manager.add_simplify_cfg_pass()
        manager.add_instruction_combine_pass()
        manager.add_sinking_pass()
        manager.add_dead_code_elimination_pass()
        builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
        _unguarded("LLVMPY_RunNewModulePassManager")(manager, module, builder)
        return
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_unrolling = False
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    manager = builder.getModulePassManager()
    _unguarded("LLVMPY_RunNewModulePassManager")(manager, module, builder)


def compile_object(text: str, tier: Tier) -> bytes:
    """Compile IR text to an object file."""
    machine = _thread_machine(tier.codegen)
    context = llvm.create_context()
    module = llvm.parse_assembly(text, context)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    if tier.passes:
        _optimise(module, machine, tier.passes)
    with llvm.ffi.OutputString() as error:
        buffer = _unguarded("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    library = llvm.ffi.lib
    try:
        return ctypes.string_at(library.LLVMPY_GetBufferStart(buffer), library.LLVMPY_GetBufferSize(buffer))
    finally:
        library.LLVMPY_DisposeMemoryBuffer(buffer)


class Compiler:
    """Compile and link modules, through a cache."""

    def __init__(self, cache: ObjectCache | None = None) -> None:
        self.cache = ObjectCache() if cache is None else cache
        self._label = present_label()

    def find(self, digest: str, tier: Tier) -> bytes | None:
        """Return the object of the text with this digest (`text_digest`), if it is in the cache."""
        return self.cache.load(self._key(digest, tier))

    def object(self, text: str, tier: Tier) -> bytes:
        """Return the object of a module's text, from the cache if it is there."""
        return self.keep(text_digest(text), tier, lambda: text)

    def keep(self, digest: str, tier: Tier, write: Callable[[], str]) -> bytes:
        """Return the object that is kept under a digest; if there is none, compile the text that `write` returns."""
        key = self._key(digest, tier)
        code = self.cache.load(key)
        if code is None:
            code = compile_object(write(), tier)
            self.cache.store(key, code, replace(self._label, note=tier.name))
        return code

    def keep_text(self, digest: str, text: str) -> None:
        """Keep a module's text, to compile it again by its digest."""
        self.cache.store(self._text_key(digest), zlib.compress(text.encode(), 1), replace(self._label, note="text"))

    def text(self, digest: str) -> str:
        """Return a text that was kept; raise LookupError if it is gone."""
        found = self.cache.load(self._text_key(digest))
        if found is None:
            raise LookupError(digest)
        return zlib.decompress(found).decode()

    def submit(self, text: str, tier: Tier) -> Job[bytes]:
        """Compile in a worker thread."""
        return self.start(lambda: self.object(text, tier))

    def start(self, work: Callable[[], T], urgent: bool = True) -> Job[T]:
        """Do some of this compiler's work in a worker thread; what is not urgent keeps nothing else waiting."""
        return (_workers if urgent else _improvers).submit(work)

    def _text_key(self, digest: str) -> str:
        return hashlib.sha256(f"text|{digest}".encode()).hexdigest()

    def keys(self, digest: str) -> list[str]:
        """Return the keys under which objects of the text with this digest may be, one for each tier, and the text."""
        return [*(self._key(digest, tier) for tier in (START, QUICK, FULL, LEAN)), self._text_key(digest)]

    def _key(self, digest: str, tier: Tier) -> str:
        return entry_key(self._label, repr(tier), digest)


def text_digest(text: str) -> str:
    """Return what identifies a module's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class Library:
    """Be linked machine code: addresses by symbol name, valid as long as this object lives."""

    def __init__(self, objects: list[bytes], exports: list[str], imports: Mapping[str, int] | None = None) -> None:
        builder = llvm.JITLibraryBuilder()
        for code in objects:
            builder.add_object_img(code)
        for name in exports:
            builder.export_symbol(name)
        for name, address in (imports or {}).items():
            builder.import_symbol(name, address)
        builder.add_current_process()
        with _link_lock:
            self._tracker = builder.link(_lljit(), f"weft{next(_numbers)}")
        self.addresses: dict[str, int] = {name: self._tracker[name] for name in exports}
