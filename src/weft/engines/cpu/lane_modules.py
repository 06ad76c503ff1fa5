"""Write the LLVM modules of a lane program for tiles of lanes: one, or several for a program that is split.

A long program is split into functions (`split_lanes`), which go into modules of about equal length that are compiled
side by side; the first module has the loops, and for each step a function that calls its parts and segments.
"""

from __future__ import annotations

from weft.engines.cpu import lane_context as ctx
from weft.engines.cpu.lane_columns import column_functions
from weft.engines.cpu.lane_emitter import TileBuffer, TileEmitter, call_text, function_text, place_buffer
from weft.engines.cpu.lane_loop import loop_text
from weft.engines.cpu.lane_pages import own_page_text
from weft.engines.cpu.split_lanes import split_steps
from weft.engines.lanes.shape import Shape
from weft.ir.lane_pages import is_paged
from weft.ir.lane_program import LaneEvent, LaneProgram, LaneStep

_MODULE_TEXT = 300_000
"""The characters of text at which a module is full."""


def module_texts(program: LaneProgram, shape: Shape) -> list[str]:
    """Return the modules that run a program: one, unless it is long and its steps share much."""
    steps = _steps(program)
    split = split_steps(program, steps)
    buffer = place_buffer(program if split is None else split.program, shape)
    pieces: dict[str, str] = {}
    calls: dict[str, list[str]] = {}
    for name, bodies in column_functions(program, shape, buffer).items():
        pieces |= bodies
        calls[name] = list(bodies)
    if split is None:
        for name, step in steps.items():
            pieces[name] = TileEmitter(program, step, shape, buffer, guarded=step is program.general).body()
    else:
        calls |= split.calls
        for each in split.functions:
            emitter = TileEmitter(split.program, each.step, shape, buffer, guarded=each.step.name == "general")
            pieces[each.name] = emitter.body()
    functions: list[str] = []
    for name, some in calls.items():
        lines = [*(call_text(each, shape) for each in some), "ret void"]
        functions.append(function_text(name, "\n  ".join(lines), shape))
    own_page = own_page_text(shape, buffer.size) if is_paged(program) else ""
    functions += [_event_text(number, event, shape, buffer.size) for number, event in enumerate(program.events)]
    if not program.events:
        functions.append(function_text("event0", "ret void", shape))
    functions += [loop_text(program, shape, buffer.size), _room_text(buffer)]
    if split is None:
        texts = [function_text(name, body, shape) for name, body in pieces.items()]
        return ["\n".join([own_page, *texts, *functions])]
    heads = [f"declare void @{name}(ptr noalias, i64, ptr noalias, {shape.set}) nounwind" for name in pieces]
    return ["\n".join([*heads, *functions]), *_pack(pieces, shape, own_page)]


def _pack(pieces: dict[str, str], shape: Shape, own_page: str) -> list[str]:
    """Put functions into modules of about equal length; they call nothing but what gives a lane its own page."""
    modules: list[list[str]] = [[]]
    for name, body in pieces.items():
        if sum(map(len, modules[-1])) >= _MODULE_TEXT:
            modules.append([])
        modules[-1].append(function_text(name, body, shape, "define"))
    return ["\n".join([own_page, *module]) for module in modules]


def _steps(program: LaneProgram) -> dict[str, LaneStep]:
    """Return the steps of a program by the names of their functions."""
    steps = {"general": program.general}
    for number, event in enumerate(program.events):
        steps[f"step{number}"], steps[f"after{number}"] = event.step, event.after
        if event.guard is not None and event.usual is not None:
            steps[f"guard{number}"], steps[f"usual{number}"] = event.guard, event.usual
    if program.condition is not None:
        steps["condition"] = program.condition
    return steps


def _room_text(buffer: TileBuffer) -> str:
    """Return the function that says how long a tile's buffer is."""
    return f"define i64 @lanes_room() nounwind {{\n  ret i64 {buffer.size + 8 * ctx.MASK_WORDS}\n}}\n"


def _event_text(number: int, event: LaneEvent, shape: Shape, masks_at: int) -> str:
    """Return the function of an event; where all active lanes have their habits it takes the short way."""
    first = call_text(f"step{number}", shape)
    if event.guard is not None:
        first = f"""%at = getelementptr i8, ptr %b, i64 {masks_at + 8 * (ctx.HOLDS - ctx.MASKS)}
  store {shape.set} 0, ptr %at
  {call_text(f"guard{number}", shape)}
  %holds = load {shape.set}, ptr %at
  %usual = icmp eq {shape.set} %holds, %active
  br i1 %usual, label %short, label %long
short:
  {call_text(f"usual{number}", shape)}
  br label %after
long:
  {first}
  br label %after
after:"""
    last = [] if event.after.empty else [call_text(f"after{number}", shape)]
    return function_text(f"event{number}", "\n  ".join([first, *last, "ret void"]), shape)


def look_text(program: LaneProgram, look: LaneStep, shape: Shape) -> str:
    """Return the module of a look: values of every lane, computed from its state."""
    buffer = place_buffer(program, shape)
    pieces = column_functions(program, shape, buffer)["load_columns"]
    functions = [function_text(name, body, shape) for name, body in pieces.items()]
    functions.append(function_text("look", TileEmitter(program, look, shape, buffer).body(), shape))
    calls = "".join(f"  call void @{name}(ptr %x, i64 %tile, ptr %b, {shape.set} -1)\n" for name in (*pieces, "look"))
    call = f"""define void @lanes_look(ptr noalias %x, i64 %begin, i64 %end, ptr noalias %b) nounwind {{
entry:
  br label %loop
loop:
  %tile = phi i64 [%begin, %entry], [%tile1, %loop]
{calls}  %tile1 = add i64 %tile, 1
  %more = icmp ult i64 %tile1, %end
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""
    return "\n".join([*functions, call])
