"""What all operators share (docs/arithmetic.md, 1, 2 and 5): tensors in canonical units, rounding, requantization.

Integers are held as int64 so that numpy never wraps by itself; float32 values stay np.float32 through every step, for
the page states each as one rounded operation.
"""
import dataclasses

import numpy as np

f32, f64 = np.float32, np.float64
EPS = 2.0 ** -23  # of float32
TYPE_RANGE = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-2 ** 31, 2 ** 31 - 1),
              "int64": (-2 ** 63, 2 ** 63 - 1)}
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
ACTIVATION = {NONE: (-np.inf, np.inf), RELU: (0, np.inf), RELU_N1_TO_1: (-1, 1), RELU6: (0, 6)}


class NotCovered(Exception):
    """The page says nothing about this; the case is skipped with the message."""


@dataclasses.dataclass
class Tensor:
    """A value, or the description of one to be computed (data None). Quantized uint8 is canonical: int8, less 128."""
    type: str
    shape: tuple
    data: np.ndarray = None
    scales: np.ndarray = None  # float32, or None for plain numbers
    zeros: np.ndarray = None   # canonical
    axis: int = 0
    shifted: bool = False      # uint8 in the model
    slack: np.ndarray = None   # floats: how far another correct implementation may be, absolute

    @property
    def quantized(self):
        return self.scales is not None

    @property
    def s(self):
        """The scale of a tensor quantized as a whole, widened."""
        assert self.scales.size == 1
        return f64(self.scales[0])

    @property
    def z(self):
        assert self.zeros.size == 1
        return int(self.zeros[0])

    @property
    def is_float(self):
        return self.type in ("float32", "float16")

    def same_quantization(self, other):
        return self.type == other.type and (not self.quantized or (self.s == other.s and self.z == other.z))


@dataclasses.dataclass
class Approx:
    """A float result that may differ by `slack`, absolute and per element."""
    data: np.ndarray
    slack: np.ndarray


def rne(x):
    return np.rint(x)


def round_away(x):
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def bounds(out, activation=NONE):
    """[lo, hi] of an output in stored units: its type's range and the fused activation."""
    lo, hi = ACTIVATION[activation]
    if out.is_float:
        return lo, hi
    least, most = TYPE_RANGE[out.type]
    if out.quantized:
        lo, hi = (v if np.isinf(v) else out.z + round_away(f32(v) / out.scales[0]) for v in (lo, hi))
    return int(np.clip(lo, least, most)), int(np.clip(hi, least, most))


def store(v, z, lo, hi):
    """The second half of requantize: float32 v becomes a stored value; NaN gives lo."""
    assert v.dtype == f32
    low, high = f32(lo - z), f32(hi - z)
    v = np.where(np.isnan(v), low, v)
    return z + rne(np.minimum(np.maximum(v, low), high)).astype(np.int64)


def multiplier(value):
    m = f32(value)
    assert np.all(np.isfinite(m)) and np.all(m > 0), "multiplier %r" % value
    return m


def requantize(acc, m, z, lo, hi, wide=False):
    """acc: int64. wide: the rule of int16 activations, whose product is taken in float64."""
    with np.errstate(over="ignore"):
        v = f32(f64(acc) * f64(m)) if wide else acc.astype(f32) * m
    return store(np.asarray(v, f32), z, lo, hi)


def clamp_float(v, activation):
    """NaN passes."""
    lo, hi = ACTIVATION[activation]
    return np.clip(v, f32(lo), f32(hi)).astype(f32)


def wrap(v, kind):
    """v modulo 2^n as a signed integer of type `kind`."""
    return v.astype({"int32": np.int32, "int64": np.int64}[kind]).astype(np.int64)


def requantized(t, like):
    """t through Quantize to the quantization of `like`, as the import does where operands must agree."""
    if t.same_quantization(like):
        return t
    lo, hi = bounds(like)
    v = (t.data - t.z).astype(f32) * multiplier(t.s / like.s)
    return dataclasses.replace(like, shape=t.shape, data=store(v, like.z, lo, hi))
