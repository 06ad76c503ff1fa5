"""The fuzzer itself: seeds are repeatable, shrinking keeps what fails, and a few modules agree with Icarus."""

import io
import itertools
from collections import Counter

import pytest
from tests.fuzz.fuzz_containers import ContainerFuzzer, failure
from tests.fuzz.fuzz_events import EventFuzzer, difference, run_weft_events
from tests.fuzz.fuzz_mixed import MixedFuzzer
from tests.fuzz.generate_mixed import generate_mixed
from tests.fuzz.generate_modules import generate_module, generate_stimulus
from tests.fuzz.generate_testbenches import generate_testbench
from tests.fuzz.peers import has_icarus
from tests.fuzz.run_fuzz import Fuzzer, Run, first_difference, run_weft
from tests.fuzz.tree import dialect, either, prune, shrink

from weft.lang.sv.compile_sources import load_design
from weft.sim.event_simulation import EventOptions, EventSimulation


def test_seeds_are_repeatable():
    assert generate_module(7, True).text() == generate_module(7, True).text()
    assert generate_module(7, True).text() != generate_module(8, True).text()
    assert generate_stimulus(7, 20, False) == generate_stimulus(7, 40, False)[:22]


def test_one_group_of_inputs_changes_at_a_time():
    rows = generate_stimulus(3, 60, True)
    assert all(sum(before[name] != row[name] for name in row) <= 1 for before, row in itertools.pairwise(rows))


def test_shrinking_keeps_what_fails():
    tree = generate_module(5, True).tree
    small = shrink(tree, lambda candidate: "always_latch" in candidate.render())
    assert "always_latch" in small.render() and len(small.render()) < len(tree.render()) / 3


def test_engines_agree():
    module, stimulus = generate_module(11, True), generate_stimulus(11, 30, True)
    runs = [run_weft(module.text(), module.name, stimulus, engine, False) for engine in ("cpu", "reference")]
    assert first_difference(*runs) == "" and len(runs[0].outs) == len(stimulus)


def test_differences_are_described():
    want, got = Run(["00", "0100", "1x01"], ["show 1"]), Run(["11", "0100", "1001"], ["show 1"])
    assert first_difference(want, got) == "step 2: out[2] is 0, not x"
    assert first_difference(got, Run(got.outs, [])) == "None is displayed, not 'show 1'"
    assert first_difference(got, got) == ""


def test_dialects():
    text = f"a {either('b ' + either('c', 'd'), 'e')} f"
    assert dialect(text, modern=True) == "a b c f"
    assert dialect(text, modern=False) == "a e f"


@pytest.mark.peer
@pytest.mark.parametrize("two_state", [True, False])
def test_some_seeds_agree_with_icarus(tmp_path, two_state):
    if not has_icarus():
        pytest.skip("Icarus Verilog is not installed: apt install iverilog")
    fuzzer = Fuzzer(("cpu",), tmp_path)
    for seed in range(40, 46):
        fuzzer.check(seed, two_state)
    assert fuzzer.counts["DIFFERENT"] == 0, fuzzer.counts
    assert fuzzer.counts["equal to Icarus"] >= 4


def test_testbenches_are_repeatable_and_run():
    text = generate_testbench(3).render()
    assert text == generate_testbench(3).render() != generate_testbench(4).render()
    lines = run_weft_events(text)
    assert lines == run_weft_events(text) and sum(line.startswith("16:") for line in lines) == 1


def test_testbenches_have_no_races():
    for seed in range(3):
        design = load_design(texts={"fuzz.sv": dialect(generate_testbench(seed).render(), modern=True)})
        simulation = EventSimulation(design, io.BytesIO(), EventOptions(races=True))
        simulation.run()
        assert simulation.races.count == 0


def test_differences_of_outputs_are_described():
    assert difference(["a X1", "b"], ["a x1", "b"]) == ""
    assert difference(["a 1 2", "b"], ["a 1 3", "b"]) == "line 1: '3', not '2'"
    assert difference(["a"], ["a", "b"]) == "line 2: 'b', not None"


def test_pruning_keeps_what_fails():
    tree = generate_testbench(5)
    small = prune(tree, lambda candidate: "sampled" not in candidate.render() and "$strobe" in candidate.render())
    assert "$strobe" in small.render() and small.size() < tree.size() / 2


def test_a_difference_is_made_smaller_and_written(tmp_path, monkeypatch, capsys):
    def run_other(text):
        return ["other"] if "$strobe" in text else run_weft_events(text)

    monkeypatch.setattr("tests.fuzz.fuzz_events.run_vvp", run_other)
    fuzzer = EventFuzzer(tmp_path, 2)
    fuzzer.check(1)
    assert fuzzer.counts["DIFFERENT"] == 1 and "seed 1 (events): line 1:" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "1-events").iterdir()} == {
        "testbench.sv",
        "icarus.sv",
        "icarus.txt",
        "weft.txt",
    }


@pytest.mark.peer
def test_some_testbenches_agree_with_icarus(tmp_path):
    if not has_icarus():
        pytest.skip("Icarus Verilog is not installed: apt install iverilog")
    fuzzer = EventFuzzer(tmp_path)
    for seed in range(4):
        fuzzer.check(seed)
    assert fuzzer.counts["DIFFERENT"] == 0, fuzzer.counts
    assert fuzzer.counts["testbenches equal to Icarus"] >= 3


def test_mixed_execution_agrees_with_events_where_testbenches_race(tmp_path):
    assert generate_mixed(3).render() == generate_mixed(3).render() != generate_mixed(4).render()
    fuzzer = MixedFuzzer(tmp_path)
    for seed in range(3):
        fuzzer.check(seed)
    assert fuzzer.counts["DIFFERENT"] == 0 and fuzzer.counts["regions"] >= 3
    assert fuzzer.counts["situations"] >= 3


def test_a_difference_of_mixed_execution_is_made_smaller(tmp_path, monkeypatch, capsys):
    def difference_of(text):
        return ("line 1: 'a', not 'b'" if "always_comb" in text else "", Counter(regions=1))

    monkeypatch.setattr("tests.fuzz.fuzz_mixed.mixed_difference", difference_of)
    seed = next(seed for seed in range(50) if "always_comb" in generate_mixed(seed).render())
    MixedFuzzer(tmp_path, 5).check(seed)
    written = (tmp_path / f"{seed}-mixed.sv").read_text()
    assert written.count("always") == 1 and f"seed {seed} (mixed)" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(6))
def test_containers_agree_with_their_model(seed):
    assert failure(seed) == ""


def test_a_difference_from_the_model_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.fuzz_containers.run_weft_events", lambda text: ["another line"])
    fuzzer = ContainerFuzzer(tmp_path)
    fuzzer.check(1)
    (folder,) = tmp_path.iterdir()
    assert fuzzer.counts["DIFFERENT"] == 1 and "1 operations" in (folder / "difference.txt").read_text()
    assert "module test" in (folder / "design.sv").read_text()
