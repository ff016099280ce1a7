"""Registration, listing, printing and copying of `torch.nn.Module`, from its documentation: each program runs under both libraries, results must agree."""

import contextlib
import copy
import io
import pickle
import warnings
from collections import OrderedDict

import pytest
from module_programs import Programs, block, error, names

case = Programs()


# -- registration -----------------------------------------------------------------------------------------------------


@case
def attributes_are_registered_and_deleted(torch):
    m = block(torch)
    seen = [list(m._parameters), list(m._buffers), list(m._modules), sorted(m._non_persistent_buffers_set)]
    del m.cache, m.missing, m.second
    m.plain = 3
    seen.append(m.plain)
    del m.plain
    seen += [hasattr(m, n) for n in ("cache", "missing", "second", "plain", "first")]
    m.steps = None
    m.first = None
    m.scale = None
    seen += [list(m.state_dict()), list(m._parameters), list(m._buffers), list(m._modules)]
    m.steps = torch.ones(1)
    m.first = torch.nn.ReLU()
    m.scale = torch.nn.Parameter(torch.ones(1))
    return [*seen, list(m.state_dict()), repr(m)]


@case
def an_attribute_changes_its_kind(torch):
    m, nn = torch.nn.Module(), torch.nn
    m.a = 1
    m.a = nn.Parameter(torch.ones(1))
    seen = [("a" in m.__dict__), list(m._parameters)]
    seen.append(error(setattr, m, "a", nn.ReLU()))
    m.a = None
    seen += [error(setattr, m, "a", nn.ReLU()), list(m._parameters)]
    m.r = nn.ReLU()
    m.r = nn.Parameter(torch.ones(1))
    seen += [list(m._parameters), list(m._modules)]
    m.register_buffer("s", torch.ones(1))
    m.s = nn.ReLU()
    seen += [list(m._buffers), list(m._modules)]
    m.register_buffer("b", torch.ones(1), persistent=False)
    m.b = nn.Parameter(torch.ones(1))
    seen += [list(m._parameters), list(m._buffers), list(m._non_persistent_buffers_set)]
    m.c = nn.Buffer(torch.ones(1))
    m.d = nn.Buffer(torch.ones(1), persistent=False)
    seen += [list(m._buffers), list(m.state_dict())]
    m.c = nn.Buffer(torch.zeros(2), persistent=False)
    seen += [list(m.state_dict()), m.c.shape == (2,)]
    m.d = torch.zeros(3)
    m.t = torch.zeros(3)
    return [*seen, list(m._buffers), list(m.state_dict()), "t" in m.__dict__]


@case
def assignments_that_are_refused(torch):
    nn = torch.nn
    m = nn.Module()
    m.p, m.child = nn.Parameter(torch.ones(1)), nn.ReLU()
    m.register_buffer("b", torch.ones(1))
    m.ordinary = 1
    return [
        error(setattr, m, "p", torch.ones(1)),
        error(setattr, m, "p", 3),
        error(setattr, m, "child", torch.ones(1)),
        error(setattr, m, "child", "text"),
        error(setattr, m, "b", [1]),
        error(setattr, m, "b", nn),
        error(setattr, m, "x.y", nn.Parameter(torch.ones(1))),
        error(setattr, m, "", nn.Parameter(torch.ones(1))),
        error(m.register_buffer, "x.y", None),
        error(m.register_buffer, "", None),
        error(m.register_buffer, 3, None),
        error(m.register_buffer, "ordinary", None),
        error(m.register_buffer, "p", None),
        error(m.register_buffer, "n", 3),
        error(m.register_buffer, "b", torch.zeros(1)),
        error(m.register_parameter, "x.y", None),
        error(m.register_parameter, "", None),
        error(m.register_parameter, None, None),
        error(m.register_parameter, "ordinary", None),
        error(m.register_parameter, "b", None),
        error(m.register_parameter, "n", torch.ones(1)),
        error(m.register_parameter, "n", 4),
        error(m.register_parameter, "n", nn.Parameter(torch.ones(1)) * 2),
        error(m.add_module, "x.y", None),
        error(m.add_module, "", None),
        error(m.add_module, 1, None),
        error(m.add_module, "ordinary", None),
        error(m.add_module, "n", torch.ones(1)),
        error(m.add_module, "n", nn.ReLU),
        error(m.register_module, "forward", nn.ReLU()),
        error(getattr, m, "nothing"),
        error(delattr, m, "nothing"),
        error(getattr, nn.Linear(1, 1), "wieght"),
        error(nn.Module, 3),
        error(nn.Module, a=3),
        error(m),
        error(m, 1, 2),
    ]


@case
def before_init(torch):
    nn = torch.nn

    def early(action):
        class Early(nn.Module):
            def __init__(self):
                action(self)
                super().__init__()

        return error(Early)

    return [
        early(lambda m: setattr(m, "p", nn.Parameter(torch.ones(1)))),
        early(lambda m: setattr(m, "p", nn.Buffer(torch.ones(1)))),
        early(lambda m: setattr(m, "p", nn.ReLU())),
        early(lambda m: m.register_buffer("b", torch.ones(1))),
        early(lambda m: m.register_parameter("b", None)),
        early(lambda m: m.training),
        early(lambda m: setattr(m, "ordinary", 1)).__class__.__name__,
    ]


@case
def registration_hooks_for_all_modules(torch):
    nn, module = torch.nn, torch.nn.modules.module
    seen, handles = [], []
    for kind in ("module", "parameter", "buffer"):

        def note(m, name, thing, kind=kind):
            seen.append((kind, type(m).__name__, name))
            return nn.Tanh() if type(thing) is nn.ReLU else None

        handles.append(getattr(module, f"register_module_{kind}_registration_hook")(note))
    m = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    m.extra = nn.ReLU()
    m.register_buffer("b", torch.ones(1))
    m.b = torch.zeros(1)
    for h in handles:
        h.remove()
    m.late = nn.ReLU()
    return seen, repr(m)


@case
def super_init_chains_when_asked(torch):
    class Mixin:
        def __init__(self, a, b=2):
            self.got = (a, b)

    class M(torch.nn.Module, Mixin):
        call_super_init = True

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    return M(1, b=5).got


@case
def custom_dir_and_names(torch):
    m = torch.nn.Sequential(torch.nn.Linear(1, 1))
    m.named = torch.nn.ReLU()
    names = dir(m)
    return "named" in names, "0" in names, "training" in names, names == sorted(names), m._get_name()


# -- finding ----------------------------------------------------------------------------------------------------------


@case
def listings(torch):
    m = block(torch)
    out = []
    for recurse in (True, False):
        for unique in (True, False):
            for prefix in ("", "p"):
                out.append(names(m.named_parameters(prefix, recurse, unique)))
                out.append(names(m.named_buffers(prefix=prefix, recurse=recurse, remove_duplicate=unique)))
    out.append(names(m.named_modules()))
    out.append(names(m.named_modules(prefix="p", remove_duplicate=False)))
    out.append(names(m.named_modules(memo={m.inner})))
    out += [names(m.named_children()), len(list(m.children())), len(list(m.modules()))]
    return [
        *out,
        len(list(m.parameters())),
        len(list(m.parameters(recurse=False))),
        len(list(m.buffers(recurse=False))),
    ]


@case
def tied_weights(torch):
    nn = torch.nn
    torch.manual_seed(1)
    m = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    m[1].weight = m[0].weight
    m(torch.tensor([1, 2])).sum().backward()
    sd = m.state_dict()
    other = copy.deepcopy(m)
    return [names(m.named_parameters()), names(m.named_parameters(remove_duplicate=False)), list(sd), m[0].weight.grad,
            other[0].weight is other[1].weight, pickle.loads(pickle.dumps(m))[1].weight.shape == (5, 3)]  # fmt: skip


@case
def paths(torch):
    m = block(torch)
    nn = torch.nn
    m.number = 3
    return [
        repr(m.get_submodule("inner.0")),
        m.get_submodule("") is m,
        error(m.get_submodule, "inner.7"),
        error(m.get_submodule, "number"),
        error(m.get_submodule, "number.x"),
        error(m.get_submodule, "inner.0.weight"),
        m.get_parameter("inner.0.weight").shape == (2, 3),
        m.get_parameter("scale") is m.scale,
        error(m.get_parameter, "inner.0.nothing"),
        error(m.get_parameter, "steps"),
        error(m.get_parameter, "nothing.weight"),
        m.get_buffer("inner.1.running_mean"),
        error(m.get_buffer, "scale"),
        error(m.get_buffer, "nothing"),
        m.set_submodule("inner.0", nn.Linear(3, 2)),
        repr(m.inner),
        m.set_submodule("added", nn.ReLU()),
        m.set_submodule("inner.added", nn.ReLU()),
        repr(m.inner),
        error(m.set_submodule, "other", nn.ReLU(), strict=True),
        error(m.set_submodule, "a.b.c", nn.ReLU()),
        error(m.set_submodule, "", nn.ReLU()),
        error(m.set_submodule, "number", nn.ReLU()),
        error(m.set_submodule, "inner.0", 3),
        error(m.set_submodule, "inner.0", None),
        error(m.get_extra_state),
        error(m.set_extra_state, 1),
        error(m.get_parameter, ""),
    ]


# -- printing, copying ------------------------------------------------------------------------------------------------


@case
def reprs(torch):
    nn = torch.nn

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.ReLU(), None
            self.add_module("none", None)
            self.m = nn.ModuleDict({"x": nn.Linear(1, 2), "y": nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])})
            self.p = nn.ParameterList([torch.ones(2), 3, "text", torch.ones(1, 2)])
            self.d = nn.ParameterDict({"one": torch.ones(2), "two": torch.ones(2, 3), "n": 4})

        def extra_repr(self):
            return "first\nsecond"

    class One(nn.Module):
        def extra_repr(self):
            return "n=1"

    class Named(nn.Module):
        def _get_name(self):
            return "Other"

    layers = [nn.Sequential(OrderedDict(a=nn.Linear(1, 1), b=nn.Sequential())), nn.ModuleList([nn.Linear(2, 2)] * 5),
              nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3), nn.Linear(2, 3), nn.ReLU()]), nn.ModuleList()]  # fmt: skip
    return [repr(Odd()), repr(One()), repr(Named()), str(nn.Sequential(One(), Named())), *map(repr, layers)]


@case
def copies(torch):
    m = block(torch)
    m.eval()
    m(torch.ones(2, 3)).sum().backward()
    c = copy.deepcopy(m)
    s = copy.copy(m)
    with torch.no_grad():
        c.scale.fill_(9.0)
    return [c.state_dict(), m.scale, c.training, c.first is c.second, c.scale.grad, c.scale.is_leaf, c.scale.requires_grad,
            s.scale is m.scale, s._parameters is m._parameters, type(c.scale).__name__, c._non_persistent_buffers_set]  # fmt: skip


@case
def pickles(torch):
    nn = torch.nn
    torch.manual_seed(0)
    m = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.LSTM(2, 2)).eval()
    m[0].weight.requires_grad_(False)
    back = pickle.loads(pickle.dumps(m))
    f = io.BytesIO()
    torch.save(m, f)
    f.seek(0)
    again = torch.load(f, weights_only=False)
    return [repr(back) == repr(m), back.state_dict(), again.state_dict(), back.training, back[0].weight.requires_grad,
            back[0].bias.requires_grad, type(again[0].weight).__name__, again[3](torch.ones(1, 2))[0]]  # fmt: skip


@case
def setstate_fills_in_what_is_missing(torch):
    m = torch.nn.Linear(1, 1)
    state = {k: v for k, v in m.__dict__.items() if "pre_hook" not in k and k != "_non_persistent_buffers_set"}
    state["_backward_pre_hooks"] = OrderedDict()
    n = torch.nn.Linear.__new__(torch.nn.Linear)
    n.__setstate__(state)
    return n(torch.zeros(1, 1)).shape == (1, 1), sorted(set(m.__dict__) - set(n.__dict__)), repr(n)


@case
def hooks_survive_copies(torch):
    m, seen = torch.nn.Linear(1, 1), []
    m.register_forward_hook(lambda *a: seen.append(1))
    copy.deepcopy(m)(torch.ones(1, 1))
    return seen


@case
def compiled(torch):
    if torch.__name__ == "funcgrad":
        m = torch.nn.Linear(2, 2)
        with torch.no_grad():
            m.weight.fill_(1.0), m.bias.zero_()
        m.compile()
        return m(torch.ones(1, 2))
    return torch.full((1, 2), 2.0).requires_grad_()


@case
def modules_are_hashable_and_ordered(torch):
    a, b = torch.nn.ReLU(), torch.nn.ReLU()
    return len({a, b, a}), a == b, a == a, isinstance(a, torch.nn.Module)


@case
def old_forms(torch):
    m = torch.nn.Linear(1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m.register_backward_hook(lambda m, gi, go: None)
        m(torch.ones(1, 1)).sum().backward()
    return m.dump_patches, m._version, m.weight.grad


@case
def calls_by_keyword(torch):
    m = torch.nn.Linear(2, 2)
    return [m(input=torch.ones(1, 2)).shape == (1, 2), error(m), error(m, torch.ones(1, 2), 3),
            error(m, x=1), error(m, torch.ones(1, 3))]  # fmt: skip


@case
def calling_modules_overriding_call(torch):
    class Twice(torch.nn.ReLU):
        def __call__(self, x):
            return super().__call__(x) * 2

    class Attribute(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.forward = lambda x: x + 1

    return Twice()(torch.ones(1)), Attribute()(torch.ones(1))


@case
def meta_free_helpers(torch):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print(torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU()))
    sd = OrderedDict({"module.a": 1, "module.b.c": 2})
    torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(sd, "module.")
    return out.getvalue(), dict(sd)


@pytest.mark.parametrize("name", case)
def test_program(name):
    case.check(name)
