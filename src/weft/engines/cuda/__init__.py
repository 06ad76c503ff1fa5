"""The CUDA engine: lane programs as kernels, one instance in each thread."""
