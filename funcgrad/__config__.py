"""How this library was built."""

from __future__ import annotations

import os

import jax
import jaxlib


def show() -> str:
    """The versions it stands on."""
    return f"funcgrad on JAX:\n  - jax {jax.__version__}\n  - jaxlib {jaxlib.__version__}\n"


def parallel_info() -> str:
    """What is known of threads."""
    return f"XLA's thread pool\n\tstd::thread::hardware_concurrency() : {os.cpu_count()}\n"
