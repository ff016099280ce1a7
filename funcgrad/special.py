"""Special functions: ``torch.special``. See https://docs.pytorch.org/docs/stable/special.html."""

from __future__ import annotations

from funcgrad import _operators

globals().update(_operators.NAMESPACES["s"])
globals().update({name: _operators.NAMESPACES["f"][name] for name in ("softmax", "log_softmax", "logsumexp")})
