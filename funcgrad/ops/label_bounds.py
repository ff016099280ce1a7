"""The rules of `index_bounds` for losses and embeddings: which labels, indices, lengths and probabilities may occur."""

from __future__ import annotations

import math
from collections.abc import Callable

from funcgrad import _dtypes
from funcgrad.ops._bounds import Check
from funcgrad.ops._pool_arguments import unpooled_size

_CHECKING = "(while checking arguments for ctc_loss_allocate_outputs)"


def _error(kind: type[Exception], text: str) -> Callable[..., Exception]:
    return lambda value: kind(text.format(value))


def _classes(input) -> int:
    return input.shape[min(len(input.shape) - 1, 1)] if input.shape else 1


def _class_target(input, target, weight=None, size_average=None, ignore_index=-100, *args, **kwargs) -> list[Check]:
    error = _error(IndexError, "Target {} is out of bounds.")
    return [Check(target, 0, _classes(input), error, exempt=ignore_index)]


def _cross_entropy(input, target, *args, **kwargs) -> list[Check]:
    return [] if input.shape == target.shape else _class_target(input, target, *args, **kwargs)


def _linear_cross_entropy(input, linear_weight, target, *, ignore_index=None, **kwargs) -> list[Check]:
    if tuple(target.shape) == (*input.shape[:-1], *linear_weight.shape[:-1]):
        return []
    error = _error(IndexError, "Target {} is out of bounds.")
    return [Check(target, 0, linear_weight.shape[0], error, exempt=-100 if ignore_index is None else ignore_index)]


def _multi_margin_loss(input, target, *args, **kwargs) -> list[Check]:
    classes = input.shape[-1] if input.shape else 1
    return [Check(target, 0, classes, _error(RuntimeError, "target out of range"))]


def _multilabel_margin_loss(input, target, *args, **kwargs) -> list[Check]:
    classes = input.shape[-1] if input.shape else 1
    return [Check(target, -1, classes, _error(RuntimeError, "argument #2 'target' is out of range"))]


def _ctc_loss(log_probs, targets, input_lengths, target_lengths, *args, **kwargs) -> list[Check]:
    def input_error(value: int) -> Exception:
        limit = f"at most {steps}" if value > steps else "at least 0"
        return RuntimeError(f"Expected input_lengths to have value {limit}, but got value {value} {_CHECKING}")

    def target_error(value: int) -> Exception:
        if value < 0:
            return RuntimeError(f"Expected target_lengths to have value at least 0, but got value {value} {_CHECKING}")
        return RuntimeError(
            f"Expected tensor to have size at least {value} at dimension 1, but got size {longest} for argument #2 "
            f"'targets' {_CHECKING}"
        )

    steps, longest, checks = log_probs.shape[0], targets.shape[-1], []
    if hasattr(input_lengths, "shape"):
        checks.append(Check(input_lengths, 0, steps + 1, input_error))
    if hasattr(target_lengths, "shape"):
        checks.append(Check(target_lengths, 0, longest + 1, target_error))
    return checks


def _embedding(input, weight, *args, **kwargs) -> list[Check]:
    if len(weight.shape) != 2 or _dtypes.to_dtype(input.dtype).category > _dtypes.INTEGER:
        input, weight = weight, input  # torch.embedding(weight, indices)
    return [Check(input, 0, weight.shape[0], _error(IndexError, "index out of range in self"))]


def _embedding_bag(
    input, weight, offsets=None, max_norm=None, norm_type=2, by_frequency=False, mode="mean", sparse=False,
    per_sample_weights=None, include_last_offset=False, padding_idx=None, **kwargs,
) -> list[Check]:  # fmt: skip
    rows, count = weight.shape[0], math.prod(input.shape)

    def error(value: int, position: int) -> Exception:
        if mode != "max" and padding_idx is None and _dtypes.to_dtype(weight.dtype) is not _dtypes.float64:
            text = f"Index {position} of input takes value {value} which is not in the valid range [0, {rows})"
        else:
            text = f"embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {value}"
        return RuntimeError(text)

    checks = [Check(input, 0, rows, error, located=True)]
    if offsets is not None:
        text = f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {{}}"
        checks.append(Check(offsets, 0, count + 1, _error(RuntimeError, text)))
    return checks


def _max_unpool(ndim: int):
    def rule(input, indices, *args, **kwargs) -> list[Check]:
        sizes = unpooled_size(input, ndim, *args, **kwargs)
        shown = "x".join(map(str, (*sizes, 1) if ndim == 1 else sizes))
        text = f"Found an invalid max index: {{}} (output volumes are of size {shown})"
        return [Check(indices, 0, math.prod(sizes), _error(RuntimeError, text))]

    return rule


def _one_hot(tensor, num_classes=-1) -> list[Check]:
    def error(value: int) -> Exception:
        return RuntimeError(
            "Class values must be non-negative." if value < 0 else "Class values must be smaller than num_classes."
        )

    return [Check(tensor, 0, math.inf if num_classes == -1 else num_classes, error)]


def _binary_cross_entropy(input, target, *args, **kwargs) -> list[Check]:
    def check(name: str, x) -> Check:
        error = _error(RuntimeError, f"all elements of {name} should be between 0 and 1")
        return Check(x, 0.0, 1.0, error, closed=True)

    return [check("input", input), check("target", target)]


def _gaussian_nll_loss(input, target, var, *args, **kwargs) -> list[Check]:
    error = _error(ValueError, "var has negative entry/entries")
    return [Check(var, 0.0, math.inf, error, closed=True)] if hasattr(var, "shape") else []


LABEL_BOUNDS: dict[str, Callable[..., list[Check]]] = {
    "nll_loss": _class_target,
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "multi_margin_loss": _multi_margin_loss,
    "multilabel_margin_loss": _multilabel_margin_loss,
    "ctc_loss": _ctc_loss,
    "embedding": _embedding,
    "embedding_renorm": lambda weight, input, *args, **kwargs: _embedding(input, weight),
    "embedding_bag": _embedding_bag,
    "one_hot": _one_hot,
    **{f"max_unpool{ndim}d": _max_unpool(ndim) for ndim in (1, 2, 3)},
    "binary_cross_entropy": _binary_cross_entropy,
    "gaussian_nll_loss": _gaussian_nll_loss,
}
"""Function name to rule, part of `INDEX_BOUNDS`."""
