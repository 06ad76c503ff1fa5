"""Call kernels that are written in `engines.event.kernel_language`: they compile while the caller goes on."""

from __future__ import annotations

import ctypes
import functools
import importlib
import inspect
from collections.abc import Callable
from types import ModuleType

from weft.engines.cpu.jit import FULL, Compiler, Library
from weft.engines.event.kernel_language import compile_kernels


@functools.cache
def _text(name: str) -> str:
    return compile_kernels(importlib.import_module(name))


class CompiledKernels:
    """Begin to compile a module of kernels; the first call waits for that. The code lives as long as this object."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._code = Compiler().submit(_text(module.__name__), FULL)
        self._libraries: list[Library] = []
        self._functions: dict[str, Callable[..., int]] = {}

    def call(self, name: str, *arguments: int) -> int:
        """Call a kernel with addresses and integers."""
        function = self._functions.get(name)
        if function is None:
            library = Library([self._code.result()], [name])
            self._libraries.append(library)
            count = len(inspect.signature(getattr(self._module, name)).parameters)
            signature = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)
            function = self._functions[name] = signature(library.addresses[name])
        return function(*arguments)
