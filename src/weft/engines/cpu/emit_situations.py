"""Emit the code around a region's steps for situations: what chooses one, what makes sure of it, what takes samples.

```
 step of an edge    counts, walks the decision tree (`situations`), and calls through the edge's row (`edge_table`)
   situation        compares the state with what is known in it, and steps; else
     lean step      compares the state with what is known in all situations, and steps; else
       usual step   takes nothing for granted
```

Calls go through the table: so situations are compiled one after the other, and one whose code is not there yet is
stepped by the lean step. The step behind a guard is a module of its own, lest something in it be taken out of the
guard's vectors, which would be slow. The step that takes samples stands in front of
all of this, and copies the state into a ring after some edges, a number that is drawn each time, lest loops of the
design look steady.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.engines.cpu import context as ctx
from weft.engines.cpu import edge_table as words
from weft.engines.cpu.emit_guard import guard_text
from weft.engines.cpu.situations import OTHER, Path
from weft.engines.cpu.unit_text import ARGUMENTS, SIGNATURE
from weft.ir.layout import StateLayout

_BLOCK = 32


def choosing_step(layout: StateLayout, number: int, paths: Sequence[Path]) -> str:
    """Return the step of the edge `number` that calls the situation to which the state leads."""
    lines = [*_row(number), *_count(words.EDGES)]
    _branch(layout, lines, [(path, at) for at, path in enumerate(paths)], "tree")
    lines += ["none:", *_count(words.MISSES), *_call(words.LEAN, "lean")]
    for at in range(len(paths)):
        lines += [f"situation{at}:", *_call(words.FIRST_SITUATION + at, f"at{at}")]
    return _function("region_step", lines)


def _branch(layout: StateLayout, lines: list[str], branches: list[tuple[Path, int]], name: str) -> None:
    """Write what tells situations apart whose paths have led here; the paths are what is left of them."""
    if len(branches) == 1 and not branches[0][0]:
        lines.append(f"br label %situation{branches[0][1]}")
        return
    if not branches:
        lines.append("br label %none")
        return
    state = branches[0][0][0][0]
    inside: dict[int, list[tuple[Path, int]]] = {}
    for path, at in branches:
        inside.setdefault(path[0][1], []).append((path[1:], at))
    lines += [
        f"%{name}.p = getelementptr i8, ptr %s, i64 {layout.slots[state].offset}",
        f"%{name}.v = load i8, ptr %{name}.p",
    ]
    cases = " ".join(f"i8 {value}, label %{name}.{value}" for value in inside if value != OTHER)
    other = f"{name}.other" if OTHER in inside else "none"
    lines.append(f"switch i8 %{name}.v, label %{other} [{cases}]")
    for value, rest in inside.items():
        label = f"{name}.{'other' if value == OTHER else value}"
        lines.append(f"{label}:")
        _branch(layout, lines, rest, label)


def situation_step(layout: StateLayout, number: int, known: Mapping[int, int]) -> str:
    """Return the function that calls `@known` if what is known in a situation is so, and the lean step otherwise."""
    other = [*_row(number), *_count(words.MISSES), *_call(words.LEAN, "lean")]
    return _guarded(layout, known, other, "situation")


def lean_step(layout: StateLayout, number: int, known: Mapping[int, int]) -> str:
    """Return the function that calls `@known` if the state keeps to its habits, and the usual step otherwise."""
    other = [*_row(number), *_count(words.LOST), *_call(words.USUAL, "usual")]
    return _guarded(layout, known, other, "lean")


def _guarded(layout: StateLayout, known: Mapping[int, int], other: list[str], name: str) -> str:
    lines = [line.strip() for line in guard_text(layout, known).splitlines()]
    lines += ['br i1 %odd, label %other, label %keeps, !prof !{!"branch_weights", i32 1, i32 1000}', "other:", *other]
    lines += ["keeps:", f"%fired = tail call i1 @known{ARGUMENTS}", "ret i1 %fired"]
    return f"declare i1 @known(ptr, ptr, ptr) nounwind\n{_function(name, lines)}"


def sampling_step(layout: StateLayout, number: int) -> str:
    """Return the step of an edge that takes samples of the state and calls the best step that there is."""
    size = layout.memory_offset
    lines = _row(number)
    lines += [*_word(words.COUNTDOWN, "left"), "%less = sub i64 %left, 1", "store i64 %less, ptr %left.p"]
    lines += ["%due = icmp sle i64 %less, 0", "br i1 %due, label %draw, label %call"]
    # The multiplier and the increment are Knuth's (MMIX): the upper bits are good enough.
    lines += ["draw:", *_word(words.DRAW, "seed"), "%product = mul i64 %seed, 6364136223846793005"]
    lines += ["%next = add i64 %product, 1442695040888963407", "store i64 %next, ptr %seed.p"]
    lines += [*_word(words.SHIFT, "shift"), "%distance = lshr i64 %next, %shift"]
    lines += ["store i64 %distance, ptr %left.p", *_word(words.TAKEN, "taken"), *_word(words.ROOM, "room")]
    lines += ["%fits = icmp ult i64 %taken, %room", "br i1 %fits, label %take, label %call"]
    lines += ["take:", *_word(words.RING, "ring"), "%base = inttoptr i64 %ring to ptr"]
    lines += [f"%skip = mul i64 %taken, {size}", "%row.to = getelementptr i8, ptr %base, i64 %skip", "br label %copy"]
    vector = "<4 x i64>"
    lines += ["copy:", "%at = phi i64 [0, %take], [%further, %copy]", "%from = getelementptr i8, ptr %s, i64 %at"]
    lines += ["%to = getelementptr i8, ptr %row.to, i64 %at", f"%part = load {vector}, ptr %from, align 8"]
    lines += [f"store {vector} %part, ptr %to, align 8", f"%further = add i64 %at, {_BLOCK}"]
    lines += [f"%more = icmp ult i64 %further, {size}", "br i1 %more, label %copy, label %taken.now"]
    lines += [
        "taken.now:",
        "%one.more = add i64 %taken, 1",
        "store atomic i64 %one.more, ptr %taken.p release, align 8",
    ]
    lines += ["br label %call", "call:", *_call(words.BEST, "best")]
    return _function("region_sample", lines)


# ------------------------------------------------------------------------------------------- pieces


def _function(name: str, lines: Sequence[str]) -> str:
    text = "\n".join(line if line.endswith(":") else f"  {line}" for line in lines)
    return f"define i1 @{name}{SIGNATURE} {{\nentry:\n{text}\n}}\n"


def _row(number: int) -> list[str]:
    return [
        f"%habits.p = getelementptr i8, ptr %c, i64 {8 * ctx.EDGE_HABITS}",
        "%habits = load ptr, ptr %habits.p",
        f"%row = getelementptr i8, ptr %habits, i64 {number * words.ROW_BYTES}",
    ]


def _word(word: int, name: str) -> list[str]:
    return [f"%{name}.p = getelementptr i8, ptr %row, i64 {8 * word}", f"%{name} = load i64, ptr %{name}.p"]


def _count(word: int) -> list[str]:
    name = f"count{word}"
    return [*_word(word, name), f"%{name}.next = add i64 %{name}, 1", f"store i64 %{name}.next, ptr %{name}.p"]


def _call(word: int, name: str) -> list[str]:
    return [
        f"%{name}.p = getelementptr i8, ptr %row, i64 {8 * word}",
        f"%{name} = load ptr, ptr %{name}.p",
        f"%{name}.r = tail call i1 %{name}{ARGUMENTS}",
        f"ret i1 %{name}.r",
    ]
