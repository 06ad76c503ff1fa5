"""What `unique`, `unique0` and `priority` forbid, in initial procedures of cycle engines: as in the event engine."""

import re

import pytest

import weft
from events.run_events import run_events

CHOICES = {
    "unique if, none": "unique if (a == 1) y = 1; else if (a == 2) y = 2;",
    "unique if, two": "unique if (a[0]) y = 1; else if (a[1]) y = 2; else y = 3;",
    "unique0 if, none": "unique0 if (a == 1) y = 1; else if (a == 2) y = 2;",
    "unique0 if, two": "unique0 if (a[0]) y = 1; else if (a[1]) y = 2;",
    "priority if": "priority if (a == 1) y = 1; else if (a == 2) y = 2;",
    "nothing forbidden": "priority if (a[0]) y = 1; else if (a[1]) y = 2;",
    "a call": "unique if (a[0]) y = 1; else if (next(a) == 4) y = 2; else if (a[1]) y = 3;",
    "unique case, none": "unique case (a) 1: y = 1; 2: y = 2; endcase",
    "unique case, two": "unique casez (a) 4'b???1: y = 1; 4'b??1?: y = 2; default: y = 3; endcase",
    "unique case, one": "unique case (a) 1, 3: y = 1; 2: y = 2; endcase",
    "unique0 case": "unique0 case (1'b1) a[0]: y = 1; a[1]: y = 2; endcase",
    "priority case": "priority case (a) inside [4:7]: y = 1; endcase",
    "several times": "for (int i = 0; i < 4; i++) unique case (i) 1: y = 1; 2: y = 2; endcase",
}


@pytest.mark.parametrize("four_state", [False, True])
@pytest.mark.parametrize("name", CHOICES)
def test_both_engines_say_the_same(name, four_state):
    text = f"""module t; reg [3:0] a = 3; int y = 0;
  function automatic int next(input int x); return x + 1; endfunction
  initial begin
    {CHOICES[name]}
    $display("y is %0d", y);
  end
endmodule"""
    said: list[bytes] = []
    with weft.compile(texts={"t.sv": text}, output=said.append, four_state=four_state) as sim:
        sim.step()
    expected, _ = run_events(text)
    # The event engine reports in the observed region, so after what the procedure prints.
    assert sorted(_lines(b"".join(said).decode())) == sorted(_lines(expected))


def _lines(text: str) -> list[str]:
    return [re.sub(r"\s*Time:.*", "", line) for line in text.splitlines()]
