"""Report which part of a design went to which engine, and why (`weft run --report`)."""

from __future__ import annotations

from weft.sim.regions.mixed_design import MixedDesign

_HEAD = ("instance", "module", "engine", "reason")


def report_text(mixed: MixedDesign) -> str:
    """Return the report as a table, a line for each instance that is not inside a region."""
    sources = mixed.design.sources
    rows: list[tuple[str, ...]] = [_HEAD]
    for part in mixed.parts:
        place = f" ({sources.describe(part.reason.span)})" if part.reason.span.file >= 0 else ""
        rows.append((part.path, part.module, part.engine, part.reason.text + place))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = [
        "  ".join([*(word.ljust(width) for word, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return "".join(f"{line}\n" for line in lines)
