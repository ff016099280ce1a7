"""What may stand beside a tensor, or be one where a number is meant: the same programs under both libraries."""

import array
import copy
import operator

import numpy as np
import pytest

from tests.parity import both

SIZES = {
    "factory": lambda torch: torch.ones(torch.tensor(3)),
    "factory of two": lambda torch: torch.zeros(torch.tensor(2), torch.tensor([3])),
    "product": lambda torch: torch.ones(torch.tensor([3, 2]).prod(0), 2),
    "tuple": lambda torch: torch.full((torch.tensor(3), 1), 2.0),
    "new": lambda torch: torch.ones(1).new_zeros(torch.tensor(3)),
    "view": lambda torch: torch.arange(12).view(torch.tensor(3), 4),
    "reshape": lambda torch: torch.arange(12).reshape(torch.tensor(3), -1),
    "expand": lambda torch: torch.arange(4).expand(torch.tensor(3), -1),
    "repeat": lambda torch: torch.arange(4).repeat(torch.tensor(3)),
    "arange": lambda torch: torch.arange(torch.tensor(3)),
    "arange of floats": lambda torch: torch.arange(torch.tensor(0.0), torch.tensor(3), 1),
    "eye": lambda torch: torch.eye(torch.tensor(3)),
    "dimension": lambda torch: torch.ones(2, 3).sum(torch.tensor(1)),
    "flip": lambda torch: torch.flip(torch.arange(3), [torch.tensor(0)]),
    "slice": lambda torch: torch.arange(5)[torch.tensor(1) : torch.tensor(4)],
    "slice of one element": lambda torch: torch.arange(5)[torch.tensor([1]) :: torch.tensor([2])],
    "slice of a float": lambda torch: torch.arange(5)[torch.tensor(0.0) : 2],
}


@pytest.mark.parametrize("name", SIZES)
def test_tensors_as_sizes_and_positions(name):
    both(SIZES[name])


class Other:
    """A type that knows what to do with a tensor."""

    __radd__ = __rsub__ = __rmul__ = __rpow__ = __rmatmul__ = __rand__ = __rmod__ = lambda self, other: "reflected"
    __truediv__ = __gt__ = __eq__ = lambda self, other: "asked"
    __hash__ = None


@pytest.mark.parametrize("other", [None, "a", [1, 2], Other()], ids=["None", "str", "list", "Other"])
def test_operators_leave_unknown_operands_to_them(other):
    def program(torch):
        x, answers = torch.tensor([1, 2]), []
        for name in "add sub mul truediv floordiv mod pow matmul and_ or_ lshift eq ne lt le gt ge".split():
            for operands in ((x, other), (other, x)):
                try:
                    answers.append((name, getattr(operator, name)(*operands)))
                except TypeError as e:
                    answers.append((name, str(e)))
        for name in "iadd isub imul itruediv ipow iand ilshift".split():
            try:
                answers.append((name, getattr(operator, name)(x.clone(), other)))
            except TypeError as e:
                answers.append((name, str(e)))
        return answers

    both(program)


def test_a_bool_among_the_indices_copies():
    def program(torch):
        x = torch.arange(24).view(2, 3, 4)
        a = torch.tensor(True)
        found = [
            x[True],
            x[False],
            x[True, None],
            x[False, True, ...],
            x[True, [0, 1], True, True, [1], [[2]]],
            x[a, a],
        ]
        return found, [t._is_view() for t in found]

    both(program)


class Items:
    """A sequence that is neither a list nor a tuple."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


DATA = {
    "range": lambda torch: torch.tensor(range(4)),
    "ranges": lambda torch: torch.tensor([range(2), [1.5, 2]]),
    "sequence": lambda torch: torch.tensor(Items(1, 2, 3)),
    "buffer": lambda torch: torch.tensor(memoryview(b"abc")),
    "array": lambda torch: torch.asarray(array.array("f", [1, 2])),
    "bytes": lambda torch: torch.tensor(b"abc"),
    "tensors": lambda torch: torch.tensor([torch.tensor(2.0), torch.tensor(3)]),
    "tensors of one element": lambda torch: torch.tensor([torch.tensor([2.0]), torch.tensor([3.0])]),
    "tensors and numbers": lambda torch: torch.tensor([1, torch.tensor([2.5]), True]),
    "vectors": lambda torch: torch.tensor([torch.tensor([2.0, 3.0]), torch.tensor([3.0, 4.0])]),
    "half and number": lambda torch: torch.tensor([torch.tensor(2.0, dtype=torch.float16), 1.0]),
    "double and int": lambda torch: torch.tensor([torch.tensor(2.0, dtype=torch.float64), 1]),
    "NumPy numbers": lambda torch: torch.tensor([np.int32(1), 1.5]),
    "arrays": lambda torch: torch.tensor([[1, 2], np.array([1.0, 2])]),
    "too large for uint8": lambda torch: torch.tensor([300], dtype=torch.uint8),
    "below zero as uint8": lambda torch: torch.tensor([-1], dtype=torch.uint8),
    "nan as int": lambda torch: torch.tensor([float("nan")], dtype=torch.int64),
    "floats as ints": lambda torch: torch.tensor([1.5, -2.5], dtype=torch.int32),
    "too large": lambda torch: torch.tensor([1 << 63]),
    "gradient of ints": lambda torch: torch.ones(2, dtype=torch.int64, requires_grad=True),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.filterwarnings("ignore:Creating a tensor from a list of numpy")
def test_data(name):
    both(DATA[name])


def test_conversions_to_python_numbers():
    def program(torch):
        def outcome(convert, x):
            try:
                return convert(x)
            except (ValueError, RuntimeError) as e:
                return type(e).__name__, str(e)

        given = [torch.tensor([]), torch.ones(2), torch.tensor(2.7), torch.tensor(1 + 0j), torch.tensor(1 + 2j)]
        return [outcome(convert, x) for x in given for convert in (int, float, complex)]

    both(program)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
def test_floats_that_an_integer_cannot_hold(dtype):
    values = [
        float("inf"),
        float("-inf"),
        float("nan"),
        1e20,
        -1e20,
        3e9,
        -3e9,
        300.0,
        -1.5,
        70000.0,
        2.0**31,
        -(2.0**31),
    ]
    both(
        lambda torch: [torch.tensor(values, dtype=d).to(getattr(torch, dtype)) for d in (torch.float32, torch.float64)]
    )


OUT = {
    "linspace": lambda torch, x: torch.linspace(0, 3, 4, out=x),
    "arange": lambda torch, x: torch.arange(0, 4, out=x),
    "logspace": lambda torch, x: torch.logspace(0, 3, 4, out=x),
    "add": lambda torch, x: torch.add(torch.ones(2, 2), 1, out=x),
}


@pytest.mark.parametrize("name", OUT)
def test_results_go_into_a_part_of_a_tensor(name):
    def program(torch):
        x = torch.zeros(2, 3)
        OUT[name](torch, x.narrow(1, 1, 2))
        return x

    both(program)


def test_draws_take_the_dtype_of_out():
    def program(torch):
        torch.manual_seed(0)
        made = [torch.rand(3, out=torch.empty(3, dtype=d)) for d in (torch.float64, torch.complex64)]
        made.append(torch.randn(20, out=torch.empty(20, dtype=torch.float64)))
        made.append(torch.randint(high=10, size=(3,)))
        made.append(torch.empty(3).random_(2, to=9))
        return [*made, torch.empty(3, dtype=torch.int64).random_(-5, None), torch.randint(3, (2,), out=torch.empty(2))]

    both(program)
    both(lambda torch: torch.rand(2, out=torch.empty(2, dtype=torch.float64), dtype=torch.float32))


ITSELF = "conj resolve_conj resolve_neg positive flatten atleast_1d atleast_2d conj_physical ravel".split()


def test_ops_with_nothing_to_do_return_their_argument():
    def program(torch):
        same = []
        for x in (torch.ones(3), torch.ones(2, 3), torch.arange(3), torch.ones(2, dtype=torch.complex64)):
            same += [getattr(torch, name)(x) is x for name in ITSELF if hasattr(torch, name)]
            same += [x.real is x, (+x) is x, x.sum_to_size(x.shape) is x, x.flatten(0, 0) is x]
        return same

    both(program)


@pytest.mark.parametrize("name", ["transpose_", "swapdims_", "squeeze_", "unsqueeze_", "as_strided_"])
def test_a_view_that_changes_its_shape_stays_one(name):
    args = {"transpose_": (0, 2), "swapdims_": (0, 1), "unsqueeze_": (0,), "as_strided_": ((25,), (1,))}.get(name, ())

    def program(torch):
        x = torch.ones(5, 1, 5)
        view = x.view_as(x)
        same = getattr(view, name)(*args) is view
        view[0] = 3
        return same, view._is_view(), view._base is x, view.shape == view.size(), view.stride(), x

    both(program)


def test_writing_values_of_another_dtype_by_index():
    for value in ([], [1.0, 2, 3], [1.0, 2, 3, 4], 2.0):
        for index in (lambda torch: torch.arange(4) > -1, lambda torch: torch.tensor([0, 1])):

            def program(torch, index=index, value=value):
                x = torch.arange(4)
                x[index(torch)] = torch.tensor(value)
                return x

            both(program)


def test_bytes_as_a_mask_warn():
    def program(torch):
        with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
            return torch.arange(3)[torch.tensor([1, 0, 1], dtype=torch.uint8)]

    both(program)


@pytest.mark.parametrize(
    "shapes", [((1, 2), (3,)), ((-1, 2), (2,)), ((2,), (3,)), (3, (3,)), (0, (3,)), (-6,), (1.5,), ((2, 1), [1, 3])]
)
def test_broadcast_shapes(shapes):
    both(lambda torch: tuple(torch.broadcast_shapes(*shapes)))


def test_small_disagreements():
    both(lambda torch: ~torch.ones(2))
    both(lambda torch: torch.roll(torch.arange(6).view(2, 3), 1, None))
    both(lambda torch: torch.nn.functional.hardshrink(torch.tensor([0.3, 0.5, 0.299], dtype=torch.bfloat16), 0.3))
    both(lambda torch: torch.abs(torch.tensor([3 + 4j]), out=torch.empty(1, dtype=torch.complex64)))
    both(lambda torch: torch.frexp(torch.ones(2), out=(torch.empty(2), torch.empty(2))))
    both(lambda torch: torch.testing.make_tensor(3, dtype=torch.uint8, device="cpu", low=-9, high=-5))


def test_draws_by_keyword():
    def program(torch):
        torch.manual_seed(0)
        made = [torch.empty(3).exponential_(lambd=2.0), torch.empty(3).cauchy_(median=2.0, sigma=0.5)]
        made += [torch.empty(3).geometric_(p=0.5), torch.empty(3).log_normal_(0, std=1)]
        return [*made, torch.empty(3).normal_(std=3), torch.empty(3).uniform_(to=3)]

    both(program)


def test_parts_of_complex_tensors_can_be_assigned():
    def program(torch):
        x, y = torch.zeros(2, dtype=torch.complex64), torch.zeros(2)
        x.real, x.imag, y.real = torch.ones(2), 3, torch.ones(2)
        return x, y

    both(program)
    both(lambda torch: setattr(torch.zeros(2), "imag", torch.ones(2)))


@pytest.mark.parametrize("elements", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("mask", [[True, True, False], [[True], [False]]])
def test_masked_scatter_wants_enough_elements(mask, elements):
    def program(torch):
        try:
            filled = torch.zeros(2, 3).masked_scatter(torch.tensor(mask), torch.arange(1.0, elements + 1))
            return filled.tolist()
        except RuntimeError as e:
            return str(e).partition(" (masked_scatter")[0]

    both(program)


def test_shallow_copies_share_memory():
    def program(torch):
        x, p = torch.zeros(2), torch.nn.Parameter(torch.zeros(2))
        copy.copy(x).fill_(1)
        return x, copy.copy(p), torch.ones(2).int().type(torch.Tensor)

    both(program)


def test_many_tensors_as_one():
    def program(torch):
        from importlib import import_module

        utils = import_module(f"{torch.__name__}._utils")
        parts = [torch.arange(3.0), torch.ones(2, 2)]
        flat = utils._flatten_dense_tensors(parts)
        return flat, utils._unflatten_dense_tensors(flat, parts), utils._element_size(torch.float64)

    both(program)
    both(lambda torch: torch.GradScaler is torch.amp.GradScaler)


def test_membership():
    def program(torch):
        x = torch.tensor([1.0, 2.0])

        def asked(element):
            try:
                return element in x
            except RuntimeError as e:
                return str(e)

        return [asked(e) for e in (1, True, 3.0, np.float32(1), torch.tensor(2.0), "a", None, [1])]

    both(program)


def test_zero_dimensional_arrays_as_sizes():
    both(lambda torch: torch.ones(np.array(3), np.int64(4)))
    both(lambda torch: torch.ones((np.int64(3), np.array(4))))
    both(lambda torch: torch.ones(np.array([3, 4])))


def test_factories_record_no_gradient():
    both(lambda torch: torch.linspace(torch.tensor(0.0, requires_grad=True), 1, 3))
    both(lambda torch: torch.cumsum(torch.ones(2), 0, out=torch.empty(2), dtype=torch.int32))
    both(lambda torch: torch.sum(torch.ones(2), 0, out=torch.empty(()), dtype=torch.int32))
    both(lambda torch: torch.sum(torch.ones(2), 0, out=torch.empty((), dtype=torch.float64)))


def test_positions_given_by_tensors_in_shared_memory():
    def program(torch):
        x, one, zero = torch.arange(6.0).view(2, 3), torch.tensor(1), torch.tensor(0)
        x.numpy()
        found = [x[one], x[one, zero], x[zero, one], x[torch.tensor(-1)], x[:, one], x[True], x[False], x[one, None]]
        x[one].fill_(9)
        x[zero, one] = 7
        return found, x

    both(program)


def test_complex_exponents():
    def program(torch):
        x, z = torch.tensor([2.0, 3.0]), torch.tensor([1 + 1j])
        powers = [torch.pow(x, 2 + 1j), x ** (2 + 0j), (2 + 1j) ** x, torch.pow(z, 2 + 0j), torch.pow(z, 0.5)]
        return [*powers, torch.pow(torch.tensor([2, 3]), 1j), torch.float_power(torch.tensor([2, 3]), 1 + 2j)]

    both(program)


@pytest.mark.parametrize("mode", ["floor", "trunc"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounded_quotients_of_halves(dtype, mode):
    draws = np.random.RandomState(0).random_sample((2, 5000)).astype(np.float32)

    def program(torch):
        x, y = (torch.from_numpy(d).to(getattr(torch, dtype)) for d in (draws[0] * 200 - 100, draws[1] * 20 - 10))
        return torch.div(x, y, rounding_mode=mode), torch.div(x, 3.3, rounding_mode=mode), torch.remainder(x, y)

    both(program)


def test_a_view_stays_where_its_index_was():
    def program(torch):
        x, i = torch.arange(6.0).view(2, 3), torch.tensor(0)
        view, last = x[i], x[torch.tensor(-1), i]
        i += 1
        x.add_(1)
        seen = [view.clone(), last.clone(), view.storage_offset(), last.storage_offset()]
        x.numpy()
        x.add_(1)
        return seen, view, last, view.data_ptr() == x[0].data_ptr(), last.data_ptr() == x[1].data_ptr()

    both(program)


KEYWORDS = {
    "expand": lambda torch, x: x.expand(size=(2, 3)),
    "broadcast_to": lambda torch, x: torch.broadcast_to(x, size=(2, 3)),
    "new of a size": lambda torch, x: x.new(size=(2, 3)).shape,
    "new of data": lambda torch, x: x.new(data=[2, 3]),
    "swapaxes": lambda torch, x: (x.swapaxes(axis0=0, axis1=1), torch.swapaxes(input=x, axis0=0, axis1=1)),
    "transpose": lambda torch, x: torch.transpose(input=x, dim0=0, dim1=1),
    "swapaxes_": lambda torch, x: x.swapaxes_(axis0=0, axis1=1),
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_views_by_keyword(name):
    both(lambda torch: KEYWORDS[name](torch, torch.ones(1, 3)))


NO_SIZES = {
    "matrix": lambda torch, t: torch.ones(t[None]),
    "vector": lambda torch, t: torch.ones(t),
    "floats": lambda torch, t: torch.zeros(t.float()),
    "in a tuple": lambda torch, t: torch.ones((t, 2)),
    "expand": lambda torch, t: t.expand(t),
    "repeat": lambda torch, t: t.repeat(t[None]),
}


@pytest.mark.parametrize("name", NO_SIZES)
def test_tensors_that_are_no_sizes(name):
    both(lambda torch: NO_SIZES[name](torch, torch.ones(2, dtype=torch.int64)))


@pytest.mark.parametrize("other", [[1], (1,), "a"], ids=repr)
def test_sums_of_sizes(other):
    def program(torch, swap):
        size = torch.Size([2, 3])
        total = other + size if swap else size + other
        return list(total), type(total).__name__

    both(lambda torch: program(torch, False))
    both(lambda torch: program(torch, True))


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")
@pytest.mark.parametrize("dtype", ["int32", "float32", "float16", "bool", "complex64"])
def test_operators_on_arrays_promote_as_numpy_does(dtype):
    def program(torch):
        x, found = torch.ones(2, dtype=getattr(torch, dtype)), []
        for kind in (np.float64, np.float32, np.int64, np.int8):
            array = np.ones(2, kind)
            found += [x + array, x * array, x / array, x == array, x + np.array(2, kind), kind(2) * x, x - kind(2)]
        return found

    both(program)


@pytest.mark.parametrize(
    "value", [[1, 2], (1,), np.ones(2), np.float32(2), np.int64(2), np.float64(2), "a", None, 2, True], ids=repr
)
def test_values_that_can_be_assigned(value):
    def program(torch):
        x = torch.zeros(2, 2)
        x[0] = value
        return x

    both(program)


def test_gradcheck_of_views():
    def program(torch):
        x = torch.arange(4.0, dtype=torch.float64).view(2, 2).requires_grad_()
        check = torch.autograd.gradcheck
        return [check(f, (x,)) for f in (lambda x: x, lambda x: x.unbind(), lambda x: x.t(), torch.atleast_1d)]

    both(program)


OWN_NAMES = {
    "cholesky": lambda torch, x: torch.linalg.cholesky(input=x),
    "eigvalsh": lambda torch, x: torch.linalg.eigvalsh(input=x),
    "matrix_power": lambda torch, x: torch.linalg.matrix_power(input=x, n=2),
    "lstsq": lambda torch, x: torch.linalg.lstsq(input=x, b=x)[0],
    "tensorsolve": lambda torch, x: torch.linalg.tensorsolve(input=x, other=torch.ones(2)),
    "inverse": lambda torch, x: torch.inverse(input=x),
    "hsplit": lambda torch, x: x.hsplit(sections=2) + torch.vsplit(x, indices=[1]),
    "tensor_split": lambda torch, x: torch.tensor_split(x, tensor_indices_or_sections=torch.tensor(2)),
    "split": lambda torch, x: torch.split(tensor=x, split_size_or_sections=1),
    "copy_": lambda torch, x: x.clone().copy_(other=x + 1),
    "resize_": lambda torch, x: x.clone().resize_(size=(2, 1)),
    "sum_to_size": lambda torch, x: x.sum_to_size(size=(1, 2)),
    "cholesky_solve": lambda torch, x: torch.cholesky_solve(input=x, input2=x),
    "ormqr": lambda torch, x: torch.ormqr(input=x, input2=torch.ones(2), input3=x),
    "one_hot": lambda torch, x: torch.nn.functional.one_hot(input=torch.tensor([1])),
    "bincount": lambda torch, x: torch.bincount(input=torch.tensor([1])),
    "unique": lambda torch, x: torch.unique(input=x, return_counts=True),
    "nonzero": lambda torch, x: torch.nonzero(input=x),
    "numel": lambda torch, x: (torch.numel(input=x), torch.is_complex(input=x), torch.is_floating_point(input=x)),
    "promote_types": lambda torch, x: str(torch.promote_types(type1=torch.int32, type2=torch.float32)),
    "where": lambda torch, x: x.where(condition=x > 0, other=x - 1),
    "where of bools": lambda torch, x: (x > 0).where(torch.tensor([False, False]), torch.tensor([False, True])),
    "left out": lambda torch, x: torch.cumsum(x),
    "both left out": lambda torch, x: x.swapaxes(),
}


@pytest.mark.parametrize("name", OWN_NAMES)
def test_arguments_by_the_names_that_pytorch_knows(name):
    both(lambda torch: OWN_NAMES[name](torch, torch.eye(2) + torch.ones(2, 2)))
