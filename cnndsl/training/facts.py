"""What is known of each data set before an image is read; without torch."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.recipe.sections import Data
from cnndsl.training.errors import TrainError


@dataclass(frozen=True)
class Facts:
    """What a network must be compiled for."""

    name: str
    channels: int
    classes: tuple[str, ...]


_DIGITS = tuple("0123456789")
_CLOTHES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
_KNOWN = {
    "digits": Facts("digits", 1, _DIGITS),
    "mnist": Facts("mnist", 1, _DIGITS),
    "fashion_mnist": Facts("fashion_mnist", 1, _CLOTHES),
    "cifar10": Facts("cifar10", 3, _CIFAR10),
    "cifar100": Facts("cifar100", 3, tuple(_CIFAR100.split())),
}


def find_facts(data: Data) -> Facts:
    """What is known of a data set before its images are read; a folder is listed.

    Images of `folder` and `webdataset` are read in colour, in grey where `mean` has one number.
    """
    if data.name in _KNOWN:
        return _KNOWN[data.name]
    if data.name == "folder":
        from cnndsl.training.data import folder as images
    else:
        from cnndsl.training.data.shards import names as images  # type: ignore[no-redef]
    classes = images.class_names(data)
    if len(classes) < 2:
        raise TrainError(
            f"{data.root} holds one class, `{classes[0]}`",
            "images of each class stand in DIR/train/CLASS and DIR/val/CLASS, or in DIR/CLASS",
        )
    return Facts(data.name, 1 if data.mean is not None and len(data.mean) == 1 else 3, classes)
