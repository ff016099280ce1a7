"""Functions that draw random numbers besides dropout: Gumbel-softmax and fractional pooling.

See https://docs.pytorch.org/docs/stable/nn.functional.html.
"""

from __future__ import annotations

import warnings

from funcgrad import _draws, _operators, _random
from funcgrad._generator import drawn
from funcgrad._tensor import Tensor


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """``softmax((logits + gumbel noise) / tau)``: a differentiable sample of a categorical distribution.

    Args:
        tau: the temperature.
        hard: return one-hot vectors, with the gradient of the soft sample.
        eps: deprecated.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gumbel_softmax.html
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    shape, dtype = tuple(logits.shape), logits.dtype
    noise = drawn(None, lambda engine: _draws.exponential(engine, shape, dtype), logits.device)
    return _operators.call("nn.functional.gumbel_softmax_with_noise", logits, noise, tau, hard, dim)


def _fractional(rank: int, indices: bool):
    op = f"nn.functional.fractional_max_pool{rank}d"

    def pool(
        input: Tensor, kernel_size, output_size=None, output_ratio=None, return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ):  # fmt: skip
        if _random_samples is None and (output_size is not None or output_ratio is not None):
            batch = 1 if input.dim() == rank + 1 else input.size(0)
            shape = (batch, input.size(-rank - 1), rank)
            _random_samples = _random.rand(shape, dtype=input.dtype, device=input.device)
        return _operators.call(
            op, input, kernel_size, output_size, output_ratio, indices or return_indices, _random_samples
        )

    pool.__name__ = pool.__qualname__ = f"fractional_max_pool{rank}d" + ("_with_indices" if indices else "")
    pool.__doc__ = f"""Max pooling over {rank} dimensions with windows at pseudo-random distances.

    Args:
        kernel_size: of the windows.
        output_size: the number of windows, once or for each dimension; or else
        output_ratio: that number as a fraction of the input's size, for each dimension.
        return_indices: whether to return also the place of each maximum.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fractional_max_pool{rank}d.html
    """
    return pool


FUNCTIONS = {
    "gumbel_softmax": gumbel_softmax,
    **{f.__name__: f for f in (_fractional(rank, indices) for rank in (2, 3) for indices in (False, True))},
}
