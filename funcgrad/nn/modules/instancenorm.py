"""Instance normalisation. See https://docs.pytorch.org/docs/stable/nn.html#normalization-layers."""

from __future__ import annotations

import warnings

from funcgrad.nn import functional as F
from funcgrad.nn.modules.batchnorm import _LazyNormBase, _NormBase, check_rank


class _InstanceNorm(_NormBase):
    _rank: int

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device=None, dtype=None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _get_no_batch_dim(self) -> int:
        return self._rank + 1

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing, unexpected, errors) -> None:
        if local_metadata.get("version", None) is None and not self.track_running_stats:
            keys = [prefix + name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if keys:
                errors.append(_outdated(keys, type(self).__name__))
            for key in keys:
                state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)

    def _check_channels(self, input) -> None:
        dim = input.dim() - self._get_no_batch_dim()
        have = input.size(dim)
        if have == self.num_features:
            return
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: {have}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning by not passing in "
            "num_features, which is not used because affine=False",
            stacklevel=3,
        )

    def forward(self, input):
        self._check_input_dim(input)
        self._check_channels(input)
        if input.dim() == self._get_no_batch_dim():
            return self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)
        return self._apply_instance_norm(input)

    def _apply_instance_norm(self, input):
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, 0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip


def _outdated(keys: list[str], name: str) -> str:
    named = " and ".join(f'"{key}"' for key in keys)
    return (
        f"Unexpected running stats buffer(s) {named} for {name} with track_running_stats=False. If state_dict is a "
        f"checkpoint saved before 0.4.0, this may be expected because {name} does not track running stats by default "
        "since 0.4.0. Please remove these keys from state_dict. If the running stats are actually needed, instead set "
        f"track_running_stats=True in {name} to enable them. See the documentation of {name} for details."
    )


_DOC = """Normalise each channel of each sample: ``y = (x - mean) / sqrt(var + eps) * weight + bias``.

    Args:
        num_features: the number of channels `C`.
        eps: added to the variance.
        momentum: the weight of the new statistics among the running ones.
        affine: whether to learn weight and bias.
        track_running_stats: whether to keep running statistics and use them in evaluation.
        bias: whether to learn a bias too.

    Shape:
        ``{shape}``, with or without the batch dimension; unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """
_SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def _ranked(rank: int) -> tuple[type, type]:
    """InstanceNorm and LazyInstanceNorm of one rank."""
    name = f"InstanceNorm{rank}d"
    members = {"_rank": rank, "_check_input_dim": check_rank(rank + 1, rank + 2), "__module__": __name__}
    full = type(name, (_InstanceNorm,), {**members, "__doc__": _DOC.format(name=name, shape=_SHAPES[rank])})
    doc = f"`{name}` that takes `num_features` from its first input.\n\n    Args:\n        as of `{name}`.\n    "
    lazy = type(f"Lazy{name}", (_LazyNormBase, _InstanceNorm), {**members, "__doc__": doc, "cls_to_become": full})
    return full, lazy


InstanceNorm1d, LazyInstanceNorm1d = _ranked(1)
InstanceNorm2d, LazyInstanceNorm2d = _ranked(2)
InstanceNorm3d, LazyInstanceNorm3d = _ranked(3)
