"""``torch.cpu.amp``: older names of `torch.amp`. See https://docs.pytorch.org/docs/stable/amp.html."""

from __future__ import annotations

import warnings

from funcgrad import _dtypes
from funcgrad import amp as _amp


class autocast(_amp.autocast):
    """Deprecated: use ``torch.amp.autocast("cpu", ...)``."""

    def __init__(self, enabled: bool = True, dtype=_dtypes.bfloat16, cache_enabled: bool = True):
        _deprecated("autocast", "torch.amp.autocast('cpu', args...)")
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(_amp.GradScaler):
    """Deprecated: use ``torch.amp.GradScaler("cpu", ...)``."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        _deprecated("GradScaler", "torch.amp.GradScaler('cpu', args...)")
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def _deprecated(name: str, instead: str) -> None:
    warnings.warn(
        f"`torch.cpu.amp.{name}(args...)` is deprecated. Please use `{instead}` instead.",
        FutureWarning,
        stacklevel=3,
    )
