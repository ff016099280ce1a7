"""Parameters as one vector. See https://docs.pytorch.org/docs/stable/nn.html#utilities."""

from __future__ import annotations

from collections.abc import Iterable

from funcgrad import _operators
from funcgrad._tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, one behind the other.

    Raises:
        TypeError: they are on different devices.
    """
    parameters = list(parameters)
    _check_devices(parameters)
    return _operators.call("cat", [p.view(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Replace the parameters' data by slices of a vector, as `parameters_to_vector` lays them out.

    Raises:
        TypeError: `vec` is no tensor, or the parameters are on different devices.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    _check_devices(parameters)
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].view(p.shape).data
        start += p.numel()


def _check_devices(parameters: list[Tensor]) -> None:
    if any(p.device is not parameters[0].device for p in parameters):
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
