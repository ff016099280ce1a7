"""The ops that ops.py times: by family, the shapes of the inputs and the call, written for either library."""

from __future__ import annotations

import numpy as np

M = (1024, 1024)
IMAGE = (16, 64, 32, 32)


def integers(high: int, *shape):
    """An input of integers below `high`."""
    return lambda rng: rng.randint(0, high, shape)


def positive(*shape):
    """An input of numbers between 0.5 and 1.5."""
    return lambda rng: (rng.rand(*shape) + 0.5).astype("f")


def definite(n: int):
    """A symmetric positive-definite matrix as input."""

    def make(rng):
        a = rng.randn(n, n)
        return (a @ a.T / n + np.eye(n)).astype("f")

    return make


def _pointwise() -> dict:
    one = ("exp", "tanh", "sigmoid", "erf", "sin", "abs")
    cases = {name: ([M], lambda t, x, name=name: getattr(t, name)(x)) for name in one}
    cases |= {name: ([positive(*M)], lambda t, x, name=name: getattr(t, name)(x)) for name in ("log", "sqrt", "rsqrt")}
    two = ("add", "mul", "div", "maximum")
    cases |= {name: ([M, positive(*M)], lambda t, x, y, name=name: getattr(t, name)(x, y)) for name in two}
    for name in ("relu", "gelu", "silu", "softplus", "elu"):
        cases[name] = ([M], lambda t, x, name=name: getattr(t.nn.functional, name)(x))
    return cases | {
        "pow(x, 3)": ([M], lambda t, x: x**3),
        "x * row": ([M, (1024,)], lambda t, x, y: x * y),
        "x * column": ([M, (1024, 1)], lambda t, x, y: x * y),
        "where": ([M, M], lambda t, x, y: t.where(x > 0, x, y)),
        "clamp": ([M], lambda t, x: x.clamp(-1, 1)),
        "masked_fill": ([M], lambda t, x: x.masked_fill(x > 0, 0.0)),
        "lerp": ([M, M], lambda t, x, y: t.lerp(x, y, 0.3)),
    }


def _reductions() -> dict:
    cases = {}
    for name in ("sum", "mean", "var", "amax", "logsumexp", "norm"):
        cases[f"{name}, rows"] = ([M], lambda t, x, name=name: getattr(t, name)(x, dim=1))
        cases[f"{name}, columns"] = ([M], lambda t, x, name=name: getattr(t, name)(x, dim=0))
    return cases | {
        "sum, all": ([M], lambda t, x: x.sum()),
        "sum, columns of [64, 32768]": ([(64, 32768)], lambda t, x: x.sum(0)),
        "max, rows": ([M], lambda t, x: x.max(1).values),
        "argmax, rows": ([M], lambda t, x: x.argmax(1)),
        "prod, rows": ([positive(*M)], lambda t, x: x.prod(1)),
        "cumsum, rows": ([M], lambda t, x: x.cumsum(1)),
        "cumsum, columns": ([M], lambda t, x: x.cumsum(0)),
        "cumprod, rows": ([positive(*M)], lambda t, x: x.cumprod(1)),
        "sort, rows": ([M], lambda t, x: x.sort(1).values),
        "topk 16, rows": ([M], lambda t, x: x.topk(16, 1).values),
        "median, rows": ([M], lambda t, x: x.median(1).values),
    }


def _normalisations() -> dict:
    weights = [(64,), (64,)]
    return {
        "softmax": ([M], lambda t, x: x.softmax(1)),
        "softmax, columns": ([M], lambda t, x: x.softmax(0)),
        "log_softmax": ([M], lambda t, x: x.log_softmax(1)),
        "cross_entropy": ([(1024, 2048), integers(2048, 1024)], lambda t, x, y: t.nn.functional.cross_entropy(x, y)),
        "layer_norm": ([M, (1024,), (1024,)], lambda t, x, w, b: t.nn.functional.layer_norm(x, (1024,), w, b)),
        "rms_norm": ([M, (1024,)], lambda t, x, w: t.nn.functional.rms_norm(x, (1024,), w)),
        "group_norm": ([IMAGE, *weights], lambda t, x, w, b: t.nn.functional.group_norm(x, 8, w, b)),
        "batch_norm": (
            [IMAGE, *weights],
            lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, training=True),
        ),
        "mse_loss": ([M, M], lambda t, x, y: t.nn.functional.mse_loss(x, y)),
        "binary_cross_entropy_with_logits": (
            [M, positive(*M)],
            lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, y),
        ),
        "normalize": ([M], lambda t, x: t.nn.functional.normalize(x, dim=1)),
    }


def _products() -> dict:
    return {
        "matmul 512": ([(512, 512)] * 2, lambda t, x, y: x @ y),
        "matmul 1024": ([M] * 2, lambda t, x, y: x @ y),
        "matmul transposed": ([M] * 2, lambda t, x, y: x @ y.T),
        "linear [8, 256, 512] to 1024": (
            [(8, 256, 512), (1024, 512), (1024,)],
            lambda t, x, w, b: t.nn.functional.linear(x, w, b),
        ),
        "bmm [64, 128, 64]": ([(64, 128, 64), (64, 64, 128)], lambda t, x, y: t.bmm(x, y)),
        "matrix by vector": ([M, (1024,)], lambda t, x, y: x @ y),
        "einsum bhqd,bhkd->bhqk": ([(4, 8, 256, 64)] * 2, lambda t, x, y: t.einsum("bhqd,bhkd->bhqk", x, y)),
        "outer": ([(1024,), (1024,)], lambda t, x, y: t.outer(x, y)),
        "attention": (
            [(4, 8, 256, 64)] * 3,
            lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v),
        ),
        "attention, causal": (
            [(4, 8, 256, 64)] * 3,
            lambda t, q, k, v: t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        ),
        "cdist": ([(512, 64), (512, 64)], lambda t, x, y: t.cdist(x, y)),
    }


def _convolutions() -> dict:
    def conv(dims, x, w, **options):
        return ([x, w], lambda t, x, w: getattr(t.nn.functional, f"conv{dims}")(x, w, **options))

    return {
        "conv1d 64 to 64, 3": conv("1d", (16, 64, 1024), (64, 64, 3), padding=1),
        "conv2d 64 to 64, 3x3": conv("2d", IMAGE, (64, 64, 3, 3), padding=1),
        "conv2d 64 to 128, 3x3, stride 2": conv("2d", IMAGE, (128, 64, 3, 3), padding=1, stride=2),
        "conv2d 64 to 256, 1x1": conv("2d", IMAGE, (256, 64, 1, 1)),
        "conv2d 3 to 64, 7x7, stride 2": conv("2d", (16, 3, 96, 96), (64, 3, 7, 7), padding=3, stride=2),
        "conv2d 64, depthwise": conv("2d", IMAGE, (64, 1, 3, 3), padding=1, groups=64),
        "conv2d 64 to 64, groups 4": conv("2d", IMAGE, (64, 16, 3, 3), padding=1, groups=4),
        "conv2d 1 to 32, 5x5": conv("2d", (64, 1, 64, 64), (32, 1, 5, 5), padding=2),
        "conv3d 16 to 32, 3": conv("3d", (2, 16, 16, 32, 32), (32, 16, 3, 3, 3), padding=1),
        "conv_transpose2d 64 to 32, 2x2": conv("_transpose2d", IMAGE, (64, 32, 2, 2), stride=2),
    }


def _pooling() -> dict:
    def of(name, *args, x=IMAGE, **options):
        return ([x], lambda t, x: getattr(t.nn.functional, name)(x, *args, **options))

    return {
        "max_pool2d 2": of("max_pool2d", 2),
        "max_pool2d 3, stride 2": of("max_pool2d", 3, 2, 1),
        "avg_pool2d 2": of("avg_pool2d", 2),
        "avg_pool2d 3, stride 2": of("avg_pool2d", 3, 2, 1),
        "adaptive_avg_pool2d 1": of("adaptive_avg_pool2d", 1),
        "max_pool1d 2": of("max_pool1d", 2, x=(16, 64, 1024)),
        "interpolate nearest": of("interpolate", scale_factor=2.0),
        "interpolate bilinear": of("interpolate", scale_factor=2.0, mode="bilinear"),
        "interpolate bicubic": of("interpolate", scale_factor=2.0, mode="bicubic"),
        "pad, zeros": of("pad", (1, 1, 1, 1)),
        "pad, reflect": of("pad", (1, 1, 1, 1), mode="reflect"),
        "unfold": of("unfold", 3, padding=1),
        "grid_sample": (
            [IMAGE, lambda rng: (rng.rand(16, 32, 32, 2) * 2 - 1).astype("f")],
            lambda t, x, g: t.nn.functional.grid_sample(x, g, align_corners=False),
        ),
    }


def _indexing() -> dict:
    rows = integers(1024, 1024)
    return {
        "embedding": ([integers(20000, 8192), (20000, 64)], lambda t, i, w: t.nn.functional.embedding(i, w)),
        "index_select, rows": ([M, rows], lambda t, x, i: x.index_select(0, i)),
        "index_select, columns": ([M, rows], lambda t, x, i: x.index_select(1, i)),
        "x[i]": ([M, rows], lambda t, x, i: x[i]),
        "gather, rows": ([M, integers(1024, *M)], lambda t, x, i: x.gather(1, i)),
        "scatter_add, rows": ([M, integers(1024, *M), M], lambda t, x, i, y: x.scatter_add(1, i, y)),
        "index_add": ([M, rows, M], lambda t, x, i, y: x.index_add(0, i, y)),
        "x[:, ::2]": ([M], lambda t, x: x[:, ::2].contiguous()),
    }


def _shapes() -> dict:
    return {
        "transpose": ([M], lambda t, x: x.t().contiguous()),
        "permute NCHW to NHWC": ([IMAGE], lambda t, x: x.permute(0, 2, 3, 1).contiguous()),
        "cat, columns": ([M, M], lambda t, x, y: t.cat([x, y], 1)),
        "stack": ([M, M], lambda t, x, y: t.stack([x, y])),
        "flip": ([M], lambda t, x: x.flip(1)),
        "roll": ([M], lambda t, x: x.roll(3, 1)),
        "tril": ([M], lambda t, x: x.tril()),
        "repeat": ([(512, 512)], lambda t, x: x.repeat(2, 2)),
        "repeat_interleave": ([(512, 512)], lambda t, x: x.repeat_interleave(2, 0)),
    }


def _matrices() -> dict:
    n = 512
    return {
        "linalg.cholesky": ([definite(n)], lambda t, x: t.linalg.cholesky(x)),
        "linalg.inv": ([definite(n)], lambda t, x: t.linalg.inv(x)),
        "linalg.solve": ([definite(n), (n, 64)], lambda t, x, y: t.linalg.solve(x, y)),
        "linalg.det": ([definite(n)], lambda t, x: t.linalg.slogdet(x).logabsdet),
        "linalg.qr": ([(n, n)], lambda t, x: t.linalg.qr(x).R),
        "linalg.svdvals": ([(n, n)], lambda t, x: t.linalg.svdvals(x)),
        "linalg.eigh": ([definite(n)], lambda t, x: t.linalg.eigh(x).eigenvalues),
        "fft.rfft": ([M], lambda t, x: t.fft.rfft(x).abs()),
        "fft.rfft2": ([(16, 256, 256)], lambda t, x: t.fft.rfft2(x).abs()),
    }


FAMILIES = {
    "pointwise": _pointwise(),
    "reductions and order": _reductions(),
    "softmax, norms, losses": _normalisations(),
    "products": _products(),
    "convolutions": _convolutions(),
    "pooling and resampling": _pooling(),
    "indexing": _indexing(),
    "shapes": _shapes(),
    "matrices and transforms": _matrices(),
}
CASES = {f"{family}: {name}": case for family, cases in FAMILIES.items() for name, case in cases.items()}


def inputs(shapes) -> list:
    """The NumPy inputs of a case: normal numbers of each shape, or what a function of the random state makes."""
    rng = np.random.RandomState(0)
    return [s(rng) if callable(s) else rng.randn(*s).astype("f") for s in shapes]
