"""Dropout layers. See https://docs.pytorch.org/docs/stable/nn.html#dropout-layers."""

from __future__ import annotations

from funcgrad.nn import functional as F
from funcgrad.nn.modules.module import Module


class _DropoutNd(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


def _layer(name: str, function: str, summary: str) -> type:
    def forward(self, input):
        return getattr(F, function)(input, self.p, self.training, self.inplace)

    doc = f"""{summary}

    Args:
        p: the probability of being zeroed.
        inplace: write the result into the input.

    Shape:
        any, unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    return type(name, (_DropoutNd,), {"forward": forward, "__doc__": doc, "__module__": __name__})


Dropout = _layer("Dropout", "dropout", "In training, zero each element with probability `p` and scale the others up.")
Dropout1d = _layer("Dropout1d", "dropout1d", "In training, zero whole channels of ``(N, C, L)`` inputs.")
Dropout2d = _layer("Dropout2d", "dropout2d", "In training, zero whole channels of ``(N, C, H, W)`` inputs.")
Dropout3d = _layer("Dropout3d", "dropout3d", "In training, zero whole channels of ``(N, C, D, H, W)`` inputs.")
AlphaDropout = _layer(
    "AlphaDropout", "alpha_dropout", "Dropout that keeps the mean and variance of SELU's activations."
)
FeatureAlphaDropout = _layer("FeatureAlphaDropout", "feature_alpha_dropout", "`AlphaDropout` of whole channels.")
