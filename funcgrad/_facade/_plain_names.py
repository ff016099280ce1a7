"""Names of ``torch`` that are constants, classes of errors and streams, or switches that are kept."""

from __future__ import annotations

import contextlib

from funcgrad import _absent, _formats, _operators
from funcgrad._tensor import Tensor
from funcgrad._warnings import is_warn_always_enabled, set_warn_always
from funcgrad.autograd import anomaly_mode


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises when a device's memory is full; JAX raises an error of its own."""


class AcceleratorError(RuntimeError):
    """An error of an accelerator's runtime; never raised here."""


class Stream:
    """A queue of work on a device; XLA has its own, so this one only exists."""

    def __init__(self, device=None, *, priority: int = 0):
        self.device, self.priority = device, priority

    def synchronize(self) -> None:
        """Wait until everything launched so far is computed."""
        from funcgrad.engine.launch import launch

        launch("a stream was synchronized")

    def query(self) -> bool:
        """True."""
        return True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error) -> None:
        return None


_UNEXPLAINED = (
    "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an enhancement "
    "request to PyTorch.)"
)


def _checking(name: str, error: type):
    def check(cond, message=None) -> None:
        if not isinstance(cond, bool):
            raise TypeError(f"cond must be a bool, but got {type(cond)}")
        if cond:
            return
        if message is not None and not callable(message):
            raise TypeError("message must be a callable")
        raise error(_UNEXPLAINED if message is None else str(message()))

    check.__name__ = check.__qualname__ = name
    check.__doc__ = f"Raise {error.__name__}, with the text that `message()` returns, unless `cond` is true."
    return check


_CHECKS = {
    "_check": RuntimeError, "_check_index": IndexError, "_check_value": ValueError, "_check_type": TypeError,
    "_check_not_implemented": NotImplementedError,
}  # fmt: skip


def _check_is_size(i: int, message=None, *, max: int | None = None) -> None:
    """Raise RuntimeError unless `i` is a size: not negative, and at most `max`."""
    _checking("_check", RuntimeError)(i >= 0 and (max is None or i <= max), message)


def is_anomaly_enabled() -> bool:
    """Whether `torch.autograd.set_detect_anomaly` is on."""
    from funcgrad.engine import anomaly

    return bool(anomaly.detecting())


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch the detection of anomalies on or off."""
    anomaly_mode.set_detect_anomaly(mode)


def get_deterministic_debug_mode() -> int:
    """0: everything XLA compiles for the CPU is deterministic."""
    return 0


def get_device_module(device=None):
    """The module of a kind of device: ``torch.cpu``, ``torch.cuda``, ..."""
    import importlib

    from funcgrad import _device

    kind = _device.canonical(device).type if device is not None else "cpu"
    return importlib.import_module(f"funcgrad.{kind}")


def is_vulkan_available() -> bool:
    """False."""
    return False


def get_file_path(*path_components: str) -> str:
    """A path inside the package."""
    import os

    from funcgrad import version

    return os.path.join(os.path.dirname(version.__file__), *path_components)


def fork(*args, **kwargs):
    """`torch.jit.fork`."""
    from funcgrad import jit

    return jit.fork(*args, **kwargs)


def wait(future):
    """`torch.jit.wait`."""
    return future.wait()


def native_norm(input: Tensor, p=2, dim=None, keepdim=False, dtype=None) -> Tensor:
    """`torch.norm`."""
    return _operators.call("norm", input, p, dim, keepdim, dtype=dtype)


# -- low rank ---------------------------------------------------------------------------------------------------------


def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> tuple:
    """The `q` greatest singular values and their vectors, approximately: ``A = U diag(S) V^H``.

    The range of A is found from random vectors by `niter` subspace iterations; see Halko, Martinsson and Tropp,
    "Finding structure with randomness" (https://arxiv.org/abs/0909.4061).
    """
    A = A if M is None else A - M
    turned = A.shape[-2] < A.shape[-1]
    A = A.mH if turned else A
    from funcgrad import randn

    Q = _range(A @ randn(A.shape[-1], q, dtype=A.dtype))
    for _ in range(niter):
        Q = _range(A @ _range(A.mH @ Q))
    U, S, Vh = _operators.call("linalg.svd", Q.mH @ A, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if turned else (U, S, V)


def _range(A: Tensor) -> Tensor:
    return _operators.call("linalg.qr", A)[0]


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple:
    """The principal components of the rows of A by `svd_lowrank`.

    Raises:
        ValueError: `q` or `niter` makes no sense.
    """
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


_REMOVED = "eig lstsq matrix_rank solve symeig"


def _removed(name: str):
    def function(*args, **kwargs):
        raise RuntimeError(
            f"This function was deprecated since version 1.9 and is now removed. See torch.linalg for `torch.{name}`."
        )

    function.__name__ = name
    function.__doc__ = "Removed from PyTorch."
    return function


def public() -> dict:
    """The names of ``torch`` in this file."""
    own = (OutOfMemoryError, AcceleratorError, Stream, set_warn_always, is_warn_always_enabled, is_anomaly_enabled,
           set_anomaly_enabled, get_deterministic_debug_mode, get_device_module, is_vulkan_available, get_file_path, fork,
           wait, native_norm, svd_lowrank, pca_lowrank, _check_is_size)  # fmt: skip
    names = {f.__name__: f for f in own} | {name: _removed(name) for name in _REMOVED.split()}
    names |= {name: _checking(name, error) for name, error in _CHECKS.items()}
    names |= {name: getattr(_formats, name) for name in ("sparse_csc", "sparse_bsr", "sparse_bsc")}
    names |= {"newaxis": None, "legacy_contiguous_format": _formats.contiguous_format, "has_lapack": True}
    names |= {
        "has_mkl": True,
        "has_openmp": True,
        "has_spectral": True,
        "is_anomaly_check_nan_enabled": is_anomaly_enabled,
    }
    names["Event"] = _absent.refusing_class(
        "Event", RuntimeError, "Cannot access accelerator device when none is available."
    )
    names["DisableTorchFunctionSubclass"] = names["DisableTorchFunction"] = contextlib.nullcontext
    return names
