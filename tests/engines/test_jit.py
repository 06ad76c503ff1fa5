"""How objects are linked."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CHILD = """
import ctypes, sys, types
if {gpu}:
    sys.modules["cuda.bindings.driver"] = types.ModuleType("driver")
from weft.engines.cpu import jit
asked, real = [], jit.llvm.create_lljit_compiler
def create(machine, use_jit_link):
    asked.append(use_jit_link)
    return real(machine, use_jit_link=use_jit_link)
jit.llvm.create_lljit_compiler = create
text = "@table = constant [2 x i64] [i64 5, i64 7]\\n"
text += "define i64 @second() {{ %p = getelementptr i64, ptr @table, i64 1 %r = load i64, ptr %p ret i64 %r }}"
code = jit.compile_object(text.replace(" %", "\\n %").replace(" ret", "\\n ret"), jit.FULL)
library = jit.Library([code], ["second"])
print(ctypes.CFUNCTYPE(ctypes.c_int64)(library.addresses["second"])(), asked)
"""


@pytest.mark.parametrize("gpu", [False, True])
def test_objects_lie_in_one_piece_where_a_gpu_is_in_use(gpu: bool) -> None:
    child = subprocess.run([sys.executable, "-c", _CHILD.format(gpu=gpu)], capture_output=True, text=True)
    assert child.stdout == f"7 [{gpu}]\n", child.stderr
