"""`torch.save` and `torch.load`: PyTorch's files in both directions, and no code from them."""

import collections
import io
import os
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest
import torch

import funcgrad
from funcgrad import serialization
from funcgrad._checkpoint.archive import ArchiveReader
from funcgrad.nn.parameter import Parameter

DTYPES = (
    "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 uint16 uint32 uint64 "
    "float8_e4m3fn float8_e5m2"
).split()
MODERN = {"uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"}  # not in the format before 1.6
OTHERS = [
    *(1, -5, 2**40, 2**100, 1.5, float("inf"), None, True, "uñi", b"by\xff", bytearray(b"q"), (1,), (1, 2, 3, 4)),
    *({1, 2}, 1 + 2j, collections.Counter("aab"), collections.OrderedDict(a=1), {"nested": [{"x": ()}]}),
]


def raw(x) -> tuple:
    """A tensor of either library: its kind, dtype, shape and bytes."""
    parameter = isinstance(x, Parameter | torch.nn.Parameter)
    shape = (parameter, str(x.dtype), tuple(x.shape), x.requires_grad)
    if x.device.type == "meta":
        return (*shape, "meta")
    if isinstance(x, torch.Tensor):
        return (*shape, x.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return (*shape, x.detach()._host().tobytes())


def plain(x):
    if isinstance(x, torch.Tensor | funcgrad.Tensor):
        return raw(x)
    if isinstance(x, torch.Size | funcgrad.Size | torch.dtype | funcgrad.dtype | torch.device | funcgrad.device):
        return repr(x)
    if isinstance(x, dict):
        return (type(x).__name__, {k: plain(v) for k, v in x.items()}, vars(x) if hasattr(x, "__dict__") else None)
    if isinstance(x, list | tuple):
        return (type(x).__name__, [plain(v) for v in x])
    return (type(x).__name__, x)


def written(module, value, **options) -> io.BytesIO:
    file = io.BytesIO()
    module.save(value, file, **options)
    file.seek(0)
    return file


def checkpoint() -> dict:
    """A bit of everything, as PyTorch's objects."""
    x = torch.arange(24.0).reshape(2, 3, 4)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    return {
        "dtypes": {d: torch.arange(6).to(getattr(torch, d)).reshape(2, 3) for d in DTYPES},
        "whole": x, "transposed": x.transpose(0, 2), "window": x[1, :, 1:3], "expanded": torch.ones(1).expand(5),
        "twice": [x, x], "empty": torch.zeros(0, 3), "scalar": torch.tensor(3.5),
        "leaf": torch.ones(2, requires_grad=True),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)), "frozen": torch.nn.Parameter(torch.ones(2), False),
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "others": OTHERS,
        "dtype": torch.bfloat16, "device": torch.device("cuda", 1), "size": x.shape, "cpu": torch.device("cpu"),
    }  # fmt: skip


def mine(x, memo=None):
    """The same objects as funcgrad's."""
    memo = {} if memo is None else memo
    if isinstance(x, torch.nn.Parameter):
        return Parameter(mine(x.detach()), x.requires_grad)
    if isinstance(x, torch.Tensor):
        array = x.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
        array = array.view(getattr(funcgrad, str(x.dtype)[6:]).numpy).reshape(x.shape)
        return memo.setdefault(id(x), funcgrad._facade._creation.from_array(array).requires_grad_(x.requires_grad))
    if isinstance(x, torch.Size):
        return funcgrad.Size(x)
    if isinstance(x, torch.dtype):
        return getattr(funcgrad, str(x)[6:])
    if isinstance(x, torch.device):
        return funcgrad.device(str(x))
    if isinstance(x, collections.OrderedDict):
        made = collections.OrderedDict((k, mine(v, memo)) for k, v in x.items())
        made.__dict__.update(vars(x))
        return made
    if type(x) is dict:
        return {k: mine(v, memo) for k, v in x.items()}
    return [mine(v, memo) for v in x] if type(x) is list else x


def old(value: dict) -> dict:
    return value | {"dtypes": {d: t for d, t in value["dtypes"].items() if d not in MODERN}}


# -- both directions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("weights_only", [True, False])
def test_reads_what_pytorch_writes(protocol, weights_only):
    value = checkpoint()
    file = written(torch, value, pickle_protocol=protocol)
    assert plain(serialization.load(file, weights_only=weights_only)) == plain(value)


@pytest.mark.parametrize("weights_only", [True, False])
def test_reads_the_format_before_1_6(weights_only):
    value = old(checkpoint())
    file = written(torch, value, _use_new_zipfile_serialization=False)
    assert plain(serialization.load(file, weights_only=weights_only)) == plain(value)


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_reads_what_is_written(zipped):
    value = checkpoint() if zipped else old(checkpoint())
    for weights_only in (True, False):
        file = written(serialization, mine(value), _use_new_zipfile_serialization=zipped)
        assert plain(torch.load(file, weights_only=weights_only)) == plain(value)
    file.seek(0)
    assert plain(serialization.load(file)) == plain(value)


@pytest.mark.parametrize("mmap", [True, False])
def test_paths_and_mapped_files(tmp_path, mmap):
    value = checkpoint()
    torch.save(value, tmp_path / "theirs.pt")
    serialization.save(mine(value), tmp_path / "ours.pt")
    assert plain(serialization.load(tmp_path / "theirs.pt", mmap=mmap)) == plain(value)
    assert plain(serialization.load(str(tmp_path / "ours.pt"), mmap=mmap)) == plain(value)
    assert plain(torch.load(tmp_path / "ours.pt", mmap=mmap)) == plain(value)
    assert zipfile.ZipFile(tmp_path / "ours.pt").namelist()[0] == "ours/data.pkl"
    with open(tmp_path / "ours.pt", "rb") as file:
        assert plain(serialization.load(file)) == plain(value)


def test_meta_tensors():
    value = {"m": torch.zeros(2, 3, device="meta", dtype=torch.int64)}
    found = serialization.load(written(torch, value))["m"]
    assert (tuple(found.shape), found.device.type, str(found.dtype)) == ((2, 3), "meta", "torch.int64")
    back = torch.load(written(serialization, {"m": found}))["m"]
    assert raw(back) == raw(value["m"])


def test_identity_and_shared_storage_are_kept():
    x = torch.arange(6.0)
    found = serialization.load(written(torch, [x, x, x.view(2, 3), x[2:4], x.detach()]))
    assert found[0] is found[1]
    found[0].fill_(7.0)
    assert [t.tolist() for t in found[2:4]] == [[[7.0] * 3] * 2, [7.0, 7.0]]
    found[3].fill_(1.0)
    assert found[4].tolist() == [7.0, 7.0, 1.0, 1.0, 7.0, 7.0]


def test_views_are_written_as_windows_of_one_storage():
    x = funcgrad.from_numpy(np.arange(12.0, dtype=np.float32))
    m = x.view(3, 4)
    views = {"x": x, "m": m, "d": m.detach(), "t": m.t(), "row": m[1], "block": m[1:, 1:3], "e": x[:1].expand(4)}
    file = written(serialization, views)
    found = torch.load(file)
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in views.items()}
    assert {v.untyped_storage().data_ptr() for v in found.values()} == {found["x"].data_ptr()}
    assert found["t"].stride() == (1, 4) and found["block"].storage_offset() == 5 and found["e"].stride() == (0,)
    assert len([n for n in zipfile.ZipFile(file).namelist() if "/data/" in n]) == 1


def test_attributes_of_tensors():
    x = torch.ones(2)
    x.note = "hello"
    p = torch.nn.Parameter(torch.ones(2))
    p.note = [1]
    found = serialization.load(written(torch, [x, p]))
    assert found[0].note == "hello" and found[1].note == [1] and type(found[1]) is Parameter
    back = torch.load(written(serialization, found))
    assert back[0].note == "hello" and back[1].note == [1] and type(back[1]) is torch.nn.Parameter


def test_several_objects_of_one_file_are_refused_like_garbage():
    with pytest.raises(EOFError):
        serialization.load(io.BytesIO())


def test_records_are_aligned_and_complete(monkeypatch):
    for limit in (zipfile.ZIP64_LIMIT, 300):  # the second: as if every storage were larger than 2 GB
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
        value = {str(n): funcgrad.from_numpy(np.arange(n)) for n in (0, 1, 7, 100)}
        file = written(serialization, value)
        data = file.getvalue()
        found = {k: v.tolist() for k, v in torch.load(file).items()}
        assert found == {k: v.tolist() for k, v in value.items()}
        for info in zipfile.ZipFile(file).infolist():
            name, extra = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            assert (info.header_offset + 30 + name + extra) % 64 == 0
        assert zipfile.ZipFile(file).testzip() is None
        assert ArchiveReader(file).read("version") == b"3\n"


# -- devices ----------------------------------------------------------------------------------------------------------


def cuda_file() -> io.BytesIO:
    """A checkpoint of a tensor that was on a GPU."""
    source = zipfile.ZipFile(written(torch, {"a": torch.arange(3.0)}))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith("data.pkl"):
                data = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            target.writestr(info.filename, data)
    file.seek(0)
    return file


PLACES = ["cpu", funcgrad.device("cpu"), {"cuda:0": "cpu"}, lambda s, place: s.cpu() if place == "cuda:0" else None]


@pytest.mark.parametrize("where", PLACES)
def test_map_location(where):
    found = serialization.load(cuda_file(), map_location=where)["a"]
    assert found.tolist() == [0.0, 1.0, 2.0] and found.device.type == "cpu"


def test_missing_devices():
    if funcgrad._device.jax_devices("cuda"):
        pytest.skip("there is a GPU")
    for where in (None, "cuda", lambda s, place: None):
        with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on a CUDA device but torch\.cuda"):
            serialization.load(cuda_file(), map_location=where)
    with pytest.raises(RuntimeError, match=r"don't know how to restore data location .*tagged with nowhere"):
        serialization.load(cuda_file(), map_location="nowhere")
    found = serialization.load(cuda_file(), map_location="meta")["a"]
    assert found.device.type == "meta" and tuple(found.shape) == (3,)


# -- errors -----------------------------------------------------------------------------------------------------------


def test_bad_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        serialization.load(tmp_path / "none.pt")
    with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seekable"):
        serialization.load(3)
    with pytest.raises(AttributeError, match="expected 'f' to be string, path, or a file-like object with a 'write'"):
        serialization.save(3, 3)
    with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist\."):
        serialization.save(3, tmp_path / "nowhere" / "x.pt")
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        serialization.load(io.BytesIO(), mmap=True)
    with pytest.raises(RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"):
        serialization.load(io.BytesIO(), weights_only=True, pickle_module=pickle)
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        serialization.save(lambda: 3, tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


def test_damaged_archives():
    data = written(torch, {"a": torch.zeros(100)}).getvalue()
    for size in (10, 300, len(data) - 50):
        with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading zip archive"):
            serialization.load(io.BytesIO(data[:size]))
    flipped = bytearray(written(torch, {"a": torch.full((100,), 3.0)}).getvalue())
    flipped[flipped.index(b"\x00\x00\x40\x40" * 50) + 7] ^= 1
    with pytest.raises(RuntimeError, match="PytorchStreamReader failed"):
        serialization.load(io.BytesIO(bytes(flipped)))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        serialization.load(io.BytesIO(b"garbage, indeed"))
    with pytest.raises(RuntimeError, match="Invalid magic number; corrupt file"):
        serialization.load(io.BytesIO(pickle.dumps({"a": 1}, 2)))
    npz = io.BytesIO()
    np.savez(npz, a=1)
    npz.seek(0)
    with pytest.raises(RuntimeError, match=r"file not found: archive/data\.pkl"):
        serialization.load(npz)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_damage_anywhere_is_an_error_and_nothing_worse():
    rng = random.Random(0)
    value = old(checkpoint())
    del value["optimizer"], value["model"]
    for zipped in (True, False):
        data = written(torch, value, _use_new_zipfile_serialization=zipped).getvalue()
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(rng.choice([1, 3])):
                damaged[rng.randrange(min(len(damaged), 3000))] = rng.randrange(256)
            try:
                serialization.load(io.BytesIO(bytes(damaged)))
            except (pickle.UnpicklingError, RuntimeError, EOFError, UnicodeDecodeError):
                pass


# -- nothing runs -----------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


class Note:
    loaded = 0

    def __init__(self, x):
        self.x = x

    def __setstate__(self, state):
        Note.loaded += 1
        self.__dict__.update(state)


def handmade(pickled: bytes) -> io.BytesIO:
    """An archive around a pickle written by hand."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
    file.seek(0)
    return file


def test_calls_are_refused(tmp_path):
    proof = tmp_path / "proof"
    for call in (
        Evil(os.mkdir, str(proof)),
        Evil(eval, f"open({str(proof)!r}, 'w')"),
        Evil(os.system, f"touch {proof}"),
    ):
        for options in ({}, {"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}):
            file = written(torch, {"w": torch.ones(2), "x": call}, **options)
            with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
                serialization.load(file)
    assert not proof.exists()
    serialization.load(written(torch, Evil(os.mkdir, str(proof))), weights_only=False)
    assert proof.exists()


STATE = b"}X\x01\x00\x00\x00aK\x01s"  # {"a": 1}
ATTACKS = {
    "a module that is blocked": b"\x80\x02cposix\nsystem\n.",
    "attributes of a class": b"\x80\x02ccollections\nOrderedDict\n" + STATE + b"b.",
    "attributes of a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + STATE + b"b.",
    "slots of a function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN" + STATE + b"\x86b.",
    "attributes of a dtype": b"\x80\x02ctorch\nfloat32\nN" + STATE + b"\x86b.",
    "a call of a dtype": b"\x80\x02ctorch\nfloat32\n)R.",
    "a call of a string": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "an object of a builtin": b"\x80\x02cbuiltins\nobject\n)\x81.",
    "a dotted name": b"\x80\x04\x8c\x05torch\x8c\x0cSize.__class__\x93.",
    "another codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "much memory": b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "a persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "an instance": b"\x80\x02(ios\ngetcwd\n.",
    "items for a string": b"\x80\x02X\x01\x00\x00\x00aK\x01a.",
    "no end": b"\x80\x02K\x01",
    "nothing on the stack": b"\x80\x02R.",
    "an unknown memo": b"\x80\x02h\x05.",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_handmade_pickles(name):
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        serialization.load(handmade(ATTACKS[name]))


def test_tensors_cannot_look_outside_their_storage():
    good = zipfile.ZipFile(written(torch, torch.arange(4.0)))
    pickled = good.read("archive/data.pkl")
    for before, after in (
        (b"K\x00K\x04\x85", b"K\x01K\x04\x85"),
        (b"K\x04\x85", b"K\x09\x85"),
        (b"K\x01\x85", b"K\x07\x85"),
    ):
        assert before in pickled
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for info in good.infolist():
                data = good.read(info)
                archive.writestr(info.filename, data.replace(before, after) if info.filename.endswith("pkl") else data)
        file.seek(0)
        with pytest.raises(RuntimeError, match="out of bounds"):
            serialization.load(file)


def test_allowed_classes():
    file = written(torch, {"n": Note(torch.ones(2))})
    name = f"{Note.__module__}.Note"
    with pytest.raises(
        pickle.UnpicklingError, match=rf"GLOBAL {name} was not an allowed global by default\. Please use"
    ):
        serialization.load(file)
    file.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(file) == [name]
    assert Note.loaded == 0
    with serialization.safe_globals([Note]):
        assert serialization.get_safe_globals() == [Note]
        assert serialization.get_unsafe_globals_in_checkpoint(file) == []
        assert serialization.load(file)["n"].x.tolist() == [1.0, 1.0]
    assert serialization.get_safe_globals() == [] and Note.loaded == 1
    serialization.add_safe_globals([(Note, name)])
    file.seek(0)
    assert serialization.load(file)["n"].x.tolist() == [1.0, 1.0]
    serialization.clear_safe_globals()
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        serialization.load(file)
    file.seek(0)
    assert serialization.load(file, weights_only=False)["n"].x.tolist() == [1.0, 1.0]


def test_numpy_arrays_when_allowed():
    array = np.arange(6.0).reshape(2, 3)
    file = written(torch, {"n": array})
    allowed = [np._core.multiarray._reconstruct, np.ndarray, np.dtype, type(np.dtype(np.float64))]
    names = [np._core.multiarray._reconstruct, (np.dtype, "numpy.dtype")]
    with serialization.safe_globals([*allowed, *names]):
        assert serialization.load(file)["n"].tolist() == array.tolist()


# -- whole modules ----------------------------------------------------------------------------------------------------


def small_model(library):
    nn = library.nn
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Dropout(0.5)).eval()


def test_whole_modules_cross_between_the_libraries():
    x = np.random.default_rng(0).random((5, 3), np.float32)
    model = small_model(torch)
    file = written(torch, model)
    loaded = serialization.load(file, weights_only=False)
    assert type(loaded) is funcgrad.nn.Sequential and not loaded.training
    expected = model(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(loaded(funcgrad.from_numpy(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    back = torch.load(written(serialization, loaded), weights_only=False)
    assert type(back) is torch.nn.Sequential
    np.testing.assert_allclose(back(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_whole_modules_need_permission():
    file = written(torch, small_model(torch))
    with pytest.raises(
        pickle.UnpicklingError, match=r"GLOBAL torch\.nn\.modules\.container\.Sequential was not an allowed"
    ):
        serialization.load(file)
    file.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(file)[0] == "torch.nn.modules.container.Sequential"
    nn = funcgrad.nn
    with serialization.safe_globals([nn.Sequential, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout]):
        assert type(serialization.load(file)) is nn.Sequential


def test_state_dicts_cross_between_the_libraries():
    theirs, ours = small_model(torch), small_model(funcgrad)
    ours.load_state_dict(serialization.load(written(torch, theirs.state_dict())))
    state = torch.load(written(serialization, ours.state_dict()))
    assert plain(state) == plain(theirs.state_dict())
    theirs.load_state_dict(state)


def test_names_that_funcgrad_lacks():
    class_name = b"\x80\x02ctorch.nowhere\nThing\n."
    with pytest.raises(NotImplementedError, match=r"torch\.nowhere\.Thing is not supported by funcgrad"):
        serialization.load(handmade(class_name), weights_only=False)
