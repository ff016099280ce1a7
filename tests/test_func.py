"""``torch.func``: every program runs under both libraries."""

import pytest
from parity import both

# PyTorch's own forward mode warns of how it is made.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning"),
]


def vector(t):
    return t.tensor([1.0, 2.0, 3.0])


def matrix(t):
    return t.arange(1.0, 7).reshape(3, 2)


# What follows is written as source, so that a table of programs stays a table: `t` is the library, `F` its torch.func,
# `x` a vector and `X` a matrix.
DIFFERENTIATED = """
F.grad(lambda a:(a**3).sum())(x)
F.grad(lambda x: F.grad(lambda y: (y**3).sin())(x))(t.tensor(2.))
F.grad(F.grad(F.grad(t.sin)))(t.tensor(2.))
F.grad(lambda x: x*F.grad(lambda y: x*y)(t.tensor(1.)))(t.tensor(3.))
F.vjp(lambda a,b:(a*b, {'k':a.sum()}), x, x*2)[1]((x, {'k':t.tensor(2.)}))
F.jvp(lambda a,b:(a*b, {'k':a.sum()}), (x, x*2),(x,x+1))
F.jacrev(lambda a:(a.exp()*a.sum()))(x)
F.jacfwd(lambda a:(a.exp()*a.sum()))(x)
F.hessian(lambda a:(a.exp()*a.sum()).sum())(x)
F.jacrev(F.jacfwd(lambda a:(a.exp()*a.sum()).sum()))(x)
F.linearize(lambda a:(a.exp()*a.sum()).sum(),x)[1](x)
F.grad_and_value(lambda a:((a**2).sum(),{'q':a*2}),has_aux=True)(x)
F.jacrev(lambda a,b:(a*2,{'k':b.sum()*a}),argnums=(0,1))(x,x)
F.jacfwd(lambda a,b:(a*2,{'k':b.sum()*a}),argnums=(0,1))(x,x)
F.jacrev(lambda a:a.exp()*a.sum(),chunk_size=2)(x)
F.grad(lambda a:(a.detach()*a).sum())(x)
F.grad(lambda a:(a*a).sum() if a.sum().item()>0 else a.sum())(x)
F.grad(lambda a:a.sum().item())(x)
F.jvp(lambda a:a*a.conj()*a,(t.tensor([1+2j,3-1j]),),(t.tensor([1j,1+1j]),))
F.vjp(lambda a:a*a,t.tensor([1+2j,3-1j]))[1](t.tensor([1j,1+1j]))
F.vjp(lambda a:(a*2,a), x)[1](x)
F.vjp(lambda a:(a,3), x, has_aux=True)
F.vjp(lambda a:t.ones(2), x)[1](t.ones(2))
F.jvp(lambda a:t.ones(2), (x,), (x,))
F.grad(lambda a:a.sum())(t.ones(3,dtype=t.int))
F.grad(lambda a:t.ones(3).sum())(x)
F.grad(lambda a:a.add_(1).sum())(x)
F.jacfwd(lambda a:t.rand(2)*a)(t.ones(2))
"""

BATCHED = """
F.vmap(lambda a:a*a.sum())(X)
F.vmap(lambda a,b:a@b, in_dims=(0,None))(X,t.ones(2,4))
F.vmap(lambda a,b:a*b, in_dims=(0,1))(X,X.T)
F.vmap(lambda a:a*2,in_dims=1,out_dims=1)(X)
F.vmap(lambda a:(a,a.sum()),out_dims=(1,0))(X)
F.vmap(lambda d:{'o':d['x']+d['y']},in_dims=({'x':0,'y':None},))({'x':X,'y':t.ones(2)})
F.vmap(F.vmap(lambda a,b:a*b,in_dims=(0,None)),in_dims=(None,0))(t.arange(3.),t.arange(4.))
F.vmap(F.grad(lambda a:(a**3).sum()))(X)
F.vmap(F.grad(lambda w,a:(w*a).sum()**2),in_dims=(None,0))(t.ones(2),X)
F.grad(lambda a:F.vmap(lambda b:(b**3).sum())(a).sum())(X)
F.jacrev(F.vmap(lambda b:b**2))(X)
F.vmap(F.jacrev(lambda b:b**2*b.sum()))(X)
F.vmap(F.jacfwd(lambda b:b**2*b.sum()))(X)
F.vmap(F.hessian(lambda b:(b**2*b.sum()).sum()))(X)
F.vmap(F.vjp(lambda a:a.exp(), t.ones(2))[1])(X)
F.vmap(lambda v:F.jvp(lambda a:a.exp()*a.sum(), (t.ones(2),),(v,))[1])(X)
F.vmap(lambda a:a.item())(t.ones(3))
F.vmap(lambda a:a if a>0 else -a)(t.ones(3))
F.vmap(lambda a:t.rand(2)+a.sum())(X)
(t.manual_seed(0),F.vmap(lambda a:t.rand(2)+a.sum(),randomness='same')(X))[1]
(t.manual_seed(0),F.vmap(lambda a:t.rand(2)+a.sum(),randomness='different')(X))[1]
(t.manual_seed(0),F.vmap(lambda a:t.randn(8)+a.sum(),randomness='different')(X))[1]
(t.manual_seed(0),F.vmap(lambda a:t.nn.functional.dropout(a),randomness='different')(X))[1]
(t.manual_seed(0),F.vmap(lambda a:t.nn.functional.dropout(a),randomness='same')(X))[1]
F.vmap(lambda a:3)(X)
F.vmap(lambda a:None)(X)
F.vmap(lambda a:a)(3)
F.vmap(lambda a:a)()
F.vmap(lambda a,b:a)(t.ones(3),t.ones(2))
F.vmap(lambda a,b:a,in_dims=(0,))(t.ones(3),t.ones(3))
F.vmap(lambda a,b:a,in_dims=(None,None))(t.ones(3),t.ones(3))
F.vmap(lambda a:a,in_dims=2)(t.ones(3))
F.vmap(lambda a:a,in_dims=-1)(X)
F.vmap(lambda a:a,in_dims='x')(X)
F.vmap(lambda a:a,in_dims=(0.5,))(X)
F.vmap(lambda a:(a,a),out_dims=(0,0,0))(X)
F.vmap(lambda a:(a,a),out_dims=(0,None))(X)
F.vmap(lambda a:(a,t.ones(2)),out_dims=(0,None))(X)
F.vmap(lambda a:a,out_dims='z')(X)
F.vmap(lambda a:a,out_dims=5)(X)
F.vmap(lambda a:a,randomness='foo')(X)
F.vmap(lambda a:a,chunk_size=0)(X)
F.vmap(lambda a:a*2,chunk_size=2)(X)
F.vmap(lambda a:(a*2,a.sum()),chunk_size=2,out_dims=(1,0))(X)
F.vmap(lambda a:t.ones(2)*t.ones(1).item()*a)(X)
F.vmap(lambda a:a[0:1])(X)
F.vmap(lambda a:t.stack([a,a*2]).sort(descending=True).values)(X)
F.vmap(lambda i,a:a[i],in_dims=(0,None))(t.tensor([0,2]),X)
F.vmap(lambda a:t.ones(2))(X)
F.vmap(lambda a:a.view(2,1).expand(2,3).contiguous())(X)
F.vmap(t.dot)(X,X)
F.vmap(lambda a:t.nn.functional.conv2d(a.reshape(1,1,1,2),t.ones(1,1,1,1)))(X)
F.vmap(lambda a:t.linalg.inv(t.diag(a)))(X)
F.vmap(lambda a:a.softmax(-1).max(-1))(X)
F.vmap(lambda a:a.cumsum(0).to(t.float64))(X)
F.vmap(lambda a,b:(a,b))(X,(t.ones(3),))
F.vmap(lambda a,*,k:a*k)(X,k=t.ones(2)*2)
"""

FUNCTIONS = """
F.grad(lambda a: S.apply(a).sum())(x)
F.vmap(S.apply)(x)
F.jvp(S.apply, (x,), (x,))
F.jacrev(S.apply)(x)
F.vmap(F.grad(S.apply))(x)
F.grad(lambda a: F.vmap(S.apply)(a).sum())(x)
F.vmap(F.grad(F.grad(S.apply)))(x)
F.vmap(F.vmap(S.apply))(x.expand(2, 3))
F.jvp(lambda a: S.apply(a * 2).sin() * a, (x,), (x,))
"""


def rows(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize("source", rows(DIFFERENTIATED) + rows(BATCHED))
def test_as_pytorch(source):
    both(lambda t: eval(source, {"t": t, "F": t.func, "x": vector(t), "X": matrix(t)}), rtol=1e-4, atol=1e-5)


def functions(t):
    class OldStyle(t.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            ctx.save_for_backward(a)
            return a * a

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    class Plain(t.autograd.Function):
        @staticmethod
        def forward(a):
            return a * a

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    class Generated(Plain):
        generate_vmap_rule = True

    class OwnVmap(Plain):
        @staticmethod
        def vmap(info, in_dims, a):
            return a * a, in_dims[0]

    class Both(OwnVmap):
        generate_vmap_rule = True

    class OwnJvp(Generated):
        @staticmethod
        def jvp(ctx, a):
            return a * 2 * ctx.saved_tensors[0] * 10

    return [OldStyle, Plain, Generated, OwnVmap, Both, OwnJvp]


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("source", rows(FUNCTIONS))
def test_functions_of_ones_own(source, kind):
    both(lambda t: eval(source, {"t": t, "F": t.func, "x": vector(t), "S": functions(t)[kind]}))


def a_function_of_several(t):
    class Mul(t.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(a, b, k):
            return a * b * k, a.sum()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0], inputs[1])
            ctx.k = inputs[2]
            ctx.mark_non_differentiable(output[1])

        @staticmethod
        def backward(ctx, g, _):
            a, b = ctx.saved_tensors
            return g * b * ctx.k, g * a * ctx.k, None

    F, a, b = t.func, t.ones(4, 3) * 2, vector(t)
    one = F.vmap(lambda a, b: Mul.apply(a, b, 3)[0], in_dims=(0, None))
    per_example = F.vmap(F.grad(lambda a, b: Mul.apply(a, b, 3)[0].sum(), argnums=1), in_dims=(0, None))
    return one(a, b), F.grad(lambda b: one(a, b).sum())(b), per_example(a, b)


def closure_of_grad(t):
    F = t.func
    w = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    l = F.grad(lambda a: ((a * w) ** 3).sum())(vector(t))
    l.sum().backward()
    return l, w.grad


def closure_of_hessian(t):
    F = t.func
    w = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    l = F.hessian(lambda a: ((a * w) ** 3).sum())(w * 2)
    l.sum().backward()
    return l, w.grad


def a_modules_parameters(t):
    F = t.func
    t.manual_seed(0)
    m = t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 1))
    p = dict(m.named_parameters())
    x = t.randn(5, 3)
    fc = t.func.functional_call
    g = F.grad(lambda q: (fc(m, q, x) ** 2).mean())(p)
    return g


def gradient_descent(t):
    F = t.func
    x = vector(t)
    for _ in range(4):
        x = x - 0.1 * F.grad(lambda a: (a**2).sum())(x)
    return x


def batched_cotangents(t):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.exp() * x.sum()
    return t.autograd.grad(y, x, t.eye(3), is_grads_batched=True, retain_graph=True), t.autograd.grad(
        y, x, t.eye(3), is_grads_batched=True
    )


def batched_cotangents_after_a_read(t):
    x = t.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.exp() * x.sum()
    y.sum().item()
    (g,) = t.autograd.grad(y, x, t.eye(3), is_grads_batched=True, create_graph=True)
    g.sin().sum().backward()
    return g, x.grad


def writing_into_an_example(t):
    F = t.func
    z = matrix(t)

    def f(a):
        a.add_(1)
        return a * 2

    return F.vmap(f)(z), z


def writing_into_a_view_of_an_example(t):
    F = t.func
    z = matrix(t)

    def f(a):
        a[0] = 5
        b = a.clone()
        b[1] += a[0]
        return b

    return F.vmap(f)(z), z


def closure_of_vmap(t):
    F = t.func
    w = t.tensor([1.0, 2.0], requires_grad=True)
    y = F.vmap(lambda a: (a * w).sin())(matrix(t))
    y.sum().backward()
    return y, w.grad


def per_sample_gradients(t):
    F = t.func
    t.manual_seed(0)
    m = t.nn.Sequential(t.nn.Linear(2, 4), t.nn.Tanh(), t.nn.Linear(4, 3))
    p = dict(m.named_parameters())
    x = t.randn(5, 2)
    y = t.tensor([0, 1, 2, 0, 1])

    def loss(q, a, b):
        return t.nn.functional.cross_entropy(F.functional_call(m, q, (a[None],)), b[None])

    q = {k: v.detach() for k, v in p.items()}
    return F.vmap(F.grad(loss), in_dims=(None, 0, 0))(q, x, y)


def ensemble(t):
    F = t.func
    t.manual_seed(0)
    ms = [t.nn.Linear(2, 3) for _ in range(4)]
    ps = {k: t.stack([dict(m.named_parameters())[k].detach() for m in ms]) for k in ("weight", "bias")}
    return F.vmap(lambda p, x: F.functional_call(ms[0], p, (x,)), in_dims=(0, None))(ps, matrix(t)), F.vmap(
        lambda p, x: F.functional_call(ms[0], p, (x,))
    )(ps, t.randn(4, 3, 2))


def vmap_of_autograd_grad(t):
    F = t.func
    x = t.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp() * x.sum()
    return F.vmap(lambda v: t.autograd.grad(y, x, v, retain_graph=True)[0])(matrix(t))


def hessian_vector_products(t):
    F = t.func

    def f(x):
        return (x.sin() * x.sum()).sum()

    def hvp(x, v):
        return F.jvp(F.grad(f), (x,), (v,))[1]

    return (
        hvp(t.ones(3), t.arange(3.0)),
        F.vmap(hvp, in_dims=(None, 0))(t.ones(3), t.eye(3)),
        F.hessian(f)(t.ones(3)),
        F.jacrev(F.jacrev(f))(t.ones(3)),
        F.jacfwd(F.jacfwd(f))(t.ones(3)),
    )


def backward_through_vmap_of_grad(t):
    F = t.func
    w = t.tensor([1.0, 2.0], requires_grad=True)
    g = F.vmap(F.grad(lambda a: ((a * w) ** 3).sum()))(matrix(t))
    g.sum().backward()
    return g, w.grad


def an_error_inside_vmap(t):
    F = t.func
    try:
        F.vmap(lambda a: a.item())(t.ones(3))
    except RuntimeError:
        pass
    w = t.ones(2)
    try:
        F.vmap(lambda a: w.add_(a))(matrix(t))
    except RuntimeError:
        pass
    return w, F.vmap(lambda a: a + w)(matrix(t))


def reading_what_all_share(t):
    F = t.func
    s = t.tensor(2.0) * 1
    return F.vmap(lambda a: a * s.item() if s > 1 else a)(matrix(t))


def printed_under_vmap(t):
    F = t.func
    seen = []
    F.vmap(lambda a: (seen.append(str(a)), a)[1])(matrix(t))
    return seen


def no_grad_in_forward_mode(t):
    def f(a):
        with t.no_grad():
            b = a * 2
        return (a * b).sum()

    return t.func.grad(f)(vector(t)), t.func.jvp(f, (vector(t),), (vector(t),)), t.func.jacfwd(f)(vector(t))


def empty(t):
    return t.vmap(lambda a: a * 2)(t.ones(3, 0)), t.func.jacrev(lambda a: a * 2)(t.ones(0))


def backward_inside(t):
    return t.func.grad(lambda a: a.sum().backward())(vector(t))


def second_order_meta_learning(t):
    t.manual_seed(0)
    m, x, y = t.nn.Linear(2, 1), t.randn(3, 4, 2), t.randn(3, 4, 1)
    p, call = dict(m.named_parameters()), t.func.functional_call

    def task(x, y):
        def loss(q):
            return ((call(m, q, (x,)) - y) ** 2).mean()

        g = t.func.grad(loss)(p)
        return loss({k: p[k] - 0.1 * g[k] for k in p})

    loss = t.vmap(task)(x, y).mean()
    loss.backward()
    return loss, [v.grad for v in p.values()]


def randomness_of_nested_batches(t):
    t.manual_seed(0)
    inner = t.vmap(lambda a: a + t.rand(2), randomness="different")
    return [t.vmap(inner, randomness=how)(t.zeros(2, 3)) for how in ("same", "different")]


PROGRAMS = [
    a_function_of_several,
    no_grad_in_forward_mode,
    empty,
    backward_inside,
    second_order_meta_learning,
    randomness_of_nested_batches,
    closure_of_grad,
    closure_of_hessian,
    a_modules_parameters,
    gradient_descent,
    batched_cotangents,
    batched_cotangents_after_a_read,
    writing_into_an_example,
    writing_into_a_view_of_an_example,
    closure_of_vmap,
    per_sample_gradients,
    ensemble,
    vmap_of_autograd_grad,
    hessian_vector_products,
    backward_through_vmap_of_grad,
    an_error_inside_vmap,
    reading_what_all_share,
    printed_under_vmap,
]


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda f: f.__name__)
def test_programs(code):
    both(code, rtol=1e-4, atol=1e-5)


# -- under JAX's own transformations ----------------------------------------------------------------------------------


def in_jax(function):
    """A function of tensors as one of JAX arrays."""
    import funcgrad as torch

    return lambda x: torch.to_jax(function(torch.from_jax(x)))


def test_jax_calls_a_functions_own_backward():
    import jax
    import jax.numpy as jnp

    import funcgrad as torch

    class TenTimes(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, k):
            ctx.save_for_backward(a)
            ctx.k = k
            return a * a * k

        @staticmethod
        def backward(ctx, g):
            return g * 20 * ctx.saved_tensors[0] * ctx.k, None

    f = in_jax(lambda x: (TenTimes.apply(x * 2, 3) * 2).sum())
    x = jnp.ones(3)
    assert jax.grad(f)(x).tolist() == jax.jit(jax.grad(f))(x).tolist() == [480.0] * 3
    assert jax.vmap(jax.grad(f))(jnp.ones((2, 3))).tolist() == [[480.0] * 3] * 2
    assert jax.jit(f)(x).item() == 72.0


def test_jax_stops_where_pytorch_does():
    import jax
    import jax.numpy as jnp

    import funcgrad as torch

    def without(x):
        with torch.no_grad():
            y = x * 3
        return (y * x).sum()

    assert jax.grad(in_jax(without))(jnp.ones(3)).tolist() == [3.0] * 3
    assert jax.grad(in_jax(lambda x: (x.detach() * x).sum()))(jnp.ones(3)).tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("F.grad(lambda a: (a**3).sum())(x).sum()", 6.0),
        ("F.grad_and_value(lambda a: (a**3).sum())(x)[1]", 3.0),
        ("F.vmap(F.grad(lambda a: a**3))(x).sum()", 6.0),
        ("F.jvp(lambda a: (a**3).sum(), (x,), (x.detach(),))[1]", 6.0),
        ("F.hessian(lambda a: (a**3).sum())(x).sum()", 6.0),
    ],
)
def test_jax_differentiates_transforms(source, want):
    import jax
    import jax.numpy as jnp

    import funcgrad as torch

    f = in_jax(lambda x: eval(source, {"F": torch.func, "x": x}))
    assert jax.grad(f)(jnp.ones(3)).tolist() == [want] * 3


def test_a_loop_of_transforms_compiles_once():
    import funcgrad as torch
    from funcgrad.engine.explain import compiles

    x, w = matrix(torch), vector(torch)[:2]
    per_example = torch.vmap(torch.func.grad(lambda w, a: (w * a).sum().sin()), in_dims=(None, 0))
    counts = []
    for _ in range(5):
        w = w - 0.1 * per_example(w, x).mean(0)
        w = w - 0.1 * torch.func.grad(lambda w: (x @ w).pow(2).mean())(w)
        counts.append(compiles())
    assert counts[2:] == counts[2:3] * 3
