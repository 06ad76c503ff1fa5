"""Parameter values from Python: numbers stay numbers, other text becomes a string."""

import pytest

from weft.lang.sv.front_end_options import FrontEndOptions


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-3, "-3"),
        (True, "1"),
        ("12", "12"),
        ("8'hfF", "8'hfF"),
        ("'x", "'x"),
        ("1.5e3", "1.5e3"),
        ("fw.hex", '"fw.hex"'),
        ('"quoted"', '"quoted"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
    ],
)
def test_parameter_text(value, text):
    assert FrontEndOptions(parameters={"P": value}).words()[-2:] == ["-G", f"P={text}"]
