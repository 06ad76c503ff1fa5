"""The CPU engine: cone graphs to native code through LLVM."""

from weft.engines.cpu.program import CpuProgram

__all__ = ["CpuProgram"]
