// DetectionPostProcess: the end of an SSD detector. Decodes boxes from their anchors, suppresses
// overlapping ones, and lists what is left by descending score. Unused places hold 0.
#include <algorithm>
#include <cmath>

#include "kernels/boxes.h"
#include "kernels/descending.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesDetectionPostProcess = "float32";

namespace {

struct DetectionParams {
  int64_t boxes = 0;
  int64_t encoding = 4;  // floats of an encoded box, the first 4 count
  int64_t classes = 0;
  int64_t score_columns =
      0;  // of which the last `classes` count: a background class may come first
  int64_t max_detections = 0, classes_per_box = 0;
  int64_t places = 0;           // of the outputs: max_detections * classes_per_box
  int64_t per_class_limit = 0;  // regular suppression: picks of one class
  float score_threshold = 0, iou_threshold = 0;
  float y_scale = 1, x_scale = 1, h_scale = 1, w_scale = 1;
};

struct Detection {
  float score;
  int32_t class_index;
  int32_t box;
};

// Listed order of regular suppression: score, then class, then box.
bool Before(const Detection& a, const Detection& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.class_index != b.class_index ? a.class_index < b.class_index : a.box < b.box;
}

// Memory of a run, all from scratch.
struct Work {
  Box* boxes;         // [N] decoded
  float* scores;      // [N] by which boxes are picked
  int32_t* order;     // [N] candidates, best first
  int32_t* picked;    // [N]
  Detection* listed;  // [max_detections]

  Work(const DetectionParams& params, uint8_t* scratch) {
    const auto n = static_cast<size_t>(params.boxes);
    boxes = reinterpret_cast<Box*>(scratch);
    scores = reinterpret_cast<float*>(boxes + n);
    order = reinterpret_cast<int32_t*>(scores + n);
    picked = order + n;
    listed = reinterpret_cast<Detection*>(picked + n);
  }
  static size_t Bytes(const DetectionParams& params) {
    return static_cast<size_t>(params.boxes) * (sizeof(Box) + sizeof(float) + 2 * sizeof(int32_t)) +
           static_cast<size_t>(params.max_detections) * sizeof(Detection);
  }
};

// centre + offset * size, in double, rounded once.
float Centre(float encoded, float scale, float size, float centre) {
  return static_cast<float>(static_cast<double>(encoded) / static_cast<double>(scale) *
                                static_cast<double>(size) +
                            static_cast<double>(centre));
}
float HalfExtent(float encoded, float scale, float size) {
  const double grown = StatedExp(static_cast<double>(encoded) / static_cast<double>(scale));
  return static_cast<float>(0.5 * grown * static_cast<double>(size));
}

void Decode(const DetectionParams& params, const float* encoded, const float* anchors, Box* boxes) {
  for (int64_t i = 0; i < params.boxes; ++i, encoded += params.encoding, anchors += 4) {
    const float y = Centre(encoded[0], params.y_scale, anchors[2], anchors[0]);
    const float x = Centre(encoded[1], params.x_scale, anchors[3], anchors[1]);
    const float half_h = HalfExtent(encoded[2], params.h_scale, anchors[2]);
    const float half_w = HalfExtent(encoded[3], params.w_scale, anchors[3]);
    boxes[i] = {y - half_h, x - half_w, y + half_h, x + half_w};
  }
}

// Picks at most `limit` boxes by work.scores into work.picked; returns how many.
int64_t PickBoxes(const DetectionParams& params, int64_t limit, Work* work) {
  int64_t candidates = 0;
  for (int64_t i = 0; i < params.boxes; ++i) {
    if (work->scores[i] >= params.score_threshold)
      work->order[candidates++] = static_cast<int32_t>(i);
  }
  const float* scores = work->scores;
  std::sort(work->order, work->order + candidates,
            [scores](int32_t a, int32_t b) { return ListedBefore(scores[a], a, scores[b], b); });
  int64_t count = 0;
  for (int64_t i = 0; i < candidates && count < limit; ++i) {
    const Box& box = work->boxes[work->order[i]];
    const bool free = std::none_of(work->picked, work->picked + count, [&](int32_t other) {
      return Overlap(work->boxes[other], box) > params.iou_threshold;
    });
    if (free) work->picked[count++] = work->order[i];
  }
  return count;
}

void Write(const RunContext& ctx, int64_t place, const Box& box, int64_t class_index, float score) {
  ctx.out[0].mut<Box>()[place] = box;
  ctx.out[1].mut<float>()[place] = static_cast<float>(class_index);
  ctx.out[2].mut<float>()[place] = score;
}

// The class of a box that is listed next after (score, class_index); from class -1 on, the first.
int64_t NextClass(const float* scores, int64_t classes, int64_t after) {
  int64_t best = -1;
  for (int64_t c = 0; c < classes; ++c) {
    if (after >= 0 && !ListedBefore(scores[after], after, scores[c], c)) continue;
    if (best < 0 || ListedBefore(scores[c], c, scores[best], best)) best = c;
  }
  return best;
}

// Every box is picked once, by its best class, and listed with its best classes.
int64_t RunFast(const RunContext& ctx, const DetectionParams& params, const float* scores,
                Work* work) {
  for (int64_t i = 0; i < params.boxes; ++i) {
    const float* row = scores + i * params.score_columns;
    work->scores[i] = row[NextClass(row, params.classes, -1)];
  }
  const int64_t count = PickBoxes(params, params.max_detections, work);
  const int64_t shown = std::min(params.classes_per_box, params.classes);
  for (int64_t k = 0; k < count; ++k) {
    const int32_t box = work->picked[k];
    const float* row = scores + box * params.score_columns;
    int64_t c = -1;
    for (int64_t i = 0; i < shown; ++i) {
      c = NextClass(row, params.classes, c);
      Write(ctx, k * params.classes_per_box + i, work->boxes[box], c, row[c]);
    }
  }
  return count;
}

// Boxes are picked class by class; the best of all classes are listed. `listed` is a heap, its last
// element in front.
int64_t RunRegular(const RunContext& ctx, const DetectionParams& params, const float* scores,
                   Work* work) {
  int64_t count = 0;
  Detection* const listed = work->listed;
  for (int64_t c = 0; c < params.classes; ++c) {
    for (int64_t i = 0; i < params.boxes; ++i)
      work->scores[i] = scores[i * params.score_columns + c];
    const int64_t picked = PickBoxes(params, params.per_class_limit, work);
    for (int64_t k = 0; k < picked && params.max_detections > 0; ++k) {
      const int32_t box = work->picked[k];
      const Detection next = {work->scores[box], static_cast<int32_t>(c), box};
      if (count == params.max_detections) {
        if (!Before(next, listed[0])) continue;
        std::pop_heap(listed, listed + count--, &Before);
      }
      listed[count++] = next;
      std::push_heap(listed, listed + count, &Before);
    }
  }
  std::sort_heap(listed, listed + count, &Before);
  for (int64_t k = 0; k < count; ++k) {
    Write(ctx, k, work->boxes[listed[k].box], listed[k].class_index, listed[k].score);
  }
  return count;
}

// One task: every pick depends on those before.
template <bool kRegular>
KernelCode RunDetection(const RunContext& ctx) {
  if (ctx.tasks.begin >= ctx.tasks.end) return KernelCode::kOk;
  const auto& params = ctx.As<DetectionParams>();
  Work work(params, ctx.scratch);
  Decode(params, ctx.in[0].as<float>(), ctx.in[2].as<float>(), work.boxes);
  for (int64_t i = 0; i < params.places; ++i) Write(ctx, i, Box{0, 0, 0, 0}, 0, 0);
  const float* scores = ctx.in[1].as<float>() + (params.score_columns - params.classes);
  const int64_t count =
      kRegular ? RunRegular(ctx, params, scores, &work) : RunFast(ctx, params, scores, &work);
  *ctx.out[3].mut<float>() = static_cast<float>(count);
  return KernelCode::kOk;
}

Status CheckTensors(const PrepareContext& ctx, const DetectionParams& params) {
  for (size_t i = 0; i < 3; ++i) {
    WHIT_RETURN_IF_ERROR(ctx.ExpectType("an input", ctx.in[i].type, {DType::kFloat32}));
  }
  const Shape& boxes = ctx.in[0].shape;
  const Shape& scores = ctx.in[1].shape;
  const Shape& anchors = ctx.in[2].shape;
  const bool ranks = boxes.rank() == 3 && scores.rank() == 3 && anchors.rank() == 2;
  if (!ranks || boxes[0] != 1 || boxes[2] < 4 || scores[0] != 1 || scores[1] != boxes[1] ||
      anchors[0] != boxes[1] || anchors[1] != 4) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "boxes [1,N,4], scores [1,N,classes] and anchors [N,4] expected, are " +
                         boxes.ToString() + ", " + scores.ToString() + ", " + anchors.ToString());
  }
  if (params.classes < 1 || params.classes > scores[2] || scores[2] > params.classes + 1) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::to_string(params.classes) + " classes, the scores have " +
                         std::to_string(scores[2]) + " columns: as many or one more expected");
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(4));
  for (const View& out : ctx.out) {
    WHIT_RETURN_IF_ERROR(ctx.ExpectType("an output", out.type, {DType::kFloat32}));
  }
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, {1, params.places, 4}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(1, {1, params.places}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(2, {1, params.places}));
  return ctx.ExpectOutShape(3, {1});
}

bool Usable(float scale) { return std::isfinite(scale) && scale != 0; }

}  // namespace

Status PrepareDetectionPostProcess(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(3, 3));
  WHIT_ASSIGN_OR_RETURN(const auto* o, OptionsOf<fbs::DetectionPostProcessOptions>(ctx));
  DetectionParams params;
  params.classes = o->num_classes();
  params.max_detections = o->max_detections();
  params.classes_per_box = o->max_classes_per_detection();
  if (params.max_detections > INT32_MAX || params.classes_per_box < 1 ||
      params.classes_per_box > INT32_MAX) {
    return ctx.Error(StatusCode::kInvalidModel,
                     std::to_string(params.max_detections) + " detections of " +
                         std::to_string(params.classes_per_box) + " classes");
  }
  params.places = params.max_detections * params.classes_per_box;
  WHIT_RETURN_IF_ERROR(CheckTensors(ctx, params));
  params.boxes = ctx.in[0].shape[1];
  params.encoding = ctx.in[0].shape[2];
  params.score_columns = ctx.in[1].shape[2];
  params.per_class_limit = std::min<int64_t>(o->detections_per_class(), params.boxes);
  params.score_threshold = o->score_threshold();
  params.iou_threshold = o->iou_threshold();
  params.y_scale = o->y_scale(), params.x_scale = o->x_scale();
  params.h_scale = o->h_scale(), params.w_scale = o->w_scale();
  if (!Usable(params.y_scale) || !Usable(params.x_scale) || !Usable(params.h_scale) ||
      !Usable(params.w_scale) || !(params.iou_threshold > 0 && params.iou_threshold <= 1)) {
    return ctx.Error(StatusCode::kInvalidModel,
                     "scales must be finite and not 0, the overlap threshold in (0, 1], is " +
                         std::to_string(params.iou_threshold));
  }
  const int64_t picks = o->use_regular_nms() ? params.classes * params.per_class_limit
                                             : std::min(params.max_detections, params.boxes);
  p->macs = params.boxes * (picks + params.score_columns);
  p->scratch_per_thread = Work::Bytes(params);
  p->exact = false;
  p->run = o->use_regular_nms() ? &RunDetection<true> : &RunDetection<false>;
  p->SetParams(params);
  return OkStatus();
}

}  // namespace whit
