"""Signal processing: ``torch.signal``. See https://docs.pytorch.org/docs/stable/signal.html."""

from __future__ import annotations

from funcgrad.signal import windows as windows
