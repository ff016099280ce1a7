"""The container of a ``.pt`` file: a zip archive of uncompressed records, each starting at a multiple of 64 bytes.

Records: ``data.pkl`` (the object, its tensors by reference), ``data/0``, ``data/1``, … (the storages), ``byteorder``,
``version`` and a few more, all below one folder named after the file.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zipfile

import numpy as np

ALIGNMENT = 64
MAGIC = b"PK\x03\x04"
_LOCAL_HEADER = 30  # bytes before a record's name


def corrupt(why: str) -> RuntimeError:
    return RuntimeError(
        f"PytorchStreamReader failed reading zip archive: {why}. The checkpoint file is probably corrupted: not "
        "completely saved or copied, or modified afterwards."
    )


class ArchiveReader:
    """Reads records by name; with `path` given, storages are mapped from the file instead of read."""

    def __init__(self, file, path: str | None = None):
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, struct.error, ValueError, OSError) as e:
            raise corrupt("failed finding central directory") from e
        self._records = {i.filename: i for i in self._zip.infolist()}
        names = [n for n in self._records if n.endswith("/data.pkl") and n.count("/") == 1]
        if len(names) != 1:
            raise corrupt("file not found: archive/data.pkl")
        self._folder = names[0].removesuffix("data.pkl")
        self._map = None
        if path is not None:
            with open(path, "rb") as f:
                self._map = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, name: str) -> bool:
        return self._folder + name in self._records

    def read(self, name: str) -> bytes:
        """A record's bytes, their checksum verified."""
        info = self._find(name)
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, struct.error) as e:
            raise corrupt(f"failed reading file {name}") from e

    def storage(self, name: str, nbytes: int) -> np.ndarray:
        """A storage's bytes, which must be at least `nbytes`."""
        info = self._find(name)
        if info.file_size < nbytes:
            raise corrupt(f"record {name} has {info.file_size} bytes instead of {nbytes}")
        if self._map is None or info.compress_type != zipfile.ZIP_STORED:
            return np.frombuffer(self.read(name), np.uint8)[:nbytes]
        start = info.header_offset
        name_size, extra_size = struct.unpack("<HH", self._map[start + 26 : start + _LOCAL_HEADER])
        start += _LOCAL_HEADER + name_size + extra_size
        if start + nbytes > len(self._map):
            raise corrupt(f"failed reading file {name}")
        return np.frombuffer(self._map, np.uint8, nbytes, start)

    def _find(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._records[self._folder + name]
        except KeyError:
            raise corrupt(f"file not found: {self._folder}{name}") from None


class ArchiveWriter:
    """Writes records in order; `close` adds the trailing ones."""

    def __init__(self, file, folder: str = "archive"):
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._folder = folder
        self._digest = hashlib.sha1()

    def write(self, name: str, data) -> None:
        info = zipfile.ZipInfo(f"{self._folder}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
        data = memoryview(data).cast("B") if len(data) else b""
        large = len(data) * 1.05 > zipfile.ZIP64_LIMIT  # then zipfile adds an extra field of 20 bytes to the header
        used = self._zip.start_dir + _LOCAL_HEADER + len(info.filename.encode()) + 4 + (20 if large else 0)
        padding = -used % ALIGNMENT
        info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        self._zip.writestr(info, data)
        self._digest.update(f"{name}:{info.CRC}".encode())

    def close(self) -> None:
        self.write("version", b"3\n")
        self.write(".data/serialization_id", f"{int(self._digest.hexdigest(), 16) % 10**40:040d}".encode())
        self._zip.close()
