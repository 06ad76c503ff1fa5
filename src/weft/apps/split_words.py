"""Split a command line among Weft, the design and slang.

Weft's own options are those that the command declares. `+word` is a plusarg of the design, but for `+define+` and the
like, which are slang's. Every other word is slang's, in the order given, so that files and options mean what they mean
to slang: it knows which of its options take a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.base.dataclass import dataclass, field

_SLANG_PLUS = ("+define+", "+incdir+", "+libext+", "+undefine+")


@dataclass(frozen=True, slots=True)
class Words:
    """Hold the words of a command line, split."""

    own: list[str] = field(default_factory=list[str])
    slang: list[str] = field(default_factory=list[str])
    plusargs: list[str] = field(default_factory=list[str])


def split_words(words: Sequence[str], options: Mapping[str, bool]) -> Words:
    """Split words; `options` maps each of Weft's own options to whether it takes a value."""
    split = Words()
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if name in options:
            split.own.append(word)
            if options[name] and not equals:
                split.own.extend(value for value in (next(rest, None),) if value is not None)
        elif word.startswith("+") and not word.startswith(_SLANG_PLUS):
            split.plusargs.append(word[1:])
        else:
            split.slang.append(word)
    return split
