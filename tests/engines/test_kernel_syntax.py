"""The parser of kernels makes the trees that Python's makes, and says where it cannot."""

import ast
import re
from pathlib import Path

import pytest

import weft
from weft.engines.event.kernel_syntax import read_functions

MARKS = frozenset({"kernel", "inlined", "apart"})
FILES = [
    path
    for path in sorted(Path(weft.__file__).parent.rglob("*.py"))
    if re.search(r"^@(kernel|inlined|apart)$", path.read_text(), re.MULTILINE)
]


def of_python(source):
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return [
        node for node in functions if MARKS & {mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)}
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_all_kernels(path):
    source = path.read_text()
    found = list(read_functions(source, MARKS))
    assert [ast.dump(node) for node in found] == [ast.dump(node) for node in of_python(source)] and found


def test_syntax():
    source = '''
@kernel
@apart
def f(
    a: int,
    b: int,
) -> int:
    """Say "something" in
    two lines."""
    x = 1 + 2 * -a // 0x1F_00 % b << 3 >> ~1 & 7 | 8 ^ 0b11 - (a - b) - 4  # that is it

    if not a == 1 or b != 2 and (a < 3 or a >= b):
        u64[a + 8] -= u8[u32[b]]
        while 1:
            x <<= f(g(), (x), 1)[2]
            break
    elif a:
        continue
    elif (
        b
    ):
        pass
    else:
        return
    return not (
        a
    )


def not_one(a):
    return [a for a in range(3)]


@inlined
def g() -> int:
    return 0
'''
    found = list(read_functions(source, MARKS))
    assert [ast.dump(node) for node in found] == [ast.dump(node) for node in of_python(source)] and len(found) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return a.b", "no token of a kernel: '.b"),
        ("return a if b else c", "a kernel has 'if' where ';' is expected"),
        ("return (a, b)", "a kernel has ',' where ')' is expected"),
        ("return )", "a kernel has ')' where a value is expected"),
    ],
)
def test_what_no_kernel_has(body, message):
    with pytest.raises(SyntaxError, match=re.escape(message)):
        list(read_functions(f"@kernel\ndef f(a: int) -> int:\n    {body}\n", MARKS))
