// What the table of weights.cc is made of: for each format whether bytes are of it, and how they
// are opened (WeightFormat of weights.h says more).
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_FORMATS_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_FORMATS_H_

#include "tools/import/weights/weights.h"

namespace whit::tools {

class ZipDirectory;

bool ClaimsHdf5(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenHdf5Weights(WeightSource source);

bool ClaimsOnnx(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenOnnxWeights(WeightSource source);

bool ClaimsTflite(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenTfliteWeights(WeightSource source);

bool ClaimsWhit(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenWhitWeights(WeightSource source);

bool ClaimsTorchLegacy(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenTorchLegacy(WeightSource source);

bool ClaimsNumpy(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenNumpyWeights(WeightSource source);

/// Archives of every framework: what lies in one decides which of those below opens it. Its
/// directory, whose spans point into the mapping, is read once and handed on.
bool ClaimsZip(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenZipWeights(WeightSource source);
Result<std::unique_ptr<WeightFile>> OpenKerasZip(WeightSource source, ZipDirectory zip);
Result<std::unique_ptr<WeightFile>> OpenNumpyZip(WeightSource source, ZipDirectory zip);
Result<std::unique_ptr<WeightFile>> OpenTorchZip(WeightSource source, ZipDirectory zip);

bool ClaimsSafetensors(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenSafetensors(WeightSource source);

bool ClaimsTfCheckpoint(std::span<const std::byte> file);
Result<std::unique_ptr<WeightFile>> OpenTfCheckpoint(WeightSource source);
/// The index of the checkpoint that a path means: PREFIX where there is no such file, or one of its
/// shards. Else the path itself.
std::string TfCheckpointIndex(const std::string& path);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_FORMATS_H_
