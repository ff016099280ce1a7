"""``torch.cuda.amp``: older names of `torch.amp`. See https://docs.pytorch.org/docs/stable/amp.html."""

from __future__ import annotations

from funcgrad import _dtypes
from funcgrad import amp as _amp
from funcgrad.amp._older import OlderGradScaler, deprecated


class autocast(_amp.autocast):
    """Deprecated: use ``torch.amp.autocast("cuda", ...)``."""

    def __init__(self, enabled: bool = True, dtype=_dtypes.float16, cache_enabled: bool = True):
        deprecated("cuda", "autocast", "torch.amp.autocast('cuda', args...)")
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


class GradScaler(OlderGradScaler):
    """Deprecated: use ``torch.amp.GradScaler("cuda", ...)``."""

    device_name = "cuda"


def custom_fwd(fwd=None, *, cast_inputs=None):
    """Deprecated: use ``torch.amp.custom_fwd(..., device_type="cuda")``."""
    deprecated("cuda", "custom_fwd", "torch.amp.custom_fwd(args..., device_type='cuda')")
    return _amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd):
    """Deprecated: use ``torch.amp.custom_bwd(..., device_type="cuda")``."""
    deprecated("cuda", "custom_bwd", "torch.amp.custom_bwd(args..., device_type='cuda')")
    return _amp.custom_bwd(bwd, device_type="cuda")


def amp_definitely_not_available() -> bool:
    """Whether there is no GPU."""
    from funcgrad.cuda import is_available

    return not is_available()
