"""Steps by the gradient's sign alone."""

from __future__ import annotations

import jax.numpy as jnp

from funcgrad.optim._optax import GradientTransformation, cast, full, per_parameter


def step_by_signs(lr, etas, step_sizes) -> GradientTransformation:
    r"""Rprop: :math:`p \leftarrow p - s \cdot \mathrm{sign}(g)`, with a step size :math:`s` for each element.

    .. math::
        s \leftarrow \mathrm{clip}(s \cdot \eta^{\pm}, s_{min}, s_{max}), \qquad g \leftarrow 0 \text{ where it turned}

    by the sign of :math:`g_t g_{t-1}` (no change where it is 0). ``optax.rprop`` gives out the update of the step
    before, so that the first one is zero (google-deepmind/optax#1725, open), and does not clip where the sign is zero.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Rprop.html
    """

    def update(g, p, t, previous, size):
        shrink, grow, least, most = (cast(x, g.dtype) for x in (*etas, *step_sizes))
        turn = g * previous
        factor = jnp.where(turn > 0, grow, jnp.where(turn < 0, shrink, jnp.ones_like(g)))
        size = jnp.clip(size * factor, least, most)
        g = jnp.where(turn < 0, jnp.zeros_like(g), g)
        return jnp.where(jnp.isnan(g), 0, -jnp.sign(g)) * size, g, size  # to PyTorch NaN has the sign zero

    return per_parameter(update, prev=0, step_size=lambda p: full(p, lr))
