"""The event engine: processes as state machines in compiled code, scheduled as IEEE 1800-2023 clause 4 says."""
