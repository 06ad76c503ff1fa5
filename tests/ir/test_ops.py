"""The op table: its documentation page is current, and its 2-state meanings are what they should be."""

from pathlib import Path

import pytest

from weft.engines.reference.program import ReferenceProgram
from weft.ir.four_state import ALWAYS_KNOWN
from weft.ir.ops import BY_NAME, OPS
from weft.ir.parse_graph import parse_graph
from weft.ir.program import Clock

PAGE = Path(__file__).parents[2] / "docs" / "cone-graph.md"


def operations_table() -> str:
    rows = ["| operation | sources | widths | meaning | |", "|---|---|---|---|---|"]
    for op in OPS:
        notes = ["4-state"] * op.four_state_only + ["known"] * (op.name in ALWAYS_KNOWN)
        sources = "any" if op.arity < 0 else str(op.arity)
        meaning = op.doc.replace("|", "\\|")
        rows.append(f"| `{op.name}` | {sources} | {op.rule} | {meaning} | {', '.join(notes)} |")
    return "\n".join(rows)


def test_the_page_has_the_table(request: pytest.FixtureRequest):
    text = PAGE.read_text()
    head, rest = text.split("<!-- begin operations", 1)
    comment, rest = rest.split("-->\n", 1)
    table, tail = rest.split("<!-- end operations -->", 1)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(f"{head}<!-- begin operations{comment}-->\n{operations_table()}\n<!-- end operations -->{tail}")
        table = operations_table() + "\n"
    assert table == operations_table() + "\n", "run pytest tests/ir/test_ops.py --update-golden"


def test_the_example_on_the_page_is_a_graph_that_counts():
    text = "graph two_state" + PAGE.read_text().split("```\ngraph two_state", 1)[1].split("```", 1)[0]
    program = ReferenceProgram(parse_graph(text))
    state = program.layout.allocate()
    result = program.run(state, [Clock(1, 10, 5, 10)], 100)
    assert program.layout.read(state, 3) == 10
    assert len(result.effects) == 10 * 24


EXAMPLES = [
    ("add", (250, 10), (8, 8), 8, 0, 4),
    ("sub", (1, 2), (8, 8), 8, 0, 255),
    ("udiv", (7, 0), (8, 8), 8, 0, 0),
    ("sdiv", (0xF9, 2), (8, 8), 8, 0, 0xFD),  # -7 / 2 is -3
    ("smod", (0xF9, 2), (8, 8), 8, 0, 0xFF),  # -7 % 2 is -1
    ("sdiv", (0x80, 0xFF), (8, 8), 8, 0, 0x80),  # -128 / -1 wraps
    ("upow", (3, 200), (8, 8), 8, 0, pow(3, 200, 256)),
    ("spow", (0xFF, 0xFF), (8, 8), 8, 0, 0xFF),  # (-1) ** -1 is -1
    ("spow", (2, 0xFF), (8, 8), 8, 0, 0),  # 2 ** -1 is 0
    ("spow", (1, 0xFF), (8, 8), 8, 0, 1),
    ("shl", (1, 9), (8, 70), 8, 0, 0),
    ("ashr", (0x80, 1 << 69), (8, 70), 8, 0, 0xFF),
    ("slt", (0x80, 0x7F), (8, 8), 1, 0, 1),
    ("concat", (1, 2, 3), (1, 3, 4), 8, 0, 0b0011_010_1),
    ("slice", (0xAB, ), (8,), 4, 4, 0xA),
    ("sext", (0b10,), (2,), 5, 0, 0b11110),
    ("extract", (0xAB, 4), (8, 4), 8, 0, 0x0A),
    ("extract", (0xAB, 0xE), (8, 4), 8, 0, 0xAC),  # from bit -2 up
    ("extract", (0xAB, 0x80000000), (8, 32), 8, 0, 0),
    ("insert", (0xFF, 6, 0), (8, 4, 4), 8, 0, 0x3F),
    ("insert", (0xFF, 0xE, 0), (8, 4, 4), 8, 0, 0xFC),
    ("insert", (0b11, 0xF, 0xFF), (2, 4, 8), 2, 0, 0b11),  # no bits beyond the result
    ("popcount", (0xFF,), (8,), 3, 0, 0),
    ("posedge", (0, 1), (1, 1), 1, 0, 1),
    ("negedge", (0, 1), (1, 1), 1, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "widths", "width", "param", "expected"), EXAMPLES)
def test_meaning(name: str, values: tuple[int, ...], widths: tuple[int, ...], width: int, param: int, expected: int):
    evaluate = BY_NAME[name].evaluate
    assert evaluate is not None
    assert evaluate(values, widths, width, param) == expected
