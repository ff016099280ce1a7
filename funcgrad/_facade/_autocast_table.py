"""Which ops compute in which precision inside ``torch.autocast``: PyTorch's lists, one for CPUs and one for GPUs.

Found by running every op of PyTorch 2.13 inside ``torch.autocast`` with float32 and with bfloat16 operands. PyTorch's
lists name its elementary ops, which others are made of; here every op stands whose results change.
See https://docs.pytorch.org/docs/stable/amp.html#autocast-op-reference.
"""

from __future__ import annotations

import math

LOWER, FLOAT32, WIDEST, ROUNDED, ALIKE = "lower", "float32", "widest", "rounded", "alike"
"""What an op does with its floating-point operands: convert them to autocast's dtype, to float32, to the widest among
them, round its result to autocast's dtype, or convert them if the first has a low precision already."""

_JOINING = "cat concat concatenate stack hstack vstack dstack row_stack column_stack"
_CONVOLUTIONS = "conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d convolution"
_RECURRENT = {LOWER: "lstm rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell", ALIKE: "gru gru_cell lstm_cell"}
_LOSSES = """
    binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss
    hinge_embedding_loss huber_loss kl_div l1_loss margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss
    nll_loss poisson_nll_loss smooth_l1_loss soft_margin_loss triplet_margin_loss
"""

CPU = {
    LOWER: f"""
        addbmm addmm baddbmm bmm chain_matmul linalg.matmul linalg.multi_dot linalg.vecdot linear matmul mm prelu
        scaled_dot_product_attention {_CONVOLUTIONS} {_RECURRENT[LOWER]}
    """,
    FLOAT32: f"""
        adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d cdist cholesky cholesky_inverse cholesky_solve fft.fft
        fft.fft2 fft.fftn fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.irfft fft.irfft2 fft.irfftn fft.rfft
        fft.rfft2 fft.rfftn fractional_max_pool2d fractional_max_pool3d geqrf grid_sample grid_sampler grid_sampler_2d
        grid_sampler_3d inverse linalg.cholesky linalg.cholesky_ex linalg.cond linalg.eig linalg.eigh linalg.eigvals
        linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.lstsq linalg.matrix_rank linalg.qr
        linalg.solve linalg.svd linalg.svdvals linalg.tensorinv linalg.tensorsolve lu lu_solve max_unpool1d max_unpool2d
        max_unpool3d nanquantile orgqr ormqr pinverse polar prod qr quantile stft svd trace triangular_solve
        view_as_complex {_LOSSES}
    """,
    WIDEST: f"index_copy {_JOINING}",
    ROUNDED: "corrcoef cov linalg.pinv",
    ALIKE: _RECURRENT[ALIKE],
}
GPU = {
    LOWER: f"""
        addbmm addmm addmv addr baddbmm bmm chain_matmul einsum linalg.matmul linalg.multi_dot linalg.vecdot linear
        matmul mm mv prelu scaled_dot_product_attention gru gru_cell lstm_cell {_CONVOLUTIONS} {_RECURRENT[LOWER]}
    """,
    FLOAT32: f"""
        acos arccos asin arcsin cdist cosh cosine_similarity cumprod cumsum dist erfinv exp expm1 group_norm layer_norm
        linalg.norm linalg.vector_norm linalg.matrix_norm log log10 log1p log2 log_softmax logsumexp nansum norm
        normalize pdist pow prod reciprocal renorm rsqrt sinh softmax softmin softplus sum tan upsample {_LOSSES}
    """,
    WIDEST: f"""
        addcdiv addcmul atan2 arctan2 bilinear cross dot grid_sample index_copy index_put scatter_add tensordot vdot
        {_JOINING}
    """,
}
LISTS = {"cpu": CPU, "xla": CPU, "tpu": CPU, "cuda": GPU, "mps": GPU}
"""By device type."""


def _pad(input, pad, mode="constant", value=None):
    reflected = mode == "reflect" and len(pad) < 6  # PyTorch has no list entry for the three-dimensional one
    return FLOAT32 if reflected or mode == "replicate" else None


def _max_pool3d(*args, **kwargs):
    indices = kwargs.get("return_indices", args[6] if len(args) > 6 else False)
    return None if indices else FLOAT32


def _matrix_power(A, n, **kwargs):
    return LOWER if n > 1 else ROUNDED if n < -1 else None


def _inner(input, other):
    return _tensordot(input, other, ([-1], [-1])) if input.dim() and other.dim() else None


def _tensordot(a, b, dims=2, **kwargs):
    """A product of matrices, unless the result has one element."""
    if isinstance(dims, int):
        dims = (range(-dims, 0), range(dims))
    sums = [[d] if isinstance(d, int) else d for d in dims]
    left = [
        math.prod(x.shape) // math.prod([x.shape[i] for i in at] or [1]) for x, at in zip((a, b), sums) if x.numel()
    ]
    return None if left == [1, 1] else LOWER


def _einsum(equation, *operands):
    """A product is made where two operands share a letter (of more than one element) that the result lacks."""
    if not isinstance(equation, str):
        return LOWER
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = operands[0]
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow:
        output = "".join(c for c in inputs if inputs.count(c) == 1)
    shared = [c for c in set(inputs) - set(",.") if c not in output and sum(c in t for t in terms) > 1]
    return LOWER if any(_size(c, terms, operands) > 1 for c in shared) else None


def _size(letter: str, terms, operands) -> int:
    sizes = []
    for term, operand in zip(terms, operands):
        if letter in term:
            front, dots, back = term.partition("...")
            at = front.index(letter) if letter in front else back.index(letter) - len(back)
            sizes.append(operand.shape[at])
    return math.prod(sizes) if min(sizes) > 1 else 1


CONDITIONS = {
    "einsum": _einsum, "inner": _inner, "linalg.matrix_power": _matrix_power, "matrix_power": _matrix_power,
    "max_pool3d": _max_pool3d, "pad": _pad, "tensordot": _tensordot,
}  # fmt: skip
"""On CPUs: what depends on the call. Called with an op's arguments; None where nothing is converted."""
