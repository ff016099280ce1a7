"""Array functions: `jax.Array` in, `jax.Array` out, with PyTorch's names, signatures, dtypes, shapes and errors.

Every function here is pure, usable from plain JAX code, and knows nothing of Tensors, recording or modules.

Conventions:
    * Parameters have PyTorch's names, order and defaults. A parameter annotated ``Array`` takes an array; one
      annotated ``Scalar`` takes a Python number that stays a run-time input of the compiled program (inside the
      program it is a `Number`; do arithmetic with it or call `as_array`, never branch on it); every other
      parameter is static: an ordinary Python value, a constant of the program.
    * Type promotion is `promote` / `promote_float` / `result_type` from ``_number``; never JAX's own.
    * Several results are a tuple, or the named tuple from `funcgrad._return_types` where PyTorch has one.
    * Bad input raises PyTorch's class with PyTorch's wording, from shapes and dtypes alone.
    * Gradients are JAX's own wherever those are PyTorch's; where the convention differs (ties, kinks, zeros) the
      function says so in a comment and uses `jax.custom_jvp` (which also gives second derivatives).
    * They run with 64-bit types enabled, so every literal array needs an explicit dtype.
"""

from __future__ import annotations

import importlib

_FAMILIES = {
    "": "conversion pointwise arithmetic powers clamping bitwise comparison "
    "reduction moments extrema norm_and_dist order_statistics sorting searching uniqueness "
    "cumulative differences statistics covariance windows spectral "
    "shape slicing strided indexing creation linalg_basic matrix_add contraction distance_matrix linalg_torch complex "
    "broadcasting joining rearranging matrices copies gathering scattering rescaling segments torch_signatures",
    "linalg": "linalg norms solve cholesky lu ldl qr svd eigen",
    "fft": "fft",
    "special": "special",
    "signal.windows": "signal_windows",
    "nn.functional": "activation softmax convolution pooling average_pooling adaptive_pooling normalization "
    "loss_regression loss_classification loss_margin loss_ctc embedding attention recurrent padding upsampling "
    "folding sampling distance dropout sequences",
}


def _load(names: str) -> list:
    found = []
    for name in names.split():
        try:
            found.append(importlib.import_module(f"funcgrad.ops.{name}"))
        except ModuleNotFoundError as e:
            if e.name != f"funcgrad.ops.{name}":
                raise
    return found


NAMESPACES = {namespace: _load(names) for namespace, names in _FAMILIES.items()}
NAMESPACES[""] += NAMESPACES["nn.functional"]
NAMESPACES["nn.functional"] = NAMESPACES["nn.functional"] + NAMESPACES[""]


def _named(families: list) -> dict:
    """Functions by name; one that a family defines itself goes before those that others import or make."""
    found: dict = {}
    for own in (False, True):
        for family in reversed(families):
            functions = ((name, f) for name, f in vars(family).items() if callable(f))
            found.update({n: f for n, f in functions if not own or getattr(f, "__module__", "") == family.__name__})
    return found


_FUNCTIONS = {namespace: _named(families) for namespace, families in NAMESPACES.items()}


def find(name: str):
    """The array function for PyTorch's name: ``linalg.x``, ``fft.x``, ``special.x``, ``nn.functional.x`` or ``x``."""
    namespace, _, last = name.rpartition(".")
    return _FUNCTIONS.get(namespace, {}).get(last)
