"""End the process of a command at once.

What Python does at its end, to free all objects and modules one by one, takes a tenth of a second after a design was
compiled: slang's module alone has 7,000 functions. The operating system takes all memory back anyway. So a command ends
as Python's own `multiprocessing` ends its processes: it waits for threads that want to be waited for, calls what was
registered with `atexit` (threads that compile finish what they do, `base.workers`), writes out what is buffered, and
leaves.

Where somebody watches, a profiler, a tracer or a prompt that is to follow, the process ends in the usual way.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def end_process(status: int) -> NoReturn:
    """End the process with an exit status."""
    watched = sys.getprofile() is not None or sys.gettrace() is not None
    if watched or sys.flags.inspect or os.environ.get("PYTHONINSPECT"):
        sys.exit(status)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # pyright: ignore[reportUnnecessaryComparison]
                stream.flush()
        except BrokenPipeError:
            pass  # who reads it has gone, and misses nothing
        except (OSError, ValueError):  # the disk is full, or it is closed
            status = status or 1
    os._exit(status)
