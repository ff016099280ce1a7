"""``torch.hub``: models from a folder with a ``hubconf.py``, and files from the web.

See https://docs.pytorch.org/docs/stable/hub.html.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import tempfile
import urllib.parse
import urllib.request

from funcgrad import serialization
from funcgrad._errors import unsupported

_HASH = re.compile(r"-([a-f0-9]*)\.")
_folder: list[str | None] = [None]


def get_dir() -> str:
    """Where downloads are kept: ``$TORCH_HOME/hub``, by default ``~/.cache/torch/hub``."""
    if _folder[0] is not None:
        return _folder[0]
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch"))), "hub")


def set_dir(d: str) -> None:
    """Keep downloads in `d`."""
    _folder[0] = os.path.expanduser(d)


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Download a file.

    Raises:
        RuntimeError: its SHA-256 does not begin with `hash_prefix`; nothing is kept then.
    """
    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(dst) or ".", delete=False) as file:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"User-Agent": "torch.hub"})) as source:
                while block := source.read(1 << 17):
                    digest.update(block)
                    file.write(block)
            found = digest.hexdigest()
            if hash_prefix is not None and not found.startswith(hash_prefix):
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found[: len(hash_prefix)]}")')
        except BaseException:
            os.unlink(file.name)
            raise
    os.replace(file.name, dst)


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location=None, progress: bool = True, check_hash: bool = False,
    file_name: str | None = None, weights_only: bool = False,
):  # fmt: skip
    """`torch.load` of a file from the web, which is downloaded once."""
    model_dir = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(model_dir, exist_ok=True)
    name = file_name or os.path.basename(urllib.parse.urlparse(url).path)
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        match = _HASH.search(name) if check_hash else None
        download_url_to_file(url, path, match.group(1) if match else None, progress)
    return serialization.load(path, map_location=map_location, weights_only=weights_only)


def _hubconf(folder: str, source: str):
    if source != "local":
        raise unsupported("torch.hub.load(source='github')", "clone the repository and pass source='local'")
    folder = os.path.abspath(folder)
    spec = importlib.util.spec_from_file_location("hubconf", os.path.join(folder, "hubconf.py"))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def _entry(folder: str, name: str, source: str):
    function = getattr(_hubconf(folder, source), name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


def load(repo_or_dir: str, model: str, *args, source: str = "github", trust_repo=None, force_reload=False, verbose=True,
         skip_validation=False, **kwargs):  # fmt: skip
    """Call the entry `model` of a folder's ``hubconf.py``; only ``source="local"`` is supported."""
    return _entry(repo_or_dir, model, source)(*args, **kwargs)


def list(github: str, force_reload=False, skip_validation=False, trust_repo=None, verbose=True, source="github"):
    """The entries of a folder's ``hubconf.py``; only ``source="local"`` is supported."""
    module = _hubconf(github, source)
    return [name for name, f in vars(module).items() if callable(f) and not name.startswith("_")]


def help(github: str, model: str, force_reload=False, skip_validation=False, trust_repo=None, source="github"):
    """The docstring of an entry; only ``source="local"`` is supported."""
    return _entry(github, model, source).__doc__
