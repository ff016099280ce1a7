"""What PyTorch programs touch of ``torch._dynamo``."""

from __future__ import annotations

from funcgrad._dynamo.eval_frame import OptimizedModule as OptimizedModule


def reset() -> None:
    """Accepted as in PyTorch; captured runs belong to their compiled functions."""
