"""Random inputs: the same values in a batch, in a lane that is replayed alone, and by NumPy."""

import numpy as np
import pytest

import weft
from weft import UserError
from weft.passes.insert_random import random_words

SOURCE = """
module top(input logic clk, input logic [39:0] a, input logic [99:0] w, output logic [39:0] seen, output logic odd);
  always_ff @(posedge clk) seen <= a;
  assign odd = ^w;
endmodule
"""


@pytest.mark.parametrize("four_state", [False, True])
def test_values(four_state):
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False, four_state=four_state)
    batch = sim.batch(20, "cpu", random={"a": 5, "w": 6})
    lanes = np.arange(20)
    for cycle in range(1, 4):
        batch.run_cycles(1)
        np.testing.assert_array_equal(batch.peek("a"), random_words(5, "top.a", 40, lanes, np.full(20, cycle)))
        np.testing.assert_array_equal(batch.peek("seen"), random_words(5, "top.a", 40, lanes, np.full(20, cycle - 1)))
    alone = batch.lane(7)
    alone.run_cycles(30)
    batch.run_cycles(30)
    assert int(alone.peek("seen")) == int(batch.peek("seen")[7]) and int(alone.peek("w")) > 0
    assert alone.peek("odd") == batch.lane(7).peek("odd") and batch.peek("odd")[7] == int(alone.peek("odd"))


def test_values_are_random():
    values = random_words(1, "top.a", 32, np.arange(1000)[:, None], np.arange(50)[None, :])
    ones = np.unpackbits(values.astype("<u4").view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.002 and len(np.unique(values)) > 49_000
    assert not np.array_equal(values, random_words(2, "top.a", 32, np.arange(1000)[:, None], np.arange(50)[None, :]))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("seen", "'seen' is no input of the top module, so it cannot be random"),
        ("clk", "'clk' is the clock, so it cannot be random"),
    ],
)
def test_what_cannot_be_random(path, message):
    sim = weft.compile(texts={"top.sv": SOURCE}, cache=False)
    with pytest.raises(UserError, match=message):
        sim.batch(2, "cpu", random={path: 1})
