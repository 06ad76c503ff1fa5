"""Verilog and SystemVerilog, on slang."""
