"""A command's process ends at once, but with its status, all output, and what was registered for the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

END = "from weft.apps.end_process import end_process"


def ended(code: str, *flags: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, input=typed, timeout=60)


def test_the_status_and_all_output_are_there() -> None:
    done = ended(f"{END}; import sys; print('x' * 100_000); print('e', file=sys.stderr); end_process(3)")
    assert (done.returncode, len(done.stdout), done.stderr) == (3, 100_001, "e\n")


def test_what_was_registered_is_called_and_threads_are_waited_for() -> None:
    done = ended(f"""
import atexit, threading, time
{END}
atexit.register(print, "registered")
def work():
    time.sleep(0.2)
    print("worked")
threading.Thread(target=work).start()
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
end_process(0)
""")
    assert (done.returncode, done.stdout) == (0, "worked\nregistered\n")


def test_objects_are_not_taken_apart() -> None:
    done = ended(f"""
class Kept:
    def __del__(self): print("freed")
kept = Kept()
{END}
end_process(0)
""")
    assert (done.returncode, done.stdout) == (0, "")


def test_who_watches_sees_the_end() -> None:
    assert ended(f"import sys; {END}; sys.setprofile(lambda *_: None); end_process(4)").returncode == 4
    profile = [sys.executable, "-m", "cProfile", "-m", "weft", "--version"]
    assert "function calls" in subprocess.run(profile, capture_output=True, text=True, timeout=60).stdout
    done = ended(f"{END}; end_process(5)", "-i", typed="print('still here')\n")
    assert "still here" in done.stdout


def test_a_full_disk_is_no_success() -> None:
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("w") as full:
        code = f"{END}; print('lost'); end_process(0)"
        assert subprocess.run([sys.executable, "-c", code], stdout=full, timeout=60).returncode == 1


def test_a_reader_that_has_gone_is_no_failure() -> None:
    code = f"{END}; import time; print('lost'); time.sleep(0.5); end_process(0)"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=buffered) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
