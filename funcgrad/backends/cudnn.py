"""``torch.backends.cudnn``: accepted and kept; XLA decides."""

import contextlib

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


def flags(
    enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, fp32_precision="none"
):
    """Accepted; nothing changes."""
    return contextlib.nullcontext()


benchmark_limit = 10


def is_acceptable(tensor) -> bool:
    """False: convolutions are XLA's."""
    return False
