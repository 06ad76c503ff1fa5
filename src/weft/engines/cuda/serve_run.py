"""Emit what a resident kernel (`serve_emitter`) does with a lane when a command says that it runs.

A run takes no longer than the command's limit: lanes look at the multiprocessor's clock every `_LOOK_EVERY` slots and
stop between two slots when it is over; the host then says whether to continue. So a run can always be interrupted, and
no kernel outlives the host's interest by more than that. Lanes whose writes have passed the limit of the pages that are
left (`ir.lane_pages`) pause likewise, and the host makes room before they continue.

Each lane keeps its own time here: slots are computed from it as `sim.lane_slots` does.
"""

from __future__ import annotations

from weft.engines.cuda import mailbox as at
from weft.engines.cuda.kernel_emitter import KernelEmitter
from weft.ir.lane_program import LaneStatus

_GLOBAL, _SHARED = "ptr addrspace(1)", "ptr addrspace(3)"
_LOOK_EVERY = 64
"""Slots between two looks at the clock; a power of two."""

_NAP_NS = 200
"""How long a thread sleeps that has waited for long."""


class ServeRun(KernelEmitter):
    """Emit runs in the lane of a thread whose command lies in the memory of its block; `time` is the word's state."""

    time: int

    # ------------------------------------------------------------------------------------------------ small tools

    def _to(self, label: str) -> None:
        """Go on in a new block."""
        self.add(f"br label %{label}")
        self.begin(label)

    def _jump(self, bit: str, label: str) -> None:
        """Go to a label if a bit is 1."""
        go = self.label()
        self.add(f"br i1 {bit}, label %{label}, label %{go}")
        self.begin(go)

    def _flag(self, flags: str, mask: int) -> str:
        return self.put(f"icmp ne i64 {self.put(f'and i64 {flags}, {mask}')}, 0")

    def _place(self, base: str, byte: str | int) -> str:
        return self.put(f"getelementptr i8, {_GLOBAL} {base}, i64 {byte}")

    def _word(self, word: int | str) -> str:
        """Return a word of the command."""
        return self.put(f"load volatile i64, {self._word_at(word)}, align 8")

    def _word_at(self, word: int | str) -> str:
        return f"{_SHARED} {self.put(f'getelementptr i64, {_SHARED} @words, i64 {word}')}"

    def _head(self, bit: int, mask: int) -> str:
        """Return some bits of the command's first word."""
        return self.put(f"and i64 {self.put(f'lshr i64 {self._word(at.HEAD)}, {bit}')}, {mask}")

    def _barrier(self) -> None:
        self.add('call void asm sideeffect "barrier.sync 0;", "~{memory}"() convergent')

    def _voted(self, instruction: str, bit: str) -> str:
        """Return what threads have voted with a bit each; they wait for each other."""
        text = f"{{ .reg .pred p, q; setp.ne.u32 q, $1, 0; {instruction}; selp.u32 $0, 1, 0, p; }}"
        given = self.put(f"zext i1 {bit} to i32")
        found = self.put(f'call i32 asm sideeffect "{text}", "=r,r,~{{memory}}"(i32 {given}) convergent')
        return self.put(f"icmp ne i32 {found}, 0")

    def _all_of_warp(self, bit: str) -> str:
        return self._voted("vote.sync.all.pred p, q, 0xffffffff", bit)

    def _any_of_block(self, bit: str) -> str:
        return self._voted("barrier.red.or.pred p, 0, q", bit)

    def _clock(self) -> str:
        return self.put('call i64 asm sideeffect "mov.u64 $0, %clock64;", "=l,~{memory}"()')

    def _nap(self) -> None:
        self.add(f'call void asm sideeffect "nanosleep.u32 $0;", "r,~{{memory}}"(i32 {_NAP_NS})')

    # --------------------------------------------------------------------------------------------------- the run

    def _run(self, flags: str) -> None:
        """Take the lane to its time, note why it stopped, and keep what a later run needs."""
        settled = self.put("load i32, ptr %stop")
        ended_place, until_place = self._row_of("%ended", 1), self._row_of("%until", 8)
        over = self._if(self._is_end(settled))
        self.add(f"store i8 {self.put(f'trunc i32 {settled} to i8')}, {_GLOBAL} {ended_place}")
        self._join(over)
        rest, done, idle = self.label(), self.label(), self.label()
        self._jump(self.put(f"xor i1 {self._flag(flags, at.RUN)}, true"), rest)
        now = self._get(self._word_of_time())
        self.add(f"store i64 {now}, ptr %now.v")
        again = self._flag(flags, at.CONTINUE)
        kept = self.put(f"load i64, {_GLOBAL} {until_place}")
        self._jump(self.put(f"and i1 {again}, {self.put(f'icmp ule i64 {kept}, {now}')}"), idle)
        self.add("store i32 0, ptr %stop")
        if self.program.condition is not None:
            asked = self.put(f"and i1 {self._flag(flags, at.UNTIL)}, {self.put(f'xor i1 {again}, true')}")
            holds = self._if(asked)
            self._step(self.program.condition)
            self._join(holds)
        gone = self.put(f"zext i8 {self.put(f'load i8, {_GLOBAL} {ended_place}')} to i32")
        stop = self.put("load i32, ptr %stop")
        stop = self.put(f"select i1 {self.put(f'icmp ne i32 {stop}, 0')}, i32 {stop}, i32 {gone}")
        self.add(f"store i32 {stop}, ptr %stop")
        stays = self.put(f"icmp ne i32 {stop}, 0")
        later = self.put(f"add i64 {now}, {self._word(at.DURATION)}")
        until = self.put(f"select i1 {again}, i64 {kept}, i64 {later}")
        until = self.put(f"select i1 {stays}, i64 {now}, i64 {until}")
        self.add(f"store i64 {until}, {_GLOBAL} {until_place}")
        self._jump(stays, done)
        self._slots(now, until, flags)
        self._keep_time()
        self._to(done)
        self._keep_status()
        self.add(f"br label %{idle}")
        # Without a run, only settling can have stopped the lane.
        self.begin(rest)
        told = self._if(self.put(f"icmp ne i32 {settled}, 0"))
        self._keep_status()
        self._join(told)
        self._to(idle)

    def _word_of_time(self) -> int:
        return self.program.places[self.time]

    def _is_end(self, status: str) -> str:
        """Return whether a lane with a status does not go on."""
        least = self.put(f"icmp uge i32 {status}, {int(LaneStatus.FINISH)}")
        return self.put(f"and i1 {least}, {self.put(f'icmp ne i32 {status}, {int(LaneStatus.STOP)}')}")

    def _phase(self, place: str) -> str:
        """Return how many events of a period are at or before a place in it."""
        total = "0"
        for event in self.program.events:
            after = self.put(f"icmp uge i64 {place}, {event.offset_fs}")
            total = self.put(f"add i64 {total}, {self.put(f'zext i1 {after} to i64')}")
        return total

    def _slots(self, now: str, until: str, flags: str) -> None:
        """Run from the present slot to the last, while nothing stops the lane and its time lasts."""
        program, count = self.program, max(1, len(self.program.events))
        period = max(1, program.period_fs)
        whole, end = (self.put(f"udiv i64 {time}, {period}") for time in (now, until))
        first = self._phase(self.put(f"urem i64 {now}, {period}"))
        periods = self.put(f"mul i64 {self.put(f'sub i64 {end}, {whole}')}, {count if program.events else 0}")
        last = self.put(f"add i64 {periods}, {self._phase(self.put(f'urem i64 {until}, {period}'))}")
        self.add(f"store i64 {first}, ptr %slot")
        self.add(f"store i64 {last}, ptr %last.v")
        self.add(f"store i64 {self.put(f'urem i64 {first}, {count}')}, ptr %event")
        self.add("store i1 false, ptr %fire")
        # Clocks of different multiprocessors may differ, so each lane has a deadline of its own.
        self.add(f"store i64 {self.put(f'add i64 {self._clock()}, {self._head(at.LIMIT_BIT, -1)}')}, ptr %deadline.v")
        test, loop, done = self.label(), self.label(), self.label()
        self._to(test)
        slot = self.put("load i64, ptr %slot")
        goes = self.put(f"icmp eq i32 {self.put('load i32, ptr %stop')}, 0")
        if self.paged:
            room = self.put(f"xor i1 {self.put('load i1, ptr %full')}, true")
            goes = self.put(f"and i1 {goes}, {room}")
        left = self.put(f"icmp ult i64 {slot}, {self.put('load i64, ptr %last.v')}")
        self.add(f"br i1 {self.put(f'and i1 {goes}, {left}')}, label %{loop}, label %{done}")
        self.begin(loop)
        self._events(count, self._flag(flags, at.UNTIL))
        slot = self.put(f"add i64 {self.put('load i64, ptr %slot')}, 1")
        self.add(f"store i64 {slot}, ptr %slot")
        self._jump(self.put(f"icmp ne i64 {self.put(f'and i64 {slot}, {_LOOK_EVERY - 1}')}, 0"), test)
        late = self.put(f"icmp uge i64 {self._clock()}, {self.put('load i64, ptr %deadline.v')}")
        self.add(f"br i1 {late}, label %{done}, label %{test}")
        self.begin(done)

    def _keep_time(self) -> None:
        """Set the lane's time: where the run ends, or its last event if it stopped or paused before."""
        count, period = max(1, len(self.program.events)), max(1, self.program.period_fs)
        until_place = self._row_of("%until", 8)
        until = self.put(f"load i64, {_GLOBAL} {until_place}")
        now, slot = self.put("load i64, ptr %now.v"), self.put("load i64, ptr %slot")
        stop = self.put("load i32, ptr %stop")
        stopped = self.put(f"icmp ne i32 {stop}, 0")
        left = self.put(f"icmp ult i64 {slot}, {self.put('load i64, ptr %last.v')}")
        early = self.put(f"or i1 {stopped}, {left}")
        before = self.put(f"sub i64 {slot}, 1")
        start = self.put(f"sub i64 {now}, {self.put(f'urem i64 {now}, {period}')}")
        periods = self.put(f"mul i64 {self.put(f'udiv i64 {before}, {count}')}, {period}")
        event, offset = self.put(f"urem i64 {before}, {count}"), "0"
        for number, each in enumerate(self.program.events):
            chosen = self.put(f"icmp eq i64 {event}, {number}")
            offset = self.put(f"select i1 {chosen}, i64 {each.offset_fs}, i64 {offset}")
        time = self.put(f"add i64 {self.put(f'add i64 {start}, {periods}')}, {offset}")
        first = self._phase(self.put(f"urem i64 {now}, {period}"))
        moved = self.put(f"icmp ugt i64 {slot}, {first}")
        time = self.put(f"select i1 {moved}, i64 {time}, i64 {now}")
        time = self.put(f"select i1 {early}, i64 {time}, i64 {until}")
        self._set(self._word_of_time(), time)
        # A lane that has stopped does not go on when the others continue.
        self.add(f"store i64 {self.put(f'select i1 {stopped}, i64 {time}, i64 {until}')}, {_GLOBAL} {until_place}")
        paused = self.put(f"and i1 {left}, {self.put(f'xor i1 {stopped}, true')}")
        self.add(f"store i32 {self.put(f'select i1 {paused}, i32 {at.PAUSED}, i32 {stop}')}, ptr %stop")

    def _keep_status(self) -> None:
        """Tell the host why the lane stopped, and keep it if the lane does not go on."""
        stop = self.put("load i32, ptr %stop")
        small = self.put(f"trunc i32 {stop} to i8")
        paused = self.put(f"icmp eq i32 {stop}, {at.PAUSED}")
        status = self._row_of(self._place("%mail", at.CONTROL_BYTES + 8 * at.ENTRY_WORDS * at.RING), 1)
        self.add(f"store volatile i8 {small}, {_GLOBAL} {status}")
        ends = self.put(f"and i1 {self._is_end(stop)}, {self.put(f'xor i1 {paused}, true')}")
        ended = self._if(ends)
        self.add(f"store i8 {small}, {_GLOBAL} {self._row_of('%ended', 1)}")
        self._join(ended)
        told = self._if(self.put(f"icmp ne i32 {stop}, 0"))
        self._tell(self.put(f"select i1 {paused}, i64 {at.SOME_PAUSED}, i64 {at.SOME_STOPPED}"))
        self._join(told)

    def _tell(self, bit: str) -> None:
        """Set a bit of the summary."""
        done = self._place("%board", 8 * at.DONE)
        self.put(f'atomicrmw or {_GLOBAL} {done}, i64 {bit} syncscope("device") monotonic, align 8')
        self.add("store i1 true, ptr %told.v")
