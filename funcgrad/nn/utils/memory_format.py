"""Memory formats of convolution weights.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.convert_conv2d_weight_memory_format.html.
"""

from __future__ import annotations

from funcgrad.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from funcgrad.nn.modules.module import Module


def _convert(module: Module, memory_format, kinds: tuple) -> Module:
    for m in module.modules():
        if isinstance(m, kinds):
            m.weight.data = m.weight.detach().clone().contiguous(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Module, memory_format) -> Module:
    """Convert the weights of every two-dimensional convolution in a module to a memory format; XLA chooses its own."""
    return _convert(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: Module, memory_format) -> Module:
    """Convert the weights of every three-dimensional convolution in a module to a memory format."""
    return _convert(module, memory_format, (Conv3d, ConvTranspose3d))
