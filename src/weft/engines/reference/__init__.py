"""The reference engine: the cone graph's executable meaning in plain Python, which every other engine must equal."""
