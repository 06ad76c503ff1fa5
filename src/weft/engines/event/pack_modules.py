"""Pack the functions of a design into LLVM modules that are compiled side by side.

A function may call any other; each module declares what it uses of the others, and linking joins them.
"""

from __future__ import annotations

import re

from weft.engines.event.code_links import with_table

_SYMBOL = re.compile(r"@([\w.]+)")
_MODULE_SIZE = 150_000
"""The length of text at which a module is full: some 50 ms of compilation."""


def _declaration(text: str) -> tuple[str, str]:
    """Return the name of a function, and its declaration for other modules."""
    head = text[: text.index(" nounwind {")]
    name = head[head.index("@") + 1 : head.index("(")]
    return name, re.sub(r" %[\w.]+", "", head.replace("define", "declare", 1))


def pack_modules(bodies: list[str], declarations: dict[str, str]) -> list[str]:
    """Put functions into modules of about equal size, each with the declarations that it needs.

    `declarations` are those of functions that are defined elsewhere, by name.
    """
    declarations = declarations | dict(_declaration(body) for body in bodies)
    modules: list[str] = []
    present: list[str] = []
    room = 0
    for i, body in enumerate(bodies):
        present.append(body)
        room += len(body)
        if room >= _MODULE_SIZE or i == len(bodies) - 1:
            text = "\n".join(present)
            defined = {_declaration(function)[0] for function in present}
            used = dict.fromkeys(_SYMBOL.findall(text))
            heads = [declarations[name] for name in used if name not in defined and name in declarations]
            modules.append(with_table("\n".join([*heads, text]), len(modules)))
            present, room = [], 0
    return modules
