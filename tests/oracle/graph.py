"""Runs the models of tests/fixtures, which are held in memory, operator by operator."""
import numpy as np

import detection
import elementwise
import movement
import products
import recurrent
import reduce
from arith import Approx, NotCovered, Tensor, f32

OPERATORS = {}
for module in (products, elementwise, movement, reduce, recurrent, detection):
    OPERATORS.update(module.OPERATORS)

NAMES = ("float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant"
         " uint32 uint16 int4").split()


class Node:
    """What a function of OPERATORS sees: inputs (None where left out), descriptions of the outputs, options."""

    def __init__(self, op, inputs, outputs, variables):
        self.op, self.inputs, self.outputs, self.variables = op["op"], inputs, outputs, variables
        self.options, self.custom_options, self.tag = op["options"], op["custom_options"], op
        self.intermediates = []

    def opt(self, name, default=0):
        return self.options.get(name, default)

    @property
    def activation(self):
        return self.opt("fused_activation_function")

    @property
    def out(self):
        return self.outputs[0]

    def has(self, i):
        return i < len(self.inputs) and self.inputs[i] is not None

    def ints(self, i):
        return [int(v) for v in self.inputs[i].data.reshape(-1)]


def describe(t):
    """A tensor of the builder without its data."""
    kind, scales, zeros = NAMES[t["type"]], t["scale"], t["zero"]
    shifted = kind == "uint8" and scales is not None
    if scales is not None:
        scales, zeros = np.asarray(scales, f32), np.asarray(zeros, np.int64) - (128 if shifted else 0)
    return Tensor("int8" if shifted or kind == "int4" else kind, tuple(t["shape"]), None, scales, zeros, t["axis"], shifted)


def constant(raw, t):
    """The array of a constant tensor of the builder. int4: two elements a byte, the first in the low half, signed."""
    if NAMES[t["type"]] != "int4":
        return np.frombuffer(raw, NAMES[t["type"]]).reshape(t["shape"])
    halves = np.stack([np.frombuffer(raw, np.uint8) & 15, np.frombuffer(raw, np.uint8) >> 4], 1).reshape(-1)
    return ((halves.astype(np.int8) ^ 8) - 8)[:int(np.prod(t["shape"]))].reshape(t["shape"])


def canonical(a, t):
    """An array of the model's own type as the oracle computes with it."""
    if a.dtype.kind in "iu":
        return a.astype(np.int64) - (128 if t.shifted else 0)
    return a


def stored(t):
    """The array that a caller of the model sees."""
    if t.type in ("float32", "float16", "bool"):
        return t.data.astype(t.type)
    return (t.data + 128).astype(np.uint8) if t.shifted else t.data.astype(t.type)


class Run:
    """One model with its variables; call() is one run."""

    def __init__(self, model):
        self.model, self.variables, self.started = model, {}, False

    def call(self, arrays):
        """[(array, slack or None)] per output."""
        g = self.model.graphs[0]
        inputs = {i: a for i, a in zip(g.inputs, arrays)}
        values = self._execute(g, inputs)
        return [(stored(values[o]), values[o].slack) for o in g.outputs]

    def _execute(self, g, inputs):
        values = [describe(t) for t in g.tensors]
        for i, t in enumerate(g.tensors):
            if i in inputs:
                values[i].data = canonical(inputs[i], values[i])
            elif t["buffer"]:
                values[i].data = canonical(constant(self.model.buffers[t["buffer"]], t), values[i])
            elif t["variable"]:
                values[i].data = self.variables.setdefault((g.index, i), self._reset(values[i]))
        for op in g.ops:
            self._operator(g, op, values)
        return values

    @staticmethod
    def _reset(t):
        return np.zeros(t.shape, f32) if t.is_float else np.full(t.shape, t.z, np.int64)

    def _operator(self, g, op, values):
        if op["op"] == "CALL_ONCE":
            if not self.started:
                self.started = True
                self._execute(self.model.graphs[op["options"]["init_subgraph_index"]], {})
            return
        name = op["custom"] or op["op"]
        if name not in OPERATORS:
            raise NotCovered("no %s in the oracle" % name)
        node = Node(op, [None if i < 0 else values[i] for i in op["inputs"]], [values[o] for o in op["outputs"]],
                    self.variables)
        node.intermediates = [values[i] for i in op["intermediates"] or []]
        results = OPERATORS[name](node)
        results = results if isinstance(results, list) else [results]
        for t, r in zip(node.outputs, results):
            t.data, t.slack = (r.data, r.slack) if isinstance(r, Approx) else (r, None)
            if tuple(t.data.shape) != t.shape:
                raise AssertionError("%s computes %s, the model declares %s" % (name, t.data.shape, t.shape))
        for i, t in zip(op["inputs"], node.inputs):  # variables that the operator has renewed
            if i >= 0 and g.tensors[i]["variable"]:
                self.variables[g.index, i] = t.data
