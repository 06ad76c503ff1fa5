"""`$readmemh`, `$readmemb`, `$writememh`, `$writememb` (IEEE 1800-2023 21.4, 21.5) and Icarus Verilog's `$readmempath`.

Without bounds a memory is filled from its lowest address upwards; with both, from the first towards the last. What is
wrong with a file is said in Icarus Verilog's words, and what was read up to there stays.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from weft.base.text_bytes import bytes_text
from weft.sim.format_arguments import Value
from weft.sim.memory_files import image_lines, image_tokens, image_word
from weft.sim.tasks.task_call import Handler, MemoryView, TaskCall

_WORD = {16: re.compile(r"[0-9a-fA-FxXzZ_]+"), 2: re.compile(r"[01xXzZ_]+")}
_PLAIN = re.compile(r"[0-9a-fA-F\s]*", re.ASCII)
_ADDRESS = re.compile(r"@[0-9a-fA-F]+")
_PER_DIGIT = {16: 4, 2: 1}


def _parameters(call: TaskCall) -> tuple[MemoryView, str, int, int] | None:
    """Return memory, file name, first and last address, or None after an error (clause 21.4's arguments)."""
    if len(call.args) < 2:
        call.fail(f"{call.name} requires {'a second (memory) argument' if call.args else 'two arguments'}.")
        return None
    if not hasattr(call.args[1], "set"):
        call.fail(f"{call.name}'s second argument must be a memory.")
        return None
    memory = cast("MemoryView", call.args[1])
    path = call.path(0)
    if not path or not path.isprintable():
        call.warn(f"{call.name}'s file name argument is not a valid string.")
        return None
    for index, what in ((2, "Start"), (3, "Finish")):
        if index < len(call.args) and call.value(index).unknown:
            call.error(f"{call.name}: {what} address is undefined (contains x or z).")
            return None
    low, high = sorted((memory.left, memory.right))
    first, last = call.int32(2, low), call.int32(3, high)
    name = call.name
    if len(call.args) < 4 and memory.left > memory.right:
        call.warn(
            f'{name}: The behaviour for reg[...] mem[N:0]; {name}("...", mem); changed in the 1364-2005 standard. '
            f'To avoid ambiguity, use mem[0:N] or explicit range parameters {name}("...", mem, start, stop);. '
            "Defaulting to 1364-2005 behavior."
        )
    for what, address in (("Start", first), ("Finish", last)):
        if not low <= address <= high:
            shown = f"'{memory.name}[{memory.left}:{memory.right}]'"
            call.error(f"{name}: {what} address {address} is out of bounds for memory {shown}!")
            return None
    return memory, path, first, last


def _find(call: TaskCall, path: str) -> bytes | None:
    """Return a file's contents, looked for as it is named, then in the folders of `$readmempath`."""
    folders = [] if path.startswith("/") else call.host.state.search_path
    for candidate in (path, *(f"{folder}/{path}" for folder in folders)):
        try:
            return Path(candidate).read_bytes()
        except OSError:
            continue
    call.error(f"{call.name}: Unable to open {path} for reading.")
    return None


def _read(call: TaskCall) -> None:
    chosen = _parameters(call)
    if chosen is None:
        return
    memory, path, first, last = chosen
    data = _find(call, path)
    if data is not None:
        _Reader(call, memory, path, first, last).read(bytes_text(data))


class _Reader:
    """Load one image into one memory."""

    def __init__(self, call: TaskCall, memory: MemoryView, path: str, first: int, last: int) -> None:
        self.call, self.memory, self.path, self.first, self.last = call, memory, path, first, last
        self.base = 16 if call.name.endswith("h") else 2
        self.down = len(call.args) > 3 and last < first
        self.at = first
        self.missing = abs(last - first) + 1
        self.warned = False

    @property
    def head(self) -> str:
        return f"{self.call.name}({self.path}):"

    def read(self, text: str) -> None:
        """Load the image: its plain words at once, where it has nothing else."""
        words = self._plain_words(text)
        if words is not None:
            self.memory.fill(self.at, words)
            self.missing -= len(words)
        for _, token in image_tokens(text) if words is None else ():
            if not (self._address(token) if token.startswith("@") else self._words(token)):
                return
        if self.missing > 0:
            span = f"[{self.first}:{self.last}]"
            self.call.warn(f"{self.head} Not enough words in the file for the requested range {span}.")

    def _plain_words(self, text: str) -> list[int] | None:
        """Return the words of an image that has neither addresses nor unknown bits nor anything to warn of."""
        if self.down or self.base != 16 or not _PLAIN.fullmatch(text):
            return None
        tokens = text.split()
        widest = max(map(len, tokens), default=0)
        if len(tokens) > self.missing or 4 * widest >= self.memory.width + 4:
            return None
        words = [int(token, 16) for token in tokens]
        ones = (1 << self.memory.width) - 1
        return words if 4 * widest <= self.memory.width else [word & ones for word in words]

    def _address(self, token: str) -> bool:
        match = _ADDRESS.match(token)
        if match is None:
            return self._invalid(token[0])
        self.at = int(match[0][1:], 16)
        if not min(self.first, self.last) <= self.at <= max(self.first, self.last):
            span = f"[0x{self.first:x}:0x{self.last:x}]"
            self.call.error(f"{self.head} address (0x{self.at:x}) is out of range {span}")
            return False
        self.missing = 0
        return match.end() == len(token) or self._words(token[match.end() :])

    def _invalid(self, character: str) -> bool:
        self.call.error(f"{self.head} Invalid input character: {character}")
        return False

    def _words(self, token: str) -> bool:
        """Store a token: a word, or what is one at its front, before a character that is none."""
        planes = image_word(token, self.base)
        match = _WORD[self.base].match(token)
        if match is None:
            return self._invalid(token[0])
        if planes is None or match.end() < len(token):
            planes = image_word(match[0], self.base)
            assert planes is not None
            return self._store(match[0], planes) and self._invalid(token[match.end()])
        return self._store(token, planes)

    def _store(self, token: str, planes: tuple[int, int]) -> bool:
        if not min(self.first, self.last) <= self.at <= max(self.first, self.last):
            span = f"[{self.first}:{self.last}]"
            self.call.warn(f"{self.head} Too many words in the file for the requested range {span}.")
            return False
        width = self.memory.width
        ones = (1 << width) - 1
        self.memory.set(self.at, Value(width, planes[0] & ones, planes[1] & ones, self.memory.signed))
        per = _PER_DIGIT[self.base]
        excess = len(token.replace("_", "")) - -(-width // per)
        if excess > 0 and not self.warned:
            kind = "hex" if self.base == 16 else "binary"
            self.call.warn(f"Excess {kind} digits ({excess} of '{token}') while reading {width}-bit words.")
            self.warned = True
        self.missing -= 1
        self.at += -1 if self.down else 1
        return True


def _write(call: TaskCall) -> None:
    chosen = _parameters(call)
    if chosen is None:
        return
    memory, path, first, last = chosen
    step = 1 if last >= first else -1
    text = image_lines((memory.get(at) for at in range(first, last + step, step)), 16 if call.name[-1] == "h" else 2)
    try:
        Path(path).write_text(text)
    except OSError:
        call.error(f"{call.name}: Unable to open {path} for writing.")


def _set_path(call: TaskCall) -> None:
    """Name the folders, between colons, in which images are looked for."""
    call.host.state.search_path.clear()
    for folder in filter(None, call.path(0).split(":")):
        if Path(folder).is_dir():
            call.host.state.search_path.append(folder)
        elif Path(folder).exists():
            call.warn(f'{call.name}\'s path element "{folder}" is not a directory!')
        else:
            call.warn(f'{call.name} could not find directory "{folder}"!')


TASKS: dict[str, Handler] = {
    "$readmemh": _read,
    "$readmemb": _read,
    "$writememh": _write,
    "$writememb": _write,
    "$readmempath": _set_path,
}
