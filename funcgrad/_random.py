"""Random tensors: ``torch.rand`` and its like, and Tensor's in-place draws.

Every draw is made on the host, as PyTorch's CPU generator makes it (`funcgrad._draws`), and enters the recorded program
as an input.
"""

from __future__ import annotations

import operator

import numpy as np

from funcgrad import _device, _draws, _dtypes, _formats, _gamma_draws, _operators
from funcgrad._errors import broadcast_shapes
from funcgrad._facade import _storage
from funcgrad._generator import at_hand, drawn, drawn_from
from funcgrad._operators import check_writable, write
from funcgrad._tensor import Tensor, wrap
from funcgrad.engine.record import record
from funcgrad.engine.structure import Op
from funcgrad.ops._bounds import Check
from funcgrad.ops._number import Array
from funcgrad.ops._sizes import sizes_from


def _bound(name: str, argument: str, n) -> int:
    try:
        return operator.index(n)
    except TypeError:
        raise TypeError(f"{name}(): argument '{argument}' must be int, not {type(n).__name__}") from None


def _finish(tensor: Tensor, requires_grad: bool, out) -> Tensor:
    if out is not None:
        from funcgrad._facade._out import into

        return into(_operators.op("zeros"), tensor, out)
    return tensor.requires_grad_() if requires_grad else tensor


def _where(device) -> _device.device:
    return _device.canonical(device) if device is not None else _device.current()


def _dtype_for(dtype, out: Tensor | None, default: _dtypes.dtype | None = None) -> _dtypes.dtype:
    """The dtype to draw: that of `out`, if there is one, which a given dtype must be."""
    if out is not None and dtype is not None and dtype is not out.dtype:
        got, wanted = dtype.scalar_name, out.dtype.scalar_name
        raise RuntimeError(f"dtype {got} does not match dtype of out parameter ({wanted})")
    return dtype or (out.dtype if out is not None else default or _dtypes.default_dtype())


def _in_gaps(out: Tensor | None, shape: tuple) -> bool:
    """Whether a draw goes into an `out` whose memory order decides where the numbers go."""
    return out is not None and tuple(out.shape) == shape and not out.is_contiguous()


def rand(
    *size,
    generator=None,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
    **named,
):
    """Uniform numbers from [0, 1).

    Example:
        >>> import funcgrad as torch
        >>> torch.rand(2, 3).shape
        torch.Size([2, 3])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.rand.html
    """
    shape, d = sizes_from(size or (named.pop("size"),), "rand"), _dtype_for(dtype, out)
    if _in_gaps(out, shape):
        return out.uniform_(generator=generator)
    return _finish(
        drawn(generator, lambda e, shape: _draws.rand(e, shape, d), _where(device), shape=shape), requires_grad, out
    )


def randn(
    *size,
    generator=None,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
    **named,
):
    """Numbers from the standard normal distribution.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randn.html
    """
    shape, d = sizes_from(size or (named.pop("size"),), "randn"), _dtype_for(dtype, out)
    if _in_gaps(out, shape):
        return out.normal_(generator=generator)
    return _finish(
        drawn(generator, lambda e, shape: _draws.randn(e, shape, d), _where(device), shape=shape), requires_grad, out
    )


def randint(low=None, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
            requires_grad=False, pin_memory=False):  # fmt: skip
    """Integers from [low, high): ``randint(high, size)`` or ``randint(low, high, size)``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randint.html
    """
    if size is None and isinstance(high, tuple | list):
        low, high, size = 0, low, high
    elif high is None or low is None:
        low, high = 0, low if high is None else high
    shape, d = sizes_from((size,), "randint", position=2), _dtype_for(dtype, out, _dtypes.int64)
    low, high = _bound("randint", "low", low), _bound("randint", "high", high)
    if _in_gaps(out, shape):
        return out.random_(low, high, generator=generator)
    return _finish(
        drawn(generator, lambda e, shape: _draws.randint(e, low, high, shape, d), _where(device), shape=shape),
        requires_grad,
        out,
    )


def randperm(
    n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """The integers 0 to n - 1 in random order.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    d = dtype or _dtypes.int64
    return _finish(drawn(generator, lambda e: _draws.randperm(e, n, d), _where(device)), requires_grad, out)


def normal(mean, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):  # fmt: skip
    """Normal numbers: of given mean and deviation (numbers and a size), or elementwise (tensors).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.normal.html
    """
    if size is not None:
        shape, d = sizes_from((size,), "normal", position=3), dtype or _dtypes.default_dtype()
        if _in_gaps(out, shape):
            return out.normal_(float(mean), float(std), generator=generator)
        made = drawn(
            generator, lambda e, shape: _draws.normal(e, shape, d, float(mean), float(std)), _where(device), shape=shape
        )
        return _finish(made, requires_grad, out)
    tensors = [x.detach() for x in (mean, std) if isinstance(x, Tensor)]
    if not all(at_hand(x._read()) for x in tensors):
        shape = tuple(broadcast_shapes(*[x.shape for x in tensors]))
        d = tensors[0].dtype
        noise = drawn(generator, lambda e: _draws.randn(e, shape, d), tensors[0].device)
        mean, std = [x.detach() if isinstance(x, Tensor) else x for x in (mean, std)]
        return _finish(noise * std + mean, requires_grad, out)
    mean_, std_ = [x.detach()._host() if isinstance(x, Tensor) else x for x in (mean, std)]
    return _finish(drawn(generator, lambda e: _draws.normal_tensors(e, mean_, std_)), requires_grad, out)


def bernoulli(input: Tensor, p=None, *, generator=None, out=None) -> Tensor:
    """Zeros and ones; each is one with the probability `input` holds (or with probability `p`).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html
    """
    shape, d = tuple(input.shape), input.dtype if out is None else out.dtype
    if p is not None:
        return _finish(
            drawn(generator, lambda e, shape: _draws.bernoulli(e, shape, d, float(p)), shape=shape), False, out
        )
    return _finish(_bernoulli_of(generator, input, d), False, out)


def _bernoulli_of(generator, probs: Tensor, d, like: Tensor | None = None) -> Tensor:
    """Ones with the probabilities of a tensor; where those cannot be read, uniforms are drawn to compare them with."""
    if not at_hand(probs.detach()._read()) and probs.dtype.is_floating_point:
        wide = _dtypes.float64 if probs.dtype is _dtypes.float64 else _dtypes.float32
        uniform = _drawn_as(like, probs, generator, lambda e, shape, rows: _draws.rand(e, shape, wide))
        return _operators.apply(_BELOW, (probs.detach(), uniform, d))
    given = probs.detach()._host()
    if like is not None and not like.is_contiguous():
        given = given.transpose(_draws.visiting_order(tuple(like.shape), like.stride()))
    return _drawn_as(like, probs, generator, lambda e, shape, rows: _draws.bernoulli_tensor(e, shape, d, given))


def _drawn_as(like: Tensor | None, probs: Tensor, generator, draw) -> Tensor:
    if like is not None:
        return drawn_like(like, generator, draw)
    return drawn(generator, lambda e, shape: draw(e, shape, True), probs.device, tuple(probs.shape))


def _below(probs: Array, uniform: Array, dtype) -> Array:
    return (uniform < probs.astype(uniform.dtype)).astype(dtype.numpy)


def _probabilities(probs, uniform, dtype) -> list[Check]:
    text = (
        "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so, "
        "please report an enhancement request to PyTorch.)"
    )
    return [Check(probs, 0.0, 1.0, lambda value: RuntimeError(text), closed=True)]


_BELOW = Op("bernoulli", _below, differentiable=False, bounds=_probabilities)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator=None, out=None) -> Tensor:
    """Indices drawn with the weights in each row of `input`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    like = ((*input.shape[:-1], num_samples), np.dtype(np.int64))
    made = drawn_from(generator, _draws.multinomial, (input,), num_samples, replacement, like=like)
    return _finish(made, False, out)


def poisson(input: Tensor, generator=None) -> Tensor:
    """Poisson counts with the rates in `input`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.poisson.html
    """
    return drawn_from(generator, _draws.poisson, (input,))


def binomial(count: Tensor, prob: Tensor, generator=None) -> Tensor:
    """Binomial counts."""
    shape = tuple(broadcast_shapes(count.shape, prob.shape))
    return drawn_from(generator, _draws.binomial, (count, prob), like=(shape, count.dtype.numpy))


def drawn_like(like: Tensor, generator, draw, dense: bool = True, device=None) -> Tensor:
    """``draw(engine, shape, contiguous)`` laid out as `like`: numbers go where PyTorch puts them, by memory order.

    Args:
        like: a tensor of the shape and strides.
        dense: the target is a new tensor, without the gaps that `like` may have.
    """
    shape, device = tuple(like.shape), device or like.device
    if like.is_contiguous():
        return drawn(generator, lambda e, shape: draw(e, shape, True), device, shape)
    order = _draws.visiting_order(shape, like.stride())
    in_rows = dense and order == tuple(range(len(shape)))
    made = drawn(generator, lambda e, shape: draw(e, shape, in_rows), device, tuple(shape[d] for d in order))
    if order == tuple(range(len(shape))):
        return made
    return wrap(record(_operators.op("permute"), (made, tuple(int(d) for d in np.argsort(order)))))  # nobody's view


def _like(factory):
    def like(input: Tensor, *args, low=None, high=None, dtype=None, device=None, requires_grad=False, memory_format=None, layout=None,
             pin_memory=False, generator=None):  # fmt: skip
        options = {"dtype": dtype or input.dtype, "device": device or input.device, "requires_grad": requires_grad}
        if factory is randint:
            args = (*args, *[n for n in (low, high) if n is not None])
            args = (0, *args) if len(args) == 1 else args
            if len(args) != 2:
                given = ", ".join(type(a).__name__ for a in (input, *args))
                raise TypeError(f"randint_like() received an invalid combination of arguments - got ({given})")
            args = [_bound("randint_like", name, n) for name, n in zip(("low", "high"), args)]
        template = input
        if memory_format is not None and memory_format is not _formats.preserve_format:
            template = _storage.formatted(_operators.call("zeros_like", input).contiguous(), memory_format)
        if not template.is_contiguous():
            made = drawn_like(
                template, generator, _LIKE[factory](options["dtype"], *args), device=_where(options["device"])
            )
            return made.requires_grad_() if requires_grad else made
        return factory(*args, tuple(input.shape), generator=generator, **options)

    like.__name__ = factory.__name__ + "_like"
    like.__doc__ = f"As `torch.{factory.__name__}`, with the shape, dtype and device of `input`."
    return like


_LIKE = {
    rand: lambda d: lambda e, shape, contiguous: _draws.rand(e, shape, d),
    randn: lambda d: lambda e, shape, contiguous: _draws.normal(e, shape, d, contiguous=contiguous),
    randint: lambda d, low, high: lambda e, shape, contiguous: _draws.randint(e, int(low), int(high), shape, d),
}
rand_like, randn_like, randint_like = _like(rand), _like(randn), _like(randint)


# -- in place ---------------------------------------------------------------------------------------------------------


def _fill(self: Tensor, generator, draw) -> Tensor:
    check_writable(self)
    write(self, drawn_like(self, generator, draw, dense=False)._read())
    return self


def uniform_(self: Tensor, from_=0.0, to=1.0, *, generator=None, **named) -> Tensor:
    """Fill with uniform numbers from [from, to)."""
    low = float(named.get("from", from_))
    d = self.dtype
    return _fill(self, generator, lambda e, shape, rows: _draws.uniform(e, shape, d, low, float(to)))


def normal_(self: Tensor, mean=0.0, std=1.0, *, generator=None) -> Tensor:
    """Fill with normal numbers."""
    d = self.dtype
    return _fill(
        self, generator, lambda e, shape, rows: _draws.normal(e, shape, d, float(mean), float(std), contiguous=rows)
    )


def random_(self: Tensor, *bounds, generator=None, **named) -> Tensor:
    """``random_()``, ``random_(to)``, ``random_(from, to)``: integers from [from, to), `to` None for all above."""
    low, high = named.get("from"), named.get("to")
    if bounds:
        low, high = (0, bounds[0]) if len(bounds) == 1 and "to" not in named else (bounds[0], high)
        high = bounds[1] if len(bounds) > 1 else high
    d = self.dtype
    return _fill(self, generator, lambda e, shape, rows: _draws.random(e, shape, d, low, high))


def bernoulli_(self: Tensor, p=0.5, *, generator=None) -> Tensor:
    """Fill with ones with probability `p` (a number, or a tensor of probabilities), else zeros."""
    d = self.dtype
    if isinstance(p, Tensor):
        check_writable(self)
        write(self, _bernoulli_of(generator, p.expand(tuple(self.shape)), d, self)._read())
        return self
    return _fill(self, generator, lambda e, shape, rows: _draws.bernoulli(e, shape, d, float(p)))


def _filler(name: str, draw, doc: str, renamed: str = ""):
    def fill(self: Tensor, *args, generator=None, **named) -> Tensor:
        d = self.dtype
        if renamed in named:
            args = (named.pop(renamed),)
        return _fill(self, generator, lambda e, shape, rows: draw(e, shape, d, *args, **named))

    fill.__name__, fill.__doc__ = name, doc
    return fill


exponential_ = _filler("exponential_", _draws.exponential, "Fill with exponential numbers of rate `lambd`.", "lambd")
cauchy_ = _filler("cauchy_", _draws.cauchy, "Fill with Cauchy numbers of a median and a scale.")
geometric_ = _filler("geometric_", _draws.geometric, "Fill with geometric counts of success probability `p`.")
log_normal_ = _filler("log_normal_", _draws.log_normal, "Fill with log-normal numbers.")


def dropout_mask(like: tuple | Tensor, p: float, generator=None) -> Tensor:
    """Which elements dropout keeps, of a tensor or a contiguous one of the given shape."""
    if isinstance(like, tuple):
        return drawn(generator, lambda e, shape: _draws.dropout_mask(e, shape, p), shape=like)
    return drawn_like(like, generator, lambda e, shape, rows: _draws.dropout_mask(e, shape, p))


def feature_dropout_mask(like: tuple | Tensor, p: float, generator=None) -> Tensor:
    """Which channels feature dropout keeps."""
    shape = like if isinstance(like, tuple) else tuple(like.shape)
    return drawn(generator, lambda e: _draws.feature_dropout_mask(e, shape, p))


def install() -> dict:
    """Put the in-place draws on Tensor; return the functions of ``torch``."""
    for method in (uniform_, normal_, random_, bernoulli_, exponential_, cauchy_, geometric_, log_normal_):
        setattr(Tensor, method.__name__, method)
    Tensor.bernoulli, Tensor.multinomial = bernoulli, multinomial
    functions = (rand, randn, randint, randperm, normal, bernoulli, multinomial, poisson, binomial, rand_like, randn_like,
                 randint_like)  # fmt: skip
    return {f.__name__: f for f in (*functions, *_gamma_draws.FUNCTIONS)}
