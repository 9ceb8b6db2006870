#include "tools/whit/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "tools/whit/command.h"

namespace whit::tools {

namespace {

constexpr int kRows = 10;
constexpr int kMaxColumns = 40;

int Byte(float value) { return static_cast<int>(std::clamp(value, 0.0f, 255.0f)); }

// ";R;G;B" of a pixel.
std::string Rgb(const Pixels<float>& pixels, int x, int y) {
  const float* p = pixels.at(x, y);
  const bool grey = pixels.channels == 1;
  return ";" + std::to_string(Byte(p[0])) + ";" + std::to_string(Byte(p[grey ? 0 : 1])) + ";" +
         std::to_string(Byte(p[grey ? 0 : 2]));
}

float Brightness(const Pixels<float>& pixels, int x, int y) {
  const float* p = pixels.at(x, y);
  return pixels.channels == 1 ? p[0] : 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
}

}  // namespace

TextPicture DrawPicture(const Image& image, bool colour) {
  // A character cell is about twice as high as wide.
  const double aspect = static_cast<double>(image.width) / image.height;
  TextPicture out;
  out.columns = std::clamp(static_cast<int>(std::lround(2 * kRows * aspect)), 2, kMaxColumns);
  const int rows = std::clamp(static_cast<int>(std::lround(out.columns / aspect / 2)), 1, kRows);
  const Pixels<float> small = Resize(image, out.columns, colour ? 2 * rows : rows, Fit::kStretch);
  static const char* const kShades[] = {" ", "░", "▒", "▓", "█"};
  for (int y = 0; y < rows; ++y) {
    std::string line;
    for (int x = 0; x < out.columns; ++x) {
      if (colour) {
        line += "\033[38;2" + Rgb(small, x, 2 * y) + ";48;2" + Rgb(small, x, 2 * y + 1) + "m▀";
      } else {
        line += kShades[std::min(4, Byte(Brightness(small, x, y)) * 5 / 256)];
      }
    }
    out.lines.push_back(colour ? line + "\033[0m" : line);
  }
  return out;
}

std::string Bar(double share, int columns) {
  static const char* const kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * columns * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kEighths[eighths % 8];
  bar.append(static_cast<size_t>(columns - (eighths + 7) / 8), ' ');
  return bar;
}

bool ColourTerminal() {
  const char* term = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  return IsTerminal(1) && term != nullptr && std::string_view(term) != "dumb" &&
         (no_colour == nullptr || *no_colour == '\0');
}

std::string Fitted(const std::string& text, int columns) {
  std::string out;
  int used = 0;
  for (size_t i = 0; i < text.size();) {
    size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    if (used == columns) break;
    out += text.substr(i, next - i);
    ++used;
    i = next;
  }
  out.append(static_cast<size_t>(columns - used), ' ');
  return out;
}

}  // namespace whit::tools
