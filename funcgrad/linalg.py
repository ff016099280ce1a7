"""Linear algebra: ``torch.linalg``. See https://docs.pytorch.org/docs/stable/linalg.html."""

from __future__ import annotations

from funcgrad import _errors, _operators

globals().update(_operators.NAMESPACES["l"])

LinAlgError = _errors.LinAlgError
