"""Weft: a hardware simulator for Python people.

`weft.compile("soc.sv", top="soc")` returns a `Simulation`. Everything heavy is imported on first use, so that
`import weft` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from weft.base.errors import InternalError, Unsupported, UserError, WeftError

if TYPE_CHECKING:
    from weft.sim import archives as archive
    from weft.sim.begin_device import begin_device
    from weft.sim.compilation import Compilation, compile_async
    from weft.sim.compile_design import compile_design as compile  # noqa: A004
    from weft.sim.compile_progress import CompilationCancelled, Progress
    from weft.sim.logic_values import Logic, LogicArray
    from weft.sim.simulation import Simulation

__version__ = "0.1.0"

__all__ = [
    "Compilation",
    "CompilationCancelled",
    "InternalError",
    "Logic",
    "LogicArray",
    "Progress",
    "Simulation",
    "Unsupported",
    "UserError",
    "WeftError",
    "__version__",
    "archive",
    "begin_device",
    "compile",
    "compile_async",
]

_LAZY = {
    "archive": ("weft.sim.archives", ""),
    "begin_device": ("weft.sim.begin_device", "begin_device"),
    "Compilation": ("weft.sim.compilation", "Compilation"),
    "CompilationCancelled": ("weft.sim.compile_progress", "CompilationCancelled"),
    "Progress": ("weft.sim.compile_progress", "Progress"),
    "compile_async": ("weft.sim.compilation", "compile_async"),
    "compile": ("weft.sim.compile_design", "compile_design"),
    "Simulation": ("weft.sim.simulation", "Simulation"),
    "Logic": ("weft.sim.logic_values", "Logic"),
    "LogicArray": ("weft.sim.logic_values", "LogicArray"),
}


def __getattr__(name: str) -> object:
    """Import what is used, when it is used (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = importlib.import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
