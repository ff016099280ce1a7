"""``torch.backends.cpu``: the CPU that XLA compiles for."""

from __future__ import annotations


def get_cpu_capability() -> str:
    """PyTorch names the instruction set of its kernels here; XLA looks for itself."""
    return "DEFAULT"
