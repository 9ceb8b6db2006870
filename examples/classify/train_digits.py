#!/usr/bin/env python3
"""Trains the demo's digit classifier, quantizes it to int8 and writes it as digits.tflite; TRAINING.md says more.

Reads scikit-learn's handwritten digits. Writes, next to itself: digits.tflite, digits.labels.txt, digits.json (figures)
and pictures/*.png (held-out digits). The accuracy it reports is that of the written file as LiteRT executes it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import digits_net as net
import tflite_writer as tfl

HERE = Path(__file__).resolve().parent
LABELS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
# (digit, letter): digit_7_b.png is the second held-out seven. Taken in order, not by how well they are recognized.
PICTURES = [(0, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "a"), (7, "a"), (7, "b"), (9, "a")]

SEED = 1
HELD_OUT = 0.25
EPOCHS = 120
BATCH = 64
PEAK_RATE = 4e-3

INPUT_SIZE = 16  # twice the 8x8 of the data, so that two levels of pooling and stride remain useful
PICTURE_SIZE = 64
DATA_MAX = 16  # the data's brightest value

MIN_ACCURACY = 0.97
MAX_BYTES = 100_000

INPUT_SCALE, INPUT_ZERO = np.float32(1 / 255), -128  # q = pixel - 128
SOFTMAX_SCALE, SOFTMAX_ZERO = np.float32(1 / 256), -128  # the only ones TFLite allows for int8


@dataclass
class Data:
    """Model inputs, bytes 0..255 in [n, 16, 16], made from pictures; `raw` is the 8x8 original of the held-out part."""

    train: np.ndarray
    train_labels: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray
    raw: np.ndarray


def stretch(images: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, [n, from, from] to [n, size, size] bytes: half-pixel centres, clamped edges, no prefilter."""
    source = images.shape[1]
    at = np.clip((np.arange(size) + 0.5) * source / size - 0.5, 0, source - 1)
    low = np.minimum(at.astype(int), source - 2)
    weights = np.zeros((size, source))
    weights[np.arange(size), low] = 1 - (at - low)
    weights[np.arange(size), low + 1] = at - low
    return np.floor(weights @ images @ weights.T + 0.5).astype(np.uint8)


def pictures_of(raw: np.ndarray) -> np.ndarray:
    """What the PNG files hold: 8x8 digits of 0..16 as 64x64 bytes, white on black."""
    return stretch(raw * (255 / DATA_MAX), PICTURE_SIZE)


def inputs_of(raw: np.ndarray) -> np.ndarray:
    """8x8 digits as model inputs, through the picture, as a user's image would come."""
    return stretch(pictures_of(raw), INPUT_SIZE)


def load() -> Data:
    """A fixed split with equal shares of each digit."""
    digits = load_digits()
    train_raw, held_out_raw, train_labels, held_out_labels = train_test_split(
        digits.images, digits.target, test_size=HELD_OUT, random_state=SEED, stratify=digits.target)
    return Data(inputs_of(train_raw), train_labels, inputs_of(held_out_raw), held_out_labels, held_out_raw)


def as_float(images: np.ndarray) -> np.ndarray:
    """Bytes [n, h, w] to the 0..1 values [n, h, w, 1] that the quantized input stands for."""
    return images[..., None].astype(np.float32) / np.float32(255)


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifts by up to 1.5 pixels, turns by up to 8 degrees and scales by up to 10 % each [size, size, 1] image."""
    n, size = images.shape[:2]
    angle = np.deg2rad(rng.uniform(-8, 8, (n, 1, 1)))
    zoom = rng.uniform(0.9, 1.1, (n, 1, 1))
    shift_y, shift_x = rng.uniform(-1.5, 1.5, (2, n, 1, 1))
    centre = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - centre
    source_y = (np.cos(angle) * y - np.sin(angle) * x) * zoom + centre + shift_y
    source_x = (np.sin(angle) * y + np.cos(angle) * x) * zoom + centre + shift_x
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))  # black outside
    row, col = (np.clip(s + 1, 0, size + 0.999) for s in (source_y, source_x))
    top, left = row.astype(int), col.astype(int)
    down, right = row - top, col - left
    each = np.arange(n)[:, None, None]
    upper = padded[each, top, left] * (1 - right) + padded[each, top, left + 1] * right
    lower = padded[each, top + 1, left] * (1 - right) + padded[each, top + 1, left + 1] * right
    return (upper * (1 - down) + lower * down)[..., None].astype(np.float32)


def train(data: Data) -> list[net.Layer]:
    """Trains for a fixed number of epochs, the rate falling as a half cosine; the held-out part is never looked at."""
    rng = np.random.default_rng(SEED)
    layers = net.build(rng)
    images = as_float(data.train)
    batches = len(images) // BATCH
    step, steps = 0, EPOCHS * batches
    for epoch in range(EPOCHS):
        losses = []
        for pick in np.array_split(rng.permutation(len(images)), batches):
            step += 1
            rate = PEAK_RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / steps))
            losses.append(net.train_step(layers, augment(images[pick], rng), data.train_labels[pick], rate, step))
        if (epoch + 1) % 20 == 0:
            print(f"epoch {epoch + 1:3}: loss {np.mean(losses):.4f}", flush=True)
    return layers


def affine(low: float, high: float) -> tuple[np.float32, int]:
    """Scale and zero point of an int8 tensor that spans [low, high] and represents 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(round(-128 - low / float(scale)), -128, 127))


def quantize_weights(layer: net.Weighted) -> tuple[np.ndarray, np.ndarray, int]:
    """Symmetric int8 weights, scales, axis; a scale per output channel of a convolution, one for FULLY_CONNECTED."""
    weights = layer.weights.value
    axis = 3 if isinstance(layer, net.Depthwise) else 0
    if isinstance(layer, net.Dense):
        scale = np.abs(weights).max().reshape(1) / np.float32(127)
        spread = scale
    else:
        others = tuple(i for i in range(weights.ndim) if i != axis)
        spread = np.abs(weights).max(others, keepdims=True) / np.float32(127)
        spread = np.maximum(spread, np.float32(1e-6))  # a channel of zeros
        scale = spread.reshape(-1)
    return np.clip(np.rint(weights / spread), -127, 127).astype(np.int8), scale, axis


def add_constants(graph: tfl.Graph, layer: net.Weighted, input_scale: np.float32) -> list[int]:
    """Adds int8 weights and the int32 bias, whose scale is input scale times weight scale; returns their indices."""
    weights, scale, axis = quantize_weights(layer)
    bias_scale = input_scale * scale
    bias = np.rint(layer.bias.value.astype(np.float64) / bias_scale).astype(np.int32)
    return [
        graph.add(tfl.Tensor(f"{layer.name}/weights", weights.shape, np.int8, weights, scale, axis=axis)),
        graph.add(tfl.Tensor(f"{layer.name}/bias", bias.shape, np.int32, bias, bias_scale)),
    ]


def operator_of(layer: net.Layer) -> tuple[str, list[tfl.Field]]:
    """The TFLite operator a layer stands for, and its options."""
    match layer:
        case net.Conv():
            return "CONV_2D", tfl.conv_options(layer.stride, layer.relu)
        case net.Depthwise():
            return "DEPTHWISE_CONV_2D", tfl.depthwise_options(layer.stride, layer.relu)
        case net.Dense():
            return "FULLY_CONNECTED", tfl.dense_options(layer.relu)
        case net.MaxPool():
            return "MAX_POOL_2D", tfl.pool_options(layer.size)
        case net.Mean():
            return "MEAN", tfl.mean_options()
    raise TypeError(f"layer '{layer.name}': no TFLite operator is known for {type(layer).__name__}")


def quantize(layers: list[net.Layer], calibration: np.ndarray) -> tfl.Graph:
    """The int8 graph; activation ranges are the extremes seen over the calibration images (floats, 0..1)."""
    graph = tfl.Graph("digits", "Handwritten digits 0-9, int8, input 16x16 grey, white on black")
    scale, zero = INPUT_SCALE, INPUT_ZERO
    x = calibration
    current = graph.add(tfl.Tensor("image", (1, *x.shape[1:]), np.int8, None, scale.reshape(1), zero))
    graph.inputs = [current]
    for layer in layers:
        x = layer.forward(x)
        inputs = [current]
        if isinstance(layer, net.Weighted):
            inputs += add_constants(graph, layer, scale)
        if isinstance(layer, net.Mean):
            inputs.append(graph.add(tfl.Tensor("mean/axes", (2,), np.int32, np.array([1, 2], np.int32))))
        if not isinstance(layer, net.MaxPool):  # MAX_POOL_2D must keep its input's scale
            scale, zero = affine(float(x.min()), float(x.max()))
        current = graph.add(tfl.Tensor(layer.name, (1, *x.shape[1:]), np.int8, None, scale.reshape(1), zero))
        kind, options = operator_of(layer)
        graph.ops.append(tfl.Op(kind, inputs, [current], options))
    output = graph.add(
        tfl.Tensor("probabilities", (1, len(LABELS)), np.int8, None, SOFTMAX_SCALE.reshape(1), SOFTMAX_ZERO))
    graph.ops.append(tfl.Op("SOFTMAX", [current], [output], tfl.softmax_options()))
    graph.outputs = [output]
    return graph


def run_litert(model: bytes, images: np.ndarray) -> np.ndarray:
    """int8 outputs [n, 10] of LiteRT for images [n, 16, 16] of bytes, one at a time."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in images:
        quantized = (image.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(source["index"], quantized[None, ..., None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0])
    return np.array(outputs)


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest score is the label's (the lowest index on a tie)."""
    return round(float((scores.argmax(1) == labels).mean()), 4)


def write_pictures(data: Data, model: bytes) -> dict[str, dict]:
    """Writes the PNG files, reads them back and returns what LiteRT makes of each."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    seen = {}
    for digit, letter in PICTURES:
        index = np.flatnonzero(data.held_out_labels == digit)[ord(letter) - ord("a")]
        path = folder / f"digit_{digit}_{letter}.png"
        Image.fromarray(pictures_of(data.raw[index:index + 1])[0]).save(path, optimize=True)
        pixels = stretch(np.asarray(Image.open(path))[None], INPUT_SIZE)
        scores = run_litert(model, pixels)[0]
        best = int(scores.argmax())
        seen[path.name] = {"label": LABELS[digit], "predicted": LABELS[best],
                           "probability": (int(scores[best]) - SOFTMAX_ZERO) / 256}
    return seen


def report(data: Data, layers: list[net.Layer], model: bytes) -> dict:
    """Measures the float network and the written file on the held-out digits."""
    labels = data.held_out_labels
    direct = stretch(data.raw * (255 / DATA_MAX), INPUT_SIZE)
    return {
        "held_out": len(labels),
        "trained_on": len(data.train_labels),
        "accuracy_float": accuracy(net.forward(layers, as_float(data.held_out)), labels),
        "accuracy_int8_from_pictures": accuracy(run_litert(model, data.held_out), labels),
        "accuracy_int8_from_8x8": accuracy(run_litert(model, direct), labels),
        "size_bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "seed": SEED,
    }


def main() -> None:
    """Trains, quantizes, measures, writes; fails without writing when the model is not good enough."""
    data = load()
    with threadpool_limits(1):  # sums in a fixed order: reruns on one machine give the same bytes
        layers = train(data)
        model = tfl.write(quantize(layers, as_float(data.train)))
        figures = report(data, layers, model)
    worst = min(figures["accuracy_int8_from_pictures"], figures["accuracy_int8_from_8x8"])
    if worst < MIN_ACCURACY or len(model) > MAX_BYTES:
        raise SystemExit(f"not written: accuracy {worst}, at least {MIN_ACCURACY} expected; "
                         f"{len(model)} bytes, at most {MAX_BYTES} expected")
    (HERE / "digits.tflite").write_bytes(model)
    (HERE / "digits.labels.txt").write_text("\n".join(LABELS) + "\n")
    figures["pictures"] = write_pictures(data, model)
    (HERE / "digits.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
