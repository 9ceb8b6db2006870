// NonMaxSuppression: picks boxes by descending score and drops those that overlap one already
// picked (hard), or lowers their scores by the overlap (soft). Behind the picked ones the outputs
// hold 0.
#include <algorithm>
#include <cmath>

#include "kernels/boxes.h"
#include "kernels/options.h"

namespace whit {

const char* const kTypesNonMaxSuppression = "float32";

namespace {

struct NmsParams {
  int64_t boxes = 0, max_output = 0;
  float iou_threshold = 0, score_threshold = 0;
  float decay = 0;  // -0.5 / sigma; 0: scores are not lowered
  bool scores_out = false;
};

struct Candidate {
  float score;
  int32_t index;
  int32_t compared;  // picked boxes it was already compared with
};

// The heap's order: the next to be picked in front, the lower index among equals.
bool Later(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score < b.score : a.index > b.index;
}

class Suppression {
 public:
  explicit Suppression(const RunContext& ctx)
      : params_(ctx.As<NmsParams>()),
        boxes_(ctx.in[0].as<Box>()),
        heap_(reinterpret_cast<Candidate*>(ctx.scratch)),
        picked_(ctx.out[0].mut<int32_t>()),
        scores_(params_.scores_out ? ctx.out[1].mut<float>() : nullptr) {
    const float* scores = ctx.in[1].as<float>();
    for (int64_t i = 0; i < params_.boxes; ++i) {
      if (scores[i] > params_.score_threshold)
        heap_[size_++] = {scores[i], static_cast<int32_t>(i), 0};
    }
    std::make_heap(heap_, heap_ + size_, &Later);
  }

  int32_t Pick() {
    while (count_ < params_.max_output && size_ > 0) {
      std::pop_heap(heap_, heap_ + size_, &Later);
      Candidate next = heap_[--size_];
      const float before = next.score;
      if (Suppressed(&next)) continue;
      if (next.score == before) {
        picked_[count_] = next.index;
        if (scores_ != nullptr) scores_[count_] = next.score;
        ++count_;
      } else if (next.score > params_.score_threshold) {
        heap_[size_++] = next;
        std::push_heap(heap_, heap_ + size_, &Later);
      }
    }
    return static_cast<int32_t>(count_);
  }

 private:
  // Compares with the boxes picked since the last time, the newest first: neighbours have similar
  // scores.
  bool Suppressed(Candidate* next) const {
    for (int64_t j = count_ - 1; j >= next->compared; --j) {
      const float overlap = Overlap(boxes_[next->index], boxes_[picked_[j]]);
      if (overlap >= params_.iou_threshold) return true;
      if (params_.decay != 0) {
        const float exponent = params_.decay * overlap * overlap;
        next->score = next->score * static_cast<float>(StatedExp(static_cast<double>(exponent)));
      }
      if (next->score <= params_.score_threshold) break;  // gone for good
    }
    next->compared = static_cast<int32_t>(count_);
    return false;
  }

  const NmsParams& params_;
  const Box* boxes_;
  Candidate* heap_;
  int32_t* picked_;
  float* scores_;
  int64_t size_ = 0, count_ = 0;
};

// One task: every pick depends on those before.
KernelCode RunNms(const RunContext& ctx) {
  if (ctx.tasks.begin >= ctx.tasks.end) return KernelCode::kOk;
  const auto& params = ctx.As<NmsParams>();
  const int32_t count = Suppression(ctx).Pick();
  const int64_t rest = params.max_output - count;
  std::fill_n(ctx.out[0].mut<int32_t>() + count, rest, 0);
  if (params.scores_out) std::fill_n(ctx.out[1].mut<float>() + count, rest, 0.0f);
  *ctx.out[params.scores_out ? 2 : 1].mut<int32_t>() = count;
  return KernelCode::kOk;
}

Status CheckOutputs(const PrepareContext& ctx, bool soft, int64_t max_output) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutputs(soft ? 3 : 2));
  const size_t count = soft ? 2 : 1;
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the indices", ctx.out[0].type, {DType::kInt32}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the count", ctx.out[count].type, {DType::kInt32}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(0, {max_output}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectOutShape(count, Shape()));
  if (!soft) return OkStatus();
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the output scores", ctx.out[1].type, {DType::kFloat32}));
  return ctx.ExpectOutShape(1, {max_output});
}

}  // namespace

Status PrepareNonMaxSuppression(const PrepareContext& ctx, Prepared* p) {
  WHIT_RETURN_IF_ERROR(ctx.ExpectInputs(2, 2));
  WHIT_ASSIGN_OR_RETURN(const auto* options, OptionsOf<fbs::NonMaxSuppressionOptions>(ctx));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the boxes", ctx.in[0].type, {DType::kFloat32}));
  WHIT_RETURN_IF_ERROR(ctx.ExpectType("the scores", ctx.in[1].type, {DType::kFloat32}));
  const Shape& boxes = ctx.in[0].shape;
  const Shape& scores = ctx.in[1].shape;
  if (boxes.rank() != 2 || boxes[1] != 4 || scores.rank() != 1 || scores[0] != boxes[0]) {
    return ctx.Error(StatusCode::kInvalidModel, "boxes must be [N,4] and scores [N], are " +
                                                    boxes.ToString() + " and " + scores.ToString());
  }
  WHIT_RETURN_IF_ERROR(CheckOutputs(ctx, options->soft(), options->max_output()));
  const float sigma = options->soft() ? options->sigma() : 0;
  if (!(sigma >= 0) || std::isnan(options->iou_threshold()) ||
      std::isnan(options->score_threshold())) {
    return ctx.Error(StatusCode::kInvalidModel, "sigma " + std::to_string(sigma) +
                                                    " must not be negative, thresholds be numbers");
  }
  NmsParams params;
  params.boxes = boxes[0];
  params.max_output = options->max_output();
  params.iou_threshold = options->iou_threshold();
  params.score_threshold = options->score_threshold();
  params.decay = sigma > 0 ? -0.5f / sigma : 0;
  params.scores_out = options->soft();
  p->scratch_per_thread = static_cast<size_t>(boxes[0]) * sizeof(Candidate);
  p->macs = boxes[0] * std::min(boxes[0], params.max_output);
  p->exact = false;
  p->run = &RunNms;
  p->SetParams(params);
  return OkStatus();
}

}  // namespace whit
