"""Operators that copy values (docs/arithmetic.md, Movement), as the models state them."""
import numpy as np

from arith import Approx, f32, requantized, wrap


def data(n, i=0):
    return n.inputs[i].data


def reshape(n):
    return data(n).reshape(n.out.shape)


def slices(n):
    begin, size = n.ints(1), n.ints(2)
    return data(n)[tuple(slice(b, None if s < 0 else b + s) for b, s in zip(begin, size))]


def strided_slice(n):
    """Masks by index; numpy's own slicing does what the operator does with negative and missing ends."""
    begin, end, stride = n.ints(1), n.ints(2), n.ints(3)
    index = []
    for i, (b, e, s) in enumerate(zip(begin, end, stride)):
        def masked(name):
            return n.opt(name + "_mask") >> i & 1
        if masked("ellipsis"):
            index.append(Ellipsis)
        elif masked("new_axis"):
            index.append(None)
        elif masked("shrink_axis"):
            index.append(b)
        else:
            index.append(slice(None if masked("begin") else b, None if masked("end") else e, s))
    return data(n)[tuple(index)]


def pad(n):
    x, amounts = n.inputs[0], data(n, 1).tolist()
    if n.op == "MIRROR_PAD":
        return np.pad(x.data, amounts, mode=("reflect", "symmetric")[n.opt("mode")])
    value = requantized(n.inputs[2], n.out).data.reshape(-1)[0] if n.has(2) else x.z if x.quantized else 0
    return np.pad(x.data, amounts, constant_values=value)


def concatenation(n):
    return np.concatenate([requantized(t, n.out).data for t in n.inputs], n.opt("axis"))


def pack(n):
    return np.stack([requantized(t, n.out).data for t in n.inputs], n.opt("axis"))


def split(n):
    axis, x = n.ints(0)[0], data(n, 1)
    return np.split(x, n.opt("num_splits"), axis)


def split_v(n):
    x, axis = data(n), n.ints(2)[0]
    return np.split(x, np.cumsum([o.shape[axis] for o in n.outputs])[:-1], axis)


def unpack(n):
    axis = n.opt("axis")
    return [np.take(data(n), i, axis) for i in range(n.opt("num"))]


def gather(n):
    x, index, batch = data(n), data(n, 1), n.opt("batch_dims")
    axis = n.opt("axis") % x.ndim
    if batch == 0:
        return np.take(x, index, axis)
    rows = [np.take(x[b], index[b], axis - batch) for b in np.ndindex(*x.shape[:batch])]
    return np.stack(rows).reshape(n.out.shape)


def gather_nd(n):
    index = data(n, 1)
    return data(n)[tuple(np.moveaxis(index, -1, 0))]


def space_to_batch(n):
    x, block, amounts = n.inputs[0], n.ints(1), data(n, 2).tolist()
    fill = x.z if x.quantized else 0
    v = np.pad(x.data, [[0, 0]] + amounts + [[0, 0]] * (x.data.ndim - 1 - len(block)), constant_values=fill)
    (b, h, w, c), (bh, bw) = v.shape, block
    return v.reshape(b, h // bh, bh, w // bw, bw, c).transpose(2, 4, 0, 1, 3, 5).reshape(-1, h // bh, w // bw, c)


def batch_to_space(n):
    x, (bh, bw), ((top, bottom), (left, right)) = data(n), n.ints(1), data(n, 2).tolist()
    b, h, w, c = x.shape
    v = x.reshape(bh, bw, -1, h, w, c).transpose(2, 3, 0, 4, 1, 5).reshape(-1, h * bh, w * bw, c)
    return v[:, top:h * bh - bottom, left:w * bw - right]


def space_to_depth(n):
    (b, h, w, c), k = data(n).shape, n.opt("block_size")
    return data(n).reshape(b, h // k, k, w // k, k, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // k, w // k, -1)


def depth_to_space(n):
    (b, h, w, c), k = data(n).shape, n.opt("block_size")
    return data(n).reshape(b, h, w, k, k, -1).transpose(0, 1, 3, 2, 4, 5).reshape(b, h * k, w * k, -1)


def one_hot(n):
    index, depth, on, off = data(n), n.ints(1)[0], data(n, 2), data(n, 3)
    axis = n.opt("axis") % (index.ndim + 1)
    counting = np.arange(depth).reshape([-1 if a == axis else 1 for a in range(index.ndim + 1)])
    return np.where(np.expand_dims(index, axis) == counting, on, off)


def cumsum(n):
    """In order of the axis; float32 sums are rounded after each addition."""
    x, axis = n.inputs[0], n.ints(1)[0]
    v = np.flip(x.data, axis) if n.opt("reverse") else x.data
    total = np.cumsum(v, axis, dtype=f32 if x.is_float else np.int64)
    if n.opt("exclusive"):
        total = np.concatenate([np.zeros_like(np.take(total, [0], axis)),
                                np.take(total, range(total.shape[axis] - 1), axis)], axis)
    total = np.flip(total, axis) if n.opt("reverse") else total
    return total if x.is_float else wrap(total, x.type)


def fill(n):
    return np.broadcast_to(data(n, 1), n.out.shape)


def numbers(n):
    """RANGE: each one addition after the one before."""
    start, _, delta = (t.data.reshape(-1)[0] for t in n.inputs)
    steps = np.array([start] + [delta] * (n.out.shape[0] - 1), f32 if n.out.is_float else np.int64)
    return np.cumsum(steps, dtype=steps.dtype)


def shape_of(n):
    return np.array(n.inputs[0].shape, np.int64)


# ---- Variables ----

def var_handle(n):
    return np.array([n.opt("shared_name")])


def assign_variable(n):
    n.variables[data(n)[0]] = data(n, 1)
    return []


def read_variable(n):
    return n.variables[data(n)[0]]


def carrying_slack(move):
    """What moves elements moves what is allowed around them too."""
    def moved(n):
        y, x = move(n), n.inputs[0]
        if x.slack is None:
            return y
        exact, x.data = x.data, np.broadcast_to(x.slack, x.data.shape)
        slack, x.data = move(n), exact
        return Approx(y, slack)
    return moved


OPERATORS = {
    "RESHAPE": reshape, "SQUEEZE": reshape, "EXPAND_DIMS": reshape,
    "TRANSPOSE": lambda n: data(n).transpose(n.ints(1)), "SLICE": slices, "STRIDED_SLICE": strided_slice,
    "PAD": pad, "PADV2": pad, "MIRROR_PAD": pad, "CONCATENATION": concatenation, "PACK": pack, "SPLIT": split,
    "SPLIT_V": split_v, "UNPACK": unpack, "GATHER": gather, "GATHER_ND": gather_nd,
    "TILE": lambda n: np.tile(data(n), n.ints(1)), "BROADCAST_TO": lambda n: np.broadcast_to(data(n), n.out.shape),
    "REVERSE_V2": lambda n: np.flip(data(n), n.ints(1)), "SPACE_TO_BATCH_ND": space_to_batch,
    "BATCH_TO_SPACE_ND": carrying_slack(batch_to_space), "SPACE_TO_DEPTH": space_to_depth, "DEPTH_TO_SPACE": depth_to_space,
    "ONE_HOT": one_hot, "CUMSUM": cumsum, "FILL": fill, "RANGE": numbers, "SHAPE": shape_of,
    "RANK": lambda n: np.array(len(n.inputs[0].shape), np.int64), "ZEROS_LIKE": lambda n: np.zeros_like(data(n)),
    "EMBEDDING_LOOKUP": lambda n: data(n, 1)[data(n)],
    "BROADCAST_ARGS": lambda n: np.array(np.broadcast_shapes(tuple(n.ints(0)), tuple(n.ints(1))), np.int64),
    "VAR_HANDLE": var_handle, "ASSIGN_VARIABLE": assign_variable, "READ_VARIABLE": read_variable}
