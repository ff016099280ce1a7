"""L-BFGS. See https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funcgrad._facade import _views
from funcgrad._operators import apply
from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import enable_grad, no_grad
from funcgrad.engine.record import record
from funcgrad.engine.structure import SCALAR, STATIC, Op
from funcgrad.optim import _checks as check
from funcgrad.optim._lbfgs_history import History, Rows, flattened, like_parameters
from funcgrad.optim._strong_wolfe import Point, strong_wolfe
from funcgrad.optim.optimizer import Optimizer


def _gather(params, grads):
    """All gradients as one vector, and its largest magnitude and sum of magnitudes."""
    import jax.numpy as jnp

    flat = flattened([jnp.zeros_like(p) if g is None else g for p, g in zip(params, grads)])
    return flat, jnp.max(jnp.abs(flat)), jnp.sum(jnp.abs(flat))


def _moved(params, direction, t):
    from funcgrad.ops._number import as_array

    steps = like_parameters(direction * as_array(t, direction.dtype), params)
    return [p + s for p, s in zip(params, steps)]


def _slope(flat, direction):
    import jax.numpy as jnp

    return jnp.vdot(flat, direction), jnp.max(jnp.abs(direction))


_GATHER = Op("lbfgs_gather", _gather, differentiable=False)
_MOVE = Op("lbfgs_move", _moved, differentiable=False)
_MOVE.kinds = (STATIC, STATIC, SCALAR)
_SLOPE = Op("lbfgs_slope", _slope, differentiable=False)
_COPY = Op("lbfgs_copy", lambda arrays: list(arrays), differentiable=False)


class LBFGS(Optimizer):
    r"""A quasi-Newton method with limited memory: several iterations, and calls of the closure, in each step.

    The direction is :math:`-H g`, with :math:`H` an estimate of the inverse Hessian from the last changes of the
    parameters and the gradient. ``optax.lbfgs`` is another algorithm: one iteration a step, another first step, another
    rule which changes are kept, another line search.

    Args:
        params: tensors or one parameter group.
        lr: the step size, where the line search begins.
        max_iter: the most iterations in a step.
        max_eval: the most calls of the closure in a step, 1.25 times `max_iter` by default.
        tolerance_grad: stop when no element of the gradient is larger.
        tolerance_change: stop when the loss or the parameters change by less.
        history_size: how many changes are kept.
        line_search_fn: ``"strong_wolfe"`` or None.

    Example:
        >>> import funcgrad as torch
        >>> w = torch.zeros(2, requires_grad=True)
        >>> optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - torch.tensor([1.0, 3.0])) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure)
        tensor(10., grad_fn=<SumBackward0>)
        >>> w
        tensor([1., 3.], requires_grad=True)
    """

    def __init__(
        self,
        params,
        lr=1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        check.tensor_lr(lr)
        check.at_least_zero(("learning rate", lr))
        defaults = dict(
            lr=lr,
            max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
            history_size=history_size,
            line_search_fn=line_search_fn,
        )
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def state_dict(self) -> dict[str, Any]:
        """As every optimizer's; the kept changes are lists of tensors."""
        result = super().state_dict()
        for k, entry in result["state"].items():
            result["state"][k] = {name: list(v) if isinstance(v, Rows) else v for name, v in entry.items()}
        return result

    @no_grad
    def step(self, closure: Callable[[], Any]):
        """Run up to ``max_iter`` iterations.

        Args:
            closure: clears the gradients, computes the loss and its gradients, and returns it.
        """
        assert len(self.param_groups) == 1, f"Expected exactly one param_group, but got {len(self.param_groups)}"
        group = self.param_groups[0]
        entry = self.state[self._params[0]]
        entry.setdefault("func_evals", 0)
        entry.setdefault("n_iter", 0)
        first = self._evaluate(closure)
        entry["func_evals"] += 1
        if first.largest <= group["tolerance_grad"]:
            return first.returned
        _Run(self, group, entry, closure, first).iterate()
        return first.returned

    def _evaluate(self, closure: Callable[[], Any]) -> Point:
        """The loss and the gradient where the parameters are now."""
        with enable_grad():
            returned = closure()
        grads = [g.to_dense() if g is not None and g.is_sparse else g for g in (p._grad for p in self._params)]
        flat, largest, total = apply(_GATHER, (self._params, grads))
        return Point(returned, float(returned), flat, largest.item(), total.item())

    def _move(self, t, direction: Tensor) -> None:
        """Add `t` times the direction to the parameters."""
        _views.replace_all(self._params, record(_MOVE, (self._params, direction, float(t)))[0])


class _Run:
    """The iterations of one step.

    Attributes:
        point: the loss and gradient where the parameters are; None after the last move, which is not evaluated.
        direction, t: the last direction and how far it was followed.
    """

    def __init__(self, optimizer: LBFGS, group: dict, entry: dict, closure, first: Point):
        self.optimizer, self.group, self.entry, self.closure = optimizer, group, entry, closure
        self.point = first
        self.evaluations = 1
        self.history = History.of(entry, group["history_size"])
        self.direction, self.t = entry.get("d"), entry.get("t")
        self.previous = entry.get("prev_flat_grad")
        self.previous_loss = entry.get("prev_loss")

    def iterate(self) -> None:
        entry, group = self.entry, self.group
        for iteration in range(1, group["max_iter"] + 1):
            entry["n_iter"] += 1
            slope = self._turn()
            self.t = float(group["lr"])
            if entry["n_iter"] == 1:
                self.t /= max(1.0, self.point.total)
            if slope > -group["tolerance_change"] or self._follow(slope, iteration == group["max_iter"]):
                break
        entry.update(d=self.direction, t=self.t)
        entry.update(self.history.entries())
        entry.update(prev_flat_grad=self.previous, prev_loss=self.previous_loss)

    def _turn(self) -> float:
        """Choose the next direction; returns the loss's slope along it."""
        gradient = self.point.gradient
        if self.entry["n_iter"] == 1:
            self.history.clear()
            self.direction, slope = self.history.first_direction(gradient)
        else:
            self.direction, slope = self.history.next_direction(gradient, self.previous, self.direction, self.t)
        self.previous, self.previous_loss = gradient, self.point.loss
        return slope

    def _follow(self, slope, last: bool) -> bool:
        """Go along the direction; returns whether that was the last iteration."""
        group = self.group
        evaluations = 0
        if group["line_search_fn"] is not None:
            if group["line_search_fn"] != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            evaluations = self._search(slope)
        else:
            self.optimizer._move(self.t, self.direction)
            if not last:
                self.point = self.optimizer._evaluate(self.closure)
                evaluations = 1
        self.evaluations += evaluations
        self.entry["func_evals"] += evaluations
        return (
            last
            or self.evaluations >= group["max_eval"]
            or self.point.largest <= group["tolerance_grad"]
            or (self.direction * self.t).abs().max().item() <= group["tolerance_change"]
            or abs(self.point.loss - self.previous_loss) < group["tolerance_change"]
        )

    def _search(self, slope) -> int:
        """Find how far to go; returns how often the closure was called for that."""
        optimizer, direction = self.optimizer, self.direction
        begin, _ = record(_COPY, (optimizer._params,))

        def evaluate(t) -> Point:
            optimizer._move(t, direction)
            point = optimizer._evaluate(self.closure)
            along, _ = apply(_SLOPE, (point.gradient, direction))
            point.slope = along.numpy()[()]
            _views.replace_all(optimizer._params, record(_COPY, (begin,))[0])
            return point

        longest = apply(_SLOPE, (self.point.gradient, direction))[1].item()
        limit = self.group["max_eval"] - self.evaluations
        change = self.group["tolerance_change"]
        self.point, self.t, evaluations = strong_wolfe(evaluate, self.point, slope, self.t, longest, change, limit)
        optimizer._move(self.t, direction)
        return evaluations
