// A picture and its classes as text for a terminal.
#ifndef WHIT_TOOLS_WHIT_PICTURE_H_
#define WHIT_TOOLS_WHIT_PICTURE_H_

#include <string>
#include <vector>

#include "tools/whit/image.h"

namespace whit::tools {

/// Lines of equal visible width.
struct TextPicture {
  int columns = 0;
  std::vector<std::string> lines;
};

/// In colour two pixels a character (upper half blocks), else one grey shade a character.
TextPicture DrawPicture(const Image& image, bool colour);

/// A bar of `share` (0..1) of `columns` in eighths of a character, padded with spaces.
std::string Bar(double share, int columns);

/// Whether stdout is a terminal that takes colour (honours NO_COLOR and TERM=dumb).
bool ColourTerminal();

/// `text` cut or padded to `columns` characters (UTF-8 code points).
std::string Fitted(const std::string& text, int columns);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_PICTURE_H_
