"""Padding layers. See https://docs.pytorch.org/docs/stable/nn.html#padding-layers."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module
from funcgrad.nn.modules.utils import _ntuple


class _PadNd(Module):
    """What all padding layers share.

    Attributes:
        padding: how much before and after each dimension, the last dimension first.
    """

    _rank: int
    _mode: str

    def __init__(self, padding) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._rank)(padding)

    def forward(self, input):
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPadNd(_PadNd):
    _mode = "reflect"


class _ReplicationPadNd(_PadNd):
    _mode = "replicate"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def _check_input_dim(self, input) -> None:
        low, high = self._rank + 1, self._rank + 2
        if input.dim() not in (low, high):
            raise ValueError(f"expected {low}D or {high}D input (got {input.dim()}D input)")

    def forward(self, input):
        self._check_input_dim(input)
        return super().forward(input)


class _ConstantPadNd(_PadNd):
    def __init__(self, padding, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _PadNd.extra_repr


def _pad(name: str, bases: tuple[type, ...], rank: int, summary: str) -> type:
    doc = f"""{summary}

    Args:
        padding: one number, or {2 * rank}: before and after each of the last {rank} dimensions, the last one first.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    return type(name, bases, {"_rank": rank, "__doc__": doc, "__module__": __name__})


_FAMILIES = {
    "ConstantPad": (_ConstantPadNd, "Pad with `value`."),
    "ZeroPad": (_ZeroPadNd, "Pad with zeros."),
    "ReflectionPad": (_ReflectionPadNd, "Pad with the mirror image of the input at its border."),
    "ReplicationPad": (_ReplicationPadNd, "Pad with copies of the input's border."),
    "CircularPad": (_CircularPadNd, "Pad with the input's opposite end."),
}
for _family, (_base, _summary) in _FAMILIES.items():
    for _rank in (1, 2, 3):
        _name = f"{_family}{_rank}d"
        # As in PyTorch, zero padding is a constant padding of the same rank.
        _bases = (_base, globals()[f"ConstantPad{_rank}d"]) if _base is _ZeroPadNd else (_base,)
        globals()[_name] = _pad(_name, _bases, _rank, _summary)
