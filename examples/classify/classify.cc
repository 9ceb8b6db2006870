// classify MODEL.whit PICTURE [LABELS.txt]: a whole classifier on the public headers. Start reading
// at main.
#include <whit/whit.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#include <stb/stb_image.h>

namespace {

int Fail(const std::string& message) {
  std::fprintf(stderr, "classify: %s\n", message.c_str());
  return 2;
}

// One bilinear sample of channel c at (x, y), in source pixels; beyond the border the edge goes on.
float Sample(const uint8_t* pixels, int width, int height, int channels, float x, float y, int c) {
  x = std::clamp(x, 0.0f, static_cast<float>(width - 1));
  y = std::clamp(y, 0.0f, static_cast<float>(height - 1));
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
  const int x1 = std::min(x0 + 1, width - 1), y1 = std::min(y0 + 1, height - 1);
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  auto at = [&](int column, int row) {
    return static_cast<float>(pixels[(static_cast<size_t>(row) * width + column) * channels + c]);
  };
  return (1 - fy) * ((1 - fx) * at(x0, y0) + fx * at(x1, y0)) +
         fy * ((1 - fx) * at(x0, y1) + fx * at(x1, y1));
}

// Stretches the picture to the input [1,height,width,channels]. 8-bit inputs take the pixel (int8:
// minus 128), floats 0..1.
bool Feed(const char* path, const whit::TensorView& input) {
  if (input.shape.size() != 4 || (input.shape[3] != 1 && input.shape[3] != 3)) return false;
  const int rows = static_cast<int>(input.shape[1]), columns = static_cast<int>(input.shape[2]);
  const int channels = static_cast<int>(input.shape[3]);
  int width = 0, height = 0, stored = 0;
  uint8_t* pixels = stbi_load(path, &width, &height, &stored, channels);
  if (pixels == nullptr) return false;
  const float step_x = static_cast<float>(width) / columns,
              step_y = static_cast<float>(height) / rows;
  for (int i = 0; i < rows * columns * channels; ++i) {
    const int c = i % channels, column = i / channels % columns, row = i / channels / columns;
    const float value = Sample(pixels, width, height, channels, (column + 0.5f) * step_x - 0.5f,
                               (row + 0.5f) * step_y - 0.5f, c);
    const int rounded = static_cast<int>(value + 0.5f);
    switch (input.type) {
      case whit::Type::kUint8:
        input.as<uint8_t>()[i] = static_cast<uint8_t>(rounded);
        break;
      case whit::Type::kInt8:
        input.as<int8_t>()[i] = static_cast<int8_t>(rounded - 128);
        break;
      default:
        input.as<float>()[i] = value / 255;
    }
  }
  stbi_image_free(pixels);
  return true;
}

// real = scale * (stored - zero_point)
std::vector<float> Scores(const whit::TensorView& output) {
  std::vector<float> scores;
  auto dequantize = [&](int stored) {
    scores.push_back(output.scale * static_cast<float>(stored - output.zero_point));
  };
  if (output.type == whit::Type::kUint8) {
    for (uint8_t v : output.as<uint8_t>()) dequantize(v);
  } else if (output.type == whit::Type::kInt8) {
    for (int8_t v : output.as<int8_t>()) dequantize(v);
  } else if (output.type == whit::Type::kFloat32) {
    for (float v : output.as<float>()) scores.push_back(v);
  }
  return scores;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return Fail("usage: classify MODEL.whit PICTURE [LABELS.txt]"), 1;
  auto model = whit::Model::Open(argv[1]);
  if (!model.ok()) return Fail(model.status().message());
  auto runner = whit::Runner::Create(*model);
  if (!runner.ok()) return Fail(runner.status().message());

  const whit::TensorView input = runner->input(0);
  const bool known = input.type == whit::Type::kUint8 || input.type == whit::Type::kInt8 ||
                     input.type == whit::Type::kFloat32;
  if (!known || !Feed(argv[2], input)) {
    return Fail(std::string(argv[2]) + " cannot be read, or the model takes no picture");
  }
  if (whit::Status ran = runner->Run(); !ran.ok()) return Fail(ran.message());

  std::vector<std::string> labels(model->labels(0).begin(), model->labels(0).end());
  if (argc > 3) {
    std::ifstream file(argv[3]);
    labels.clear();
    for (std::string line; std::getline(file, line);) labels.push_back(line);
  }
  const std::vector<float> scores = Scores(runner->output(0));
  if (scores.empty()) return Fail("the model's output holds no scores");
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  for (size_t i = 0; i < std::min<size_t>(3, order.size()); ++i) {
    const size_t k = order[i];
    std::printf("%6.3f  %s\n", scores[k],
                k < labels.size() ? labels[k].c_str() : std::to_string(k).c_str());
  }
}
