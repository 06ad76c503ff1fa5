"""Emit the resident kernel, `lanes_serve`: it stays on the GPU and does what commands in the mail say (`mailbox`).

Every thread has its lane for as long as the kernel stays. The first warp of the first block polls the host's memory
for the next command; first warps of the other blocks poll the board in the GPU's memory; the rest wait at a barrier.
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
_OF_ITSELF = at.QUIT | 1 << at.COUNT_BIT
"""The first word of a command to leave that the host has not posted."""

_SPIN_TICKS = 60_000
"""A poll that has lasted for so many ticks of the clock sleeps between its looks."""

PARAMETERS = ("state", "mail", "board", "ended", "until", "counts")
"""Addresses, in this order, behind the number of lanes and the stride; numbers follow, then the memories."""

NUMBERS = ("generation", "seen", "idle", "blocks")
"""How often the kernel was started, the last command that was done, when to leave (ticks), and the number of blocks.

Behind the memories come the header and the pages of the pool, if there are paged ones."""


_WORDS = f"@words = internal addrspace(3) global [{at.ENTRY_WORDS // 2} x i64] undef, align 16\n"
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
        self.add("%told.v = alloca i1")
        for number in range(at.FIRST_PIECES // min(32, self.options.threads)):
            self.add(f"%piece{number}.v = alloca i64")
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
        self._fetch(wanted, place)
        self.add("store i1 false, ptr %told.v")
        flags = self._head(0, 255)
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

    def _fetch(self, wanted: str, place: str) -> None:
        """Wait for the next command, and copy it to where the block's threads see it.

        The first warp of a block looks at the ring, if it is the first block, or at the board.
        """
        gather, mine = self.label(), self.label()
        width = min(32, self.options.threads)
        self.add(f"br i1 {self.put(f'icmp ult i32 {place}, {width}')}, label %{mine}, label %{gather}")
        self.begin(mine)
        slot = self.put(f"and i64 {wanted}, {at.RING - 1}")
        byte = self.put(f"add i64 {self.put(f'mul i64 {slot}, {8 * at.ENTRY_WORDS}')}, {at.CONTROL_BYTES}")
        entry = self._place("%mail", byte)
        block = self.put("call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()")
        head = self.put(f"icmp eq i32 {block}, 0")
        source = self.put(f"select i1 {head}, {_GLOBAL} {entry}, {_GLOBAL} %board")
        spreads = self.put(f"and i1 {head}, {self.put('icmp ugt i64 %blocks, 1')}")
        tag = self.put(f"and i64 {self.put(f'or i64 {wanted}, {at.TAG_BIT}')}, {(1 << 32) - 1}")
        first = self.put(f"zext i32 {place} to i64")
        numbers = [self.put(f"add i64 {first}, {add}") for add in range(0, at.FIRST_PIECES, width)]
        leaves = self._poll(source, tag, numbers, head)
        # Who leaves says so to the other blocks, as a command that nobody has asked for.
        for place_of, number in enumerate(numbers):
            piece = self.put(f"load i64, ptr %piece{place_of}.v")
            own = self.put(f"select i1 {self.put(f'icmp eq i64 {number}, 0')}, i64 {_OF_ITSELF}, i64 0")
            own = self.put(f"or i64 {own}, {self.put(f'shl i64 {tag}, 32')}")
            self._keep_piece(number, self.put(f"select i1 {leaves}, i64 {own}, i64 {piece}"), spreads)
        self._gather_warp()
        self._fetch_more(source, tag, numbers[0], width, spreads)
        self._to(gather)
        self._barrier()

    def _poll(self, source: str, tag: str, numbers: list[str], head: str) -> str:
        """Look for the first pieces of the command until all are there or it is time to leave; return whether it is."""
        began = self._clock()
        loop, wait, there = self.label(), self.label(), self.label()
        self._to(loop)
        good = "true"
        for number, piece in enumerate(numbers):
            value = self._piece(source, piece)
            self.add(f"store i64 {value}, ptr %piece{number}.v")
            good = self.put(f"and i1 {good}, {self._has_tag(value, tag)}")
        good = self._all_of_warp(good)
        before = self.here
        self.add(f"br i1 {good}, label %{there}, label %{wait}")
        self.begin(wait)
        passed = self.put(f"sub i64 {self._clock()}, {began}")
        late = self.put(f"and i1 {head}, {self.put(f'icmp ugt i64 {passed}, %idle')}")
        stays = self._all_of_warp(self.put(f"xor i1 {late}, true"))
        on, nap, after = self.label(), self.label(), self.here
        self.add(f"br i1 {stays}, label %{on}, label %{there}")
        self.begin(on)
        self.add(f"br i1 {self.put(f'icmp ult i64 {passed}, {_SPIN_TICKS}')}, label %{loop}, label %{nap}")
        self.begin(nap)
        self._nap()
        self.add(f"br label %{loop}")
        self.begin(there)
        return self.put(f"phi i1 [false, %{before}], [true, %{after}]")

    def _piece(self, source: str, number: str) -> str:
        byte = self.put(f"shl i64 {number}, 3")
        return self.put(f"load atomic i64, {_GLOBAL} {self._place(source, byte)} acquire, align 8")

    def _has_tag(self, piece: str, tag: str) -> str:
        return self.put(f"icmp eq i64 {self.put(f'lshr i64 {piece}, 32')}, {tag}")

    def _keep_piece(self, number: str, piece: str, spreads: str) -> None:
        """Put a piece where the block sees it and, from the first block, the others."""
        near = self.put(f"getelementptr i32, {_SHARED} @words, i64 {number}")
        self.add(f"store volatile i32 {self.put(f'trunc i64 {piece} to i32')}, {_SHARED} {near}, align 4")
        others = self._if(spreads)
        far = self._place("%board", self.put(f"shl i64 {number}, 3"))
        self.add(f'store atomic i64 {piece}, {_GLOBAL} {far} syncscope("device") release, align 8')
        self._join(others)

    def _fetch_more(self, source: str, tag: str, first: str, width: int, spreads: str) -> None:
        """Fetch what is behind the first pieces, where a command has many transfers."""
        words = self.put(f"mul i64 {self._head(at.COUNT_BIT, 255)}, {at.TRANSFER_WORDS}")
        pieces = self.put(f"shl i64 {self.put(f'add i64 {words}, {at.TRANSFERS}')}, 1")
        begin = self.put(f"add i64 {first}, {at.FIRST_PIECES}")
        before, loop, look, keep, done = self.here, self.label(), self.label(), self.label(), self.label()
        self._to(loop)
        number, following = self.put_name(), self.put_name()
        end = self.label()
        self.add(f"{number} = phi i64 [{begin}, %{before}], [{following}, %{end}]")
        self.add(f"br i1 {self.put(f'icmp ult i64 {number}, {pieces}')}, label %{look}, label %{done}")
        self.begin(look)
        value = self._piece(source, number)
        self.add(f"br i1 {self._has_tag(value, tag)}, label %{keep}, label %{look}")
        self.begin(keep)
        self._keep_piece(number, value, spreads)
        self._to(end)
        self.add(f"{following} = add i64 {number}, {width}")
        self.add(f"br label %{loop}")
        self.begin(done)

    def _gather_warp(self) -> None:
        self.add('call void asm sideeffect "bar.warp.sync 0xffffffff;", "~{memory}"() convergent')

    def _answer(self, wanted: str, leader: str, first: str) -> None:
        """Count this block; when all have been counted, tell the host that the command is done.

        One fence orders everything before the answer, for fences are cumulative. A block that is alone knows by its
        barrier that there is nothing to tell, and need not look at the board.
        """
        on, count, alone, several, wait, tell, clear = (self.label() for _ in range(7))
        told = self._any_of_block(self.put("load i1, ptr %told.v"))
        done = self._place("%board", 8 * at.DONE)
        self.add(f"br i1 {first}, label %{count}, label %{on}")
        self.begin(count)
        self.add(f"br i1 {self.put('icmp eq i64 %blocks, 1')}, label %{alone}, label %{several}")
        self.begin(several)
        self.add('fence syncscope("device") acq_rel')
        one = 1 << at.SUMMARY_BITS
        self.put(f'atomicrmw add {_GLOBAL} {done}, i64 {one} syncscope("device") monotonic, align 8')
        self.add(f"br i1 {leader}, label %{wait}, label %{on}")
        self.begin(wait)
        served = self.put(f"add i64 {self.put('load i64, ptr %served.v')}, 1")
        self.add(f"store i64 {served}, ptr %served.v")
        target = self.put(f"mul i64 {served}, %blocks")
        loop, counted = self.label(), self.label()
        self._to(loop)
        have = self.put(f'load atomic i64, {_GLOBAL} {done} syncscope("device") acquire, align 8')
        enough = self.put(f"icmp uge i64 {self.put(f'lshr i64 {have}, {at.SUMMARY_BITS}')}, {target}")
        self.add(f"br i1 {enough}, label %{counted}, label %{loop}")
        self.begin(counted)
        some = self.put(f"icmp ne i64 {self.put(f'and i64 {have}, {one - 1}')}, 0")
        self.add(f"br i1 {some}, label %{clear}, label %{tell}")
        self.begin(alone)
        self.add(f"br i1 {told}, label %{clear}, label %{tell}")
        self.begin(clear)
        kept = self.put(f'atomicrmw and {_GLOBAL} {done}, i64 {-one} syncscope("device") monotonic, align 8')
        bits = self.put(f"and i64 {kept}, {one - 1}")
        self.add(f"br label %{tell}")
        self.begin(tell)
        summary = self.put(f"phi i64 [0, %{counted}], [0, %{alone}], [{bits}, %{clear}]")
        answer = self.put(f"or i64 {self.put(f'shl i64 {wanted}, {at.SUMMARY_BITS}')}, {summary}")
        self.add("fence acq_rel")
        self.add(f"store atomic i64 {answer}, {_GLOBAL} {self._place('%mail', 8 * at.ANSWERED)} monotonic, align 8")
        self._to(on)

    def _leave(self, wanted: str, leader: str) -> None:
        """Tell the host that the kernel leaves; a command that was asked for, unlike the clock, is answered."""
        tell, end, asked, left = (self.label() for _ in range(4))
        self.add(f"br i1 {leader}, label %{tell}, label %{end}")
        self.begin(tell)
        by_itself = self.put(f"icmp ne i64 {self._head(at.COUNT_BIT, 255)}, 0")
        self.add(f"br i1 {by_itself}, label %{left}, label %{asked}")
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
        count = self._head(at.COUNT_BIT, 255)
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
