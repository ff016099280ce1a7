"""Losses. See https://docs.pytorch.org/docs/stable/nn.html#loss-functions.

Each calls the function of its name with its arguments, so each is a row of a table.
"""

from __future__ import annotations

import warnings

from funcgrad._tensor import Tensor
from funcgrad.nn import functional as F
from funcgrad.nn.modules._table import constructor
from funcgrad.nn.modules.module import Module


def legacy_reduction(size_average, reduce) -> str:
    """The `reduction` that the deprecated arguments stand for."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = ("mean" if size_average else "sum") if reduce else "none"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=4
    )
    return reduction


class _Loss(Module):
    """What all losses share: how the elements' losses are reduced.

    Attributes:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
    """

    reduction: str

    def __init__(self, size_average=None, reduce=None, reduction: str = "mean"):
        super().__init__()
        legacy = size_average is not None or reduce is not None
        self.reduction = legacy_reduction(size_average, reduce) if legacy else reduction


class _WeightedLoss(_Loss):
    def __init__(self, weight: Tensor | None = None, size_average=None, reduce=None, reduction: str = "mean"):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


_LEGACY = {"size_average": None, "reduce": None}
_BUFFERS = ("weight", "pos_weight")


def _loss(name: str, function: str, parameters: dict, formula: str, operands: int = 2, keyword_only: bool = False) -> type:
    """A loss that calls ``F.<function>(*operands, <parameters>)``."""
    keep = constructor(name, {k: v for k, v in parameters.items()}, keyword_only)
    passed = [k for k in parameters if k not in _LEGACY]

    def __init__(self, *args, **kwargs):
        keep(self, *args, **kwargs)
        size_average, reduce = self.__dict__.pop("size_average", None), self.__dict__.pop("reduce", None)
        if size_average is not None or reduce is not None:
            self.reduction = legacy_reduction(size_average, reduce)
        for buffer in _BUFFERS:
            if buffer in parameters:
                self.register_buffer(buffer, self.__dict__.pop(buffer))

    def forward(self, *inputs):
        if len(inputs) != operands:
            raise TypeError(f"{name}.forward() takes {operands} tensors, got {len(inputs)}")
        return getattr(F, function)(*inputs, **{k: getattr(self, k) for k in passed})

    __init__.__signature__ = keep.__signature__
    members = {
        "__init__": __init__,
        "forward": forward,
        "__module__": __name__,
        "__doc__": f"""{formula}

    Args:
        reduction: ``"mean"``, ``"sum"`` or ``"none"`` of the elements' losses.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.{name}.html
    """,
    }
    base = _WeightedLoss if "weight" in parameters and name != "BCEWithLogitsLoss" else _Loss
    return type(name, (base,), members)


_MEAN = {"reduction": "mean"}

L1Loss = _loss("L1Loss", "l1_loss", {**_LEGACY, **_MEAN}, "``|x - y|``.")
MSELoss = _loss("MSELoss", "mse_loss", {**_LEGACY, **_MEAN}, "``(x - y)^2``.")
NLLLoss = _loss(
    "NLLLoss", "nll_loss", {"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, **_MEAN},
    "``-weight[y] * x[y]``, for log-probabilities `x` and classes `y`.",
)  # fmt: skip
CrossEntropyLoss = _loss(
    "CrossEntropyLoss", "cross_entropy",
    {"weight": None, "size_average": None, "ignore_index": -100, "reduce": None, **_MEAN, "label_smoothing": 0.0},
    "``-weight[y] * log(softmax(x)[y])``, for scores `x` and classes (or class probabilities) `y`.",
)  # fmt: skip
PoissonNLLLoss = _loss(
    "PoissonNLLLoss", "poisson_nll_loss",
    {"log_input": True, "full": False, "size_average": None, "eps": 1e-8, "reduce": None, **_MEAN},
    "``exp(x) - y * x``, the negative log-likelihood of Poisson counts `y`.",
)  # fmt: skip
GaussianNLLLoss = _loss(
    "GaussianNLLLoss", "gaussian_nll_loss", {"full": False, "eps": 1e-6, **_MEAN},
    "``(log(var) + (x - y)^2 / var) / 2``.", operands=3, keyword_only=True,
)  # fmt: skip
KLDivLoss = _loss("KLDivLoss", "kl_div", {**_LEGACY, **_MEAN, "log_target": False}, "``y * (log(y) - x)``, for log-probabilities `x`.")
BCELoss = _loss("BCELoss", "binary_cross_entropy", {"weight": None, **_LEGACY, **_MEAN}, "``-(y log x + (1 - y) log(1 - x))``.")
BCEWithLogitsLoss = _loss(
    "BCEWithLogitsLoss", "binary_cross_entropy_with_logits", {"weight": None, **_LEGACY, **_MEAN, "pos_weight": None},
    "`BCELoss` of ``sigmoid(x)``, computed stably.",
)  # fmt: skip
HingeEmbeddingLoss = _loss(
    "HingeEmbeddingLoss", "hinge_embedding_loss", {"margin": 1.0, **_LEGACY, **_MEAN}, "``x if y == 1 else max(0, margin - x)``."
)
MultiLabelMarginLoss = _loss(
    "MultiLabelMarginLoss", "multilabel_margin_loss", {**_LEGACY, **_MEAN}, "The hinge loss of several classes at once."
)
SmoothL1Loss = _loss(
    "SmoothL1Loss", "smooth_l1_loss", {**_LEGACY, **_MEAN, "beta": 1.0}, "Quadratic below `beta`, linear above."
)
HuberLoss = _loss("HuberLoss", "huber_loss", {**_MEAN, "delta": 1.0}, "`SmoothL1Loss` times `delta`.")
SoftMarginLoss = _loss("SoftMarginLoss", "soft_margin_loss", {**_LEGACY, **_MEAN}, "``log(1 + exp(-y * x))``.")
MultiLabelSoftMarginLoss = _loss(
    "MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", {"weight": None, **_LEGACY, **_MEAN},
    "The mean over classes of the binary cross-entropy.",
)  # fmt: skip
CosineEmbeddingLoss = _loss(
    "CosineEmbeddingLoss", "cosine_embedding_loss", {"margin": 0.0, **_LEGACY, **_MEAN},
    "``1 - cos(x1, x2) if y == 1 else max(0, cos(x1, x2) - margin)``.", operands=3,
)  # fmt: skip
MarginRankingLoss = _loss(
    "MarginRankingLoss", "margin_ranking_loss", {"margin": 0.0, **_LEGACY, **_MEAN},
    "``max(0, -y * (x1 - x2) + margin)``.", operands=3,
)  # fmt: skip
MultiMarginLoss = _loss(
    "MultiMarginLoss", "multi_margin_loss", {"p": 1, "margin": 1.0, "weight": None, **_LEGACY, **_MEAN},
    "``mean over i != y of max(0, margin - x[y] + x[i])^p``.",
)  # fmt: skip
TripletMarginLoss = _loss(
    "TripletMarginLoss", "triplet_margin_loss",
    {"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": False, **_LEGACY, **_MEAN},
    "``max(0, d(anchor, positive) - d(anchor, negative) + margin)``.", operands=3,
)  # fmt: skip
TripletMarginWithDistanceLoss = _loss(
    "TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss",
    {"distance_function": None, "margin": 1.0, "swap": False, **_MEAN},
    "`TripletMarginLoss` with a distance of one's own.", operands=3, keyword_only=True,
)  # fmt: skip
CTCLoss = _loss(
    "CTCLoss", "ctc_loss", {"blank": 0, **_MEAN, "zero_infinity": False},
    "The connectionist temporal classification loss.", operands=4,
)  # fmt: skip
