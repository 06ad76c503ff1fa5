"""Say whether an entry of an archive can be used here, and if not, why.

For each kind that depends on versions or devices, `_PRESENT` names the function that returns the labels of what this
installation would make here: one for a CPU, one for each model of GPU. An entry fits if one of them has its compiler
and its device, and the device all features of its code. Other kinds fit anywhere. An entry that does not fit would
never be run anyhow, because its key has all of this in it; this is for telling people, and to carry nothing in vain.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache

from weft.base.cache_label import Label

_PRESENT = {
    # kind: (module, function that returns a label or a list of them)
    "object": ("weft.engines.cpu.jit", "present_label"),
    "cubin": ("weft.engines.cuda.gpu_labels", "present_labels"),
    "design": ("weft.sim.design_cache", "present_label"),
    "index": ("weft.sim.design_cache", "present_label"),
    "program": ("weft.sim.design_cache", "present_label"),
}
SLOW = frozenset({"cubin"})
"""The kinds whose present labels take long to find: a driver must be initialised for them."""

_SHOWN_FEATURES = 4


@cache
def present_labels(kind: str) -> tuple[Label, ...]:
    """Return the labels of what would be made here; none if the kind fits anywhere, or nothing here can run it."""
    if kind not in _PRESENT:
        return ()
    module, function = _PRESENT[kind]
    found = getattr(importlib.import_module(module), function)()
    return (found,) if isinstance(found, Label) else tuple(found)


def misfit(label: Label) -> str:
    """Return why an entry does not fit here, as the end of a sentence about it, or an empty text if it does."""
    if label.kind not in _PRESENT:
        return ""
    return explain_misfit(label, present_labels(label.kind))


def explain_misfit(label: Label, present: Sequence[Label]) -> str:
    """Return why an entry does not fit where entries with these labels are made; an empty text if it does."""
    if not present:
        return f"for {label.device}, and there is no such device here"
    if all(label.compiler != here.compiler for here in present):
        return f"made by {label.compiler or 'an unknown compiler'}, and this is {present[0].compiler}"
    lacking = [_lacking(label, here) for here in present]
    if all(lacking):
        names = ", ".join(lacking[0][:_SHOWN_FEATURES])
        more = f" and {len(lacking[0]) - _SHOWN_FEATURES} more" if len(lacking[0]) > _SHOWN_FEATURES else ""
        return f"for {label.device} with {names}{more}, which {present[0].device} lacks"
    if all((label.compiler, label.device, label.features) != (h.compiler, h.device, h.features) for h in present):
        other = present[0].device != label.device
        return f"for {label.device}, and this is {present[0].device}" if other else f"for a lesser {label.device}"
    return ""


def is_other_version(label: Label) -> bool:
    """Say whether an entry was made by another version of its compiler than the one here."""
    present = present_labels(label.kind)
    return bool(present) and all(label.compiler != here.compiler for here in present)


def _lacking(label: Label, here: Label) -> list[str]:
    """Return the features that an entry's code may use and a device does not have."""
    have = set(here.features.split(","))
    return [name.removeprefix("+") for name in label.features.split(",") if name and name not in have]
