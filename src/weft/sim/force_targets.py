"""Find the signals of a testbench that are to be forced from Python, by their paths or by patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weft.base.errors import UserError
from weft.base.path_patterns import PathPattern, is_pattern
from weft.engines.event.value_types import REALS, WORDS
from weft.ir.design import Design, Module, Signal
from weft.sim.tasks.dump_scopes import plain_path

Target = tuple[tuple[str, ...], Signal]
"""The instances from the top on, and the signal in the last one."""


def find_forced(design: Design, paths: Sequence[str]) -> list[Target]:
    """Return the signals of some paths and patterns, each once; the only top's name may be left out.

    A pattern means all that can be forced among what it matches. Raises `unknown-signal`.
    """
    found: dict[tuple[tuple[str, ...], int], Target] = {}
    for path in dict.fromkeys(paths):
        targets = _match(design, PathPattern(path)) if is_pattern(path) else [_find_target(design, path)]
        if not targets:
            raise UserError("unknown-signal", f"no signal that can be forced matches '{path}'")
        for target in targets:
            found.setdefault((target[0], id(target[1])), target)
    return list(found.values())


def _can_be_forced(signal: Signal) -> bool:
    """Say whether a signal is no array, belongs to the module, and has a value that Python can give."""
    kind = signal.type.kind
    plain = kind not in WORDS or kind in REALS or kind == "string"
    return plain and not (signal.depth or signal.automatic)


def _match(design: Design, pattern: PathPattern) -> list[Target]:
    return [
        (names, signal)
        for names, module in _instances(design)
        for signal in module.signals
        if _can_be_forced(signal)
        and not signal.local
        and signal.width
        and signal.name[0] != "$"
        and pattern.matches(plain_path(".".join((*names, signal.name))))
    ]


def _instances(design: Design) -> Iterator[tuple[tuple[str, ...], Module]]:
    """Yield every module by the names of the instances that lead to it."""
    work: list[tuple[tuple[str, ...], Module]] = [((name,), module) for name, module in reversed(design.tops)]
    while work:
        names, module = work.pop()
        yield names, module
        work += [((*names, instance.name), instance.module) for instance in reversed(module.instances)]


def _find_target(design: Design, path: str) -> Target:
    """Return the instances from the top on, and the signal, of a path; the only top's name may be left out."""
    for name, module in design.tops:
        rest = path.removeprefix(f"{name}.")
        if rest != path or len(design.tops) == 1:
            found = _find_below(module, rest)
            if found is not None:
                return (name, *found[0]), found[1]
    raise UserError("unknown-signal", f"there is no signal '{path}' to be forced")


def _find_below(module: Module, path: str) -> Target | None:
    signal = next((signal for signal in module.signals if plain_path(signal.name) == path), None)
    if signal is not None and _can_be_forced(signal):
        return (), signal
    # Names of instances may hold dots, those of generate blocks.
    for instance in module.instances:
        rest = path.removeprefix(f"{plain_path(instance.name)}.")
        found = _find_below(instance.module, rest) if rest != path else None
        if found is not None:
            return (instance.name, *found[0]), found[1]
    return None
