"""Embedding layers. See https://docs.pytorch.org/docs/stable/nn.html#sparse-layers."""

from __future__ import annotations

from funcgrad._facade import _creation
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.nn import functional as F
from funcgrad.nn import init
from funcgrad.nn.modules.module import Module
from funcgrad.nn.parameter import Parameter

_empty = _creation.creation_form("empty")


class _Table(Module):
    """What both embeddings share: the table, its padding row, its checks."""

    def _make_table(
        self, num_embeddings: int, embedding_dim: int, padding_idx, given, name: str, options, freeze: bool = False
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None and not -num_embeddings <= padding_idx < max(num_embeddings, 1):
            raise AssertionError(f"{name} must be within num_embeddings")
        self.padding_idx = padding_idx
        if padding_idx is not None and padding_idx < 0:
            self.padding_idx = num_embeddings + padding_idx
        if given is None:
            self.weight = Parameter(_empty((num_embeddings, embedding_dim), **options), requires_grad=not freeze)
            self.reset_parameters()
        else:
            if list(given.shape) != [num_embeddings, embedding_dim]:
                raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
            self.weight = Parameter(given, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw the table from the standard normal distribution."""
        init.normal_(self.weight)
        self._fill_padding_idx_with_zero()

    def _fill_padding_idx_with_zero(self) -> None:
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


def _size_of(embeddings) -> tuple[int, int]:
    if embeddings.dim() != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    return tuple(embeddings.shape)


class Embedding(_Table):
    """A table of vectors, looked up by index.

    Args:
        num_embeddings, embedding_dim: the table's size.
        padding_idx: the row that is zero at first and gets no gradient.
        max_norm, norm_type: rescale rows that are looked up to this norm.
        scale_grad_by_freq: divide a row's gradient by how often it is in the batch.
        sparse: accepted; gradients are dense.

    Shape:
        ``(*)`` of integers to ``(*, embedding_dim)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx=None, max_norm=None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, sparse: bool = False, _weight=None, _freeze: bool = False, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__()
        self._make_table(
            num_embeddings,
            embedding_dim,
            padding_idx,
            _weight,
            "Padding_idx",
            {"device": device, "dtype": dtype},
            _freeze,
        )
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse

    def forward(self, input):
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text + (", sparse=True" if self.sparse is not False else "")

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze: bool = True, padding_idx=None, max_norm=None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, sparse: bool = False,
    ):  # fmt: skip
        """An Embedding with a given table."""
        rows, cols = _size_of(embeddings)
        return cls(rows, cols, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)


class EmbeddingBag(_Table):
    """Sums, means or maxima of bags of rows of a table.

    Args:
        num_embeddings, embedding_dim: the table's size.
        max_norm, norm_type: rescale rows that are looked up to this norm.
        scale_grad_by_freq: divide a row's gradient by how often it is in the batch.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        sparse: accepted; gradients are dense.
        include_last_offset: whether the offsets end with the length of the input.
        padding_idx: a row that takes no part.

    Shape:
        ``(B, N)`` of integers, or ``(N,)`` with offsets ``(B,)``, to ``(B, embedding_dim)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm=None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight=None,
        include_last_offset: bool = False, padding_idx=None, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        self._make_table(
            num_embeddings, embedding_dim, padding_idx, _weight, "padding_idx", {"device": device, "dtype": dtype}
        )
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def forward(self, input, offsets=None, per_sample_weights=None):
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm!r}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type!r}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq!r}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx!r}"

    @classmethod
    def from_pretrained(
        cls, embeddings, freeze: bool = True, max_norm=None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        mode: str = "mean", sparse: bool = False, include_last_offset: bool = False, padding_idx=None,
    ):  # fmt: skip
        """An EmbeddingBag with a given table."""
        rows, cols = _size_of(embeddings)
        made = cls(
            rows,
            cols,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made
