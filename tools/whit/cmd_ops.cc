// whit ops: what this build implements.
#include <cstdio>

#include "runtime/whit.h"
#include "tools/whit/command.h"

namespace whit::tools {

namespace {

struct OpsFlags {
  bool json = false;
};

Status RunOps(const OpsFlags& flags) {
  const std::vector<OperatorInfo> operators = Operators();
  if (flags.json) {
    Json list = Json::array();
    for (const OperatorInfo& op : operators) {
      list.push_back({{"name", op.name},
                      {"family", op.family},
                      {"types", op.types},
                      {"implementations", op.implementations}});
    }
    PrintJson({{"operators", list}});
    return OkStatus();
  }
  for (const OperatorInfo& op : operators) {
    std::string by;
    for (const std::string& name : op.implementations) by += (by.empty() ? "" : ", ") + name;
    std::printf("%-22s %-12s %-18s %s\n", op.name.c_str(), op.family.c_str(), by.c_str(),
                op.types.c_str());
  }
  return OkStatus();
}

}  // namespace

void AddOps(CLI::App& app, Action* action) {
  auto [cli, flags] =
      AddCommand<OpsFlags>(app, action, "ops", "Operators of this build: types and implementations",
                           "whit ops --json", RunOps);
  cli->add_flag("--json", flags->json, "One line of JSON");
}

}  // namespace whit::tools
