#include "tools/whit/samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "tools/whit/npy.h"
#include "tools/whit/open_model.h"

namespace whit::tools {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostSampleBytes = uint64_t{1} << 30;

bool IsNpy(const fs::path& path) { return path.extension() == ".npy"; }

bool IsPicture(const fs::path& path) {
  std::string suffix = path.extension();
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg" || suffix == ".bmp";
}

// Folders by what is in them.
Result<std::vector<std::string>> Expanded(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const size_t before = files.size();
    for (auto entry = fs::directory_iterator(path, error); !error && entry != fs::end(entry);
         entry.increment(error)) {
      if (IsNpy(entry->path()) || IsPicture(entry->path())) files.push_back(entry->path());
    }
    if (error) return BadInput(path + ": " + error.message());
    if (files.size() == before) return BadInput(path + ": no picture and no .npy file in it");
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  return files;
}

// One or several samples of an input. The first axis counts them, or the input's own batch.
Result<std::vector<std::vector<std::byte>>> FromNpy(const std::string& path,
                                                    const TensorView& input) {
  WHIT_ASSIGN_OR_RETURN(NpyArray array, ReadNpy(path));
  const size_t bytes = BytesOfView(input);
  std::vector<int64_t> got = array.shape, want(input.shape.begin(), input.shape.end());
  bool fits = array.type == input.type && bytes > 0 && array.data.size() % bytes == 0 &&
              !array.data.empty();
  // Behind the first axes that count samples the shapes are equal, but for ones.
  std::erase(got, 1), std::erase(want, 1);
  for (size_t i = 0; fits && i < want.size(); ++i) {
    const bool there = got.size() >= want.size();
    const size_t at = there ? got.size() - want.size() + i : 0;
    const bool batch = i == 0 && there && got.size() == want.size() && got[at] % want[0] == 0;
    fits = there && (got[at] == want[i] || batch);
  }
  if (!fits || got.size() > want.size() + 1) {
    return BadInput(path + ": " + TypeName(array.type) + ShapeText(array.shape) +
                    " is no sample and no row of samples of " + TypeAndShape(input));
  }
  std::vector<std::vector<std::byte>> samples;
  for (size_t at = 0; at < array.data.size(); at += bytes) {
    const auto begin = array.data.begin() + static_cast<std::ptrdiff_t>(at);
    samples.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(bytes));
  }
  return samples;
}

// ---- random parts of pictures ----

// Uniform in [0, 1), the same on every machine.
double Uniform(std::mt19937_64* rng) { return static_cast<double>((*rng)() >> 11) * 0x1.0p-53; }

struct Box {
  int x = 0, y = 0, width = 0, height = 0;
};

// Of 35 to 100 % of the area, sides in proportions of 3:4 to 4:3.
Box RandomBox(const Image& image, std::mt19937_64* rng) {
  const double area = static_cast<double>(image.width) * image.height;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double part = area * (0.35 + 0.65 * Uniform(rng));
    const double aspect = std::exp((2 * Uniform(rng) - 1) * std::log(4.0 / 3));
    const int width = static_cast<int>(std::lround(std::sqrt(part * aspect)));
    const int height = static_cast<int>(std::lround(std::sqrt(part / aspect)));
    if (width < 1 || height < 1 || width > image.width || height > image.height) continue;
    return {static_cast<int>(Uniform(rng) * (image.width - width + 1)),
            static_cast<int>(Uniform(rng) * (image.height - height + 1)), width, height};
  }
  return {0, 0, image.width, image.height};
}

Image Cut(const Image& image, const Box& box, bool mirrored) {
  Image out{box.width, box.height, image.channels, {}};
  for (int y = 0; y < box.height; ++y) {
    for (int x = 0; x < box.width; ++x) {
      const uint8_t* from = image.at(box.x + (mirrored ? box.width - 1 - x : x), box.y + y);
      out.data.insert(out.data.end(), from, from + image.channels);
    }
  }
  return out;
}

// Feeds pictures to a buffer in the form of the input.
class PictureReader {
 public:
  static Result<PictureReader> Create(const Model& model, const TensorView& input,
                                      const SampleFlags& flags) {
    PictureReader reader(input, flags);
    WHIT_ASSIGN_OR_RETURN(reader.place_, ImageInputOf(reader.input_));
    reader.feeding_ = FeedingOf(model.input_normalization(0), flags.mean, flags.std, {});
    return reader;
  }

  Status Read(const std::string& path, std::vector<Sample>* samples) {
    WHIT_ASSIGN_OR_RETURN(const Image image, ReadImage(path, place_.channels));
    if (flags_.crops == 0) return Feed(image, feeding_, samples);
    Feeding whole = feeding_;
    whole.fit = Fit::kStretch;
    for (int i = 0; i < flags_.crops; ++i) {
      const Box box = RandomBox(image, &rng_);
      const bool mirrored = (rng_() >> 63) != 0;
      WHIT_RETURN_IF_ERROR(Feed(Cut(image, box, mirrored), whole, samples));
    }
    return OkStatus();
  }

 private:
  PictureReader(const TensorView& input, const SampleFlags& flags)
      : input_(input), flags_(flags), rng_(flags.seed) {}

  Status Feed(const Image& image, const Feeding& feeding, std::vector<Sample>* samples) {
    Sample sample;
    sample.inputs.emplace_back(BytesOfView(input_));
    TensorView view = input_;
    view.data = sample.inputs[0];
    WHIT_RETURN_IF_ERROR(FeedImage(image, feeding, view));
    samples->push_back(std::move(sample));
    return OkStatus();
  }

  TensorView input_;
  const SampleFlags& flags_;
  ImageInput place_;
  Feeding feeding_;
  std::mt19937_64 rng_;
};

Status CheckSize(const std::vector<Sample>& samples) {
  uint64_t bytes = 0;
  for (const Sample& s : samples) {
    for (const auto& input : s.inputs) bytes += input.size();
  }
  if (bytes <= kMostSampleBytes) return OkStatus();
  return BadInput("the samples have more than " + HumanBytes(kMostSampleBytes) + "; give fewer");
}

// NAME=FILE.npy for every input, as many samples in each.
Result<std::vector<Sample>> ReadNamed(std::span<const TensorView> inputs,
                                      const std::vector<std::string>& words) {
  std::vector<Sample> samples;
  std::vector<bool> given(inputs.size());
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    size_t input = 0;
    while (input < given.size() && inputs[input].name != word.substr(0, equals)) ++input;
    if (equals == std::string::npos || input == given.size() || given[input]) {
      return UsageError("--data " + word + ": a model of " + std::to_string(given.size()) +
                        " inputs takes NAME=FILE.npy for each of them once, the first is named '" +
                        std::string(inputs[0].name) + "'");
    }
    given[input] = true;
    WHIT_ASSIGN_OR_RETURN(auto values, FromNpy(word.substr(equals + 1), inputs[input]));
    if (samples.empty()) samples.resize(values.size());
    if (samples.size() != values.size()) {
      return BadInput(word + ": " + std::to_string(values.size()) +
                      " samples, an input before has " + std::to_string(samples.size()));
    }
    for (size_t i = 0; i < values.size(); ++i) {
      samples[i].inputs.resize(given.size());
      samples[i].inputs[input] = std::move(values[i]);
    }
  }
  const auto missing = std::find(given.begin(), given.end(), false);
  if (missing != given.end()) {
    const auto& input = inputs[static_cast<size_t>(missing - given.begin())];
    return UsageError("--data: input '" + std::string(input.name) + "' has no samples");
  }
  WHIT_RETURN_IF_ERROR(CheckSize(samples));
  return samples;
}

}  // namespace

void SampleFlags::AddTo(CLI::App* cli) {
  cli->add_option("--data", data,
                  "Samples: pictures, .npy files (one sample, or several along the first axis), "
                  "folders of them; of several inputs NAME=FILE.npy each")
      ->required();
  cli->add_option("--crops", crops, "Take this many random parts of every picture, also mirrored")
      ->check(CLI::Range(1, 10000));
  cli->add_option("--seed", seed, "Of the random parts")->capture_default_str();
  cli->add_option("--mean", mean, "Pixel values become (pixel - mean) / std")->delimiter(',');
  cli->add_option("--std", std, "See --mean")->delimiter(',');
}

Result<std::vector<Sample>> SampleFlags::ReadOthers(const Model& model) const {
  if (crops == 0) return std::vector<Sample>();
  SampleFlags others = *this;
  others.seed = ~seed;
  return others.Read(model);
}

Result<std::vector<Sample>> SampleFlags::ReadFor(const Model& model,
                                                 std::span<const TensorView> inputs) const {
  if (inputs.empty()) return UsageError("--data: the model has no inputs");
  if (inputs.size() != 1) return ReadNamed(inputs, data);
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::string> files, Expanded(data));
  std::vector<Sample> samples;
  std::vector<PictureReader> pictures;  // one, once there is a picture
  for (const std::string& path : files) {
    if (IsNpy(path)) {
      WHIT_ASSIGN_OR_RETURN(auto values, FromNpy(path, inputs[0]));
      for (auto& value : values) {
        samples.emplace_back();
        samples.back().inputs.push_back(std::move(value));
      }
    } else {
      if (pictures.empty()) {
        WHIT_ASSIGN_OR_RETURN(PictureReader reader, PictureReader::Create(model, inputs[0], *this));
        pictures.push_back(std::move(reader));
      }
      WHIT_RETURN_IF_ERROR(pictures[0].Read(path, &samples));
    }
    WHIT_RETURN_IF_ERROR(CheckSize(samples));
  }
  return samples;
}

}  // namespace whit::tools
