"""Normalisation with running statistics, which a training step updates in place.

See https://docs.pytorch.org/docs/stable/nn.functional.html#normalization-functions.
"""

from __future__ import annotations

from funcgrad import _operators
from funcgrad._operators import write
from funcgrad._tensor import Tensor
from funcgrad.engine.record import detached


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel over the batch: ``(x - mean) / sqrt(var + eps) * weight + bias``.

    In training the statistics are the batch's, and the running ones move towards them by `momentum`, in place.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    if not training or running_mean is None or running_var is None:
        return _operators.call(
            "nn.functional.batch_norm", input, running_mean, running_var, weight, bias, training, 0.0, eps
        )
    out = _operators.call(
        "nn.functional.batch_norm_train", input, running_mean, running_var, weight, bias, momentum, eps
    )
    return _updated(out, running_mean, running_var)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample; as `batch_norm`, with the statistics of each sample.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html
    """
    if use_input_stats and running_mean is not None and running_var is not None:
        out = _operators.call(
            "nn.functional.instance_norm_train", input, running_mean, running_var, weight, bias, momentum, eps
        )
        return _updated(out, running_mean, running_var)
    return _operators.call(
        "nn.functional.instance_norm", input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def _updated(out: tuple, *running: Tensor) -> Tensor:
    """The output; the new statistics behind it are written to the running ones."""
    for buffer, value in zip(running, out[1:]):
        write(buffer, detached(value._read()))
    return out[0]


FUNCTIONS = {"batch_norm": batch_norm, "instance_norm": instance_norm}
