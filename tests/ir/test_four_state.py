"""The 4-state meanings: tables of the standard, agreement with the 2-state meaning, and Icarus Verilog as a peer."""

import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.base.logic import X, Z, digits
from weft.ir.four_state import ALWAYS_KNOWN, EVALUATE4
from weft.ir.ops import CODE, OPS, mask

ZERO, ONE = (0, 0), (1, 0)
LEVELS = {"0": ZERO, "1": ONE, "x": X, "z": Z}


def evaluate(op: str, *sources: str, width: int = 0, param: int = 0) -> str:
    """Apply an operation to values written as binary digits."""
    pairs, widths = [pair(text) for text in sources], [len(text) for text in sources]
    width = width or len(sources[0])
    return digits(*EVALUATE4[CODE[op]](pairs, widths, width, param), width)


def pair(text: str) -> tuple[int, int]:
    value = int("".join("1" if c in "1z" else "0" for c in text), 2)
    return value, int("".join("1" if c in "xz" else "0" for c in text), 2)


TABLES = {
    # Rows and columns are 0, 1, x, z (IEEE 1800-2023 tables 11-11 to 11-13, 6-2, 11-21).
    "and": "0000 01xx 0xxx 0xxx",
    "or": "01xx 1111 x1xx x1xx",
    "xor": "01xx 10xx xxxx xxxx",
    "resolve": "0xx0 x1x1 xxxx 01xz",
    "posedge": "0111 0000 0100 0100",  # row: before (table 9-2)
    "negedge": "0000 1011 1000 1000",
    "changed": "0111 1011 1101 1110",
    "ceq": "1000 0100 0010 0001",
    "eq": "10xx 01xx xxxx xxxx",
    "weq": "1011 0111 xx11 xx11",
    "mux": "0xxx x1xx xxxx xxxx",
}


@pytest.mark.parametrize("op", TABLES)
def test_tables_of_the_standard(op: str):
    for a, row in zip("01xz", TABLES[op].split(), strict=True):
        for b, expected in zip("01xz", row, strict=True):
            sources = ("x", a, b) if op == "mux" else (a, b)
            assert evaluate(op, *sources, width=1) == expected, (a, b)


EXAMPLES = [
    ("not", ("01xz",), 4, "10xx"),
    ("add", ("0001", "000x"), 4, "xxxx"),
    ("udiv", ("0100", "0000"), 4, "xxxx"),
    ("udiv", ("0100", "0010"), 4, "0010"),
    ("spow", ("0000", "1111"), 4, "xxxx"),
    ("spow", ("1111", "1111"), 4, "1111"),
    ("eq", ("1x00", "0x00"), 1, "0"),
    ("eq", ("1x00", "1100"), 1, "x"),
    ("weq", ("1x0z", "1x0z"), 1, "1"),
    ("weq", ("1x0z", "1100"), 1, "x"),
    ("ult", ("0x00", "1000"), 1, "x"),
    ("shl", ("z01x", "01"), 4, "01x0"),
    ("lshr", ("z01x", "01"), 4, "0z01"),
    ("ashr", ("z010", "10"), 4, "zzz0"),
    ("shl", ("0000", "x"), 4, "xxxx"),
    ("sext", ("x010",), 8, "xxxxx010"),
    ("zext", ("z010",), 8, "0000z010"),
    ("mux", ("x", "0z11", "0z10"), 4, "0x1x"),
    ("mux", ("1", "0z11", "0010"), 4, "0z11"),
    ("extract", ("zz01", "001"), 3, "zz0"),
    ("extract", ("zz01", "111"), 3, "01x"),
    ("extract", ("0000", "0x1"), 2, "xx"),
    ("insert", ("0000", "010", "1z1"), 4, "z100"),
    ("insert", ("00z0", "x10", "1z1"), 4, "00z0"),
    ("redand", ("0x11",), 1, "0"),
    ("redand", ("1x11",), 1, "x"),
    ("redor", ("0x10",), 1, "1"),
    ("redor", ("0z00",), 1, "x"),
    ("redxor", ("x000",), 1, "x"),
    ("popcount", ("1x1z",), 3, "010"),
    ("true", ("1x",), 1, "1"),
    ("true", ("0x",), 1, "0"),
    ("isx", ("0z",), 1, "1"),
    ("known", ("01xz",), 4, "0100"),
    ("isz", ("01xz",), 4, "0001"),
    ("resolve", ("01xz", "zzzz"), 4, "01xz"),
]


@pytest.mark.parametrize(("op", "sources", "width", "expected"), EXAMPLES)
def test_examples(op: str, sources: tuple[str, ...], width: int, expected: str):
    assert evaluate(op, *sources, width=width) == expected


WIDTHS = st.integers(1, 70)


@given(st.data(), st.sampled_from([op for op in OPS if EVALUATE4[op.code] is not None]), WIDTHS, WIDTHS)
def test_known_operands_mean_what_they_mean_in_two_states(data: st.DataObject, op, width: int, other: int):
    widths = {
        "same": (width,) * op.arity,
        "compare": (other, other),
        "shift": (width, min(other, 8)),
        "concat": (width, other),
        "slice": (width + other,),
        "extend": (min(width, other),),
        "mux": (1, width, width),
        "insert": (width, 7, other),
        "bit": (other,),
        "bit1": (1, 1),
        "any": (other, 7)[: op.arity],
    }[op.rule]
    result = {"compare": 1, "bit": 1, "bit1": 1, "concat": width + other}.get(op.rule, width)
    values = [data.draw(st.integers(0, mask(w))) for w in widths]
    param = data.draw(st.integers(0, other)) if op.rule == "slice" else 0
    assert op.evaluate is not None
    found = EVALUATE4[op.code]([(value, 0) for value in values], widths, result, param)
    if found[1]:
        outside = op.name == "extract"
        assert outside or op.name in ("udiv", "umod", "sdiv", "smod", "spow", "resolve")
        assert outside or op.name == "resolve" or values[1] == 0 or (op.name == "spow" and values[0] == 0)
    else:
        assert found[0] == op.evaluate(values, widths, result, param)
    unknowns = [data.draw(st.integers(0, mask(w))) for w in widths]
    value, unknown = EVALUATE4[op.code](list(zip(values, unknowns, strict=True)), widths, result, param)
    assert 0 <= value <= mask(result)
    assert 0 <= unknown <= mask(result)
    assert not (op.name in ALWAYS_KNOWN and unknown)


PEER_EXPRESSIONS = {
    "not": "~a", "and": "a & b", "or": "a | b", "xor": "a ^ b", "add": "a + b", "sub": "a - b", "mul": "a * b",
    "udiv": "a / b", "umod": "a % b", "eq": "a == b", "ult": "a < b", "shl": "a << b", "lshr": "a >> b",
    "redand": "&a", "redor": "|a", "redxor": "^a", "ceq": "a === b", "weq": "a ==? b", "isx": "$isunknown(a)",
    "sdiv": "$signed(a) / $signed(b)", "smod": "$signed(a) % $signed(b)", "slt": "$signed(a) < $signed(b)",
    "upow": "a ** b", "spow": "$signed(a) ** $signed(b)",
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
def test_icarus_agrees(tmp_path: Path):
    """Compare 4-bit operations on 200 random operand pairs each."""
    random = Random(1)
    lines, expected = [], []
    for op, expression in PEER_EXPRESSIONS.items():
        width = 1 if OPS[CODE[op]].rule in ("bit", "compare") else 4
        for _ in range(200):
            weights = random.choice(((1, 1, 0, 0), (5, 5, 1, 1)))
            a, b = ("".join(random.choices("01xz", weights, k=4)) for _ in range(2))
            lines.append(f"a = 4'b{a}; b = 4'b{b}; r{width} = {expression}; $display(\"%b\", r{width});")
            sources = (a, b)[: OPS[CODE[op]].arity]
            expected.append((op, a, b, evaluate(op, *sources, width=width)))
    source = tmp_path / "peer.sv"
    source.write_text(
        "module peer; reg [3:0] a, b, r4; reg r1; initial begin\n" + "\n".join(lines) + "\nend endmodule\n"
    )
    binary = tmp_path / "peer"
    subprocess.run(["iverilog", "-g2012", "-o", binary, source], check=True, timeout=60)
    shown = subprocess.run(["vvp", binary], check=True, timeout=60, capture_output=True, text=True).stdout.split()
    assert [(*case[:3], found) for case, found in zip(expected, shown, strict=True)] == expected
