"""Fourier transforms: ``torch.fft``. See https://docs.pytorch.org/docs/stable/fft.html."""

from __future__ import annotations

from funcgrad import _operators
from funcgrad._facade import _creation

globals().update(_operators.NAMESPACES["t"])
globals().update({name: _creation.creation_form(f"fft.{name}") for name in ("fftfreq", "rfftfreq")})
