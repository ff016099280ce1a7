"""Optimizers. See https://docs.pytorch.org/docs/stable/optim.html."""

from funcgrad.optim import lr_scheduler as lr_scheduler
from funcgrad.optim.adam import Adam as Adam
from funcgrad.optim.adamw import AdamW as AdamW
from funcgrad.optim.optimizer import Optimizer as Optimizer
from funcgrad.optim.rmsprop import RMSprop as RMSprop
from funcgrad.optim.sgd import SGD as SGD
