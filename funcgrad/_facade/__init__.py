"""The facade over the array functions and the engine: PyTorch's names, forms, memory and conversions."""
