"""Emit the resident kernel, `lanes_serve`: it stays on the GPU and does what commands in the mail say (`mailbox`).

Every thread has its lane for as long as the kernel stays. The first thread of the first block polls the host's memory
for the next command; first threads of the other blocks poll the board in the GPU's memory; the rest wait at a barrier.
A command loads the lane's words, works on them as the kernel of a run does, and stores them, so that copies of the
driver find the state where it always is. The protocol is that of a grid barrier: what a block has written is ordered
before its first thread's fence and count, and all counts before the answer (PTX ISA, memory consistency model,
causality order; loads that acquire and stores that release are LLVM's atomics).

Without commands it leaves by itself after `idle` ticks; the host starts it again. `serve_run` has what a run is.
"""

from __future__ import annotations

from weft.engines.cuda import mailbox as at
from weft.engines.cuda.kernel_emitter import DECLARATIONS, KernelOptions
from weft.engines.cuda.serve_run import ServeRun
from weft.ir.lane_program import LaneAction, LaneProgram, LaneStep
from weft.ir.layout import container_bytes

_GLOBAL, _SHARED = "ptr addrspace(1)", "ptr addrspace(3)"
_SPIN_TICKS = 60_000
"""A poll that has lasted for so many ticks of the clock sleeps between its looks."""

PARAMETERS = ("state", "mail", "board", "ended", "until", "counts")
"""Addresses, in this order, behind the number of lanes and the stride; numbers follow, then the memories."""

NUMBERS = ("generation", "seen", "idle", "blocks")
"""How often the kernel was started, the last command that was done, when to leave (ticks), and the number of blocks.

Behind the memories come the header and the pages of the pool, if there are paged ones."""


_WORDS = f"@words = internal addrspace(3) global [{at.ENTRY_WORDS} x i64] undef, align 16\n"
"""The command, in the memory that the threads of a block share."""


def serve_text(program: LaneProgram, look: LaneStep | None, options: KernelOptions, stride: int) -> str:
    """Return the module with the kernel `lanes_serve`, which knows the outputs of a look.

    It is for one stride, so that a word's address is a constant away from another's: loading and storing the words is
    much of what a short command does.
    """
    emitter = ServeEmitter(program, options)
    return DECLARATIONS + _WORDS + emitter.serve(look, stride)


def output_bytes(look: LaneStep | None) -> tuple[int, ...]:
    """Return the sizes of the containers of a look's words."""
    return tuple(container_bytes(look.width[action.nodes[0]]) for action in look.actions) if look is not None else ()


class ServeEmitter(ServeRun):
    """Emit the resident kernel."""

    def serve(self, look: LaneStep | None, stride: int) -> str:
        """Return the kernel."""
        self._stride = self._fixed_stride = str(stride)
        self.time = next(number for number, state in enumerate(self.program.states) if state.kind == "time")
        self._outputs = output_bytes(look)
        self._make_room()
        for name in ("seen", "served", "last", "now", "item", "deadline"):
            self.add(f"%{name}.v = alloca i64")
        thread = self._thread_number()
        mine = self.put(f"icmp ult i64 {thread}, %lanes")
        self._lane = self.put(f"select i1 {mine}, i64 {thread}, i64 0")
        leader = self.put(f"icmp eq i64 {thread}, 0")
        place = self.put("call i32 @llvm.nvvm.read.ptx.sreg.tid.x()")
        first = self.put(f"icmp eq i32 {place}, 0")
        self._find_memories()
        self.add("store i64 %seen, ptr %seen.v")
        self.add("store i64 0, ptr %served.v")
        loop, leave = self.label(), self.label()
        self._to(loop)
        wanted = self.put(f"add i64 {self.put('load i64, ptr %seen.v')}, 1")
        self._fetch(wanted, leader, first, place)
        flags = self._word(at.FLAGS)
        self._jump(self._flag(flags, at.QUIT), leave)
        idle = self.label()
        self._jump(self.put(f"xor i1 {mine}, true"), idle)
        self._work(flags, look)
        self._to(idle)
        self._answer(wanted, leader, first)
        self.add(f"store i64 {wanted}, ptr %seen.v")
        self.add(f"br label %{loop}")
        self.begin(leave)
        self._leave(wanted, leader)
        self.add("ret void")
        numbers = ", ".join(f"i64 %{name}" for name in NUMBERS)
        pointers = ", ".join(f"{_GLOBAL} %{name}" for name in PARAMETERS)
        planes = "".join(f", {_GLOBAL} %m{plane}" for plane in range(len(self.program.memories)))
        pages = f", {_GLOBAL} %header, {_GLOBAL} %pool" if self.paged else ""
        return self._function("lanes_serve", f"i64 %lanes, i64 %stride, {pointers}, {numbers}{planes}{pages}")

    # -------------------------------------------------------------------------------------- commands and answers

    def _fetch(self, wanted: str, leader: str, first: str, place: str) -> None:
        """Wait for the next command, and copy it to where the block's threads see it.

        The first thread of the first block polls the ring, those of other blocks the board; then the first warp copies
        the command, a word in each thread.
        """
        gather, mine, poll, look, fetch = (self.label() for _ in range(5))
        width = min(32, self.options.threads)
        self.add(f"br i1 {self.put(f'icmp ult i32 {place}, {width}')}, label %{mine}, label %{gather}")
        self.begin(mine)
        slot = self.put(f"and i64 {wanted}, {at.RING - 1}")
        byte = self.put(f"add i64 {self.put(f'mul i64 {slot}, {8 * at.ENTRY_WORDS}')}, {at.CONTROL_BYTES}")
        entry = self._place("%mail", byte)
        block = self.put("call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()")
        head = self.put(f"icmp eq i32 {block}, 0")
        source = self.put(f"select i1 {head}, {_GLOBAL} {entry}, {_GLOBAL} %board")
        before = self.here
        self.add(f"br i1 {first}, label %{look}, label %{fetch}")
        self.begin(look)
        listen = self.label()
        self.add(f"br i1 {leader}, label %{poll}, label %{listen}")
        self.begin(poll)
        ends = {before: "0", **self._poll(entry, wanted, fetch)}
        self.begin(listen)
        ends |= self._listen(wanted, fetch)
        self.begin(fetch)
        go = self.put(f"phi i32 {', '.join(f'[{value}, %{label}]' for label, value in ends.items())}")
        self._gather_warp()
        spread = "shfl.sync.idx.b32 $0, $1, 0, 0x1f, 0xffffffff;"
        go = self.put(f'call i32 asm sideeffect "{spread}", "=r,r,~{{memory}}"(i32 {go}) convergent')
        depart, take, post = self.label(), self.label(), self.label()
        self.add(f"br i1 {self.put(f'icmp eq i32 {go}, 0')}, label %{depart}, label %{take}")
        self.begin(depart)
        for word, value in ((at.FLAGS, at.QUIT), (at.COUNT, 1)):
            self.add(f"store volatile i64 {value}, {_GLOBAL} {self._place('%board', 8 * word)}, align 8")
            self.add(f"store volatile i64 {value}, {self._word_at(word)}, align 8")
        self.add(f"br label %{post}")
        self.begin(take)
        self._copy_words(source, place, width, head, post)
        self.begin(post)
        self._gather_warp()
        tell = self._if(leader)
        self.add(f"store volatile i64 0, {_GLOBAL} {self._place('%board', 8 * at.MERGED)}, align 8")
        posted = self._place("%board", 8 * at.POSTED)
        others = self._if(self.put("icmp ugt i64 %blocks, 1"))
        self.add(f'store atomic i64 {wanted}, {_GLOBAL} {posted} syncscope("device") release, align 8')
        self._join(others)
        self._join(tell)
        self._to(gather)
        self._barrier()

    def _poll(self, entry: str, wanted: str, then: str) -> dict[str, str]:
        """Look for the command until it is there or it is time to leave; return blocks that end so, with 1 or 0."""
        began = self._clock()
        loop, wait = self.label(), self.label()
        self._to(loop)
        number = self.put(f"load atomic i64, {_GLOBAL} {entry} acquire, align 8")
        there = self.put(f"icmp eq i64 {number}, {wanted}")
        self.add(f"br i1 {there}, label %{then}, label %{wait}")
        self.begin(wait)
        passed = self.put(f"sub i64 {self._clock()}, {began}")
        ends = {loop: "1", wait: "0"}
        on, nap = self.label(), self.label()
        self.add(f"br i1 {self.put(f'icmp ugt i64 {passed}, %idle')}, label %{then}, label %{on}")
        self.begin(on)
        self.add(f"br i1 {self.put(f'icmp ult i64 {passed}, {_SPIN_TICKS}')}, label %{loop}, label %{nap}")
        self.begin(nap)
        self._nap()
        self.add(f"br label %{loop}")
        return ends

    def _listen(self, wanted: str, then: str) -> dict[str, str]:
        """Let the first thread of another block wait for the board; return the block that ends so, with 1."""
        began = self._clock()
        loop, on = self.label(), self.label()
        self._to(loop)
        place = self._place("%board", 8 * at.POSTED)
        posted = self.put(f'load atomic i64, {_GLOBAL} {place} syncscope("device") acquire, align 8')
        self.add(f"br i1 {self.put(f'icmp eq i64 {posted}, {wanted}')}, label %{then}, label %{on}")
        self.begin(on)
        self._jump(self.put(f"icmp ult i64 {self.put(f'sub i64 {self._clock()}, {began}')}, {_SPIN_TICKS}"), loop)
        self._nap()
        self.add(f"br label %{loop}")
        return {loop: "1"}

    def _copy_words(self, source: str, place: str, width: int, head: str, then: str) -> None:
        """Copy the command for the block, and from the first one for the others: each thread of the warp a word."""
        before, loop, body = self.here, self.label(), self.label()
        first = self.put(f"zext i32 {self.put(f'add i32 {place}, 1')} to i64")
        spread = self.put(f"and i1 {head}, {self.put('icmp ugt i64 %blocks, 1')}")
        self._to(loop)
        word, more = self.put_name(), self.put_name()
        end = self.label()
        self.add(f"{word} = phi i64 [{first}, %{before}], [{more}, %{end}]")
        self.add(f"br i1 {self.put(f'icmp ult i64 {word}, {at.ENTRY_WORDS}')}, label %{body}, label %{then}")
        self.begin(body)
        byte = self.put(f"shl i64 {word}, 3")
        value = self.put(f"load volatile i64, {_GLOBAL} {self._place(source, byte)}, align 8")
        self.add(f"store volatile i64 {value}, {self._word_at(word)}, align 8")
        others = self._if(spread)
        self.add(f"store volatile i64 {value}, {_GLOBAL} {self._place('%board', byte)}, align 8")
        self._join(others)
        self._to(end)
        self.add(f"{more} = add i64 {word}, {width}")
        self.add(f"br label %{loop}")

    def _gather_warp(self) -> None:
        self.add('call void asm sideeffect "bar.warp.sync 0xffffffff;", "~{memory}"() convergent')

    def _answer(self, wanted: str, leader: str, first: str) -> None:
        """Count this block; when all have been counted, tell the host that the command is done.

        One fence orders everything before the answer, for fences are cumulative.
        """
        on, count, alone, wait, tell = (self.label() for _ in range(5))
        self._barrier()
        self.add(f"br i1 {first}, label %{count}, label %{on}")
        self.begin(count)
        self.add(f"br i1 {self.put('icmp eq i64 %blocks, 1')}, label %{tell}, label %{alone}")
        self.begin(alone)
        self.add('fence syncscope("device") acq_rel')
        done = self._place("%board", 8 * at.DONE)
        self.put(f'atomicrmw add {_GLOBAL} {done}, i64 1 syncscope("device") monotonic, align 8')
        self.add(f"br i1 {leader}, label %{wait}, label %{on}")
        self.begin(wait)
        served = self.put(f"add i64 {self.put('load i64, ptr %served.v')}, 1")
        self.add(f"store i64 {served}, ptr %served.v")
        target = self.put(f"mul i64 {served}, %blocks")
        loop = self.label()
        self._to(loop)
        have = self.put(f'load atomic i64, {_GLOBAL} {done} syncscope("device") acquire, align 8')
        self.add(f"br i1 {self.put(f'icmp uge i64 {have}, {target}')}, label %{tell}, label %{loop}")
        self.begin(tell)
        answer = self.put(f"or i64 {self.put(f'shl i64 {wanted}, {at.SUMMARY_BITS}')}, {self._board(at.MERGED)}")
        self.add("fence acq_rel")
        self.add(f"store atomic i64 {answer}, {_GLOBAL} {self._place('%mail', 8 * at.ANSWERED)} monotonic, align 8")
        self._to(on)

    def _leave(self, wanted: str, leader: str) -> None:
        """Tell the host that the kernel leaves; a command that was asked for, unlike the clock, is answered."""
        tell, end, asked, left = (self.label() for _ in range(4))
        self.add(f"br i1 {leader}, label %{tell}, label %{end}")
        self.begin(tell)
        self.add(f"br i1 {self.put(f'icmp eq i64 {self._word(at.COUNT)}, 0')}, label %{asked}, label %{left}")
        self.begin(asked)
        answer = self.put(f"shl i64 {wanted}, {at.SUMMARY_BITS}")
        self.add(f"store atomic i64 {answer}, {_GLOBAL} {self._place('%mail', 8 * at.ANSWERED)} release, align 8")
        self._to(left)
        self.add(f"store atomic i64 %generation, {_GLOBAL} {self._place('%mail', 8 * at.LEFT)} release, align 8")
        self._to(end)

    # -------------------------------------------------------------------------------------------------- the work

    def _work(self, flags: str, look: LaneStep | None) -> None:
        """Do a command in this thread's lane."""
        lane = self._lane
        self._transfer(inwards=True)
        done, quiet = self.label(), self.label()
        works = self._flag(flags, at.SETTLE | at.RUN | at.LOOK)
        self.add(f"br i1 {works}, label %{done}, label %{quiet}")
        self.begin(done)
        self._load_words()
        self.add("store i32 0, ptr %stop")
        if self.paged:
            self.add("store i1 false, ptr %full")
        settled = self._if(self._flag(flags, at.SETTLE))
        self.add("store i1 true, ptr %fire")
        self._settle_loop()
        self._join(settled)
        self._run(flags)
        if look is not None:
            looked = self._if(self._flag(flags, at.LOOK))
            self._step(look)
            self._join(looked)
        self._store_words()
        if self.paged:
            short = self._if(self.put("load i1, ptr %full"))
            self._tell(str(at.SOME_SHORT))
            self._join(short)
        self._lane, self._stride = lane, self._fixed_stride
        self._to(quiet)
        self._transfer(inwards=False)

    def _transfer(self, inwards: bool) -> None:
        """Move containers between the state and the mail."""
        size = at.TRANSFER_WORDS
        count = self._word(at.COUNT)
        loop, body, done = self.label(), self.label(), self.label()
        self.add("store i64 0, ptr %item.v")
        self._to(loop)
        number = self.put("load i64, ptr %item.v")
        self.add(f"br i1 {self.put(f'icmp ult i64 {number}, {count}')}, label %{body}, label %{done}")
        self.begin(body)
        self.add(f"store i64 {self.put(f'add i64 {number}, 1')}, ptr %item.v")
        first = self.put(f"add i64 {self.put(f'mul i64 {number}, {size}')}, {at.TRANSFERS}")
        what, value = (self._word(self.put(f"add i64 {first}, {word}")) for word in range(size))
        outwards = self._flag(what, at.OUT_ROW)
        self._jump(self.put(f"xor i1 {outwards}, {'false' if inwards else 'true'}"), loop)
        start = self._place("%state", self.put(f"lshr i64 {what}, 8"))
        from_row = self._flag(what, at.IN_ROW)
        base = self._place("%mail", self.put(f"select i1 {self._flag(what, at.IN_VALUE)}, i64 0, i64 {value}"))
        labels = [self.label() for _ in range(4)]
        cases = " ".join(f"i64 {kind}, label %{label}" for kind, label in enumerate(labels))
        self.add(f"switch i64 {self.put(f'and i64 {what}, 3')}, label %{labels[0]} [ {cases} ]")
        for log, label in enumerate(labels):
            self.begin(label)
            kind = f"i{8 << log}"
            near = self.put(f"getelementptr {kind}, {_GLOBAL} {start}, i64 {self._lane}")
            far = self.put(f"getelementptr {kind}, {_GLOBAL} {base}, i64 {self._lane}")
            if inwards:
                before, load, store = self.here, self.label(), self.label()
                cut = value if log == 3 else self.put(f"trunc i64 {value} to {kind}")
                self.add(f"br i1 {from_row}, label %{load}, label %{store}")
                self.begin(load)
                loaded = self.put(f"load volatile {kind}, {_GLOBAL} {far}")
                self._to(store)
                moved = self.put(f"phi {kind} [{cut}, %{before}], [{loaded}, %{load}]")
                self.add(f"store volatile {kind} {moved}, {_GLOBAL} {near}")
            else:
                moved = self.put(f"load volatile {kind}, {_GLOBAL} {near}")
                self.add(f"store volatile {kind} {moved}, {_GLOBAL} {far}")
            self.add(f"br label %{loop}")
        self.begin(done)

    def _output(self, action: LaneAction) -> None:
        """Store a word of the look in the mail, if it is wanted."""
        value, item = self.in_container(action.nodes[0])
        chosen = self._word(at.CHOSEN)
        one = self.put(f"icmp eq i64 {chosen}, {action.target}")
        every = self.put(f"icmp eq i64 {chosen}, -1")
        done = self._if(self.put(f"or i1 {one}, {every}"))
        # `place_mail` puts the outputs behind everything else: the same sums, of a stride that is known only here.
        byte = self.put(f"add i64 {self._outputs_begin()}, {self.put(self._sum_of(action.target))}")
        self.add(f"store volatile i{8 * item} {value}, {_GLOBAL} {self._row_of(self._place('%mail', byte), item)}")
        self._join(done)

    def _sum_of(self, target: int) -> str:
        """Return the bytes of the outputs before one, as an instruction: strides are multiples of the alignment."""
        return f"mul i64 {self._stride}, {sum(self._outputs[:target])}"

    def _outputs_begin(self) -> str:
        rows = self.put(f"mul i64 {self._stride}, {1 + 8 * (at.ROWS_IN + at.ROWS_OUT)}")
        return self.put(f"add i64 {rows}, {at.CONTROL_BYTES + 8 * at.ENTRY_WORDS * at.RING}")
