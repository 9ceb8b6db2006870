// Which names a pickle may call. Nothing is called: the list is there so that a file that wants
// more than data is refused by name rather than shown as if it were harmless.
#ifndef WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_NAMES_H_
#define WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_NAMES_H_

#include <string_view>

namespace whit::tools {

/// Whether "module.name" may be called: containers and plain values of Python's library, the
/// rebuilders of PyTorch and NumPy.
bool PickleMayCall(std::string_view name);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_IMPORT_WEIGHTS_PICKLE_NAMES_H_
