"""funcgrad: PyTorch's API on JAX. ``import funcgrad as torch``."""

from __future__ import annotations

import sys as _sys
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

from funcgrad import _dtypes, _operators, _random
from funcgrad import autograd as autograd
from funcgrad import random as random
from funcgrad._compile import compile as compile
from funcgrad._device import device as device
from funcgrad._dtypes import default_dtype as get_default_dtype  # noqa: F401
from funcgrad._dtypes import dtype as dtype
from funcgrad._dtypes import promote_types as promote_types
from funcgrad._facade import _convert, _creation, _indexing, _methods
from funcgrad._facade._creation import as_tensor as as_tensor
from funcgrad._facade._creation import asarray as asarray
from funcgrad._facade._creation import tensor as tensor
from funcgrad._facade._host_memory import from_numpy as from_numpy
from funcgrad._facade._interop import from_jax as from_jax
from funcgrad._facade._interop import to_jax as to_jax
from funcgrad._formats import channels_last as channels_last
from funcgrad._formats import channels_last_3d as channels_last_3d
from funcgrad._formats import contiguous_format as contiguous_format
from funcgrad._formats import layout as layout
from funcgrad._formats import memory_format as memory_format
from funcgrad._formats import preserve_format as preserve_format
from funcgrad._formats import sparse_coo as sparse_coo
from funcgrad._formats import sparse_csr as sparse_csr
from funcgrad._formats import strided as strided
from funcgrad._generator import Generator as Generator
from funcgrad._generator import default_generator as default_generator
from funcgrad._info import finfo as finfo
from funcgrad._info import iinfo as iinfo
from funcgrad._settings import set_default_dtype as set_default_dtype
from funcgrad._size import Size as Size
from funcgrad._tensor import Tensor as Tensor
from funcgrad.autograd import _tensor_hooks
from funcgrad.autograd import enable_grad as enable_grad
from funcgrad.autograd import inference_mode as inference_mode
from funcgrad.autograd import no_grad as no_grad
from funcgrad.autograd import set_grad_enabled as set_grad_enabled
from funcgrad.autograd._vmap import vmap as vmap
from funcgrad.autograd.grad_mode import is_grad_enabled as is_grad_enabled
from funcgrad.autograd.grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from funcgrad.engine.explain import explain as explain
from funcgrad.random import get_rng_state as get_rng_state
from funcgrad.random import initial_seed as initial_seed
from funcgrad.random import manual_seed as manual_seed
from funcgrad.random import seed as seed
from funcgrad.random import set_rng_state as set_rng_state

_operators.install()
_convert.install()
_indexing.install()
_tensor_hooks.install()
_here = vars(_sys.modules[__name__])
_here.update({d.name: d for d in _dtypes.ALL} | _dtypes.ALIASES)
_here.update(_operators.NAMESPACES["f"] | _creation.install() | _methods.install() | _random.install())

from funcgrad import _C as _C  # noqa: E402
from funcgrad import _settings, _torch_functions  # noqa: E402
from funcgrad import amp as amp  # noqa: E402
from funcgrad import backends as backends  # noqa: E402
from funcgrad import cpu as cpu  # noqa: E402
from funcgrad import cuda as cuda  # noqa: E402
from funcgrad import fft as fft  # noqa: E402
from funcgrad import func as func  # noqa: E402
from funcgrad import linalg as linalg  # noqa: E402
from funcgrad import masked as masked  # noqa: E402
from funcgrad import nn as nn  # noqa: E402  (its layers use the ops put in place above)
from funcgrad import optim as optim  # noqa: E402
from funcgrad import serialization as serialization  # noqa: E402
from funcgrad import signal as signal  # noqa: E402
from funcgrad import special as special  # noqa: E402
from funcgrad import storage as storage  # noqa: E402
from funcgrad import utils as utils  # noqa: E402
from funcgrad import version as version  # noqa: E402
from funcgrad._facade import _autocast, _foreach, _legacy_types, _plain_names, _rare_methods  # noqa: E402
from funcgrad._import_hook import install as install  # noqa: E402
from funcgrad._import_hook import uninstall as uninstall  # noqa: E402
from funcgrad._malloc import keep_freed_memory as keep_freed_memory  # noqa: E402
from funcgrad._tensor_str import set_printoptions as set_printoptions  # noqa: E402
from funcgrad.amp import GradScaler as GradScaler  # noqa: E402
from funcgrad.amp import autocast as autocast  # noqa: E402
from funcgrad.serialization import load as load  # noqa: E402
from funcgrad.serialization import save as save  # noqa: E402
from funcgrad.utils.dlpack import from_dlpack as from_dlpack  # noqa: E402
from funcgrad.utils.dlpack import to_dlpack as to_dlpack  # noqa: E402
from funcgrad.version import __version__ as __version__  # noqa: E402

_here.update(_settings.public() | _legacy_types.public() | _autocast.public() | _torch_functions.public())
_here.update(_foreach.public() | storage.install() | _rare_methods.install() | _plain_names.public())

_LATER = frozenset(
    "distributions quasirandom testing jit onnx distributed multiprocessing compiler futures overrides hub library types "
    "return_types sparse mps xpu mtia accelerator __config__ __future__ _utils".split()
)


def __getattr__(name: str):
    """The parts that are loaded when first used, since importing them takes longer than importing the others."""
    if name not in _LATER:
        raise AttributeError(f"module 'torch' has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"funcgrad.{name}")
