"""The simulators that a benchmark runs, Weft included: each builds a design and runs it in its own process."""
