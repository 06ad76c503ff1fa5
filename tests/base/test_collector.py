"""The collector stays away until the last one that works without it is done, in all threads."""

import gc
import threading

from weft.base.collector import without_collector


def test_it_comes_back_when_the_last_one_is_done() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        inside.set()
        leave.wait()

    thread = threading.Thread(target=without_collector, args=(other,))

    def first() -> None:
        thread.start()
        inside.wait()
        without_collector(lambda: None)
        assert not gc.isenabled()

    assert gc.isenabled()
    without_collector(first)
    assert not gc.isenabled(), "the other thread still works"
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        without_collector(lambda: None)
        assert not gc.isenabled()
    finally:
        gc.enable()
