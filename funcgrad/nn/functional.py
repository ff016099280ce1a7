"""``torch.nn.functional``: the ops of the table, and around some of them what PyTorch's functions do besides computing
(drawing masks, updating running statistics, writing in place).

See https://docs.pytorch.org/docs/stable/nn.functional.html.
"""

from __future__ import annotations

import warnings

from funcgrad import _operators, _random
from funcgrad._tensor import Tensor

_table = _operators.NAMESPACES["n"]
globals().update(_table)


def _in_place(name: str):
    """An activation with PyTorch's ``inplace`` argument."""
    plain = _table[name]

    def activation(input, *args, inplace: bool = False, **kwargs):
        out = plain(input, *args, **kwargs)
        if not inplace:
            return out
        _operators.check_writable(input)
        _operators.write(input, out._read())
        return input

    activation.__name__ = name
    activation.__doc__ = plain.__doc__
    return activation


for _name, _count in {
    "relu": 0, "relu6": 0, "elu": 1, "selu": 0, "celu": 1, "leaky_relu": 1, "threshold": 2, "hardtanh": 2, "silu": 0,
    "mish": 0, "hardswish": 0, "hardsigmoid": 0,
}.items():  # fmt: skip
    if _name in _table:
        globals()[_name] = _made = _in_place(_name)


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return globals()["relu"](input, inplace=True)


# -- dropout ----------------------------------------------------------------------------------------------------------


def _check_probability(p: float, name: str = "dropout probability") -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"{name} has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability `p` and scale the others by ``1 / (1 - p)``; the identity in evaluation.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    _check_probability(p)
    if not training or p == 0.0:
        return input
    mask = _random.dropout_mask(tuple(input.shape), p)
    return _stored(input, _operators.call("nn.functional.dropout_mask", input, mask, p), inplace)


def _stored(input: Tensor, out: Tensor, inplace: bool) -> Tensor:
    if not inplace:
        return out
    _operators.check_writable(input)
    _operators.write(input, out._read())
    return input


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of SELU's activations.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.alpha_dropout.html
    """
    _check_probability(p)
    if not training or p == 0.0:
        return input
    mask = _random.dropout_mask(tuple(input.shape), p)
    return _stored(input, _operators.call("nn.functional.alpha_dropout_mask", input, mask, p), inplace)


def _feature_dropout(name: str, ranks: tuple[int, ...], alpha: bool = False):
    def form(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        _check_probability(p)
        if ranks and input.dim() not in ranks:
            warnings.warn(
                f"{name}: Received a {input.dim()}-D input to {name}, which is deprecated and will result in an error in a "
                "future release.",
                stacklevel=2,
            )
        if not training or p == 0.0:
            return input
        batched = input.dim() == max(ranks) if ranks else True
        x = input if batched else input.unsqueeze(0)
        mask = _random.feature_dropout_mask(tuple(x.shape), p)
        op = "nn.functional.alpha_dropout_mask" if alpha else "nn.functional.dropout_mask"
        out = _operators.call(op, x, mask, p)
        return _stored(input, out if batched else out.squeeze(0), inplace)

    form.__name__ = name
    form.__doc__ = f"""Zero whole channels with probability `p`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.{name}.html
    """
    return form


dropout1d = _feature_dropout("dropout1d", (2, 3))
dropout2d = _feature_dropout("dropout2d", (3, 4))
dropout3d = _feature_dropout("dropout3d", (4, 5))
feature_alpha_dropout = _feature_dropout("feature_alpha_dropout", (), alpha=True)


# -- normalisation with running statistics ----------------------------------------------------------------------------


def batch_norm(
    input: Tensor, running_mean, running_var, weight=None, bias=None, training: bool = False, momentum=0.1, eps=1e-5
) -> Tensor:
    """Normalise each channel over the batch; in training the running statistics are updated in place.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    if not training:
        return _operators.call("nn.functional.batch_norm", input, running_mean, running_var, weight, bias, False, 0.0, eps)
    out = _operators.call(
        "nn.functional.batch_norm_train", input, running_mean, running_var, weight, bias, momentum, eps
    )
    return _with_statistics(out, running_mean, running_var)


def _with_statistics(out, running_mean, running_var) -> Tensor:
    output, *new = out if isinstance(out, tuple | list) else (out,)
    for buffer, value in zip((running_mean, running_var), new):
        if buffer is not None and value is not None:
            _operators.write(buffer, value.detach()._read())
    return output


def instance_norm(
    input: Tensor, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalise each channel of each sample.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html
    """
    if use_input_stats and running_mean is not None:
        out = _operators.call(
            "nn.functional.instance_norm_train", input, running_mean, running_var, weight, bias, momentum, eps
        )
        return _with_statistics(out, running_mean, running_var)
    return _operators.call(
        "nn.functional.instance_norm", input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


# -- embedding --------------------------------------------------------------------------------------------------------


def embedding(
    input: Tensor, weight: Tensor, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False
) -> Tensor:
    """The rows of `weight` that `input` names.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
    """
    if max_norm is not None:
        from funcgrad.autograd.grad_mode import no_grad

        with no_grad():
            renormed = _operators.call("nn.functional.embedding_renorm", weight, input, max_norm, norm_type)
            _operators.write(weight, renormed._read())
    return _operators.call("nn.functional.embedding", input, weight, padding_idx, None, norm_type, scale_grad_by_freq)
