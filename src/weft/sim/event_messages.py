"""Print the messages of an event simulation that need no more than their values: most of `$display` and its family.

What a call prints is known but for the values, so it is compiled once for each site and instance (`compile_message`),
which takes a call from 25 to some 6 microseconds. Messages with strings, reals, strengths or `%p`, and values with
unknown bits, are left to the general way (`tasks.print_tasks`), which is the meaning. `$fflush` of all files often
follows a message, so it is one of them; compiled code calls it only if a file has been opened.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from weft.base.dataclass import dataclass, field
from weft.engines.event.elaborate import Node
from weft.engines.event.host_sites import HostSite
from weft.ir.design import SystemTask
from weft.ir.expressions import Text
from weft.sim.compile_message import CompiledMessage, compile_message
from weft.sim.tasks.dump_scopes import plain_path

if TYPE_CHECKING:
    from weft.sim.event_host import EventHost


@dataclass(frozen=True, slots=True)
class _Message:
    """Be what a site prints; without a text it is a `$fflush` of all files."""

    text: CompiledMessage | None
    size: int
    unit_fs: int


@dataclass(slots=True, eq=False)
class EventMessages:
    """Hold the compiled messages of a simulation, by site and instance; None where there is none."""

    host: EventHost
    _known: dict[tuple[int, int], _Message | None] = field(default_factory=dict[tuple[int, int], "_Message | None"])

    def show(self, site: HostSite, buffer: int, node: Node) -> bool:
        """Print what a call prints; return False if it must go the general way."""
        key = (id(site), node.number)
        if key in self._known:
            message = self._known[key]
        else:
            message = self._known[key] = self._compile(site, node)
        if message is None:
            return False
        state = self.host.state
        if message.text is None:
            state.files.flush()
            return True
        state.formats.time_unit_fs = message.unit_fs
        found = message.text.text(ctypes.string_at(buffer, message.size), 0)
        if found is None:
            return False
        descriptor, text = found
        if not message.text.to_file:
            self.host.out.write(text)
        elif state.files.is_open(descriptor):
            state.files.write(descriptor, text)
        else:
            return False
        return True

    def _compile(self, site: HostSite, node: Node) -> _Message | None:
        from weft.ir.cone_graph import Effect

        shapes = site.arguments
        if site.name == "$fflush" and not shapes:
            return _Message(None, 0, _unit(node))
        for shape in shapes:
            plain = shape.kind == "bits" and shape.width and shape.low < 0
            plain = plain and (shape.type is None or not shape.type.unpacked)
            if not plain and not (shape.kind == "text" and shape.text.isascii()) and shape.kind != "none":
                return None
        task = SystemTask(
            site.name,
            tuple(Text(shape.text) if shape.kind == "text" else None for shape in shapes),
            tuple(shape.signed for shape in shapes),
            span=site.span,
        )
        values = tuple(0 if shape.kind == "bits" else -1 for shape in shapes)
        scope = plain_path(f"{node.path}.{site.scope}" if site.scope else node.path)
        effect = Effect(task, values, 0, 0, scope, unknowns=(0,))
        text = compile_message(effect, [shape.width for shape in shapes], self.host.state.formats, _word_bytes)
        if text is None:
            return None
        return _Message(text, sum(16 * shape.words for shape in shapes if shape.kind == "bits"), _unit(node))


def _unit(node: Node) -> int:
    return node.unit.module.time_unit_fs


def _word_bytes(width: int) -> int:
    return (width + 63) // 64 * 8
