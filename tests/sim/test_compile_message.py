"""Compiled messages print what `format_message` prints, byte for byte, for random formats, values and descriptors."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.base.errors import WeftError
from weft.base.source import SourceMap
from weft.ir.cone_graph import ConeGraph, Effect, State
from weft.ir.design import SystemTask
from weft.ir.expressions import Text
from weft.ir.graph_builder import GraphBuilder
from weft.ir.layout import container_bytes
from weft.sim.compile_message import compile_message
from weft.sim.run_effects import EffectRunner

NUMBERS = ["%d", "%0d", "%5d", "%05d", "%-7d", "%h", "%0h", "%x", "%12h", "%-h", "%b", "%0b", "%o", "%t", "%0t", "%v"]
OTHERS = ["%s", "%0s", "%9s", "%-9s", "%06s", "%c", "%4c", "%m", "%%", "%e", "%8.3f", " text ", "100%% ", "\n", "\xff"]
PIECES = st.sampled_from([*NUMBERS, *OTHERS])
WIDTHS = st.sampled_from([1, 3, 8, 9, 31, 32, 33, 63, 64, 65, 200, 300])


def effect_graph(task: str, literals: list[Text | None], widths: list[int], signed: list[bool], planes: bool):
    """Return a graph with one effect; `literals[i]` is None where a value is the argument."""
    builder = GraphBuilder()
    nodes = []
    for position, (literal, width) in enumerate(zip(literals, widths, strict=True)):
        builder.states.append(State(f"s{position}", width))
        nodes.append(-1 if literal is not None else builder.read(position))
    statement = SystemTask(task, tuple(literals), tuple(signed))
    unknowns = tuple(nodes) if planes else ()
    one = builder.const(1, 1)
    builder.effects.append(Effect(statement, tuple(nodes), one, 0, "top.unit", unknowns, time_unit_fs=10**6))
    return builder.freeze()


def record(graph: ConeGraph, values: list[tuple[int, int]], time_fs: int) -> bytes:
    """Return an effect's record, as compiled code writes it."""
    effect = graph.effects[0]
    body = b""
    for node, (value, unknown) in zip(effect.args, values, strict=True):
        if node >= 0:
            size = container_bytes(int(graph.width[node]))
            body += value.to_bytes(size, "little")
            body += unknown.to_bytes(size, "little") if effect.unknowns else b""
    size = (16 + len(body) + 7) & ~7
    head = (0).to_bytes(4, "little") + size.to_bytes(4, "little") + time_fs.to_bytes(8, "little")
    return (head + body).ljust(size, b"\0")


@st.composite
def printing(draw: st.DrawFn):
    task = draw(st.sampled_from(["$display", "$write", "$displayh", "$writeb", "$strobeo", "$fdisplay", "$fwriteh"]))
    count = draw(st.integers(1, 6))
    literals: list[Text | None] = [
        Text("".join(draw(st.lists(PIECES, max_size=5)))) if draw(st.booleans()) else None for _ in range(count)
    ]
    widths = [draw(WIDTHS) for _ in range(count)]
    if task.startswith("$f"):
        literals[0] = None
    signed = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    planes = draw(st.booleans())
    graph = effect_graph(task, literals, widths, signed, planes)
    data = b""
    for number in range(draw(st.integers(1, 3))):
        values: list[tuple[int, int]] = []
        for position, width in enumerate(widths):
            value = draw(st.integers(0, (1 << width) - 1))
            unknown = draw(st.integers(0, (1 << width) - 1)) if planes and draw(st.integers(0, 5)) == 0 else 0
            descriptor = task.startswith("$f") and not position
            values.append((1, 0) if descriptor else (value, unknown))
        data += record(graph, values, number * 5_000_000)
    return graph, data


def printed(graph: ConeGraph, data: bytes, compiled: bool) -> bytes:
    said: list[bytes] = []
    runner = EffectRunner(graph, SourceMap(), 1000, said.append)
    if not compiled:
        runner._messages[0] = None  # pyright: ignore[reportPrivateUsage]
    runner.run(data)
    assert compiled or runner._messages == {0: None}  # pyright: ignore[reportPrivateUsage]
    return b"".join(said)


@given(printing())
def test_compiled_messages_print_the_same(case: tuple[ConeGraph, bytes]):
    graph, data = case
    assert printed(graph, data, True) == printed(graph, data, False)


def test_usual_messages_are_compiled():
    graph = effect_graph("$display", [Text("%d 0x%0h %s (%b)"), None, None, None, None], [1, 32, 64, 8, 5], [], False)
    runner = EffectRunner(graph, SourceMap(), 1000, lambda text: None)
    runner.run(record(graph, [(0, 0), (1, 0), (2, 0), (65, 0), (3, 0)], 0))
    assert runner._messages[0] is not None  # pyright: ignore[reportPrivateUsage]


def test_descriptors_keep_their_order_among_outputs(tmp_path: Path):
    """Messages for one place are joined; those for others must not move before or after them."""
    graph = effect_graph("$fwrite", [None, Text("%0d;"), None], [32, 1, 8], [True, False, False], False)
    said: list[bytes] = []
    runner = EffectRunner(graph, SourceMap(), 1000, said.append)
    path = tmp_path / "log"
    file = runner.files.open(str(path), None)
    places = [1, file, file, 1 | file, 0x8000_0001, 1]
    runner.run(b"".join(record(graph, [(place, 0), (0, 0), (n, 0)], 0) for n, place in enumerate(places)))
    runner.files.close_all()
    assert b"".join(said) == b"0;3;4;5;"
    assert path.read_bytes() == b"1;2;3;"


@pytest.mark.parametrize("text", ["%z", "%u", "%p", "%0t%k"])
def test_other_specifications_are_left_to_the_task(text: str):
    """What the task does with them, printing or refusing, is the same."""
    graph = effect_graph("$display", [Text(text), None, None], [1, 8, 8], [False] * 3, False)
    data = record(graph, [(0, 0), (1, 0), (65, 0)], 0)
    formats = EffectRunner(graph, SourceMap(), 1000, lambda text: None).host.state.formats
    assert compile_message(graph.effects[0], [0, 8, 8], formats) is None

    def outcome(compiled: bool) -> bytes | str:
        try:
            return printed(graph, data, compiled)
        except WeftError as error:
            return str(error)

    assert outcome(True) == outcome(False)
