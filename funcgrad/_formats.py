"""Memory formats and layouts: accepted everywhere, printed as PyTorch prints them; arrays here have no strides."""

from __future__ import annotations


class memory_format:
    """How a tensor's memory is laid out (``torch.channels_last``).

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.memory_format
    """

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(memory_format):
    """Whether a tensor is dense or sparse (``torch.strided``).

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.layout
    """

    __slots__ = ()


contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
preserve_format = memory_format("preserve_format")
strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
