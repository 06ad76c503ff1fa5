"""Run one cycle of a batch in a process of its own, and say what its start took: `bench/gpu_start.py` begins this.

The argument is a JSON object: `files` and `options` for `weft.compile`, `lanes`, `device`, `archive` and `how` (`use`
it, `save` to it, or nothing), `began` (when the process was begun, by the clock of the epoch), `early` (whether
`weft.begin_device` is called first). What is printed are milliseconds, all but the last two each by itself, and those
in brackets parts of the one before or work of other threads, beside the rest:

* `interpreter`: until the first line of this file;
* `import`: of what `weft.compile` needs; `[context]` is the driver's initialisation by `begin_device`, in its thread;
* `archive`: opening it;
* `design`: `weft.compile`;
* `batch`: the device and the memory of the lanes, with `[device module]`, the import of the engine for the device,
  `[bindings]`, the import of the driver's bindings, and `[driver]`, the device's initialisation as far as it is waited
  for;
* `first cycle`: with `[load]`, loading the kernels' modules;
* `total`: from the process's begin to the end of its first cycle; the end of the process comes after.
"""

import importlib
import json
import sys
import time

READY = time.time()
CLOCK = time.perf_counter


class Marks:
    """Collect what took how long."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.parts: dict[str, float] = {}
        self.at = CLOCK()

    def mark(self, what: str, *parts: str) -> None:
        """Note the end of a step, and the parts of it that were timed."""
        now = CLOCK()
        inside = "".join(f" [{part} {self.parts.pop(part) * 1e3:.0f}]" for part in parts if part in self.parts)
        self.words.append(f"{what} {(now - self.at) * 1e3:.0f}{inside}")
        self.at = now

    def time(self, owner: object, name: str, part: str) -> None:
        """Time all calls of a function or method."""
        usual = getattr(owner, name)

        def timed(*arguments: object, **named: object) -> object:
            begun = CLOCK()
            try:
                return usual(*arguments, **named)
            finally:
                self.parts[part] = self.parts.get(part, 0.0) + CLOCK() - begun

        setattr(owner, name, timed)


def main() -> None:
    """Run the cycle and print."""
    request = json.loads(sys.argv[1])
    marks = Marks()
    marks.words.append(f"interpreter {(READY - request['began']) * 1e3:.0f}")
    import weft

    if request["early"] and request["device"] != "cpu":
        from weft.engines.cuda import begin_driver

        marks.time(begin_driver, "begin_driver", "context")
        weft.begin_device(request["device"], request["lanes"])
    from contextlib import nullcontext

    compile_design = weft.compile
    importlib.import_module("weft.sim.make_batch")
    marks.mark("import")
    archive, how = request["archive"], request["how"]
    with weft.archive.use(archive, print) if how == "use" else nullcontext():
        marks.mark("archive")
        with weft.archive.harvest(archive) if how == "save" else nullcontext():
            sim = compile_design(*request["files"], **request["options"], output=lambda data: None)
            marks.mark("design")
            begun = CLOCK()
            if request["device"] == "cuda":
                from weft.engines.cuda import device, driver

                assert device
                marks.parts["device module"] = CLOCK() - begun
                marks.time(driver, "_bindings", "bindings")
                marks.time(driver.Driver, "__init__", "driver")
                marks.time(driver.Driver, "load", "load")
            batch = sim.batch(request["lanes"], request["device"], messages="count")
            if "bindings" in marks.parts:
                marks.parts["driver"] -= marks.parts["bindings"]
            marks.mark("batch", "device module", "bindings", "driver", "context")
            batch.run_cycles(1)
            marks.mark("first cycle", "load")
            marks.words.append(f"total {(time.time() - request['began']) * 1e3:.0f}")
    print(", ".join(marks.words), flush=True)


if __name__ == "__main__":
    main()
