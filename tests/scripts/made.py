"""Pictures and weights made by formulas, for programs that must compute the same with either library."""

import math

import numpy as np


def pictures(count, classes=4, channels=1, size=12, seed=0):
    """Pictures (count, channels, size, size) in [0, 1], each with a bar where its label says."""
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, classes, count)
    images = rng.rand(count, channels, size, size) * 0.5
    for image, label in zip(images, labels):
        start = label * size // classes
        image[:, start : start + 2] += 0.5
    return images.astype(np.float32), labels.astype(np.int64)


def weights(shape, seed=0):
    """Numbers between about -1 and 1 over the square root of the inputs of a filter or of a row."""
    count = math.prod(shape)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 25
    return (np.sin(np.arange(1, count + 1) * (seed + 1.7)) / fan_in**0.5).reshape(shape).astype(np.float32)
