"""Memory settings come before JAX's threads."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_importing_starts_no_threads():
    """Threads take their own parts of memory, which `keep_freed_memory` could no longer change."""
    code = "import os, jax; n = len(os.listdir('/proc/self/task')); import funcgrad; print(len(os.listdir('/proc/self/task')) - n)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
