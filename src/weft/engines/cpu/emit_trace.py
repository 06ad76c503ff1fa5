"""Emit the change detection of a trace: compare every traced value with its last one, record those that differ.

Cost is what matters: a traced run spends most of its time here. So

* a value that is traced is remembered, and cones stop at remembered values: each node is computed at most once, also
  where the functions are split (`CHUNK` nodes at most in one);
* signals that do not depend on a clock input are looked at only when some register or other input has changed since the
  last call, which one sweep over the scalar state tells, or when a memory may have been written: the idle edge of a
  clock costs nearly nothing.

Values live in the context in the form of `tools.waves.change_log`: planes of one or more 32-bit words.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.base.dataclass import dataclass
from weft.engines.cpu import trace_records as rec
from weft.engines.cpu.emit_ops import NodeEmitter
from weft.engines.cpu.emit_step import function_text, module_text
from weft.engines.cpu.emitter import WIDE, words
from weft.engines.cpu.step_graph import step_graph
from weft.ir.cone_graph import ConeGraph, Node
from weft.ir.layout import StateLayout
from weft.ir.ops import CODE

CHUNK = 3000
_SIGNATURE = "(ptr noalias %s, ptr noalias %m, ptr noalias %c, i64 %now, i1 %first) nounwind"
_READ, _MEMREAD = CODE["read"], CODE["memread"]


@dataclass(frozen=True, slots=True)
class TracedNode:
    """Trace the value of a node, and of the node of its unknown plane if that is not -1."""

    value: int
    unknown: int = -1


@dataclass(frozen=True, slots=True)
class TraceText:
    """Hold the module of a trace hook (function `trace`) and where its context keeps things, in bytes."""

    text: str
    planes: tuple[int, ...]
    shadow: int
    size: int


def plane_bytes(width: int) -> int:
    """Return the size of one remembered plane."""
    return 4 if width <= 32 else 8 * words(width)


class TraceEmitter:
    """Emit one trace hook."""

    def __init__(
        self, graph: ConeGraph, layout: StateLayout, signals: Sequence[TracedNode], hot: frozenset[int], chains: bool
    ) -> None:
        self.graph, self.layout, self.signals, self.chains = graph, layout, signals, chains
        self._step = step_graph(graph)
        # Samples of clocks toggle with them, and nothing that people look at depends on them.
        self._hot = hot | {index for index, state in enumerate(graph.states) if state.kind == "sample"}
        offset = rec.HEADER_BYTES + rec.ROW_BYTES * len(signals)
        planes: list[int] = []
        for signal in signals:
            offset = (offset + 7) & ~7
            planes.append(offset)
            offset += plane_bytes(int(graph.width[signal.value])) * (1 if signal.unknown < 0 else 2)
        self._planes = tuple(planes)
        # Reading a window of a plane may touch the word after it.
        self._shadow = (offset + 8 + 63) & ~63
        self._scratch = self._shadow + layout.memory_offset
        self._remembered: dict[int, int] = {}
        self._reads_memory = False

    def emit(self) -> TraceText:
        """Return the module."""
        always, quiet = self._sort_signals()
        functions: list[str] = []
        emitters: list[NodeEmitter] = []
        calls: dict[str, list[str]] = {"always": [], "quiet": []}
        for name, chosen in (("always", always), ("quiet", quiet)):
            for chunk in self._chunks(chosen):
                function = f"{name}{len(calls[name])}"
                emitter = self._function(chunk)
                functions.append(function_text(f"define internal void @{function}", emitter, _SIGNATURE))
                emitters.append(emitter)
                calls[name].append(f"  call void @{function}(ptr %s, ptr %m, ptr %c, i64 %now, i1 %first)")
        text = module_text(functions, emitters)
        text += rec.CHAIN_HELPERS if self.chains else rec.LOG_HELPERS
        text += self._main("\n".join(calls["always"]), "\n".join(calls["quiet"]))
        return TraceText(text, self._planes, self._shadow, self._scratch + 64)

    # ---------------------------------------------------------------------------------------------- choosing

    def _sort_signals(self) -> tuple[list[int], list[int]]:
        """Return the signals to look at on every call, and those to look at when the state has changed."""
        graph = self.graph
        ops, params, starts, sources = (c.tolist() for c in (graph.op, graph.param, graph.start, graph.src))
        needed = {node for signal in self.signals for node in (signal.value, signal.unknown) if node >= 0}
        hot: dict[int, bool] = {}
        for node in self._cone(needed, set()):
            if ops[node] == _READ:
                hot[node] = params[node] in self._hot
            else:
                self._reads_memory = self._reads_memory or ops[node] == _MEMREAD
                hot[node] = any(hot[s] for s in sources[starts[node] : starts[node + 1]])
        always: list[int] = []
        quiet: list[int] = []
        order = sorted(range(len(self.signals)), key=lambda i: max(self.signals[i].value, self.signals[i].unknown))
        for i in order:
            signal = self.signals[i]
            is_hot = hot[signal.value] or (signal.unknown >= 0 and hot[signal.unknown])
            (always if is_hot else quiet).append(i)
        return always, quiet

    def _writing_clocks(self) -> list[int] | None:
        """Return the clock inputs whose positive edges write memories, or None if other events may write them too."""
        graph, clocks = self.graph, set[int]()
        for write in graph.memory_writes:
            match graph.node(graph.domains[write.domain].trigger):
                case Node("posedge", _, (_, now), _) if graph.op[now] == _READ and int(graph.param[now]) in self._hot:
                    clocks.add(int(graph.param[now]))
                case _:
                    return None
        return sorted(clocks)

    def _memory_test(self) -> tuple[str, str]:
        """Return code and operand that say whether a memory may have been written since the last call."""
        if not self._reads_memory:
            return "", "false"
        clocks = self._writing_clocks()
        if clocks is None:
            return "", "true"
        text, result = "", "false"
        for n, clock in enumerate(clocks):
            offset = self.layout.slots[clock].offset
            text += f"""  %mp{n} = getelementptr i8, ptr %s, i64 {offset}
  %mv{n} = load i8, ptr %mp{n}
  %mt{n} = trunc i8 %mv{n} to i1
  %mo{n} = or i1 {result}, %mt{n}
"""
            result = f"%mo{n}"
        return text, result

    def _cone(self, targets: set[int], known: set[int]) -> list[int]:
        """Return the nodes that targets need, in order, not going beyond known ones."""
        starts, sources = self.graph.start, self.graph.src
        found: set[int] = set()
        pending = [node for node in targets if node not in known]
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                more = sources[starts[node] : starts[node + 1]].tolist()
                pending.extend(s for s in more if s not in found and s not in known)
        return sorted(found)

    def _chunks(self, chosen: list[int]) -> list[tuple[list[int], list[int]]]:
        """Split signals into functions; return for each its signals and the nodes that it computes."""
        chunks: list[tuple[list[int], list[int]]] = []
        known: set[int] = set(self._remembered)
        signals: list[int] = []
        nodes: set[int] = set()
        for i in chosen:
            wanted = {n for n in (self.signals[i].value, self.signals[i].unknown) if n >= 0}
            cone = self._cone(wanted, known | nodes)
            if signals and len(nodes) + len(cone) > CHUNK:
                chunks.append((signals, sorted(nodes)))
                for done in signals:
                    known |= {n for n in (self.signals[done].value, self.signals[done].unknown) if n >= 0}
                signals, nodes = [], set()
                cone = self._cone(wanted, known)
            signals.append(i)
            nodes.update(cone)
        if signals:
            chunks.append((signals, sorted(nodes)))
        return chunks

    # ---------------------------------------------------------------------------------------------- emitting

    def _function(self, chunk: tuple[list[int], list[int]]) -> NodeEmitter:
        signals, nodes = chunk
        e = NodeEmitter(self._step, self.layout, self._scratch)
        inside = set(nodes)
        for node in nodes:
            for source in e.sources(node):
                if source not in inside and source not in e.names:
                    self._recall(e, source)
            e.use(node)
        for i in signals:
            for node in (self.signals[i].value, self.signals[i].unknown):
                if node >= 0 and node not in e.names:
                    self._recall(e, node)
            self._compare(e, i)
        for i in signals:
            width = int(self.graph.width[self.signals[i].value])
            self._remembered.setdefault(self.signals[i].value, self._planes[i])
            if self.signals[i].unknown >= 0:
                self._remembered.setdefault(self.signals[i].unknown, self._planes[i] + plane_bytes(width))
        e.add("ret void")
        self._scratch = e.scratch
        return e

    def _recall(self, e: NodeEmitter, node: int) -> None:
        """Take a node's value from where an earlier function has remembered it."""
        at = e.put(f"getelementptr i8, ptr %c, i64 {self._remembered[node]}")
        width = e.width[node]
        e.names[node] = at if width > WIDE else e.container(at, width, plane_bytes(width))

    def _compare(self, e: NodeEmitter, i: int) -> None:
        signal = self.signals[i]
        width = e.width[signal.value]
        size = plane_bytes(width)
        planes = [signal.value] if signal.unknown < 0 else [signal.value, signal.unknown]
        differs = "%first"
        slots: list[str] = []
        for number, node in enumerate(planes):
            slot = e.put(f"getelementptr i8, ptr %c, i64 {self._planes[i] + number * size}")
            slots.append(slot)
            if width > WIDE:
                same = e.call("w_eq", f"ptr {slot}, ptr {e.names[node]}, i64 {words(width)}", "i1")
                other = e.put(f"xor i1 {same}, true")
            else:
                old = e.put(f"load i{8 * size}, ptr {slot}, align 4")
                other = e.put(f"icmp ne i{8 * size} {old}, {e.resize(e.names[node], width, 8 * size)}")
            differs = e.put(f"or i1 {differs}, {other}")
        record, done = e.label(), e.label()
        e.add(f"br i1 {differs}, label %{record}, label %{done}")
        e.add(f"{record}:")
        for slot, node in zip(slots, planes, strict=True):
            e.store_unaligned(slot, e.names[node], width, size)
        if self.chains:
            self._record_chain(e, i, slots, done)
        else:
            self._record_log(e, i, slots[0])
        e.add(f"br label %{done}")
        e.add(f"{done}:")

    def _record_chain(self, e: NodeEmitter, i: int, slots: list[str], done: str) -> None:
        signal = self.signals[i]
        width = e.width[signal.value]
        row = e.put(f"getelementptr i8, ptr %c, i64 {rec.HEADER_BYTES + rec.ROW_BYTES * i}")
        head = f"ptr %c, ptr {row}, i64 %now"
        if signal.unknown >= 0:
            strange, known = e.label(), e.label()
            if width > WIDE:
                some = e.call("w_any", f"ptr {slots[1]}, i64 {words(width)}", "i1")
            else:
                some = e.put(f"icmp ne i{width} {e.names[signal.unknown]}, 0")
            e.add(f"br i1 {some}, label %{strange}, label %{known}")
            e.add(f"{strange}:")
            if width == 1:
                bit = e.resize(e.names[signal.value], 1, 64)
                e.add(f"call void @chain_strange_bit({head}, i64 {bit})")
            else:
                e.add(f"call void @chain_digits({head}, ptr {slots[0]}, ptr {slots[1]}, i64 {width})")
            e.add(f"br label %{done}")
            e.add(f"{known}:")
        if width == 1:
            e.add(f"call void @chain_bit({head}, i64 {e.resize(e.names[signal.value], 1, 64)})")
        elif width <= 64:
            value = e.resize(e.names[signal.value], width, 64)
            left = e.put(f"shl i64 {value}, {64 - width}")
            swapped = e.put(f"call i64 @llvm.bswap.i64(i64 {left})")
            e.add(f"call void @chain_word({head}, i64 {swapped}, i64 {(width + 7) // 8})")
        else:
            e.add(f"call void @chain_words({head}, ptr {slots[0]}, i64 {width})")

    def _record_log(self, e: NodeEmitter, i: int, slot: str) -> None:
        signal = self.signals[i]
        width = e.width[signal.value]
        size = plane_bytes(width)
        if signal.unknown < 0 and size == 4:
            value = e.resize(e.names[signal.value], width, 64)
            record = e.put(f"or i64 {e.put(f'shl i64 {value}, 32')}, {i}")
            e.add(f"call void @log_word(ptr %c, i64 {record})")
        else:
            total = size * (1 if signal.unknown < 0 else 2)
            e.add(f"call void @log_words(ptr %c, i64 {i}, ptr {slot}, i64 {total})")

    # -------------------------------------------------------------------------------------------------- main

    def _main(self, always: str, quiet: str) -> str:
        time = next(i for i, state in enumerate(self.graph.states) if state.kind == "time")
        time_offset = self.layout.slots[time].offset
        ignored = "\n".join(self._ignore(n, state) for n, state in enumerate(sorted(self._hot | {time})))
        memory_code, memory_test = self._memory_test()
        begin, end = (_CHAIN_BEGIN, _CHAIN_END) if self.chains else (_LOG_BEGIN, _LOG_END)
        return f"""
define i32 @trace(ptr noalias %s, ptr noalias %m, ptr noalias %c) nounwind {{
entry:
  %first.p = getelementptr i64, ptr %c, i64 {rec.FIRST}
  %first64 = load i64, ptr %first.p
  store i64 0, ptr %first.p
  %first = trunc i64 %first64 to i1
  %forced = icmp ugt i64 %first64, 1
  %now.p = getelementptr i64, ptr %c, i64 {rec.NOW}
  %now = load i64, ptr %now.p
  %time.p = getelementptr i8, ptr %s, i64 {time_offset}
  %time = load i64, ptr %time.p
  %any.p = getelementptr i64, ptr %c, i64 {rec.ANY}
  store i64 0, ptr %any.p
{begin}{always}
  %shadow = getelementptr i8, ptr %c, i64 {self._shadow}
{ignored}
  br label %sweep
sweep:
  %i = phi i64 [0, %entry], [%i1, %sweep]
  %acc = phi <8 x i64> [zeroinitializer, %entry], [%acc1, %sweep]
  %sp = getelementptr i8, ptr %s, i64 %i
  %hp = getelementptr i8, ptr %shadow, i64 %i
  %sv = load <8 x i64>, ptr %sp, align 8
  %hv = load <8 x i64>, ptr %hp, align 8
  store <8 x i64> %sv, ptr %hp, align 8
  %x = xor <8 x i64> %sv, %hv
  %acc1 = or <8 x i64> %acc, %x
  %i1 = add i64 %i, 64
  %more = icmp ult i64 %i1, {max(self.layout.memory_offset, 64)}
  br i1 %more, label %sweep, label %swept
swept:
  %all = call i64 @llvm.vector.reduce.or.v8i64(<8 x i64> %acc1)
  %differs = icmp ne i64 %all, 0
{memory_code}  %written = or i1 {memory_test}, %forced
  %unquiet = or i1 %written, %first
  %look = or i1 %differs, %unquiet
  br i1 %look, label %quiet, label %finish
quiet:
{quiet}
  br label %finish
finish:
  %any = load i64, ptr %any.p
  %some = icmp ne i64 %any, 0
  br i1 %some, label %changed, label %idle
{end}}}
"""

    def _ignore(self, number: int, state: int) -> str:
        """Make the shadow of a state that is not to count as a change equal to it."""
        slot = self.layout.slots[state]
        kind = f"i{8 * min(slot.stride, 8)}"
        return f"""  %is{number} = getelementptr i8, ptr %s, i64 {slot.offset}
  %ih{number} = getelementptr i8, ptr %shadow, i64 {slot.offset}
  %iv{number} = load {kind}, ptr %is{number}
  store {kind} %iv{number}, ptr %ih{number}"""


_CHAIN_BEGIN = ""

_CHAIN_END = f"""changed:
  %times.p = getelementptr i64, ptr %c, i64 {rec.TIMES}
  %times = load ptr, ptr %times.p
  %slot = getelementptr i64, ptr %times, i64 %now
  store i64 %time, ptr %slot
  %now1 = add i64 %now, 1
  store i64 %now1, ptr %now.p
  %limit.p = getelementptr i64, ptr %c, i64 {rec.TIMES_LIMIT}
  %limit = load i64, ptr %limit.p
  %late = icmp uge i64 %now1, %limit
  %late32 = zext i1 %late to i32
  %full = load i64, ptr %c
  %full32 = trunc i64 %full to i32
  %stop = or i32 %late32, %full32
  ret i32 %stop
idle:
  ret i32 0
"""

_LOG_BEGIN = f"""  %log.p = getelementptr i64, ptr %c, i64 {rec.LOG}
  %log = load ptr, ptr %log.p
  store i32 -1, ptr %log, align 4
  %log1 = getelementptr i8, ptr %log, i64 4
  store i64 %time, ptr %log1, align 4
  %log2 = getelementptr i8, ptr %log, i64 12
  store ptr %log2, ptr %log.p
"""

_LOG_END = f"""changed:
  %cursor = load ptr, ptr %log.p
  %limit.p = getelementptr i64, ptr %c, i64 {rec.LOG_LIMIT}
  %limit = load ptr, ptr %limit.p
  %over = icmp ugt ptr %cursor, %limit
  %stop = zext i1 %over to i32
  ret i32 %stop
idle:
  store ptr %log, ptr %log.p
  ret i32 0
"""
