"""`weft run --engine` says what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from weft.base.errors import Unsupported
from weft.sim.event_simulation import run
from weft.sim.run_plan import RunPlan


def test_the_cycle_engine_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "t.v"
    source.write_text("module t; initial $finish(0); endmodule")
    with pytest.raises(Unsupported, match="cycle engine"):
        run(RunPlan((str(source),), engine="cycle"))
