"""``torch.backends.cuda``: accepted and kept; XLA decides."""

import contextlib
from types import SimpleNamespace

matmul = SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True)


def is_built() -> bool:
    """Whether JAX has a GPU."""
    from funcgrad import cuda

    return cuda.is_available()


_kept: dict = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "reduction": False}


def _switch(kind: str, setter: str, getter: str) -> dict:
    def enable(enabled: bool) -> None:
        _kept[kind] = bool(enabled)

    def enabled() -> bool:
        return _kept[kind]

    enable.__name__, enabled.__name__ = setter, getter
    enable.__doc__, enabled.__doc__ = "Accepted and kept; attention is XLA's.", "What was set last."
    return {setter: enable, getter: enabled}


for _kind in ("flash", "mem_efficient", "math", "cudnn"):
    globals().update(_switch(_kind, f"enable_{_kind}_sdp", f"{_kind}_sdp_enabled"))
globals().update(_switch("reduction", "allow_fp16_bf16_reduction_math_sdp", "fp16_bf16_reduction_math_sdp_allowed"))


@contextlib.contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """Accepted; attention is XLA's."""
    yield {}


def _no(*args, **kwargs) -> bool:
    """False: attention is XLA's."""
    return False


is_flash_attention_available = is_ck_sdpa_available = _no
can_use_flash_attention = can_use_efficient_attention = can_use_cudnn_attention = _no


def preferred_linalg_library(backend=None) -> str:
    """Accepted; XLA decides."""
    return "default"


preferred_blas_library = preferred_rocm_fa_library = preferred_linalg_library
cufft_plan_cache = SimpleNamespace(size=0, max_size=0, clear=lambda: None)
