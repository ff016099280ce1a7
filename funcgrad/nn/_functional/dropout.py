"""Dropout: the masks are drawn here, with PyTorch's numbers, and applied by an op.

See https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions.
"""

from __future__ import annotations

import warnings

from funcgrad import _operators, _random
from funcgrad._tensor import Tensor
from funcgrad.nn._functional.inplace import stored


def check_probability(p: float) -> None:
    """Raise PyTorch's error for what is no probability."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _dropped(op: str, draw, input: Tensor, p: float, inplace: bool) -> Tensor:
    if p == 1:  # PyTorch multiplies with zero, which keeps NaN
        return stored(input, input * 0, inplace)
    out = _operators.call(op, input, draw(input, p), p)
    return stored(input, out, inplace)


def _elementwise(name: str, op: str, training_default: bool, summary: str):
    def form(input: Tensor, p: float = 0.5, training: bool = training_default, inplace: bool = False) -> Tensor:
        check_probability(p)
        if not training or p == 0 or input.numel() == 0:
            return input
        return _dropped(op, _random.dropout_mask, input, p, inplace)

    return _named(form, name, summary)


def _named(form, name: str, summary: str):
    form.__name__ = form.__qualname__ = name
    form.__doc__ = f"""{summary}

    Args:
        p: the probability of being dropped.
        training: whether to drop at all; without it the input is returned.
        inplace: write the result into the input.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.{name}.html
    """
    return form


_SPATIAL = (
    "Note that {name} exists to provide channel-wise dropout on inputs with {rank} spatial dimension{s}, a channel "
    "dimension, and an optional batch dimension (i.e. {low}D or {high}D inputs)."
)


def _check_rank(name: str, rank: int, ndim: int) -> None:
    """PyTorch's error or warnings for inputs that are not images of `rank` dimensions."""
    advice = _SPATIAL.format(name=name, rank=rank, s="" if rank == 1 else "s", low=rank + 1, high=rank + 2)
    if rank == 1 and ndim not in (2, 3):
        raise RuntimeError(f"{name}: Expected 2D or 3D input, but received a {ndim}D input. {advice}")
    if ndim not in (rank + 1, rank + 2):
        warnings.warn(
            f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a future "
            f"release. To retain the behavior and silence this warning, please use dropout instead. {advice}",
            stacklevel=4,
        )
    elif rank == 2 and ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a "
            "future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=4,
        )


def _channelwise(name: str, rank: int):
    def form(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        check_probability(p)
        _check_rank(name, rank, input.dim())
        if not training or p == 0 or input.numel() == 0:
            return input
        # dropout2d alone takes three dimensions for a batch.
        if rank == 2 or input.dim() == rank + 2:
            return _dropped("nn.functional.dropout_mask", _random.feature_dropout_mask, input, p, inplace)
        batch = input.unsqueeze(0)
        out = _dropped("nn.functional.dropout_mask", _random.feature_dropout_mask, batch, p, False)
        return stored(input, out.squeeze(0), inplace)

    return _named(form, name, "Zero whole channels with probability `p` and scale the others by ``1 / (1 - p)``.")


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.feature_alpha_dropout.html
    """
    check_probability(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    return _dropped("nn.functional.alpha_dropout_mask", _random.feature_dropout_mask, input, p, inplace)


FUNCTIONS = {
    "dropout": _elementwise(
        "dropout", "nn.functional.dropout_mask", True,
        "Zero each element with probability `p` and scale the others by ``1 / (1 - p)``.",
    ),
    "alpha_dropout": _elementwise(
        "alpha_dropout", "nn.functional.alpha_dropout_mask", False,
        "Dropout that keeps mean and variance of SELU's activations.",
    ),
    **{f"dropout{rank}d": _channelwise(f"dropout{rank}d", rank) for rank in (1, 2, 3)},
    "feature_alpha_dropout": feature_alpha_dropout,
}  # fmt: skip
