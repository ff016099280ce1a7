"""The older name of `torch.amp.GradScaler`. See https://docs.pytorch.org/docs/stable/amp.html."""

from __future__ import annotations

from funcgrad.amp._older import OlderGradScaler
from funcgrad.amp.grad_scaler import OptState as OptState


class GradScaler(OlderGradScaler):
    """Deprecated: use ``torch.amp.GradScaler("cuda", ...)``."""

    device_name = "cuda"
