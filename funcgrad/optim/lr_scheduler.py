"""Learning-rate schedulers. See https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate."""

from funcgrad.optim._schedules.base import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from funcgrad.optim._schedules.base import LRScheduler as LRScheduler
from funcgrad.optim._schedules.composed import ChainedScheduler as ChainedScheduler
from funcgrad.optim._schedules.composed import SequentialLR as SequentialLR
from funcgrad.optim._schedules.cosine import CosineAnnealingLR as CosineAnnealingLR
from funcgrad.optim._schedules.cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from funcgrad.optim._schedules.cycles import CyclicLR as CyclicLR
from funcgrad.optim._schedules.cycles import OneCycleLR as OneCycleLR
from funcgrad.optim._schedules.factors import ConstantLR as ConstantLR
from funcgrad.optim._schedules.factors import ExponentialLR as ExponentialLR
from funcgrad.optim._schedules.factors import LambdaLR as LambdaLR
from funcgrad.optim._schedules.factors import LinearLR as LinearLR
from funcgrad.optim._schedules.factors import MultiplicativeLR as MultiplicativeLR
from funcgrad.optim._schedules.factors import MultiStepLR as MultiStepLR
from funcgrad.optim._schedules.factors import PolynomialLR as PolynomialLR
from funcgrad.optim._schedules.factors import StepLR as StepLR
from funcgrad.optim._schedules.plateau import ReduceLROnPlateau as ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class _LRScheduler(LRScheduler):
    """The base class's old name."""


for _name in __all__:
    globals()[_name].__module__ = __name__  # where pickles look for them
