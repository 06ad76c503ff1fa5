"""Programs: the command line, later the web page and the cocotb bridge."""
