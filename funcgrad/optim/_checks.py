"""Checks that several optimizers share, with PyTorch's errors."""

from __future__ import annotations

from funcgrad._tensor import Tensor


def tensor_lr(lr) -> None:
    """A learning rate given as a tensor has one element."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def at_least_zero(*named, text: str = "Invalid {}: {}") -> None:
    """No value of these ``(name, value)`` is negative (or NaN)."""
    for name, value in named:
        if not 0.0 <= value:
            raise ValueError(text.format(name, value))


def betas(values) -> None:
    """Each is in ``[0, 1)``."""
    for i, beta in enumerate(values[:2]):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def fused(wanted, foreach, differentiable) -> None:
    """What cannot be combined."""
    if wanted and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if wanted and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


_FUSED_DEVICES = ["mps", "cuda", "xpu", "hpu", "cpu", "mtia", "privateuseone"]


def fused_params(params) -> None:
    """Fused steps are for floating-point parameters."""
    for p in params:
        if not p.is_floating_point() or p.device.type not in (*_FUSED_DEVICES, "tpu", "xla"):
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported devices: "
                f"{_FUSED_DEVICES} but {p.dtype} and {p.device.type}"
            )


def not_complex(name: str, params) -> None:
    """Some optimizers have no complex form."""
    if any(p.is_complex() for p in params):
        raise RuntimeError(f"{name} does not support complex parameters")
