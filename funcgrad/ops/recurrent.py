"""Recurrent networks: Elman networks, LSTM and GRU of several layers and directions, and their cells.

Source: https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers

The functions are those under PyTorch's modules (``torch.lstm``, ...). Each can be called in two ways, on padded and on
packed sequences::

    lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)

`input` is ``[T, B, F]`` (``[B, T, F]`` with `batch_first`); `data` holds, one time after the other, the elements of
the ``batch_sizes[t]`` sequences that are long enough. `hx` is ``[layers * directions, B, H]`` (for the LSTM a pair),
`params` lists w_ih, w_hh, b_ih, b_hh (and w_hr of an LSTM with projections) for each layer and direction.
`dropout_masks`, for each layer but the last what dropout keeps of its output (``[T, B, directions * H]``, or packed),
is drawn by the caller.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops import _recurrence
from funcgrad.ops._elementwise import HALVES
from funcgrad.ops._matrix_checks import scalar_name
from funcgrad.ops._number import Array, cast

# -- packed sequences -------------------------------------------------------------------------------------------------


class _Packing(NamedTuple):
    """How packed sequences lie in a padded array: the row of each place, what is active, and the place of each row."""

    rows: Array
    active: Array
    places: Array

    @classmethod
    def of(cls, batch_sizes: Array, batch: int, total: int) -> _Packing:
        sizes = batch_sizes.astype(jnp.int32)
        ends = jnp.cumsum(sizes, dtype=jnp.int32)
        starts, lane = ends - sizes, jnp.arange(batch, dtype=jnp.int32)
        row = jnp.arange(total, dtype=jnp.int32)
        time = jnp.searchsorted(ends, row, side="right").astype(jnp.int32)
        active = lane < sizes[:, None]
        rows = jnp.where(active, starts[:, None] + lane, total)
        return cls(rows, active[..., None], time * jnp.int32(batch) + row - starts[time])

    def pad(self, data: Array) -> Array:
        return jnp.take(data, self.rows, 0, mode="fill", fill_value=0)

    def pack(self, padded: Array) -> Array:
        return padded.reshape(-1, *padded.shape[2:])[self.places]


# -- layers -----------------------------------------------------------------------------------------------------------


class _Weights(NamedTuple):
    w_ih: Array
    w_hh: Array
    b_ih: Array | None
    b_hh: Array | None
    w_hr: Array | None


def _weights(params, has_biases: bool, cells: int) -> list[_Weights]:
    each = len(params) // cells
    plain = 4 if has_biases else 2
    if each * cells != len(params) or each not in (plain, plain + 1):
        raise RuntimeError("got an incorrect number of RNN parameters")
    groups = [params[i * each : (i + 1) * each] for i in range(cells)]
    return [
        _Weights(*g[:2], *(g[2:4] if has_biases else (None, None)), g[plain] if each > plain else None) for g in groups
    ]


def _project(x: Array, w: _Weights, kind: str) -> tuple[Array, Array | None]:
    """The input's part of the gates of all times, and the hidden part's bias where it must stay apart."""
    if x.dtype != w.w_ih.dtype:
        raise RuntimeError(
            f"mat1 and mat2 must have the same dtype, but got {scalar_name(x)} and {scalar_name(w.w_ih)}"
        )
    if x.shape[-1] != w.w_ih.shape[1]:
        shapes = f"{x.shape[0] * x.shape[1]}x{x.shape[2]} and {w.w_ih.shape[1]}x{w.w_ih.shape[0]}"
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({shapes})")
    gates = (x.reshape(-1, x.shape[-1]) @ w.w_ih.T).reshape(*x.shape[:-1], w.w_ih.shape[0])
    if w.b_ih is None:
        return gates, None
    if kind == "gru":
        return gates + w.b_ih, w.b_hh
    return gates + (w.b_ih + w.b_hh), None


def _dropped(x: Array, mask: Array, p: float) -> Array:
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return x * (lax.stop_gradient(mask).astype(x.dtype) * jnp.asarray(scale, x.dtype))


def _layers(kind: str, x: Array, states, weights: list[_Weights], directions: int, masks, p: float, packing):
    """All layers over ``x[T, B, F]``: the last one's output and the last states of all."""
    active = None if packing is None else packing.active
    layers, last = len(weights) // directions, []
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            i = layer * directions + direction
            gates, bias = _project(x, weights[i], kind)
            state = tuple(s[i] for s in states)
            out, state = _recurrence.run(
                kind, direction == 1, gates, bias, state, weights[i].w_hh, weights[i].w_hr, active
            )
            outputs.append(out)
            last.append(state)
        x = jnp.concatenate(outputs, -1) if directions == 2 else outputs[0]
        if masks is not None and layer < layers - 1:
            mask = masks[layer] if packing is None else packing.pad(masks[layer].astype(x.dtype))
            x = _dropped(x, mask, p)
    return x, tuple(jnp.stack(parts) for parts in zip(*last))


class _Call(NamedTuple):
    """The arguments of either way to call."""

    input: Array
    batch_sizes: Array | None
    states: tuple[Array, ...]
    params: tuple[Array, ...]
    has_biases: bool
    num_layers: int
    dropout: float
    train: bool
    directions: int
    batch_first: bool


def _parse(input: Array, *arguments) -> _Call:
    batch_sizes = None
    if hasattr(arguments[0], "dtype") and jnp.issubdtype(arguments[0].dtype, jnp.integer):
        batch_sizes, arguments = arguments[0], (*arguments[1:], False)
    hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = arguments
    states = tuple(hx) if isinstance(hx, list | tuple) else (hx,)
    return _Call(
        input, batch_sizes, states, tuple(params), has_biases, num_layers, dropout, train, 1 + bool(bidirectional), batch_first
    )  # fmt: skip


def _run(kind: str, call: _Call, masks):
    if kind == "lstm" and len(call.states) != 2:
        raise RuntimeError("lstm expects two hidden states")
    weights = _weights(call.params, call.has_biases, call.num_layers * call.directions)
    p = call.dropout if call.train and call.num_layers > 1 else 0.0
    if p > 0 and masks is None:
        raise TypeError(f"{kind}(): the array function needs dropout_masks where dropout is not 0")
    if call.states[0].shape[0] != len(weights):
        raise RuntimeError("Expected more hidden states in stacked_rnn")
    d = _dtypes.to_dtype(call.input.dtype)
    wide = _dtypes.float32 if d in HALVES else d
    if d in HALVES:
        weights = [_Weights(*[w if w is None else cast(w, wide) for w in each]) for each in weights]
    x, states = cast(call.input, wide), tuple(cast(s, wide) if d in HALVES else s for s in call.states)
    packing = None
    if call.batch_sizes is not None:
        packing = _Packing.of(call.batch_sizes, states[0].shape[1], x.shape[0])
        x = packing.pad(x)
    elif call.batch_first:
        x = jnp.swapaxes(x, 0, 1)
    if x.shape[0] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    x, last = _layers(kind, x, states, weights, call.directions, masks if p > 0 else None, p, packing)
    if packing is not None:
        x = packing.pack(x)
    elif call.batch_first:
        x = jnp.swapaxes(x, 0, 1)
    return (cast(x, d), *[cast(s, d) for s in last])


def _network(kind: str, summary: str):
    def network(
        input: Array, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first=False, *, dropout_masks=None
    ):  # fmt: skip
        arguments = (hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
        return _run(kind, _parse(input, *arguments), dropout_masks)

    network.__name__ = network.__qualname__ = kind
    network.__doc__ = summary
    return network


lstm = _network(
    "lstm",
    """Long short-term memory; the arguments are described at the module's top. Returns (output, h_n, c_n).

    ``c' = sigmoid(f) * c + sigmoid(i) * tanh(g)``, ``h' = sigmoid(o) * tanh(c')``, with the gates i, f, g, o from
    ``w_ih @ x + b_ih + w_hh @ h + b_hh``; a projection makes ``h' = w_hr @ h'``.
    """,
)
gru = _network(
    "gru",
    """Gated recurrent unit; the arguments are described at the module's top. Returns (output, h_n).

    ``n = tanh(x_n + sigmoid(x_r + h_r) * h_n)``, ``h' = (1 - z) * n + z * h`` with ``z = sigmoid(x_z + h_z)``, where
    ``x_r, x_z, x_n = w_ih @ x + b_ih`` and ``h_r, h_z, h_n = w_hh @ h + b_hh``.
    """,
)
rnn_tanh = _network(
    "rnn_tanh",
    """Elman network, ``h' = tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)``; see the module's top. Returns (output, h_n).""",
)
rnn_relu = _network(
    "rnn_relu",
    """Elman network, ``h' = relu(w_ih @ x + b_ih + w_hh @ h + b_hh)``; see the module's top. Returns (output, h_n).""",
)

# -- cells ------------------------------------------------------------------------------------------------------------


def _check_cell(input: Array, states, w_ih: Array, w_hh: Array) -> None:
    for x in (input, *states):
        if x.ndim < 2:
            bound = max(x.ndim, 1)
            raise IndexError(f"Dimension out of range (expected to be in range of [-{bound}, {bound - 1}], but got 1)")
    if input.shape[1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}")
    for i, state in enumerate(states):
        if input.shape[0] != state.shape[0]:
            raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {state.shape[0]}")
        if state.shape[1] != w_hh.shape[1]:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, expected {w_hh.shape[1]}"
            )


def _cell(kind: str, input: Array, states, w_ih: Array, w_hh: Array, b_ih, b_hh) -> tuple[Array, ...]:
    _check_cell(input, states, w_ih, w_hh)
    if input.dtype != w_ih.dtype:
        raise RuntimeError(
            f"mat1 and mat2 must have the same dtype, but got {scalar_name(input)} and {scalar_name(w_ih)}"
        )
    d = _dtypes.to_dtype(input.dtype)
    wide = _dtypes.float32 if d in HALVES else d
    x, w_ih, w_hh = (cast(a, wide) for a in (input, w_ih, w_hh))
    states = tuple(cast(s, wide) for s in states)
    gates, hidden = x @ w_ih.T, states[0] @ w_hh.T
    gates = gates if b_ih is None else gates + cast(b_ih, wide)
    hidden = hidden if b_hh is None else hidden + cast(b_hh, wide)
    return tuple(cast(s, d) for s in _recurrence.CELLS[kind](gates, hidden, states))


def lstm_cell(
    input: Array, hx, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> tuple[Array, Array]:
    """One step of `lstm` from ``hx = (h, c)``: the next (h, c)."""
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _cell("lstm", input, tuple(hx), w_ih, w_hh, b_ih, b_hh)


def gru_cell(
    input: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> Array:
    """One step of `gru`."""
    return _cell("gru", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(
    input: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> Array:
    """One step of `rnn_tanh`."""
    return _cell("rnn_tanh", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(
    input: Array, hx: Array, w_ih: Array, w_hh: Array, b_ih: Array | None = None, b_hh: Array | None = None
) -> Array:
    """One step of `rnn_relu`."""
    return _cell("rnn_relu", input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]
