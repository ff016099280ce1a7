"""Packed and padded sequences, as recurrent layers take them.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.PackedSequence.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from funcgrad import _dtypes, _operators
from funcgrad._facade import _creation
from funcgrad._tensor import Tensor

_call = _operators.call


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The elements of several sequences, time step by time step, without padding.

    Attributes:
        data: (sum of lengths, ...): the first elements of all sequences, the second elements of those that have one...
        batch_sizes: how many sequences have an element at each step.
        sorted_indices: the order, by length, in which the sequences were packed; `unsorted_indices` undoes it.

    Example:
        >>> import funcgrad as torch
        >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).data
        tensor([1, 3, 2])
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, tuple | list) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. They "
                "should be instantiated by functions like pack_sequence and pack_padded_sequences in nn.utils.rnn. "
                "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs) -> PackedSequence:
        """As ``Tensor.to``: converts the data, moves the indices along."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [None if t is None else t.to(data.device) for t in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, *args, **kwargs) -> PackedSequence:
        """Move to a GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to(device="cuda", **kwargs)

    def cpu(self, *args, **kwargs) -> PackedSequence:
        """Move to the CPU."""
        return self.to("cpu", *args, **kwargs)

    def pin_memory(self) -> PackedSequence:
        """The sequence itself: transfers need no pinned memory."""
        return self

    def is_pinned(self) -> bool:
        return False

    @property
    def is_cuda(self) -> bool:
        return self.data.is_cuda


def _converter(dtype: _dtypes.dtype):
    def convert(self) -> PackedSequence:
        return self.to(dtype=dtype)

    convert.__doc__ = f"Convert the data to {dtype.name}."
    return convert


for _name, _dtype in {
    "double": _dtypes.float64, "float": _dtypes.float32, "half": _dtypes.float16, "long": _dtypes.int64,
    "int": _dtypes.int32, "short": _dtypes.int16, "char": _dtypes.int8, "byte": _dtypes.uint8,
}.items():  # fmt: skip
    setattr(PackedSequence, _name, _converter(_dtype))


def _from_host(values, like: Tensor | None = None) -> Tensor:
    made = _creation.from_array(np.asarray(values, np.int64))
    return made if like is None else made.to(like.device)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one."""
    return None if permutation is None else _call("argsort", permutation)


def pack_padded_sequence(
    input: Tensor, lengths, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack sequences that stand padded in one tensor.

    Args:
        input: (T, N, ...), or (N, T, ...) with `batch_first`.
        lengths: of each sequence.
        enforce_sorted: whether the lengths must decrease; otherwise they are sorted here.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html
    """
    lengths = np.asarray(lengths._host() if isinstance(lengths, Tensor) else lengths).astype(np.int64)
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
    _check_lengths(input, lengths, batch_first)
    steps = input.size(1 if batch_first else 0)
    batch_sizes = (lengths[:, None] > np.arange(lengths[0])).sum(0)
    if lengths[0] > steps:
        raise RuntimeError(f"start (0) + length ({lengths[0]}) exceeds dimension size ({steps}).")
    # One gather whose places are an input of the program: other lengths of the same sum compile nothing new.
    step, place = _places(batch_sizes)
    column = place if order is None else order[place]
    flat = column * steps + step if batch_first else step * input.size(0 if batch_first else 1) + column
    data = _call("index_select", input.flatten(0, 1), 0, _from_host(flat, input))
    indices = None if order is None else _from_host(order, input)
    return PackedSequence(data, _from_host(batch_sizes), indices, None)


def _places(batch_sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The time step and the sequence of each packed element."""
    step = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    return step, np.concatenate([np.arange(n) for n in batch_sizes])


def _check_lengths(input: Tensor, lengths: np.ndarray, batch_first: bool) -> None:
    batch = input.size(0 if batch_first else 1)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.ndim != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D cpu Long tensor"
        )
    if len(lengths) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})"
        )
    if lengths[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do "
            "not need ONNX exportability."
        )


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded tensor of packed sequences, and their lengths.

    Args:
        batch_first: (N, T, ...) instead of (T, N, ...).
        total_length: pad to this length, at least the longest sequence's.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_packed_sequence.html
    """
    batch_sizes = sequence.batch_sizes._host()
    steps, batch = len(batch_sizes), int(batch_sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    data = sequence.data
    # As in packing, one gather; what is missing comes from a row of padding behind the data.
    source = np.full((steps, batch), data.size(0))
    source[_places(batch_sizes)] = np.arange(data.size(0))
    lengths = (np.arange(batch) < batch_sizes[:, None]).sum(0)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices._host()
        source, lengths = source[:, order], lengths[order]
    if batch_first:
        source = source.T
    padding = _call("cat", [data, data.new_full((1, *data.shape[1:]), padding_value)])
    padded = _call("index_select", padding, 0, _from_host(source.reshape(-1), data))
    return padded.unflatten(0, source.shape), _from_host(lengths)


def pad_sequence(
    sequences, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences of different lengths side by side, the short ones padded to the longest.

    Args:
        sequences: tensors (L, ...).
        batch_first: (N, T, ...) instead of (T, N, ...).
        padding_side: ``"right"`` (behind) or ``"left"``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pad_sequence.html
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = list(sequences)
    for i, x in enumerate(sequences):
        if not isinstance(x, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(x).__name__}")
    return _call("nn.functional.pad_sequence", sequences, batch_first, padding_value, padding_side)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded tensor, each with its own length."""
    dim = 0 if batch_first else 1
    return [x[: int(n)] for x, n in zip(padded_sequences.unbind(dim), lengths._host(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_sequence.html
    """
    lengths = [x.size(0) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
