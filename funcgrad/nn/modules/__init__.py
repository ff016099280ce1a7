"""All modules of ``torch.nn``, family by family."""

from __future__ import annotations

from funcgrad.nn.modules import activation as _activation
from funcgrad.nn.modules import batchnorm as _batchnorm
from funcgrad.nn.modules import container as _container
from funcgrad.nn.modules import conv as _conv
from funcgrad.nn.modules import dropout as _dropout
from funcgrad.nn.modules import flatten as _flatten
from funcgrad.nn.modules import linear as _linear
from funcgrad.nn.modules import loss as _loss
from funcgrad.nn.modules import normalization as _normalization
from funcgrad.nn.modules import pooling as _pooling
from funcgrad.nn.modules import sparse as _sparse
from funcgrad.nn.modules.module import Module as Module

for _family in (_activation, _batchnorm, _container, _conv, _dropout, _flatten, _linear, _loss, _normalization, _pooling,
                _sparse):  # fmt: skip
    for _name, _class in vars(_family).items():
        if isinstance(_class, type) and issubclass(_class, Module) and not _name.startswith("_"):
            globals()[_name] = _class
__all__ = [name for name, found in list(globals().items()) if isinstance(found, type) and not name.startswith("_")]
