"""``torch.backends.cudnn``: accepted and kept; XLA decides."""

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether convolutions run on cuDNN: wherever JAX has a GPU."""
    from funcgrad import cuda

    return cuda.is_available()


def version() -> int | None:
    """PyTorch's build has a cuDNN version; this has none of its own."""
    return None
