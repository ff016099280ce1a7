"""Shape, joining, gathering, scattering and creation against PyTorch: values, and errors with their words."""

import doctest
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from funcgrad import _dtypes, ops

DTYPES = {
    "i64": "int64", "i32": "int32", "i16": "int16", "u8": "uint8", "f64": "float64", "f16": "float16",
    "b": "bool", "c64": "complex64",
}  # fmt: skip


class Torch:
    """The names of the calls below, in PyTorch: a function of ``torch`` or a method of Tensor."""

    def __getitem__(self, name):
        if name in DTYPES:
            return getattr(torch, DTYPES[name])
        made = {"x": torch.arange(6.0).reshape(2, 3), "t": torch.tensor, "z": torch.zeros}
        if name in made:
            return made[name]
        for home in (torch, torch.Tensor, torch.nn.functional, torch.ops.aten):
            if hasattr(home, name):
                return getattr(home, name)
        raise KeyError(name)


class Arrays:
    """The same names, as array functions."""

    def __getitem__(self, name):
        if name in DTYPES:
            return getattr(_dtypes, DTYPES[name], None) or _dtypes.bool_
        made = {"x": jnp.arange(6, dtype=jnp.float32).reshape(2, 3), "t": self.tensor, "z": ops.find("zeros")}
        if name in made:
            return made[name]
        if ops.find(name) is None:
            raise KeyError(name)
        return ops.find(name)

    @staticmethod
    def tensor(data, dtype=None):
        return jnp.asarray(torch.tensor(data).numpy(), None if dtype is None else dtype.numpy)


def outcome(names, call):
    """The result, or the error's class and first line."""
    try:
        with jax.enable_x64(True):
            return eval(call, {}, names), None
    except (IndexError, NotImplementedError, RuntimeError, TypeError, ValueError) as e:
        return None, (type(e).__name__, str(e).partition("\n")[0].partition(", but expected one of")[0])


CALLS = """
sum_to_size(x, 3); sum_to_size(x, ()); sum_to_size(x, (2, 1)); sum_to_size(x, 2); sum_to_size(x, 2, 3)
view(x, 4); view(x, -1, -1); view(x, -2, 3); view(x, -1, 4); view(x, 0, -1); view(z(0), 0, -1); view(z(0), -1, 3)
view(x, -1, 2); view(x, i32); view(x, f64); view(x, f16); view(z(()), f16); view(z(3, dtype=u8), i32)
view(z(()), i32); view(z(2, dtype=c64), f64); view_as(x, z(3, 2)); view_as(x, z(3, 3)); reshape(x, (7,))
reshape(x, (3, -1)); reshape_as(x, z(6)); permute(x, (0, 0)); permute(x, (0,)); permute(x, (0, 2)); transpose(x, 0, 3)
unsqueeze(x, 4); squeeze(x, 3); squeeze(x, (0, 0)); expand(x, 3); expand(x, 2, 4); expand(x, -1, 2, 3)
expand(x, 2, -2); expand(x, 2, -1); broadcast_to(x, (4,)); broadcast_tensors(x, z(4)); broadcast_shapes((2, 3), (4,))
flatten(x, 1, 0); broadcast_shapes((2, 3), (-1,)); broadcast_shapes((2, 1), 3); broadcast_tensors(x, z(1, 1))
flatten(z(())); unflatten(x, 1, (2, 2)); unflatten(x, 1, ()); unflatten(x, 1, (-1, 4)); unflatten(x, 1, (3, -1))
ravel(x); adjoint(z(3)); adjoint(z(2, 3, dtype=c64)); movedim(x, (0, 1), (1,)); movedim(x, 0, 4)
movedim(x, (0, 0), (1, 0)); movedim(x, (0, 1), (1, 1)); swapaxes(x, 0, 1); diagonal(x, 0, 0, 0); diagonal(x, 5)
diagonal(z(3)); diagonal(x, 1); atleast_1d(t(1)); atleast_2d(t([1, 2])); atleast_3d(x); atleast_3d([t(1), x]); cat([])
cat([x, z(2)]); cat([x, z(0)]); cat([x, z(2, 2)], 0); cat([t(1.0), t(2.0)]); cat([x, x], 3); cat(x); cat((x, 3))
cat([x, x], -1); cat([x, t([[1]])], 0); cat([x, t([[1, 2, 3]])]); stack([]); stack([x, z(3, 2)]); stack([x, x], 4)
stack([x, x], -1); hstack([]); vstack([]); dstack([]); column_stack([]); hstack([x, z(3, 3)])
hstack([t(1), t([2, 3])]); vstack([t(1), t(2)]); dstack([x, x]); column_stack([t([1, 2]), t([[3], [4]])])
row_stack([x]); split(x, 0); split(x, -1); split(x, 2, 1); split(x, [1, 1], 1); split(x, [1, -1, 3], 1)
split(x, (1, 1)); split(x, 2, 5); split(t(1), 1); split(z(0), 0); split_with_sizes(x, [1, 3], 1); chunk(x, 0)
chunk(x, 2, 1); chunk(t(1), 2); chunk(z(0), 3); tensor_split(x, 0); tensor_split(x, 2, 1)
tensor_split(z(7), (5, 2, 9)); tensor_split(z(7), (-3, -1)); tensor_split(t(1), 2); tensor_split(x, t(2), 1)
tensor_split(x, t([1, 2]), 1); tensor_split(x, t([1.0]), 1); tensor_split(x, t([[1]]), 1); hsplit(x, 2); hsplit(x, 3)
hsplit(x, (1,)); vsplit(x, 3); vsplit(z(3), 3); dsplit(x, 3); hsplit(t(1), 1); hsplit(x, 0); unbind(t(1))
unbind(x, 1); unbind(x, 3); narrow(x, 0, 1, 2); narrow(x, 0, 3, 0); narrow(x, 0, 0, -1); narrow(x, 0, -3, 1)
narrow(x, 1, -2, 2); narrow(t(1), 0, 0, 1); narrow(x, 0, t([1]), 1); narrow(x, 0, t(1), 1); select(x, 0, 2)
select(x, 0, -3); select(t(1), 0, 0); select(x, 1, -1); select_scatter(x, z(3), 0, 1); select_scatter(x, z(2), 0, 1)
select_scatter(x, z(3), 0, 5); slice_scatter(x, z(2, 1), 1, 0, 3, 2); slice_scatter(x, z(2, 2), 1, 0, 3, 2)
slice_scatter(x, z(1, 3)); narrow_copy(x, 0, 0, -1); diagonal_scatter(x, z(2)); diagonal_scatter(x, z(3))
diagonal_scatter(x, z(2), 1); as_strided(x, (2, 2), (1, 2), 1); as_strided(x, (2, 2), (1, 2), 3)
as_strided(x, (2, 2), (1,), 0); as_strided(x, (2, 2), (-1, 1)); as_strided(x, (2,), (1,), -1)
as_strided_scatter(x, z(2, 2), (2, 2), (1, 2), 1); unfold(x, 0, 3, 1); unfold(x, 0, 1, 0); unfold(x, 0, -1, 1)
unfold(x, 1, 2, 1); unfold(t(1), 0, 1, 1); unfold(t(1), 0, 2, 1); unfold(x, 0, 0, 1)
unfold(t([0, 1, 2, 3, 4, 5, 6, 7]), 0, 5, 2); flip(x, (0, 0)); flip(x, (2,)); flip(x, (-1,)); flip(x, ())
fliplr(z(3)); fliplr(x); flipud(t(1)); flipud(x); rot90(x, 1, (0,)); rot90(x, 1, (0, 0)); rot90(x, 1, (0, 2))
rot90(x); rot90(x, -1); rot90(x, 2); rot90(x, 3, (1, 0)); rot90(z(3)); roll(x, (1, 2), (0,)); roll(x, (1, 2))
roll(x, (), ()); roll(x, 1, 5); roll(x, 1); roll(x, (1, -1), (0, 1)); roll(t(1), 1, 0); repeat(x, 2); repeat(x, 2, -1)
repeat(x, 2, 1, 2); tile(x, (2,)); tile(x, (2, -1)); tile(x, (2, 1, 1)); tile(x, ()); repeat_interleave(x, 2)
repeat_interleave(x, -2); repeat_interleave(x, 2, 5); repeat_interleave(x, 2, 1); repeat_interleave(t([1, 2]))
repeat_interleave(x, t([1, 2]), 0); repeat_interleave(x, t([1, 2, 3]), 0); repeat_interleave(x, t([1.0, 2]), 0)
repeat_interleave(x, t([1, -2]), 0); repeat_interleave(x, t([[1, 2]]), 0)
repeat_interleave(x, t([1, 2]), 0, output_size=5); repeat_interleave(x, 2, 0, output_size=3)
repeat_interleave(x, t(2), 0); repeat_interleave(t(1), 2, 0); channel_shuffle(x, 2); channel_shuffle(z(2, 4, 3), 3)
channel_shuffle(z(2, 4, 3), 0); channel_shuffle(view(z(16), 2, 4, 2), 2); diag(x, 1); diag(t([1, 2]), -1)
diag(z(2, 2, 2)); diag(t(1)); diag_embed(z(2), 0, 0, 0); diag_embed(t(1)); diag_embed(x, 1); diag_embed(x, -2, 0, 2)
diagflat(x, 1); tril(z(3)); tril(x, 1); triu(x); triu(view(t([1, 2, 3, 4]), 1, 2, 2), 1); tril_indices(-1, 2)
tril_indices(2, 3, 1); triu_indices(2, 3, -1); triu_indices(2, 3, dtype=i32); tril_indices(2, 3, dtype=f64)
block_diag(); block_diag(z(2, 2, 2)); block_diag(x, t(1), t([1, 2])); cartesian_prod(); cartesian_prod(x)
cartesian_prod(t([1, 2]), t([3, 4])); combinations(x); combinations(t([1, 2, 3])); combinations(t([1, 2, 3]), 0)
combinations(t([1, 2, 3]), -1); combinations(t([1, 2, 3]), 4); combinations(t([1, 2, 3]), 2, True); meshgrid()
meshgrid(t([1, 2]), t([3, 4, 5]), indexing="ij"); meshgrid(t([1, 2]), t([3, 4, 5]), indexing="xy")
meshgrid(z(2), t([1]), indexing="ij"); meshgrid(z(2), z(2), indexing="ab"); gather(x, 1, t([0]))
gather(x, 1, t([[0], [0], [0]])); gather(x, 2, t([[0]])); gather(x, 1, t([[0]], dtype=i32))
gather(x, 1, t([[0]], dtype=i16)); gather(x, 1, t([[0.0]])); gather(t(1.0), 0, t([0, 0, 0]))
gather(x, 1, z(0, dtype=i64)); gather(x, 0, z(0, 2, dtype=i64)); gather(x, 0, t([[1, 0], [0, 0]]))
gather(t(1.0), 0, t(0)); scatter(x, 1, t([0]), 1.0); scatter(x, 1, t([[0], [0], [0]]), 1.0)
scatter(x, 1, t([[0], [0]]), z(1, 1)); scatter(x, 1, t([[0]]), 9); scatter(x, 1, t([[0], [0]]), t([[1], [2]]))
scatter(x, 1, t([[0], [0]]), z(2, 1), reduce="sum"); scatter(x, 1, t([[0.0]]), 1.0)
scatter(x, 1, t([[0], [0]]), t([[5.0], [6.0]]), reduce="add"); scatter(x, 1, t([[0], [2]]), 2, reduce="multiply")
scatter(x, 0, t([[1, 0]]), x); scatter(x, 1, t([[0], [0]]), t(2.0)); scatter(t(1.0), 0, t(0), 2.0)
scatter(t([1, 2]), 0, t([0]), 1.5); scatter(x, 1, t([[0]]), 1j); scatter_add(x, 1, t([[0, 0]]), x)
scatter_add(x, 1, t([[0], [0]]), z(1, 1)); scatter_add(x, 1, t([[0], [0]]), t([[1], [2]]))
scatter_add(t([True, False]), 0, t([0, 0]), t([True, True])); scatter_reduce(x, 1, t([[0]]), x, "foo")
scatter_reduce(t([True]), 0, t([0]), t([False]), "mean"); scatter_reduce(t([1, 2]), 0, t([0, 0]), t([-3, -4]), "mean")
index_select(x, 1, t([[0]])); index_select(x, 1, t(0)); index_select(x, 1, t([2, 0])); index_select(x, 1, t([0.0]))
index_select(x, 3, t([0])); index_select(t(1.0), 0, t([0, 0])); index_select(t(1.0), 0, t([0]))
index_add(x, 0, t([0]), z(2, 3)); index_add(x, 0, t([0]), z(1, 4)); index_add(x, 0, t([0]), t([[1, 2, 3]]))
index_add(x, 0, t([[0]]), z(1, 3)); index_add(x, 0, t([0.0]), z(1, 3)); index_add(x, 0, t([1, 1]), x, alpha=2)
index_copy(x, 0, t([0]), z(2, 3)); index_copy(x, 0, t([0]), z(1, 4)); index_copy(x, 0, t([0]), t([[1, 2, 3]]))
index_copy(x, 0, t([[0]]), z(1, 3)); index_copy(x, 0, t([0], dtype=i32), z(1, 3))
index_copy(x, 1, t([2, 0]), z(2, 2)); index_fill(x, 0, t([-1]), 1.0); index_fill(x, 0, t([[0]]), 1.0)
index_fill(x, 0, t([0], dtype=i32), 1.0); index_fill(x, 0, t([0]), z(1)); index_fill(x, 0, t([0]), 1j)
index_fill(x, 0, t(1), t(3.0)); index_put(x, (t([0]),), t(1)); index_put(x, (t([0]),), z(4))
index_put(x, (t([0]), t([0]), t([0])), t(1.0)); index_put(x, (t([0.0]),), t(1.0))
index_put(x, (t([0, 0]), t([1, 1])), t([2.0, 3.0]), accumulate=True); index_put(x, (t([True, False]),), t([1.0]))
index_put(x, (t(0),), t(1.0)); masked_fill(x, z(2, 3), 1.0); masked_fill(x, t([True, False, True]), z(1))
masked_fill(x, t([True, False, True]), 1j); masked_fill(z(3), t([[True], [False]]), 2)
masked_fill(t([1, 2]), t([True, False]), 1.5); masked_fill(x, t([True, False]), 1.0)
masked_scatter(x, t([True, False, True]), t([9.0, 8.0, 7.0, 6.0]))
masked_scatter(x, t([True, False, True]), t([1, 2, 3, 4])); masked_scatter(x, t([1]), z(5)); masked_select(x, x)
masked_select(x, t([True, False, True])); masked_select(x, t([True, False])); masked_select(t(1.0), t(True))
take(x, t([0], dtype=i32)); take(x, t([[-1, 2]])); take(z(0), t([0])); take_along_dim(x, t([[-1, 4]]), 1)
take_along_dim(x, t([0]), 1); take_along_dim(x, t([[0, 5]])); take_along_dim(x, t([[0.0]]), 1)
put(x, t([0, 1]), t([1.0])); put(x, t([0]), t([1])); put(x, t([0], dtype=i32), t([1.0]))
put(x, t([-1, 0]), t([7.0, 8.0])); put(x, t([0, 0]), z(2), True); nonzero(t(1.0)); nonzero(t(0.0))
nonzero(t(1.0), as_tuple=True); nonzero(x); argwhere(x); nonzero_static(x, size=2)
nonzero_static(x, size=7, fill_value=-3); nonzero_static(x, size=-1); fill(x, z(1)); fill(x, 1j); fill(x, t(3))
unravel_index(t([5, 6]), (2, 3)); unravel_index(t([5.0]), (2, 3)); unravel_index(t([5]), (2, -3)); arange(5)
arange(0, 1, 0.3); arange(1.0); arange(0, 5, -1); arange(0, 5, 0); arange(5, dtype=b); arange(0, 10, 2.5, dtype=i64)
arange(0.5, 3, dtype=i64); arange(5, 0, -2); arange(1j); arange(-3); arange("a"); arange(2, dtype=c64); arange(t(3))
linspace(0, 1, 5); linspace(3, -10, 7, dtype=i64); linspace(0, 1, -1); linspace(0, 1, 0); linspace(0, 1, 1)
linspace(0, 1j, 3); linspace(t([0.0]), t(1.0), 3); linspace(0, 1, 3, dtype=b); linspace(0, 1, 3.0)
linspace(0.9, 10.9, 7, dtype=u8); logspace(0, 4, 5, base=2.5, dtype=i64); logspace(0, 1, -3)
logspace(0, 1, 3, dtype=b); eye(3, 2, dtype=i64); eye(-1); eye(3, -1); zeros(-1); ones(-1); empty(2, -1); zeros(2.5)
zeros(True); zeros(2, foo=1); full((2,), 1); full((2,), True); full((2,), 1j); full((2,), 1.5, dtype=i64)
full((2,), 1j, dtype=f64); full(2, 1); full((2,), t(1.5)); full_like(x, 1j); full_like(x, 2, dtype=i64)
zeros_like(x, dtype=i64); ones_like(3); scalar_tensor(1); scalar_tensor(1j); scalar_tensor(2, dtype=i64)
new_full(x, (2,), 3); vander(t([0, 1, 2])); vander(z(2), 0); vander(z(2), -1); vander(x)
vander(t([0.0, 2.0]), 3, True); empty_permuted((2, 3), (1,)); empty_strided((2, 3), (1,))
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", [line for line in CALLS.strip().splitlines()])
def test_as_pytorch(line):
    wrong = []
    for call in line.split("; "):
        (want, their_error), (got, my_error) = outcome(Torch(), call), outcome(Arrays(), call)
        if my_error != their_error:
            wrong.append(f"{call}: {my_error} for {their_error}")
        elif their_error is None:
            wrong += [f"{call}: {text}" for text in differences(got, want)]
    assert not wrong, "\n".join(wrong)


def differences(got, want):
    if isinstance(want, tuple | list) and not isinstance(want, torch.Size):
        if len(got) != len(want):
            return [f"{len(got)} results for {len(want)}"]
        return [text for pair in zip(got, want, strict=True) for text in differences(*pair)]
    if not isinstance(want, torch.Tensor):
        return [] if got == want else [f"{got} for {want}"]
    name = _dtypes.to_dtype(got.dtype).name
    if got.shape != tuple(want.shape) or name != str(want.dtype).partition(".")[2]:
        return [f"{got.shape} {name} for {tuple(want.shape)} {want.dtype}"]
    same = np.allclose(np.asarray(got), want.resolve_conj().numpy(), rtol=1e-6, equal_nan=True)
    return [] if same else [f"{got} for {want}"]


FAMILIES = "shape broadcasting joining rearranging strided matrices slicing gathering scattering creation".split()


@pytest.mark.parametrize("family", FAMILIES)
def test_examples_hold_in_pytorch(family):
    module = importlib.import_module(f"funcgrad.ops.{family}")
    finder, runner, report = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(), []
    for name, function in list(vars(module).items()):
        if callable(function) and getattr(function, "__module__", "") == module.__name__ and not name.startswith("_"):
            assert function.__doc__, name
            for test in finder.find(function, name, globs={"torch": torch}):
                runner.run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("module", ["_layout", "views", "strides", "index_bounds", "indexing"])
def test_examples(module):
    with jax.enable_x64(True):
        module = importlib.import_module(f"funcgrad.ops.{module}")
        assert doctest.testmod(module, extraglobs={"jnp": jnp, "np": np}).failed == 0
