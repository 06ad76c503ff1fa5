"""The order in which code for situations is compiled: by what it saves for its work."""

from __future__ import annotations

from weft.engines.cpu.rank_situations import Candidate, rank_situations


def test_what_saves_most_for_its_work_comes_first():
    seldom, long, often, short = Candidate(0.1, 100), Candidate(0.4, 900), Candidate(0.3, 300), Candidate(0.1, 20)
    assert rank_situations([seldom, long, often, short], 1000, 1000)[0] == [3, 0, 2, 1]


def test_the_step_for_all_comes_where_enough_edges_have_no_code_yet():
    halves = [Candidate(0.5, 400), Candidate(0.5, 300)]
    assert rank_situations(halves, 1000, 1000) == ([1, 0], 2)  # it saves nothing
    assert rank_situations(halves, 100, 1000) == ([1, 0], 0)  # it is shorter than what it is for
    assert rank_situations([Candidate(0.9, 100), Candidate(0.05, 480)], 500, 1000) == ([0, 1], 1)
    assert rank_situations([], 500, 1000) == ([], 0)
