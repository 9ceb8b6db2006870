// What the sub-commands of `whit` share: how they are added, what they return, how they print.
// Each command is one file, cmd_<name>.cc, and an ordinary user of the public headers (verify also
// reads the packed weights, which those do not show).
#ifndef WHIT_TOOLS_WHIT_COMMAND_H_
#define WHIT_TOOLS_WHIT_COMMAND_H_

#include <CLI/CLI.hpp>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "platform/status.h"

namespace whit::tools {

using Json = nlohmann::ordered_json;

/// A number of JSON, which has neither infinities nor NaN: null in their place.
inline Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

/// What the chosen command will do; set by the command's CLI11 callback, run by main.
using Action = std::function<Status()>;

// Each adds its sub-command to `app`.
void AddAttack(CLI::App& app, Action* action);
void AddBench(CLI::App& app, Action* action);
void AddClassify(CLI::App& app, Action* action);
void AddGolden(CLI::App& app, Action* action);
void AddImport(CLI::App& app, Action* action);
void AddInfo(CLI::App& app, Action* action);
void AddInspect(CLI::App& app, Action* action);
void AddKeygen(CLI::App& app, Action* action);
void AddOps(CLI::App& app, Action* action);
void AddPlan(CLI::App& app, Action* action);
void AddQuantize(CLI::App& app, Action* action);
void AddRun(CLI::App& app, Action* action);
void AddSeal(CLI::App& app, Action* action);
void AddSign(CLI::App& app, Action* action);
void AddTune(CLI::App& app, Action* action);
void AddUnseal(CLI::App& app, Action* action);
void AddVerify(CLI::App& app, Action* action);
void AddWeights(CLI::App& app, Action* action);

/// A sub-command with its example at the end of --help. Its options live in a shared `Options`,
/// which the action keeps alive: `auto* o = AddCommand<InfoOptions>(app, action, "info", "...",
/// "whit info m.whit", RunInfo);`
template <typename Options>
struct Command {
  CLI::App* cli;
  std::shared_ptr<Options> options;
};

template <typename Options>
Command<Options> AddCommand(CLI::App& app, Action* action, const std::string& name,
                            const std::string& what, const std::string& example,
                            Status (*run)(const Options&)) {
  CLI::App* cli = app.add_subcommand(name, what);
  cli->footer("Example:\n  " + example);
  auto options = std::make_shared<Options>();
  cli->callback([=] { *action = [=] { return run(*options); }; });
  return {cli, options};
}

/// A mistake on the command line: exit status 1. Every other failure ends with 2.
Status UsageError(std::string message);
/// An input file that does not fit: exit status 2.
Status BadInput(std::string message);

/// kUnsupported where this build has no libsodium.
Status NeedCrypto();

/// One line on stdout. Bytes that are not UTF-8 (names of hostile files) are replaced.
void PrintJson(const Json& json);

/// Text of a foreign file for a terminal: control characters become '?'.
std::string Printable(std::string_view text);

std::string HumanBytes(uint64_t bytes);
/// 1234567 -> "1.23 M"
std::string HumanCount(uint64_t count);

/// Whether stdout (1) or stderr (2) is a terminal.
bool IsTerminal(int fd);

}  // namespace whit::tools

#endif  // WHIT_TOOLS_WHIT_COMMAND_H_
