"""End a simulation when its programs have ended (IEEE 1800-2023 24.7).

A program has ended when all its initial procedures have. When all programs have, that is an implicit `$finish`. A
variable of the design counts the initial procedures of programs that go on; each counts itself out at its end. What
they have set last still has its effects: the end is in the postponed region.
"""

from __future__ import annotations

from weft.base.dataclass import replace
from weft.ir.design import (
    Assign,
    Binary,
    Block,
    Const,
    Design,
    Event,
    If,
    Kind,
    Module,
    Process,
    Ref,
    Signal,
    SystemTask,
    Type,
)

_NAME = "$programs"
_COUNT = Type("int", 32, four_state=False)


def end_programs(design: Design) -> None:
    """Let the end of the last program's last initial procedure end the simulation. The design is changed."""
    total = sum(_count(top) for _, top in design.tops)
    if not total or any(name == _NAME for name, _ in design.packages):
        return
    going = Signal("going", 32, _COUNT, initial=Const(32, total))
    design.packages.append((_NAME, Module(_NAME, _NAME, signals=[going])))
    for module in dict.fromkeys((*design.modules, *(top for _, top in design.tops))):
        module.processes[:] = [
            _ended(process, going) if _is_counted(process) else process for process in module.processes
        ]
    design.tops[0][1].processes.append(_end(going))


def _count(module: Module) -> int:
    """Return how many initial procedures of programs there are in an instance of a module."""
    own = sum(map(_is_counted, module.processes))
    return own + sum(_count(instance.module) for instance in module.instances)


def _is_counted(process: Process) -> bool:
    return process.reactive and process.kind == Kind.INITIAL


def _ended(process: Process, going: Signal) -> Process:
    count = Ref(going, ("$root", _NAME))
    down = Assign(count, Binary("sub", count, Const(32, 1), 32), True, process.span)
    return replace(process, body=Block((process.body, down)))


def _end(going: Signal) -> Process:
    """Return what ends the simulation when the count has come to 0 and all else of that time is done."""
    count = Ref(going, ("$root", _NAME))
    finish = SystemTask("$finish", (Const(32, 0),), (False,))
    body = If(Binary("eq", count, Const(32, 0), 1), finish)
    return Process(Kind.EVENTS, body, (Event("any", count),), "programs", region="postponed")
