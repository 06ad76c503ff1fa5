"""The recursion limit is raised for as long as anybody needs it, in all threads."""

import sys
import threading

from weft.base.recursion import deep_recursion


def test_the_highest_limit_holds_until_the_last_has_left():
    usual = sys.getrecursionlimit()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with deep_recursion(70_000):
            inside.set()
            leave.wait()

    with deep_recursion(60_000):
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait()
        assert sys.getrecursionlimit() == 70_000
        with deep_recursion(10):
            assert sys.getrecursionlimit() == 70_000
    assert sys.getrecursionlimit() == 70_000, "the other thread is still deep"
    leave.set()
    thread.join()
    assert sys.getrecursionlimit() == usual


def test_an_error_leaves_it_as_it_was():
    usual = sys.getrecursionlimit()

    def endless():
        return endless()

    for _ in range(2):
        try:
            with deep_recursion(usual + 500):
                endless()
        except RecursionError:
            pass
        assert sys.getrecursionlimit() == usual
