"""State and conversions of `torch.nn.Module`, from its documentation: each program runs under both libraries, results must agree."""

import warnings
from collections import OrderedDict

import pytest
from module_programs import Programs, block, error

case = Programs()


# -- state_dict -------------------------------------------------------------------------------------------------------


@case
def state_dicts(torch):
    m = block(torch)
    sd = m.state_dict()
    kept = m.state_dict(keep_vars=True)
    filled = OrderedDict(x=1)
    m.state_dict(destination=filled, prefix="net.")
    return [
        type(sd).__name__, list(sd), list(m.state_dict(prefix="p.")), list(filled), [v.requires_grad for v in sd.values()],
        [v.requires_grad for v in kept.values()], kept["scale"] is m.scale, kept["steps"] is m.steps,
        [(k, dict(v)) for k, v in sd._metadata.items()], hasattr(filled, "_metadata"), sd["scale"],
        sd["scale"].data_ptr() == m.scale.data_ptr(),
    ]  # fmt: skip


@case
def state_dict_positional_arguments(torch):
    m = torch.nn.Linear(1, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        d = m.state_dict(OrderedDict(a=1), "p.", True)
    return list(d), d["p.weight"] is m.weight, [(w.category.__name__, str(w.message)) for w in caught]


@case
def state_dict_shares_memory(torch):
    m = torch.nn.Linear(2, 2)
    sd = m.state_dict()
    with torch.no_grad():
        m.weight.fill_(3.0)
    seen = [sd["weight"]]
    sd["weight"].zero_()
    return *seen, m.weight


@case
def state_dict_hooks(torch):
    m = torch.nn.Sequential(torch.nn.Linear(1, 1))
    seen = []
    m[0].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))

    def add(m, sd, prefix, meta):
        seen.append(("post", prefix, list(sd), dict(meta)))
        sd[prefix + "more"] = torch.ones(1)

    m[0].register_state_dict_post_hook(add)
    m._register_state_dict_hook(lambda m, sd, prefix, meta: OrderedDict((k.upper(), v) for k, v in sd.items()))
    out = [list(m.state_dict()), seen]
    bad = torch.nn.ReLU()
    bad.register_state_dict_post_hook(lambda *a: {})
    return out, error(bad.state_dict), error(torch.nn.ReLU()._register_state_dict_hook, add)


@case
def load_hooks(torch):
    m = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())
    seen = []

    def rename(module, sd, prefix, meta, strict, missing, unexpected, errors):
        seen.append((type(module).__name__, prefix, strict, dict(meta)))
        if prefix + "w" in sd:
            sd[prefix + "weight"] = sd.pop(prefix + "w")

    m[0].register_load_state_dict_pre_hook(rename)
    m[0]._register_load_state_dict_pre_hook(lambda *a: seen.append(len(a)))
    m[0]._register_load_state_dict_pre_hook(lambda *a: seen.append((len(a), a[0] is m[0])), with_module=True)
    m.register_load_state_dict_post_hook(lambda mod, keys: seen.append((type(mod).__name__, repr(keys))))
    m[1].register_load_state_dict_post_hook(lambda mod, keys: keys.unexpected_keys.clear())
    given = {"0.w": torch.ones(1, 1), "0.bias": torch.ones(1), "extra": torch.ones(1)}
    out = [repr(m.load_state_dict(given)), list(given), m[0].weight]
    bad = torch.nn.ReLU()
    bad.register_load_state_dict_post_hook(lambda mod, keys: keys)
    return out, seen, error(bad.load_state_dict, {})


@case
def loading(torch):
    a, b = block(torch), block(torch)
    with torch.no_grad():
        for p in a.parameters():
            p.mul_(2)
    sd = a.state_dict()
    out = [repr(b.load_state_dict(sd)), b.state_dict(), b.load_state_dict(dict(sd)) == ([], [])]
    short = {k: v for k, v in sd.items() if k not in ("scale", "inner.1.running_var")} | {
        "new": 1,
        "inner.x.y": 2,
        "first.z": 3,
    }
    found = b.load_state_dict(short, strict=False)
    out += [repr(found), found.missing_keys, found.unexpected_keys]
    out.append(error(b.load_state_dict, short))
    bad = dict(sd, scale=torch.ones(4), steps=torch.ones(2, 1))
    bad["inner.0.weight"] = "text"
    out.append(error(b.load_state_dict, bad))
    out.append(error(b.load_state_dict, dict(short, steps=torch.ones(5))))
    out.append(error(b.load_state_dict, dict(bad), strict=False))
    out.append(error(b.load_state_dict, [1]))
    out.append(error(b.load_state_dict, None))
    return out


@case
def loading_by_assignment(torch):
    a, b = block(torch), block(torch)
    sd = {k: v.double() for k, v in a.state_dict().items()}
    sd["scale"] = torch.nn.Parameter(torch.ones(3, dtype=torch.float64), requires_grad=False)
    before = b.first.weight
    b.load_state_dict(sd, assign=True)
    c = block(torch)
    c.load_state_dict(sd)
    return [
        b.first.weight is before, str(b.first.weight.dtype), b.first.weight.requires_grad, b.scale is sd["scale"],
        b.scale.requires_grad, b.steps is sd["steps"], str(c.first.weight.dtype), type(b.first.weight).__name__,
        error(b.load_state_dict, dict(sd, scale=torch.ones(9)), assign=True),
        error(b.load_state_dict, dict(sd, steps=torch.nn.Parameter(torch.ones(2))), assign=True),
    ]  # fmt: skip


@case
def loading_converts(torch):
    m = torch.nn.BatchNorm1d(2)
    m.load_state_dict({"weight": torch.ones(2, dtype=torch.float64), "bias": torch.tensor([1, 2]),
                       "running_mean": torch.zeros(2), "running_var": torch.ones(2),
                       "num_batches_tracked": torch.tensor([7])})  # fmt: skip
    old = torch.nn.BatchNorm1d(2)
    sd = OrderedDict((k, v) for k, v in old.state_dict().items() if k != "num_batches_tracked")
    return m.state_dict(), repr(old.load_state_dict(sd)), error(m.load_state_dict, {"weight": torch.ones(2)})


@case
def extra_state(torch):
    class M(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.ones(1))
            self.note = {"a": 1}

        def get_extra_state(self):
            return self.note

        def set_extra_state(self, state):
            self.note = state

    a, b = torch.nn.Sequential(M()), torch.nn.Sequential(M())
    a[0].note = {"b": 2}
    sd = a.state_dict()
    b.load_state_dict(sd)
    del sd["0._extra_state"]
    return [list(a.state_dict()), b[0].note, error(b.load_state_dict, sd),
            error(torch.nn.Sequential(torch.nn.Linear(1, 1)).load_state_dict, a.state_dict())]  # fmt: skip


@case
def versions(torch):
    class M(torch.nn.Module):
        _version = 7

        def _load_from_state_dict(self, sd, prefix, meta, *rest):
            self.seen = meta.get("version")
            super()._load_from_state_dict(sd, prefix, meta, *rest)

    a, b = torch.nn.Sequential(M()), torch.nn.Sequential(M())
    sd = a.state_dict()
    b.load_state_dict(sd)
    first = b[0].seen
    b.load_state_dict(dict(sd))
    return first, b[0].seen, {k: dict(v) for k, v in sd._metadata.items()}


@case
def custom_save_and_load(torch):
    class M(torch.nn.Linear):
        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "twice"] = self.weight.detach() * 2

        def _load_from_state_dict(self, sd, prefix, meta, strict, missing, unexpected, errors):
            sd.pop(prefix + "twice")
            errors.append("noted")
            super()._load_from_state_dict(sd, prefix, meta, strict, missing, unexpected, errors)

    m = torch.nn.ModuleList([M(1, 1)])
    return list(m.state_dict()), error(m.load_state_dict, m.state_dict())


# -- conversions ------------------------------------------------------------------------------------------------------


@case
def conversions(torch):
    out = []
    for change in (
        lambda m: m.to(torch.float64),
        lambda m: m.to("cpu"),
        lambda m: m.to("cpu", torch.float16),
        lambda m: m.to(torch.device("cpu"), dtype=torch.bfloat16, non_blocking=True),
        lambda m: m.to(torch.ones(1, dtype=torch.float64)),
        lambda m: m.to(device="cpu"),
        lambda m: m.to(dtype=torch.half),
        lambda m: m.to(memory_format=torch.channels_last),
        lambda m: m.to(torch.complex64),
        lambda m: m.double(),
        lambda m: m.half(),
        lambda m: m.bfloat16(),
        lambda m: m.half().float(),
        lambda m: m.type(torch.float64),
        lambda m: m.type("torch.DoubleTensor"),
        lambda m: m.type(torch.int32),
        lambda m: m.cpu(),
        lambda m: m.share_memory(),
    ):
        m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        weight = m[0].weight
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out.append(error(lambda m=m, change=change: change(m) is m))
        out.append([str(t.dtype) for t in m.state_dict().values()] + [m[0].weight is weight, weight.requires_grad])
    return out


@case
def conversions_refused(torch):
    m = torch.nn.Linear(2, 2)
    refused = [error(m.to, torch.int64), error(m.to, dtype=torch.bool), error(m.to, "nowhere"), error(m.to_empty)]
    return refused, error(m.to_empty, device="cpu")


@case
def gradients_follow_conversions(torch):
    m = torch.nn.Linear(2, 1)
    m(torch.ones(1, 2)).sum().backward()
    optimizer_sees = m.weight
    m.double()
    m(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
    return m.weight.grad, m.weight is optimizer_sees, str(m.bias.grad.dtype)


@case
def to_empty_keeps_shapes(torch):
    m = torch.nn.BatchNorm1d(3).to_empty(device="cpu")
    return [(k, v.shape == (3,), str(v.dtype)) for k, v in m.state_dict().items()], m.weight.requires_grad


@case
def apply_visits_children_first(torch):
    m, seen = block(torch), []
    same = m.apply(lambda mod: seen.append(type(mod).__name__)) is m

    @torch.no_grad()
    def fill(mod):
        if type(mod) is torch.nn.Linear:
            mod.weight.fill_(1.0)

    return same, seen, m.apply(fill).first.weight


@case
def train_and_eval(torch):
    m = block(torch)
    out = [m.eval() is m, [x.training for x in m.modules()], m.train() is m, m.inner.eval().training, m.training]
    out.append([x.training for x in m.modules()])
    return [*out, error(m.train, 1), error(m.train, "yes"), m.train(False).inner.training]


@case
def requires_grad_and_zero_grad(torch):
    m = block(torch)
    m(torch.ones(4, 3)).sum().backward()
    out = [[p.grad is not None for p in m.parameters()]]
    m.zero_grad(set_to_none=False)
    out += [[p.grad for p in m.parameters()]]
    m.zero_grad()
    out += [[p.grad for p in m.parameters()], m.requires_grad_(False) is m, [p.requires_grad for p in m.parameters()]]
    m.inner.requires_grad_()
    return [*out, [p.requires_grad for p in m.parameters()], m(torch.ones(4, 3)).requires_grad]


@case
def hooks_returning_tuples(torch):
    m = torch.nn.LSTM(1, 1)
    m.register_forward_hook(lambda m, a, out: (out[0], "state"))
    y, s = m(torch.ones(2, 1))
    return y.shape == (2, 1), s


@case
def uninitialised_tensors_have_no_value(torch):
    nn = torch.nn
    out = []
    for make in (nn.parameter.UninitializedParameter, nn.parameter.UninitializedBuffer):
        for use in (lambda x: x + 1, lambda x: x.mean(), lambda x: x.numel(), torch.relu, torch.ones_like, len, bool):
            out.append(error(use, make())[1].split(" in ")[0])
        out += [str(make()), make(dtype=torch.float64).dtype, make().requires_grad, make().is_leaf]
    layers = [nn.LazyLinear(3), nn.LazyConv1d(2, 3), nn.LazyBatchNorm2d()]
    out += [[p.dtype for p in m.double().parameters()] for m in layers]
    first, second = nn.LazyLinear(3), nn.LazyLinear(3)
    out += [second.load_state_dict(first.state_dict()), second.has_uninitialized_params()]
    out += [second.double()(torch.ones(2, 4, dtype=torch.float64)).dtype, first.load_state_dict(second.state_dict())]
    return [repr(v) for v in (*out, first.weight.shape, first.weight.requires_grad, first.weight.grad)]


@pytest.mark.parametrize("name", case)
def test_program(name):
    case.check(name)
