// whit classify: what is in a picture.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>

#include "platform/clock.h"
#include "platform/mapping.h"
#include "tools/whit/image.h"
#include "tools/whit/open_model.h"
#include "tools/whit/picture.h"
#include "tools/whit/real_values.h"

namespace whit::tools {

namespace {

struct ClassifyFlags {
  std::string file, labels, resize;
  std::vector<std::string> images;
  std::vector<float> mean, std;
  RunFlags run;
  int top = 3;
  bool json = false, no_picture = false;
};

struct TopClass {
  size_t index;
  std::string label;
  double probability;
};

struct Answer {
  std::string image;
  double ms = 0;
  bool softmax_added = false;
  std::vector<TopClass> top;
};

// Probabilities lie in 0..1 and sum to 1, but for the rounding of each class.
bool LookLikeProbabilities(const std::vector<double>& values, double step) {
  double sum = 0;
  for (double v : values) {
    if (!(v >= 0 && v <= 1 + 1e-3)) return false;
    sum += v;
  }
  return values.size() == 1 ||
         std::abs(sum - 1) <= 0.05 + 0.5 * step * static_cast<double>(values.size());
}

void Softmax(std::vector<double>* values) {
  const double largest = *std::max_element(values->begin(), values->end());
  double sum = 0;
  for (double& v : *values) sum += v = std::isfinite(largest) ? std::exp(v - largest) : 1;
  for (double& v : *values) v /= sum;
}

Result<std::vector<std::string>> ReadLabelFile(const std::string& path) {
  WHIT_ASSIGN_OR_RETURN(const std::vector<std::byte> file, ReadWholeFile(path, 16 << 20));
  std::vector<std::string> labels;
  std::string line;
  for (std::byte byte : file) {
    const char c = static_cast<char>(byte);
    if (c == '\n') {
      labels.push_back(std::exchange(line, {}));
    } else if (c != '\r') {
      line += c;
    }
  }
  if (!line.empty()) labels.push_back(line);
  return labels;
}

// One model and how to use it on pictures.
class Classifier {
 public:
  static Result<Classifier> Create(const ClassifyFlags& flags) {
    std::vector<std::string> labels;
    if (!flags.labels.empty()) {
      WHIT_ASSIGN_OR_RETURN(labels, ReadLabelFile(flags.labels));
    }
    WHIT_ASSIGN_OR_RETURN(OpenedModel opened, OpenModel(flags.file, flags.run.trust));
    auto runner = CreateRunner(opened.model, flags.file, flags.run);
    if (!runner.ok()) return runner.status();
    Classifier out(std::move(opened), std::move(runner).value());
    WHIT_RETURN_IF_ERROR(out.Prepare(flags, std::move(labels)).WithContext(flags.file));
    return out;
  }

  Result<Answer> Classify(const std::string& path, const Image& image, int top) {
    WHIT_RETURN_IF_ERROR(FeedImage(image, feeding_, runner_.input(0)));
    WHIT_RETURN_IF_ERROR(runner_.Reset());
    const uint64_t start = NowNs();
    WHIT_RETURN_IF_ERROR(runner_.Run());
    Answer answer{path, static_cast<double>(NowNs() - start) * 1e-6, false, {}};
    WHIT_ASSIGN_OR_RETURN(std::vector<double> values, RealValues(runner_.output(output_)));
    for (double& v : values) {
      if (std::isnan(v)) v = -HUGE_VAL;  // never a best class
    }
    if (!LookLikeProbabilities(values, static_cast<double>(runner_.output(output_).scale))) {
      Softmax(&values);
      answer.softmax_added = true;
    }
    answer.top = TopClasses(values, static_cast<size_t>(top));
    return answer;
  }

  const ImageInput& place() const { return place_; }
  const Runner& runner() const { return runner_; }

 private:
  Classifier(OpenedModel opened, Runner runner)
      : opened_(std::move(opened)), runner_(std::move(runner)) {}

  // `labels`: what the caller names the classes; empty: the model's own.
  Status Prepare(const ClassifyFlags& flags, std::vector<std::string> labels) {
    if (runner_.input_count() != 1 || runner_.output_count() < 1) {
      return BadInput("a classifier has one input and an output of scores, this model has " +
                      std::to_string(runner_.input_count()) + " inputs and " +
                      std::to_string(runner_.output_count()) + " outputs");
    }
    WHIT_ASSIGN_OR_RETURN(place_, ImageInputOf(runner_.input(0)));
    std::optional<Fit> fit;
    if (!flags.resize.empty()) fit = flags.resize == "crop" ? Fit::kCrop : Fit::kStretch;
    feeding_ = FeedingOf(opened_.model.input_normalization(0), flags.mean, flags.std, fit);
    for (size_t i = 0; i < opened_.model.outputs().size() && labels_.empty(); ++i) {
      const auto own = opened_.model.labels(i);
      if (own.empty()) continue;
      labels_.assign(own.begin(), own.end());
      output_ = i;
    }
    if (!flags.labels.empty()) labels_ = std::move(labels);
    return CheckOutput();
  }

  Status CheckOutput() const {
    const TensorView output = runner_.output(output_);
    size_t classes = 1, best = 1;
    for (int64_t dim : output.shape) {
      classes *= static_cast<size_t>(dim);
      best = std::max(best, static_cast<size_t>(dim));
    }
    if (classes != best || classes == 0) {
      return BadInput("output '" + std::string(output.name) + "' is " + TypeAndShape(output) +
                      ", scores of one picture are [1,classes]");
    }
    if (!labels_.empty() && labels_.size() != classes) {
      std::fprintf(stderr,
                   "whit classify: %zu labels for %zu classes; classes without a label are shown "
                   "as numbers\n",
                   labels_.size(), classes);
    }
    return OkStatus();
  }

  std::vector<TopClass> TopClasses(const std::vector<double>& values, size_t count) const {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    count = std::min(count, order.size());
    std::partial_sort(
        order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
        [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
    std::vector<TopClass> top;
    for (size_t k = 0; k < count; ++k) {
      const size_t index = order[k];
      top.push_back(
          {index, index < labels_.size() ? labels_[index] : std::to_string(index), values[index]});
    }
    return top;
  }

  OpenedModel opened_;
  Runner runner_;
  ImageInput place_;
  Feeding feeding_;
  std::vector<std::string> labels_;
  size_t output_ = 0;
};

Json AnswerJson(const Answer& answer) {
  Json top = Json::array();
  for (const TopClass& c : answer.top) {
    top.push_back({{"class", c.index}, {"label", c.label}, {"probability", c.probability}});
  }
  return {{"image", answer.image}, {"ms", answer.ms}, {"top", top}};
}

// The picture on the left, name, bars, time and memory on the right.
void PrintAnswer(const Answer& answer, const Image& image, uint64_t ram_bytes, bool no_picture) {
  constexpr int kLabelColumns = 22, kBarColumns = 20;
  std::vector<std::string> text = {Printable(answer.image)};
  for (const TopClass& c : answer.top) {
    char percent[32];
    std::snprintf(percent, sizeof percent, " %5.1f %%", 100 * c.probability);
    text.push_back(Fitted(Printable(c.label), kLabelColumns) + " " +
                   Bar(c.probability, kBarColumns) + percent);
  }
  if (answer.softmax_added) text.push_back("(softmax of the model's scores)");
  char cost[96];
  std::snprintf(cost, sizeof cost, "%.3g ms, RAM %s", answer.ms, HumanBytes(ram_bytes).c_str());
  text.push_back(cost);

  const TextPicture picture = no_picture ? TextPicture{} : DrawPicture(image, ColourTerminal());
  const size_t lines = std::max(text.size(), picture.lines.size());
  for (size_t i = 0; i < lines; ++i) {
    if (i < picture.lines.size()) std::printf("%s", picture.lines[i].c_str());
    if (i < text.size()) {
      const int indent =
          (i < picture.lines.size() ? 0 : picture.columns) + (picture.columns > 0 ? 3 : 0);
      std::printf("%*s%s", indent, "", text[i].c_str());
    }
    std::printf("\n");
  }
  std::printf("\n");
}

uint64_t RamOf(const Runner& runner) {
  uint64_t bytes = runner.peak_arena_bytes() + runner.input(0).data.size();
  for (size_t i = 0; i < runner.output_count(); ++i) bytes += runner.output(i).data.size();
  return bytes;
}

Status RunClassify(const ClassifyFlags& flags) {
  auto created = Classifier::Create(flags);
  if (!created.ok()) return created.status();
  Classifier& classifier = *created;
  Json answers = Json::array();
  Status failed;
  for (const std::string& path : flags.images) {
    auto image = ReadImage(path, classifier.place().channels);
    auto answer =
        image.ok() ? classifier.Classify(path, *image, flags.top) : Result<Answer>(image.status());
    if (!answer.ok()) {
      // The others are classified all the same; main prints the last one.
      if (!failed.ok())
        std::fprintf(stderr, "whit classify: %s\n", Printable(failed.message()).c_str());
      failed = answer.status();
      continue;
    }
    if (flags.json) {
      answers.push_back(AnswerJson(*answer));
    } else {
      PrintAnswer(*answer, *image, RamOf(classifier.runner()), flags.no_picture);
    }
  }
  if (flags.json) PrintJson(answers);
  return failed;
}

}  // namespace

void AddClassify(CLI::App& app, Action* action) {
  auto [cli, flags] = AddCommand<ClassifyFlags>(
      app, action, "classify", "Name what is in pictures",
      "whit classify mobilenet.whit photo.jpg --labels labels.txt --top 5", RunClassify);
  cli->add_option("FILE", flags->file, "A .whit, .tflite or .onnx image classifier")->required();
  cli->add_option("IMAGE", flags->images, "JPEG, PNG or BMP files")->required();
  cli->add_option("--labels", flags->labels,
                  "Text file with one class a line; default: the model's own, else numbers");
  cli->add_option("--top", flags->top, "Classes shown")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  cli->add_option("--mean", flags->mean,
                  "(pixel - mean) / std, pixels 0..255: one value or one a channel (a,b,c)")
      ->delimiter(',')
      ->allow_extra_args(false);
  cli->add_option("--std", flags->std,
                  "See --mean; default: the model's metadata, else none for quantized inputs, 255 "
                  "for floats")
      ->delimiter(',')
      ->allow_extra_args(false);
  cli->add_option("--resize", flags->resize,
                  "stretch to the input's size, or crop the middle first")
      ->check(CLI::IsMember({"stretch", "crop"}));
  flags->run.AddTo(cli);
  cli->add_flag("--no-picture", flags->no_picture, "Do not draw the pictures");
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
