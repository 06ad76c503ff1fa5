"""Test benches of batches: coroutines that set inputs, let cycles pass and look at outputs, for all lanes at once.

The test bench writes blocks of cycles (`bench_block`). Three ways to synchronise say what the device does meanwhile:

`strict`     The test bench writes, the device runs, the test bench reads, in turn. What is read is what the design has
             after the cycles that were written; the cost is that one waits for the other.
`pipelined`  Two buffers: while the device runs block n the test bench writes block n + 1, and sends it there when it is
             written (`sim.stimulus.planes`). They are swapped when both are done, so each waits for the slower one and
             nothing piles up. What is read is how block n - 1 ended. It does not depend on how fast either is.
`async`      Messages: the device runs block after block and waits for nobody. What the test bench sets is sent to it
             meanwhile (`sim.stimulus.row_mail`) and takes effect where the next block begins, and what is read is how
             the last one ended. Which block that is depends on how fast either is; a record (`sim.stimulus.record`)
             tells it afterwards.

All waiting is for cycles: when every coroutine waits for a cycle, time goes on to the first of these.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weft.base.dataclass import dataclass
from weft.base.errors import UserError
from weft.base.workers import Job, Workers
from weft.sim.lane_handles import LaneValues, check_values
from weft.sim.signal_map import Found
from weft.sim.stimulus.bench_block import BlockWriter, FullBlock
from weft.sim.stimulus.plan import Port
from weft.sim.stimulus.row_mail import RowMail

if TYPE_CHECKING:
    from weft.sim.batch import Batch
    from weft.sim.drive_batch import Prepared

BenchFunction = Callable[["LaneBench"], Coroutine[Any, Any, Any]]

_device = Workers("weft-bench", 1)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Choose how a test bench runs; `DrivenBatch.run_bench` explains the fields."""

    sync: str = "pipelined"
    block: int = 64
    cycles: int | None = None
    watch: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """Be what the test bench sees of the device: signals, and which lanes have ended, after some cycles."""

    values: dict[str, LaneValues]
    finished: NDArray[np.bool_]
    cycle: int


class BenchTask:
    """Be a coroutine that `LaneBench.start` runs; await it to wait for its end and get what it returned."""

    def __init__(self, bench: LaneBench, task: asyncio.Task[Any]) -> None:
        self._bench, self.task = bench, task

    def __await__(self) -> Generator[Any, None, Any]:
        self._bench.idle += 1
        try:
            return (yield from self.task.__await__())
        finally:
            self._bench.idle -= 1


class LaneBench:
    """Be what a test bench drives: inputs, outputs and cycles of all lanes. `Batch.run_bench` makes it."""

    def __init__(self, batch: Batch, options: BenchOptions) -> None:
        if options.sync not in ("strict", "pipelined", "async"):
            raise UserError("bad-option", f"sync is strict, pipelined or async, not '{options.sync}'")
        if options.block < 1:
            raise UserError("bad-option", f"a block has at least one cycle, not {options.block}")
        self.batch, self.options = batch, options
        self.cycle = 0
        self.idle = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._live: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self._ports: dict[str, Port] = {}
        declared = [self._port(path) for path in options.ports]
        self._depth = batch.block_depth(declared or self._widest(), options.block)
        size = min(options.block, self._depth)
        self._writer = BlockWriter(batch.layout, size, batch.recording)
        self._writer.declare(declared, [batch.get(port.found) for port in declared])
        self._watched = self._find_watched()
        self._seen = self._look(0)
        self._job: Job[_Seen] | None = None
        self._mail = RowMail(batch)

    # --------------------------------------------------------------------------------------------- the interface

    def __len__(self) -> int:
        return self.batch.lanes

    @property
    def lanes(self) -> int:
        """Return the number of lanes."""
        return self.batch.lanes

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Say which lanes have ended for good, as far as the test bench can see."""
        if self.options.sync == "strict":
            self._catch_up()
        return self._seen.finished

    @property
    def seen_cycle(self) -> int:
        """Return how many cycles had passed, since the test bench began, at what `peek` shows."""
        return self.cycle if self.options.sync == "strict" else self._seen.cycle

    def __setitem__(self, path: str, values: Any) -> None:
        """Set an input from the next cycle on: an int, or an array over lanes."""
        port = self._port(path)
        row = check_values(path, values, port.width, (self.batch.lanes,), "host")
        if self.options.sync == "async":
            self._mail.send(port, row)
            return
        if self._writer.must_end(port):
            self._end_block()
        self._writer.set(port, row)

    poke = __setitem__

    def peek(self, path: str) -> LaneValues:
        """Return a signal's values in all lanes, as late as `sync` has it."""
        if self.options.sync == "strict":
            self._catch_up()
            return self.batch.peek(path)
        if path not in self._seen.values:
            names = ", ".join(f"'{name}'" for name in self._watched) or "nothing"
            raise UserError(
                "unknown-signal",
                f"a test bench that is not strict sees what is sampled for it, {names}: name '{path}' in watch=",
            )
        return self._seen.values[path].copy()

    __getitem__ = peek

    async def cycles(self, count: int = 1) -> None:
        """Let cycles pass."""
        if count < 1:
            return
        if asyncio.current_task() not in self._live:
            raise UserError(
                "bad-option", "only coroutines that the test bench knows can wait: begin this one with start()"
            )
        if self._pass_alone(count):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.cycle + count, next(self._order), future))
        self._changed.set()
        await future

    def _pass_alone(self, count: int) -> bool:
        """Let cycles pass at once if nobody else is there and the block has room for more; say whether that was so."""
        limit, writer = self.options.cycles, self._writer
        alone = len(self._live) == 1 and self.options.sync != "async"
        if not alone or writer.filled + count >= writer.size or (limit is not None and self.cycle + count >= limit):
            return False
        self.cycle += writer.add(count)
        return True

    def start(self, work: Coroutine[Any, Any, Any]) -> BenchTask:
        """Run another coroutine beside this one; cycles pass when all of them wait for some."""
        task = asyncio.get_running_loop().create_task(work)
        self._live.add(task)
        task.add_done_callback(self._ended)
        return BenchTask(self, task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._changed.set()

    # -------------------------------------------------------------------------------------------------- running

    async def run(self, benches: Sequence[BenchFunction]) -> None:
        """Run test benches to their end, or to the last cycle."""
        for bench in benches:
            self.start(bench(self))
        conduct = self._conduct_freely if self.options.sync == "async" else self._conduct
        try:
            await conduct()
        finally:
            for task in self._live:
                task.cancel()
            await asyncio.gather(*self._live, return_exceptions=True)
            if self._job is not None:
                self._job.settled()
        self._finish()

    def _all_wait(self) -> bool:
        """Forget tasks that have ended, raise what one of them raised, and say whether all others wait for cycles."""
        for task in [task for task in self._live if task.done()]:
            self._live.discard(task)
            if not task.cancelled() and task.exception() is not None:
                raise task.exception() or AssertionError
        return len(self._waiting) + self.idle >= len(self._live)

    async def _conduct(self) -> None:
        """Go on by cycles whenever everybody waits."""
        limit = self.options.cycles
        while True:
            self._changed.clear()
            waits = self._all_wait()
            if not self._live:
                return
            if not waits or not self._waiting:
                await self._changed.wait()
                continue
            target = self._waiting[0][0] if limit is None else min(self._waiting[0][0], limit)
            while self.cycle < target:
                self.cycle += self._writer.add(target - self.cycle)
                if self._writer.filled == self._writer.size:
                    await self._hand_over()
            if self._over():
                return
            self._wake()

    def _over(self) -> bool:
        """Say whether the last cycle has been reached, or every lane has ended."""
        return self.cycle == self.options.cycles or bool(self._seen.finished.all())

    def _wake(self) -> None:
        """Go on with who has waited for the present cycle."""
        while self._waiting and self._waiting[0][0] <= self.cycle:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)
        # They run before the event is looked at again.
        self._changed.set()

    async def _conduct_freely(self) -> None:
        """Let the device run in its own thread, and wake who has waited long enough."""
        loop, stop = asyncio.get_running_loop(), threading.Event()
        self._job = self._send(lambda: self._run_freely(stop, lambda: loop.call_soon_threadsafe(self._changed.set)))
        try:
            while True:
                self._changed.clear()
                self._all_wait()
                if not self._live or self._job.is_done:
                    break
                self.cycle = self._seen.cycle
                self._wake()
                self._changed.clear()
                await self._changed.wait()
        finally:
            stop.set()
            self._job.settled()
        self._seen = self._job.result()
        self.cycle = self._seen.cycle

    def _run_freely(self, stop: threading.Event, tell: Callable[[], Any]) -> _Seen:
        """Run block after block until told to stop or the last cycle; each begins with the messages that are there."""
        batch, cycle, limit = self.batch, 0, self.options.cycles
        seen = self._seen
        while not stop.is_set() and (limit is None or cycle < limit) and not seen.finished.all():
            self._mail.deliver()
            count = self.options.block if limit is None else min(self.options.block, limit - cycle)
            batch.run_cycles(count)
            cycle += count
            self._seen = seen = self._look(cycle)
            tell()
        return seen

    async def _hand_over(self) -> None:
        """Give a full block to the device: at once in strict mode, else when it has run the one before."""
        block = self._writer.take()
        if block is None:
            return
        if self.options.sync == "strict":
            self._run_block(block)
            self._seen = self._look(self.cycle)
            return
        ready = self._send_ahead(block)
        await self._wait()
        self._job = self._submit(block, ready)

    def _send_ahead(self, block: FullBlock) -> Prepared | None:
        """Send a block's rows to the device, while it runs the block before if they have their place there."""
        if not block.rows:
            return None
        if self._job is not None and not self.batch.has_planes(block.ports, self._depth):
            self._job.settled()
        return self.batch.send_block(block.rows, block.ports, self._depth)

    def _submit(self, block: FullBlock, ready: Prepared | None) -> Job[_Seen]:
        cycle = self.cycle

        def work() -> _Seen:
            self._run_block(block, ready)
            return self._look(cycle)

        return self._send(work)

    def _send(self, work: Callable[[], _Seen]) -> Job[_Seen]:
        """Give the device's thread work, and wake the event loop when that is done."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the event loop may have ended with whoever waited for the work
                loop.call_soon_threadsafe(self._changed.set)

        return _device.submit(work, tell)

    async def _wait(self) -> None:
        """Wait for the block that runs, without holding up the event loop, and see how it ended."""
        job = self._job
        if job is not None:
            while not job.is_done:
                self._changed.clear()
                if not job.is_done:
                    await self._changed.wait()
            self._job = None
            self._seen = job.result()

    def _end_block(self) -> None:
        """End the block early, and wait for the device if it runs another."""
        block = self._writer.take()
        if block is None:
            return
        if self.options.sync == "strict":
            self._run_block(block)
            return
        ready = self._send_ahead(block)
        if self._job is not None:
            self._seen = self._job.result()
        self._job = self._submit(block, ready)

    def _catch_up(self) -> None:
        """Run what was written, so that the device is where the test bench is."""
        block = self._writer.take()
        if block is not None:
            self._run_block(block)
        self._seen = self._look(self.cycle)

    def _run_block(self, block: FullBlock, ready: Prepared | None = None) -> None:
        """Run a block, which may have been sent."""
        batch = self.batch
        for port, row in block.pokes.items():
            batch.put(port.path, port.found, slice(None), row)
        if block.rows:
            ready = ready or batch.send_block(block.rows, block.ports, self._depth)
            batch.run_block(ready, block.ports, self._depth)
        elif block.cycles:
            batch.run_cycles(block.cycles)

    def _finish(self) -> None:
        """Run what is left of the last block."""
        if self._job is not None and self.options.sync != "async":
            self._seen = self._job.result()
        self._job = None
        if self.options.sync == "async":
            self._mail.deliver()
            return
        block = self._writer.take()
        if block is not None:
            self._run_block(block)

    # -------------------------------------------------------------------------------------------------- signals

    def _port(self, path: str) -> Port:
        """Return an input by any of its paths."""
        port = self._ports.get(path)
        if port is None:
            ((port, _),) = self.batch.find_ports({path: None}).items()
            self._ports[path] = port
        return port

    def _widest(self) -> list[Port]:
        """Return the widest input of the top, if there is one."""
        return sorted(self.batch.inputs(), key=lambda port: -port.width)[:1]

    def _find_watched(self) -> dict[str, Found]:
        """Return what is sampled after each block: the outputs of the top by default."""
        batch = self.batch
        if self.options.sync == "strict":
            return {}
        if self.options.watch:
            return {path: batch.signals.find(path) for path in self.options.watch}
        found: dict[str, Found] = {}
        for scope in batch.design.graph.scopes:
            for port in scope.module.ports if scope.parent < 0 else ():
                if port.direction == "output":
                    found[port.signal.name] = batch.signals.find(f"{scope.path}.{port.signal.name}")
        return found

    def _look(self, cycle: int) -> _Seen:
        """Return what the test bench will see of the device as it is."""
        values = {path: self.batch.get(found) for path, found in self._watched.items()}
        return _Seen(values, self.batch.finished, cycle)
