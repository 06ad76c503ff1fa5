"""Random values under constraints (IEEE 1800-2023 clause 18)."""
