"""What executes a cone graph."""
