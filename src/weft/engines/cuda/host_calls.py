"""The host's side of a resident kernel, compiled: put a command into the ring, and wait for its answer.

Python takes as long for one loop over a flag as the GPU for a cycle, so both are one call of machine code. The words of
the command are written first and its number last, with a store that releases; the answer is awaited by loads that
acquire. x86 needs no more for memory that a GPU sees (it writes in order); other processors get their barriers from
LLVM's atomics.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import Any

import llvmlite.binding as llvm

from weft.engines.cuda import mailbox as at

ANSWERED, LEFT, WAITING = 0, 1, 2
"""What `wait` returns: the command is done; the kernel has left; neither, after that many looks."""

_lock = threading.Lock()


def _text() -> str:
    copies = "".join(
        f"  %s{word} = getelementptr i64, ptr %command, i64 {word}\n  %v{word} = load i64, ptr %s{word}\n"
        f"  %d{word} = getelementptr i64, ptr %entry, i64 {word}\n"
        f"  store volatile i64 %v{word}, ptr %d{word}, align 8\n"
        for word in range(1, at.ENTRY_WORDS)
    )
    x86 = "x86_64" in llvm.get_process_triple()
    relax = "call void @llvm.x86.sse2.pause()" if x86 else "fence seq_cst"
    declaration = "declare void @llvm.x86.sse2.pause()" if x86 else ""
    return f"""{declaration}
define i64 @weft_wait(ptr %control, i64 %number, i64 %generation, i64 %looks) nounwind {{
entry:
  %left.p = getelementptr i64, ptr %control, i64 {at.LEFT}
  br label %loop
loop:
  %look = phi i64 [0, %entry], [%look1, %more]
  %word = load atomic i64, ptr %control acquire, align 8
  %have = lshr i64 %word, {at.SUMMARY_BITS}
  %done = icmp uge i64 %have, %number
  br i1 %done, label %answered, label %wait
wait:
  %gone = load atomic i64, ptr %left.p acquire, align 8
  %left = icmp eq i64 %gone, %generation
  br i1 %left, label %again, label %more
again:
  ; The last command may have been answered just before the kernel left.
  %late.word = load atomic i64, ptr %control acquire, align 8
  %late = lshr i64 %late.word, {at.SUMMARY_BITS}
  %late.done = icmp uge i64 %late, %number
  %code = select i1 %late.done, i64 {ANSWERED}, i64 {LEFT}
  ret i64 %code
more:
  {relax}
  %look1 = add i64 %look, 1
  %tired = icmp uge i64 %look1, %looks
  br i1 %tired, label %waiting, label %loop
waiting:
  ret i64 {WAITING}
answered:
  ret i64 {ANSWERED}
}}

define i64 @weft_post(ptr %mail, ptr %command, i64 %number, i64 %generation, i64 %looks) nounwind {{
  %slot = and i64 %number, {at.RING - 1}
  %byte = mul i64 %slot, {8 * at.ENTRY_WORDS}
  %place = add i64 %byte, {at.CONTROL_BYTES}
  %entry = getelementptr i8, ptr %mail, i64 %place
{copies}  store atomic i64 %number, ptr %entry release, align 8
  %none = icmp eq i64 %looks, 0
  br i1 %none, label %posted, label %wait
wait:
  %code = call i64 @weft_wait(ptr %mail, i64 %number, i64 %generation, i64 %looks)
  ret i64 %code
posted:
  ret i64 {WAITING}
}}
"""


@functools.cache
def _library() -> tuple[Any, int, int]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine: Any = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
    jit: Any = llvm.create_lljit_compiler(machine)
    names = ("weft_post", "weft_wait")
    builder: Any = llvm.JITLibraryBuilder().add_ir(_text())
    for name in names:
        builder.export_symbol(name)
    library = builder.link(jit, "weft_cuda_host")
    return (jit, library), library[names[0]], library[names[1]]


@functools.cache
def host_calls() -> tuple[Any, Any]:
    """Return `post(mail, command, number, generation, looks)` and `wait(mail, number, generation, looks)`.

    Both release Python's lock and return one of the codes above; `post` with 0 looks does not wait.
    """
    with _lock:
        _, post, wait = _library()
    word, place = ctypes.c_uint64, ctypes.c_void_p
    call_post = ctypes.CFUNCTYPE(word, place, place, word, word, word)
    call_wait = ctypes.CFUNCTYPE(word, place, word, word, word)
    return call_post(post), call_wait(wait)
