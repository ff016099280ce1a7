"""The few names of PyTorch's compiled part by which programs refer to functions."""

from funcgrad._C import _nn as _nn
