"""Be `weft`, and write down where compiled functions lie: `FUNCTIONS=FILE python bench/note_functions.py run ...`.

A profiler sees addresses in compiled code and no names. Each line of the file has the address, the size and the name of
a function, from the symbol tables of the objects (ELF) that are linked while Weft runs; functions of one section lie
where one of them that is exported says. `bench/count_instructions.py` reads it.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_SYMBOL_TABLE, _FUNCTION = 2, 2


def functions_of(code: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Yield the functions of an object: name, section, offset in it and size."""
    if code[:4] != b"\x7fELF":
        return
    (table,) = struct.unpack_from("<Q", code, 0x28)
    size, count, _ = struct.unpack_from("<HHH", code, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, table + number * size) for number in range(count)]
    for _, kind, _, _, start, length, link, *_ in sections:
        if kind != _SYMBOL_TABLE:
            continue
        names = sections[link][4]
        for at in range(start, start + length, 24):
            name, info, _, section, offset, extent = struct.unpack_from("<IBBHQQ", code, at)
            if info & 15 == _FUNCTION:
                place = names + name
                yield code[place : code.index(b"\0", place)].decode(), section, offset, extent


def placed(code: bytes, addresses: Mapping[str, int]) -> Iterator[tuple[int, int, str]]:
    """Yield address, size and name of the functions of an object that has been linked."""
    found = list(functions_of(code))
    bases = {section: addresses[name] - offset for name, section, offset, _ in found if name in addresses}
    for name, section, offset, extent in found:
        if section in bases:
            yield bases[section] + offset, extent, name


def main() -> None:
    """Run Weft's command."""
    sys.path[:0] = [str(ROOT / "src")]
    from weft.apps import cli
    from weft.engines.cpu import jit

    usual = jit.Library.__init__

    def noted(
        self: jit.Library, objects: list[bytes], exports: list[str], imports: Mapping[str, int] | None = None
    ) -> None:
        usual(self, objects, exports, imports)
        lines = [
            f"{address:x} {size} {name}\n" for code in objects for address, size, name in placed(code, self.addresses)
        ]
        # Other threads link too: each library is one write.
        os.write(file, "".join(lines).encode())

    file = os.open(os.environ["FUNCTIONS"], os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
    jit.Library.__init__ = noted
    sys.argv[0] = "weft"
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
