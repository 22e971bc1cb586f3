"""WebDataset shards: in a folder, and behind a URL."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from images import (
    CPU,
    CROPPED,
    chunk,
    chunked,
    images_of,
    loaded,
    noise,
    recipe,
)

from cnndsl.training.data import (
    Facts,
    Samples,
    find_facts,
    load,
)
from cnndsl.training.data.loader import Loaded
from cnndsl.training.data.shards import GROUP, Shards, cache
from cnndsl.training.data.shards import index as shard_index
from cnndsl.training.data.shards.cache import Cache, kept_name
from cnndsl.training.data.shards.names import expand
from cnndsl.training.data.view import imagenet_mean_std
from cnndsl.training.errors import TrainError
from cnndsl.training.order import Chunk, Share, training_steps, validation_chunks

# --- shards -------------------------------------------------------------------------------------


def png(seed: int) -> bytes:
    held = io.BytesIO()
    noise(8, 8, seed).save(held, "png")
    return held.getvalue()


def write_shard(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, held in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))


def sample(number: int, label: int) -> dict[str, bytes]:
    """One in each of the two forms; a file that is neither stands beside."""
    key = f"images/{number:04}"
    if number % 2:
        return {f"{key}.jpg": png(number), f"{key}.json": json.dumps({"label": label}).encode()}
    return {f"{key}.cls": f"{label}\n".encode(), f"{key}.png": png(number), f"{key}.txt": b"a word"}


def write_shards(root: Path, train: int = 6, each: int = 5) -> None:
    """Shards whose images are numbered through; the class is the number modulo 4."""
    for part, count in (("train", train), ("val", 2)):
        for shard in range(count):
            members: dict[str, bytes] = {}
            for number in range(shard * each, (shard + 1) * each):
                members |= sample(number, number % 4)
            write_shard(root / f"{part}-{shard:02}.tar", members)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that fetched shards are kept in, of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache, "PAUSE", 0.0)
    return tmp_path / "home" / "cnndsl" / "shards"


@pytest.fixture
def shards(tmp_path: Path, home: Path) -> Path:
    write_shards(tmp_path / "set")
    return tmp_path / "set"


def sharded(root: Path | str, **values: Any) -> dict[str, Any]:
    return {"name": "webdataset", "root": str(root), "classes": 4, "workers": 0, **values}


def numbers_of(samples: Samples, chunks: Sequence[Chunk]) -> list[int]:
    """Which of the numbered images the batches hold."""
    known = {noise(8, 8, number).tobytes(): number for number in range(40)}
    mean, std = (torch.tensor(numbers) for numbers in imagenet_mean_std(3))
    result = []
    for images, labels in samples.batches(chunks):
        pixels = ((images.permute(0, 2, 3, 1) * std + mean) * 255).round().to(torch.uint8)
        own = [known[image.contiguous().numpy().tobytes()] for image in pixels]
        assert [number % 4 for number in own] == labels.tolist()
        result += own
    return result


def test_brace_expansion() -> None:
    assert expand("train.tar") == ["train.tar"]
    assert expand("t-{0009..0011}.tar") == ["t-0009.tar", "t-0010.tar", "t-0011.tar"]
    assert expand("{a,b}-{8..10}") == ["a-8", "a-9", "a-10", "b-8", "b-9", "b-10"]
    with pytest.raises(TrainError, match="more than"):
        expand("{0..999999999}")


def test_shards_in_a_folder(shards: Path) -> None:
    made = recipe(sharded(shards), val={"resize": 8})
    assert find_facts(made.data) == Facts("webdataset", 3, ("0", "1", "2", "3"))
    said: list[str] = []
    split = load(made, find_facts(made.data), (8, 8), CPU, said.append)
    assert said == ["indexing 8 shards, once"]
    assert (len(split.train), len(split.val)) == (30, 10)
    assert numbers_of(split.train, chunked(30, 7)) == list(range(30))
    assert numbers_of(split.val, validation_chunks(10, 4, (8, 8), Share())) == list(range(10))
    said.clear()
    load(made, find_facts(made.data), (8, 8), CPU, said.append)
    assert not said
    (shards / "classes.txt").write_text("a\nb\nc\nd\n")
    assert find_facts(made.data).classes == ("a", "b", "c", "d")
    assert find_facts(recipe(sharded(shards, classes=None)).data).classes == tuple("abcd")


def test_some_of_the_shards(shards: Path) -> None:
    for pattern, count in (("train-{01..03}.tar", 15), ("train-0[45].tar", 0), ("t*0.tar", 5)):
        data = sharded(shards, train=pattern, val="train-{00,05}.tar")
        if count:
            split = loaded(recipe(data))
            assert (len(split.train), len(split.val)) == (count, 10)
        else:
            with pytest.raises(TrainError, match="there is no shard"):
                loaded(recipe(data))


def test_an_epoch_over_shards(shards: Path) -> None:
    """Each image once, in few shards at a time; other seeds and epochs give other orders."""
    train = loaded(recipe(sharded(shards))).train
    orders = [train.order(seed, epoch).tolist() for seed, epoch in ((0, 1), (0, 2), (1, 1), (0, 1))]
    assert all(sorted(each) == list(range(30)) for each in orders)
    assert orders[0] == orders[3]
    assert len({tuple(each) for each in orders}) == 3
    first = {index // 5 for index in orders[0][: 5 * GROUP]}
    assert len(first) == GROUP
    assert orders[0][: 5 * GROUP] != sorted(orders[0][: 5 * GROUP])


def test_processes_and_beginnings_change_nothing_in_shards(shards: Path) -> None:
    alone, together = (
        loaded(recipe(sharded(shards, workers=n), augment=CROPPED)).train for n in (0, 2)
    )
    steps = training_steps(0, 1, 30, 4, [(8, 8)], Share(), indices=alone.order(0, 1))
    chunks = [part for step in steps for part in step]
    expected = list(alone.batches(chunks))
    for begin in (0, 3):
        for (images, labels), (others, same) in zip(
            together.batches(chunks[begin:]), expected[begin:], strict=True
        ):
            assert torch.equal(images, others)
            assert torch.equal(labels, same)


def test_indexes_beside_shards_that_cannot_be_written(
    shards: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = shard_index.write_index

    def read_only(path: Path, index: Any) -> None:
        if path.is_relative_to(shards):
            raise PermissionError(path)
        write(path, index)

    monkeypatch.setattr(shard_index, "write_index", read_only)
    for expected in (["indexing 8 shards, once"], []):
        said: list[str] = []
        made = recipe(sharded(shards))
        load(made, find_facts(made.data), (8, 8), CPU, said.append)
        assert said == expected
    assert len(list(home.glob("*.json"))) == 8
    assert not list(shards.glob("*.json"))


def test_a_shard_that_changes_is_indexed_anew(shards: Path) -> None:
    made = recipe(sharded(shards))
    before = loaded(made)
    write_shard(shards / "train-00.tar", sample(0, 0))
    after = loaded(made)
    assert (len(before.train), len(after.train)) == (30, 26)
    with pytest.raises(TrainError, match="has changed since it was indexed"):
        images_of(before.train, [chunk([0])])
    (shards / "train-01.tar.index.json").write_text("{}")
    assert len(loaded(made).train) == 26


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.cls": b"0"}, "sample `a` of .* has no image"),
        ({"a.png": png(0)}, "sample `a` of .* has no label"),
        ({"a.png": png(0), "a.cls": b"cat"}, "no number for a label: `cat`"),
        ({"a.png": png(0), "a.json": b"[]"}, "no number for a label"),
        ({"a.png": png(0), "a.cls": b"4"}, r"is of class 4, but there are 4 classes, 0 to 3"),
        ({"a.png": png(0), "a.cls": b"-1"}, "is of class -1"),
        ({}, "holds no samples"),
    ],
)
def test_samples_that_do_not_fit(shards: Path, members: dict[str, bytes], message: str) -> None:
    write_shard(shards / "train-02.tar", members)
    with pytest.raises(TrainError, match=message):
        loaded(recipe(sharded(shards)))


def test_shards_that_cannot_be_opened(shards: Path) -> None:
    path = shards / "train-02.tar"
    for held in (b"no tar file", path.read_bytes()[:1000], path.read_bytes()[:3000]):
        path.write_bytes(held)
        with pytest.raises(TrainError, match=r"train-02.tar cannot be read as a tar file"):
            loaded(recipe(sharded(shards)))


def test_an_unreadable_image_in_a_shard_is_named(shards: Path) -> None:
    members = sample(0, 0) | {"b.png": png(1)[:40], "b.cls": b"1"}
    write_shard(shards / "train-02.tar", members)
    train = loaded(recipe(sharded(shards))).train
    with pytest.raises(TrainError, match=r"sample 1 of .*train-02.tar cannot be read as an image"):
        images_of(train, chunked(len(train), 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"root": None}, "needs the folder or URL"),
        ({"root": "/no/such/folder"}, "is not a folder"),
        ({"root": "s3://bucket/set"}, "cannot be read from s3://bucket/set"),
        ({"root": "pipe:cat /etc/passwd"}, "cannot be read from pipe:"),
        ({"classes": None}, "not known how many classes"),
        ({"val": "test-{0..3}.tar"}, "there is no shard"),
        ({"train": "none*.tar"}, "no shards"),
        ({"root": "http://127.0.0.1:9"}, "not known which shards"),
        ({"root": "http://127.0.0.1:9", "train": "a.tar", "val": "b.tar"}, "cannot be fetched"),
    ],
)
def test_shard_errors(shards: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        loaded(recipe({**sharded(shards), **change}))


def test_classes_that_are_named_differently(shards: Path) -> None:
    (shards / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(TrainError, match="names 3 classes, the recipe says 4"):
        find_facts(recipe(sharded(shards)).data)


# --- shards behind a URL ------------------------------------------------------------------------


class Handler(SimpleHTTPRequestHandler):
    """Serves files, counts who asks for which, and may break off."""

    asked: list[str]
    cut: set[str]

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.asked.append(name)
        if name not in self.cut:
            return super().do_GET()
        self.cut.discard(name)
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, *_: Any) -> None:
        pass


class Server:
    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        self.cut: set[str] = set()
        kind = type("Own", (Handler,), {"asked": self.asked, "cut": self.cut})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(root)))
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def count(self, ending: str) -> int:
        return sum(name.endswith(ending) for name in self.asked)


@pytest.fixture
def server(shards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Server(shards)
    yield served
    served.http.shutdown()
    served.http.server_close()


def remote(server: Server, **values: Any) -> dict[str, Any]:
    return sharded(server.url, train="train-{00..05}.tar", val="val-{00..01}.tar", **values)


def test_shards_behind_a_url(server: Server, home: Path) -> None:
    split = loaded(recipe(remote(server), val={"resize": 8}))
    assert numbers_of(split.train, chunked(30, 7)) == list(range(30))
    assert numbers_of(split.val, chunked(10, 7)) == list(range(10))
    assert server.count(".tar") == 8
    again = loaded(recipe(remote(server, workers=2), val={"resize": 8}))
    assert numbers_of(again.train, chunked(30, 7)) == list(range(30))
    assert server.count(".tar") == 8
    assert len(list(home.glob("*.tar"))) == 8


def test_a_cache_that_holds_less_than_the_set(server: Server, shards: Path, home: Path) -> None:
    each = max(path.stat().st_size for path in shards.glob("*.tar"))
    said: list[str] = []
    made = recipe(remote(server, cache_gb=3.5 * each / 1e9, workers=2))
    split = load(made, find_facts(made.data), (8, 8), CPU, said.append)
    assert any("holds fewer than 8 shards" in line for line in said)
    for epoch in (1, 2):
        steps = training_steps(
            0, epoch, 30, 4, [(8, 8)], Share(), indices=split.train.order(0, epoch)
        )
        numbers = numbers_of(split.train, [part for step in steps for part in step])
        assert numbers == split.train.order(0, epoch).tolist()
    assert server.count(".tar") > 8
    kept = [path for path in home.iterdir() if path.suffix in (".tar", ".part")]
    assert sum(path.stat().st_size for path in kept) <= 3.5 * each


def test_a_file_that_gets_its_name_counts_while_room_is_made(
    server: Server, shards: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is renamed by another after the folder was listed, and before it is measured."""
    size = (shards / "train-00.tar").stat().st_size
    kept = Cache(home, 3.5 * size)
    urls = [f"{server.url}/train-0{n}.tar" for n in range(4)]
    for url in urls[:2]:
        kept.open(url).close()
    whole, listed = threading.Event(), threading.Event()
    copy, list_all = shutil.copyfileobj, Path.iterdir

    def copied(*args: Any) -> None:
        copy(*args)
        if threading.current_thread() is other:
            whole.set()
            listed.wait(5)

    def listing(folder: Path) -> Iterator[Path]:
        found = [*list_all(folder)]
        if folder == home and whole.is_set():
            listed.set()
            time.sleep(0.3)
        return iter(found)

    other = threading.Thread(target=kept.fetch, args=(urls[2],))
    monkeypatch.setattr(shutil, "copyfileobj", copied)
    monkeypatch.setattr(Path, "iterdir", listing)
    other.start()
    assert whole.wait(5)
    kept.fetch(urls[3])
    other.join()
    assert sum(path.stat().st_size for path in home.glob("*.tar")) <= 3.5 * size


def test_the_least_recently_used_shard_goes(server: Server, shards: Path, home: Path) -> None:
    size = (shards / "train-00.tar").stat().st_size
    kept = Cache(home, 2 * size)
    urls = [f"{server.url}/train-0{n}.tar" for n in range(3)]
    for number, url in enumerate([urls[0], urls[1], urls[0], urls[2]]):
        kept.open(url).close()
        os.utime(home / kept_name(url), (number, number))
    assert [(home / kept_name(url)).exists() for url in urls] == [True, False, True]
    assert server.count(".tar") == 3
    (home / "lost.part").write_bytes(bytes(size))
    os.utime(home / "lost.part", (0, 0))
    kept.open(urls[1]).close()
    assert not (home / "lost.part").exists()


def test_an_index_beside_a_shard_on_the_server(server: Server, shards: Path, home: Path) -> None:
    loaded(recipe(sharded(shards)))
    split = loaded(recipe(remote(server), val={"resize": 8}))
    assert server.count(".tar") == 0
    assert numbers_of(split.train, [chunk([12, 3])]) == [12, 3]
    write_shard(shards / "train-05.tar", sample(0, 0))
    with pytest.raises(TrainError, match="has changed since it was indexed"):
        images_of(split.train, [chunk([29])])


def test_the_next_shards_are_fetched_ahead(server: Server, shards: Path, home: Path) -> None:
    loaded(recipe(sharded(shards)))
    train = loaded(recipe(remote(server))).train
    chunks = chunked(30, 5)
    begun = train.batches(chunks)
    next(begun)
    for _ in range(1000):
        if server.count(".tar") == 1 + GROUP:
            break
        time.sleep(0.01)
    assert server.count(".tar") == 1 + GROUP
    assert len(list(begun)) == 5


def test_a_connection_that_breaks_off_is_tried_again(server: Server, home: Path) -> None:
    server.cut.add("train-03.tar")
    assert len(loaded(recipe(remote(server))).train) == 30
    assert server.asked.count("train-03.tar") == 2
    shutil.rmtree(home)
    with pytest.raises(TrainError, match=r"gone.tar cannot be fetched: .*404"):
        loaded(recipe({**remote(server), "train": "gone.tar"}))
    assert server.asked.count("gone.tar") == 1
    assert not list(home.glob("*.part"))


def test_one_of_several_processes_fetches(server: Server, home: Path) -> None:
    """Threads stand for processes: both hold locks of their own."""
    kept = Cache(home, 1e9)
    url = f"{server.url}/train-00.tar"
    threads = [threading.Thread(target=lambda: kept.open(url).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.count(".tar") == 1


def test_classes_beside_shards_behind_a_url(server: Server, shards: Path) -> None:
    (shards / "classes.txt").write_text("a\nb\nc\nd\n")
    assert find_facts(recipe(remote(server, classes=None)).data).classes == tuple("abcd")
    assert find_facts(recipe(remote(server)).data).classes == tuple("0123")


def test_shards_are_pickled_for_processes(shards: Path) -> None:
    samples = loaded(recipe(sharded(shards), augment=CROPPED)).train
    assert isinstance(samples, Loaded)
    source: Shards = pickle.loads(pickle.dumps(samples.reader.source))
    assert source.image(17).tobytes() == noise(8, 8, 17).tobytes()
