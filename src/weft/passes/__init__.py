"""From the design to the cone graph, and from graph to better graph. One pass a file."""
