"""Writes a small quantized network as a .tflite file, with the FlatBuffers builder and nothing else.

The numbers below (field ids, operator codes, union members) are facts of the public TFLite schema. Only what the
digits model needs is here: one subgraph, constants inside the file, affine int8 quantization.
"""

from dataclasses import dataclass, field

import flatbuffers
import numpy as np

# TensorType
_TYPES = {np.dtype(np.float32): 0, np.dtype(np.int32): 2, np.dtype(np.int8): 9}
# A runtime may map the file and read constants with aligned vector loads: the schema asks for 16 (Buffer.data).
_DATA_ALIGNMENT = 16
_SCHEMA_VERSION = 3
_SAME_PADDING = 0

# A field of a table: (id, kind, value); the kind names the builder's slot writer and its default.
Field = tuple[int, str, object]
_SLOTS = {
    "i8": ("PrependInt8Slot", 0),
    "u8": ("PrependUint8Slot", 0),
    "bool": ("PrependBoolSlot", False),
    "i32": ("PrependInt32Slot", 0),
    "u32": ("PrependUint32Slot", 0),
    "f32": ("PrependFloat32Slot", 0.0),
    "ref": ("PrependUOffsetTRelativeSlot", 0),
}


@dataclass(frozen=True)
class OpKind:
    """What identifies an operator in the file: its code, the int8 version, and the union member of its options."""

    code: int
    version: int
    options: int


KINDS = {
    "CONV_2D": OpKind(code=3, version=3, options=1),
    "DEPTHWISE_CONV_2D": OpKind(code=4, version=3, options=2),
    "FULLY_CONNECTED": OpKind(code=9, version=4, options=8),
    "MAX_POOL_2D": OpKind(code=17, version=2, options=5),
    "SOFTMAX": OpKind(code=25, version=2, options=9),
    "MEAN": OpKind(code=40, version=2, options=27),
}


@dataclass
class Tensor:
    """A tensor: an activation when `data` is None, else a constant. `scale` has one entry, or one per `axis` slice."""

    name: str
    shape: tuple[int, ...]
    dtype: type
    data: np.ndarray | None = None
    scale: np.ndarray | None = None
    zero_point: int = 0
    axis: int = 0


@dataclass
class Op:
    """An operator: a key of KINDS, tensor indices, and the fields of its option table."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: list[Field]


@dataclass
class Graph:
    """One subgraph; operators are in execution order."""

    name: str
    description: str
    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def add(self, tensor: Tensor) -> int:
        """Appends a tensor and returns its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def conv_options(stride: int, relu: bool) -> list[Field]:
    """Conv2DOptions, SAME padding: padding, stride w and h, activation (1 = RELU). Dilations default to 1."""
    return [(0, "i8", _SAME_PADDING), (1, "i32", stride), (2, "i32", stride), (3, "i8", int(relu))]


def depthwise_options(stride: int, relu: bool) -> list[Field]:
    """DepthwiseConv2DOptions, SAME padding: padding, stride w and h, depth multiplier, activation."""
    return [(0, "i8", _SAME_PADDING), (1, "i32", stride), (2, "i32", stride), (3, "i32", 1), (4, "i8", int(relu))]


def pool_options(size: int) -> list[Field]:
    """Pool2DOptions of windows that do not overlap: padding, stride w and h, filter w and h."""
    return [(0, "i8", _SAME_PADDING)] + [(i, "i32", size) for i in (1, 2, 3, 4)]


def dense_options(relu: bool) -> list[Field]:
    """FullyConnectedOptions: activation."""
    return [(0, "i8", int(relu))]


def mean_options() -> list[Field]:
    """ReducerOptions: keep_dims off, which is the default."""
    return []


def softmax_options() -> list[Field]:
    """SoftmaxOptions: beta."""
    return [(0, "f32", 1.0)]


def write(graph: Graph) -> bytes:
    """Returns the bytes of the .tflite file."""
    b = flatbuffers.Builder(1 << 16)
    kinds = sorted({op.kind for op in graph.ops}, key=lambda kind: KINDS[kind].code)
    constants = [t for t in graph.tensors if t.data is not None]
    codes = _refs(b, [_operator_code(b, KINDS[kind]) for kind in kinds])
    subgraphs = _refs(b, [_subgraph(b, graph, kinds)])
    buffers = _refs(b, [_table(b, [])] + [_buffer(b, t.data) for t in constants])  # buffer 0 is empty by convention
    description = b.CreateString(graph.description)
    model = _table(b, [(0, "u32", _SCHEMA_VERSION), (1, "ref", codes), (2, "ref", subgraphs), (3, "ref", description),
                       (4, "ref", buffers)])
    b.Finish(model, file_identifier=b"TFL3")
    return bytes(b.Output())


def _subgraph(b: flatbuffers.Builder, graph: Graph, kinds: list[str]) -> int:
    """SubGraph: tensors, inputs, outputs, operators, name."""
    tensors, next_buffer = [], 1
    for t in graph.tensors:
        tensors.append(_tensor(b, t, next_buffer if t.data is not None else 0))
        next_buffer += t.data is not None
    ops = [_operator(b, op, kinds.index(op.kind)) for op in graph.ops]
    return _table(b, [(0, "ref", _refs(b, tensors)), (1, "ref", _numbers(b, graph.inputs, np.int32)),
                      (2, "ref", _numbers(b, graph.outputs, np.int32)), (3, "ref", _refs(b, ops)),
                      (4, "ref", b.CreateString(graph.name))])


def _tensor(b: flatbuffers.Builder, t: Tensor, buffer: int) -> int:
    """Tensor: shape, type, buffer, name, quantization."""
    fields: list[Field] = [(0, "ref", _numbers(b, t.shape, np.int32)), (1, "i8", _TYPES[np.dtype(t.dtype)]),
                           (2, "u32", buffer), (3, "ref", b.CreateString(t.name))]
    if t.scale is not None:
        fields.append((4, "ref", _quantization(b, t)))
    return _table(b, fields)


def _quantization(b: flatbuffers.Builder, t: Tensor) -> int:
    """QuantizationParameters: scale, zero point (one each per slice along the axis), quantized dimension."""
    zero_points = np.full(t.scale.size, t.zero_point)
    return _table(b, [(2, "ref", _numbers(b, t.scale, np.float32)), (3, "ref", _numbers(b, zero_points, np.int64)),
                      (6, "i32", t.axis)])


def _operator_code(b: flatbuffers.Builder, kind: OpKind) -> int:
    """OperatorCode: the code twice (readers from before code 127 see the first field), and the version."""
    return _table(b, [(0, "i8", min(kind.code, 127)), (2, "i32", kind.version), (3, "i32", kind.code)])


def _operator(b: flatbuffers.Builder, op: Op, opcode_index: int) -> int:
    """Operator: index into the operator codes, inputs, outputs, option table with its union member."""
    return _table(b, [(0, "u32", opcode_index), (1, "ref", _numbers(b, op.inputs, np.int32)),
                      (2, "ref", _numbers(b, op.outputs, np.int32)), (3, "u8", KINDS[op.kind].options),
                      (4, "ref", _table(b, op.options))])


def _buffer(b: flatbuffers.Builder, data: np.ndarray) -> int:
    """Buffer: data, little-endian."""
    raw = data.astype(data.dtype.newbyteorder("<")).tobytes()
    b.StartVector(1, len(raw), _DATA_ALIGNMENT)
    for byte in reversed(raw):  # the builder grows downwards
        b.PrependByte(byte)
    return _table(b, [(0, "ref", b.EndVector())])


def _table(b: flatbuffers.Builder, fields: list[Field]) -> int:
    """A table of the given fields; a value equal to the default is left out."""
    b.StartObject(1 + max((i for i, _, _ in fields), default=-1))
    for i, kind, value in fields:
        slot, default = _SLOTS[kind]
        getattr(b, slot)(i, value, default)
    return b.EndObject()


def _refs(b: flatbuffers.Builder, offsets: list[int]) -> int:
    """A vector of tables."""
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _numbers(b: flatbuffers.Builder, values, dtype: type) -> int:
    """A vector of numbers."""
    return b.CreateNumpyVector(np.asarray(values, dtype=dtype).reshape(-1))
