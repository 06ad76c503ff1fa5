"""What the engines that run many instances share: how lane programs become LLVM IR."""
