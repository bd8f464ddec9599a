"""The picture cache: decoded once, resumed after any interruption, never half a cache."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceattr.data import filling
from faceattr.data.cache import cache_root, decode, decode_images, file_key
from faceattr.data.pictures import UnreadableImageError, read_rgb
from faceattr.errors import DataError, ImageError

SIZE = (4, 6)


class Loader:
    """Gives item ``i`` as a picture of all ``i``, and counts how often it is asked."""

    def __init__(self, bad=(), stop_at=None, error=KeyboardInterrupt):
        self.bad, self.stop_at, self.error, self.calls = set(bad), stop_at, error, []

    def __call__(self, item: int):
        if item == self.stop_at:
            raise self.error
        self.calls.append(item)
        if item in self.bad:
            raise UnreadableImageError(f"file {item} cannot be read")
        return np.full((3, *SIZE), item, np.uint8), (item, 2.5 * item)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(filling, "_BLOCK_ROWS", 8)


def run(folder, load, count=50, **settings):
    return decode(range(count), load, SIZE, folder, key="k", facts=2, workers=2, **settings)


def check(done, rows):
    assert done.rows.tolist() == list(rows)
    assert done.images.dtype == torch.uint8
    assert torch.equal(done.images[:, 0, 0, 0], torch.tensor(list(rows), dtype=torch.uint8))
    assert (done.images.flatten(1) == done.images[:, :1, 0, 0]).all()
    assert done.facts[:, 0].tolist() == list(rows)
    assert done.facts[:, 1].tolist() == [2.5 * row for row in rows]


def test_decodes_once(tmp_path):
    first, second = Loader(), Loader()
    check(run(tmp_path, first), range(50))
    assert sorted(first.calls) == list(range(50))
    check(run(tmp_path, second), range(50))
    assert second.calls == []
    array = np.load(tmp_path / "k/images.npy", mmap_mode="r")  # an ordinary .npy file
    assert array.shape == (50, 3, *SIZE)
    assert not list(tmp_path.glob("*.partial"))


def test_writing_to_the_images_leaves_the_file_alone(tmp_path):
    run(tmp_path, Loader()).images.fill_(7)
    check(run(tmp_path, Loader()), range(50))


def test_ctrl_c_and_on_from_there(tmp_path):
    first, second = Loader(stop_at=30), Loader()
    with pytest.raises(KeyboardInterrupt, match="run again to go on"):
        run(tmp_path, first)
    assert not (tmp_path / "k").exists()
    check(run(tmp_path, second), range(50))
    assert sorted(second.calls) == list(range(24, 50))  # three blocks of eight were safe


def test_unreadable_items_are_remembered_over_an_interruption(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Loader(bad={3, 9, 48, 49}, stop_at=30))
    done = run(tmp_path, Loader(bad={3, 9, 48, 49}))
    rows = np.arange(46)
    rows[[3, 9]] = 46, 47  # from the end, into the gaps
    check(done, rows)
    assert done.bad == {row: f"file {row} cannot be read" for row in (3, 9, 48, 49)}
    again = run(tmp_path, Loader())
    check(again, rows)
    assert again.bad == done.bad


def test_closing_gaps_twice_does_no_harm(tmp_path, monkeypatch):
    rename = os.replace

    def killed(source, target):
        if Path(target).name == "k":
            raise KeyboardInterrupt  # after the gaps were closed, before the cache is whole
        rename(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Loader(bad={0, 1}))
    monkeypatch.setattr(os, "replace", rename)
    last = Loader()
    check(run(tmp_path, last), [48, 49, *range(2, 48)])
    assert last.calls == []


def test_strict_and_hopeless(tmp_path):
    with pytest.raises(ImageError, match="file 3"):
        run(tmp_path, Loader(bad={3}), strict=True)
    run(tmp_path, Loader(bad={3}))
    with pytest.raises(ImageError, match=r"1 of 50 .*file 3"):
        run(tmp_path, Loader(), strict=True)
    with pytest.raises(ImageError, match=r"5 of 5 .*file 0"):
        decode(range(5), Loader(bad=range(5)), SIZE, tmp_path, key="none", facts=2)
    with pytest.raises(DataError, match="no pictures to decode"):
        run(tmp_path, Loader(), count=0)


def test_other_errors_end_the_work(tmp_path):
    with pytest.raises(ImageError, match="too small"):
        run(tmp_path, Loader(stop_at=20, error=ImageError("file 20 is too small")))
    with pytest.raises(ImageError, match=r"uint8 of shape \(3, 9, 9\)"):
        decode(range(5), Loader(), (9, 9), tmp_path, key="shape", facts=2)


@pytest.mark.parametrize("harm", ["cut", "note", "gone"])
def test_a_damaged_cache_is_made_anew(tmp_path, harm):
    run(tmp_path, Loader())
    if harm == "cut":
        os.truncate(tmp_path / "k/images.npy", 500)
    elif harm == "note":
        (tmp_path / "k/cache.json").write_text('{"shape": [50')
    else:
        (tmp_path / "k/facts.bin").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        check(run(tmp_path, Loader()), range(50))


@pytest.mark.parametrize("harm", ["cut", "note", "much"])
def test_damaged_progress_starts_again(tmp_path, harm):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Loader(stop_at=30))
    partial = tmp_path / "k.partial"
    if harm == "cut":
        os.truncate(partial / "images.npy", 100)
    elif harm == "note":
        (partial / "progress.json").write_text("{")
    else:
        (partial / "progress.json").write_text(json.dumps({"done": 99, "bad": {}}))
    last = Loader()
    check(run(tmp_path, last), range(50))
    assert sorted(last.calls) == list(range(50))


def test_a_full_disk_is_told_before_the_work(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(100, 90, 10))
    loader = Loader()
    with pytest.raises(DataError, match=r"full: 50 pictures take 4,400 bytes.*10 are free") as told:
        run(tmp_path, loader)
    assert "FACEATTR_CACHE" in str(told.value)
    assert loader.calls == []


def test_a_disk_that_fills_up_on_the_way(tmp_path, monkeypatch):
    sync, count = os.fsync, []

    def full(handle):
        count.append(1)
        if len(count) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="is full.*goes on from there"):
        run(tmp_path, Loader())
    monkeypatch.setattr(os, "fsync", sync)
    last = Loader()
    check(run(tmp_path, last), range(50))
    assert sorted(last.calls) == list(range(24, 50))


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no file size limit on this system")
def test_a_disk_quota_is_an_error_not_a_killed_process(tmp_path):
    """The real thing: the system itself refuses to let the file grow."""
    code = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        import numpy as np
        from faceattr.data.cache import decode
        from faceattr.errors import DataError
        try:
            grey = np.zeros((3, 8, 8), np.uint8)
            decode(range(4000), lambda i: grey, (8, 8), sys.argv[1], key="k")
        except DataError as error:
            sys.exit(str(error))
    """
    done = child(code, tmp_path).communicate(timeout=60)[1]
    assert "is full" in done
    assert not (tmp_path / "k").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written.*FACEATTR_CACHE"):
        run(tmp_path / "file", Loader())


def child(code: str, *arguments) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SLOW = """
    import sys, time, pathlib
    import numpy as np
    from faceattr.data import filling
    from faceattr.data.cache import decode
    filling._BLOCK_ROWS = 8
    def load(i):
        with open(sys.argv[2], "a") as file:
            file.write(f"{i}\\n")
        time.sleep(0.01)
        return np.full((3, 4, 6), i, np.uint8)
    done = decode(range(100), load, (4, 6), sys.argv[1], key="k", workers=2)
    assert done.images[:, 0, 0, 0].tolist() == list(range(100))
    print("whole")
"""


def test_killed_in_the_middle(tmp_path):
    log = tmp_path / "log"
    process = child(SLOW, tmp_path, log)
    progress = tmp_path / "k.partial/progress.json"
    end = time.monotonic() + 60
    while not progress.exists() and time.monotonic() < end:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (tmp_path / "k").exists()
    safe = json.loads(progress.read_text())["done"]
    assert 8 <= safe < 100
    before = len(log.read_text().split())
    process = child(SLOW, tmp_path, log)
    assert process.communicate(timeout=60)[0].strip().endswith("whole")
    assert len(log.read_text().split()) - before == 100 - safe


def test_two_processes_share_the_work_of_one(tmp_path):
    log = tmp_path / "log"
    both = [child(SLOW, tmp_path, log) for _ in range(2)]
    for process in both:
        assert process.communicate(timeout=60)[0].strip().endswith("whole")
    assert sorted(map(int, log.read_text().split())) == list(range(100))


def test_decode_images_and_its_key(tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(3)]
    for row, path in enumerate(paths):
        Image.new("RGB", (6, 4), (row, 2 * row, 3 * row)).save(path)
    calls = []

    def load(path):
        calls.append(path)
        return np.asarray(read_rgb(path)).transpose(2, 0, 1)

    images = decode_images(paths, load, SIZE, tmp_path / "cache")
    assert images.shape == (3, 3, *SIZE)
    assert images[2, :, 0, 0].tolist() == [2, 4, 6]
    decode_images(paths, load, SIZE, tmp_path / "cache")
    assert len(calls) == 3
    decode_images(paths, load, SIZE, tmp_path / "cache", settings="another rule")
    assert len(calls) == 6
    key = file_key(paths)
    os.utime(paths[0], (1, 1))
    assert file_key(paths) != key
    assert file_key(paths[:2]) != file_key(paths)
    paths[1].write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"1\.png cannot be read"):
        decode_images(paths, load, SIZE, tmp_path / "cache")


def test_where_caches_go(monkeypatch, tmp_path):
    monkeypatch.delenv("FACEATTR_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_root() == Path.home() / ".cache/faceattr"
    monkeypatch.setenv("FACEATTR_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    assert cache_root("~/here") == Path.home() / "here"
