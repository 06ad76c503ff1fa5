"""System tasks and functions (IEEE 1364-2005 clauses 17-18, 1800-2023 clauses 20-21), as an engine calls them."""
