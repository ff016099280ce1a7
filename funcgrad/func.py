"""``torch.func``: functions of parameters, and JAX's transformations over tensors.

See https://docs.pytorch.org/docs/stable/func.html.
"""

from __future__ import annotations

from funcgrad._tensor import Tensor


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other tensors in the place of its parameters and buffers.

    Args:
        module: the module; it is left as it was.
        parameter_and_buffer_dicts: tensors (or JAX arrays) by dotted name, or several such dicts.
        args: the positional arguments, a tuple; anything else is the only one.
        kwargs: the keyword arguments.
        tie_weights: whether parameters that are the same tensor are replaced together.
        strict: whether every parameter and buffer must be given.

    Raises:
        RuntimeError: with `strict`, a name is missing or unknown.

    Example:
        >>> import funcgrad as torch
        >>> line = torch.nn.Linear(1, 1, bias=False)
        >>> torch.func.functional_call(line, {"weight": torch.ones(1, 1)}, torch.ones(1, 1)).item()
        1.0
    """
    from funcgrad._interop import from_jax

    given: dict = {}
    dicts = (
        parameter_and_buffer_dicts
        if isinstance(parameter_and_buffer_dicts, tuple | list)
        else [parameter_and_buffer_dicts]
    )
    for d in dicts:
        for name, value in d.items():
            if name in given:
                raise ValueError(f"Some keys of the passed-in dictionaries were not unique: {name}")
            given[name] = value if isinstance(value, Tensor) else from_jax(value)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    owners = _owners(module)
    if strict:
        _require_all(owners, given)
    if tie_weights:
        given = _tied(owners, given)
    saved = []
    try:
        for name, value in given.items():
            if name in owners:
                registry, key, have = owners[name]
                saved.append((registry, key, have))
                registry[key] = value
        return module(*args, **(kwargs or {}))
    finally:
        for registry, key, have in reversed(saved):
            registry[key] = have


def _owners(module) -> dict:
    """For each dotted name: the registry it is in, its key there, and the tensor."""
    found = {}
    for prefix, m in module.named_modules(remove_duplicate=False):
        for registry in (m._parameters, m._buffers):
            for key, tensor in registry.items():
                if tensor is not None:
                    found[f"{prefix}.{key}" if prefix else key] = (registry, key, tensor)
    return found


def _tied(owners: dict, given: dict) -> dict:
    """`given`, extended to the other names of the tensors it replaces."""
    groups: dict[int, list[str]] = {}
    for name, (_, _, tensor) in owners.items():
        groups.setdefault(id(tensor), []).append(name)
    complete = dict(given)
    for names in groups.values():
        values = [given[n] for n in names if n in given]
        for name in names:
            if values and name not in complete:
                complete[name] = values[0]
    return complete


def _require_all(owners: dict, given: dict) -> None:
    missing = [n for n in owners if n not in given]
    unexpected = [n for n in given if n not in owners]
    if missing or unexpected:
        words = []
        if unexpected:
            words.append(f"Unexpected key(s): {', '.join(unexpected)}.")
        if missing:
            words.append(f"Missing key(s): {', '.join(missing)}.")
        raise RuntimeError("Error(s) in reparametrizing:\n\t" + "\n\t".join(words))
