"""A Module's state: ``state_dict`` and ``load_state_dict``."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple

from funcgrad._tensor import Tensor
from funcgrad.autograd.grad_mode import no_grad
from funcgrad.nn.parameter import Parameter, is_lazy

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """The keys that a loaded state lacked, and those it had too many."""

    __slots__ = ()

    def __repr__(self) -> str:
        return (
            "<All keys matched successfully>" if not (self.missing_keys or self.unexpected_keys) else super().__repr__()
        )

    __str__ = __repr__


class StateDictMixin:
    """The methods of Module about its state."""

    _version = 1

    def state_dict(self, *args, destination=None, prefix: str = "", keep_vars: bool = False):
        """All parameters and persistent buffers by their dotted names, in order of registration.

        Args:
            destination: a dict to fill instead of a new one.
            prefix: put before every name.
            keep_vars: give the parameters themselves, not their data.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args) :])
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, metadata)
            if getattr(hook, "_from_public_api", False):
                if result is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif result is not None:
                destination = result
        return destination

    def _save_to_state_dict(self, destination, prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDictMixin.get_extra_state:
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def _own_state(self):
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def get_extra_state(self):
        """What else belongs to this module's state; override together with `set_extra_state`."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def set_extra_state(self, state) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues/new?template=bug-report.yml to report this bug."
        )

    def load_state_dict(self, state_dict, strict: bool = True, assign: bool = False):
        """Copy a state into this module's parameters and buffers.

        Args:
            state_dict: tensors by name, as ``state_dict`` gives them.
            strict: require exactly this module's names.
            assign: take the tensors themselves instead of copying their values.

        Returns:
            The missing and the unexpected keys.

        Raises:
            RuntimeError: names (if `strict`) or shapes do not match; the message lists all of them.
        """
        if not hasattr(state_dict, "items"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata
        self._load(state, "", metadata, assign, (missing, unexpected, errors))
        if strict:
            if unexpected:
                keys = ", ".join(f'"{k}"' for k in unexpected)
                errors.insert(0, f"Unexpected key(s) in state_dict: {keys}. ")
            if missing:
                keys = ", ".join(f'"{k}"' for k in missing)
                errors.insert(0, f"Missing key(s) in state_dict: {keys}. ")
        if errors:
            listed = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        return _IncompatibleKeys(missing, unexpected)

    def _load(self, state, prefix: str, metadata, assign: bool, found) -> None:
        """Load this module and then its children, each with the part of the state below its name."""
        local = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            local["assign_to_params_buffers"] = assign
        self._load_from_state_dict(state, prefix, local, True, *found)
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                part = OrderedDict((k, v) for k, v in state.items() if k.startswith(below))
                child._load(part, below, metadata, assign, found)
        incompatible = _IncompatibleKeys(found[0], found[1])
        for hook in self._load_state_dict_post_hooks.values():
            if hook(self, incompatible) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, "
                    "if incompatible_keys need to be modified, it should be done inplace."
                )

    def _load_from_state_dict(
        self, state_dict, prefix: str, local_metadata, strict: bool, missing_keys, unexpected_keys, error_msgs
    ) -> None:
        """Load this module's own parameters and buffers; layers whose state changed with versions override it."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, have in list(self._own_state()):  # loading may turn a buffer into a parameter
            key = prefix + name
            if key in state_dict:
                problem = self._load_one(name, key, have, state_dict[key], assign)
                if problem:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE_KEY_SUFFIX
        if type(self).set_extra_state is not StateDictMixin.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            unexpected_keys.extend(self._unexpected(state_dict, prefix, extra))

    def _unexpected(self, state_dict, prefix: str, extra: str):
        own = {name for name, _ in self._own_state()}
        for key in state_dict:
            if key.startswith(prefix) and key != extra:
                name, _, rest = key[len(prefix) :].partition(".")
                if (rest and name not in self._modules) or (not rest and name not in own):
                    yield key

    def _load_one(self, name: str, key: str, have: Tensor, given, assign: bool) -> str | None:
        """Load one tensor; returns what is wrong with it, if anything."""
        if not isinstance(given, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
                f"but received {type(given)}"
            )
        if is_lazy(have):
            if is_lazy(given):
                return None
            with no_grad():
                have.materialize(given.shape)
        elif given.shape != have.shape:
            if have.dim() == 0 and given.dim() == 1 and given.numel() == 1:
                given = given[0]
            else:
                return (
                    f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, the shape in "
                    f"current model is {have.shape}."
                )
        with no_grad():
            if assign:
                if isinstance(have, Parameter):
                    if isinstance(given, Parameter):
                        given.requires_grad_(have.requires_grad)
                    else:
                        given = Parameter(given, requires_grad=have.requires_grad)
                setattr(self, name, given)
            else:
                have.copy_(given)
        return None
