"""UNIDIRECTIONAL_SEQUENCE_LSTM and SVDF (docs/arithmetic.md, Recurrent).

States are inputs; the new state is written into the input's Tensor, where graph.py takes it for the next run."""
import numpy as np

from arith import Approx, Tensor, bounds, clamp_float, f32, f64, multiplier, requantize, rne
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
    """The inputs by name; gates in the order i, f, g, o, None where one is absent (no input gate: CIFG)."""

    def __init__(self, n):
        def given(*indices):
            return [n.inputs[i] if n.has(i) else None for i in indices]
        self.x, self.out, self.inner = n.inputs[0], n.out, n.intermediates
        self.input, self.recurrent, self.bias = given(1, 2, 3, 4), given(5, 6, 7, 8), given(12, 13, 14, 15)
        self.peephole = given(9, 10) + [None] + given(11)
        self.projection, self.projection_bias = given(16, 17)
        self.h, self.c, self.norm = n.inputs[18], n.inputs[19], given(20, 21, 22, 23)
        self.cell_clip, self.projection_clip = f64(f32(n.opt("cell_clip"))), f64(f32(n.opt("proj_clip")))
        self.gates = [k for k in range(4) if self.input[k]]
        self.tables = gate_table("LOGISTIC"), gate_table("TANH")


def int8_normalized(l, k, a):
    """The cells of one gate [batch, N] made to mean 0 and deviation 1, times coefficients, plus bias."""
    n, total = a.shape[-1], a.sum(-1, keepdims=True)
    v = np.maximum(n * (a * a).sum(-1, keepdims=True) - total * total, n * n)
    real = f64(n * a - total) / np.sqrt(f64(v)) * l.norm[k].data + l.bias[k].data * 2.0 ** -10
    return rne(np.clip(f32(real * f64(multiplier(l.norm[k].s * 2.0 ** 12))), f32(-32768), f32(32767))).astype(np.int64)


def int8_gate(l, k, x, h, c):
    sg = l.inner[k].s if l.norm[k] else 2.0 ** -12
    w, r = l.input[k], l.recurrent[k]
    bias = 0 if l.norm[k] else l.bias[k].data
    a = q16((x - l.x.z) @ w.data.T + bias, multiplier(l.x.s * w.s / sg))
    a = sat(a + q16((h - l.h.z) @ r.data.T, multiplier(l.h.s * r.s / sg)))
    if l.peephole[k]:
        a = sat(a + q16(l.peephole[k].data * c, multiplier(l.c.s * l.peephole[k].s / sg)))
    if l.norm[k]:
        a = int8_normalized(l, k, a)
    return interpolate16(l.tables[k == 2], a)


def int8_cell(l, i, f, g, c):
    shift = int(np.log2(l.c.s))
    i = 32767 - f if i is None else i
    c = sat(rshift(f * c, 15) + rshift(i * g, 30 + shift))
    if l.cell_clip:
        clip = int(min(l.cell_clip / l.c.s, 32767))
        c = np.clip(c, -clip, clip)
    return c, interpolate16(l.tables[1], sat(c << (12 + shift)) if shift >= -12 else rshift(c, -12 - shift))


def int8_hidden(l, o, t):
    lo, hi = -128, 127
    if not l.projection:
        return requantize(o * t, multiplier(2.0 ** -30 / l.out.s), l.out.z, lo, hi)
    if l.projection_clip:  # of the stored value, whatever the zero point
        clip = int(min(l.projection_clip / l.h.s, 127))
        lo, hi = -clip, clip
    inner = l.inner[4]
    m = requantize(o * t, multiplier(2.0 ** -30 / inner.s), inner.z, -128, 127)
    acc = (m - inner.z) @ l.projection.data.T + (l.projection_bias.data if l.projection_bias else 0)
    return requantize(acc, multiplier(inner.s * l.projection.s / l.h.s), l.out.z, lo, hi)


def float_gate(l, k, x, h, c):
    a = f32(0) if l.norm[k] else l.bias[k].data
    a = a + real_product(x, l.input[k]) + real_product(h, l.recurrent[k])
    if l.peephole[k]:
        a = a + l.peephole[k].data * c
    if l.norm[k]:
        v = f64(a) - f64(a).mean(-1, keepdims=True)
        a = v / np.sqrt((v * v).mean(-1, keepdims=True) + 1e-8) * l.norm[k].data + l.bias[k].data
    return REAL["TANH" if k == 2 else "LOGISTIC"](f64(a)).astype(f32)


def float_cell(l, i, f, g, c):
    i = f32(1) - f if i is None else i
    c = f * c + i * g
    if l.cell_clip:
        c = np.clip(c, f32(-l.cell_clip), f32(l.cell_clip))
    return c, np.tanh(f64(c)).astype(f32)


def float_hidden(l, o, t):
    h = o * t
    if l.projection:
        h = real_product(h, l.projection) + (l.projection_bias.data if l.projection_bias else f32(0))
    return np.clip(h, f32(-l.projection_clip), f32(l.projection_clip)) if l.projection_clip else h


INT8, FLOAT = (int8_gate, int8_cell, int8_hidden), (float_gate, float_cell, float_hidden)


def lstm(n):
    l = Lstm(n)
    gate, cell, hidden = FLOAT if l.x.is_float else INT8
    h, c, out = l.h.data, l.c.data, []
    for x in l.x.data if n.opt("time_major") else l.x.data.swapaxes(0, 1):
        i, f, g = (gate(l, k, x, h, c) if k in l.gates else None for k in range(3))
        c, t = cell(l, i, f, g, c)
        h = hidden(l, gate(l, 3, x, h, c), t)  # the output gate looks at the new cell
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
