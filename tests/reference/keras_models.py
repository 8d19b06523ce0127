"""Runs in the Keras environment: makes models, and what Keras itself makes of photos with them.

    python keras_models.py OUT photo…

OUT gets `vgg_4096.h5`, as Keras 2 saved it, and `effnet.keras`, each with its `.npy` of vectors, and a few
files that are to be refused.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tf_keras

SIZE = 224


def main() -> None:
    out, photos = Path(sys.argv[1]), sys.argv[2:]
    keras.utils.set_random_seed(4096)  # for what `enliven` leaves to Keras, such as dropout
    vgg = make_vgg()
    vgg.save(out / "vgg_4096.h5")
    np.save(
        out / "vgg_4096.npy", vectors(tf_keras, vgg, tf_keras.applications.vgg16.preprocess_input, photos)
    )
    del vgg
    effnet = keras.applications.EfficientNetB0(weights=None, include_top=False, pooling="avg")
    enliven(effnet)
    effnet.save(out / "effnet.keras")
    np.save(
        out / "effnet.npy", vectors(keras, effnet, keras.applications.efficientnet.preprocess_input, photos)
    )
    make_unfit(out)


def make_vgg() -> Any:
    """Return VGG16 up to its layer of 4,096 numbers, of Keras 2."""
    whole = keras.applications.VGG16(weights=None)
    enliven(whole)
    old = tf_keras.applications.VGG16(weights=None)
    old.set_weights(whole.get_weights())
    return tf_keras.Model(old.input, old.layers[-2].output)


def enliven(model: Any) -> None:
    """Draw weights whose signal neither dies nor explodes, so that different photos differ."""
    random = np.random.default_rng(4096)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense):
            is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            inputs = np.prod(layer.kernel.shape[: 2 if is_depthwise else -1])  # of one output
            spread = np.float32(np.sqrt(2 / inputs))
            layer.kernel.assign(random.standard_normal(layer.kernel.shape, np.float32) * spread)
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the next batch
    coarse = random.integers(0, 256, (8, 7, 7, 3))
    model(np.kron(coarse, np.ones((1, SIZE // 7, SIZE // 7, 1))).astype(np.float32), training=True)


def vectors(library: Any, model: Any, prepare: Callable[[Any], Any], photos: list[str]) -> Any:
    """Return float32 `(n, dim)`, made as the users of Keras do."""
    rows = []
    for photo in photos:
        image = library.utils.load_img(photo, target_size=(SIZE, SIZE))
        rows.append(prepare(library.utils.img_to_array(image)[np.newaxis])[0])
    return np.asarray(model.predict(np.stack(rows), verbose=0), np.float32)


def make_unfit(out: Path) -> None:
    """Write what no conversion may accept."""
    layers = keras.layers
    photo = keras.Input((32, 32, 3))
    row = layers.Dense(4)(layers.GlobalAveragePooling2D()(photo))
    keras.Model(photo, row).save(out / "plain.keras")
    keras.Model(photo, row).save(out / "plain.h5")
    keras.Model(photo, row).save_weights(out / "only.weights.h5")
    keras.Model(photo, layers.Lambda(lambda x: x + 1)(row)).save(out / "lambda.keras")
    keras.Model(photo, layers.Lambda(lambda x: x + 1)(row)).save(out / "lambda.h5")
    grey = keras.Input((32, 32, 1))
    keras.Model(grey, layers.GlobalAveragePooling2D()(grey)).save(out / "grey.keras")
    keras.Model([photo, grey], [row]).save(out / "two.keras")
    dead = layers.Dense(4, kernel_initializer="zeros")(layers.GlobalAveragePooling2D()(photo))
    keras.Model(photo, dead).save(out / "dead.keras")
    (out / "text.h5").write_text("not a model")
    content = (out / "plain.keras").read_bytes()
    (out / "cut.keras").write_bytes(content[: len(content) // 2])
    with zipfile.ZipFile(out / "assets.keras", "w") as archive:
        archive.writestr("assets/vocabulary.txt", "x")
    (out / "linked.h5").write_bytes((out / "plain.h5").read_bytes())
    with h5py.File(out / "linked.h5", "a") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    (out / "stored.h5").write_bytes((out / "plain.h5").read_bytes())
    with h5py.File(out / "stored.h5", "a") as file:
        file.create_dataset("elsewhere", (4,), "u1", external=[("/etc/passwd", 0, 4)])


if __name__ == "__main__":
    main()
