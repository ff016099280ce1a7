"""The families of layers that `layers` times: how each library makes one, and the same in plain JAX."""

from __future__ import annotations

import numpy as np


def normal(*shape, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.RandomState(seed).randn(*shape), "f")


def labels(high: int, *shape) -> np.ndarray:
    return np.random.RandomState(0).randint(0, high, shape)


# -- the same layers in plain JAX: f(parameters by name, inputs) ------------------------------------------------------


def _linear(p, x, prefix=""):
    return x @ p[prefix + "weight"].T + p[prefix + "bias"]


def _conv(p, x):
    from jax import lax

    n = x.ndim - 2
    y = lax.conv_general_dilated(x, p["weight"], (1,) * n, [(k // 2, k // 2) for k in p["weight"].shape[2:]])
    return y + p["bias"].reshape(-1, *(1,) * n)


def _conv_transpose(p, x):
    from jax import lax

    w = p["weight"][:, :, ::-1, ::-1].swapaxes(0, 1)
    y = lax.conv_general_dilated(x, w, (1, 1), [(2, 2), (2, 2)], lhs_dilation=(2, 2))
    return y + p["bias"].reshape(-1, 1, 1)


def _normalised(x, axes, eps=1e-5):
    import jax.numpy as jnp

    mean = jnp.mean(x, axes, keepdims=True)
    return (x - mean) / jnp.sqrt(jnp.mean((x - mean) ** 2, axes, keepdims=True) + eps)


def _batch_norm(p, x):
    return _normalised(x, (0, 2, 3)) * p["weight"].reshape(-1, 1, 1) + p["bias"].reshape(-1, 1, 1)


def _layer_norm(p, x, prefix=""):
    return _normalised(x, (-1,)) * p[prefix + "weight"] + p[prefix + "bias"]


def _group_norm(p, x):
    y = _normalised(x.reshape(x.shape[0], 8, -1), (-1,)).reshape(x.shape)
    return y * p["weight"].reshape(-1, 1, 1) + p["bias"].reshape(-1, 1, 1)


def _windows(x, start, function):
    from jax import lax

    return lax.reduce_window(x, start, function, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def _max_pool(p, x):
    from jax import lax

    return _windows(x, -np.inf, lax.max)


def _average_pool(p, x):
    from jax import lax

    return _windows(x, np.float32(0), lax.add) / 4


def _gelu(p, x):
    import jax

    return jax.nn.gelu(x, approximate=False)


def _dropout(p, x):
    import jax
    import jax.numpy as jnp

    return jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), x * 2, 0)


def _lstm(p, x):
    import jax
    import jax.numpy as jnp
    from jax import lax

    def step(state, x):
        h, c = state
        i, f, g, o = jnp.split(
            x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 4, -1
        )
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((x.shape[1], p["weight_hh_l0"].shape[1]), x.dtype)
    return lax.scan(step, (zero, zero), x)[1]


def _gru(p, x):
    import jax
    import jax.numpy as jnp
    from jax import lax

    def step(h, x):
        xr, xz, xn = jnp.split(x @ p["weight_ih_l0"].T + p["bias_ih_l0"], 3, -1)
        hr, hz, hn = jnp.split(h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 3, -1)
        z = jax.nn.sigmoid(xz + hz)
        h = (1 - z) * jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn) + z * h
        return h, h

    return lax.scan(step, jnp.zeros((x.shape[1], p["weight_hh_l0"].shape[1]), x.dtype), x)[1]


HEADS = 8


def _attention(p, x, prefix=""):
    import jax
    import jax.numpy as jnp

    b, t, d = x.shape
    q, k, v = jnp.split(x @ p[prefix + "in_proj_weight"].T + p[prefix + "in_proj_bias"], 3, -1)
    q, k, v = [y.reshape(b, t, HEADS, d // HEADS) for y in (q, k, v)]
    weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.float32((d // HEADS) ** 0.5), -1)
    y = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(b, t, d)
    return _linear(p, y, prefix + "out_proj.")


def _encoder(p, x):
    import jax

    x = _layer_norm(p, x + _attention(p, x, "self_attn."), "norm1.")
    y = _linear(p, jax.nn.relu(_linear(p, x, "linear1.")), "linear2.")
    return _layer_norm(p, x + y, "norm2.")


def _cross_entropy(p, x, target):
    import jax
    import jax.numpy as jnp

    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x, -1), target[:, None], -1))


def _upsample(p, x):
    import jax

    return jax.image.resize(x, (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]), "bilinear")


# -- the cases --------------------------------------------------------------------------------------------------------

MAPS = ((4, 16, 16), (16, 32, 32), (32, 64, 32))  # batch, channels, height and width
TEXTS = ((4, 32, 64), (8, 128, 128), (16, 256, 256))  # batch, length, features


def _images(module, plain):
    return {s: (lambda nn, s=s: module(nn, s[1]), (normal(s[0], s[1], s[2], s[2]),), plain) for s in MAPS}


def _texts(module, plain, time_first=False):
    order = (lambda s: (s[1], s[0], s[2])) if time_first else (lambda s: s)
    return {s: (lambda nn, s=s: module(nn, s[2]), (normal(*order(s)),), plain) for s in TEXTS}


def _encoder_layer(nn, d):
    return nn.TransformerEncoderLayer(d, HEADS, 4 * d, dropout=0.0, batch_first=True)


class _SelfAttention:
    def __new__(cls, nn, d):
        attention = nn.MultiheadAttention(d, HEADS, batch_first=True)
        attention.register_forward_pre_hook(lambda m, args: (args[0], args[0], args[0]))
        attention.register_forward_pre_hook(lambda m, a, k: (a, {"need_weights": False}), with_kwargs=True)
        return attention


def _first(module):
    """The module, returning only its first result."""

    def make(nn, n):
        made = module(nn, n)
        made.register_forward_hook(lambda m, args, out: out[0])
        return made

    return make


CASES = {
    "Linear": _texts(lambda nn, d: nn.Linear(d, d), _linear),
    "Conv1d": {
        s: (lambda nn, s=s: nn.Conv1d(s[2], s[2], 3, padding=1), (normal(s[0], s[2], s[1]),), _conv) for s in TEXTS
    },
    "Conv2d 3x3": _images(lambda nn, c: nn.Conv2d(c, c, 3, padding=1), _conv),
    "Conv2d 1x1": _images(lambda nn, c: nn.Conv2d(c, 2 * c, 1), _conv),
    "ConvTranspose2d": _images(lambda nn, c: nn.ConvTranspose2d(c, c // 2, 4, 2, 1), _conv_transpose),
    "BatchNorm2d": _images(lambda nn, c: nn.BatchNorm2d(c), _batch_norm),
    "GroupNorm": _images(lambda nn, c: nn.GroupNorm(8, c), _group_norm),
    "LayerNorm": _texts(lambda nn, d: nn.LayerNorm(d), _layer_norm),
    "MaxPool2d": _images(lambda nn, c: nn.MaxPool2d(2), _max_pool),
    "AvgPool2d": _images(lambda nn, c: nn.AvgPool2d(2), _average_pool),
    "Upsample": _images(lambda nn, c: nn.Upsample(scale_factor=2, mode="bilinear"), _upsample),
    "GELU": _texts(lambda nn, d: nn.GELU(), _gelu),
    "Dropout": _texts(lambda nn, d: nn.Dropout(0.5), _dropout),
    "Embedding": {
        s: (lambda nn, s=s: nn.Embedding(10_000, s[2]), (labels(10_000, *s[:2]),), lambda p, i: p["weight"][i])
        for s in TEXTS
    },
    "LSTM": _texts(_first(lambda nn, d: nn.LSTM(d, d)), _lstm, time_first=True),
    "GRU": _texts(_first(lambda nn, d: nn.GRU(d, d)), _gru, time_first=True),
    "MultiheadAttention": _texts(_first(_SelfAttention), _attention),
    "TransformerEncoderLayer": _texts(_encoder_layer, _encoder),
    "CrossEntropyLoss": {
        (b, c): (lambda nn: nn.CrossEntropyLoss(), (normal(b, c), labels(c, b)), _cross_entropy)
        for b, c in ((64, 10), (256, 1000), (1024, 10_000))
    },
}
"""By family and size: what makes the module of ``torch.nn``, the inputs, and the function of plain JAX."""
