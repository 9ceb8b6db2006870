#include "tools/whit/rename.h"

#include <memory>
#include <regex>

#include "tools/whit/command.h"

namespace whit::tools {

namespace {

using Rename = std::function<std::string(const std::string&)>;

// std::regex recurses for every character of a match: longer names than any model has stay.
constexpr size_t kMostMatched = 1024;

// The parts of s/a/b/, split where a '/' has no backslash before it. False: not of that form.
bool Split(const std::string& rule, std::string* from, std::string* to) {
  std::string* parts[] = {from, to};
  size_t part = 0;
  for (size_t i = 2; i < rule.size(); ++i) {
    if (rule[i] == '\\' && i + 1 < rule.size() && rule[i + 1] == '/') {
      *parts[part] += rule[++i];
    } else if (rule[i] != '/') {
      *parts[part] += rule[i];
    } else if (++part == 2) {
      return i + 1 == rule.size() && !from->empty();
    }
  }
  return false;
}

Result<Rename> ByRegex(const std::string& rule) {
  std::string from, to;
  if (!Split(rule, &from, &to))
    return UsageError("--rename " + rule + ": s/REGEX/REPLACEMENT/ expected");
  try {
    auto regex = std::make_shared<const std::regex>(from);
    return Rename([regex, to](const std::string& name) {
      return name.size() > kMostMatched ? name : std::regex_replace(name, *regex, to);
    });
  } catch (const std::regex_error& error) {
    return UsageError("--rename " + rule + ": " + error.what());
  }
}

}  // namespace

Result<Rename> RenameBy(const std::vector<std::string>& rules) {
  std::vector<Rename> steps;
  for (const std::string& rule : rules) {
    if (rule.starts_with("s/")) {
      WHIT_ASSIGN_OR_RETURN(Rename step, ByRegex(rule));
      steps.push_back(std::move(step));
      continue;
    }
    const size_t equal = rule.find('=');
    if (equal == rule.npos || equal == 0)
      return UsageError("--rename " + rule + ": s/REGEX/REPLACEMENT/ or OLD=NEW expected");
    steps.push_back(
        [from = rule.substr(0, equal), to = rule.substr(equal + 1)](const std::string& name) {
          return name.starts_with(from) ? to + name.substr(from.size()) : name;
        });
  }
  return Rename([steps](const std::string& name) {
    std::string renamed = name;
    for (const Rename& step : steps) renamed = step(renamed);
    return renamed;
  });
}

}  // namespace whit::tools
