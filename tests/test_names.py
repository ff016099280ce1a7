"""PyTorch's names: the page that lists them, and what the small modules around the tensor library answer."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from parity import both

import funcgrad

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_names_is_up_to_date():
    spec = importlib.util.spec_from_file_location("generate_ops", DOCS / "generate_ops.py")
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text, have, total = generator.page()
    assert text == (DOCS / "ops.md").read_text(), "run: python docs/generate_ops.py"
    assert f"{have} of {total}" in (DOCS.parent / "README.md").read_text(), (
        f"the README's table: {have} of {total} names"
    )


PROBES = {
    "cuda": "is_available() device_count() is_initialized() memory_allocated() get_arch_list() current_device() "
    "_initialized get_device_name() mem_get_info() is_bf16_supported() get_rng_state_all() current_stream() empty_cache()",
    "xpu": "is_available() device_count() current_device() memory_allocated() empty_cache()",
    "mps": "is_available() device_count() synchronize() empty_cache() current_allocated_memory()",
    "mtia": "is_available() device_count() current_device() is_bf16_supported()",
    "accelerator": "is_available() device_count() current_accelerator() current_device_index() synchronize()",
    "backends": "cudnn.is_available() mps.is_available() mps.is_built() cuda.is_built() openmp.is_available() "
    "mkldnn.is_available() opt_einsum.is_available() cuda.flash_sdp_enabled() nnpack.__name__[-6:]",
    "distributed": "is_torchelastic_launched()",
    "compiler": "is_compiling() is_exporting() is_dynamo_compiling()",
    "jit": "is_scripting() is_tracing() annotate(int,3)",
}


@pytest.mark.parametrize("path", PROBES)
def test_what_a_machine_without_accelerators_answers(path):
    for call in PROBES[path].split():
        both(lambda t, call=call: eval(f"t.{path}.{call}", {"t": t}))


def test_absent_modules_refuse_by_name():
    assert not funcgrad.distributed.is_available() and not funcgrad.distributed.is_initialized()
    for call in (funcgrad.distributed.init_process_group, funcgrad.jit.save, funcgrad.onnx.export, funcgrad.lobpcg,
                 funcgrad.sparse_bsr_tensor, funcgrad.ones(2).to_sparse_csc):  # fmt: skip
        with pytest.raises(NotImplementedError, match="torch"):
            call()
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = funcgrad.no_such_name


COMPARISONS = {
    "far": lambda t: (t.tensor([1.0, 2.0]), t.tensor([1.0, 3.0])), "zero-dim": lambda t: (t.tensor(1.0), t.tensor(2.0)),
    "numbers": lambda t: (1.0, 2.0), "ints": lambda t: (1, 2), "bools": lambda t: (True, False),
    "int tensors": lambda t: (t.tensor([1, 2]), t.tensor([1, 3])), "shape": lambda t: (t.ones(1), t.ones(2)),
    "dtype": lambda t: (t.ones(1), t.ones(1, dtype=t.int64)), "lists": lambda t: ([1.0, 2.0], [1.0, 3.0]),
    "lengths": lambda t: ([1.0], [1.0, 2.0]), "mapping": lambda t: ({"a": t.ones(1)}, {"a": t.zeros(1)}),
    "keys": lambda t: ({"a": 1}, {"b": 1}), "strings": lambda t: ("a", "b"), "None": lambda t: (None, 1),
    "nan": lambda t: (t.tensor([float("nan")]), t.tensor([float("nan")])), "close": lambda t: (t.ones(2), t.ones(2) + 1e-7),
    "arrays": lambda t: (np.array([1.0]), np.array([2.0])), "inf": lambda t: (t.tensor([1.0, float("inf")]), t.tensor([1.0, 2.0])),
    "matrix": lambda t: (t.tensor([[1.0, 2.0], [3.0, 4.0]]), t.tensor([[1.0, 2.5], [3.0, 5.0]])),
    "bool tensors": lambda t: (t.tensor([True]), t.tensor([False])), "complex": lambda t: (t.tensor([1j]), t.tensor([2j])),
    "nan numbers": lambda t: (float("nan"), float("nan")), "sequences": lambda t: ([t.ones(1)], (t.ones(1),)),
}  # fmt: skip


@pytest.mark.parametrize("pair", COMPARISONS.values(), ids=COMPARISONS)
def test_assert_close(pair):
    both(lambda t: t.testing.assert_close(*pair(t)))


def test_assert_close_options():
    for options in (
        {"rtol": 0.1},
        {"rtol": 0.1, "atol": 0.1},
        {"msg": "mine"},
        {"msg": lambda m: "more: " + m},
        {"rtol": 1, "atol": 0},
    ):
        both(lambda t, options=options: t.testing.assert_close(t.ones(2), t.zeros(2), **options))
    both(lambda t: t.testing.assert_close(t.ones(2), t.ones(2).double(), check_dtype=False))
    both(lambda t: t.testing.assert_close(t.ones(1, 2).expand(2, 2), t.ones(2, 2), check_stride=True))
    both(lambda t: t.testing.assert_close(t.tensor([float("nan")]), t.tensor([float("nan")]), equal_nan=True))


def test_make_tensor():
    def code(t):
        t.manual_seed(0)
        made = [
            t.testing.make_tensor((3, 2), dtype=d, device="cpu")
            for d in (t.float32, t.int64, t.bool, t.complex64, t.uint8)
        ]
        t.manual_seed(0)
        gaps = t.testing.make_tensor((2, 2), dtype=t.float32, device="cpu", low=0, high=1, noncontiguous=True)
        leaf = t.testing.make_tensor(4, dtype=t.float64, device="cpu", exclude_zero=True, requires_grad=True)
        return [*made, gaps, gaps.stride(), leaf]

    both(code)


def test_element_by_element():
    def code(t):
        s = t.arange(6.0).view(2, 3)
        return [s.apply_(lambda v: v + 1), s.map_(t.ones(3), lambda a, b: a - b), s.map2_(s, s, lambda a, b, c: a + b * c),
                t.zeros(3, 3).fill_diagonal_(5), t.zeros(7, 3).fill_diagonal_(2, wrap=True), t.zeros(7, 3).fill_diagonal_(2),
                t.zeros(2, 2, 2).fill_diagonal_(1)]  # fmt: skip

    both(code)
    both(lambda t: t.zeros(3).fill_diagonal_(1))
    both(lambda t: t.zeros(3, 2, 1).fill_diagonal_(1))
    both(lambda t: t.ones(2, requires_grad=True).apply_(abs))


def test_attributes():
    def code(t):
        x = t.ones(2, 3, dtype=t.float64)
        flags = [x.is_sparse, x.is_quantized, x.is_meta, x.is_conj(), x.is_neg(), x.is_cuda, x.is_xla, x.is_mps]
        return [*flags, x.itemsize, x.nbytes, x.layout == t.strided, list(x.new(2, 3).shape), x.new([1, 2]), t.newaxis is None,
                x.is_shared(), x.share_memory_().is_shared()]  # fmt: skip

    both(code)


def test_subclasses():
    def code(t):
        class Mine(t.Tensor):
            pass

        x = t.ones(2, requires_grad=True)
        y = x.as_subclass(Mine)
        y.detach().fill_(3.0)
        (y * y).sum().backward()
        return [type(y).__name__, x.detach().clone(), x.grad, isinstance(y, t.Tensor)]

    both(code)
    both(lambda t: t.ones(2).as_subclass(int))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta", "ignore:Sparse invariant checks")
def test_sparse():
    def code(t):
        v = t.tensor([3.0, 4.0, 5.0], requires_grad=True)
        s = t.sparse_coo_tensor(t.tensor([[0, 1, 1], [2, 0, 2]]), v, (2, 3))
        d = t.arange(6.0).view(3, 2).requires_grad_()
        y = t.sparse.mm(s, d)
        (y * y).sum().backward()
        out = [
            str(s.detach()),
            s.coalesce().indices(),
            s.is_coalesced(),
            s.is_sparse,
            s._nnz(),
            s.sparse_dim(),
            y,
            v.grad,
            d.grad,
        ]
        s = s.detach()
        c = s.to_dense().to_sparse_csr()
        out += [str(c), c.crow_indices(), c.col_indices(), c.values(), c @ t.ones(3, 2), c.to_dense()]
        out += [
            s @ t.ones(3, 2),
            t.mv(s, t.ones(3)),
            (s * 2).to_dense(),
            (s + s).to_dense(),
            s.t().to_dense(),
            t.sparse.sum(s),
        ]
        z = t.sparse_coo_tensor([[0, 0], [1, 1]], [1.0, 2.0], (2, 2))
        return [*out, z.coalesce().values(), t.sparse_csr_tensor([0, 1, 2], [0, 1], [1.0, 2.0]).to_dense()]

    both(code)
    both(lambda t: t.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (2,)).values())
    both(lambda t: t.eye(2).to_sparse().numpy())
    both(lambda t: t.sparse.mm(t.eye(3).to_sparse(), t.ones(2, 2)))
    with pytest.raises(NotImplementedError, match="sparse"):
        funcgrad.relu(funcgrad.eye(2).to_sparse())


def test_custom_ops():
    @funcgrad.library.custom_op("mine::double", mutates_args=())
    def double(x):
        return x * 2

    double.register_autograd(lambda ctx, g: g * 3, setup_context=lambda ctx, inputs, output: None)
    x = funcgrad.ones(2, requires_grad=True)
    y = double(x)
    y.sum().backward()
    assert y.tolist() == [2, 2] and x.grad.tolist() == [3, 3]


def test_scripts_and_futures():
    def code(t):
        def double(x):
            return x * 2

        layer = t.nn.Linear(2, 2)
        with t.no_grad():
            layer.weight.fill_(1.0), layer.bias.zero_()
        future = t.futures.Future()
        later = future.then(lambda f: f.wait() + 1)
        future.set_result(1)
        return [t.jit.wait(t.jit.fork(double, t.ones(2))), t.jit.trace(layer, t.ones(1, 2))(t.ones(1, 2)), later.wait(),
                t.futures.wait_all([later]), t.jit.isinstance([1], list[int])]  # fmt: skip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both(code)


def test_hub_loads_local_entries(tmp_path):
    (tmp_path / "hubconf.py").write_text('def entry(n=1):\n    """Doc."""\n    return n + 1\n')
    hub = funcgrad.hub
    assert hub.load(str(tmp_path), "entry", 4, source="local") == 5 and hub.list(str(tmp_path), source="local") == [
        "entry"
    ]
    assert hub.help(str(tmp_path), "entry", source="local") == "Doc."
    with pytest.raises(RuntimeError, match="Cannot find callable other in hubconf"):
        hub.load(str(tmp_path), "other", source="local")


def test_low_rank_decompositions():
    funcgrad.manual_seed(0)
    a = funcgrad.randn(8, 3) @ funcgrad.randn(3, 6)
    v2, s2, u2 = funcgrad.svd_lowrank(a.mT, q=3)
    for u, s, v in (funcgrad.svd_lowrank(a, q=3), (u2, s2, v2)):
        np.testing.assert_allclose((u @ funcgrad.diag(s) @ v.mT).numpy(), a.numpy(), atol=1e-4)
    centred = (a - a.mean(0)).numpy()
    u, s, v = funcgrad.pca_lowrank(a, q=3)
    np.testing.assert_allclose((u @ funcgrad.diag(s) @ v.mT).numpy(), centred, atol=1e-4)


def test_a_subclass_that_watches_calls():
    def code(t):
        seen = []

        class Mine(t.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                seen.append(func.__name__)
                return super().__torch_function__(func, types, args, kwargs)

        leaf = t.ones(2, requires_grad=True)
        y = t.exp(leaf.as_subclass(Mine) * 2)
        pair = t.stack([y, t.ones(2)]).max(0)
        names = [type(y).__name__, type(pair).__name__, type(pair.values).__name__, "exp" in seen]
        pair.values.sum().backward()
        return [*names, y.detach().as_subclass(t.Tensor), leaf.grad]

    both(code)


def test_beside_pytorch():
    """PyTorch's functions hand funcgrad's tensors over; tensors of both do not mix."""
    x = funcgrad.tensor([[1.0, 2.0]])
    assert type(torch.nn.PairwiseDistance()(x, 2 * x)) is funcgrad.Tensor
    with pytest.raises(TypeError, match="do not mix"):
        x + torch.ones(2)
