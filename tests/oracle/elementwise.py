"""Operators of one, two or three operands, element by element (docs/arithmetic.md, 4)."""
import math

import numpy as np

from arith import (RELU, RELU6, RELU_N1_TO_1, TYPE_RANGE, Approx, bounds, clamp_float, f32, f64, multiplier,
                   requantized, rne, store, wrap)

LIBRARY = 1e-5  # relative: transcendental functions


# ---- Two operands ----

def binary_quantized(n, a, b):
    """float32 before the clamp; every sign is one float32 operation."""
    out, fa, fb = n.out, (a.data - a.z).astype(f32), (b.data - b.z).astype(f32)
    if n.op == "MUL":
        return (fa * fb) * multiplier(a.s * b.s / out.s)
    if n.op == "DIV":
        return (fa / np.where(fa == 0, f32(1), fb)) * multiplier(a.s / b.s / out.s)
    if n.op == "SQUARED_DIFFERENCE":
        d = fa * multiplier(a.s / math.sqrt(out.s)) - fb * multiplier(b.s / math.sqrt(out.s))
        return d * d
    x, y = fa * multiplier(a.s / out.s), fb * multiplier(b.s / out.s)
    return {"ADD": lambda: x + y, "SUB": lambda: x - y, "MAXIMUM": lambda: np.where(x > y, x, y),
            "MINIMUM": lambda: np.where(x < y, x, y)}[n.op]()


def truncated(a, b):
    q = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -q, q)


def integer_power(a, b):
    return np.reshape([pow(int(x), int(y)) if y >= 0 else truncated(1, int(x) ** -int(y)) for x, y in
                       zip(*(v.reshape(-1) for v in np.broadcast_arrays(a, b)))], np.broadcast_shapes(a.shape, b.shape))


INTEGER = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": truncated, "MAXIMUM": np.maximum,
           "MINIMUM": np.minimum, "SQUARED_DIFFERENCE": lambda a, b: (a - b) * (a - b), "FLOOR_DIV": np.floor_divide,
           "FLOOR_MOD": np.mod, "POW": integer_power}


def float_floor_mod(a, b):
    r = np.fmod(a, b)
    return np.where((r != 0) & ((r < 0) != (b < 0)), r + b, r).astype(f32)


FLOAT = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "DIV": np.divide,
         "MAXIMUM": lambda a, b: np.where(a > b, a, b), "MINIMUM": lambda a, b: np.where(a < b, a, b),
         "SQUARED_DIFFERENCE": lambda a, b: (a - b) * (a - b),
         "FLOOR_DIV": lambda a, b: np.floor(f64(a) / f64(b)).astype(f32), "FLOOR_MOD": float_floor_mod}


def binary(n):
    a, b = n.inputs
    if n.out.quantized and n.op in ("MAXIMUM", "MINIMUM"):
        a, b = requantized(a, n.out), requantized(b, n.out)
    with np.errstate(all="ignore"):
        if n.out.quantized:
            return store(binary_quantized(n, a, b), n.out.z, *bounds(n.out, n.activation))
        if n.out.type == "float32":
            if n.op == "POW":
                exact = np.power(f64(a.data), f64(b.data))
                return Approx(exact.astype(f32), LIBRARY * np.abs(exact))
            return clamp_float(FLOAT[n.op](a.data, b.data), n.activation)
        return np.clip(wrap(INTEGER[n.op](a.data, b.data), n.out.type), *bounds(n.out, n.activation))


COMPARE = {"EQUAL": np.equal, "NOT_EQUAL": np.not_equal, "LESS": np.less, "LESS_EQUAL": np.less_equal,
           "GREATER": np.greater, "GREATER_EQUAL": np.greater_equal, "LOGICAL_AND": np.logical_and,
           "LOGICAL_OR": np.logical_or}


def compare(n):
    a, b = ((t.data - t.z) * t.s if t.quantized else t.data for t in n.inputs)
    return COMPARE[n.op](a, b)


def prelu(n):
    x, alpha, out = n.inputs[0], n.inputs[1], n.out
    if not out.quantized:
        return np.where(x.data >= 0, x.data, x.data * alpha.data)
    fx, fa = (x.data - x.z).astype(f32), (alpha.data - alpha.z).astype(f32)
    v = np.where(fx >= 0, fx * multiplier(x.s / out.s), (fx * fa) * multiplier(x.s * alpha.s / out.s))
    return store(v, out.z, *bounds(out))


def select(n):
    a, b = (requantized(t, n.out) for t in n.inputs[1:])
    return np.where(n.inputs[0].data, a.data, b.data)


def select_rows(n):
    """A condition of rank 1 chooses along the first axis."""
    condition = n.inputs[0].data
    if condition.ndim == 1:
        condition = condition.reshape((-1,) + (1,) * (len(n.out.shape) - 1))
    a, b = (requantized(t, n.out).data for t in n.inputs[1:3])
    return np.where(condition, a, b)


def add_n(n):
    total = n.inputs[0].data
    for t in n.inputs[1:]:
        total = total + t.data
    return total if n.out.type == "float32" else wrap(total, n.out.type)


# ---- One operand ----

def gelu(approximate):
    if approximate:
        # x/2 * (1 + tanh u) without the cancellation where u is far below 0
        return lambda x: x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))
    return lambda x: x / 2 * np.vectorize(math.erfc, [f64])(-x / np.sqrt(2))


REAL = {"ABS": np.abs, "NEG": np.negative, "SQRT": np.sqrt, "RSQRT": lambda x: 1 / np.sqrt(x), "SQUARE": np.square,
        "EXP": np.exp, "LOG": np.log, "SIN": np.sin, "COS": np.cos, "FLOOR": np.floor, "CEIL": np.ceil, "ROUND": np.rint,
        "LOGISTIC": lambda x: 1 / (1 + np.exp(-x)), "TANH": np.tanh, "RELU": lambda x: np.maximum(x, 0),
        "RELU6": lambda x: np.clip(x, 0, 6), "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
        "ELU": lambda x: np.where(x > 0, x, np.expm1(x)), "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6}
EXACT = ("ABS", "NEG", "SQRT", "SQUARE", "FLOOR", "CEIL", "ROUND", "RELU", "RELU6", "RELU_N1_TO_1")


def real_function(n):
    if n.op == "GELU":
        return gelu(n.opt("approximate"))
    if n.op == "LEAKY_RELU":
        alpha = f64(f32(n.opt("alpha")))
        return lambda x: np.where(x > 0, x, alpha * x)
    return REAL[n.op]


def table8(f, x, out):
    """out at the 256 inputs q = -128..127."""
    v = f(x.s * (np.arange(-128, 128) - x.z)) / out.s
    return np.where(np.isnan(v), out.z, np.clip(out.z + rne(np.where(np.isnan(v), 0, v)), -128, 127)).astype(np.int64)


def table16(f, x, out):
    """513 points, each but the last moved by half of the chord's error in the middle of its interval."""
    def e(q):
        return f(x.s * (q - x.z)) / out.s
    q = -32768 + 128 * np.arange(513)
    v = e(q)
    v[:-1] -= ((v[:-1] + v[1:]) / 2 - e(q[:-1] + 64)) / 2
    return np.clip(out.z + rne(v), -32768, 32767).astype(np.int64)


def interpolate16(t, q):
    i, r = (q >> 7) + 256, q & 127
    return t[i] + (((t[i + 1] - t[i]) * r + 64) >> 7)


CLAMPS = {"RELU": RELU, "RELU6": RELU6, "RELU_N1_TO_1": RELU_N1_TO_1}


def unary(n):
    x, out = n.inputs[0], n.out
    if x.type == "int16" and n.op in CLAMPS:
        return store(scaled(x, out), out.z, *bounds(out, CLAMPS[n.op]))
    with np.errstate(all="ignore"):
        f = real_function(n)
        if x.quantized:
            return table8(f, x, out)[x.data + 128] if x.type == "int8" else interpolate16(table16(f, x, out), x.data)
        if not x.is_float:
            return wrap(f(x.data), x.type)
        exact = f(f64(x.data))
        return exact.astype(f32) if n.op in EXACT else Approx(exact.astype(f32), LIBRARY * np.abs(exact))


# ---- Conversions ----

def scaled(x, out):
    """Stored values of x in steps of out, float32."""
    return (x.data - x.z).astype(f32) * multiplier(x.s / out.s)


def quantize(n):
    x, out = n.inputs[0], n.out
    lo, hi = bounds(out)
    if out.type == "int32":
        v = f64(x.data) / out.s if x.is_float else f64(x.data - x.z) * (x.s / out.s)
        return out.z + rne(np.clip(np.nan_to_num(v, nan=0), lo - out.z, hi - out.z)).astype(np.int64)
    if x.is_float:
        return store(np.where(np.isnan(x.data), f32(0), x.data / f32(out.s)), out.z, lo, hi)
    return x.data if x.same_quantization(out) else store(scaled(x, out), out.z, lo, hi)


def dequantize(n):
    return real_values(n.inputs[0])


def real_values(x):
    if x.type == "float16":
        return x.data.astype(f32)
    sides = [-1 if a == x.axis else 1 for a in range(len(x.shape))] if x.scales.size > 1 else ()
    return (x.data - x.zeros.reshape(sides)).astype(f32) * x.scales.reshape(sides)


def cast(n):
    x, kind = n.inputs[0].data, n.out.type
    if kind == "bool":
        return x != 0
    if kind in ("float32", "float16"):
        return x.astype(f32).astype(kind)
    lo, hi = TYPE_RANGE[kind]
    if x.dtype.kind == "f":
        v = np.where(np.isnan(x), 0, np.trunc(f64(x)))
        inside = np.where((v >= lo) & (v < -f64(lo) if kind == "int64" else v <= hi), v, 0).astype(np.int64)
        return np.where(v < lo, lo, np.where(inside == v, inside, hi))
    return np.clip(x.astype(np.int64), lo, hi)


OPERATORS = {**{k: binary for k in INTEGER}, **{k: compare for k in COMPARE}, **{k: unary for k in REAL},
             "GELU": unary, "LEAKY_RELU": unary, "PRELU": prelu, "SELECT_V2": select, "SELECT": select_rows, "ADD_N": add_n, "QUANTIZE": quantize,
             "DEQUANTIZE": dequantize, "CAST": cast, "LOGICAL_NOT": lambda n: np.logical_not(n.inputs[0].data)}
