"""The page reader of LMDB files gives what the library gives, and damage is an error instead of the process's end."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import lmdb
import pytest

from talkingface.data.lmdb.pages import DamagedError, PageFile
from talkingface.data.lmdb.store import LMDBStore
from talkingface.data.lmdb.write import LMDBWriter, content_digest
from talkingface.errors import DataError

HOSTILE = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "hostile" / "lmdb"


def fill(folder: Path, seed: int = 0, keys: int = 1500) -> dict[bytes, bytes]:
    """Write, overwrite and delete in several transactions; returns what is there at the end."""
    folder.mkdir(exist_ok=True)
    chosen, truth = random.Random(seed), {}
    with lmdb.open(str(folder), map_size=2**26) as env:
        for _ in range(4):
            with env.begin(write=True) as transaction:
                for number in range(keys):
                    key = f"clip{chosen.randrange(99)}-{chosen.randrange(9999):07d}".encode()
                    size = chosen.choice([0, 1500, 1990, 5000, 30000]) if number % 20 == 0 else 40
                    truth[key] = chosen.randbytes(size)
                    transaction.put(key, truth[key])
                for key in chosen.sample(sorted(truth), keys // 5):
                    transaction.delete(key)
                    del truth[key]
    return truth


def test_it_reads_what_the_library_wrote(tmp_path: Path) -> None:
    truth = fill(tmp_path)
    file = PageFile(tmp_path / "data.mdb")
    file.check()
    assert dict(file.items()) == truth and list(file.keys()) == sorted(truth)
    assert all(file.get(key) == value for key, value in truth.items())
    assert [file.get(key) for key in (b"", b"a", b"clip1", b"zz")] == [None] * 4
    with lmdb.open(str(tmp_path), map_size=2**26) as env, env.begin(write=True) as transaction:
        transaction.put(b"new", b"value")
    assert file.get(b"new") == b"value", "each call sees what was last committed"


def test_an_empty_environment_has_nothing(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path)).close()
    file = PageFile(tmp_path / "data.mdb")
    file.check()
    assert list(file.keys()) == [] and file.get(b"a") is None


@pytest.mark.parametrize("part", range(8))
def test_a_file_that_is_cut_is_refused(tmp_path: Path, part: int) -> None:
    fill(tmp_path, keys=300)
    data = (tmp_path / "data.mdb").read_bytes()
    (tmp_path / "data.mdb").write_bytes(data[: len(data) * part // 8 + 7])
    with pytest.raises(DamagedError):
        PageFile.checked(tmp_path / "data.mdb")


@pytest.mark.parametrize("mark", [0x01, 0x04])  # a map at a fixed address, keys with several values
def test_marks_of_the_free_pages_that_the_library_would_obey_are_refused(tmp_path: Path, mark: int) -> None:
    fill(tmp_path, keys=300)
    data = bytearray((tmp_path / "data.mdb").read_bytes())
    for meta in (0, int.from_bytes(data[40:44], "little")):  # the page size stands in the first one
        data[meta + 44] |= mark
    (tmp_path / "data.mdb").write_bytes(data)
    with pytest.raises(DamagedError, match="of another kind"):
        PageFile.checked(tmp_path / "data.mdb")


def test_a_last_page_beyond_the_map_is_told_by_the_writer(tmp_path: Path) -> None:
    fill(tmp_path / "32", keys=300)
    file = tmp_path / "32" / "data.mdb"
    data = bytearray(file.read_bytes())
    for meta in (0, int.from_bytes(data[40:44], "little")):
        data[meta + 136 : meta + 144] = (1 << 40).to_bytes(8, "little")
    file.write_bytes(data)
    with pytest.raises(DataError, match="cannot be opened"):
        LMDBWriter(tmp_path, 32)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"no {HOSTILE} (set TALKINGFACE_SHARED)")
def test_damaged_databases_are_told_by_reader_and_writer(tmp_path: Path) -> None:
    files = sorted(HOSTILE.glob("*.mdb"))
    assert len(files) >= 30
    for file in files:
        root = tmp_path / file.stem
        (root / "32").mkdir(parents=True)
        shutil.copyfile(file, root / "32" / "data.mdb")
        with pytest.raises(DataError, match=r"data\.mdb: is no LMDB that can be read"):
            LMDBStore(root)
        with pytest.raises(DataError, match=r"data\.mdb: is no LMDB that can be read"):
            content_digest(root / "32")
        with pytest.raises(DataError, match="cannot be opened"):
            LMDBWriter(root, 32)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot be opened"):
        LMDBWriter(tmp_path / "file", 32)
