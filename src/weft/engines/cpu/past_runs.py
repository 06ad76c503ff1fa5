"""Remember from run to run how long a design has run, and what its registers were seen to do.

Better code comes after some time, and speculative code after many samples: a short run would end before it has either,
every time. So the seconds of all runs count together until they suffice, and a later run takes up the habits that an
earlier one has found, with the code that the cache has for them. Its guard makes that right whatever this run does.
An entry (JSON) that is missing or damaged costs some time, nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from weft.base.cache_label import Label
from weft.engines.cpu.habits import Habits
from weft.engines.cpu.object_cache import ObjectCache


class PastRuns:
    """Remember the runs of one design; with an empty `key`, only as long as this object lives.

    `seconds` is how long compiled code has run, as far as it was kept; `habits` what was taken for granted last.
    """

    def __init__(self, cache: ObjectCache, key: str) -> None:
        self._cache = cache
        self._key = hashlib.sha256(f"runs|1|{key}".encode()).hexdigest() if key else ""
        self.seconds = 0.0
        self.habits: Habits | None = None
        data = cache.load(self._key) if self._key else None
        if data is not None:
            self.seconds, self.habits = parse_runs(data)

    def keep(self, seconds: float, habits: Habits | None) -> None:
        """Remember both."""
        self.seconds, self.habits = seconds, habits
        if self._key:
            found = (
                None if habits is None else [_pairs(habits.known), [(s, _pairs(v)) for s, v in habits.varied.items()]]
            )
            data = json.dumps({"seconds": seconds, "habits": found})
            self._cache.store(self._key, data.encode(), Label("runs"))


def _pairs(values: Mapping[int, int]) -> list[tuple[int, int]]:
    return list(values.items())


def parse_runs(data: bytes) -> tuple[float, Habits | None]:
    """Return the seconds and the habits of an entry; none of either if it is damaged."""
    try:
        entry = json.loads(data)
        seconds, found = float(entry["seconds"]), entry["habits"]
        if found is None:
            return seconds, None
        known, varied = found
        values = {int(state): int(value) for state, value in known}
        counts = {int(state): {int(value): int(count) for value, count in each} for state, each in varied}
    except (ValueError, KeyError, TypeError):
        return 0.0, None
    return seconds, Habits(values, counts)
