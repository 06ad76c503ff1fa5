"""Mixed execution: parts of a testbench's design that run as compiled steps at their clock edges."""
