"""Simulations: time, handles, values, checkpoints, effects."""
