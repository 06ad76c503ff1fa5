"""Write small native kernels: a thin layer over llvmlite's IR builder for loops, loads and stores.

The wave writers need a few tight loops over bytes that neither NumPy nor a pure C library expresses; they are built
here once, compiled in some tens of milliseconds, and called through ctypes (which releases the GIL).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from weft.engines.cpu.jit import FULL, Compiler, Library

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
Value = Any
_libraries: list[Library] = []


class Kernel:
    """Build one function of 64-bit integer arguments and result; variables are stack slots until LLVM promotes them."""

    def __init__(self, module: ir.Module, name: str, arguments: int) -> None:
        self.function = ir.Function(module, ir.FunctionType(I64, [I64] * arguments), name)
        self.build = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments: list[Value] = list(self.function.args)

    def const(self, value: int) -> Value:
        """Return a 64-bit constant."""
        return ir.Constant(I64, value)

    def variable(self, value: Value) -> Value:
        """Return a new 64-bit variable, allocated on entry and set here."""
        with self.build.goto_entry_block():
            slot = self.build.alloca(I64)
        self.build.store(value, slot)
        return slot

    def get(self, slot: Value) -> Value:
        """Return a variable's value."""
        return self.build.load(slot, typ=I64)

    def set(self, slot: Value, value: Value) -> None:
        """Set a variable."""
        self.build.store(value, slot)

    def load(self, address: Value, bits: int) -> Value:
        """Load an unaligned little-endian integer, extended to 64 bits."""
        pointer = self.build.inttoptr(address, ir.PointerType(ir.IntType(bits)))
        value = self.build.load(pointer, align=1, typ=ir.IntType(bits))
        return value if bits == 64 else self.build.zext(value, I64)

    def store(self, address: Value, value: Value, bits: int) -> None:
        """Store the low bits of a value, unaligned."""
        narrow = value if bits == 64 else self.build.trunc(value, ir.IntType(bits))
        self.build.store(narrow, self.build.inttoptr(address, ir.PointerType(ir.IntType(bits))), align=1)

    def add(self, *values: Value | int) -> Value:
        """Return a sum."""
        total = values[0]
        for value in values[1:]:
            total = self.build.add(total, self.const(value) if isinstance(value, int) else value)
        return total

    def index(self, base: Value, index: Value, size: int) -> Value:
        """Return the address `base + index * size`."""
        return self.build.add(base, self.build.mul(index, self.const(size)))

    def test(self, relation: str, lhs: Value, rhs: Value | int) -> Value:
        """Return an unsigned comparison."""
        return self.build.icmp_unsigned(relation, lhs, self.const(rhs) if isinstance(rhs, int) else rhs)

    @contextmanager
    def loop(self, condition: Callable[[], Value]) -> Generator[None]:
        """Repeat the body of the `with` while the condition holds."""
        head = self.function.append_basic_block("loop")
        body = self.function.append_basic_block("body")
        done = self.function.append_basic_block("done")
        self.build.branch(head)
        self.build.position_at_end(head)
        self.build.cbranch(condition(), body, done)
        self.build.position_at_end(body)
        yield
        self.build.branch(head)
        self.build.position_at_end(done)

    def finish(self, result: Value) -> None:
        """Return a result."""
        self.build.ret(result)


def compile_kernel(module: ir.Module) -> Callable[..., int]:
    """Compile a module of one function, or take it from the engine's cache; the function lives for ever."""
    (function,) = [found for found in module.functions if not found.is_declaration]
    library = Library([Compiler().object(str(module), FULL)], [function.name])
    _libraries.append(library)
    signature = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(function.args))
    return signature(library.addresses[function.name])
