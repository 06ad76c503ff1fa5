"""What every other part stands on: errors, source positions, logic values, progress. Imports nothing of Weft."""
