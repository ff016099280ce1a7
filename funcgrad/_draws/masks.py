"""What the dropouts and the randomised leaky ReLU draw.

Each dropout of PyTorch's CPU kernels is one `bernoulli_(1 - p)` over its noise, whatever the input's dtype: over the
whole input for `dropout` and `alpha_dropout`, over (batch, channel) for the feature forms.

PyTorch's page: https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

import numpy as np

from funcgrad import _dtypes
from funcgrad._draws import _stream
from funcgrad._draws._stream import f4, f8
from funcgrad._draws.discrete import bernoulli


def dropout_mask(engine, shape, p: float) -> np.ndarray:
    """True for the elements that a dropout with probability `p` keeps. ``p`` of 0 or 1 draws nothing.

    Shape: `shape`, bool.

    Raises:
        RuntimeError: `p` is outside [0, 1].
    """
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {_stream.number(p)}")
    if p in (0, 1):
        return np.full(tuple(shape), p == 0)
    return bernoulli(engine, shape, _dtypes.bool_, 1 - p)


def feature_dropout_mask(engine, shape, p: float) -> np.ndarray:
    """The mask of `feature_dropout` and `feature_alpha_dropout`: one value for each batch element and channel.

    Shape: ``(shape[0], shape[1], 1, ...)``, bool, to be broadcast against the input.

    Raises:
        RuntimeError: `p` is outside [0, 1], or fewer than two dimensions (unless nothing is drawn).
    """
    shape = tuple(shape)
    if 0 < p < 1 and len(shape) < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return dropout_mask(engine, shape[:2] + (1,) * (len(shape) - 2), p)


@_stream.draw
def rrelu_slopes(engine, x: np.ndarray, lower: float = 1 / 8, upper: float = 1 / 3) -> np.ndarray:
    """The slope of `rrelu` in training for each element: uniform in [lower, upper) where ``x <= 0``, else 1.

    Only elements that are not positive draw (two words each), so the values of `x` are needed. The output is
    ``x * slope`` in the slopes' type, the backward pass multiplies with the slopes rounded to the dtype of `x`.

    Shape: that of `x`; float64 for a float64 `x`, else float32.

    Raises:
        NotImplementedError: `x` is neither float32, float64 nor bfloat16.
    """
    dtype = _dtypes.to_dtype(x.dtype)
    if dtype.name not in ("float32", "float64", "bfloat16"):
        raise _stream.not_implemented("rrelu_with_noise_out_cpu", dtype)
    kind = f8 if dtype.itemsize == 8 else f4
    low, high = float(kind(lower)), float(kind(upper))
    drawn = np.asarray(x.astype(kind) <= 0)
    slopes = np.ones(x.shape, kind)
    slopes[drawn] = _stream.unit_doubles(engine, int(drawn.sum())) * (high - low) + low
    return slopes
