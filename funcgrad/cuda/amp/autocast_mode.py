"""Older names of `torch.amp` for autocast. See https://docs.pytorch.org/docs/stable/amp.html."""

from __future__ import annotations

from funcgrad import _dtypes
from funcgrad import amp as _amp
from funcgrad.amp._older import deprecated


class autocast(_amp.autocast):
    """Deprecated: use ``torch.amp.autocast("cuda", ...)``."""

    def __init__(self, enabled: bool = True, dtype=_dtypes.float16, cache_enabled: bool = True):
        deprecated("cuda", "autocast", "torch.amp.autocast('cuda', args...)")
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


def custom_fwd(fwd=None, *, cast_inputs=None):
    """Deprecated: use ``torch.amp.custom_fwd(..., device_type="cuda")``."""
    deprecated("cuda", "custom_fwd", "torch.amp.custom_fwd(args..., device_type='cuda')")
    return _amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd):
    """Deprecated: use ``torch.amp.custom_bwd(..., device_type="cuda")``."""
    deprecated("cuda", "custom_bwd", "torch.amp.custom_bwd(args..., device_type='cuda')")
    return _amp.custom_bwd(bwd, device_type="cuda")
