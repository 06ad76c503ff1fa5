"""The CPU engine: cone graphs to native code through LLVM."""
