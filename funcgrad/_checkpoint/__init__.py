"""PyTorch's checkpoint files, read and written without PyTorch: the parts behind `funcgrad.serialization`."""
