"""Convolutions and matrix products (docs/arithmetic.md, 3)."""
import numpy as np

from arith import EPS, Approx, Tensor, bounds, clamp_float, f32, f64, multiplier, requantize, rne

SAME = 0


# ---- Sums of products, exact ----

def pads(n, k, stride, dilation, padding):
    """(before, after) of one axis, and the output's size."""
    extent = (k - 1) * dilation + 1
    if padding != SAME:
        return 0, 0, (n - extent) // stride + 1
    out = -(-n // stride)
    total = max((out - 1) * stride + extent - n, 0)
    return total // 2, total - total // 2, out


def taps(n, x, kh, kw):
    """(ky, kx, the pixels that meet this tap, [N, out.h, out.w, C]). x: less its zero point, so padding is 0."""
    sh, sw, dh, dw = n.opt("stride_h"), n.opt("stride_w"), n.opt("dilation_h_factor", 1), n.opt("dilation_w_factor", 1)
    top, bottom, oh = pads(x.shape[1], kh, sh, dh, n.opt("padding"))
    left, right, ow = pads(x.shape[2], kw, sw, dw, n.opt("padding"))
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    for ky in range(kh):
        for kx in range(kw):
            y0, x0 = ky * dh, kx * dw
            yield ky, kx, x[:, y0:y0 + (oh - 1) * sh + 1:sh, x0:x0 + (ow - 1) * sw + 1:sw]


def conv_sum(n, x, w):
    """x [N,H,W,C], w [O,kh,kw,C/groups]."""
    o, kh, kw, ci = w.shape
    groups = x.shape[3] // ci
    acc = 0
    for ky, kx, part in taps(n, x, kh, kw):
        acc = acc + np.concatenate([part[..., g * ci:(g + 1) * ci] @ w[g * (o // groups):(g + 1) * (o // groups), ky, kx].T
                                    for g in range(groups)], -1)
    return acc


def depthwise_sum(n, x, w):
    """w [1,kh,kw,C*m]: output channel c*m + j reads channel c."""
    m = w.shape[3] // x.shape[3]
    acc = 0
    for ky, kx, part in taps(n, x, w.shape[1], w.shape[2]):
        acc = acc + np.repeat(part, m, -1) * w[0, ky, kx]
    return acc


def transposed_sum(n, x, w):
    """w [O,kh,kw,C]; the overhang of the full product is cut off, the smaller half before. An output longer than the
    product (strides beyond the kernel) has places at its end on which nothing lands."""
    (b, h, wd, _), (o, kh, kw, _), sh, sw = x.shape, w.shape, n.opt("stride_h"), n.opt("stride_w")
    oh, ow = n.out.shape[1:3]
    full = np.zeros((b, max((h - 1) * sh + kh, oh), max((wd - 1) * sw + kw, ow), o), x.dtype)
    for ky in range(kh):
        for kx in range(kw):
            full[:, ky:ky + (h - 1) * sh + 1:sh, kx:kx + (wd - 1) * sw + 1:sw] += x @ w[:, ky, kx].T
    top, left = (full.shape[1] - oh) // 2, (full.shape[2] - ow) // 2
    return full[:, top:top + oh, left:left + ow]


def matrix_sum(_, x, w):
    return x @ w.T


# ---- The rules of number types ----

def less_zero(t):
    """Stored values less their zero point, exact."""
    zeros = t.zeros
    if zeros.size > 1:
        zeros = zeros.reshape([-1 if a == t.axis else 1 for a in range(len(t.shape))])
    return t.data - zeros


def integer_product(n, acc, x, w_scales, bias):
    """acc: sum of (x - zx)(w - zw), [..., n]."""
    wide = x.type == "int16"
    if bias is not None:
        acc = acc + bias.data
    assert wide or np.abs(acc).max(initial=0) < 2 ** 31
    m = multiplier(x.s * w_scales.astype(f64) / n.out.s)
    return requantize(acc, m, n.out.z, *bounds(n.out, n.activation), wide)


def float_product(n, x, w, bias, sums, terms):
    """Exact in float64; `terms` float32 additions in any order stay within terms * 2^-24 of the sum of magnitudes."""
    acc, size = sums(n, x.astype(f64), w.astype(f64)), sums(n, np.abs(x.astype(f64)), np.abs(w.astype(f64)))
    if bias is not None:
        acc, size = acc + bias.data.astype(f64), size + np.abs(bias.data.astype(f64))
    return Approx(clamp_float(acc.astype(f32), n.activation), (terms + 2) * EPS / 2 * size)


def codes(x, axes):
    """Float activations as int8 codes less their zero point, and the scale; one range over `axes`."""
    lo, hi = (np.minimum(np.nanmin(x, axes, keepdims=True), f32(0)), np.maximum(np.nanmax(x, axes, keepdims=True), f32(0)))
    flat = lo == hi
    width = np.where(flat, f32(255), hi - lo)
    inverse, scale = f32(255) / width, width / f32(255)
    a, b = lo * inverse, hi * inverse
    zero = np.where((f32(-128) + a) + (f32(127) + b) > 0, f32(-128) - a, f32(127) - b)
    zero = np.where(flat, f32(0), rne(np.clip(zero, f32(-128), f32(127)))).astype(f32)
    low, high = f32(-128) - zero, f32(127) - zero
    d = rne(np.clip(np.where(np.isnan(x * inverse), low, x * inverse), low, high))
    return d.astype(np.int64), scale


def hybrid_product(n, x, w, bias, sums):
    """Float activations, int8 weights: a range a row, or an image where windows reach beyond a pixel."""
    rows = sums is matrix_sum or sums is conv_sum and w.shape[1:3] == (1, 1) and x.shape[1:3] == n.out.shape[1:3] and (
        w.shape[3] == x.shape[3])
    d, scale = codes(x.data, (len(x.shape) - 1,) if rows else (1, 2, 3))
    acc = sums(n, d, less_zero(w))
    v = acc.astype(f32) * (scale * w.scales)
    size = np.abs(f64(v))
    if bias is not None:
        v, size = v + bias.data, size + np.abs(f64(bias.data))
    return Approx(clamp_float(v, n.activation), 2 * EPS * size)


def product(n, x, w, bias, sums, terms):
    """One product with constant weights of any of the number types."""
    if w.quantized and x.quantized:
        return integer_product(n, sums(n, less_zero(x), less_zero(w)), x, w.scales, bias)
    if w.quantized:
        return hybrid_product(n, x, w, bias, sums)
    return float_product(n, x.data, w.data, bias, sums, terms)


# ---- Operators ----

def bias_of(n, i):
    return n.inputs[i] if n.has(i) else None


def conv(n):
    w = n.inputs[1]
    return product(n, n.inputs[0], w, bias_of(n, 2), conv_sum, int(np.prod(w.shape[1:])))


def depthwise(n):
    w = n.inputs[1]
    return product(n, n.inputs[0], w, bias_of(n, 2), depthwise_sum, w.shape[1] * w.shape[2])


def transpose_conv(n):
    w = n.inputs[1]
    return product(n, n.inputs[2], w, bias_of(n, 3), transposed_sum, int(np.prod(w.shape[1:])))


def reshaped(t, shape):
    return Tensor(t.type, shape, t.data.reshape(shape), t.scales, t.zeros, t.axis, t.shifted)


def fully_connected(n):
    x, w = n.inputs[:2]
    keep = n.opt("keep_num_dims") or x.shape[-1:] == w.shape[1:] and len(x.shape) == 2
    return product(n, x if keep else reshaped(x, (x.data.size // w.shape[1], w.shape[1])), w, bias_of(n, 2), matrix_sum,
                   w.shape[1])


def swapped(t, adjoint):
    """Matrices transposed on demand; an axis of quantization moves along."""
    if not adjoint:
        return t
    last = len(t.shape) - 1
    axis = {last: last - 1, last - 1: last}.get(t.axis, t.axis)
    data = np.swapaxes(t.data, -1, -2)
    return Tensor(t.type, data.shape, data, t.scales, t.zeros, axis, t.shifted)


def batch_matmul(n):
    x, y = swapped(n.inputs[0], n.opt("adj_x")), swapped(n.inputs[1], n.opt("adj_y"))
    k = x.shape[-1]
    if y.quantized and not x.quantized or y.quantized and y.scales.size > 1:  # constant: a fully connected operator
        return product(n, x, swapped(y, True), None, matrix_sum, k)
    if not x.quantized:
        return float_product(n, x.data, y.data, None, lambda _, a, b: a @ b, k)
    return integer_product(n, less_zero(x) @ less_zero(y), x, y.scales, None)


OPERATORS = {"CONV_2D": conv, "DEPTHWISE_CONV_2D": depthwise, "TRANSPOSE_CONV": transpose_conv,
             "FULLY_CONNECTED": fully_connected, "BATCH_MATMUL": batch_matmul}
