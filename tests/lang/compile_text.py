"""Short ways to compile a text and look at the design."""

from __future__ import annotations

from weft.ir.design import Design, Module
from weft.ir.print_design import print_design
from weft.lang.sv.compile_sources import load_design
from weft.lang.sv.front_end_options import FrontEndOptions


def load(text: str, *arguments: str, **options) -> Design:
    """Compile SystemVerilog text; `arguments` are words of slang's command line."""
    return load_design(options=FrontEndOptions(arguments=arguments, **options), texts={"t.sv": text})


def show(text: str, *arguments: str, **options) -> str:
    return print_design(load(text, *arguments, **options))


def module(design: Design, key: str) -> Module:
    return next(found for found in design.modules if found.key == key)
