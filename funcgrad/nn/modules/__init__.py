"""All modules of ``torch.nn``, family by family, in PyTorch's own files."""

from __future__ import annotations

import importlib

from funcgrad.nn.modules.module import Module as Module

_FAMILIES = """
    activation adaptive batchnorm channelshuffle container conv distance dropout flatten fold instancenorm linear
    linear_cross_entropy linear_cross_entropy_options loss normalization padding pixelshuffle pooling rnn sparse
    transformer upsampling
""".split()
_PARTS = {"activation": "_attention", "rnn": "_rnn_cells"}
__all__ = ["Module"]
for _family in _FAMILIES:
    _found = vars(importlib.import_module(f"{__name__}.{_family}"))
    # A class that a family only imports stands in a family of its own.
    _own = {f"{__name__}.{_part}" for _part in (_family, _PARTS.get(_family))}
    _public = [n for n, c in _found.items() if isinstance(c, type) and n[0] != "_" and c.__module__ in _own]
    globals().update({_name: _found[_name] for _name in _public})
    __all__ += _public
