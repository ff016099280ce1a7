"""``torch.cpu.amp``: older names of `torch.amp`. See https://docs.pytorch.org/docs/stable/amp.html."""

from __future__ import annotations

from funcgrad import _dtypes
from funcgrad import amp as _amp
from funcgrad.amp._older import OlderGradScaler, deprecated


class autocast(_amp.autocast):
    """Deprecated: use ``torch.amp.autocast("cpu", ...)``."""

    def __init__(self, enabled: bool = True, dtype=_dtypes.bfloat16, cache_enabled: bool = True):
        deprecated("cpu", "autocast", "torch.amp.autocast('cpu', args...)")
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(OlderGradScaler):
    """Deprecated: use ``torch.amp.GradScaler("cpu", ...)``."""

    device_name = "cpu"
