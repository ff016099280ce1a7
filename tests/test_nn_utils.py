"""`torch.nn.utils`, `nn.parallel` and `nn.attention`: each program runs under both libraries, results must agree."""

import copy
import pickle
import warnings

import pytest
import torch.func
import torch.nn.utils.prune
import torch.nn.utils.stateless  # noqa: F401
from module_programs import Programs, error, names

case = Programs()


def layer(torch, kind="Linear", *args, **kwargs):
    torch.manual_seed(0)
    return getattr(torch.nn, kind)(*(args or (4, 3)), **kwargs)


def state(m):
    return {k: v for k, v in m.state_dict().items()}


def step(m, x):
    """Output, gradients and state after a forward and a backward pass."""
    y = m(x)
    y.square().sum().backward()
    return y, [(n, p.grad) for n, p in m.named_parameters()], state(m)


# -- parametrize ------------------------------------------------------------------------------------------------------


def symmetric(torch, inverse=False):
    class Symmetric(torch.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

    if inverse:
        Symmetric.right_inverse = lambda self, a: a.triu()
    return Symmetric()


@case
def registering_a_parametrization(torch):
    p = torch.nn.utils.parametrize
    m = layer(torch, "Linear", 3, 3)
    original = m.weight
    same = p.register_parametrization(m, "weight", symmetric(torch)) is m
    p.register_parametrization(m, "bias", torch.nn.Tanh())
    out = [same, repr(m), type(m).__name__, m.parametrizations.weight.original is original, m.weight, m.bias]
    out += [
        p.is_parametrized(m),
        p.is_parametrized(m, "weight"),
        p.is_parametrized(m, "x"),
        p.is_parametrized(layer(torch)),
    ]
    out += [names(m.named_parameters()), p.type_before_parametrizations(m).__name__, step(m, torch.ones(2, 3))]
    p.register_parametrization(m, "weight", torch.nn.Sigmoid())
    out += [m.weight, repr(m.parametrizations), error(pickle.dumps, m)]
    c = copy.deepcopy(m)
    with torch.no_grad():
        c.parametrizations.weight.original.zero_()
    out += [c.weight, m.weight, type(c).__name__]
    p.remove_parametrizations(m, "weight")
    p.remove_parametrizations(m, "bias", leave_parametrized=False)
    return [*out, repr(m), type(m).__name__, m.weight, m.bias, m.weight is original, names(m.named_parameters())]


@case
def assigning_to_a_parametrized_tensor(torch):
    p = torch.nn.utils.parametrize
    m = layer(torch, "Linear", 3, 3)
    p.register_parametrization(m, "weight", symmetric(torch, inverse=True))
    m.weight = torch.ones(3, 3)
    out = [m.weight, m.parametrizations.weight.original]
    p.register_parametrization(m, "bias", torch.nn.Tanh())
    out.append(error(setattr, m, "bias", torch.ones(3)))
    out.append(error(setattr, m, "weight", torch.ones(3, 3, dtype=torch.float64)))
    return out


@case
def parametrizing_by_several_tensors(torch):
    p = torch.nn.utils.parametrize

    class Product(torch.nn.Module):
        def forward(self, a, b):
            return a @ b

        def right_inverse(self, w):
            return w[:, :2].clone(), torch.eye(2, 4)

    m = layer(torch)
    p.register_parametrization(m, "weight", Product())
    out = [names(m.named_parameters()), m.weight, step(m, torch.ones(1, 4))]
    out.append(error(p.remove_parametrizations, m, "weight", leave_parametrized=False))
    p.remove_parametrizations(m, "weight")
    return [*out, type(m.weight).__name__, m.weight]


@case
def caching(torch):
    p = torch.nn.utils.parametrize
    m = layer(torch, "Linear", 3, 3)
    p.register_parametrization(m, "weight", symmetric(torch))
    with p.cached():
        first = m.weight is m.weight
        with p.cached():
            second = m.weight is m.weight
    return first, second, m.weight is m.weight


@case
def parametrizations_refused(torch):
    p, nn = torch.nn.utils.parametrize, torch.nn

    def by(function, inverse=None):
        class By(nn.Module):
            def forward(self, x):
                return function(x)

        if inverse:
            By.right_inverse = lambda self, x: inverse(x)
        return By()

    def tried(*parametrizations, **kwargs):
        m = layer(torch)
        for which in parametrizations[:-1]:
            p.register_parametrization(m, "weight", which)
        return error(
            lambda: (p.register_parametrization(m, "weight", parametrizations[-1], **kwargs), m.weight.shape)[1]
        )

    return [
        error(p.register_parametrization, layer(torch), "nothing", nn.Tanh()),
        error(p.remove_parametrizations, layer(torch), "weight"),
        tried(by(lambda x: x[0])),
        tried(by(lambda x: x[0]), unsafe=True),
        tried(by(lambda x: x.double())),
        tried(by(lambda x: 3)),
        tried(by(lambda x: x, lambda x: 3)),
        tried(by(lambda x: x, lambda x: [3])),
        tried(by(lambda x: x, lambda x: x.double())),
        tried(nn.Tanh(), by(lambda x: x[0])),
        tried(nn.Tanh(), by(lambda x: x.double())),
        tried(nn.Tanh(), by(lambda x: 3)),
        tried(nn.Tanh(), by(lambda x: x, lambda x: 3)),
        tried(nn.Tanh(), by(lambda x: x, lambda x: x[0])),
        error(p.ParametrizationList, [], torch.ones(1)),
    ]


@case
def transferring_parametrizations(torch):
    p = torch.nn.utils.parametrize
    a, b = layer(torch, "Linear", 3, 3), torch.nn.Linear(3, 3)
    p.register_parametrization(a, "weight", symmetric(torch))
    p.transfer_parametrizations_and_params(a, b)
    return a.weight, b.weight, repr(b)


@case
def weight_norm_parametrization(torch):
    out = []
    for kind, args, dim in (("Linear", (4, 3), 0), ("Linear", (4, 3), None), ("Linear", (4, 3), 1), ("Conv1d", (2, 3, 2), 0),
                            ("Conv1d", (2, 3, 2), 1)):  # fmt: skip
        m = torch.nn.utils.parametrizations.weight_norm(layer(torch, kind, *args), dim=dim)
        out.append([m.weight, step(m, torch.ones(1, 2, 4) if kind == "Conv1d" else torch.ones(1, 4)), repr(m)])
    m.weight = m.weight.detach() * 2
    old = {k.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v"): v
           for k, v in m.state_dict().items()}  # fmt: skip
    return [
        *out,
        m.weight,
        repr(m.load_state_dict(old)),
        state(torch.nn.utils.parametrize.remove_parametrizations(m, "weight")),
    ]


@case
def spectral_norm_parametrization(torch):
    make, out = torch.nn.utils.parametrizations.spectral_norm, []
    for kind, args in (("Linear", (4, 3)), ("Conv2d", (2, 3, 2)), ("ConvTranspose2d", (2, 3, 2))):
        m = make(layer(torch, kind, *args))
        x = torch.ones(1, 4) if kind == "Linear" else torch.ones(1, 2, 3, 3)
        out += [state(m), step(m, x), m.eval()(x), m.weight, repr(m)]
    m = make(layer(torch, "LayerNorm", 3), "bias")
    out += [m.bias, list(m.state_dict())]
    return [*out, error(make, layer(torch), "nothing"), error(make, layer(torch), n_power_iterations=0),
            error(make, layer(torch), dim=5), make(layer(torch), n_power_iterations=3, dim=1).weight]  # fmt: skip


@case
def orthogonal_parametrization(torch):
    make, out = torch.nn.utils.parametrizations.orthogonal, []
    for shape, how, trivial in (
        ((3, 3), None, True), ((3, 3), "cayley", True), ((3, 3), "householder", False), ((3, 3), "matrix_exp", False),
        ((4, 2), None, True), ((4, 2), "matrix_exp", True), ((2, 4), "cayley", False), ((2, 4), "householder", False),
        ((4, 2), "householder", False),
    ):  # fmt: skip
        m = make(layer(torch, "Linear", *shape), orthogonal_map=how, use_trivialization=trivial)
        q = m.weight
        gram = (q @ q.mT if q.shape[0] <= q.shape[1] else q.mT @ q).round(decimals=4) + 0.0
        out.append([shape, how, gram, error(setattr, m, "weight", torch.eye(*m.weight.shape)), m.weight + 0.0])
    return [*out, error(make, layer(torch), "bias"), error(make, layer(torch), orthogonal_map="x"),
            error(make, layer(torch), "nothing"), error(setattr, m, "weight", torch.ones(1, 1))]  # fmt: skip


# -- hooks of old -----------------------------------------------------------------------------------------------------


def quietly(f, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f(*args, **kwargs)


@case
def weight_norm_hook(torch):
    u, out = torch.nn.utils, []
    for kind, args, dim in (("Linear", (4, 3), 0), ("Linear", (4, 3), None), ("Conv1d", (2, 3, 2), 1)):
        m = quietly(u.weight_norm, layer(torch, kind, *args), dim=dim)
        out += [
            step(m, torch.ones(1, 2, 4) if kind == "Conv1d" else torch.ones(1, 4)),
            repr(m),
            names(m.named_parameters()),
        ]
        out.append(error(quietly, u.weight_norm, m))
        out += [state(u.remove_weight_norm(m)), type(m.weight).__name__, error(u.remove_weight_norm, m)]
    out.append(error(quietly, u.weight_norm, torch.nn.LazyLinear(3)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        u.weight_norm(layer(torch))
    return out, [(w.category.__name__, str(w.message)) for w in caught]


@case
def spectral_norm_hook(torch):
    u, out = torch.nn.utils, []
    for kind, args in (("Linear", (4, 3)), ("ConvTranspose1d", (2, 3, 2))):
        m = u.spectral_norm(layer(torch, kind, *args))
        x = torch.ones(1, 2, 3) if kind == "ConvTranspose1d" else torch.ones(1, 4)
        out += [state(m), step(m, x), m.eval()(x), repr(m), names(m.named_buffers())]
        out.append([(k, dict(v)) for k, v in m.state_dict()._metadata.items()])
        out.append(error(u.spectral_norm, m, "weight_orig"))
        out.append(error(u.spectral_norm, m))
        fresh = u.spectral_norm(layer(torch, kind, *args))
        out += [repr(fresh.load_state_dict(m.state_dict())), state(fresh)]
        out += [state(u.remove_spectral_norm(m)), error(u.remove_spectral_norm, m), list(m._load_state_dict_pre_hooks)]
    return [*out, error(u.spectral_norm, torch.nn.LazyLinear(3)), error(u.spectral_norm, layer(torch, bias=False), "bias"),
            error(u.spectral_norm, layer(torch), n_power_iterations=-1)]  # fmt: skip


# -- pruning ----------------------------------------------------------------------------------------------------------


@case
def pruning(torch):
    p, out = torch.nn.utils.prune, []
    for prune in (
        lambda m: p.identity(m, "weight"),
        lambda m: p.random_unstructured(m, "weight", 0.5),
        lambda m: p.l1_unstructured(m, "weight", 4),
        lambda m: p.l1_unstructured(m, "weight", 0.25, importance_scores=torch.arange(12.0).view(3, 4)),
        lambda m: p.random_structured(m, "weight", 1, 0),
        lambda m: p.ln_structured(m, "weight", 0.5, 2, 1),
        lambda m: p.ln_structured(m, "weight", 1, 1, dim=0),
        lambda m: p.ln_structured(m, "weight", 1, float("inf"), dim=-1),
        lambda m: p.custom_from_mask(m, "weight", torch.eye(3, 4)),
    ):
        m = layer(torch)
        prune(m)
        out += [step(m, torch.ones(2, 4)), m.weight, names(m.named_parameters()), p.is_pruned(m)]
        p.l1_unstructured(m, "weight", 2)
        out += [m.weight, state(m), len(m._forward_pre_hooks), type(next(iter(m._forward_pre_hooks.values()))).__name__]
        p.remove(m, "weight")
        out += [state(m), p.is_pruned(m), names(m.named_parameters())]
    return out


@case
def pruning_globally(torch):
    p = torch.nn.utils.prune
    m = torch.nn.Sequential(layer(torch), layer(torch, "Linear", 3, 4))
    pairs = [(m[0], "weight"), (m[1], "weight"), (m[1], "bias")]
    p.global_unstructured(pairs, pruning_method=p.L1Unstructured, amount=7)
    first = state(m)
    p.global_unstructured(pairs, pruning_method=p.L1Unstructured, amount=0.2)
    return [first, state(m), copy.deepcopy(m.state_dict()), error(p.global_unstructured, 3, p.L1Unstructured, amount=1),
            error(p.global_unstructured, pairs, p.LnStructured, amount=1, n=1, dim=0),
            error(p.global_unstructured, pairs, p.L1Unstructured, [1], amount=1)]  # fmt: skip


@case
def pruning_refused(torch):
    p = torch.nn.utils.prune
    m = layer(torch)
    return [
        error(p.l1_unstructured, m, "weight", -1), error(p.l1_unstructured, m, "weight", 1.5),
        error(p.l1_unstructured, m, "weight", "x"), error(p.l1_unstructured, m, "weight", 100), names(m.named_parameters()),
        error(p.random_structured, m, "bias", 1, 0), error(p.random_structured, m, "weight", 1, 5),
        error(p.ln_structured, m, "nothing", 1, 1, 0), error(p.remove, m, "weight"),
        error(p.l1_unstructured, m, "weight", 1, importance_scores=torch.ones(2)),
        error(p.BasePruningMethod), error(p.L1Unstructured(2).prune, torch.tensor([3.0, -1.0, 2.0])),
        len(p.PruningContainer(p.L1Unstructured.apply(m, "weight", 1))), error(p.PruningContainer().add_pruning_method, 3),
    ]  # fmt: skip


@case
def pruning_by_ones_own_method(torch):
    p = torch.nn.utils.prune

    class EveryOther(p.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    m = layer(torch)
    EveryOther.apply(m, "weight")
    return m.weight, step(m, torch.ones(1, 4))


# -- calls, fusion and the rest ---------------------------------------------------------------------------------------


@case
def functional_calls(torch):
    m = torch.nn.Sequential(layer(torch), torch.nn.BatchNorm1d(3))
    call, x = torch.func.functional_call, torch.arange(8.0).view(2, 4)
    w = torch.ones(3, 4, requires_grad=True)
    y = call(m, {"0.weight": w}, x)
    y.square().sum().backward()
    out = [y, w.grad, m[0].weight.grad, [b for b in m.buffers()]]
    buffers = {k: v.clone() for k, v in m.named_buffers()}
    out += [call(m, buffers, (x,)), buffers, state(m), call(m, [{"0.weight": w}, buffers], (x,))]
    tied = torch.nn.Sequential(layer(torch, "Linear", 4, 4), torch.nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    ones = torch.ones(4, 4)
    out += [
        call(tied, {"1.weight": ones}, x),
        call(tied, {"1.weight": ones}, x, tie_weights=False),
        tied[1].weight is tied[0].weight,
    ]
    for given, options in (
        ({"nothing": x}, {}), ({"9.weight": x}, {}), ({"0.weight": 3}, {}), (3, {}), ([{"0.weight": x}] * 2, {}),
        ({"0": x}, {}), ([{}, 3], {}), ({"0.weight": ones, "zz": x}, {"strict": True}), ({"0.weight": ones[:3]}, {"strict": True}),
    ):  # fmt: skip
        out.append(error(lambda given=given, options=options: call(m, given, x, **options).shape))
    out.append(error(call, tied, {"0.weight": ones, "1.weight": x}, x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out.append(torch.nn.utils.stateless.functional_call(m, {}, x))
    return out, [str(w.message) for w in caught]


@case
def fusing(torch):
    u, out = torch.nn.utils, []
    for kind, args, x in (
        ("Conv2d", (2, 3, 2), (1, 2, 4, 4)),
        ("ConvTranspose2d", (2, 3, 2), (1, 2, 4, 4)),
        ("Linear", (4, 3), (2, 4)),
    ):
        for bias in (True, False):
            bn = (torch.nn.BatchNorm1d if kind == "Linear" else torch.nn.BatchNorm2d)(3)
            m = torch.nn.Sequential(layer(torch, kind, *args, bias=bias), bn)
            x_ = torch.randn(x)
            m(x_)
            m.eval()
            with torch.no_grad():
                bn.weight.mul_(2), bn.bias.add_(1)
            fused = u.fuse_linear_bn_eval(*m) if kind == "Linear" else u.fuse_conv_bn_eval(*m, transpose="T" in kind)
            out += [fused(x_), m(x_), repr(fused), [p.requires_grad for p in fused.parameters()]]
    conv, bn = layer(torch, "Conv2d", 2, 3, 2), torch.nn.BatchNorm2d(3, track_running_stats=False)
    return [*out, error(u.fuse_conv_bn_eval, conv, bn), error(u.fuse_conv_bn_eval, conv.eval(), bn.eval()),
            error(u.fuse_linear_bn_eval, layer(torch).eval(), torch.nn.BatchNorm1d(7).eval())]  # fmt: skip


@case
def skipping_initialisation(torch):
    u = torch.nn.utils
    torch.manual_seed(3)
    m = u.skip_init(torch.nn.Linear, 3, 2, bias=False)
    return m.weight.shape == (2, 3), repr(m), torch.rand(2), error(u.skip_init, torch.nn.ReLU), error(u.skip_init, int)


@case
def memory_formats(torch):
    m = torch.nn.Sequential(layer(torch, "Conv2d", 2, 3, 2), layer(torch, "Conv3d", 2, 3, 2))
    weight = m[0].weight
    u = torch.nn.utils
    u.convert_conv2d_weight_memory_format(m, torch.channels_last)
    u.convert_conv3d_weight_memory_format(m, torch.channels_last_3d)
    return weight is m[0].weight, state(m), m[0](torch.ones(1, 2, 3, 3))


@case
def vectors(torch):
    u, m = torch.nn.utils, layer(torch)
    v = u.parameters_to_vector(m.parameters())
    u.vector_to_parameters(v.detach() * 2, m.parameters())
    return v, state(m), error(u.vector_to_parameters, [1], m.parameters())


@case
def data_parallel(torch):
    m = torch.nn.DataParallel(layer(torch))
    x = torch.ones(2, 4)
    return m(x), list(m.state_dict()), repr(m)


@case
def attention_backends_and_biases(torch):
    import importlib

    attention = importlib.import_module(f"{torch.__name__}.nn.attention")
    bias = importlib.import_module(f"{torch.__name__}.nn.attention.bias")
    torch.manual_seed(0)
    q, k = torch.randn(1, 2, 2, 4), torch.randn(1, 2, 3, 4)
    sdpa = torch.nn.functional.scaled_dot_product_attention
    out = []
    with attention.sdpa_kernel(attention.SDPBackend.MATH):
        out.append(sdpa(q, k, k))
    with attention.sdpa_kernel([attention.SDPBackend.MATH, attention.SDPBackend.FLASH_ATTENTION], set_priority=True):
        out.append(sdpa(q, k, k))
    for mask in (bias.causal_lower_right(2, 3), bias.causal_upper_left(2, 3)):
        out += [sdpa(q, k, k, attn_mask=mask), repr(mask)]
    return [
        *out,
        error(attention.sdpa_kernel(3).__enter__),
        repr(attention.SDPBackend.MATH),
        int(attention.SDPBackend.ERROR),
    ]


@case
def flexible_attention(torch):
    import importlib

    flex = importlib.import_module(f"{torch.__name__}.nn.attention.flex_attention")
    torch.manual_seed(0)
    q = torch.randn(2, 2, 5, 4, requires_grad=torch.__name__ == "funcgrad")
    k, slopes = torch.randn(2, 2, 5, 4), torch.tensor([0.5, 0.25])
    groups = torch.tensor([0, 0, 1, 1, 1])
    call = quietly
    out = [call(flex.flex_attention, q, k, k).detach(), call(flex.flex_attention, q, k, k, scale=0.3).detach()]
    out.append(call(flex.flex_attention, q, k, k, lambda s, b, h, i, j: s - slopes[h] * (i - j).abs()).detach())
    out.append(call(flex.flex_attention, q, k, k, lambda s, b, h, i, j: torch.where(i >= j, s, -float("inf"))).detach())
    mods = (lambda b, h, i, j: i >= j), (lambda b, h, i, j: groups[i] == groups[j])
    for mod in (*mods, flex.and_masks(*mods), flex.or_masks(*mods), flex.noop_mask):
        mask = flex.create_block_mask(mod, None, None, 5, 5, device="cpu", BLOCK_SIZE=2)
        out += [call(flex.flex_attention, q, k, k, block_mask=mask).detach(), mask.to_dense(), mask.shape]
        out.append(flex.create_mask(mod, 1, None, 5, 5, device="cpu"))
    y, lse = call(flex.flex_attention, q[:, :, :2], k[:, :1], k[:, :1], enable_gqa=True, return_lse=True)
    return [*out, y.detach(), lse.detach(), error(flex.flex_attention, q, k[:, :1], k[:, :1])]


@pytest.mark.parametrize("name", case)
def test_program(name):
    case.check(name)


def test_distributed_data_parallel_says_what_to_use():
    import funcgrad

    with pytest.raises(NotImplementedError, match=r"jax\.sharding"):
        funcgrad.nn.parallel.DistributedDataParallel(funcgrad.nn.Linear(1, 1))
