"""Fault campaigns: which faults there are, how they are simulated, and what is reported of them."""
