"""`torch.utils.data`: the same batches, draws and errors as PyTorch for the same seed."""

import collections
import importlib
import random
import warnings

import numpy as np
import pytest
import torch
from parity import both

import funcgrad
import funcgrad.utils.data

LIBRARIES = {"torch": torch, "funcgrad": funcgrad}
Pair = collections.namedtuple("Pair", "a b")


class Custom(dict):
    pass


def plain(x):
    """A result as Python values that can be compared between libraries, types and dtypes included."""
    if isinstance(x, torch.Tensor | funcgrad.Tensor):
        return ("tensor", str(x.dtype), tuple(x.shape), x.tolist())
    if isinstance(x, np.ndarray):
        return ("array", str(x.dtype), x.tolist())
    if isinstance(x, dict):
        return (type(x).__name__, {k: plain(v) for k, v in x.items()})
    if isinstance(x, list | tuple):
        return (type(x).__name__, [plain(v) for v in x])
    return x


def outcome(scenario, library):
    """What `scenario` returns under a library, or its error's class and first line."""
    library.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return plain(scenario(library, library.utils.data))
    except Exception as e:
        return type(e).__name__, str(e).split("\n")[0]


def same(scenario):
    assert outcome(scenario, funcgrad) == outcome(scenario, torch)


def classes(t, d):
    """Datasets of one library."""

    class Squares(d.Dataset):
        def __len__(self):
            return 11

        def __getitem__(self, i):
            return i, float(i * i)

    class NoLength(d.Dataset):
        def __getitem__(self, i):
            return i

    class Batched(Squares):
        def __getitems__(self, indices):
            return [(i, -1) for i in indices]

    class Stream(d.IterableDataset):
        def __init__(self, n=7):
            self.n = n

        def __iter__(self):
            info = d.get_worker_info()
            return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))

    class Sized(Stream):
        def __len__(self):
            return 3

    class Noisy(d.Dataset):
        def __len__(self):
            return 9

        def __getitem__(self, i):
            info = d.get_worker_info()
            where = None if info is None else (info.id, info.num_workers, info.seed)
            return i, where, round(random.random(), 12), round(float(np.random.rand()), 12)

    tensors = d.TensorDataset(t.from_numpy(np.arange(12.0).reshape(6, 2)), t.from_numpy(np.arange(6)))
    return argparse_namespace(locals())


def argparse_namespace(values):
    return type("Classes", (), {k: staticmethod(v) if callable(v) else v for k, v in values.items()})


LOADERS = {
    "plain": "list(d.DataLoader(c.tensors, batch_size=4))",
    "dropped": "list(d.DataLoader(c.tensors, batch_size=4, drop_last=True))",
    "shuffled": "list(d.DataLoader(c.tensors, 4, True)) + list(d.DataLoader(c.tensors, 4, shuffle=True))",
    "own generator": "list(d.DataLoader(c.Squares(), 3, shuffle=True, generator=t.Generator().manual_seed(5)))",
    "numbers": "list(d.DataLoader(c.Squares(), batch_size=4))",
    "no batches": "list(d.DataLoader(c.Squares(), batch_size=None))",
    "sampler asks for lists": "list(d.DataLoader(c.tensors, batch_size=None, sampler=[[1, 2], [3]]))",
    "whole batches": "list(d.DataLoader(c.Batched(), batch_size=4))",
    "collate_fn": "list(d.DataLoader(c.tensors, 4, collate_fn=len))",
    "batch_sampler": "list(d.DataLoader(c.tensors, batch_sampler=[[5, 0], [1]]))",
    "subset": "list(d.DataLoader(d.Subset(d.Subset(c.tensors, [5, 3, 1]), [2, 0]), 2))",
    "random subset": "list(d.DataLoader(c.Squares(), 2, sampler=d.SubsetRandomSampler([1, 2, 3, 7])))",
    "stream": "list(d.DataLoader(c.Stream(), batch_size=3))",
    "stream, dropped": "list(d.DataLoader(c.Stream(), batch_size=3, drop_last=True))",
    "stream, no batches": "list(d.DataLoader(c.Stream(), batch_size=None))",
    "sized stream": "list(d.DataLoader(c.Sized(), batch_size=2)), len(d.DataLoader(c.Sized(), batch_size=2))",
    "dict": "list(d.DataLoader({0: 1, 1: 2}))",
    "two passes": "(lambda x: [list(x), list(x)])(d.DataLoader(c.Squares(), 3, shuffle=True))",
    "main draws after": "list(d.DataLoader(c.Squares(), 3, shuffle=True)), t.randperm(5)",
    "main draws between": "(lambda it: [next(it), t.randperm(5), next(it)])(iter(d.DataLoader(c.Squares(), 3, True)))",
    "drawn before": "(lambda it: [t.randperm(5), next(it)])(iter(d.DataLoader(c.Squares(), 3, True)))",
    "chain": "list(d.DataLoader(c.Stream() + c.Sized(), 3))",
    "concat": "list(d.DataLoader(c.Squares() + c.Squares(), 5, shuffle=True))",
    "stack": "list(d.DataLoader(d.StackDataset(x=c.Squares(), y=range(11)), 4))",
    "empty": "list(d.DataLoader([]))",
    "pinned": "list(d.DataLoader([1, 2], pin_memory=True))",
    "weighted": "list(d.WeightedRandomSampler([0.1, 0.5, 0.4], 20))",
    "weighted, no replacement": "list(d.WeightedRandomSampler([0.1, 0.5, 0.4, 2.0], 3, replacement=False))",
    "replacement": "list(d.RandomSampler(range(9), replacement=True, num_samples=70))",
    "many": "list(d.RandomSampler(range(9), num_samples=30))",
    "few": "list(d.RandomSampler(range(9), num_samples=4))",
    "generator moves": "(lambda g: [list(d.RandomSampler(range(6), generator=g)) for _ in range(3)])(t.Generator())",
    "batches": "list(d.BatchSampler(iter(range(7)), 3, False)), list(d.BatchSampler(range(7), 3, True))",
    "split": "[s.indices for s in d.random_split(range(10), [3, 7])]",
    "split fractions": "[s.indices for s in d.random_split(range(11), [0.5, 0.25, 0.25])]",
    "split own": "[s.indices for s in d.random_split(range(9), [8, 1], generator=t.Generator().manual_seed(3))]",
    "distributed": "list(d.DistributedSampler(range(10), 3, 1, seed=4))",
    "distributed, dropped": "list(d.DistributedSampler(range(10), 3, 2, drop_last=True))",
    "distributed, few": "list(d.DistributedSampler(range(2), 5, 4, shuffle=False))",
}


@pytest.mark.parametrize("code", LOADERS.values(), ids=LOADERS)
def test_batches(code):
    program = compile(code, "<scenario>", "eval")
    same(lambda t, d: eval(program, {"t": t, "d": d, "c": classes(t, d)}))


ERRORS = """
DataLoader(c.tensors, num_workers=-1)
DataLoader(c.tensors, timeout=-1)
list(DataLoader(c.tensors, timeout=3))
DataLoader(c.tensors, prefetch_factor=2)
DataLoader(c.tensors, num_workers=1, prefetch_factor=-1)
DataLoader(c.tensors, persistent_workers=True)
DataLoader(c.tensors, multiprocessing_context="fork")
DataLoader(c.tensors, multiprocessing_context=3, num_workers=1)
DataLoader(c.Stream(), shuffle=True)
DataLoader(c.Stream(), sampler=[1])
DataLoader(c.Stream(), batch_sampler=[[1]])
len(DataLoader(c.NoLength()))
DataLoader(c.NoLength(), shuffle=True)
DataLoader(c.tensors, sampler=[1], shuffle=True)
DataLoader(c.tensors, batch_sampler=[[1]], batch_size=2)
DataLoader(c.tensors, batch_size=None, drop_last=True)
DataLoader(c.tensors, batch_size=0)
DataLoader(c.tensors, batch_size=2.5)
DataLoader(c.tensors, batch_size=True)
DataLoader(c.tensors, drop_last=3)
DataLoader([], shuffle=True)
setattr(DataLoader(c.tensors), "batch_size", 3)
setattr(DataLoader(c.tensors), "sampler", 3)
RandomSampler([])
RandomSampler([1], replacement=3)
RandomSampler([1], num_samples=0)
WeightedRandomSampler([1, 2], 0)
WeightedRandomSampler([[1, 2]], 3)
WeightedRandomSampler([1, 2], 3, 3)
list(WeightedRandomSampler([1, 2], 3, replacement=False))
BatchSampler([1], 0, False)
BatchSampler([1], 2, 3)
random_split(range(10), [3, 8])
random_split(range(10), [0.5, 0.4])
random_split(range(3), [-0.5, 1.5])
TensorDataset(t.from_numpy(c.ones(2)), t.from_numpy(c.ones(3)))
ConcatDataset([])
ConcatDataset([c.Stream()])
ConcatDataset([[1], [2, 3]])[-4]
ConcatDataset([[1], [2, 3]])[3]
list(ChainDataset([[1]]))
StackDataset([1], [2, 3])
StackDataset()
StackDataset([1], a=[2])
Dataset()[0]
len(Dataset())
DistributedSampler(range(10), 3, 3)
DistributedSampler(range(10))
default_collate([None])
default_collate([[1], [2, 3]])
default_collate([c.ones(2), c.ones(3)])
default_collate([t.from_numpy(c.ones(2)), t.from_numpy(c.ones(3))])
default_collate([{"a": 1}, {"b": 1}])
default_collate([c.array(["a"])])
""".strip().split("\n")


@pytest.mark.parametrize("code", ERRORS)
def test_errors(code):
    program = compile(code, "<scenario>", "eval")

    def scenario(t, d):
        c = classes(t, d)
        c.ones, c.array = staticmethod(np.ones), staticmethod(np.array)
        return eval(program, vars(d) | {"t": t, "c": c})

    assert isinstance(outcome(scenario, torch)[1], str), "PyTorch accepts this"
    same(scenario)


SAMPLES = {
    "ints": [1, 2],
    "bools": [True, False],
    "floats": [1.0, 2],
    "mixed": [1, 2.5],
    "strings": ["a", "b"],
    "tuples": [(1, 2.0), (3, 4.0)],
    "lists": [[1, np.float32(2)], [3, np.float32(4)]],
    "named": [Pair(1, "x"), Pair(3, "y")],
    "dicts": [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
    "own mapping": [Custom(a=1), Custom(a=2)],
    "ordered": [collections.OrderedDict(a=1)],
    "default": [collections.defaultdict(int, a=1)],
    "arrays": [np.ones(2, np.float16), np.zeros(2, np.float16)],
    "0-d arrays": [np.array(1), np.array(2)],
    "numpy numbers": [np.int32(1), np.int32(2)],
    "numpy bools": [np.bool_(True)],
    "transposed": [np.arange(6).reshape(2, 3).T],
    "empty tuples": [(), ()],
    "an array": np.arange(6).reshape(2, 3),
    "a tuple": ((1, 2), (3, 4)),
    "ranges": [range(2), range(2)],
    "different dtypes": [np.ones(2), np.ones(2, np.float32)],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_collate_and_convert(name):
    samples = SAMPLES[name]
    same(lambda t, d: d.default_collate(samples))
    same(lambda t, d: d.default_convert(samples))
    same(lambda t, d: d.DataLoader(samples, collate_fn=d.default_collate).collate_fn(samples))


def test_collate_tensors():
    for dtype in (np.float32, np.int64, np.bool_):
        same(lambda t, d, dtype=dtype: d.default_collate([t.from_numpy(np.ones((2, 3), dtype)) for _ in range(3)]))


def test_collate_keeps_gradients():
    x = funcgrad.from_numpy(np.ones(2, np.float32)).requires_grad_()
    assert funcgrad.utils.data.default_collate([x, x]).requires_grad


def test_collate_records_nothing_for_host_values(monkeypatch):
    collate = importlib.import_module("funcgrad.utils.data._utils.collate")
    monkeypatch.setattr(collate._operators, "call", None)
    samples = [(funcgrad.from_numpy(np.ones(3)), np.ones(2), 1) for _ in range(4)]
    assert [tuple(b.shape) for b in funcgrad.utils.data.default_collate(samples)] == [(4, 3), (4, 2), (4,)]


def test_tensor_datasets_are_indexed_once_a_batch(monkeypatch):
    d = funcgrad.utils.data
    x = funcgrad.from_numpy(np.arange(12.0).reshape(6, 2))
    data = d.TensorDataset(x * 2, funcgrad.from_numpy(np.arange(6)))
    monkeypatch.setattr(funcgrad.Tensor, "__getitem__", None)
    batches = list(d.DataLoader(d.Subset(data, [5, 1, 0]), batch_size=2))
    assert [[t.tolist() for t in batch] for batch in batches] == [
        [[[20.0, 22.0], [4.0, 6.0]], [5, 1]],
        [[[0.0, 2.0]], [0]],
    ]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_see_pytorchs_numbers(workers):
    """PyTorch starts processes; the batches, seeds and draws inside the workers are the same."""
    options = {"batch_size": 2, "num_workers": workers, "collate_fn": list}
    same(lambda t, d: list(d.DataLoader(classes(t, d).Noisy(), shuffle=True, **options)))
    same(lambda t, d: list(d.DataLoader(classes(t, d).Stream(8), **options)))


def test_workers_leave_the_callers_generators_alone():
    def scenario(t, d):
        batches = list(d.DataLoader(classes(t, d).Noisy(), batch_size=4, num_workers=2, collate_fn=list))
        return len(batches), t.randperm(6), random.random(), float(np.random.rand()), d.get_worker_info()

    same(scenario)


def test_persistent_workers_and_init():
    def scenario(t, d):
        def init(i):
            info = d.get_worker_info()
            info.dataset.n = 2 + i

        options = {"num_workers": 2, "batch_size": 2, "worker_init_fn": init, "persistent_workers": True}
        loader = d.DataLoader(classes(t, d).Stream(), **options)
        return [list(loader), list(loader)]

    same(scenario)


def test_generic_and_iterator():
    d = funcgrad.utils.data
    assert d.Dataset[int] and d.DataLoader[int] and d.Sampler[int]
    batches = iter(d.DataLoader([1, 2, 3], batch_size=2))
    assert iter(batches) is batches and len(batches) == 2 and isinstance(batches, collections.abc.Iterator)


def test_longer_stream_warns():
    class Short(funcgrad.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(4))

        def __len__(self):
            return 2

    loader = funcgrad.utils.data.DataLoader(Short(), batch_size=None)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2 .* but [34] samples have been fetched"):
        list(loader)


def test_a_loader_with_workers_goes_on_after_failing_batches():
    def code(torch):
        class Failing(torch.utils.data.Dataset):
            def __len__(self):
                return 11

            def __getitem__(self, index):
                if index % 3 == 0:
                    raise NotImplementedError(index)
                return index

        workers = 2 if torch is funcgrad else 0  # PyTorch would fork a process that runs JAX's threads
        found, loader = [], iter(torch.utils.data.DataLoader(Failing(), batch_size=2, num_workers=workers))
        while len(found) < 20:
            try:
                found.append(next(loader).tolist())
            except NotImplementedError:
                found.append("failed")
            except StopIteration:
                break
        return found

    both(code)


def test_two_iterations_of_one_sampler_draw_when_they_begin():
    def code(torch):
        sampler = torch.utils.data.WeightedRandomSampler([0.1, 0.5, 0.4], 4)
        first, second = iter(sampler), iter(sampler)
        torch.manual_seed(0)
        found = [next(first)]
        torch.manual_seed(0)
        return [*found, *second, *first]

    both(code)


def test_start_methods_are_checked():
    both(lambda torch: torch.utils.data.DataLoader([1], num_workers=1, multiprocessing_context="bad"))
