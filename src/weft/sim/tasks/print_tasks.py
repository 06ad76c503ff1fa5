"""`$display`, `$write`, `$strobe`, `$monitor`, their file and base variants, severity tasks and string formatting.

`$strobe` and `$monitor` are printed as `$display` is: the engine calls them in the postponed region, with the values of
that time (IEEE 1800-2023 21.2.2, 21.2.3), a monitor again whenever an argument has changed. What a severity task prints
is worded as Icarus Verilog does; a `$fatal` ends the simulation with exit status 1, as in vvp.
"""

from __future__ import annotations

from weft.sim.format_values import FormatContext, format_first, format_message
from weft.sim.tasks.task_call import Handler, TaskCall

_STEMS = ("display", "write", "strobe", "monitor")


def context_of(call: TaskCall) -> FormatContext:
    """Return the simulation's format context, set for a call."""
    context = call.host.state.formats
    context.scope = call.scope
    context.time_unit_fs, context.module_precision_fs = call.unit_fs, call.precision_fs
    context.task, context.warn, context.span = call.name, call.warn, call.span
    return context


def checked_descriptor(call: TaskCall, index: int = 0) -> int:
    """Return a descriptor argument, or 0 after a warning if no file is open there; 0 itself is silent."""
    descriptor = call.int32(index) & 0xFFFFFFFF
    if not descriptor or call.host.state.files.is_open(descriptor):
        return descriptor
    kind = "file descriptor" if descriptor >> 31 else "MCD"
    call.warn(f"invalid {kind} (0x{descriptor:x}) given to {call.name}().")
    return 0


def _printer(stem: str, base: str, to_file: bool) -> Handler:
    end = b"" if stem == "write" else b"\n"

    def perform(call: TaskCall) -> None:
        if not to_file:
            call.host.out.write(format_message(call.shown(), context_of(call), base) + end)
            return
        if stem in ("strobe", "monitor"):  # the file may have been closed since
            descriptor = call.int32(0) & 0xFFFFFFFF
            if not descriptor or not call.host.state.files.is_open(descriptor):
                return
        else:
            descriptor = checked_descriptor(call)
            if not descriptor:
                return
        call.host.state.files.write(descriptor, format_message(call.shown(1), context_of(call), base) + end)

    return perform


def _severity(label: str) -> Handler:
    def perform(call: TaskCall) -> None:
        start, level = 0, 1
        if label == "FATAL" and call.args and not isinstance(call.args[0], str):
            start, level = 1, call.int32(0)
            if not 0 <= level <= 2:
                call.warn(f"$fatal called with finish_number of {level}, but it must be 0, 1, or 2.")
        host = call.host
        head = f"{label}: {host.place(call.span)}: ".encode("utf-8", "surrogateescape")
        text = format_message(call.shown(start), context_of(call))
        tail = f"\n{'':{len(label)}}  Time: {host.time}  Scope: {call.scope}\n"
        host.out.write(head + text + tail.encode("utf-8", "surrogateescape"))
        if label in ("ERROR", "FATAL"):
            host.report_error()
        if label == "FATAL":
            host.finish(1)

    return perform


def _to_string(base: str) -> Handler:
    def perform(call: TaskCall) -> None:
        text = format_message(call.shown(1), context_of(call), base)
        _put_formatted(call, text)

    return perform


def _sformat(call: TaskCall) -> None:
    """Format by one format string; extra arguments are warned about, as Icarus Verilog does."""
    _put_formatted(call, _by_format(call, 1))


def _put_formatted(call: TaskCall, text: bytes) -> None:
    if b"\0" in text:
        call.warn(f"{call.name} returned a value with an embedded NULL (see %u/%z).")
    call.put_text(0, text.decode("latin-1"))


def _sformatf(call: TaskCall) -> str:
    if call.name == "$sformatf" or call.name == "$psprintf":
        return format_message(call.shown(), context_of(call)).decode("latin-1")
    return format_message(call.shown(), context_of(call), call.name[-1]).decode("latin-1")


def _by_format(call: TaskCall, index: int) -> bytes:
    form = call.text(index)
    if not form.isascii():
        form = form.encode("latin-1").decode("utf-8", "surrogateescape")
    return format_first(form, call.shown(index + 1), context_of(call))


def _enable_monitor(call: TaskCall) -> None:
    call.host.enable_monitor(call.name == "$monitoron")


TASKS: dict[str, Handler] = {
    **{
        f"${'f' if to_file else ''}{stem}{base}": _printer(stem, base or "d", to_file)
        for to_file in (False, True)
        for stem in _STEMS
        for base in ("", "b", "o", "h")
    },
    **{f"${name}": _severity(name.upper()) for name in ("info", "warning", "error", "fatal")},
    **{f"$swrite{base}": _to_string(base or "d") for base in ("", "b", "o", "h")},
    "$sformat": _sformat,
    "$sformatf": _sformatf,
    "$psprintf": _sformatf,
    "$monitoron": _enable_monitor,
    "$monitoroff": _enable_monitor,
}
