"""Gradients of convolutions, as functions of sizes and tensors.

Source: https://github.com/pytorch/pytorch/blob/main/torch/nn/grad.py
"""

from __future__ import annotations

from funcgrad import _operators
from funcgrad._tensor import Tensor


def _input_gradient(dims: int):
    def gradient(input_size, weight: Tensor, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
        name = "nn.functional.convolution_input_gradient"
        return _operators.call(name, tuple(input_size), weight, grad_output, stride, padding, dilation, groups)

    gradient.__name__ = gradient.__qualname__ = f"conv{dims}d_input"
    gradient.__doc__ = f"""The gradient of `conv{dims}d` by its input.

    Args:
        input_size: shape of the input.
        weight: ``[O, C / groups, *]``.
        grad_output: the gradient by the result, ``[N, O, *]``.

    Example:
        >>> weight, grad_output = torch.ones(1, 1, *[2] * {dims}), torch.ones(1, 1, *[1] * {dims})
        >>> torch.nn.grad.conv{dims}d_input((1, 1, *[2] * {dims}), weight, grad_output).sum()
        tensor({2**dims}.)
    """
    return gradient


def _weight_gradient(dims: int):
    def gradient(input: Tensor, weight_size, grad_output: Tensor, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
        name = "nn.functional.convolution_weight_gradient"
        return _operators.call(name, input, tuple(weight_size), grad_output, stride, padding, dilation, groups)

    gradient.__name__ = gradient.__qualname__ = f"conv{dims}d_weight"
    gradient.__doc__ = f"""The gradient of `conv{dims}d` by its weight.

    Args:
        input: ``[N, C, *]``.
        weight_size: shape of the weight.
        grad_output: the gradient by the result, ``[N, O, *]``.

    Example:
        >>> input, grad_output = torch.ones(1, 1, *[2] * {dims}), torch.ones(1, 1, *[1] * {dims})
        >>> torch.nn.grad.conv{dims}d_weight(input, (1, 1, *[2] * {dims}), grad_output).sum()
        tensor({2**dims}.)
    """
    return gradient


conv1d_input, conv2d_input, conv3d_input = map(_input_gradient, (1, 2, 3))
conv1d_weight, conv2d_weight, conv3d_weight = map(_weight_gradient, (1, 2, 3))
