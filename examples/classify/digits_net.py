"""The digits network and how it is trained: layers with hand-written gradients on numpy arrays.

Activations are [batch, height, width, channels]; weights lie in TFLite order, so quantization needs no transposing.
The layers do what the TFLite operators of the same name do, in float; they are not meant for large networks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass
class Param:
    """A trained array, its gradient, and Adam's two moments."""

    value: Array

    def __post_init__(self) -> None:
        self.grad = np.zeros_like(self.value)
        self.mean = np.zeros_like(self.value)
        self.square = np.zeros_like(self.value)


class Layer:
    """One operator. `forward` remembers what `backward` (gradient of the output -> of the input) needs."""

    name: str
    params: tuple[Param, ...] = ()

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        raise NotImplementedError


class Weighted(Layer):
    """A linear map with bias and an optional fused RELU; subclasses give the map and its two gradients."""

    def __init__(self, name: str, weights: Array, channels: int, relu: bool) -> None:
        self.name, self.relu = name, relu
        self.weights, self.bias = Param(weights), Param(np.zeros(channels, np.float32))
        self.params = (self.weights, self.bias)

    def forward(self, x: Array) -> Array:
        y = self._map(x) + self.bias.value
        if self.relu:
            y = np.maximum(y, 0)
            self._positive = y > 0
        return y

    def backward(self, dy: Array) -> Array:
        if self.relu:
            dy = dy * self._positive
        self.bias.grad = dy.reshape(-1, dy.shape[-1]).sum(0)
        return self._map_backward(dy)

    def _map(self, x: Array) -> Array:
        raise NotImplementedError

    def _map_backward(self, dy: Array) -> Array:
        raise NotImplementedError


class Spatial(Weighted):
    """What both convolutions share: square kernels, SAME padding, and a walk over the kernel's taps."""

    def __init__(self, name: str, weights: Array, channels: int, stride: int) -> None:
        super().__init__(name, weights, channels, relu=True)
        self.stride, self.kernel = stride, weights.shape[1]

    def _pad(self, x: Array) -> Array:
        """Zero border as TFLite's SAME wants it: the odd row and column go to the bottom and right."""
        self._size = x.shape[1]
        self._out = -(-self._size // self.stride)
        total = max((self._out - 1) * self.stride + self.kernel - self._size, 0)
        self._before = total // 2
        border = (self._before, total - self._before)
        return np.pad(x, ((0, 0), border, border, (0, 0)))

    def _unpad(self, padded: Array) -> Array:
        window = slice(self._before, self._before + self._size)
        return padded[:, window, window]

    def _taps(self) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
        """(row, column, the slices of the padded image that this tap multiplies)."""
        for i in range(self.kernel):
            for j in range(self.kernel):
                rows = slice(i, i + self._out * self.stride, self.stride)
                cols = slice(j, j + self._out * self.stride, self.stride)
                yield i, j, (slice(None), rows, cols)


class Conv(Spatial):
    """CONV_2D with RELU; weights [out, kernel, kernel, in]."""

    def __init__(self, name: str, rng: np.random.Generator, cin: int, cout: int, kernel: int, stride: int = 1) -> None:
        super().__init__(name, _he(rng, (cout, kernel, kernel, cin), kernel * kernel * cin), cout, stride)

    def _map(self, x: Array) -> Array:
        self._padded = self._pad(x)
        return sum(self._padded[at] @ self.weights.value[:, i, j].T for i, j, at in self._taps())

    def _map_backward(self, dy: Array) -> Array:
        dx = np.zeros_like(self._padded)
        rows = dy.reshape(-1, dy.shape[-1])  # [pixels, out]
        for i, j, at in self._taps():
            patch = self._padded[at].reshape(len(rows), -1)  # [pixels, in]
            self.weights.grad[:, i, j] = rows.T @ patch
            dx[at] += dy @ self.weights.value[:, i, j]
        return self._unpad(dx)


class Depthwise(Spatial):
    """DEPTHWISE_CONV_2D with RELU, multiplier 1; weights [1, kernel, kernel, channels]."""

    def __init__(self, name: str, rng: np.random.Generator, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(name, _he(rng, (1, kernel, kernel, channels), kernel * kernel), channels, stride)

    def _map(self, x: Array) -> Array:
        self._padded = self._pad(x)
        return sum(self._padded[at] * self.weights.value[0, i, j] for i, j, at in self._taps())

    def _map_backward(self, dy: Array) -> Array:
        dx = np.zeros_like(self._padded)
        for i, j, at in self._taps():
            self.weights.grad[0, i, j] = (dy * self._padded[at]).sum((0, 1, 2))
            dx[at] += dy * self.weights.value[0, i, j]
        return self._unpad(dx)


class Dense(Weighted):
    """FULLY_CONNECTED without activation; weights [out, in]."""

    def __init__(self, name: str, rng: np.random.Generator, cin: int, cout: int) -> None:
        super().__init__(name, _he(rng, (cout, cin), cin), cout, relu=False)

    def _map(self, x: Array) -> Array:
        self._x = x
        return x @ self.weights.value.T

    def _map_backward(self, dy: Array) -> Array:
        self.weights.grad = dy.T @ self._x
        return dy @ self.weights.value


class MaxPool(Layer):
    """MAX_POOL_2D over size x size windows that do not overlap; a tie shares the gradient."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def forward(self, x: Array) -> Array:
        n, h, w, c = x.shape
        windows = x.reshape(n, h // self.size, self.size, w // self.size, self.size, c)
        y = windows.max((2, 4), keepdims=True)
        hit = windows == y
        self._share = hit / hit.sum((2, 4), keepdims=True, dtype=np.float32)
        return y[:, :, 0, :, 0]

    def backward(self, dy: Array) -> Array:
        n, h, w, c = dy.shape
        return (self._share * dy[:, :, None, :, None]).reshape(n, h * self.size, w * self.size, c)


class Mean(Layer):
    """MEAN over height and width."""

    def __init__(self, name: str) -> None:
        self.name = name

    def forward(self, x: Array) -> Array:
        self._shape = x.shape
        return x.mean((1, 2))

    def backward(self, dy: Array) -> Array:
        _, h, w, _ = self._shape
        return np.broadcast_to(dy[:, None, None] / np.float32(h * w), self._shape)


def build(rng: np.random.Generator) -> list[Layer]:
    """The network, from [n, 16, 16, 1] to ten logits. SOFTMAX follows in the file."""
    return [
        Conv("conv1", rng, cin=1, cout=16, kernel=3),  # [n, 16, 16, 16]
        MaxPool("pool1", size=2),  # [n, 8, 8, 16]
        Depthwise("depthwise2", rng, channels=16, kernel=3),
        Conv("pointwise2", rng, cin=16, cout=48, kernel=1),  # [n, 8, 8, 48]
        Depthwise("depthwise3", rng, channels=48, kernel=3),
        Conv("pointwise3", rng, cin=48, cout=48, kernel=1),  # [n, 8, 8, 48]
        Depthwise("depthwise4", rng, channels=48, kernel=3, stride=2),  # [n, 4, 4, 48]
        Conv("pointwise4", rng, cin=48, cout=96, kernel=1),  # [n, 4, 4, 96]
        Mean("mean"),  # [n, 96]
        Dense("logits", rng, cin=96, cout=10),  # [n, 10]
    ]


def forward(layers: list[Layer], x: Array) -> Array:
    """Logits of a batch of images with values 0..1."""
    for layer in layers:
        x = layer.forward(x)
    return x


def train_step(layers: list[Layer], x: Array, labels: Array, rate: float, step: int) -> float:
    """One Adam step on the mean cross entropy of a batch; `step` counts from 1. Returns the loss."""
    logits = forward(layers, x)
    exps = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exps / exps.sum(1, keepdims=True)
    picked = np.arange(len(labels)), labels
    loss = float(-np.log(probabilities[picked] + 1e-9).mean())
    grad = probabilities.copy()
    grad[picked] -= 1
    grad /= len(labels)
    for layer in reversed(layers):
        grad = layer.backward(grad)
    for layer in layers:
        for param in layer.params:
            _adam(param, rate, step)
    return loss


def _adam(p: Param, rate: float, step: int, beta1: float = 0.9, beta2: float = 0.999) -> None:
    p.mean += (1 - beta1) * (p.grad - p.mean)
    p.square += (1 - beta2) * (p.grad**2 - p.square)
    mean, square = p.mean / (1 - beta1**step), p.square / (1 - beta2**step)
    p.value -= (rate * mean / (np.sqrt(square) + 1e-7)).astype(np.float32)


def _he(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> Array:
    """He initialization: keeps the variance through a RELU."""
    return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
