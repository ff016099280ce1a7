"""Window functions: ``torch.signal.windows``. See https://docs.pytorch.org/docs/stable/signal.html."""

from __future__ import annotations

from funcgrad import _device, _operators


def _window_form(name: str):
    """A window as PyTorch's factory of it: on a device, perhaps requiring grad."""
    op = _operators.op(f"signal.windows.{name}")

    def form(*args, device=None, requires_grad=False, **kwargs):
        device = _device.canonical(device) if device is not None else _device.current()
        made = _operators.apply(op, args, {**kwargs, "device": device})
        return made.requires_grad_() if requires_grad else made

    return _operators._named(form, op, name)


bartlett, blackman, cosine, exponential = map(_window_form, ("bartlett", "blackman", "cosine", "exponential"))
gaussian, kaiser, nuttall = map(_window_form, ("gaussian", "kaiser", "nuttall"))
general_cosine, general_hamming = map(_window_form, ("general_cosine", "general_hamming"))
hamming, hann = map(_window_form, ("hamming", "hann"))

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip
