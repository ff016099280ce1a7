"""Batch normalisation. See https://docs.pytorch.org/docs/stable/nn.html#normalization-layers."""

from __future__ import annotations

from funcgrad import _dtypes
from funcgrad._facade import _creation
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.lazy import LazyModuleMixin
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

_empty, _zeros, _ones = (_creation.creation_form(name) for name in ("empty", "zeros", "ones"))


class _NormBase(Module):
    """What batch and instance normalisation share: affine parameters and running statistics."""

    _version = 2

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device=None, dtype=None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape, options = (num_features,), {"device": device, "dtype": dtype}
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, Parameter(_empty(shape, **options)) if wanted else None)
        tracks = track_running_stats
        self.register_buffer("running_mean", _zeros(shape, **options) if tracks else None)
        self.register_buffer("running_var", _ones(shape, **options) if tracks else None)
        self.register_buffer("num_batches_tracked", _counter(device) if tracks else None)
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
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest) -> None:
        version = local_metadata.get("version", None)
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            have = self.num_batches_tracked
            state_dict[key] = _counter(None) if have is None else have
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def _counter(device):
    return _creation.tensor(0, dtype=_dtypes.int64, device=device)


class _BatchNorm(_NormBase):
    def forward(self, input):
        self._check_input_dim(input)
        training, tracks = self.training, self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        if training and tracks and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # a tensor: reading the count would end the recorded program here
                momentum = 1.0 / self.num_batches_tracked.double()
        by_batch = training or (self.running_mean is None and self.running_var is None)
        mean, var = (self.running_mean, self.running_var) if tracks or not training else (None, None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, momentum, self.eps)


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A normalisation whose number of channels the first input tells."""

    def __init__(
        self, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True
    ) -> None:
        options = {"device": device, "dtype": dtype}
        super().__init__(0, eps, momentum, False, False, **options, bias=False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = _counter(device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input) -> None:
        """Take the number of channels from `input`."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for name in ("weight", "bias") if self.affine else ():
            parameter = getattr(self, name)
            if parameter is not None:
                if not isinstance(parameter, UninitializedParameter):
                    raise AssertionError(f"self.{name} must be an UninitializedParameter")
                parameter.materialize((self.num_features,))
        if self.track_running_stats:
            self.running_mean.materialize((self.num_features,))
            self.running_var.materialize((self.num_features,))
        self.reset_parameters()


def check_rank(*ranks: int):
    """A ``_check_input_dim`` that takes inputs with these numbers of dimensions."""
    expected = " or ".join(f"{rank}D" for rank in ranks)

    def _check_input_dim(self, input) -> None:
        if input.dim() not in ranks:
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    return _check_input_dim


_DOC = """Batch normalisation: ``y = (x - mean) / sqrt(var + eps) * weight + bias`` for each channel.

    In training mean and variance are the batch's, and the running statistics move towards them by `momentum`; in
    evaluation they are the running ones.

    Args:
        num_features: the number of channels `C`.
        eps: added to the variance.
        momentum: the weight of the new statistics; None averages all batches.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics.
        bias: whether to learn a bias too.

    Shape:
        ``{shape}``, unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
_SHAPES = {1: ((2, 3), "(N, C) or (N, C, L)"), 2: ((4,), "(N, C, H, W)"), 3: ((5,), "(N, C, D, H, W)")}


def _ranked(rank: int) -> tuple[type, type]:
    """BatchNorm and LazyBatchNorm of one rank."""
    name, (ranks, shape) = f"BatchNorm{rank}d", _SHAPES[rank]
    members = {"_check_input_dim": check_rank(*ranks), "__module__": __name__}
    full = type(name, (_BatchNorm,), {**members, "__doc__": _DOC.format(name=name, shape=shape)})
    doc = f"`{name}` that takes `num_features` from its first input.\n\n    Args:\n        as of `{name}`.\n    "
    lazy = type(f"Lazy{name}", (_LazyNormBase, _BatchNorm), {**members, "__doc__": doc, "cls_to_become": full})
    return full, lazy


BatchNorm1d, LazyBatchNorm1d = _ranked(1)
BatchNorm2d, LazyBatchNorm2d = _ranked(2)
BatchNorm3d, LazyBatchNorm3d = _ranked(3)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes; with one process `BatchNorm1d` of any rank.

    Args:
        process_group: the processes that take part.
        num_features, eps, momentum, affine, track_running_stats, bias: as of `BatchNorm1d`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, process_group=None, device=None, dtype=None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")
        if input.size(1) == 0:
            raise ValueError("SyncBatchNorm number of input channels should be non-zero")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group=None) -> Module:
        """`module` with every batch normalisation in it replaced by a SyncBatchNorm with the same state."""
        made = module
        if isinstance(module, _BatchNorm):
            made = SyncBatchNorm(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            with no_grad():
                for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                    setattr(made, name, getattr(module, name))
            made.training = module.training
            if hasattr(module, "qconfig"):
                made.qconfig = module.qconfig
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made
