"""Scaling of gradients. See https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

import jax.numpy as jnp

from funcgrad import _device, _dtypes
from funcgrad._facade import _creation, _views
from funcgrad._tensor import Tensor, wrap
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.engine.record import record
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.ops._number import Scalar, as_array

__all__ = ["GradScaler", "OptState"]


class OptState(Enum):
    """How far an optimizer has come since the last `GradScaler.update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _new_state() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


def _unscale(grads, scale):
    """The gradients divided by the scale, and 1.0 if any of them is not finite."""
    inverse = jnp.reciprocal(scale.astype(jnp.float64)).astype(jnp.float32)
    wides = [g.astype(jnp.promote_types(g.dtype, jnp.float32)) for g in grads]
    finite = [jnp.all(jnp.isfinite(w)) for w in wides]
    found = jnp.logical_not(jnp.all(jnp.stack(finite))).astype(jnp.float32)
    return [(w * inverse.astype(w.dtype)).astype(g.dtype) for w, g in zip(wides, grads)] + [found]


def _next_scale(scale, tracker, founds, growth: Scalar, backoff: Scalar, interval: Scalar):
    """The scale and the count of steps since it last changed, after one more step."""
    wide, tracker = scale.astype(jnp.float64), tracker + jnp.asarray(1, tracker.dtype)
    skipped = sum(founds[1:], founds[0]) > 0
    grown = (wide * as_array(growth, wide.dtype)).astype(scale.dtype)
    due = tracker == as_array(interval, tracker.dtype)
    kept = jnp.where(due & jnp.isfinite(grown), grown, scale)
    shrunk = (wide * as_array(backoff, wide.dtype)).astype(scale.dtype)
    return [jnp.where(skipped, shrunk, kept), jnp.where(skipped | due, jnp.zeros_like(tracker), tracker)]


_UNSCALE = Op("unscale", _unscale, differentiable=False)
_NEXT_SCALE = Op("next_scale", _next_scale, differentiable=False)
_NEXT_SCALE.kinds = (STATIC, STATIC, STATIC, SCALAR, SCALAR, SCALAR)


class GradScaler:
    """Scales a loss up, so that its gradients do not vanish in float16, and the gradients down again.

    A step whose gradients are not finite is skipped and the scale reduced. Whether to skip is decided inside the
    compiled program: ``scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()`` stays one program and
    reads no value (an optimizer's first step, one with hooks and LBFGS read one).

    Args:
        device: where the scale is kept; without a GPU, ``"cuda"`` disables the scaler.
        init_scale: the first scale.
        growth_factor: what the scale is multiplied by after `growth_interval` steps in a row that were not skipped.
        backoff_factor: what it is multiplied by after a skipped step.
        growth_interval: see `growth_factor`.
        enabled: if False, nothing is scaled and every step taken.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.tensor([1.0], requires_grad=True)
        >>> optimizer, scaler = torch.optim.SGD([w], lr=0.1), torch.amp.GradScaler("cpu")
        >>> scaler.scale((w * 2).sum()).backward()
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> w
        tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda" and not _device.jax_devices("cuda"):
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2 if type(self) is GradScaler else 3,
            )
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._scale: Tensor | None = None
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._init_growth_tracker = 0
        self._growth_tracker: Tensor | None = None
        self._per_optimizer_states: dict[int, dict[str, Any]] = defaultdict(_new_state)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def scale(self, outputs):
        """A tensor, or all tensors in nested iterables, multiplied by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._start(outputs.device)
            return outputs * self._scale.to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer) -> None:
        """Divide an optimizer's gradients by the scale now, to clip or to look at them before `step`.

        Raises:
            RuntimeError: it was called before since the last `update`, or `step` was.
        """
        if not self._enabled:
            return
        self._check_started("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        state["found_inf_per_device"] = self._unscale_grads(optimizer)
        state["stage"] = OptState.UNSCALED

    def step(self, optimizer, *args, **kwargs):
        """Unscale the gradients, if `unscale_` has not, and step unless one of them is infinite or NaN.

        Returns:
            What ``optimizer.step(*args, **kwargs)`` returns.

        Raises:
            RuntimeError: it was called before since the last `update`, or with a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_started("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        founds = list(state["found_inf_per_device"].values())
        if not founds:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = _step_unless(founds, optimizer, args, kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """End an iteration: reduce the scale after a skipped step, raise it after enough steps in a row.

        Args:
            new_scale: the scale to use from now on instead.
        """
        if not self._enabled:
            return
        scale, tracker = self._check_started("update")
        with no_grad():
            if new_scale is not None:
                self._check_scale(new_scale)
                scale.fill_(new_scale) if isinstance(new_scale, float) else scale.copy_(new_scale)
            else:
                states = self._per_optimizer_states.values()
                founds = [f.to(scale.device) for state in states for f in state["found_inf_per_device"].values()]
                if not founds:
                    raise AssertionError("No inf checks were recorded prior to update.")
                factors = float(self._growth_factor), float(self._backoff_factor), int(self._growth_interval)
                made, _ = record(_NEXT_SCALE, (scale, tracker, founds, *factors))
                _views.replace_all([scale, tracker], made)
        self._per_optimizer_states = defaultdict(_new_state)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _start(self, device) -> None:
        if self._growth_tracker is not None:
            raise AssertionError("_growth_tracker initialized before _scale")
        self._scale = _creation.tensor(self._init_scale, dtype=_dtypes.float32, device=device)
        self._growth_tracker = _creation.tensor(self._init_growth_tracker, dtype=_dtypes.int32, device=device)

    def _check_started(self, method: str) -> tuple[Tensor, Tensor]:
        for name in ("_scale", "_growth_tracker"):
            if getattr(self, name) is None:
                raise AssertionError(
                    f"Attempted {method} but {name} is None.  "
                    "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."
                )
        return self._scale, self._growth_tracker

    def _check_scale(self, new_scale) -> None:
        if isinstance(new_scale, float):
            return
        if new_scale.device.type != self._device or new_scale.numel() != 1 or new_scale.requires_grad:
            raise AssertionError(
                "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with "
                "requires_grad=False."
            )

    def _unscale_grads(self, optimizer) -> dict:
        """Unscale in place; returns for each device whether something there was not finite, as a float."""
        grads: dict = {}
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if p.grad.dtype is _dtypes.float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    grads.setdefault(p.grad.device, []).append(p.grad)
        founds = {}
        with no_grad():
            for device, some in grads.items():
                made, _ = record(_UNSCALE, (some, self._scale.to(device)))
                founds[device] = wrap(made.pop())
                _views.replace_all(some, made)
        return founds

    # -- its parameters and its state ---------------------------------------------------------------------------------

    def get_scale(self) -> float:
        """The scale, 1.0 if disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def _get_scale_async(self) -> Tensor | None:
        return self._scale

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()

    def get_growth_factor(self) -> float:
        """See the class."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """See the class."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """See the class."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """See the class."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """See the class."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """See the class."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether anything is scaled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The scale and what decides over it, as Python numbers; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                    "scaler.update()."
                )
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _step_unless(founds: list[Tensor], optimizer, args, kwargs):
    """Step, unless something was found: decided in the program where the optimizer can, else by a look at it."""
    if len(founds) == 1 and not args and not kwargs:
        step_unless = getattr(optimizer, "_step_unless", None)
        if step_unless is not None:
            return step_unless(founds[0])
    return None if any(found.item() for found in founds) else optimizer.step(*args, **kwargs)
