"""``torch.nn.attention``: choosing how attention is computed.

See https://docs.pytorch.org/docs/stable/nn.attention.html.
"""

from __future__ import annotations

import contextlib
from enum import IntEnum


class SDPBackend(IntEnum):
    """The kernels PyTorch has for ``scaled_dot_product_attention``; XLA compiles one form, whichever is named."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    __str__ = lambda self: f"SDPBackend.{self.name}"  # noqa: E731


@contextlib.contextmanager
def sdpa_kernel(backends, set_priority: bool = False):
    """Accepted as in PyTorch: all kernels give the same result, and funcgrad has one.

    Args:
        backends: an `SDPBackend`, or several.
        set_priority: whether their order matters.

    Raises:
        AssertionError: something else is given.
    """
    given = backends if isinstance(backends, list) else [backends]
    if not all(isinstance(b, SDPBackend) for b in given):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    yield {}


from funcgrad.nn.attention import bias as bias  # noqa: E402
from funcgrad.nn.attention import flex_attention as flex_attention  # noqa: E402

__all__ = ["SDPBackend", "sdpa_kernel"]
