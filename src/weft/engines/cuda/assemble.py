"""Turn LLVM IR into PTX: LLVM's NVPTX target, which llvmlite has, so that no CUDA toolkit is needed.

The driver turns PTX into machine code when a module is loaded. The PTX version is the oldest that knows the
architecture, so that older drivers take it too.
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm

TRIPLE = "nvptx64-nvidia-cuda"

ARCHITECTURES = (80, 86, 89, 90)
"""Compute capabilities that code is made for: Ampere, Ada, Hopper; newer GPUs run Hopper's PTX."""


@functools.cache
def _target() -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(TRIPLE)


def compiler_version() -> str:
    """Return the version of LLVM."""
    return ".".join(map(str, llvm.llvm_version_info))


def architecture(capability: tuple[int, int]) -> int:
    """Return the newest architecture that a GPU of some compute capability can run; 0 if there is none."""
    number = 10 * capability[0] + capability[1]
    return max((known for known in ARCHITECTURES if known <= number), default=0)


def assemble(text: str, sm: int) -> str:
    """Return the PTX of a module for an architecture such as 90.

    LLVM only promotes memory to registers and selects instructions: the driver optimises PTX anyway, and more passes
    here took three times as long for code of the same length.
    """
    machine: Any = _target().create_target_machine(cpu=f"sm_{sm}", opt=1)
    module: Any = llvm.parse_assembly(text, llvm.create_context())
    module.triple = TRIPLE
    module.data_layout = str(machine.target_data)
    manager: Any = llvm.create_new_module_pass_manager()
    manager.add_sroa_pass()
    manager.add_simplify_cfg_pass()
    manager.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    return machine.emit_assembly(module)
