"""The host's side of a resident kernel, compiled: put a command into the ring, and wait for its answer.

Python takes as long for one loop over a flag as the GPU for a cycle, so both are one call of machine code, with one
argument: the *frame*, which has the command and behind it what the call needs to know (`mailbox`). Its words are
written in halves, each beside the command's tag, by stores that release what was written before; the answer is awaited
by loads that acquire. x86 needs no more for memory that a GPU sees (it writes in order); other processors get their
barriers from LLVM's atomics.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import Any

import llvmlite.binding as llvm

from weft.engines.cuda import mailbox as at

SUMMARY, LEFT, WAITING = (1 << at.SUMMARY_BITS) - 1, 1 << at.SUMMARY_BITS, 2 << at.SUMMARY_BITS
"""What the calls return: the summary of the command, which is done (`mailbox`); that the kernel has left; neither,
after that many looks."""

_lock = threading.Lock()


def _field(word: int) -> str:
    return f"  %f{word}.p = getelementptr i64, ptr %frame, i64 {word}\n  %f{word} = load i64, ptr %f{word}.p, align 8\n"


def _text() -> str:
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
  %late.summary = and i64 %late.word, {SUMMARY}
  %code = select i1 %late.done, i64 %late.summary, i64 {LEFT}
  ret i64 %code
more:
  {relax}
  %look1 = add i64 %look, 1
  %tired = icmp uge i64 %look1, %looks
  br i1 %tired, label %waiting, label %loop
waiting:
  ret i64 {WAITING}
answered:
  %summary = and i64 %word, {SUMMARY}
  ret i64 %summary
}}

define i64 @weft_post(ptr %frame) nounwind {{
entry:
{"".join(_field(word) for word in (at.HEAD, at.MAIL, at.NUMBER, at.GENERATION, at.LOOKS))}
  %number = add i64 %f{at.NUMBER}, 1
  store i64 %number, ptr %f{at.NUMBER}.p, align 8
  %mail = inttoptr i64 %f{at.MAIL} to ptr
  %slot = and i64 %number, {at.RING - 1}
  %byte = mul i64 %slot, {8 * at.ENTRY_WORDS}
  %place = add i64 %byte, {at.CONTROL_BYTES}
  %entry.p = getelementptr i8, ptr %mail, i64 %place
  %low.tag = or i64 %number, {at.TAG_BIT}
  %tag = shl i64 %low.tag, 32
  %counted = lshr i64 %f{at.HEAD}, {at.COUNT_BIT}
  %count = and i64 %counted, 255
  %moved = mul i64 %count, {at.TRANSFER_WORDS}
  %needed = add i64 %moved, {at.TRANSFERS}
  %long = icmp ugt i64 %needed, {at.FIRST_PIECES // 2}
  %words = select i1 %long, i64 %needed, i64 {at.FIRST_PIECES // 2}
  br label %copy
copy:
  %word = phi i64 [0, %entry], [%word1, %copy]
  %from = getelementptr i64, ptr %frame, i64 %word
  %value = load i64, ptr %from, align 8
  %low = and i64 %value, 4294967295
  %low.piece = or i64 %low, %tag
  %high = lshr i64 %value, 32
  %high.piece = or i64 %high, %tag
  %to = getelementptr [2 x i64], ptr %entry.p, i64 %word
  %to.high = getelementptr i64, ptr %to, i64 1
  store atomic i64 %low.piece, ptr %to release, align 8
  store atomic i64 %high.piece, ptr %to.high release, align 8
  %word1 = add i64 %word, 1
  %more = icmp ult i64 %word1, %words
  br i1 %more, label %copy, label %post
post:
  %none = icmp eq i64 %f{at.LOOKS}, 0
  br i1 %none, label %posted, label %wait
wait:
  %code = call i64 @weft_wait(ptr %mail, i64 %number, i64 %f{at.GENERATION}, i64 %f{at.LOOKS})
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
    """Return `post(frame)` and `wait(mail, number, generation, looks)`.

    Both release Python's lock and return one of the codes above; a frame that says 0 looks is not waited for.
    """
    with _lock:
        _, post, wait = _library()
    word, place = ctypes.c_uint64, ctypes.c_void_p
    return ctypes.CFUNCTYPE(word, place)(post), ctypes.CFUNCTYPE(word, place, word, word, word)(wait)
