"""Benchmarks and reference runs: the designs, the peer simulators, the tables. Not part of the installed package."""
