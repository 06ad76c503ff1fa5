"""The executable meaning: the cone graph run in plain Python from the op table."""
