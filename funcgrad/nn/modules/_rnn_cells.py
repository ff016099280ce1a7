"""One step of a recurrent layer. See https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers."""

from __future__ import annotations

import math

from funcgrad import _operators
from funcgrad._facade import _creation
from funcgrad._tensor import Tensor
from funcgrad.nn import init
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter

_empty, _zeros = _creation.creation_form("empty"), _creation.creation_form("zeros")


class RNNCellBase(Module):
    """What the cells share: weights, and steps without a batch."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device=None, dtype=None) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, options = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(_empty((rows, input_size), **options))
        self.weight_hh = Parameter(_empty((rows, hidden_size), **options))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_empty((rows,), **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights uniformly from ``±1/sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"

    def _check(self, what: str, tensor: Tensor) -> None:
        if tensor.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead")

    def _initial(self, input: Tensor) -> Tensor:
        return _zeros((input.size(0), self.hidden_size), dtype=input.dtype, device=input.device)

    def _step(self, op: str, input: Tensor, hx):
        return _operators.call(op, input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def _forward_one(self, op: str, input: Tensor, hx: Tensor | None) -> Tensor:
        """A step of a cell whose state is one tensor."""
        self._check("input", input)
        if hx is not None:
            self._check("hidden", hx)
        batched = input.dim() == 2
        if not batched:
            input, hx = input.unsqueeze(0), None if hx is None else hx.unsqueeze(0)
        out = self._step(op, input, self._initial(input) if hx is None else hx)
        return out if batched else out.squeeze(0)


class RNNCell(RNNCellBase):
    """``h = tanh(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        input_size, hidden_size: of the vectors.
        bias: whether to add biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device=None, dtype=None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._forward_one(f"rnn_{self.nonlinearity}_cell", input, hx)


class GRUCell(RNNCellBase):
    """A step of `GRU`.

    Args:
        input_size, hidden_size: of the vectors.
        bias: whether to add biases.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._forward_one("gru_cell", input, hx)


class LSTMCell(RNNCellBase):
    """A step of `LSTM`; the state is the pair (h, c).

    Args:
        input_size, hidden_size: of the vectors.
        bias: whether to add biases.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        self._check("input", input)
        for i, state in enumerate(hx or ()):
            self._check(f"hx[{i}]", state)
        batched = input.dim() == 2
        if not batched:
            input, hx = input.unsqueeze(0), None if hx is None else tuple(state.unsqueeze(0) for state in hx)
        if hx is None:
            zeros = self._initial(input)
            hx = (zeros, zeros)
        out = self._step("lstm_cell", input, tuple(hx))
        return tuple(out) if batched else tuple(state.squeeze(0) for state in out)
