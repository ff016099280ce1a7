"""``torch.nn``: layers, losses and what they are made of."""

from __future__ import annotations

from funcgrad.nn import attention as attention
from funcgrad.nn import common_types as common_types
from funcgrad.nn import functional as functional
from funcgrad.nn import grad as grad
from funcgrad.nn import init as init
from funcgrad.nn import parallel as parallel
from funcgrad.nn import parameter as parameter
from funcgrad.nn import utils as utils
from funcgrad.nn.modules import *  # noqa: F403
from funcgrad.nn.modules import Module as Module
from funcgrad.nn.parallel import DataParallel as DataParallel
from funcgrad.nn.parameter import Buffer as Buffer
from funcgrad.nn.parameter import Parameter as Parameter
from funcgrad.nn.parameter import UninitializedBuffer as UninitializedBuffer
from funcgrad.nn.parameter import UninitializedParameter as UninitializedParameter
