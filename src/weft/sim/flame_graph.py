"""Write flame graphs: files of speedscope (https://www.speedscope.app, which opens them in the browser).

A profile is a list of stacks, each with its own seconds: one sample for each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import weft
from weft.base.errors import UserError

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"

Stacks = Sequence[tuple[tuple[str, ...], float]]
"""Frames, the outermost first, with their own seconds."""


def flame_graph(name: str, stacks: Stacks) -> dict[str, Any]:
    """Return the content of a flame graph's file."""
    frames = {frame: number for number, frame in enumerate(dict.fromkeys(f for stack, _ in stacks for f in stack))}
    weights = [seconds for _, seconds in stacks]
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [[frames[frame] for frame in stack] for stack, _ in stacks],
        "weights": weights,
    }
    return {
        "$schema": _SCHEMA,
        "name": name,
        "exporter": f"weft {weft.__version__}",
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": [profile],
    }


def save_flame_graph(path: str | Path, graph: dict[str, Any]) -> None:
    """Write a flame graph; raises `cannot-write`."""
    try:
        Path(path).write_text(json.dumps(graph))
    except OSError as error:
        raise UserError("cannot-write", f"cannot write the profile '{path}': {error.strerror}") from error
