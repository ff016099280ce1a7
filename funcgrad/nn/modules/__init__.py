"""All modules of ``torch.nn``."""

from __future__ import annotations

from funcgrad.nn.modules.batchnorm import BatchNorm1d as BatchNorm1d
from funcgrad.nn.modules.batchnorm import BatchNorm2d as BatchNorm2d
from funcgrad.nn.modules.batchnorm import BatchNorm3d as BatchNorm3d
from funcgrad.nn.modules.container import ModuleDict as ModuleDict
from funcgrad.nn.modules.container import ModuleList as ModuleList
from funcgrad.nn.modules.container import ParameterDict as ParameterDict
from funcgrad.nn.modules.container import ParameterList as ParameterList
from funcgrad.nn.modules.container import Sequential as Sequential
from funcgrad.nn.modules.dropout import AlphaDropout as AlphaDropout
from funcgrad.nn.modules.dropout import Dropout as Dropout
from funcgrad.nn.modules.dropout import Dropout1d as Dropout1d
from funcgrad.nn.modules.dropout import Dropout2d as Dropout2d
from funcgrad.nn.modules.dropout import Dropout3d as Dropout3d
from funcgrad.nn.modules.dropout import FeatureAlphaDropout as FeatureAlphaDropout
from funcgrad.nn.modules.flatten import Flatten as Flatten
from funcgrad.nn.modules.flatten import Unflatten as Unflatten
from funcgrad.nn.modules.linear import Bilinear as Bilinear
from funcgrad.nn.modules.linear import Identity as Identity
from funcgrad.nn.modules.linear import Linear as Linear
from funcgrad.nn.modules.module import Module as Module
from funcgrad.nn.modules.sparse import Embedding as Embedding
