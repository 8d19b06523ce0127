"""Runs in the Keras environment: makes models with lively random weights, and Keras' own vectors of photos.

    python keras_models.py make VGG16 model.h5 [fc2]
    python keras_models.py vectors model.h5 VGG16 vectors.npy photo…
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np


def make(application: str, path: str, layer: str | None = None) -> None:
    """Save an application with seeded weights: cut off after a layer, or without its classifier."""
    keras.utils.set_random_seed(4096)
    builder = getattr(keras.applications, application)
    if layer is None:
        model = builder(weights=None, include_top=False, pooling="avg")
    else:
        whole = builder(weights=None)
        model = keras.Model(whole.input, whole.get_layer(layer).output)
    enliven(model)
    model.save(path)


def enliven(model: Any) -> None:
    """Make weights whose signal neither dies nor explodes, so that different photos differ in their vectors."""
    random = np.random.default_rng(4096)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            kernel = layer.kernel
            inputs = int(np.prod(kernel.shape[:-1]))
            kernel.assign(random.normal(0, np.sqrt(2 / inputs), kernel.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the next batch
    size = model.input_shape[1] or 224
    coarse = random.integers(0, 256, (8, 7, 7, 3))
    photos = np.kron(coarse, np.ones((1, size // 7, size // 7, 1)))
    photos = np.pad(photos, [(0, 0), (0, size - photos.shape[1]), (0, size - photos.shape[2]), (0, 0)], "edge")
    model(photos.astype(np.float32), training=True)


def vectors(model_path: str, application: str, target: str, *photos: str) -> None:
    """Write float32 `(n, dim)`, as the code of Keras' users makes them."""
    model = keras.models.load_model(model_path, compile=False)
    prepare = sys.modules[getattr(keras.applications, application).__module__].preprocess_input
    size = model.input_shape[1] or 224
    rows = []
    for photo in photos:
        image = keras.utils.load_img(photo, target_size=(size, size))
        rows.append(prepare(np.expand_dims(keras.utils.img_to_array(image), axis=0))[0])
    np.save(target, np.asarray(model.predict(np.stack(rows), verbose=0), np.float32))


if __name__ == "__main__":
    {"make": make, "vectors": vectors}[sys.argv[1]](*sys.argv[2:])
