"""Short-time Fourier transforms.

See https://docs.pytorch.org/docs/stable/generated/torch.stft.html
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from funcgrad import _dtypes
from funcgrad.ops._axes import require_elements
from funcgrad.ops._number import Array, cast, dtype_of, promote

_NO_WINDOW = "A window was not provided. A rectangular window will be applied,"
_SUPPRESS = (
    "To suppress this warning and use a rectangular window, explicitly set `window=torch.ones(n_fft, device=<device>)`."
)
_PADDING = {"reflect": "reflect", "constant": "constant", "replicate": "edge", "circular": "wrap"}


def _flag(x) -> str:
    return "None" if x is None else str(int(x))


def _call(name: str, tensor: str, options: dict) -> str:
    """The call as PyTorch's messages show it."""
    window = options.pop("window")
    shown = "None" if window is None else f"torch.{dtype_of(window).scalar_name}Tensor{{{list(window.shape)}}}"
    first = {k: options.pop(k) for k in ("n_fft", "hop_length", "win_length")}
    flags = {k: v if k == "length" else _flag(v) for k, v in options.items()}
    return f"{name}({tensor}, " + ", ".join(f"{k}={v}" for k, v in {**first, "window": shown, **flags}.items()) + ")"


def _centered_window(window: Array | None, win_length: int, n_fft: int, dtype) -> Array:
    """The window, or ones, padded with zeros on both sides to `n_fft` points."""
    window = jnp.ones(win_length, dtype) if window is None else window
    left = (n_fft - win_length) // 2
    return jnp.pad(window, (left, n_fft - win_length - left))


def _positions(frames: int, n_fft: int, hop: int) -> Array:
    """Which sample is at each place of each frame [frames, n_fft]."""
    start = lax.broadcasted_iota(jnp.int32, (frames, n_fft), 0) * np.int32(hop)
    return start + lax.broadcasted_iota(jnp.int32, (frames, n_fft), 1)


def _pad_ends(x: Array, n: int, mode: str) -> Array:
    if mode not in _PADDING:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    shape = [1] * (3 - x.ndim) + list(x.shape)
    if mode in ("reflect", "circular") and n >= shape[-1] + (mode == "circular"):
        raise RuntimeError(
            f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({n}, "
            f"{n}) at dimension 2 of input {shape}"
        )
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], mode=_PADDING[mode])


def _check_stft(x: Array, call: str, n_fft: int, hop: int, win_length: int, window: Array | None) -> None:
    d = dtype_of(x)
    if d.category < _dtypes.FLOATING:
        raise RuntimeError(f"{call} : expected a tensor of floating point or complex values")
    if x.ndim not in (1, 2):
        raise RuntimeError(f"{call} : expected a 1D or 2D tensor")
    if not 0 < n_fft <= x.shape[-1]:
        raise RuntimeError(f"{call} : expected 0 < n_fft < {x.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"{call} : expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{call} : expected 0 < win_length <= n_fft, but got win_length={win_length}")
    if window is not None and window.shape != (win_length,):
        raise RuntimeError(
            f"{call} : expected a 1D window tensor of size equal to win_length={win_length}, but got window with size "
            f"{list(window.shape)}"
        )


def _check_output(complex_input: bool, return_complex) -> None:
    if return_complex is None and not complex_input:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further require that "
            "return_complex=True in a future PyTorch release."
        )
    if return_complex is False:
        warnings.warn(
            "stft with return_complex=False is deprecated. In a future pytorch release, stft will return complex "
            "tensors for all inputs, and return_complex=False will raise an error.\nNote: you can still call "
            "torch.view_as_real on the complex output to recover the old return format.",
            stacklevel=3,
        )


def stft(
    input: Array,
    n_fft,
    hop_length=None,
    win_length=None,
    window: Array | None = None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
) -> Array:
    r"""The Fourier transforms of overlapping frames: :math:`X_{ft} = \sum_k w_k x_{t h + k} e^{-2 \pi i f k / n}`.

    Args:
        hop_length: :math:`h`, a quarter of `n_fft` unless given; `win_length`: size of `window`, `n_fft` unless given.
        center: pad `input` (by `pad_mode`) so that frame t is centered at :math:`t h`.
        normalized: divide by the root of `n_fft`.
        onesided: only the first ``n_fft // 2 + 1`` frequencies; the default for real input and window.
        return_complex: complex numbers, or pairs in a last dimension of size 2.

    Shape:
        `input` [batch, samples] or [samples]; the result [batch, frequencies, frames] or [frequencies, frames].

    Example:
        >>> x = torch.ones(8)
        >>> torch.stft(x, 4, 4, window=torch.ones(4), return_complex=True).shape
        torch.Size([3, 3])
    """
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    x = _pad_ends(input, n_fft // 2, pad_mode) if center else input
    hop = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    options = dict(n_fft=n_fft, hop_length=hop, win_length=win_length, window=window, normalized=normalized)
    options |= dict(onesided=onesided, return_complex=return_complex, align_to_window=align_to_window)
    call = _call("stft", f"torch.{dtype_of(x).scalar_name}Tensor{list(x.shape)}", options)
    if window is None:
        advice = "which is known to cause spectral leakage. Other windows such as torch.hann_window or "
        advice += "torch.hamming_window are recommended to reduce spectral leakage."
        warnings.warn(_NO_WINDOW + advice + _SUPPRESS, stacklevel=2)
    is_complex = dtype_of(x).is_complex or (window is not None and dtype_of(window).is_complex)
    _check_output(is_complex, return_complex)
    _check_stft(x, call, n_fft, hop, win_length, window)
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if dtype_of(x).itemsize < 4:
        raise RuntimeError(f"MKL FFT doesn't support tensors of type: {dtype_of(x).scalar_name}")
    frames = 1 + (x.shape[-1] - n_fft) // hop
    if align_to_window and not center:
        frames = 1 + (x.shape[-1] - win_length) // hop
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [((n_fft - win_length) // 2, n_fft - win_length)])
    framed = x[..., _positions(frames, n_fft, hop)]
    framed, weights = promote(framed, _centered_window(window, win_length, n_fft, x.dtype))
    half = not is_complex if onesided is None else onesided
    out = (jnp.fft.rfft if half else jnp.fft.fft)(framed * weights, norm="ortho" if normalized else None)
    out = jnp.swapaxes(out, -1, -2)
    return out if return_complex or return_complex is None else jnp.stack([out.real, out.imag], -1)


# -- inverse ----------------------------------------------------------------------------------------------------------


def _check_istft(x: Array, call: str, n_fft: int, hop: int, win_length: int, window, onesided) -> bool:
    """The checks of `istft`; returns whether the input holds one half of the frequencies."""
    if not x.size:
        raise RuntimeError(f"{call} : input tensor cannot be empty.")
    if x.ndim not in (2, 3):
        raise RuntimeError(f"{call} : expected a tensor with 3 or 4 dimensions, but got {x.ndim + 1}")
    half = x.shape[-2] != n_fft if onesided is None else onesided
    wanted = n_fft // 2 + 1 if half else n_fft
    if x.shape[-2] != wanted:
        size, sides = ("n_fft / 2 + 1", "True") if half else ("n_fft", "False")
        raise RuntimeError(
            f"{call} : expected the frequency dimension (3rd to the last) of the input tensor to match {size} when "
            f"onesided={sides}, but got {x.shape[-2]}"
        )
    if not 0 < hop <= win_length:
        raise RuntimeError(f"{call} : expected 0 < hop_length <= win_length")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{call} : expected 0 < win_length <= n_fft")
    if window is not None and window.shape != (win_length,):
        raise RuntimeError(f"{call} : Invalid window shape. window has to be 1D and length of `win_length`")
    return half


def _overlap_add(framed: Array, hop: int) -> Array:
    """Frames [..., frames, n] added up at their places in a signal."""
    frames, n = framed.shape[-2:]
    signal = jnp.zeros((*framed.shape[:-2], n + hop * (frames - 1)), framed.dtype)
    return signal.at[..., _positions(frames, n, hop)].add(framed)


def istft(
    input: Array,
    n_fft,
    hop_length=None,
    win_length=None,
    window: Array | None = None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
) -> Array:
    r"""The inverse of `stft`: frames are overlapped and added, and divided by the sum of the squared windows.

    Args:
        length: cut or pad the signal to this many samples.
        return_complex: a complex signal; otherwise its real part.

    Raises:
        RuntimeError: also where the windows do not overlap enough to be inverted, if their values are known; inside a
            compiled program such samples become NaN or infinite instead.

    Example:
        >>> x, w = torch.arange(8.), torch.ones(4)
        >>> torch.istft(torch.stft(x, 4, window=w, return_complex=True), 4, window=w)
        tensor([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    if not dtype_of(input).is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if input.ndim < 2:
        raise IndexError("Dimension out of range (expected to be in range of [-2, 1], but got -3)")
    hop = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    options = dict(n_fft=n_fft, hop_length=hop, win_length=win_length, window=window, center=center)
    options |= dict(normalized=normalized, onesided=onesided, length=length, return_complex=return_complex)
    call = _call("istft", f"CPU{dtype_of(input).scalar_name}Type{list(input.shape)}", options)
    if window is None:
        advice = "Please provide the same window used by stft to make the inversion lossless."
        warnings.warn(_NO_WINDOW.replace(",", ".", 1)[:-1] + "." + advice + _SUPPRESS, stacklevel=2)
    half = _check_istft(input, call, n_fft, hop, win_length, window, onesided)
    if return_complex and half:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if not return_complex and window is not None and dtype_of(window).is_complex:
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    weights = _centered_window(window, win_length, n_fft, dtype_of(input).to_real().numpy)
    return _assemble(input, weights, hop, (center, normalized, length, return_complex), call)


def _assemble(x: Array, weights: Array, hop: int, options: tuple, call: str) -> Array:
    center, normalized, length, return_complex = options
    n_fft = weights.shape[0]
    spectra, norm = jnp.swapaxes(x, -1, -2), "ortho" if normalized else None
    if return_complex:
        framed = jnp.fft.ifft(spectra, norm=norm)
    else:  # as PyTorch does, from the first half of the frequencies even where all are given
        framed = jnp.fft.irfft(spectra[..., : n_fft // 2 + 1], n_fft, norm=norm)
    framed, weights = promote(framed, weights)
    signal = _overlap_add(framed * weights, hop)
    squares = jnp.broadcast_to(weights * weights, (x.shape[-1], n_fft))
    envelope = _overlap_add(squares, hop)
    start = n_fft // 2 if center else 0
    end = signal.shape[-1] - start if length is None else start + length
    signal, envelope = signal[..., start:end], envelope[start:end]
    require_elements("min", envelope.shape, (0,), all_named=False)
    if not isinstance(envelope, jax.core.Tracer) and bool(jnp.min(jnp.abs(envelope)) <= 1e-11):
        raise RuntimeError(f"{call} window overlap add min: 1\n[ CPUBoolType{{}} ]")
    signal = signal / cast(envelope, signal.dtype)
    if length is not None and signal.shape[-1] < length:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. "
            "Please check your center and hop_length settings.",
            stacklevel=3,
        )
        signal = jnp.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, length - signal.shape[-1])])
    return signal
