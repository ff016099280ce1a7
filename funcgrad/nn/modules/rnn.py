"""Recurrent layers. See https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers."""

from __future__ import annotations

import math
import numbers
import warnings

from funcgrad import _operators, _random
from funcgrad._facade import _creation
from funcgrad._facade._autocast import is_any_autocast_enabled
from funcgrad._tensor import Tensor
from funcgrad.nn import init
from funcgrad.nn.modules._rnn_cells import GRUCell as GRUCell
from funcgrad.nn.modules._rnn_cells import LSTMCell as LSTMCell
from funcgrad.nn.modules._rnn_cells import RNNCell as RNNCell
from funcgrad.nn.modules._rnn_cells import RNNCellBase as RNNCellBase
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter
from funcgrad.nn.utils.rnn import PackedSequence

_empty, _zeros = _creation.creation_form("empty"), _creation.creation_form("zeros")
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, checks, packed and unbatched sequences.

    Args:
        mode: ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
        input_size, hidden_size: of the vectors.
        num_layers: each further layer reads the outputs of the one before.
        bias: whether to add biases.
        batch_first: whether input and output are (N, T, ...).
        dropout: the probability with which the outputs between layers are dropped.
        bidirectional: read the sequence in both directions.
        proj_size: project the hidden state of an LSTM to this size.
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device=None,
        dtype=None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        _check(dropout, num_layers, bias, batch_first, input_size, hidden_size, proj_size)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self._all_weights = [list(names) for names in self._shapes()]
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        for shapes in self._shapes():
            for name, shape in shapes.items():
                setattr(self, name, Parameter(_empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _shapes(self) -> list[dict[str, tuple[int, ...]]]:
        """The weights' names and shapes, by layer and direction."""
        gates, out = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        directions = 2 if self.bidirectional else 1
        found = []
        for layer in range(self.num_layers):
            for suffix in ("", "_reverse")[:directions]:
                width = self.input_size if layer == 0 else out * directions
                shapes = {"weight_ih": (gates, width), "weight_hh": (gates, out)}
                if self.bias:
                    shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
                if self.proj_size:
                    shapes["weight_hr"] = (self.proj_size, self.hidden_size)
                found.append({f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()})
        return found

    def reset_parameters(self) -> None:
        """Draw all weights uniformly from ``±1/sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Accepted as in PyTorch: weights need not stand in one piece of memory."""

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        shown = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, usual in shown.items():
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text

    def __setstate__(self, state: dict) -> None:
        """Take also what PyTorch pickled: it keeps the weights in lists, too."""
        state = {k: v for k, v in state.items() if k not in ("_flat_weights", "_flat_weight_refs", "all_weights")}
        super().__setstate__(state)
        self.__dict__.setdefault("proj_size", 0)
        self._all_weights = [list(names) for names in self._shapes()]
        self._flat_weights_names = [name for names in self._all_weights for name in names]

    # -- checks -------------------------------------------------------------------------------------------------------

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise PyTorch's error for an input that does not fit."""
        dtype = getattr(self, self._flat_weights_names[0]).dtype
        if input.dtype is not dtype and not is_any_autocast_enabled():
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: "
                f"input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the hidden state."""
        return self._state_shape(input, batch_sizes, self.proj_size or self.hidden_size)

    def _state_shape(self, input: Tensor, batch_sizes: Tensor | None, width: int) -> tuple[int, int, int]:
        batch = input.size(0 if self.batch_first else 1) if batch_sizes is None else int(batch_sizes[0])
        return (self.num_layers * (2 if self.bidirectional else 1), batch, width)

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise PyTorch's error for a state of another shape."""
        if hx.shape != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden, batch_sizes: Tensor | None) -> None:
        """Raise PyTorch's error for arguments that do not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    # -- running ------------------------------------------------------------------------------------------------------

    def forward(self, input, hx=None):
        """The outputs of the last layer at each step, and the last state of each layer."""
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_dims(input, hx)
        batched = input.dim() == 3
        batch = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch)
            hx = None if hx is None else self._each(hx, lambda state: state.unsqueeze(1))
        hx = self._initial(input, None) if hx is None else hx
        self.check_forward_args(input, hx, None)
        time, count = (1, 0) if self.batch_first else (0, 1)
        masks = self._dropout_masks((input.size(time), input.size(count)))
        output, state = self._run((input, hx), (self.batch_first,), masks)
        if not batched:
            return output.squeeze(batch), self._each(state, lambda state: state.squeeze(1))
        return output, state

    def _forward_packed(self, packed: PackedSequence, hx):
        data, batch_sizes, order, undo = packed
        hx = self._initial(data, batch_sizes) if hx is None else self.permute_hidden(hx, order)
        self.check_forward_args(data, hx, batch_sizes)
        masks = self._dropout_masks((data.size(0),))
        output, state = self._run((data, batch_sizes, hx), (), masks)
        return PackedSequence(output, batch_sizes, order, undo), self.permute_hidden(state, undo)

    def _check_dims(self, input: Tensor, hx) -> None:
        if input.dim() not in (2, 3):
            tail = " tensor instead" if self.mode.startswith("RNN") else " instead"
            raise ValueError(f"{self._kind}: Expected input to be 2D or 3D, got {input.dim()}D{tail}")
        if hx is not None and hx.dim() != input.dim():
            kind = "batched 3-D" if input.dim() == 3 else "unbatched 2-D"
            raise RuntimeError(f"For {kind} input, hx should also be {input.dim()}-D but got {hx.dim()}-D tensor")

    @property
    def _kind(self) -> str:
        return self.mode.partition("_")[0]

    def _initial(self, input: Tensor, batch_sizes: Tensor | None):
        shape = self.get_expected_hidden_size(input, batch_sizes)
        return _zeros(shape, dtype=input.dtype, device=input.device)

    def _each(self, state, function):
        """`function` of the state, or of each of an LSTM's two."""
        return function(state)

    def permute_hidden(self, hx, permutation: Tensor | None):
        """The state with its sequences in another order."""
        if permutation is None:
            return hx
        return self._each(hx, lambda state: state.index_select(1, permutation))

    def _dropout_masks(self, steps: tuple[int, ...]) -> list[Tensor] | None:
        """What dropout keeps of the outputs of each layer but the last: PyTorch draws a mask over (T, N, features)."""
        if not (self.training and self.dropout > 0 and self.num_layers > 1):
            return None
        width = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        return [_random.dropout_mask((*steps, width), self.dropout) for _ in range(self.num_layers - 1)]

    def _run(self, operands: tuple, layout: tuple, masks: list[Tensor] | None):
        out = _operators.call(
            self.mode.lower(), *operands, self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
            self.bidirectional, *layout, dropout_masks=masks,
        )  # fmt: skip
        return out[0], out[1] if len(out) == 2 else tuple(out[1:])


def _check(dropout, num_layers, bias, batch_first, input_size, hidden_size, proj_size) -> None:
    """PyTorch's checks of the constructor's arguments."""
    if not isinstance(dropout, numbers.Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


_ARGUMENTS = """
    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as of `RNNBase`.

    Shape:
        input: (T, N, input_size), (N, T, input_size) with `batch_first`, (T, input_size), or a PackedSequence. State:
        (num_layers * directions, N, hidden_size). Output: as input, with directions * hidden_size features.
"""


class RNN(RNNBase):
    __doc__ = f"""``h = tanh(W_ih x + b_ih + W_hh h + b_hh)`` at each step.
{_ARGUMENTS}
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    def __init__(self, *args, **kwargs) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    __doc__ = f"""The gated recurrent unit: ``h = (1 - z) * n + z * h``.

    With ``r, z = sigmoid(W x + b + U h + c)`` and ``n = tanh(W x + b + r * (U h + c))``.
{_ARGUMENTS}
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    def __init__(self, *args, **kwargs) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    __doc__ = f"""Long short-term memory: ``c = f * c + i * g``, ``h = o * tanh(c)``.

    With ``i, f, o = sigmoid(W x + b + U h + c)`` and ``g = tanh(W x + b + U h + c)``. The state is the pair (h, c).
{_ARGUMENTS}
    Example:
        >>> import funcgrad as torch
        >>> out, (h, c) = torch.nn.LSTM(3, 4)(torch.ones(5, 2, 3))
        >>> out.shape, h.shape
        (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """The shape of the cells' state."""
        return self._state_shape(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden, batch_sizes: Tensor | None) -> None:
        self.check_input(input, batch_sizes)
        expected = self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes)
        for i in (0, 1):
            self.check_hidden_size(hidden[i], expected[i], f"Expected hidden[{i}] size {{}}, got {{}}")

    def _check_dims(self, input: Tensor, hx) -> None:
        super()._check_dims(input, None)
        if hx is not None and not hx[0].dim() == hx[1].dim() == input.dim():
            kind = "batched 3-D" if input.dim() == 3 else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx and cx should also be {input.dim()}-D but got ({hx[0].dim()}-D, {hx[1].dim()}-D) "
                "tensors"
            )

    def _initial(self, input: Tensor, batch_sizes: Tensor | None):
        shapes = self.get_expected_hidden_size(input, batch_sizes), self.get_expected_cell_size(input, batch_sizes)
        return tuple(_zeros(shape, dtype=input.dtype, device=input.device) for shape in shapes)

    def _each(self, state, function):
        return function(state[0]), function(state[1])
