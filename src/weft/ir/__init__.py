"""The shared shapes: the design (as written), the cone graph (what runs), the op table, the state layout."""
