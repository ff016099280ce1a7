"""What numbers a dtype can hold: ``torch.finfo`` and ``torch.iinfo``.

See https://docs.pytorch.org/docs/stable/type_info.html.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

from funcgrad import _dtypes


class finfo:
    """The limits of a floating dtype.

    Attributes:
        bits, eps, max, min, tiny, smallest_normal, resolution, dtype.

    Example:
        >>> import funcgrad as torch
        >>> torch.finfo(torch.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type=None):
        d = _dtypes.default_dtype() if type is None else type
        if not (d.is_floating_point or d.is_complex):
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle '{d!r}'")
        info = ml_dtypes.finfo(d.to_real().numpy)
        self.bits = info.bits
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)
        self.dtype = d.to_real().name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype.

    Attributes:
        bits, max, min, dtype.

    Example:
        >>> import funcgrad as torch
        >>> torch.iinfo(torch.int8).max
        127
    """

    def __init__(self, type):
        if type.category != _dtypes.INTEGER:
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type!r}'")
        info = np.iinfo(type.numpy)
        self.bits, self.max, self.min = info.bits, int(info.max), int(info.min)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
