#include "tools/whit/store_golden.h"

#include <optional>

#include "platform/mapping.h"
#include "runtime/golden.h"
#include "schema/file_parts.h"
#include "schema/format.h"
#include "tools/whit/key_file.h"

namespace whit::tools {

namespace {

// Every Open copies the trust section: a start takes some ms for this much.
constexpr uint64_t kMostInputBytes = uint64_t{8} << 20;

using Records = std::vector<std::unique_ptr<fbs::GoldenT>>;

Status CheckAmount(const std::vector<Sample>& samples) {
  if (samples.size() > format::kMaxGolden) {
    return BadInput(std::to_string(samples.size()) + " samples, a file holds at most " +
                    std::to_string(format::kMaxGolden) + " golden ones; a few prove as much");
  }
  uint64_t bytes = 0;
  for (const Sample& s : samples) {
    for (const auto& input : s.inputs) bytes += input.size();
  }
  if (bytes <= kMostInputBytes) return OkStatus();
  return BadInput("the samples have " + HumanBytes(bytes) + ", at most " +
                  HumanBytes(kMostInputBytes) + " are stored (Open reads them); give fewer");
}

Result<Records> TakeAll(const Model& model, const std::vector<Sample>& samples) {
  RunnerOptions options;
  options.plain = true;
  options.xnnpack = Xnnpack::kOff;
  WHIT_ASSIGN_OR_RETURN(const auto plain, GoldenRunner::Create(model, options));
  Records records;
  for (const Sample& sample : samples) {
    std::vector<std::byte> inputs;
    for (const auto& input : sample.inputs) inputs.insert(inputs.end(), input.begin(), input.end());
    const std::string name = "sample " + std::to_string(records.size());
    WHIT_ASSIGN_OR_RETURN(fbs::GoldenT golden, plain->Take(name, inputs));
    records.push_back(std::make_unique<fbs::GoldenT>(std::move(golden)));
  }
  return records;
}

// What this very device does not repeat is no promise for others.
Status CheckWritten(std::span<const std::byte> file) {
  WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(file));
  WHIT_ASSIGN_OR_RETURN(const std::vector<GoldenResult> results, ReplayGolden(model));
  for (const GoldenResult& r : results) {
    if (r.equal) continue;
    return Status(
        StatusCode::kIntegrity,
        r.sample + ": the best tier of this CPU and the plain executor differ, first at " +
            (r.node.empty() ? "output '" + r.output : "node '" + r.node) + "': nothing is written");
  }
  return OkStatus();
}

}  // namespace

Result<StoredGolden> StoreGolden(const std::string& file, const std::string& out,
                                 const SampleFlags& flags, const std::string& key_file) {
  WHIT_RETURN_IF_ERROR(NeedCrypto());
  std::optional<SigningKey> key;
  if (!key_file.empty()) {
    WHIT_ASSIGN_OR_RETURN(SigningKey read, ReadSigningKey(key_file));
    key.emplace(std::move(read));
  }
  OpenOptions open;
  open.integrity = Integrity::kFull;  // digests of a damaged file would bless the damage
  WHIT_ASSIGN_OR_RETURN(const Model model, Model::Open(file, open));
  WHIT_ASSIGN_OR_RETURN(const std::vector<Sample> samples, flags.Read(model));
  WHIT_RETURN_IF_ERROR(CheckAmount(samples));
  auto records = TakeAll(model, samples);
  if (!records.ok()) return Status(records.status()).WithContext(file);

  const ModelFile& from = *model.impl()->file;
  fbs::TrustT trust = TrustOf(from);
  trust.golden = std::move(records).value();
  const std::unique_ptr<FileParts> parts = PartsOf(from);
  WHIT_RETURN_IF_ERROR(parts->Finish(&trust, key ? &*key : nullptr));
  WHIT_RETURN_IF_ERROR(CheckWritten(parts->Bytes()));
  WHIT_RETURN_IF_ERROR(WriteFileAtomically(out, parts->chunks));
  return StoredGolden{trust.golden.size(), parts->size, parts->trust.size(),
                      from.has_signature() && !key};
}

}  // namespace whit::tools
