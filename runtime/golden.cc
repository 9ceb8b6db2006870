#include "runtime/golden.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "platform/crypto.h"
#include "schema/file_parts.h"
#include "schema/format.h"
#include "schema/hash_tree.h"

namespace whit {

namespace {

static_assert(sizeof(uint64_t) == format::kOperatorDigestBytes);

// A tensor row by row without gaps, 8-bit codes as int8 whatever the plan stores.
void HashCanonical(const Slot& slot, const void* data, bool shifted, Hasher* hasher) {
  const Shape& shape = slot.view.shape;
  const size_t element = DTypeSize(slot.view.type), all = slot.view.bytes();
  const bool gaps = slot.row_elems != 0;
  const size_t row = gaps ? static_cast<size_t>(shape.back()) * element : all;
  const size_t stride = gaps ? static_cast<size_t>(slot.row_elems) * element : all;
  const auto* at = static_cast<const std::byte*>(data);
  std::vector<std::byte> codes(shifted ? row : 0);
  for (size_t done = 0; done < all; done += row, at += stride) {
    std::span<const std::byte> bytes(at, row);
    if (shifted) {
      std::ranges::transform(bytes, codes.begin(), [](std::byte b) { return b ^ std::byte{0x80}; });
      bytes = codes;
    }
    hasher->Update(bytes);
  }
}

Digest OutputDigest(size_t index, std::span<const std::byte> bytes) {
  return DigestOf("whit output", index, bytes);
}

}  // namespace

Result<std::unique_ptr<GoldenRunner>> GoldenRunner::Create(const Model& model,
                                                           RunnerOptions options) {
  if (!CryptoAvailable()) {
    return Status(StatusCode::kUnsupported,
                  "this build has no libsodium (WHIT_SODIUM=OFF): no golden digests");
  }
  std::unique_ptr<GoldenRunner> golden(new GoldenRunner);
  options.profile = [raw = golden.get()](const StepProfile& step) {
    if (raw->look_) raw->Look(step.step);
  };
  WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model, options));
  golden->runner_ = std::make_unique<Runner>(std::move(runner));
  return golden;
}

// The results of a step while they are there: the next one may write over them.
void GoldenRunner::Look(size_t index) {
  const Runner::Impl& impl = runner_->impl();
  const Step& step = impl.plan.steps[index];
  if (step.node < 0 || step.out.empty()) return;
  const auto node = static_cast<size_t>(step.joined_node >= 0 ? step.joined_node : step.node);
  Hasher hasher("whit operator", node);
  for (size_t i = 0; i < step.out.size(); ++i) {
    const Slot& slot = step.out[i];
    if (slot.tensor < 0) continue;
    const TensorDef& canonical = impl.graph.tensors[static_cast<size_t>(slot.tensor)];
    HashCanonical(slot, impl.steps[index].out[i].data, canonical.type != slot.view.type, &hasher);
  }
  const Digest digest = hasher.Finish();
  std::memcpy(&found_[node], digest.data(), sizeof(uint64_t));
  if (found_[node] == 0) found_[node] = 1;  // 0 says that there is none
  step_[node] = index;
}

Status GoldenRunner::Run(std::span<const std::byte> inputs, bool look) {
  size_t expected = 0;
  for (size_t i = 0; i < runner_->input_count(); ++i) expected += runner_->input(i).data.size();
  if (inputs.size() != expected) {
    return Status(StatusCode::kInvalidArgument, "golden sample: " + std::to_string(inputs.size()) +
                                                    " bytes of inputs, these " +
                                                    "dimensions need " + std::to_string(expected));
  }
  for (size_t i = 0; i < runner_->input_count(); ++i) {
    const std::span<std::byte> input = runner_->input(i).data;
    std::copy_n(inputs.begin(), input.size(), input.begin());
    inputs = inputs.subspan(input.size());
  }
  found_.assign(runner_->impl().graph.nodes.size(), 0);
  step_.assign(found_.size(), 0);
  WHIT_RETURN_IF_ERROR(runner_->Reset());
  look_ = look;
  return runner_->Run();
}

Status GoldenRunner::CheckExact() const {
  if (runner_->exact()) return OkStatus();
  std::string where;
  for (const Step& step : runner_->impl().plan.steps) {
    if (!step.exact && where.empty()) where = " (node '" + step.name + "', " + step.op + ")";
  }
  return Status(StatusCode::kUnsupported,
                "outputs of float arithmetic may differ between devices" + where +
                    ": no golden digests for this model; integers would be exact (whit quantize)");
}

Result<fbs::GoldenT> GoldenRunner::Take(const std::string& name,
                                        std::span<const std::byte> inputs) {
  WHIT_RETURN_IF_ERROR(CheckExact());
  WHIT_RETURN_IF_ERROR(Run(inputs, /*look=*/true));
  fbs::GoldenT golden;
  golden.name = name.substr(0, format::kMaxGoldenName);
  golden.inputs = CopyOf(inputs);
  for (size_t i = 0; i < runner_->output_count(); ++i) {
    const std::vector<uint8_t> digest = CopyOf(OutputDigest(i, runner_->output(i).data));
    golden.output_digests.insert(golden.output_digests.end(), digest.begin(), digest.end());
  }
  for (const Step& step : runner_->impl().plan.steps) {
    if (!step.exact && step.node >= 0) found_[static_cast<size_t>(step.node)] = 0;
  }
  golden.operator_digests = CopyOf(std::as_bytes(std::span(found_)));
  return golden;
}

// The first output with other bytes, or null.
const std::string* GoldenRunner::FirstDifferent(const fbs::Golden& golden) const {
  const std::span<const std::byte> all = BytesOf(golden.output_digests());
  for (size_t i = 0; i < runner_->output_count(); ++i) {
    const Digest found = OutputDigest(i, runner_->output(i).data);
    const bool equal = all.size() >= (i + 1) * kDigestBytes &&
                       std::ranges::equal(found, all.subspan(i * kDigestBytes, kDigestBytes));
    if (!equal) return &runner_->impl().graph.outputs[i].name;
  }
  return nullptr;
}

// The file's order is one in which operators can run, so what the first different one reads is
// right: it is the culprit. Operators that this plan leaves out or fuses are not seen.
void GoldenRunner::NameOperator(const fbs::Golden& golden, GoldenResult* result) const {
  const std::span<const std::byte> all = BytesOf(golden.operator_digests());
  for (size_t n = 0; n < found_.size() && (n + 1) * sizeof(uint64_t) <= all.size(); ++n) {
    uint64_t stored = 0;
    std::memcpy(&stored, all.data() + n * sizeof stored, sizeof stored);
    if (stored == 0 || found_[n] == 0 || stored == found_[n]) continue;
    const Step& step = runner_->impl().plan.steps[step_[n]];
    result->node = step.name;
    result->op = step.op;
    result->implementation = step.prepared.implementation;
    return;
  }
}

Result<GoldenResult> GoldenRunner::Replay(const fbs::Golden& golden) {
  GoldenResult result;
  if (golden.name() != nullptr) result.sample = golden.name()->str();
  WHIT_RETURN_IF_ERROR(Run(BytesOf(golden.inputs()), /*look=*/false));
  const std::string* output = FirstDifferent(golden);
  result.equal = output == nullptr;
  if (result.equal) return result;
  result.output = *output;
  WHIT_RETURN_IF_ERROR(Run(BytesOf(golden.inputs()), /*look=*/true));
  NameOperator(golden, &result);
  result.repeats = FirstDifferent(golden) != nullptr;
  return result;
}

Result<std::vector<GoldenResult>> ReplayGolden(const Model& model, const RunnerOptions& options) {
  const fbs::Trust* trust = model.impl()->file->trust();
  if (trust == nullptr || trust->golden() == nullptr || trust->golden()->size() == 0) {
    return Status(StatusCode::kInvalidModel,
                  "the file has no golden samples; whit golden FILE --data SAMPLES stores some");
  }
  WHIT_ASSIGN_OR_RETURN(const auto golden, GoldenRunner::Create(model, options));
  std::vector<GoldenResult> results;
  for (const fbs::Golden* sample : *trust->golden()) {
    WHIT_ASSIGN_OR_RETURN(GoldenResult result, golden->Replay(*sample));
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace whit
