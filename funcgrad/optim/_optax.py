"""The optimizers' arithmetic: optax transformations, and those that optax lacks or defines differently.

This is the only file that imports optax. A hyper-parameter arrives as a `Number` (see `funcgrad.ops._number`): it is an
input of the compiled step, so a schedule never causes a compile.
"""

from __future__ import annotations

import optax

chain = optax.chain
identity = optax.identity
trace = optax.trace
scale = optax.scale
add_decayed_weights = optax.add_decayed_weights
GradientTransformation = optax.GradientTransformation
TraceState = optax.TraceState
ScaleByAdamState = optax.ScaleByAdamState
scale_by_adam = optax.scale_by_adam
EmptyState = optax.EmptyState
apply_updates = optax.apply_updates
