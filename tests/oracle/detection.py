"""Non-maximum suppression and the SSD post-processing (docs/arithmetic.md, Detection)."""
import math
import struct

import numpy as np

from arith import f32, f64
from elementwise import real_values


def stated_exp(x):
    """exp in float64 by the page's own steps: which box wins depends on its last bits."""
    x = float(x)
    if math.isnan(x):
        return x
    if x < -708 or x > 709:
        return 0.0 if x < 0 else math.inf
    turns = x * float.fromhex("0x1.71547652b82fep0")
    n = math.trunc(turns + (-0.5 if turns < 0 else 0.5))
    r = (x - n * float.fromhex("0x1.62e42fee00000p-1")) - n * float.fromhex("0x1.a39ef35793c76p-33")
    s = 1.0
    for k in range(13, 0, -1):
        s = 1 + (r * s) / k
    return s * 2.0 ** n


def overlap(a, b):
    """Intersection over union of two boxes [y, x, y, x], corners in any order; float32."""
    (ay0, ax0), (ay1, ax1) = np.minimum(a[:2], a[2:]), np.maximum(a[:2], a[2:])
    (by0, bx0), (by1, bx1) = np.minimum(b[:2], b[2:]), np.maximum(b[:2], b[2:])
    area_a, area_b = (ay1 - ay0) * (ax1 - ax0), (by1 - by0) * (bx1 - bx0)
    if not (area_a > 0 and area_b > 0):
        return f32(0)
    both = max(min(ay1, by1) - max(ay0, by0), f32(0)) * max(min(ax1, bx1) - max(ax0, bx0), f32(0))
    return both / ((area_a + area_b) - both)


# ---- NON_MAX_SUPPRESSION_V4, V5 ----

def non_max_suppression(n):
    boxes, scores = n.inputs[0].data, n.inputs[1].data
    most, iou, least = n.ints(2)[0], n.inputs[3].data[()], n.inputs[4].data[()]
    sigma = f32(n.inputs[5].data[()]) if n.has(5) else f32(0)
    waiting = [(s, i, 0) for i, s in enumerate(scores) if s > least]  # score, box, chosen ones it has been held against
    chosen = []
    while waiting and len(chosen) < most:
        best = max(waiting, key=lambda c: (c[0], -c[1]))
        waiting.remove(best)
        score, i, begin = best
        for j in range(len(chosen) - 1, begin - 1, -1):
            v = overlap(boxes[i], boxes[chosen[j][1]])
            if v >= iou:
                score = None
                break
            if sigma > 0:
                score = score * f32(stated_exp((f32(-0.5) / sigma * v) * v))
            if score <= least:
                break
        if score is None:
            continue
        if score == best[0]:
            chosen.append((score, i))
        elif score > least:
            waiting.append((score, i, len(chosen)))
    index, kept = np.zeros(most, np.int64), np.zeros(most, f32)
    index[:len(chosen)], kept[:len(chosen)] = [i for _, i in chosen], [s for s, _ in chosen]
    return [index] + ([kept] if n.has(5) else []) + [np.array(len(chosen), np.int64)]


# ---- TFLite_Detection_PostProcess ----

def flexbuffer_map(data):
    """Ints, floats and bools of a FlexBuffer map whose widths are 4 bytes, as the fixtures write it."""
    root = len(data) - 6 - struct.unpack_from("<I", data, len(data) - 6)[0]
    count, = struct.unpack_from("<I", data, root - 4)
    keys = root - 12 - struct.unpack_from("<I", data, root - 12)[0]
    found = {}
    for i in range(count):
        at = keys + 4 * i
        at -= struct.unpack_from("<I", data, at)[0]
        name = data[at:data.index(b"\0", at)].decode()
        kind = data[root + 4 * count + i] >> 2
        found[name], = struct.unpack_from("<f" if kind == 3 else "<i", data, root + 4 * i)
    return found


def decoded(encodings, anchors, o):
    """Boxes [y0, x0, y1, x1] from offsets to the anchors' centres and sizes: float64, then corners in float32."""
    scale = np.array([f64(f32(o[k])) for k in ("y_scale", "x_scale", "h_scale", "w_scale")])
    t, anchors = f64(encodings[:, :4]) / scale, f64(anchors)
    centre = (t[:, :2] * anchors[:, 2:] + anchors[:, :2]).astype(f32)
    half = (0.5 * np.vectorize(stated_exp, [f64])(t[:, 2:]) * anchors[:, 2:]).astype(f32)
    return np.concatenate([centre - half, centre + half], 1)


def suppress(boxes, scores, most, o):
    """Indices of the boxes kept, best first."""
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] >= f32(o["nms_score_threshold"])]
    kept = []
    for i in order:
        if len(kept) == min(most, len(order)):
            break
        if all(overlap(boxes[i], boxes[j]) <= f32(o["nms_iou_threshold"]) for j in kept):
            kept.append(i)
    return kept


def detections(boxes, scores, o):
    """[(score, box, class)] of at most max_detections boxes, best first. scores: without background."""
    if o["use_regular_nms"]:
        found = [(scores[i, c], i, c) for c in range(scores.shape[1])
                 for i in suppress(boxes, scores[:, c], o["detections_per_class"], o)]
        return sorted(found, key=lambda d: (-d[0], d[2], d[1]))[:o["max_detections"]]
    classes = min(o["max_classes_per_detection"], scores.shape[1])
    best = np.argsort(-scores, 1, kind="stable")[:, :classes]
    kept = suppress(boxes, scores.max(1), o["max_detections"], o)
    return [(scores[i, c], i, c) for i in kept for c in best[i]]


def post_process(n):
    o = flexbuffer_map(n.custom_options)
    encodings, scores, anchors = (t.data if t.is_float else real_values(t) for t in n.inputs)
    boxes = decoded(encodings[0], anchors, o)
    found = detections(boxes, scores[0][:, scores.shape[2] - o["num_classes"]:], o)
    rows, per_box = n.out.shape[1], min(o["max_classes_per_detection"], o["num_classes"])
    out = np.zeros((1, rows, 4), f32), np.zeros((1, rows), f32), np.zeros((1, rows), f32)
    for k, (score, i, c) in enumerate(found[:rows]):
        out[0][0, k], out[1][0, k], out[2][0, k] = boxes[i], c, score
    return list(out) + [np.array([len(found) if o["use_regular_nms"] else len(found) // per_box], f32)]


OPERATORS = {"NON_MAX_SUPPRESSION_V4": non_max_suppression, "NON_MAX_SUPPRESSION_V5": non_max_suppression,
             "TFLite_Detection_PostProcess": post_process}
