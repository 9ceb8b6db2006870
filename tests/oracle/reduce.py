"""Pools, reductions, order, and operators over the last axis (docs/arithmetic.md, 4)."""
import numpy as np

from arith import (EPS, Approx, bounds, clamp_float, f32, f64, multiplier, requantize, rne, store,
                   wrap)
from products import pads


def rescale(n, acc, count):
    """acc less its zero point; the output is quantized, or both are plain and the rule leaves acc / count."""
    x, out = n.inputs[0], n.out
    return requantize(acc, multiplier(x.s / out.s / f64(count)), out.z, *bounds(out, n.activation), x.type == "int16")


# ---- Pools ----

def windows(n, x):
    """(oy, ox, [N, rows, columns, C]) of the real pixels."""
    kh, kw, sh, sw = (n.opt(o) for o in ("filter_height", "filter_width", "stride_h", "stride_w"))
    top, _, oh = pads(x.shape[1], kh, sh, 1, n.opt("padding"))
    left, _, ow = pads(x.shape[2], kw, sw, 1, n.opt("padding"))
    for oy in range(oh):
        for ox in range(ow):
            y, xx = oy * sh - top, ox * sw - left
            yield oy, ox, x[:, max(y, 0):y + kh, max(xx, 0):xx + kw]


def pool(n):
    x = n.inputs[0]
    v = x.data - x.z if x.quantized else x.data
    out = np.empty(n.out.shape, v.dtype)
    for oy, ox, part in windows(n, v):
        flat, count = part.reshape(part.shape[0], -1, part.shape[3]), part.shape[1] * part.shape[2]
        if n.op == "MAX_POOL_2D":
            best = flat.max(1)
            out[:, oy, ox] = rescale(n, best, 1) if x.quantized else clamp_float(best, n.activation)
        elif x.quantized:
            out[:, oy, ox] = rescale(n, flat.sum(1), count)
        else:
            total = np.cumsum(flat, 1, dtype=f32)[:, -1]
            out[:, oy, ox] = clamp_float(total / f32(count), n.activation)
    return out


# ---- Resizing ----

def resize_scale(n, size, m):
    """Input pixels an output pixel, float32."""
    ends = 1 if n.opt("align_corners") and m > 1 else 0
    return f32(size - ends) / f32(m - ends)


def nearest_index(n, size, m):
    p = (np.arange(m).astype(f32) + f32(0.5 if n.opt("half_pixel_centers") else 0)) * resize_scale(n, size, m)
    j = np.floor(p)
    if n.opt("align_corners"):
        j = j + (p - j >= f32(0.5))
    return np.minimum(j.astype(np.int64), size - 1)


def resize_nearest(n):
    x, (_, h, w, _) = n.inputs[0].data, n.out.shape
    return x[:, nearest_index(n, x.shape[1], h)][:, :, nearest_index(n, x.shape[2], w)]


def linear_index(n, size, m):
    """(low, high, weight of high) per output position."""
    scale = resize_scale(n, size, m)
    offset = f32(0.5) * scale - f32(0.5) if n.opt("half_pixel_centers") else f32(0)
    p = np.clip(np.arange(m).astype(f32) * scale + offset, f32(0), f32(size - 1))
    low = np.floor(p)
    high = np.minimum(low.astype(np.int64) + 1, size - 1)
    return low.astype(np.int64), high, p - low


def resize_bilinear(n):
    x, (_, h, w, _) = n.inputs[0], n.out.shape
    y0, y1, wy = linear_index(n, x.shape[1], h)
    x0, x1, wx = linear_index(n, x.shape[2], w)
    (tl, tr), (bl, br) = ((x.data[:, r][:, :, x0], x.data[:, r][:, :, x1]) for r in (y0, y1))
    wy, wx = wy[:, None, None], wx[:, None]
    if x.is_float:
        top, bottom = tl + (tr - tl) * wx, bl + (br - bl) * wx
        return top + (bottom - top) * wy
    one = 2 ** (15 if x.type == "int16" else 11)
    qy, qx = (rne(v * f32(one)).astype(np.int64) for v in (wy, wx))
    top, bottom = one * tl + (tr - tl) * qx, one * bl + (br - bl) * qx
    return (one * top + (bottom - top) * qy + one * one // 2) // (one * one)


# ---- Reductions ----

def flattened(n):
    """The reduced axes last, as one, in row-major order of what one output meets."""
    x = n.inputs[0].data
    axes = sorted({a % x.ndim for a in n.ints(1)})
    kept = [a for a in range(x.ndim) if a not in axes]
    return x.transpose(kept + axes).reshape([x.shape[a] for a in kept] + [-1])


def in_order(f, v, dtype):
    return f.accumulate(v, -1, dtype=dtype)[..., -1]


def reduction(n):
    x, v = n.inputs[0], flattened(n)
    return computed(n, x, v).reshape(n.out.shape)


def computed(n, x, v):
    count = v.shape[-1]
    if n.op in ("REDUCE_ANY", "REDUCE_ALL"):
        return v.any(-1) if n.op == "REDUCE_ANY" else v.all(-1)
    if n.op in ("REDUCE_MAX", "REDUCE_MIN"):
        best = v.max(-1) if n.op == "REDUCE_MAX" else v.min(-1)
        return rescale(n, best - x.z, 1) if x.quantized else best
    if x.quantized:
        return rescale(n, (v - x.z).sum(-1), count if n.op == "MEAN" else 1)
    if x.is_float:
        if n.op == "REDUCE_PROD":
            return in_order(np.multiply, v, f64).astype(f32)
        return (in_order(np.add, v, f64) / (count if n.op == "MEAN" else 1)).astype(f32)
    if n.op == "REDUCE_PROD":
        return wrap(v.prod(-1), x.type)
    total = v.sum(-1)
    return np.sign(total) * (np.abs(total) // count) if n.op == "MEAN" else wrap(total, x.type)


def arg(n):
    f = np.argmax if n.op == "ARG_MAX" else np.argmin
    return f(n.inputs[0].data, n.ints(1)[0]).astype(np.int64)


def topk(n):
    """Largest first; the lowest index wins ties."""
    x, k = n.inputs[0].data, n.ints(1)[0]
    index = np.argsort(-x, -1, kind="stable")[..., :k]
    return [np.take_along_axis(x, index, -1), index]


# ---- Over the last axis ----

def exponentials(x, beta):
    """t(d) of the page: exp(-beta * s * d) in units of 2^-30, by integers where the input is int16."""
    d = x.data.max(-1, keepdims=True) - x.data
    def table(unit, step, k):
        return rne(unit * np.exp(-beta * x.s * step * np.arange(k))).astype(np.uint64)
    if x.type == "int8":
        return table(2.0 ** 30, 1, 256)[d], d
    h, l = table(2.0 ** 30, 256, 256), table(2.0 ** 31, 1, 256)
    return (h[d >> 8] * l[d & 255] + np.uint64(2 ** 30)) >> np.uint64(31), d


def float_softmax(n, beta):
    x = f64(n.inputs[0].data)
    e = np.exp((x - x.max(-1, keepdims=True)) * beta)
    return e / e.sum(-1, keepdims=True)


def softmax(n):
    x, out, beta = n.inputs[0], n.out, f64(f32(n.opt("beta")))
    if x.is_float:
        y = float_softmax(n, beta)
        return Approx(y.astype(f32), 1e-5 * y)
    t, _ = exponentials(x, beta)
    r = f32((1 / out.s) / t.sum(-1, keepdims=True, dtype=np.uint64).astype(f64))
    return store(t.astype(f32) * r, out.z, *bounds(out))


def logarithm(total):
    """log(S / 2^30) in units of 2^-30: position of the leading one, 8 bits into the table, 16 bits between."""
    g = rne(2.0 ** 30 * np.log(1 + np.arange(257) / 256)).astype(np.int64)
    def one(s):
        s = max(int(s), 1)
        p = s.bit_length() - 1
        fraction = ((s << 64) >> p) - (1 << 64)  # of 2^64
        k, w = fraction >> 56, fraction >> 40 & 0xffff
        return (p - 30) * int(g[256]) + int(g[k]) + ((int(g[k + 1] - g[k]) * w + 2 ** 15) >> 16)
    return np.vectorize(one, [np.int64])(total)


def log_softmax(n):
    x, out = n.inputs[0], n.out
    if x.is_float:
        y = np.log(float_softmax(n, 1.))
        return Approx(y.astype(f32), 1e-5 * np.abs(y) + 1e-6)
    t, d = exponentials(x, 1.)
    big = logarithm(t.sum(-1, keepdims=True, dtype=np.uint64))
    m, u = multiplier(x.s / out.s), f32(2.0 ** -30 / out.s)
    return store((-d).astype(f32) * m - big.astype(f32) * u, out.z, *bounds(out))


def l2_normalization(n):
    x, out = n.inputs[0], n.out
    if x.is_float:
        v = f64(x.data)
        y = v / np.maximum(np.sqrt((v * v).sum(-1, keepdims=True)), 1e-6)
        return Approx(clamp_float(y.astype(f32), n.activation), EPS * (v.shape[-1] + 4) * np.abs(y))
    q = x.data - x.z
    total = np.maximum((q * q).sum(-1, keepdims=True), 1)
    r = f32((1 / out.s) / np.sqrt(f64(total)))
    return store(q.astype(f32) * r, out.z, *bounds(out, n.activation))


OPERATORS = {"AVERAGE_POOL_2D": pool, "MAX_POOL_2D": pool, "RESIZE_BILINEAR": resize_bilinear,
             "RESIZE_NEAREST_NEIGHBOR": resize_nearest, "ARG_MAX": arg, "ARG_MIN": arg, "TOPK_V2": topk,
             "SOFTMAX": softmax, "LOG_SOFTMAX": log_softmax, "L2_NORMALIZATION": l2_normalization,
             **{k: reduction for k in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY",
                                       "REDUCE_ALL")}}
