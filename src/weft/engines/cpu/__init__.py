"""The cycle engine: the cone graph compiled to native code by LLVM."""
