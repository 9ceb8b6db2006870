#include "tools/whit/open_model.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "platform/mapping.h"
#include "runtime/check_pages.h"
#include "tools/import/import.h"
#include "tools/whit/key_file.h"
#include "tools/whit/progress.h"

namespace whit::tools {

namespace {

bool HasAt(std::span<const std::byte> bytes, size_t offset, std::string_view word) {
  return bytes.size() >= offset + word.size() &&
         std::memcmp(bytes.data() + offset, word.data(), word.size()) == 0;
}

}  // namespace

void TrustFlags::AddTo(CLI::App* cli) {
  cli->add_option("--verify", verify,
                  "Check the file's bytes against its hash tree: before their first use, all at "
                  "once, or not at all")
      ->check(CLI::IsMember({"lazy", "full", "off"}))
      ->capture_default_str();
  cli->add_option("--pub", keys, "Refuse a model that this key has not signed (file or digits)")
      ->allow_extra_args(false);
  cli->add_option("--key", seal_key, "The key of a sealed model (whit keygen --seal makes one)");
  cli->add_option("--window", window_bytes,
                  "Sealed models: bytes of plain weights that may be in memory at a time; 0: those "
                  "of the largest step")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("0");
}

Result<OpenOptions> TrustFlags::ToOptions() const {
  OpenOptions options;
  if (verify == "full") options.integrity = Integrity::kFull;
  if (verify == "off") options.integrity = Integrity::kOff;
  for (const std::string& key : keys) {
    WHIT_ASSIGN_OR_RETURN(const PublicKey bytes, ReadPublicKey(key));
    options.required_keys.push_back(ToHex(bytes));
  }
  options.window_bytes = window_bytes;
  if (!seal_key.empty()) {
    WHIT_ASSIGN_OR_RETURN(const std::shared_ptr<const SealKey> key, ReadSealKey(seal_key));
    options.key_callback = [key](std::string_view, std::span<uint8_t> to) {
      std::memcpy(to.data(), key->data(), key->size());
      return true;
    };
  }
  return options;
}

Result<OpenedModel> OpenModel(const std::string& path, const TrustFlags& trust) {
  WHIT_ASSIGN_OR_RETURN(const OpenOptions open, trust.ToOptions());
  // Mapped by the kernel before the model is: the first page decides what the file is.
  WHIT_ASSIGN_OR_RETURN(Mapping file, Mapping::MapFile(path));
  if (HasAt(file.bytes(), 0, "WHIT")) {
    WHIT_ASSIGN_OR_RETURN(Model model, Model::Open(path, open));
    return OpenedModel{{}, std::move(model)};
  }
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  if (!LooksLikeModel(bytes)) {
    return BadInput(path +
                    ": neither a .whit model (it does not begin with WHIT) nor a .tflite model "
                    "(no TFL3 at byte 4) nor an ONNX model");
  }
  Progress progress("importing " + path);
  ImportOptions options;
  options.folder = std::filesystem::path(path).parent_path() / ".";
  auto imported = ImportModelBytes(bytes, options);
  if (!imported.ok()) return Status(imported.status()).WithContext(path);
  std::vector<std::byte> whit = std::move(imported).value();
  auto model = Model::OpenBytes(whit, open);
  if (!model.ok()) return Status(model.status()).WithContext(path);
  return OpenedModel{std::move(whit), std::move(model).value()};
}

Result<std::shared_ptr<const ModelFile>> OpenIntact(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(Mapping mapping, Mapping::MapFile(path));
  ReadLimits limits;
  limits.allow_sealed = true;
  auto file = ModelFile::Open(std::move(mapping), limits);
  if (!file.ok()) return Status(file.status()).WithContext(path);
  WHIT_RETURN_IF_ERROR(CheckAllPages(**file).WithContext(path));
  return file;
}

void RunFlags::AddTo(CLI::App* cli) {
  cli->add_option("--threads", threads, "Threads, at most")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  cli->add_flag("--split-always", split_always,
                "Use all threads for every step, also where it does not pay");
  cli->add_option("--isa", isa, "Force an instruction-set tier (whit info --cpu lists them)");
  cli->add_flag("--plain", plain, "The plain executor: one buffer a tensor, reference kernels");
  cli->add_option("--tuning", tuning,
                  "What whit tune has stored; none: do not look for MODEL.tune");
  cli->add_option("--xnnpack", xnnpack, "May XNNPACK serve float operators")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  cli->add_flag("--self-check", self_check,
                "Prove constants and integer products in every run (docs/trust.md)");
  cli->add_option("--scrub", scrub_share, "Share of the time for looking again at weights in RAM")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  AddDims(cli);
  trust.AddTo(cli);
}

namespace {

// NAME=VALUE as its two parts; a name may hold '='. False where it is not that.
bool SplitDim(const std::string& word, std::pair<std::string, uint32_t>* dim) {
  const size_t equals = word.rfind('=');
  if (equals == std::string::npos || equals == 0) return false;
  dim->first = word.substr(0, equals);
  const char* begin = word.data() + equals + 1;
  const char* end = word.data() + word.size();
  const auto [at, error] = std::from_chars(begin, end, dim->second);
  return error == std::errc() && at == end;
}

}  // namespace

void RunFlags::AddDims(CLI::App* cli) {
  cli->add_option("--dim", dims,
                  "NAME=VALUE: a named dimension, e.g. batch=8 (whit info lists them)")
      ->allow_extra_args(false)
      ->check([](const std::string& word) {
        std::pair<std::string, uint32_t> dim;
        return SplitDim(word, &dim) ? std::string()
                                    : "'" + word + "' is not NAME=VALUE with a whole number";
      });
}

std::string TuningPath(const std::string& file) { return file + ".tune"; }

Result<RunnerOptions> RunFlags::ToOptions(const std::string& file) const {
  RunnerOptions options;
  const bool beside = tuning.empty();
  const std::string path = beside ? TuningPath(file) : tuning;
  if (tuning != "none" && !plain && (!beside || std::filesystem::exists(path))) {
    constexpr uint64_t kMostBytes = 1 << 20;  // 16384 operators of 64 characters
    WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> text, ReadWholeFile(path, kMostBytes));
    options.tuning.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }
  options.threads = threads;
  options.split_always = split_always;
  options.isa = isa;
  options.plain = plain;
  options.self_check = self_check;
  options.scrub_share = scrub_share;
  options.xnnpack = xnnpack == "off" ? Xnnpack::kOff : Xnnpack::kAuto;
  for (const std::string& word : dims) {
    std::pair<std::string, uint32_t> dim;
    if (SplitDim(word, &dim)) options.dims.push_back(std::move(dim));
  }
  return options;
}

Result<Runner> CreateRunner(const Model& model, const std::string& file, const RunFlags& flags) {
  WHIT_ASSIGN_OR_RETURN(const RunnerOptions options, flags.ToOptions(file));
  auto runner = Runner::Create(model, options);
  if (!runner.ok()) return Status(runner.status()).WithContext(file);
  return runner;
}

std::string TiersOf(const Runner& runner) {
  std::vector<std::string> seen;
  std::string text;
  for (const PlanStep& step : DescribePlan(runner)) {
    if (step.tier.empty() || std::find(seen.begin(), seen.end(), step.tier) != seen.end()) continue;
    seen.push_back(step.tier);
    text += (text.empty() ? "" : ", ") + step.tier;
  }
  return text.empty() ? "none" : text;
}

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string TypeAndShape(const TensorView& view) {
  return TypeName(view.type) + ShapeText(view.shape);
}

std::string Stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

}  // namespace whit::tools
