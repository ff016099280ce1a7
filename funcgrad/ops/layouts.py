"""The strides that PyTorch gives the results of its ops, from those of the operands.

Views follow `strides.derive`. Pointwise ops keep the order of dimensions that their operands have in memory,
convolutions and their like keep images "channels last", decompositions of matrices are stored column by column,
and everything else makes a new tensor row by row. See
https://docs.pytorch.org/docs/stable/tensor_view.html and
https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html.
"""

from __future__ import annotations

from funcgrad.ops import strides
from funcgrad.ops.strides import (
    Geometry,
    contiguous_strides,
    is_contiguous,
    is_dense,
    ordered_strides,
    preserved_strides,
)

_POINTWISE = set("""
    abs absolute acos acosh add addcdiv addcmul addr angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh argsort
    asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
    cast ceil clamp clamp_max clamp_min clip complex conj_physical copysign cos cosh deg2rad diagonal_scatter digamma div
    divide elu celu selu eq erf erfc erfcx erfinv exp exp2 expit expm1 fill fix flip fliplr flipud float_power floor
    floor_divide fmax fmin fmod frac frexp gcd ge gelu greater greater_equal gt hardshrink hardsigmoid hardswish hardtanh
    heaviside hypot i0 i0e i1 i1e igamma igammac index_fill index_put isclose isfinite isinf isnan isneginf isposinf lcm
    ldexp le leaky_relu lerp less less_equal lgamma log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not
    logical_or logical_xor logit log_sigmoid logsigmoid lt maximum minimum mish msort mul multiply nan_to_num ndtri ne neg
    negative nextafter not_equal ones_like polar polygamma pow prelu put rad2deg reciprocal relu relu6 remainder round
    rsqrt rsub select_scatter sgn sigmoid sign signbit silu sin sinc sinh slice_scatter softplus softshrink softsign sort
    special_zeta sqrt square sub subtract tan tanh tanhshrink threshold true_divide trunc where xlog1py xlogy
    zeta dropout_mask positive resolve_conj resolve_neg airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 entr gammainc
    gammaincc gammaln log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 multigammaln
    ndtr psi scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 chebyshev_polynomial_t
    chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he
    laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
    shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w binary_cross_entropy hinge_embedding_loss huber_loss
    binary_cross_entropy_with_logits kl_div mse_loss l1_loss smooth_l1_loss poisson_nll_loss margin_ranking_loss
    soft_margin_loss normalize local_response_norm glu kron
""".split())  # fmt: skip
_AS_FIRST = {"clone", "empty_like", "zeros_like", "ones_like", "full_like", "roll"}
_BASE = {"copy_slices", "setitem"}
"""What is written into the first operand lies where that lay."""
_IMAGES = set("""
    conv2d conv3d conv_transpose2d conv_transpose3d group_norm batch_norm batch_norm_train batch_norm_eval adaptive_avg_pool2d
    adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d avg_pool2d max_pool2d max_pool2d_with_indices
    adaptive_max_pool2d_with_indices interpolate upsample upsample_nearest upsample_bilinear pixel_shuffle channel_shuffle
    native_channel_shuffle max_unpool2d pad cat concat concatenate
""".split())  # fmt: skip
_COLUMN_MAJOR = {
    **dict.fromkeys("cholesky cholesky_inverse cholesky_solve cholesky_ex inv inv_ex inverse householder_product orgqr "
                    "ormqr solve solve_ex solve_triangular triangular_solve ldl_solve lu_factor lu_factor_ex "
                    "ldl_factor ldl_factor_ex geqrf".split(), (0,)),
    "qr": (0, 1), "eig": (1,), "eigh": (1,),
}  # fmt: skip
"""Which of the results are matrices stored column by column."""
_VIEWS_BESIDE = {"getitem", "detach", "alias", "leaf"}


def result_strides(name: str, is_view: bool, args: tuple, kwargs: dict, operands: list, shapes: list, dtype):
    """The strides of an op's results, None for those of a new tensor, and whether a view was asked for in vain.

    Args:
        name: the op; `is_view`: whether it is one of those that give views of their first argument.
        args, kwargs: as it was called; arrays need only a shape, and positions may be any numbers.
        operands: the geometries of the arrays among them; the first one is the parent of a view.
        shapes: of the results.
        dtype: of the first operand.

    Raises:
        RuntimeError: PyTorch's, for a view that the strides of its parent do not allow.
    """
    if (is_view or name in _VIEWS_BESIDE) and name in strides.RULES:
        return _view(name, args, kwargs, operands[0], dtype)
    if name == "restride":
        return [args[1]], False
    if name == "contiguous":
        name, kwargs = "clone", {"memory_format": "contiguous_format", **kwargs}
    return [_of(name, i, kwargs, operands, shape) for i, shape in enumerate(shapes)], False


def _view(name: str, args, kwargs, parent: Geometry, dtype):
    keyword = {"source": dtype} if name == "view" else {}
    name = "alias" if name == "real" and not dtype.is_complex else name
    made = strides.derive(name, parent, *args[1:], **{k: v for k, v in kwargs.items() if k != "input"}, **keyword)
    if made is None:
        return [None], True
    return [g.strides for g in ([made] if isinstance(made, Geometry) else made)], False


def _of(name: str, number: int, kwargs: dict, operands: list, shape: tuple):
    if len(shape) < 2 or not operands:
        return None
    asked = str(kwargs.get("memory_format") or "").rpartition(".")[2]
    if asked not in ("", "preserve_format"):
        return contiguous_strides(shape, asked)
    if name in _BASE:
        return operands[0].strides
    if name in _AS_FIRST:
        return preserved_strides(operands[0])
    if name in _POINTWISE or (name in ("max", "min") and len(operands) == 2):
        return pointwise_strides(shape, operands)
    if number in _COLUMN_MAJOR.get(name, ()) and len(shape) > 1:
        flipped = contiguous_strides((*shape[:-2], shape[-1], shape[-2]))
        return (*flipped[:-2], flipped[-1], flipped[-2])
    if name == "broadcast_tensors":
        return strides.derive("expand", operands[number], *shape).strides
    if name == "meshgrid":
        own = number if kwargs.get("indexing") != "xy" or number > 1 else 1 - number
        step = (*operands[number].strides, 1)[0]
        return tuple(step if d == own else 0 for d in range(len(shape)))
    if name in _IMAGES and len(shape) in ((4,) if "2d" in name else (5,) if "3d" in name else (4, 5)):
        form = "channels_last" if len(shape) == 4 else "channels_last_3d"
        first = operands if name.startswith(("cat", "concat")) else operands[: 2 if name.startswith("conv") else 1]
        found = [suggests(g, form) for g in first if len(g.sizes) == len(shape)]
        if found and (all(found) if name.startswith(("cat", "concat")) else any(found)):
            return contiguous_strides(shape, form)
    return None


def suggests(geometry: Geometry, memory_format: str) -> bool:
    """Whether these are strides that PyTorch takes for images "channels last", also where a size is 1."""
    sizes, steps, _ = geometry
    if steps[1] == 0:
        return False
    least = 0
    for d in strides.ORDERS[memory_format]:
        if sizes[d] == 0 or steps[d] < least or (d == 0 and least == steps[1]):
            return False
        least = steps[d] * max(sizes[d], 1)
    return True


def pointwise_strides(shape: tuple, operands: list[Geometry]) -> tuple[int, ...] | None:
    """The strides of a pointwise result: dense, in the order of dimensions that the operands agree on.

    The first operand decides; the others do where the first one is broadcast.
    """
    operands = [g for g in operands if len(g.sizes) <= len(shape)]
    if operands and all(g.sizes == shape for g in operands):
        if all(is_contiguous(g) for g in operands):
            return None
        for form, order in strides.ORDERS.items():
            if len(order) == len(shape) and all(is_contiguous(g, form) for g in operands):
                return contiguous_strides(shape, form)
        if all(g.strides == operands[0].strides for g in operands) and is_dense(operands[0]):
            return operands[0].strides
    return ordered_strides(shape, [_broadcast(g, shape) for g in operands])


def _broadcast(g: Geometry, shape: tuple) -> tuple[int, ...]:
    extra = len(shape) - len(g.sizes)
    steps = (0 if n == 1 and shape[extra + i] != 1 else s for i, (n, s) in enumerate(zip(g.sizes, g.strides)))
    return (*[0] * extra, *steps)
