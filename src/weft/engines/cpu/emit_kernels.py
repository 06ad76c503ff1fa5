"""Emit the kernels that several parts of a design share, and what calls each for every part.

A kernel is a function `(state, memories, context, slots)` in a module of its own; one that is too long is cut into
several such functions. The caller moves the addresses from part to part: a few calls are written out, many are a loop
over a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.base.dataclass import dataclass
from weft.engines.cpu.emit_plain_step import PlainStepEmitter
from weft.engines.cpu.emit_sinks import SinkEmitter
from weft.engines.cpu.share_code import Kernel
from weft.engines.cpu.unit_text import (
    ARGUMENTS,
    KERNEL_ARGUMENTS,
    KERNEL_SIGNATURE,
    SIGNATURE,
    function_text,
    module_text,
    piece_text,
)
from weft.ir.layout import StateLayout
from weft.ir.step_graph import StepGraph

Versions = tuple[int, Mapping[int, StepGraph]]
"""A state of the first part, narrow enough for a byte, and a step for each of some values that it may have."""

MOST_CALLS = 4
"""Calls that are written out; more are a loop."""


@dataclass(frozen=True, slots=True)
class KernelText:
    """Be a kernel's modules, the function that calls it for every part, a call of that, and the end of its context."""

    texts: tuple[str, ...]
    caller: str
    call: str
    scratch: int


def emit_kernel(
    kernel: Kernel, name: str, layout: StateLayout, scratch: int, versions: Versions | None = None
) -> KernelText:
    """Emit a kernel as lazy code, and its caller, `@NAME_all`.

    With `versions` there is code for some values of a register: each part runs that for the value it has.
    """
    pivot, steps = versions or (-1, {})
    texts, end = _lazy_texts(kernel.step, f"{name}_any" if steps else name, layout, scratch)
    for value, step in steps.items():
        more, last = _lazy_texts(step, f"{name}_value{value}", layout, scratch)
        texts, end = [*texts, *more], max(end, last)
    if steps:
        texts.append(_choice_text(name, layout.slots[pivot].offset, list(steps)))
    return KernelText(tuple(texts), _caller(kernel, name, [name]), _call(name), end)


def _lazy_texts(step: StepGraph, name: str, layout: StateLayout, scratch: int) -> tuple[list[str], int]:
    """Return the modules of a step as lazy code, and the end of its context."""
    e = SinkEmitter(step, layout, scratch)
    e.emit_sinks()
    pieces = {f"{name}_{number}": piece for number, piece in enumerate(e.pieces)}
    e.lines[:0] = [f"call void @{piece}{KERNEL_ARGUMENTS}" for piece in pieces]
    e.add("ret void")
    declared = [_declare(piece) for piece in pieces]
    main = module_text([function_text(f"define void @{name}", e, KERNEL_SIGNATURE), *declared], [e])
    return [main, *(piece_text(each, piece, KERNEL_SIGNATURE) for each, piece in pieces.items())], e.scratch


def _choice_text(name: str, offset: int, values: Sequence[int]) -> str:
    """Return the module of the function that runs the version for the value at an offset, or the one for any."""
    cases = " ".join(f"i8 {value}, label %value{value}" for value in values)
    text = "".join(f"{_declare(f'{name}_value{value}')}\n" for value in values) + f"{_declare(f'{name}_any')}\n"
    text += f"""define void @{name}{KERNEL_SIGNATURE} {{
entry:
  %pivot = getelementptr i8, ptr %s, i64 {offset}
  %value = load i8, ptr %pivot
  switch i8 %value, label %any [{cases}]
"""
    for label in ("any", *(f"value{value}" for value in values)):
        text += f"{label}:\n  call void @{name}_{label}{KERNEL_ARGUMENTS}\n  ret void\n"
    return text + "}\n"


def emit_plain_kernel(kernel: Kernel, name: str, layout: StateLayout, scratch: int) -> KernelText:
    """Emit a kernel as plain code, and its caller, `@NAME_all`."""
    plain = PlainStepEmitter(kernel.step, layout, scratch)
    pieces = {f"{name}_{number}": piece for number, piece in enumerate(plain.pieces())}
    texts = [
        module_text([function_text(f"define void @{each}", piece, KERNEL_SIGNATURE)], [piece])
        for each, piece in pieces.items()
    ]
    return KernelText(tuple(texts), _caller(kernel, name, list(pieces)), _call(name), plain.scratch)


def _call(name: str) -> str:
    return f"call void @{name}_all{ARGUMENTS}"


def _declare(name: str) -> str:
    return f"declare void @{name}(ptr, ptr, ptr, ptr) nounwind"


def _caller(kernel: Kernel, name: str, functions: Sequence[str]) -> str:
    """Return the function that calls some others, one after the other, for every part."""
    text = "".join(f"{_declare(each)}\n" for each in functions)
    head = f"define internal void @{name}_all{SIGNATURE} {{\nentry:\n"
    if len(kernel.moves) <= MOST_CALLS:
        body = ""
        for part, (state, memory, slots) in enumerate(kernel.moves):
            body += f"""  %s{part} = getelementptr i8, ptr %s, i64 {state}
  %m{part} = getelementptr i8, ptr %m, i64 {memory}
  %x{part} = getelementptr i8, ptr %c, i64 {slots}
"""
            body += "".join(
                f"  call void @{each}(ptr %s{part}, ptr %m{part}, ptr %c, ptr %x{part})\n" for each in functions
            )
        return f"{text}{head}{body}  ret void\n}}\n"
    rows = ", ".join(f"[3 x i64] [{', '.join(f'i64 {move}' for move in moves)}]" for moves in kernel.moves)
    count = len(kernel.moves)
    calls = "".join(f"  call void @{each}(ptr %s.at, ptr %m.at, ptr %c, ptr %x.at)\n" for each in functions)
    return f"""@{name}_moves = private unnamed_addr constant [{count} x [3 x i64]] [{rows}], align 64
{text}{head}  br label %part
part:
  %i = phi i64 [0, %entry], [%next, %part]
  %row = getelementptr [3 x i64], ptr @{name}_moves, i64 %i
  %s.move = load i64, ptr %row
  %m.move.p = getelementptr i64, ptr %row, i64 1
  %m.move = load i64, ptr %m.move.p
  %x.move.p = getelementptr i64, ptr %row, i64 2
  %x.move = load i64, ptr %x.move.p
  %s.at = getelementptr i8, ptr %s, i64 %s.move
  %m.at = getelementptr i8, ptr %m, i64 %m.move
  %x.at = getelementptr i8, ptr %c, i64 %x.move
{calls}  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {count}
  br i1 %more, label %part, label %done
done:
  ret void
}}
"""
