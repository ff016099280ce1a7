"""Batch normalisation. See https://docs.pytorch.org/docs/stable/nn.html#normalization-layers."""

from __future__ import annotations

from funcgrad import _creation, _dtypes
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter

_empty, _zeros, _ones = (_creation.creation_form(name) for name in ("empty", "zeros", "ones"))


class _NormBase(Module):
    """What batch and instance normalisation share: affine parameters and running statistics."""

    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        for name in ("weight", "bias"):
            self.register_parameter(name, Parameter(_empty((num_features,), **options)) if affine else None)
        tracks = track_running_stats
        self.register_buffer("running_mean", _zeros((num_features,), **options) if tracks else None)
        self.register_buffer("running_var", _ones((num_features,), **options) if tracks else None)
        counter = _creation.tensor(0, dtype=_dtypes.int64, device=device) if tracks else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set the statistics to start, the weight to one, the bias to zero."""
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def _check_input_dim(self, input) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest) -> None:
        version = local_metadata.get("version", None)
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            have = self.num_batches_tracked
            state_dict[key] = have if have is not None else _creation.tensor(0, dtype=_dtypes.int64)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input):
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        keeps = not self.training or self.track_running_stats
        return F.batch_norm(
            input, self.running_mean if keeps else None, self.running_var if keeps else None, self.weight, self.bias,
            by_batch, momentum, self.eps,
        )  # fmt: skip


def _ranked(name: str, ranks: tuple[int, ...], shape: str) -> type:
    expected = "2D or 3D" if ranks == (2, 3) else f"{ranks[0]}D"

    class BatchNorm(_BatchNorm):
        def _check_input_dim(self, input) -> None:
            if input.dim() not in ranks:
                raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    BatchNorm.__name__ = BatchNorm.__qualname__ = name
    BatchNorm.__doc__ = f"""Batch normalisation: ``y = (x - mean) / sqrt(var + eps) * weight + bias`` for each channel.

    In training mean and variance are the batch's, and the running statistics move towards them by `momentum`; in
    evaluation they are the running ones.

    Args:
        num_features: the number of channels `C`.
        eps: added to the variance.
        momentum: the weight of the new statistics; None averages all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics.

    Shape:
        ``{shape}``, unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
    return BatchNorm


BatchNorm1d = _ranked("BatchNorm1d", (2, 3), "(N, C) or (N, C, L)")
BatchNorm2d = _ranked("BatchNorm2d", (4,), "(N, C, H, W)")
BatchNorm3d = _ranked("BatchNorm3d", (5,), "(N, C, D, H, W)")
