"""Files that are written whole or not at all, alone or together, and who relies on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirage_env.backends import cuda_build
from mirage_env.whole_file import write_together, write_whole


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that lets the disk be full after so many more files."""
    fsync, left = os.fsync, [0]

    def limited(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    def after(files: int) -> None:
        left[0] = files
        monkeypatch.setattr(os, "fsync", limited)

    return after


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_written_together_or_not_at_all(
    tmp_path: Path, fill: Callable[[int], None]
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.html"
    write_together({first: b"old", second: b"old"})
    fill(1)
    with pytest.raises(OSError, match="No space left") as caught:
        write_together({first: b"new", second: b"new"})
    assert caught.value.filename == str(second)
    assert contents(tmp_path) == {"a.json": b"old", "b.html": b"old"}
    fill(2)
    write_together({first: b"new", second: b"new"})
    assert contents(tmp_path) == {"a.json": b"new", "b.html": b"new"}


def test_a_file_that_is_in_the_way_of_a_folder_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a", b"in a folder that it makes")
    with pytest.raises(OSError, match="b") as caught:
        write_together({tmp_path / "c": b"", tmp_path / "new" / "a" / "b": b""})
    assert caught.value.filename == str(tmp_path / "new" / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_full_disk_leaves_weights_with_the_card_that_belongs_to_them(
    tmp_path: Path, fill: Callable[[int], None]
) -> None:
    pytest.importorskip("torch")
    from small_models import SMALL, lively_model, write_model

    from mirage_wm.weights import WeightsError, load_tensors, save_weights

    file, other = write_model(tmp_path), lively_model(SMALL, 1)
    before = contents(tmp_path)
    fill(1)
    with pytest.raises(WeightsError, match=r"cannot write .*No space left"):
        save_weights(tmp_path, "small", other, {})
    assert contents(tmp_path) == before
    load_tensors(file)


def test_kernels_are_compiled_once_and_where_nothing_can_be_kept_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Any] = []
    monkeypatch.setattr(cuda_build, "nvcc", lambda: "nvcc")
    monkeypatch.setattr(cuda_build, "_version", lambda compiler: "release 99")
    monkeypatch.setattr(cuda_build, "_compile", lambda *how: compiled.append(how) or b"fatbin")
    monkeypatch.setattr(cuda_build, "cache_folder", lambda: tmp_path / "cache")
    assert [cuda_build.fatbin((9, 0), 64, 3) for _ in range(2)] == [b"fatbin"] * 2
    assert len(compiled) == 1
    assert list(contents(tmp_path / "cache").values()) == [b"fatbin"]
    (tmp_path / "file").write_bytes(b"a file in the way")
    monkeypatch.setattr(cuda_build, "cache_folder", lambda: tmp_path / "file")
    assert [cuda_build.fatbin((9, 0), 64, 3) for _ in range(2)] == [b"fatbin"] * 2
    assert len(compiled) == 3
