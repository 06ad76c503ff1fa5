"""Stimulus of batches: expressions, random numbers, arrays, files, test benches; and the record that replays it."""
