"""What the older names of `torch.amp`, one set for each device, have in common."""

from __future__ import annotations

import warnings
from typing import ClassVar

from funcgrad.amp.grad_scaler import GradScaler


def deprecated(device: str, name: str, instead: str) -> None:
    """Warn, at the line that calls our caller, that ``torch.<device>.amp.<name>`` has a newer name."""
    warnings.warn(
        f"`torch.{device}.amp.{name}(args...)` is deprecated. Please use `{instead}` instead.",
        FutureWarning,
        stacklevel=3,
    )


class OlderGradScaler(GradScaler):
    """A `GradScaler` whose class says its device."""

    device_name: ClassVar[str]

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        device = self.device_name
        deprecated(device, "GradScaler", f"torch.amp.GradScaler('{device}', args...)")
        super().__init__(device, init_scale, growth_factor, backoff_factor, growth_interval, enabled)
