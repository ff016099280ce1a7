"""The same training steps written by hand in JAX and optax, in the form one naturally writes, with donated state."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jax import lax
from workloads import WORKLOADS


def linear(p, name, x):
    y = x @ p[name + ".weight"].T
    return y + p[name + ".bias"] if name + ".bias" in p else y


def conv(x, w, stride=1, padding=0):
    return lax.conv_general_dilated(
        x, w, (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def mlp(p, s, x):
    names = sorted({k.split(".")[0] for k in p}, key=int)
    for n in names[:-1]:
        x = jax.nn.relu(linear(p, n, x))
    return linear(p, names[-1], x), s


def lenet(p, s, x):
    x = max_pool(jax.nn.relu(conv(x, p["0.weight"], 1, 2) + p["0.bias"][:, None, None]))
    x = max_pool(jax.nn.relu(conv(x, p["3.weight"]) + p["3.bias"][:, None, None]))
    x = x.reshape(x.shape[0], -1)
    x = jax.nn.relu(linear(p, "7", x))
    x = jax.nn.relu(linear(p, "9", x))
    return linear(p, "11", x), s


def resnet20(p, s, x):
    new = {}

    def norm(name, x):
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        n = x.size // x.shape[1]
        new[name + ".running_mean"] = 0.9 * s[name + ".running_mean"] + 0.1 * mean
        new[name + ".running_var"] = 0.9 * s[name + ".running_var"] + 0.1 * var * (n / (n - 1))
        y = (x - mean[:, None, None]) * lax.rsqrt(var + 1e-5)[:, None, None]
        return y * p[name + ".weight"][:, None, None] + p[name + ".bias"][:, None, None]

    x = jax.nn.relu(norm("bn", conv(x, p["conv.weight"], 1, 1)))
    for i in range(9):
        b = f"blocks.{i}."
        stride = 2 if i in (3, 6) else 1
        y = jax.nn.relu(norm(b + "bn1", conv(x, p[b + "conv1.weight"], stride, 1)))
        y = norm(b + "bn2", conv(y, p[b + "conv2.weight"], 1, 1))
        if b + "short.0.weight" in p:
            x = norm(b + "short.1", conv(x, p[b + "short.0.weight"], stride))
        x = jax.nn.relu(y + x)
    return linear(p, "head", x.mean((2, 3))), new


def lstm(p, s, tokens):
    x = p["embedding.weight"][tokens]
    w_ih, w_hh = p["lstm.weight_ih_l0"], p["lstm.weight_hh_l0"]
    bias = p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"]

    def cell(carry, x):
        h, c = carry
        i, f, g, o = jnp.split(x @ w_ih.T + h @ w_hh.T + bias, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zero = jnp.zeros((x.shape[0], 128))
    (h, _), _ = lax.scan(cell, (zero, zero), x.transpose(1, 0, 2))
    return linear(p, "head", h), s


def gpt(p, s, tokens, heads=8):
    def norm(name, x):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(var + 1e-5) * p[name + ".weight"] + p[name + ".bias"]

    x = p["tokens.weight"][tokens] + p["positions"]
    b, t, d = x.shape
    mask = jnp.tril(jnp.ones((t, t), bool))
    for i in range(4):
        n = f"blocks.{i}."
        q, k, v = jnp.split(linear(p, n + "qkv", norm(n + "ln1", x)), 3, axis=-1)
        q, k, v = (z.reshape(b, t, heads, d // heads).transpose(0, 2, 1, 3) for z in (q, k, v))
        a = (q @ k.transpose(0, 1, 3, 2)) / (d // heads) ** 0.5
        a = jax.nn.softmax(jnp.where(mask, a, -jnp.inf), axis=-1)
        x = x + linear(p, n + "proj", (a @ v).transpose(0, 2, 1, 3).reshape(b, t, d))
        x = x + linear(p, n + "down", jax.nn.gelu(linear(p, n + "up", norm(n + "ln2", x)), approximate=False))
    return (norm("ln", x) @ p["head.weight"].T).reshape(b * t, -1), s


FORWARD = {"LeNet": lenet, "ResNet-20": resnet20, "LSTM": lstm, "GPT": gpt}
OPTIMIZERS = {
    "SGD": lambda lr, momentum=None: optax.sgd(lr, momentum),
    "Adam": lambda lr: optax.adam(lr),
    "AdamW": lambda lr: optax.adamw(lr, weight_decay=1e-2),
}


def step_of(name: str, params: dict, buffers: dict):
    """The jitted training step of a workload, as a function of a batch; its state is kept here and donated."""
    _, kind, optimizer, options, _, _ = WORKLOADS[name]
    forward = FORWARD.get(name, mlp)
    tx = OPTIMIZERS[optimizer](**options)

    def loss_of(p, s, x, y):
        out, s = forward(p, s, x)
        if kind == "mse":
            return ((out - y) ** 2).mean(), s
        return optax.softmax_cross_entropy_with_integer_labels(out, y.reshape(-1)).mean(), s

    def update(p, s, o, x, y):
        (loss, s), g = jax.value_and_grad(loss_of, has_aux=True)(p, s, x, y)
        u, o = tx.update(g, o, p)
        return optax.apply_updates(p, u), s, o, loss

    jitted = jax.jit(update, donate_argnums=(0, 1, 2))
    state = [params, buffers, tx.init(params)]

    def step(x, y):
        *state[:], loss = jitted(*state, x, y)
        return loss

    return step
