"""Worker threads: results, errors, and what happens when Python ends while they are busy."""

import subprocess
import sys
import threading

import pytest

from weft.base.workers import Workers


def test_jobs_return_and_raise_in_order():
    workers = Workers("test", 2)
    done: list[int] = []
    jobs = [workers.submit(lambda n=n: done.append(n) or n * n) for n in range(20)]
    assert [job.result() for job in jobs] == [n * n for n in range(20)] and sorted(done) == list(range(20))
    failing = workers.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failing.result()
    assert workers.submit(threading.current_thread).result().name.startswith("test-")


def test_python_ends_after_the_present_job_and_drops_the_others():
    """The second job waits for a result that will never come; it must learn so, or Python would never end."""
    program = """
import threading, time
from weft.base.workers import Dropped, Workers
one, other = Workers("one", 1), Workers("other", 1)
begun = threading.Event()

def slow():
    begun.set()
    time.sleep(0.3)
    print("finished")

def wait():
    waiting = other.submit(lambda: print("never"))
    try:
        waiting.result()
    except Dropped:
        print("dropped")

other.submit(slow)
begun.wait()
one.submit(wait)
time.sleep(0.1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stderr, sorted(done.stdout.split())) == ("", ["dropped", "finished"])


def test_python_ends_though_a_present_job_hands_over_another():
    """The thread that would do it has ended by then."""
    program = """
import threading, time
from weft.base.workers import Dropped, Workers
other, one = Workers("other", 1), Workers("one", 1)
begun, ended = threading.Event(), other.submit(threading.current_thread).result()

def late():
    begun.set()
    ended.join()
    try:
        other.submit(lambda: print("never")).result()
    except Dropped:
        print("dropped")

one.submit(late)
begun.wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout.split()) == ("", ["dropped"])
