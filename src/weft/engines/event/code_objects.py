"""Write the methods that wait: those of mailboxes, semaphores and processes (IEEE 1800-2023 15.3, 15.4, 9.7).

A method that can wait tries first; if that fails the thread waits in the object's list, and tries again when something
changes.
"""

from __future__ import annotations

from weft.engines.event.code_function import FunctionCode
from weft.ir.design import Type
from weft.ir.expressions import SystemCall


def wait_on_object(f: FunctionCode, call: SystemCall) -> None:
    """Write a method that waits until it can be done."""
    from weft.engines.event.code_boxes import waiters_of
    from weft.engines.event.code_expressions import value

    w = f.w
    if not f.thread:
        raise f.unsupported(f"'{call.name}' in a function", call.span)
    kind, _, method = call.name.partition(".")
    attempt = SystemCall(f"{kind}.attempt_{method}", call.args, 32, True, call.span, types=call.types)
    head, wait, done = w.fresh("attempt"), w.fresh("wait"), w.fresh("done")
    w.label(head)
    result = value(f, attempt)
    w.branch(w.compare("ne", 32, result.bits, 0), done, wait)
    w.label(wait)
    if kind == "process":
        lists = SystemCall(f"process.waiters_{method}", call.args[:1], 64, span=call.span, type=Type("chandle", 64))
        waiters = value(f, lists).bits
    else:
        waiters = waiters_of(f, call)
    w.call("append", waiters, "%node")
    f.suspend()
    w.jump(head)
    w.label(done)


WAITING = ("mailbox.put", "mailbox.get", "mailbox.peek", "semaphore.get", "process.await", "process.suspend")
