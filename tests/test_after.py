"""After training: evaluation and prediction, as users run them."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
import torchvision
from harness import PLAIN, CudaOnCpu, metrics_of, run
from PIL import Image
from test_cuda import gpu  # noqa: F401 - a fixture
from torch import nn
from typer.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import app
from cnndsl.training import TrainError
from cnndsl.training.data.digits import read_digits, split_digits
from cnndsl.training.evaluation import evaluate
from cnndsl.training.trained import Asked, find_trained, run_folder

NETWORK = "squeezenet1_1"
FILE = "squeezenet1_1-b8a52dc0.pth"
EMA = {"ema": 0.9, "epochs": 3, "val": {"batch_size": 7}, "augment": {"pad_crop": 1, "mixup": 0.2}}


def cn(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs: on digits, the same with an average, and on a folder of images."""
    root = tmp_path_factory.mktemp("runs")
    (root / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    write_images(root / "images", 12)
    folder = {"data": {"name": "folder", "root": str(root / "images"), "workers": 0}, "epochs": 4}
    for name, train in (("plain", {}), ("ema", EMA), ("folder", folder)):
        size = (3, 8, 8) if name == "folder" else None
        run(root / "plain.yaml", input=size, train=train, out=root / name)
    return root


def write_images(folder: Path, count: int) -> None:
    """Some digits of the first four classes, in colour and grey, as PNG and JPEG."""
    _, (images, labels) = split_digits(*read_digits())
    for label, name in enumerate(("zero", "one", "two", "three")):
        own = images[labels == label][:count]
        (folder / name).mkdir(parents=True)
        for number, pixels in enumerate(own[..., 0].numpy()):
            picture = Image.fromarray(pixels).resize((10 + number, 12))
            if number % 2:
                picture.convert("RGB").save(folder / name / f"{number}.jpg")
            else:
                picture.save(folder / name / f"{number}.png")


def best_of(folder: Path) -> dict[str, str]:
    return max(metrics_of(folder), key=lambda row: float(row["val_accuracy"]))


# --- evaluate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "ema", "folder"])
def test_a_run_is_judged_as_in_training(runs: Path, name: str) -> None:
    done = cn("evaluate", runs / name, "--device", "cpu", "--json")
    assert done.exit_code == 0, done.stderr
    told, best = json.loads(done.stdout), best_of(runs / name)
    assert f"{told['top1']:.6g}" == best["val_accuracy"]
    assert f"{told['loss']:.6g}" == best["val_loss"]
    assert told["top1"] <= told["top5"] <= 1
    assert sum(of_class["images"] for of_class in told["classes"]) == told["images"]


@pytest.mark.parametrize("name", ["plain", "ema"])
def test_last_weights(runs: Path, name: str) -> None:
    told = json.loads(
        cn("evaluate", runs / name / "run.yaml", "--weights", "last", "--json").stdout
    )
    assert f"{told['top1']:.6g}" == metrics_of(runs / name)[-1]["val_accuracy"]
    file = cn("evaluate", runs / name, "--weights", runs / name / "last.pt", "--json")
    assert json.loads(file.stdout)["top1"] == told["top1"]


def test_files(runs: Path, tmp_path: Path) -> None:
    done = cn("evaluate", runs / "plain", "-o", tmp_path / "new" / "folder")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("plain, ")
    folder = tmp_path / "new" / "folder"
    names = {"confusion.csv", "confusion.png", "per_class.csv", "evaluation.json"}
    assert {path.name for path in folder.iterdir()} == names
    header, *rows = csv.reader((folder / "confusion.csv").open(encoding="utf-8"))
    assert header[1:] == [row[0] for row in rows] == [str(digit) for digit in range(10)]
    counts = torch.tensor([[int(cell) for cell in row[1:]] for row in rows])
    told = json.loads((folder / "evaluation.json").read_text())
    assert counts.sum() == 360
    assert int(counts.diagonal().sum()) / 360 == told["top1"]
    for place, of_class in enumerate(csv.DictReader((folder / "per_class.csv").open())):
        hit, images = int(counts[place, place]), int(counts[place].sum())
        taken = int(counts[:, place].sum())
        assert int(of_class["images"]) == images
        assert float(of_class["recall"]) == pytest.approx(hit / images, abs=1e-6)
        if taken:
            assert float(of_class["precision"]) == pytest.approx(hit / taken, abs=1e-6)
        assert float(of_class["f1"]) == pytest.approx(2 * hit / (images + taken), abs=1e-6)
    with Image.open(folder / "confusion.png") as picture:
        assert min(picture.size) > 400


def test_a_run_keeps_its_evaluation(runs: Path) -> None:
    assert cn("evaluate", runs / "plain").exit_code == 0
    assert (runs / "plain" / "confusion.png").stat().st_size > 1000


@pytest.mark.parametrize(("split", "images"), [("val", 360), ("train", 1437), ("all", 1797)])
def test_splits(runs: Path, split: str, images: int) -> None:
    told = json.loads(cn("evaluate", runs / "ema", "--split", split, "--json").stdout)
    assert (told["part"], told["images"]) == (split, images)


def test_training_images_are_seen_as_in_validation(runs: Path) -> None:
    """The two parts of a folder together are all of it, whatever the seed put into which."""
    found = find_trained(Asked(str(runs / "folder")), print)
    other = find_trained(Asked(str(runs / "folder"), settings={"seed": 5}), print)
    counted = [evaluate(trained, "cpu", "all", print).confusion for trained in (found, other)]
    assert torch.equal(*counted)
    assert counted[0].sum() == 48


def test_a_spec_is_compiled_for_the_data(runs: Path) -> None:
    spec, weights = runs / "plain.yaml", runs / "plain" / "best.safetensors"
    done = cn("evaluate", spec, "--weights", weights, "--data", "digits", "--json")
    assert done.exit_code == 0, done.stderr
    assert f"{json.loads(done.stdout)['top1']:.6g}" == best_of(runs / "plain")["val_accuracy"]
    assert not (runs / "confusion.csv").exists()


def test_classes_are_matched_by_name(runs: Path, tmp_path: Path) -> None:
    whole = evaluate(find_trained(Asked(str(runs / "folder")), print), "cpu", "all", print)
    for name in ("three", "one"):
        (tmp_path / "some").mkdir(exist_ok=True)
        (tmp_path / "some" / name).symlink_to(runs / "images" / name)
    args = ("--data-root", tmp_path / "some", "--split", "all", "--json")
    done = cn("evaluate", runs / "folder", *args, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    images = {
        of_class["name"]: of_class["images"] for of_class in json.loads(done.stdout)["classes"]
    }
    assert images == {"one": 12, "three": 12, "two": 0, "zero": 0}
    rows = list(csv.reader((tmp_path / "out" / "confusion.csv").open()))[1:]
    own = {name: place for place, name in enumerate(whole.classes)}
    for name in ("one", "three"):
        row = next([int(cell) for cell in row[1:]] for row in rows if row[0] == name)
        assert row == whole.confusion[own[name]].tolist()


def test_classes_of_other_names_are_matched_by_order(runs: Path, tmp_path: Path) -> None:
    for new, old in zip("abcd", ("one", "three", "two", "zero"), strict=True):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / new).symlink_to(runs / "images" / old)
    done = cn("evaluate", runs / "folder", "--data-root", tmp_path / "data", "-o", tmp_path)
    assert done.exit_code == 0
    assert "matched by their order: a is one, d is zero" in done.stderr
    (tmp_path / "data" / "d").rename(tmp_path / "data" / "two")
    done = cn("evaluate", runs / "folder", "--data-root", tmp_path / "data")
    assert done.exit_code == 1
    assert "folder has 4 classes, folder knows 4, without a, b, c" in done.stderr


def test_strange_class_names(runs: Path, tmp_path: Path) -> None:
    for name in ("$x$", "猫", "a,b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (9, 9), 20 * number).save(tmp_path / "data" / name / f"{number}.png")
    train = {"data": {"name": "folder", "root": str(tmp_path / "data"), "workers": 0}}
    run(runs / "plain.yaml", input=(3, 8, 8), train=train, out=tmp_path / "run")
    done = cn("evaluate", tmp_path / "run", "--split", "all")
    assert done.exit_code == 0, done.stderr
    names = [row[0] for row in csv.reader((tmp_path / "run" / "confusion.csv").open())][1:]
    assert names == sorted(("$x$", "猫", "a,b"))


# --- predict -------------------------------------------------------------------------------------


def test_predictions_are_those_of_validation(runs: Path) -> None:
    """Folders are read whole and sorted; every image comes out as it was counted."""
    done = cn("predict", runs / "folder", runs / "images", "--json", "--batch-size", 5)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    paths = [Path(one["image"]) for one in told]
    assert paths == sorted(paths)
    assert len(paths) == 48
    trained = find_trained(Asked(str(runs / "folder")), print)
    counts = torch.zeros(4, 4, dtype=torch.int64)
    for path, one in zip(paths, told, strict=True):
        assert sum(best["probability"] for best in one["top"]) <= 1 + 1e-6
        counts[trained.classes.index(path.parent.name), one["top"][0]["index"]] += 1
    assert torch.equal(counts, evaluate(trained, "cpu", "all", print).confusion)


def test_predictions_as_text(runs: Path) -> None:
    """Images of any mode and size; each line has the path and the likeliest classes."""
    image = runs / "images" / "two" / "1.jpg"
    done = cn("predict", runs / "plain", image, "--top", 2)
    assert done.exit_code == 0, done.stderr
    path, _, rest = done.stdout.strip().rpartition(": ")
    assert path == str(image)
    first, second = (part.split() for part in rest.split(", "))
    assert first[0] in "0123456789"
    assert float(first[1].rstrip("%")) >= float(second[1].rstrip("%"))


def test_what_cannot_be_read_is_told(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "empty").mkdir()
    good = runs / "images" / "one" / "0.png"
    asked = (tmp_path / "broken.png", good, tmp_path / "empty", tmp_path / "none.png", good)
    done = cn("predict", runs / "plain", *asked, "--batch-size", 2)
    assert done.exit_code == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [str(good)] * 2
    errors = done.stderr.splitlines()
    assert [line.startswith("error: ") for line in errors] == [True] * 3
    assert "broken.png cannot be read as an image" in errors[0]
    assert "holds no images" in errors[1]
    assert errors[2].endswith("none.png does not exist")
    told = json.loads(cn("predict", runs / "plain", *asked, "--json").stdout)
    assert ["error" in one for one in told] == [True, False, True, True, False]


# --- published weights ---------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """torchvision's network with random weights, in the place of those that it publishes."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise URLError("no connection")

    monkeypatch.setattr("torch.hub.urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    model: nn.Module = torchvision.models.get_model(NETWORK, weights=None)
    torch.save(model.state_dict(), folder / FILE)
    return model.eval()


def picture(path: Path, size: tuple[int, int]) -> Path:
    noise = torch.randint(256, (size[1], size[0], 3), generator=torch.Generator().manual_seed(0))
    Image.fromarray(noise.to(torch.uint8).numpy()).save(path)
    return path


def test_published_weights_see_as_torchvision_has_it(published: nn.Module, tmp_path: Path) -> None:
    weights = torchvision.models.get_model_weights(NETWORK)["IMAGENET1K_V1"]
    image = picture(tmp_path / "noise.png", (310, 277))
    with Image.open(image) as opened, torch.no_grad():
        wanted = published(weights.transforms()(opened).unsqueeze(0)).softmax(1)[0]
    done = cn("predict", NETWORK, "--weights", "torchvision:IMAGENET1K_V1", image, "--json")
    assert done.exit_code == 0, done.stderr
    (told,) = json.loads(done.stdout)
    values, places = wanted.topk(3)
    assert [one["index"] for one in told["top"]] == places.tolist()
    assert [one["class"] for one in told["top"]] == [weights.meta["categories"][i] for i in places]
    for one, value in zip(told["top"], values.tolist(), strict=True):
        assert one["probability"] == pytest.approx(value, rel=1e-4)


def test_published_weights_know_their_classes(published: nn.Module, tmp_path: Path) -> None:
    for name in ("goldfish", "tabby"):
        (tmp_path / "data" / name).mkdir(parents=True)
        picture(tmp_path / "data" / name / "1.png", (70, 60))
    args = ("--weights", "torchvision:DEFAULT", "--data", "folder", "--split", "all")
    more = ("--data-root", tmp_path / "data", "--input", "3,64,64", "--json")
    done = cn("evaluate", NETWORK, *args, *more, "--set", "train.data.workers=0")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    seen = {of_class["name"] for of_class in told["classes"] if of_class["images"]}
    assert len(told["classes"]) == 1000
    assert seen == {"goldfish", "tabby"}
    done = cn("evaluate", NETWORK, *args, *more[:-1], "--set", "train.data.workers=0")
    assert "the 2 classes of 1000 that do worst:" in done.stdout


def test_networks_that_alter_their_images() -> None:
    """GoogLeNet's published weights are for images of mean and deviation 0.5."""
    from cnndsl.training.origin import of_weights

    for name, own in (("googlenet", True), ("resnet50", False)):
        origin = of_weights("torchvision:IMAGENET1K_V1", cnndsl.check(name))
        assert origin is not None
        assert (origin.settings["data"]["mean"] == [0.5] * 3) is own


# --- what is at fault ----------------------------------------------------------------------------


def damaged(runs: Path, tmp_path: Path, name: str) -> Path:
    """A copy of a run with a file cut in half."""
    for file in (runs / "plain").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    half = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(half[: len(half) // 2])
    return tmp_path


@pytest.mark.parametrize(
    ("file", "args"),
    [
        ("best.safetensors", ["--weights", "best"]),
        ("last.pt", ["--weights", "last"]),
        ("last.pt", ["--weights", "{}/last.pt"]),
    ],
)
def test_damaged_weights(runs: Path, tmp_path: Path, file: str, args: list[str]) -> None:
    folder = damaged(runs, tmp_path, file)
    chosen = [arg.replace("{}", str(folder)) for arg in args]
    for command in (("evaluate", folder), ("predict", folder, runs / "images")):
        done = cn(*command, *chosen)
        assert done.exit_code == 1
        assert f"error: {folder / file} is damaged" in done.stderr


def test_one_wrong_bit(runs: Path, tmp_path: Path) -> None:
    folder = damaged(runs, tmp_path, "best.pt")
    whole = bytearray((folder / "last.pt").read_bytes())
    with zipfile.ZipFile(folder / "last.pt") as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    whole[largest.header_offset + 200] ^= 1
    (folder / "last.pt").write_bytes(whole)
    done = cn("evaluate", folder, "--weights", "last")
    assert done.exit_code == 1
    assert "last.pt is damaged" in done.stderr


def test_a_run_without_an_epoch(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes((runs / "plain" / "run.yaml").read_bytes())
    done = cn("evaluate", tmp_path)
    assert done.exit_code == 1
    assert "has no best.safetensors: no epoch of the run is over" in done.stderr
    (tmp_path / "run.yaml").write_text(PLAIN)
    done = cn("predict", tmp_path, tmp_path)
    assert "does not say what the run noted" in done.stderr


FAULTS: list[tuple[list[object], int, str]] = [
    (["evaluate", "{}"], 1, "is not the folder of a run: it has no run.yaml"),
    (["evaluate", "lenet"], 2, "`lenet` is a spec, which needs `--weights`"),
    (["evaluate", "lanet"], 1, "`lanet` is neither a file nor a shipped network"),
    (["evaluate", "{}/plain", "--split", "test"], 2, "no split `test`: one of val, train, all"),
    (["evaluate", "{}/plain", "--data", "cifar10"], 1, "takes images of 1 channel, those of"),
    (["evaluate", "{}/plain", "--data", "nothing"], 1, "train.data.name"),
    (["evaluate", "{}/plain", "--data", "folder"], 1, "needs a folder of images"),
    (["evaluate", "{}/plain", "--device", "tpu"], 1, "there is no device `tpu`"),
    (["evaluate", "{}/plain", "--recipe", "a"], 1, "has no recipe `a`"),
    (["evaluate", "{}/plain", "--weights", "no.pt"], 1, "no.pt does not exist"),
    (["evaluate", "{}/plain", "--set", "classes=7"], 1, "fc.bias: [10] in the weights, [7]"),
    (["evaluate", "{}/plain", "-o", "{}/plain.yaml"], 1, "cannot make"),
    (["evaluate", "{}/plain", "--weights", "{}/folder/best.safetensors"], 1, "does not fit plain"),
    (["evaluate", "lenet", "--weights", "{}/plain/best.safetensors"], 1, "no tensor fits"),
    (["predict", "{}/plain"], 2, "Missing argument"),
    (["predict", "{}/plain", "{}/images", "--device", "cuda:99"], 1, "GPU"),
    (
        ["predict", "{}/plain.yaml", "{}/images", "--weights", "{}/plain/best.safetensors"],
        1,
        "how plain sees images is not known",
    ),
]


@pytest.mark.parametrize(("args", "code", "told"), FAULTS, ids=lambda value: str(value)[:60])
def test_faults(runs: Path, args: list[str], code: int, told: str) -> None:
    done = cn(*(arg.replace("{}", str(runs)) for arg in args))
    assert done.exit_code == code, done.output
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_weights_that_are_not_finite(runs: Path, tmp_path: Path) -> None:
    state = find_trained(Asked(str(runs / "plain")), print).module.state_dict()
    torch.save({name: tensor * float("nan") for name, tensor in state.items()}, tmp_path / "w.pt")
    for command in (("evaluate", runs / "plain"), ("predict", runs / "plain", runs / "images")):
        done = cn(*command, "--weights", tmp_path / "w.pt")
        assert done.exit_code == 1
        assert "not finite" in done.stderr


def test_a_precision_that_the_device_lacks(runs: Path) -> None:
    done = cn("evaluate", runs / "plain", "--device", "cpu", "--set", "train.precision=fp16")
    assert done.exit_code == 0
    assert "note: fp16 needs a GPU; computing in fp32" in done.stderr


@pytest.mark.usefixtures("gpu")
def test_on_cuda(runs: Path) -> None:
    """Every line for `--device cuda`, with the GPU's work done by the CPU."""
    images = (runs / "images" / "one", runs / "images" / "two")
    for command in (("evaluate", runs / "ema"), ("predict", runs / "ema", *images)):
        plain = cn(*command, "--json", "--device", "cpu")
        with CudaOnCpu() as mode:
            done = cn(*command, "--json", "--device", "cuda")
        assert done.exit_code == 0, done.output
        assert done.stdout == plain.stdout
        assert mode.served >= 2


def test_what_is_meant(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's folder, its run.yaml, or a spec, also where a folder has the name of one."""
    assert run_folder(str(runs / "plain")) == runs / "plain"
    assert run_folder(str(runs / "plain" / "run.yaml")) == runs / "plain"
    assert run_folder(str(runs / "plain.yaml")) is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet").mkdir()
    assert run_folder("lenet") is None
    with pytest.raises(TrainError, match=r"no run\.yaml"):
        run_folder(str(tmp_path))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("input: [3, 8, 8]\nbody: [conv: 4]\n", "gives [4, 8, 8], not one number for each class"),
        ("input: [10]\nbody: [linear: 4]\n", "net takes [10]"),
        ("input: [4, 8, 8]\nbody: [flatten, linear: 4]\n", "net takes [4, 8, 8]"),
    ],
)
def test_networks_that_are_no_classifiers(tmp_path: Path, spec: str, told: str) -> None:
    path, weights = tmp_path / "net.yaml", tmp_path / "w.pt"
    path.write_text(spec)
    torch.save(cnndsl.build(path).state_dict(), weights)
    normal = ["--set", "train.data.mean=[0,0,0]", "--set", "train.data.std=[1,1,1]"]
    image = picture(tmp_path / "a.png", (9, 9))
    done = cn("predict", path, image, "--weights", weights, *normal)
    assert done.exit_code == 1
    assert told in done.stderr


def test_softmax_at_the_end(tmp_path: Path) -> None:
    """What are probabilities already stays as it is."""
    path, weights = tmp_path / "net.yaml", tmp_path / "w.pt"
    path.write_text("input: [1, 2, 2]\nbody: [flatten, linear: 2, softmax]\n")
    model = cnndsl.build(path)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        next(p for p in model.parameters() if p.dim() == 1).copy_(torch.tensor([0.0, 3.0]))
    torch.save(model.state_dict(), weights)
    normal = ["--set", "train.data.mean=[0]", "--set", "train.data.std=[1]"]
    image = picture(tmp_path / "a.png", (9, 9))
    done = cn("predict", path, image, "--weights", weights, *normal, "--json")
    assert done.exit_code == 0, done.stderr
    best = json.loads(done.stdout)[0]["top"][0]
    assert best["class"] == "1"
    assert best["probability"] == pytest.approx(0.952574, abs=1e-5)
