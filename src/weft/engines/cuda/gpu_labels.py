"""Label machine code for GPUs (`base.cache_label`), to know what an archive has for this machine."""

from __future__ import annotations

from weft.base.cache_label import Label
from weft.base.errors import UserError
from weft.engines.cuda.assemble import architecture, compiler_version
from weft.engines.cuda.driver import Driver, version_text


def gpu_label(version: int, capability: tuple[int, int]) -> Label:
    """Return the label of machine code for a GPU: it is the driver's assembler that makes it."""
    compiler = f"llvm {compiler_version()}, cuda driver {version_text(version)}"
    return Label("cubin", compiler, f"nvidia sm_{capability[0]}{capability[1]}")


def present_labels() -> list[Label]:
    """Return the labels of code that this machine's GPUs run, one for each model."""
    try:
        version, capabilities = Driver.capabilities()
    except UserError:
        return []
    return [gpu_label(version, each) for each in dict.fromkeys(capabilities) if architecture(each)]
