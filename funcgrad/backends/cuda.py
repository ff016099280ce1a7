"""``torch.backends.cuda``: accepted and kept; XLA decides."""

from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True)


def is_built() -> bool:
    """Whether JAX has a GPU."""
    from funcgrad import cuda

    return cuda.is_available()


def enable_flash_sdp(enabled: bool) -> None:
    """Accepted; attention is XLA's."""


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Accepted; attention is XLA's."""


def enable_math_sdp(enabled: bool) -> None:
    """Accepted; attention is XLA's."""
