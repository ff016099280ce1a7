"""Elementwise functions against PyTorch: values, dtypes, gradients at special points, errors; and what XLA gets wrong."""

from __future__ import annotations

import doctest
import importlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch

from funcgrad import _dtypes, ops

NAN, INF = float("nan"), float("inf")
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    2.5,
    3.0,
    -3.7,
    0.3,
    10.0,
    1000.0,
    1e-3,
    20.0,
    -20.0,
    INF,
    -INF,
    NAN,
]
PAIRS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 7.3, -3.7, INF, -INF, NAN]
DTYPES = "bool uint8 int8 int64 uint16 float16 bfloat16 float32 float64 complex64".split()
TOLERANCE = {"bfloat16": 1e-2, "float16": 2e-3, "float32": 3e-5, "complex64": 1e-4, "float64": 1e-9}
UNARY = """
    abs acos acosh asin asinh atan atanh bitwise_not ceil positive conj cos cosh deg2rad rad2deg exp exp2 expm1 floor frac
    i0 imag real log log10 log1p log2 logical_not neg round sin sinc sinh sign sgn signbit tan tanh trunc nan_to_num
    reciprocal rsqrt sqrt square angle isfinite isinf isposinf isneginf isreal isnan sigmoid digamma erf erfc erfinv
    lgamma logit view_as_real view_as_complex special.airy_ai special.bessel_j0 special.bessel_y1 special.entr
    special.erfcx special.i0e special.i1 special.i1e special.log_ndtr special.modified_bessel_k0 special.ndtr special.ndtri
    special.round special.spherical_bessel_j0
""".split()
BINARY = """
    add sub rsub mul div floor_divide remainder fmod pow float_power maximum minimum fmax fmin hypot atan2 logaddexp
    logaddexp2 xlogy copysign nextafter ldexp gcd lcm heaviside bitwise_and bitwise_left_shift bitwise_right_shift eq lt
    logical_and logical_xor isclose complex polar igamma igammac clamp_min clamp_max isin special.xlog1py special.zeta
""".split()
# PyTorch's value is off, or undefined, at these points; ours is the mathematical one.
BETTER_HERE = {
    "special.bessel_y1",
    "special.airy_ai",
    "special.log_ndtr",
    "special.ndtr",
    "digamma",
    "special.i1e",
    "special.i1",
}
COMPLEX_CORNERS = {"pow", "float_power", "add", "sub", "rsub", "exp2", "acos", "acosh", "asin", "sqrt"}


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def array(x):
    if not isinstance(x, torch.Tensor):
        return x
    x = x.detach().resolve_conj().resolve_neg()
    return (
        jnp.asarray(x.float().numpy()).astype(jnp.bfloat16)
        if x.dtype == torch.bfloat16
        else jnp.asarray(x.numpy(force=True))
    )


def pytorchs(name: str):
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    return function


def outcome(function, args):
    try:
        return function(*args), None
    except Exception as e:
        return None, (type(e).__name__, str(e).split("\n")[0])


def assert_same(got, want, what: str, values: bool = True) -> None:
    name = str(want.dtype).split(".")[1]
    assert _dtypes.to_dtype(got.dtype).name == name, what
    assert got.shape == want.shape, what
    if values:
        wide = "f" if name in ("bfloat16", "float16") else None
        rtol = TOLERANCE.get(name, 0)
        x, y = (np.asarray(v, wide) for v in (got, array(want)))
        np.testing.assert_allclose(x, y, rtol, rtol * 1e-3, equal_nan=True, err_msg=what)


def sample(dtype: str, values=FLOATS) -> torch.Tensor:
    d = getattr(torch, dtype)
    if dtype == "bool":
        return torch.tensor([True, False])
    if d.is_complex:
        return torch.tensor([1, -1, 1j, 1 + 1j, -2.5 + 0.3j, 0.3 - 4j], dtype=d)
    if d.is_floating_point:
        return torch.tensor(values, dtype=torch.float64).to(d)
    return torch.tensor([1, 2, 3, 7, 12, 100]).to(d)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    for dtype in DTYPES:
        x = sample(dtype)
        want, error = outcome(pytorchs(name), [x])
        got, ours = outcome(ops.find(name), [array(x)])
        assert ours == error, dtype
        if error is None:
            assert_same(
                got, want, dtype, values=name not in BETTER_HERE and not (x.is_complex() and name in COMPLEX_CORNERS)
            )


@pytest.mark.parametrize("name", [n for n in UNARY if n not in BETTER_HERE | {"rsqrt"}])
def test_unary_gradient_at_special_points(name):
    x = sample("float64")[:-1].requires_grad_()  # of NaN, PyTorch's gradient is now NaN, now 0, now 1/2
    want, error = outcome(pytorchs(name), [x])
    if error or not want.requires_grad:
        return
    (gradient,) = torch.autograd.grad(want.sum(), x)
    _, pullback = jax.vjp(ops.find(name), array(x))
    if name in ("lgamma", "sinc", "special.erfcx"):  # PyTorch's has lost its digits at poles, near 0 and at infinity
        gradient, x = gradient[2:14], x[2:14]
        _, pullback = jax.vjp(ops.find(name), array(x))
        keep = ~((x < 0) & (x == x.floor())).numpy(force=True) & (np.abs(x.numpy(force=True)) > 1e-2)
        np.testing.assert_allclose(pullback(jnp.ones(x.shape))[0][keep], gradient.numpy()[keep], 1e-6)
        return
    assert_same(pullback(jnp.ones(want.shape))[0], gradient, name)


@pytest.mark.parametrize("name", BINARY)
def test_binary_dtypes_and_errors(name):
    dtypes = "bool uint8 int64 bfloat16 float32 complex64".split()
    for first in dtypes:
        for second in dtypes:
            if "float32" not in (first, second) and first != second:
                continue
            args = [torch.ones(2).to(getattr(torch, d)) for d in (first, second)]
            want, error = outcome(pytorchs(name), args)
            got, ours = outcome(ops.find(name), [array(x) for x in args])
            assert ours == error, (first, second)
            if error is None:
                assert_same(got, want, f"{first} {second}")
    for args in ([torch.ones(2, 3), torch.ones(2, 4)], [torch.ones(2), 2], [2, torch.ones(2)], [torch.ones(2), "a"]):
        want, error = outcome(pytorchs(name), args)
        _, ours = outcome(ops.find(name), [array(x) for x in args])
        assert ours == error, args


@pytest.mark.parametrize("name", [n for n in BINARY if n not in ("igamma", "igammac", "special.zeta", "isin")])
def test_binary_at_special_points(name):
    x = torch.tensor(PAIRS, dtype=torch.float64)
    x, y = (v.clone().requires_grad_() for v in torch.meshgrid(x, x, indexing="ij"))
    want, error = outcome(pytorchs(name), [x, y])
    if error or want.is_complex():
        return
    if name in ("floor_divide", "heaviside"):  # PyTorch has no derivative
        x, y = x.detach(), y.detach()
        want = want.detach()
    result, pullback = jax.vjp(ops.find(name), array(x), array(y))
    assert_same(result, want, name)
    if want.requires_grad:
        gradients = torch.autograd.grad(want.sum(), [x, y], allow_unused=True)
        for ours, theirs in zip(pullback(jnp.ones(want.shape)), gradients):
            assert_same(ours, torch.zeros_like(x) if theirs is None else theirs, f"{name} gradient")


@pytest.mark.parametrize("call", [
    "pow(x, 0)", "pow(x, 0.5)", "pow(x, -0.5)", "pow(x, 1.5)", "pow(x, 2)", "pow(x, 3)", "pow(x, -1)", "pow(x, -2)",
    "pow(x, 2.3)", "pow(0.0, x)", "pow(2, x)", "pow(x, 40)", "clamp(x, 1, 2)", "clamp(x, 2, 1)", "clamp(x, max=0.5)",
    "clamp(x, NAN, 2.0)", "add(x, 2, alpha=3)", "sub(x, y, alpha=-2)", "rsub(x, 3)", "addcmul(x, y, y, value=0.3)",
    "addcdiv(x, y, y, value=0.3)", "lerp(x, y, 0.3)", "lerp(x, y, 0.7)", "lerp(x, y, z)", "logit(x, 0.1)", "xlogy(0, x)",
    "round(x, decimals=1)", "round(x, decimals=-2)", "div(x, y, rounding_mode='trunc')", "div(x, 0.3, rounding_mode='floor')",
    "nan_to_num(x, 1.0, 2.0)", "where(x > 0, x, 2.0)", "add(x, 2, y)", "addcmul(x, 2, y, y)", "clamp(x, y, z)",
    "mvlgamma(z, 2)", "polygamma(1, z)", "polygamma(3, z)", "isclose(x, y, equal_nan=True)", "isin(x, z, invert=True)",
    "true_divide(x, 3)", "special.multigammaln(z, 3)", "special.hermite_polynomial_h(z, 3)", "frexp(z)[0]",
])  # fmt: skip
def test_call(call):
    values = [torch.tensor(v, dtype=torch.float64) for v in (FLOATS, FLOATS[::-1], np.linspace(1.6, 8, len(FLOATS)))]
    x, y, z = (v.requires_grad_() for v in values)

    def evaluate(find, x, y, z):
        path, _, rest = call.partition("(")
        return eval(f"f({rest}", {"f": find(path), "x": x, "y": y, "z": z, "NAN": NAN})

    want = evaluate(pytorchs, x, y, z)
    got, pullback = jax.vjp(lambda *v: evaluate(ops.find, *v), *map(array, (x, y, z)))
    assert_same(got, want, call)
    if want.requires_grad:
        gradients = torch.autograd.grad(want.sum(), [x, y, z], allow_unused=True)
        for ours, theirs in zip(pullback(jnp.ones(want.shape)), gradients):
            keep = torch.isfinite(x) & torch.isfinite(y)  # elsewhere PyTorch's may be NaN or a limit
            theirs = torch.zeros_like(x) if theirs is None else theirs
            assert_same(ours[keep.numpy()], theirs[keep], f"{call} gradient")


def test_integer_powers():
    base, exponent = np.meshgrid([-3, -1, 0, 1, 2, 3, 7], [-3, -2, -1, 0, 1, 2, 5, 40, 70])
    for dtype in ("int64", "int8"):
        x, y = (torch.tensor(v).to(getattr(torch, dtype)) for v in (base, exponent))
        assert_same(ops.find("pow")(array(x), array(y)), torch.pow(x, y), dtype)


def test_exact_where_xla_is_not():
    powers = np.arange(-30.0, 31)
    for dtype in ("f4", "f8"):
        np.testing.assert_array_equal(ops.find("log10")(jnp.asarray(10.0**powers, dtype)), powers)
        np.testing.assert_array_equal(ops.find("log2")(jnp.asarray(2.0**powers, dtype)), powers)
        np.testing.assert_array_equal(ops.find("exp2")(jnp.asarray(powers, dtype)), 2.0**powers)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fmod_is_exact(dtype):
    rng = np.random.RandomState(0)
    x = (rng.randn(20000) * 10.0 ** rng.randint(-3, 8, 20000)).astype(dtype)
    y = (rng.randn(20000) * 10.0 ** rng.randint(-1, 3, 20000)).astype(dtype)
    quick = np.abs(x) < np.abs(y) * 2.0**21
    for at in (quick, slice(None)):
        np.testing.assert_array_equal(ops.find("fmod")(jnp.asarray(x[at]), jnp.asarray(y[at])), np.fmod(x[at], y[at]))
        want = torch.remainder(torch.tensor(x[at]), torch.tensor(y[at])).numpy()
        np.testing.assert_array_equal(ops.find("remainder")(jnp.asarray(x[at]), jnp.asarray(y[at])), want)


@pytest.mark.parametrize("ours, theirs", [
    ("bessel_j0", "j0"), ("bessel_j1", "j1"), ("bessel_y0", "y0"), ("bessel_y1", "y1"), ("modified_bessel_k0", "k0"),
    ("modified_bessel_k1", "k1"), ("scaled_modified_bessel_k0", "k0e"), ("scaled_modified_bessel_k1", "k1e"),
    ("erfcx", "erfcx"), ("log_ndtr", "log_ndtr"), ("i1e", "i1e"), ("airy_ai", "airy"),
])  # fmt: skip
def test_special_functions_to_float64(ours, theirs):
    positive = theirs[0] in "yk"
    x = np.concatenate([np.linspace(0.01 if positive else -20, 30, 3001), np.geomspace(1e-3, 1e3, 100)])
    want = getattr(scipy.special, theirs)(x)
    want = want[0] if theirs == "airy" else want
    np.testing.assert_allclose(ops.find(f"special.{ours}")(jnp.asarray(x)), want, 1e-11, 1e-13)


@pytest.mark.parametrize("n", range(6))
def test_polygamma_left_of_zero(n):
    x = np.array([-0.5, -1.3, -2.7, -7.2, -30.4, 0.2])
    want = torch.polygamma(n, torch.tensor(x)).numpy()
    np.testing.assert_allclose(ops.find("polygamma")(n, jnp.asarray(x)), want, 1e-8)


@pytest.mark.parametrize(
    "name, calls",
    [
        ("exp", [[2], ["a"], [None]]),
        ("abs", [[-1]]),
        ("special.erfcx", [[1]]),
        ("special.zeta", [[1, 2], [torch.ones(2), None]]),
        ("pow", [[2, 3], [torch.ones(2), "a"], ["a", torch.ones(2)]]),
        ("eq", [[2, 3], [2, torch.ones(2)], [torch.ones(2), None]]),
        ("lerp", [[torch.ones(2), 2, 0.5], [torch.ones(2), torch.ones(2), "a"]]),
        ("clamp", [[2, 1, 3], [torch.ones(2), "a"]]),
        ("add", [[torch.ones(2), "a"], [torch.ones(2), None]]),
        ("isclose", [[torch.ones(2), 2.0], [2.0, torch.ones(2)]]),
    ],
)
def test_numbers_for_tensors(name, calls):
    for args in calls:
        _, error = outcome(pytorchs(name), args)
        assert outcome(ops.find(name), [array(x) for x in args])[1] == error, args


FAMILIES = """
    pointwise arithmetic powers clamping bitwise comparison complex special error_functions gamma_functions bessel
    polynomials
""".split()


@pytest.mark.parametrize("family", FAMILIES)
def test_examples_hold_in_pytorch(family):
    module = importlib.import_module(f"funcgrad.ops.{family}")
    finder, runner, report = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(), []
    for name, function in vars(module).items():
        if callable(function) and getattr(function, "__module__", "") == module.__name__ and not name.startswith("_"):
            assert function.__doc__, name
            for test in finder.find(function, name, globs={"torch": torch}):
                runner.run(test, out=report.append)
    assert not report, "".join(report)
