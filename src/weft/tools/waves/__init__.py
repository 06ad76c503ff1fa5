"""Waveforms: VCD and FST, written from the log of changes that compiled code keeps."""
