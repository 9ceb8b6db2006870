"""UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF (docs/arithmetic.md, Recurrent).

States are the last inputs; the new state is written into the input's Tensor, where graph.py takes it for the next run.
Peepholes, projection and layer normalization are not covered: no fixture has them."""
import numpy as np

from arith import Approx, NotCovered, Tensor, bounds, clamp_float, f32, f64, multiplier, requantize
from elementwise import REAL, interpolate16, table16

SLACK = 2e-6  # float states lie in [-1, 1]; per step of a sequence


def sat(v):
    return np.clip(v, -32768, 32767)


def rshift(v, n):
    """v / 2^n to nearest, halves away from zero."""
    return np.sign(v) * ((np.abs(v) + (1 << n >> 1)) >> n)


def q16(acc, m):
    return requantize(acc, m, 0, -32768, 32767)


def gate_table(name):
    unit = Tensor("int16", (), None, np.array([2.0 ** -12], f32), np.array([0]))
    to = Tensor("int16", (), None, np.array([2.0 ** -15], f32), np.array([0]))
    return table16(REAL[name], unit, to)


def symmetric_rows(x, weights):
    """Float rows times int8 weights [n, k]: each row quantized by its largest magnitude."""
    r = np.abs(x).max(-1, keepdims=True)
    with np.errstate(all="ignore"):
        q = np.where(r == 0, 0, np.clip(np.rint(x * (f32(127) / r)), -128, 127)).astype(np.int64)
    return (q @ weights.data.T).astype(f32) * ((r / f32(127)) * weights.scales)


def real_product(x, weights):
    if weights.quantized:
        return symmetric_rows(x, weights)
    return (f64(x) @ f64(weights.data).T).astype(f32)


# ---- LSTM ----

class Lstm:
    """The inputs by name; gates in the order i, f, g, o."""

    def __init__(self, n):
        if any(n.has(i) for i in (9, 10, 11, 16, 17, 20, 21, 22, 23)):
            raise NotCovered("peepholes, projection, layer normalization")
        self.x, self.input, self.recurrent, self.bias = n.inputs[0], n.inputs[1:5], n.inputs[5:9], n.inputs[12:16]
        self.h, self.c, self.out, self.clip = n.inputs[18], n.inputs[19], n.out, f64(n.opt("cell_clip"))


def int8_gates(l, x, h, tables):
    for k in range(4):
        sg, x0, h0 = 2.0 ** -12, l.x, l.h
        w, r = l.input[k], l.recurrent[k]
        a = q16((x - x0.z) @ w.data.T + l.bias[k].data, multiplier(x0.s * w.s / sg))
        a = sat(a + q16((h - h0.z) @ r.data.T, multiplier(h0.s * r.s / sg)))
        yield interpolate16(tables[k == 2], a)


def int8_step(l, x, h, c, tables):
    i, f, g, o = int8_gates(l, x, h, tables)
    shift = int(np.log2(l.c.s))
    c = sat(rshift(f * c, 15) + rshift(i * g, 30 + shift))
    if l.clip:
        clip = int(min(l.clip / l.c.s, 32767))
        c = np.clip(c, -clip, clip)
    t = interpolate16(tables[1], sat(c << (12 + shift)) if shift >= -12 else rshift(c, -12 - shift))
    return requantize(o * t, multiplier(2.0 ** -30 / l.out.s), l.out.z, -128, 127), c


def float_step(l, x, h, c, _):
    a = [l.bias[k].data + real_product(x, l.input[k]) + real_product(h, l.recurrent[k]) for k in range(4)]
    i, f, o = (REAL["LOGISTIC"](f64(a[k])).astype(f32) for k in (0, 1, 3))
    c = f * c + i * np.tanh(f64(a[2])).astype(f32)
    if l.clip:
        c = np.clip(c, f32(-l.clip), f32(l.clip))
    return o * np.tanh(f64(c)).astype(f32), c


def lstm(n):
    l = Lstm(n)
    x = l.x.data if n.opt("time_major") else l.x.data.swapaxes(0, 1)
    tables = (gate_table("LOGISTIC"), gate_table("TANH"))
    step = float_step if l.x.is_float else int8_step
    h, c, out = l.h.data, l.c.data, []
    for row in x:
        h, c = step(l, row, h, c, tables)
        out.append(h)
    l.h.data, l.c.data = h, c
    y = np.stack(out)
    y = y if n.opt("time_major") else y.swapaxes(0, 1)
    return Approx(y, np.full(y.shape, SLACK * len(out))) if l.x.is_float else y


# ---- SVDF ----

def svdf(n):
    x, feature, time, bias, state = n.inputs
    filters, memory = time.shape
    s = np.roll(state.data.reshape(-1, filters, memory), -1, 2)
    sums = lambda v: v.reshape(v.shape[0], -1, n.opt("rank") * memory).sum(-1)
    if x.quantized:
        least, most = bounds(state)
        s[:, :, -1] = requantize((x.data - x.z) @ feature.data.T, multiplier(x.s * feature.s / state.s), 0, least, most)
        acc = sums(time.data * s) + bias.data
        y = requantize(acc, multiplier(state.s * time.s / n.out.s), n.out.z, *bounds(n.out, n.activation), wide=True)
    else:
        s[:, :, -1] = real_product(x.data, feature)
        t = time.data.astype(f32) * time.scales if time.quantized else time.data
        exact = sums(f64(t) * f64(s)) + bias.data
        slack = (x.shape[1] + memory + 4) * 2.0 ** -23 * (sums(np.abs(f64(t) * f64(s))) + np.abs(bias.data))
        y = Approx(clamp_float(exact.astype(f32), n.activation), 4 * slack)
    state.data = s.reshape(state.shape)
    return y


OPERATORS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": lstm, "SVDF": svdf}
