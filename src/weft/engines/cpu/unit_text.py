"""Put the text of functions together to modules, and modules to units, which are compiled and linked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.base.dataclass import dataclass
from weft.engines.cpu.emit_regions import Piece
from weft.engines.cpu.emitter import Emitter
from weft.engines.cpu.wide_words import helper_text

SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c) nounwind"
ARGUMENTS = "(ptr %s, ptr %m, ptr %c)"
"""Of functions that get the state, the memories and the context."""

KERNEL_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, ptr noalias %x) nounwind"
KERNEL_ARGUMENTS = "(ptr %s, ptr %m, ptr %c, ptr %x)"
"""Of kernels that parts of a design share (`share_code`): these get slots as well."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Be what is compiled and linked together: the texts of its modules, and the functions that it exports.

    `scratch` is the size in bytes of the context block that they need. Units use the same scratch, since none of them
    needs what it has kept there when another one has run.
    """

    texts: tuple[str, ...]
    exports: tuple[str, ...]
    scratch: int


Finished = Callable[[str], object]
"""Gets the text of a module of a unit that is emitted, so that it can be compiled before the others are there."""


def unwatched(text: str) -> None:
    """Be what gets texts where nobody waits for them."""


def module_text(functions: Sequence[str], emitters: Sequence[Emitter]) -> str:
    """Join functions with the constants and helpers that their emitters ask for."""
    names: dict[str, str] = {}
    helpers: set[str] = set()
    for emitter in emitters:
        names.update(emitter.globals)
        helpers |= emitter.helpers
    return "\n".join([*names.values(), *functions, helper_text(helpers)])


def function_text(head: str, emitter: Emitter, signature: str = SIGNATURE) -> str:
    """Return a function's text; the last line of the emitter must return."""
    return f"{head}{signature} {{\nentry:\n  " + "\n  ".join(emitter.lines) + "\n}\n"


def piece_text(name: str, piece: Piece, signature: str = SIGNATURE) -> str:
    """Return the module of one piece of a long step."""
    head = f"define void @{name}{signature} {{\nentry:\n  "
    body = head + "\n  ".join(piece.lines) + "\n}\n"
    return "\n".join([*piece.globals.values(), body, helper_text(piece.helpers)])
