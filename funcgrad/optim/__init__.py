"""Optimizers. See https://docs.pytorch.org/docs/stable/optim.html."""

from funcgrad.optim import lr_scheduler as lr_scheduler
from funcgrad.optim import swa_utils as swa_utils
from funcgrad.optim._adafactor import Adafactor as Adafactor
from funcgrad.optim._from_optax import OptaxSchedule as OptaxSchedule
from funcgrad.optim._from_optax import from_optax as from_optax
from funcgrad.optim._from_optax import to_optax as to_optax
from funcgrad.optim._muon import Muon as Muon
from funcgrad.optim._swap import swap_in_optimizer_params_and_state as swap_in_optimizer_params_and_state
from funcgrad.optim.adadelta import Adadelta as Adadelta
from funcgrad.optim.adagrad import Adagrad as Adagrad
from funcgrad.optim.adam import Adam as Adam
from funcgrad.optim.adamax import Adamax as Adamax
from funcgrad.optim.adamw import AdamW as AdamW
from funcgrad.optim.asgd import ASGD as ASGD
from funcgrad.optim.lbfgs import LBFGS as LBFGS
from funcgrad.optim.nadam import NAdam as NAdam
from funcgrad.optim.optimizer import Optimizer as Optimizer
from funcgrad.optim.radam import RAdam as RAdam
from funcgrad.optim.rmsprop import RMSprop as RMSprop
from funcgrad.optim.rprop import Rprop as Rprop
from funcgrad.optim.sgd import SGD as SGD
from funcgrad.optim.sparse_adam import SparseAdam as SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "OptaxSchedule",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "from_optax",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
    "to_optax",
]
