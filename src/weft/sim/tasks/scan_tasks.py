"""`$sscanf` and `$fscanf`: choose the source, then `scan_text` reads it (IEEE 1800-2023 21.3.4.3)."""

from __future__ import annotations

from weft.sim.tasks.file_tasks import stream_of
from weft.sim.tasks.scan_text import ByteSource, Scanner, TextSource
from weft.sim.tasks.task_call import Handler, TaskCall

_EOF = -1


def _scan(call: TaskCall) -> int:
    """Scan; x or z in the format, or in the string, are an error (21.3.4.3)."""
    source: ByteSource
    if call.name == "$fscanf":
        stream = stream_of(call, 0)
        if stream is None:
            return _EOF
        source = stream
    else:
        if call.value(0).unknown:
            return _EOF
        source = TextSource(call.text(0))
    if call.value(1).unknown:
        return _EOF
    return Scanner(call, source, 2).scan(call.text(1))


TASKS: dict[str, Handler] = {"$sscanf": _scan, "$fscanf": _scan}
