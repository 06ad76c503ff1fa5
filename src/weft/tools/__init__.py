"""What one does with a simulation: waves, later coverage, formal, debugging, devices."""
