// Any model FILE of the command line as a whit::Model, and the options that runs share.
#ifndef WHIT_TOOLS_WHIT_OPEN_MODEL_H_
#define WHIT_TOOLS_WHIT_OPEN_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/whit.h"
#include "schema/reader.h"
#include "tools/whit/command.h"

namespace whit::tools {

/// A model and, where it was imported from another format, the bytes it lies in.
struct OpenedModel {
  std::vector<std::byte> bytes;  // empty: the model is mapped from its own file
  Model model;
};

/// What a command demands of a model's bytes.
struct TrustFlags {
  std::string verify = "lazy";
  std::vector<std::string> keys;  // public keys, as files or hexadecimal digits
  std::string seal_key;           // a file: of sealed models
  uint64_t window_bytes = 0;      // of plaintext; 0: the largest step's

  void AddTo(CLI::App* cli);
  Result<OpenOptions> ToOptions() const;
};

/// Opens a .whit file, or imports another (told apart by content) in memory and opens that; what is
/// imported cannot be signed.
Result<OpenedModel> OpenModel(const std::string& path, const TrustFlags& trust = {});

/// A .whit file whose bytes are those of its tree, to be written anew with another trust section;
/// sealed ones too.
Result<std::shared_ptr<const ModelFile>> OpenIntact(const std::string& path);

/// Options of the commands that run a model.
struct RunFlags {
  int threads = 1;
  bool split_always = false;
  std::string isa;
  bool plain = false;
  std::string xnnpack = "on";
  bool self_check = false;
  double scrub_share = RunnerOptions{}.scrub_share;
  std::string tuning;             // a file of `whit tune`; empty: MODEL.tune if it is there
  std::vector<std::string> dims;  // NAME=VALUE, checked by AddDims
  TrustFlags trust;               // of the model file

  void AddTo(CLI::App* cli);
  void AddDims(CLI::App* cli);  // --dim alone; AddTo has it
  /// For the model in `file`.
  Result<RunnerOptions> ToOptions(const std::string& file) const;
};

/// A runner for the model of `file`; errors name the file.
Result<Runner> CreateRunner(const Model& model, const std::string& file, const RunFlags& flags);

/// Where `whit tune` stores the choices for a model and other commands look for them.
std::string TuningPath(const std::string& file);

/// The tiers that a plan uses, in order of first use, for -v: "scalar, xnnpack".
std::string TiersOf(const Runner& runner);

/// "int8[1,16,16,1]" and quantization: " scale 0.0039 zero point -128".
std::string ShapeText(std::span<const int64_t> shape);
std::string TypeAndShape(const TensorView& view);

/// File name without folders and suffix.
std::string Stem(const std::string& path);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_OPEN_MODEL_H_
