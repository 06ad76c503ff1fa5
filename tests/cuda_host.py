"""A CUDA driver that has no GPU: kernels are compiled for this machine's processor, and its memory is the GPU's.

What `kernel_emitter` and `serve_emitter` write is LLVM IR; but for a few instructions that only a GPU has, it is as
good for a CPU. So the text itself runs here, thread by thread, or, for a resident kernel, each in a thread of the
operating system; barriers and votes are those of a counter. `HostGpu` is the driver's API as `engines.cuda.driver` uses
it; `use_host_gpu` puts it in the driver's place, and in the assembler's one that returns its text.
"""

from __future__ import annotations

import ctypes
import queue
import re
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

from weft.engines.cpu.jit import QUICK, Library, compile_object
from weft.engines.cuda import host_calls, mailbox

_NATIVE = """
declare i32 @usleep(i32)
declare i32 @clock_gettime(i32, ptr)
define internal i64 @host_clock() {
  %t = alloca [2 x i64]
  %r = call i32 @clock_gettime(i32 1, ptr %t)
  %s = load i64, ptr %t
  %np = getelementptr i64, ptr %t, i64 1
  %n = load i64, ptr %np
  %m = mul i64 %s, 1000000000
  %x = add i64 %m, %n
  ret i64 %x
}
"""


_GROUPS = """
define internal i32 @host_vote(ptr %group, i32 %count, i32 %bit, i1 %all) {
  ; A group has how many have come, how often all have, who has voted 0 and 1, and two results, used in turns.
  %turn.p = getelementptr i32, ptr %group, i64 1
  %turn = load atomic i32, ptr %turn.p acquire, align 4
  %one = and i32 %bit, 1
  %vote.i = add i32 %one, 2
  %vote.p = getelementptr i32, ptr %group, i32 %vote.i
  %v = atomicrmw or ptr %vote.p, i32 1 acq_rel
  %odd = and i32 %turn, 1
  %result.i = add i32 %odd, 4
  %result.p = getelementptr i32, ptr %group, i32 %result.i
  %came = atomicrmw add ptr %group, i32 1 acq_rel
  %more = add i32 %came, 1
  %last = icmp eq i32 %more, %count
  br i1 %last, label %free, label %wait
free:
  %zero.p = getelementptr i32, ptr %group, i64 2
  %one.p = getelementptr i32, ptr %group, i64 3
  %zero = atomicrmw xchg ptr %zero.p, i32 0 acq_rel
  %some = atomicrmw xchg ptr %one.p, i32 0 acq_rel
  %none = xor i32 %zero, 1
  %found = select i1 %all, i32 %none, i32 %some
  store i32 %found, ptr %result.p
  store atomic i32 0, ptr %group release, align 4
  %next = add i32 %turn, 1
  store atomic i32 %next, ptr %turn.p release, align 4
  br label %done
wait:
  %now = load atomic i32, ptr %turn.p acquire, align 4
  %same = icmp eq i32 %now, %turn
  br i1 %same, label %sleep, label %done
sleep:
  %s = call i32 @usleep(i32 20)
  br label %wait
done:
  %result = load i32, ptr %result.p
  ret i32 %result
}
"""
_BLOCK_BYTES, _WARP_AT = 1024, 512
"""Of a block: the memory that its threads share, and behind it groups, of the block and (64 bytes on) of its warp."""


def _vote(group: int, bit: str, every: str) -> str:
    count = "%ntid" if group == 0 else "%warp"
    return f"call i32 @host_vote(ptr %group{group}, i32 {count}, i32 {bit}, i1 {every})"


def native_text(text: str) -> str:
    """Return a kernel's text for a CPU: the numbers of its block and thread are its first parameters.

    One whose threads share memory has that as its next one.
    """
    text = re.sub(r"ptr addrspace\([13]\)", "ptr", text)
    shared = re.search(r"@words = internal addrspace\(3\) global (\[\d+ x i64\]).*\n", text)
    if shared is not None:  # of a block: here, of a thread
        begin = f"""entry:
  %group0 = getelementptr i8, ptr %words, i64 {_WARP_AT}
  %group1 = getelementptr i8, ptr %words, i64 {_WARP_AT + 64}
  %small = icmp ult i32 %ntid, 32
  %warp = select i1 %small, i32 %ntid, i32 32
"""
        text = text.replace(shared[0], "").replace("entry:\n", begin, 1).replace("@words", "%words")
        text = re.sub(r"(define ptx_kernel void @lanes_\w+\()", r"\1ptr %words, ", text)
    text = re.sub(r"declare i32 @llvm\.nvvm.*\n", "", text)
    text = text.replace("define ptx_kernel void @", "define void @")
    text = re.sub(r"(define void @lanes_\w+\()", r"\1i32 %ctaid, i32 %tid, i32 %ntid, ", text)
    text = re.sub(r"call i32 @llvm\.nvvm\.read\.ptx\.sreg\.(\w+)\.x\(\)", r"add i32 %\1, 0", text)
    wait = 'call void asm sideeffect "barrier.sync 0;", "~{memory}"() convergent'
    text = text.replace(wait, _vote(0, "0", "false"))
    text = re.sub(r'call void asm sideeffect "nanosleep.*', "call i32 @usleep(i32 20)", text)
    text = text.replace('call i64 asm sideeffect "mov.u64 $0, %clock64;", "=l,~{memory}"()', "call i64 @host_clock()")
    wait = 'call void asm sideeffect "bar.warp.sync 0xffffffff;", "~{memory}"() convergent'
    text = text.replace(wait, _vote(1, "0", "false"))
    for group, instruction, every in ((1, "vote.sync.all", "true"), (0, "barrier.red.or", "false")):
        vote = rf'call i32 asm sideeffect "[^"]*{re.escape(instruction)}[^"]*", "[^"]*"\(i32 (%\w+)\) convergent'
        text = re.sub(vote, _vote(group, r"\1", every), text)
    text = re.sub(r'call i64 asm sideeffect "mov\.u64 \$0, \$1;", "=l,l"\(i64 (%\w+)\)', r"add i64 \1, 0", text)
    assert "asm" not in text and "nvvm.read" not in text
    return _NATIVE + (_GROUPS if shared is not None else "") + text


_kept: list[HostGpu] = []
"""A kernel that was given up may still run, and needs its memory and code."""


class _Stream:
    """Be a stream: the threads of its kernels, and one that does its copies in order, late."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.worker: threading.Thread | None = None

    def put(self, work: Any) -> None:
        """Queue a piece of work."""
        if self.worker is None:
            self.worker = threading.Thread(target=self._loop, daemon=True)
            self.worker.start()
        self.work.put(work)

    def _loop(self) -> None:
        while True:
            self.work.get()()


class _Event:
    """Be an event: when it was reached, if it was."""

    def __init__(self) -> None:
        self.time, self.reached = 0.0, threading.Event()
        self.reached.set()

    def reach(self, reached: threading.Event) -> None:
        """Be what has been recorded since."""
        self.time = time.perf_counter()
        reached.set()


class HostGpu:
    """Be the driver's API of `gpus` GPUs with so much memory; `fail` names calls that return an error, once."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major",
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT="multiprocessors",
        CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR="threads",
        CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT="watchdog",
        CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY="maps",
        CU_DEVICE_ATTRIBUTE_CLOCK_RATE="clock",
    )
    CUfunction_attribute = SimpleNamespace(
        CU_FUNC_ATTRIBUTE_NUM_REGS="regs", CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES="local"
    )
    CUmemorytype = SimpleNamespace(CU_MEMORYTYPE_HOST=1, CU_MEMORYTYPE_DEVICE=2)
    CUjitInputType = SimpleNamespace(CU_JIT_INPUT_PTX=1)
    CUDA_MEMCPY2D = SimpleNamespace
    CUdeviceptr = int

    def __init__(self, gpus: int = 1, memory: int = 1 << 30, **attributes: int) -> None:
        self.gpus, self.total, self.used = gpus, memory, 0
        self.attributes = {
            "major": 9,
            "minor": 0,
            "multiprocessors": 4,
            "threads": 2048,
            "watchdog": 0,
            "maps": 1,
            "clock": 1_000_000,
            **attributes,
        }
        self.fail: dict[str, int] = {}
        self.calls: list[str] = []
        self.blocks: dict[int, Any] = {}
        self.images: list[Any] = []
        self.linked = 0
        self.modules: list[Library] = []
        self.version = 13000
        self.copy_s = 0.0  # how late copies in streams are
        _kept.append(self)

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if name.startswith("cu") and name != "cuGetErrorString":
            self.calls.append(name)
            if name in self.fail:
                code = self.fail.pop(name)
                return lambda *given: (code, None)
        return found

    # Names and attributes.
    def cuInit(self, flags):  # noqa: N802
        return (0,)

    def cuDeviceGetCount(self):  # noqa: N802
        return 0, self.gpus

    def cuDriverGetVersion(self):  # noqa: N802
        return 0, self.version

    def cuDeviceGet(self, ordinal):  # noqa: N802
        return 0, ordinal

    def cuDevicePrimaryCtxRetain(self, device):  # noqa: N802
        return 0, device

    def cuCtxSetCurrent(self, context):  # noqa: N802
        return (0,)

    def cuDeviceGetName(self, size, device):  # noqa: N802
        return 0, b"Test GPU\0\0"

    def cuGetErrorString(self, code):  # noqa: N802
        return 0, b"something is wrong"

    def cuDeviceGetAttribute(self, kind, device):  # noqa: N802
        return 0, self.attributes[kind]

    # Memory.
    def cuMemGetInfo(self):  # noqa: N802
        return 0, self.total - self.used, self.total

    def _new(self, size: int) -> int:
        raw = np.full(size + 256, 0xA5, np.uint8)  # what is not written is seen
        address = -(-raw.ctypes.data // 128) * 128
        self.blocks[address] = raw
        self.used += size
        return address

    def _gone(self, address: int):
        self.used -= len(self.blocks.pop(address)) - 256
        return (0,)

    def cuMemAlloc(self, size):  # noqa: N802
        return 0, self._new(size)

    def cuMemFree(self, address):  # noqa: N802
        return self._gone(address)

    def cuMemHostAlloc(self, size, flags):  # noqa: N802
        return 0, self._new(size)

    def cuMemFreeHost(self, address):  # noqa: N802
        return self._gone(address)

    def cuMemHostGetDevicePointer(self, address, flags):  # noqa: N802
        return 0, address

    def cuMemsetD8(self, address, value, size):  # noqa: N802
        ctypes.memset(address, value, size)
        return (0,)

    def cuMemcpyHtoD(self, target, source, size):  # noqa: N802
        ctypes.memmove(target, source, size)
        return (0,)

    cuMemcpyDtoH = cuMemcpyDtoD = cuMemcpyHtoD  # noqa: N815

    def cuMemcpyDtoDAsync(self, target, source, size, stream):  # noqa: N802
        return self.cuMemcpyHtoD(target, source, size)

    def cuMemcpyHtoDAsync(self, target, source, size, stream):  # noqa: N802
        stream.put(lambda: (time.sleep(self.copy_s), ctypes.memmove(target, source, size)))
        return (0,)

    def cuMemcpy2DAsync(self, order, stream):  # noqa: N802
        order = SimpleNamespace(**vars(order))
        stream.put(lambda: (time.sleep(self.copy_s), self.cuMemcpy2DUnaligned(order)))
        return (0,)

    def cuMemcpy2DUnaligned(self, order):  # noqa: N802
        source = order.srcHost if order.srcMemoryType == 1 else order.srcDevice
        target = order.dstHost if order.dstMemoryType == 1 else order.dstDevice
        for row in range(order.Height):
            ctypes.memmove(target + row * order.dstPitch, source + row * order.srcPitch, order.WidthInBytes)
        return (0,)

    # Code.
    def cuLinkCreate(self, count, options, values):  # noqa: N802
        return 0, []

    def cuLinkAddData(self, link, kind, data, size, name, count, options, values):  # noqa: N802
        link.append(bytes(data))
        return (0,)

    def cuLinkComplete(self, link):  # noqa: N802
        self.linked += 1
        image = ctypes.create_string_buffer(link[0])
        self.images.append(image)
        return 0, ctypes.addressof(image), len(link[0])

    def cuLinkDestroy(self, link):  # noqa: N802
        return (0,)

    def cuModuleLoadData(self, code):  # noqa: N802
        text = code.split(b"\0")[0].decode()
        if not text.startswith("declare"):
            return 200, None
        names = re.findall(r"@(lanes_\w+)\(", text)
        self.modules.append(Library([compile_object(native_text(text), QUICK)], names))
        return 0, self.modules[-1]

    def cuModuleGetFunction(self, module, name):  # noqa: N802
        return 0, (module, module.addresses[name.decode()])

    def cuFuncGetAttribute(self, kind, function):  # noqa: N802
        return 0, 40

    def cuOccupancyMaxActiveBlocksPerMultiprocessor(self, function, threads, shared):  # noqa: N802
        return 0, 16

    # Launches.
    def cuLaunchKernel(self, function, blocks, y, z, threads, v, w, shared, stream, values, more):  # noqa: N802
        arguments = values[0]
        kinds = [ctypes.c_uint32] * 3 + [ctypes.c_uint64] * len(arguments)
        entry = ctypes.CFUNCTYPE(None, *kinds)(function[1])
        if stream == 0:
            for block in range(blocks):
                for thread in range(threads):
                    entry(block, thread, threads, *arguments)
            return (0,)
        # What the threads of a block share is the fourth parameter; it lives as long as they.
        entry = ctypes.CFUNCTYPE(None, *kinds[:3], ctypes.c_void_p, *kinds[3:])(function[1])
        for block in range(blocks):
            room = np.zeros(_BLOCK_BYTES + 64, np.uint8)
            words = -(-room.ctypes.data // 64) * 64
            for number in range(threads):
                given = (block, number, threads, words, *arguments)
                thread = threading.Thread(target=lambda room, given: entry(*given), args=(room, given), daemon=True)
                thread.start()
                stream.threads.append(thread)
        return (0,)

    def cuCtxSynchronize(self):  # noqa: N802
        return (0,)

    def cuStreamCreate(self, flags):  # noqa: N802
        assert flags == 1
        return 0, _Stream()

    def cuStreamSynchronize(self, stream):  # noqa: N802
        if stream != 0:
            for thread in stream.threads:
                thread.join()
            stream.threads.clear()
        return (0,)

    def cuStreamQuery(self, stream):  # noqa: N802
        return (600 if any(thread.is_alive() for thread in stream.threads) else 0,)

    # Events.
    def cuEventCreate(self, flags):  # noqa: N802
        return 0, _Event()

    def cuEventDestroy(self, event):  # noqa: N802
        return (0,)

    def cuEventRecord(self, event, stream):  # noqa: N802
        event.reached = reached = threading.Event()
        if stream == 0:
            event.reach(reached)
        else:
            stream.put(lambda: event.reach(reached))
        return (0,)

    def cuEventSynchronize(self, event):  # noqa: N802
        event.reached.wait()
        return (0,)

    def cuStreamWaitEvent(self, stream, event, flags):  # noqa: N802
        assert stream == 0, "kernels run where they are launched"
        event.reached.wait()
        return (0,)

    def cuEventElapsedTime(self, first, last):  # noqa: N802
        return 0, 1000 * (last.time - first.time)


def use_host_gpu(monkeypatch: Any, api: HostGpu, threads: int = 1) -> HostGpu:
    """Let batches on `cuda` run on this machine's processor until the test is over."""
    from weft.engines.cuda import device, driver, page_copy
    from weft.engines.cuda.kernel_emitter import KernelOptions

    monkeypatch.setattr(driver, "_bindings", lambda: api)
    monkeypatch.setattr(device, "assemble", lambda text, sm: text)
    monkeypatch.setattr(page_copy, "assemble", lambda text, sm: text)
    monkeypatch.setattr(device, "KernelOptions", lambda: KernelOptions(threads=threads))
    return api


def answer_at_once(lanes: Any) -> None:
    """Let a resident kernel's commands be answered by the call that posts them: what is left is the host's part.

    Nothing runs any more, so values stay what they were.
    """
    lanes.leave()
    text = host_calls._text()
    posted = "post:\n"
    answer = (
        f"  %said = shl i64 %number, {mailbox.SUMMARY_BITS}\n  store atomic i64 %said, ptr %mail release, align 8\n"
    )
    assert text.count(posted) == 1
    library = Library([compile_object(text.replace(posted, posted + answer), QUICK)], ["weft_post"])
    call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(library.addresses["weft_post"])
    lanes._post = call
    lanes._answering = library  # its code
    lanes._running, lanes._start = True, lambda: lanes._words[mailbox.GENERATION]
    lanes._driver.residents.discard(lanes)
