"""A small language for the runtime's own routines: Python text that becomes LLVM IR.

The scheduler, queues and wait lists of the event engine live in compiled memory and are entered a hundred million
times a second, so they cannot be Python; they must not need a C compiler either. A *kernel* is a Python function,
never run as one, whose values are all 64-bit words: its syntax tree is walked once and written down as LLVM IR.

* `u64[address]`, `u32[...]`, `u8[...]` read and write memory; reads extend with zeros.
* `+ - * // % << >> & | ^ ~`, comparisons (unsigned; `signed_less` compares signed), `and or not`, `if while return`,
  `break continue`; `//` and `%` are unsigned.
* `invoke(function, ...)` calls through an address; `ctz` and `clz` count zeros; names of other kernels call them, and
  names in `EXTERNALS` call the C library; `malloc`, `realloc` and `free` work on the simulation's arena.
* Upper-case names are constants of the Python module that holds the kernels; of an `if` with nothing but one only the
  branch that it chooses is written.

Variables are stack slots that LLVM promotes to registers.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from weft.base.collector import without_collector

Function = TypeVar("Function", bound=Callable[..., object])

EXTERNALS = {
    "memcpy": "declare i64 @memcpy(i64, i64, i64)",
    "memmove": "declare i64 @memmove(i64, i64, i64)",
    "memset": "declare i64 @memset(i64, i64, i64)",
    "memcmp": "declare i32 @memcmp(i64, i64, i64)",
}

_ALLOCATION = {"malloc": "weft_malloc", "realloc": "weft_realloc", "free": "weft_free"}
"""Memory comes from the simulation's arena (`memory_kernels`)."""

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.FloorDiv: "udiv",
    ast.Mod: "urem",
    ast.LShift: "shl",
    ast.RShift: "lshr",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "ult",
    ast.LtE: "ule",
    ast.Gt: "ugt",
    ast.GtE: "uge",
}
_WORDS = {"inlined": "alwaysinline", "apart": "noinline cold"}
"""What LLVM is told of kernels that are marked so."""
_MARKS = frozenset({"kernel", *_WORDS})
_MEMORIES = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}


class Memory:
    """Stand for memory in a kernel's text."""

    def __getitem__(self, address: int) -> int:
        raise NotImplementedError("kernels are compiled, not run")

    def __setitem__(self, address: int, value: int) -> None:
        raise NotImplementedError("kernels are compiled, not run")


u8, u16, u32, u64 = Memory(), Memory(), Memory(), Memory()


def kernel(function: Function) -> Function:
    """Mark a function as a kernel."""
    return function


def inlined(function: Function) -> Function:
    """Mark a kernel that becomes part of all that call it."""
    return function


def apart(function: Function) -> Function:
    """Mark a kernel that is seldom called, so that it stays out of the code of those that call it."""
    return function


def _only_compiled(*arguments: int) -> int:
    raise NotImplementedError("kernels are compiled, not run")


invoke = ctz = clz = signed_less = arena = malloc = realloc = free = memcpy = memmove = memset = memcmp = _only_compiled


def compile_kernels(*modules: ModuleType, chosen: Mapping[str, int] | None = None) -> str:
    """Return the LLVM IR of every kernel of some Python modules, which may call one another's.

    `chosen` gives constants other values than the modules do.
    """
    found: list[tuple[ast.FunctionDef, dict[str, int], frozenset[str]]] = []
    for module in modules:
        constants = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, int)}
        constants |= {name: value for name, value in (chosen or {}).items() if name in constants}
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        # Up to CPython 3.11.7 a collection in the middle of a tree lets another thread begin its own, and the depth of
        # both is counted in one variable (CPython issue 106905): one of them would fail.
        tree = without_collector(functools.partial(ast.parse, source))
        kernels = [node for node in tree.body if isinstance(node, ast.FunctionDef) and _marks(node) & _MARKS]
        # Python has found the variables already; to look for them again takes half of the time.
        found += [(node, constants, frozenset(vars(module)[node.name].__code__.co_varnames)) for node in kernels]
    known = {function.name for function, _, _ in found}
    texts = [_Writer(function, constants, variables, known).text() for function, constants, variables in found]
    intrinsics = ["declare i64 @llvm.cttz.i64(i64, i1)", "declare i64 @llvm.ctlz.i64(i64, i1)"]
    return "\n".join([*EXTERNALS.values(), *intrinsics, *texts])


def _marks(node: ast.FunctionDef) -> set[str]:
    return {mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)}


class _Writer:
    """Write one kernel."""

    def __init__(
        self, function: ast.FunctionDef, constants: dict[str, int], variables: frozenset[str], known: set[str]
    ) -> None:
        self._function = function
        self._constants = constants
        self._variables = variables
        self._known = known
        self._lines: list[str] = []
        self._count = 0
        self._loops: list[tuple[str, str]] = []

    def text(self) -> str:
        """Return the function's LLVM IR."""
        arguments = [argument.arg for argument in self._function.args.args]
        for name in sorted(self._variables):
            self._lines.append(f"  %{name}.slot = alloca i64")
        for name in arguments:
            self._lines.append(f"  store i64 %{name}, ptr %{name}.slot")
        self._block(self._function.body)
        self._lines.append("  ret i64 0")
        head = ", ".join(f"i64 %{name}" for name in arguments)
        marks = " ".join(["nounwind", *(word for mark, word in _WORDS.items() if mark in _marks(self._function))])
        return "\n".join([f"define i64 @{self._function.name}({head}) {marks} {{", *self._lines, "}"])

    def _fresh(self, stem: str = "v") -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def _emit(self, text: str) -> str:
        name = f"%{self._fresh()}"
        self._lines.append(f"  {name} = {text}")
        return name

    def _label(self, name: str) -> None:
        self._lines.append(f"{name}:")

    def _jump(self, label: str) -> None:
        self._lines.append(f"  br label %{label}")

    # ------------------------------------------------------------------------------------------- statements

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._store(target, self._value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                assert isinstance(target, ast.Name | ast.Subscript)
                old = self._value(target)
                self._store(target, self._emit(f"{_BINARY[type(op)]} i64 {old}, {self._value(value)}"))
            case ast.If(test=ast.Name(id=name), body=body, orelse=orelse) if name in self._constants:
                self._block(body if self._constants[name] else orelse)
            case ast.If(test=test, body=body, orelse=orelse):
                then, other, after = self._fresh("then"), self._fresh("else"), self._fresh("after")
                self._branch(test, then, other)
                self._label(then)
                self._block(body)
                self._jump(after)
                self._label(other)
                self._block(orelse)
                self._jump(after)
                self._label(after)
            case ast.While(test=test, body=body):
                head, inside, after = self._fresh("head"), self._fresh("body"), self._fresh("after")
                self._jump(head)
                self._label(head)
                self._branch(test, inside, after)
                self._label(inside)
                self._loops.append((head, after))
                self._block(body)
                self._loops.pop()
                self._jump(head)
                self._label(after)
            case ast.Break() | ast.Continue():
                head, after = self._loops[-1]
                self._jump(after if isinstance(node, ast.Break) else head)
                self._label(self._fresh("dead"))
            case ast.Return(value=value):
                self._lines.append(f"  ret i64 {self._value(value) if value is not None else 0}")
                self._label(self._fresh("dead"))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=value):
                self._value(value)
            case _:
                raise NotImplementedError(ast.dump(node))

    def _store(self, target: ast.expr, value: str) -> None:
        match target:
            case ast.Name(id=name):
                self._lines.append(f"  store i64 {value}, ptr %{name}.slot")
            case ast.Subscript(value=ast.Name(id=memory), slice=address):
                bits = _MEMORIES[memory]
                pointer = self._emit(f"inttoptr i64 {self._value(address)} to ptr")
                narrow = value if bits == 64 else self._emit(f"trunc i64 {value} to i{bits}")
                self._lines.append(f"  store i{bits} {narrow}, ptr {pointer}, align 1")
            case _:
                raise NotImplementedError(ast.dump(target))

    # ------------------------------------------------------------------------------------------- expressions

    def _branch(self, test: ast.expr, then: str, other: str) -> None:
        self._lines.append(f"  br i1 {self._truth(test)}, label %{then}, label %{other}")

    def _truth(self, node: ast.expr) -> str:
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._emit(f"icmp {_COMPARE[type(op)]} i64 {self._value(left)}, {self._value(right)}")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._emit(f"xor i1 {self._truth(operand)}, true")
            case ast.BoolOp(op=op, values=values):
                return self._short_circuit(values, isinstance(op, ast.And))
            case ast.Call(func=ast.Name(id="signed_less"), args=[left, right]):
                return self._emit(f"icmp slt i64 {self._value(left)}, {self._value(right)}")
            case _:
                return self._emit(f"icmp ne i64 {self._value(node)}, 0")

    def _short_circuit(self, values: list[ast.expr], conjunction: bool) -> str:
        slot = self._fresh("truth")
        self._lines.insert(0, f"  %{slot} = alloca i1")
        done = self._fresh("done")
        for i, value in enumerate(values):
            truth = self._truth(value)
            self._lines.append(f"  store i1 {truth}, ptr %{slot}")
            if i + 1 < len(values):
                following = self._fresh("next")
                ways = (following, done) if conjunction else (done, following)
                self._lines.append(f"  br i1 {truth}, label %{ways[0]}, label %{ways[1]}")
                self._label(following)
        self._jump(done)
        self._label(done)
        return self._emit(f"load i1, ptr %{slot}")

    def _value(self, node: ast.expr) -> str:
        match node:
            case ast.Constant(value=int() as value):
                return str(int(value))
            case ast.Name(id=name):
                if name in self._variables:
                    return self._emit(f"load i64, ptr %{name}.slot")
                if name in self._known:
                    return self._emit(f"ptrtoint ptr @{name} to i64")
                return str(self._constants[name])
            case ast.BinOp(left=left, op=op, right=right):
                return self._emit(f"{_BINARY[type(op)]} i64 {self._value(left)}, {self._value(right)}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._emit(f"sub i64 0, {self._value(operand)}")
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self._emit(f"xor i64 {self._value(operand)}, -1")
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self._emit(f"zext i1 {self._truth(node)} to i64")
            case ast.Subscript(value=ast.Name(id=memory), slice=address):
                bits = _MEMORIES[memory]
                pointer = self._emit(f"inttoptr i64 {self._value(address)} to ptr")
                loaded = self._emit(f"load i{bits}, ptr {pointer}, align 1")
                return loaded if bits == 64 else self._emit(f"zext i{bits} {loaded} to i64")
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, [self._value(argument) for argument in arguments])
            case _:
                raise NotImplementedError(ast.dump(node))

    def _call(self, name: str, values: list[str]) -> str:
        if name in ("ctz", "clz"):
            return self._emit(f"call i64 @llvm.{'cttz' if name == 'ctz' else 'ctlz'}.i64(i64 {values[0]}, i1 false)")
        if name == "invoke":
            pointer = self._emit(f"inttoptr i64 {values[0]} to ptr")
            return self._emit(f"call i64 {pointer}({', '.join(f'i64 {value}' for value in values[1:])})")
        if name == "signed_less":
            return self._emit(f"zext i1 {self._emit(f'icmp slt i64 {values[0]}, {values[1]}')} to i64")
        name = _ALLOCATION.get(name, name)
        assert name in self._known or name in EXTERNALS or name == "arena", name
        listed = ", ".join(f"i64 {value}" for value in values)
        if name == "memcmp":
            return self._emit(f"sext i32 {self._emit(f'call i32 @memcmp({listed})')} to i64")
        return self._emit(f"call i64 @{name}({listed})")
