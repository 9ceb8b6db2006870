#include "tools/import/weights/rename.h"

#include <regex.h>

#include <array>
#include <utility>

namespace whit::tools {

namespace {

constexpr size_t kMaxName = 1 << 16;  // a rule that makes names longer has lost its way

Status BadRule(const std::string& rule, const std::string& why) {
  return Status(StatusCode::kInvalidArgument,
                "the rule '" + rule + "' " + why + "; PREFIX=>NEW or s/REGEX/TEXT/[g] expected");
}

}  // namespace

struct RenameRules::Rule {
  bool is_regex = false, every = false;
  std::string from, to;
  regex_t regex{};

  Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;
  ~Rule() {
    if (is_regex) regfree(&regex);
  }

  std::string Apply(const std::string& name) const {
    if (is_regex) return Substitute(name);
    return name.starts_with(from) ? to + name.substr(from.size()) : name;
  }

  std::string Substitute(const std::string& name) const {
    std::string out;
    size_t at = 0;
    while (at <= name.size() && out.size() <= kMaxName) {
      std::array<regmatch_t, 10> match;
      const int flags = at == 0 ? 0 : REG_NOTBOL;
      if (regexec(&regex, name.c_str() + at, match.size(), match.data(), flags) != 0) break;
      const auto begin = static_cast<size_t>(match[0].rm_so),
                 end = static_cast<size_t>(match[0].rm_eo);
      out += name.substr(at, begin) + Replacement(name.substr(at), match);
      if (end == begin && at + end < name.size()) out += name[at + end];  // an empty match moves on
      at += end == begin ? end + 1 : end;
      if (!every) break;
    }
    return at < name.size() ? out + name.substr(at) : out;
  }

  std::string Replacement(const std::string& text, const std::array<regmatch_t, 10>& match) const {
    std::string out;
    for (size_t i = 0; i < to.size(); ++i) {
      const bool group = to[i] == '\\' && i + 1 < to.size() && to[i + 1] >= '0' && to[i + 1] <= '9';
      if (!group) {
        out += to[i];
        continue;
      }
      const regmatch_t& m = match[static_cast<size_t>(to[++i] - '0')];
      if (m.rm_so >= 0)
        out += text.substr(static_cast<size_t>(m.rm_so), static_cast<size_t>(m.rm_eo - m.rm_so));
    }
    return out;
  }
};

Result<RenameRules> RenameRules::Parse(std::span<const std::string> rules) {
  RenameRules parsed;
  for (const std::string& text : rules) {
    auto rule = std::make_shared<Rule>();
    const size_t arrow = text.find("=>");
    if (text.size() >= 2 && text[0] == 's' && text[1] != '=' && arrow == std::string::npos) {
      const char slash = text[1];
      const size_t middle = text.find(slash, 2);
      const size_t end = middle == std::string::npos ? middle : text.find(slash, middle + 1);
      if (end == std::string::npos) return BadRule(text, "has no three separators");
      const std::string flags = text.substr(end + 1);
      if (!flags.empty() && flags != "g") return BadRule(text, "ends in '" + flags + "'");
      rule->every = flags == "g";
      rule->from = text.substr(2, middle - 2), rule->to = text.substr(middle + 1, end - middle - 1);
      const int error = regcomp(&rule->regex, rule->from.c_str(), REG_EXTENDED);
      if (error != 0) {
        std::array<char, 256> why{};
        regerror(error, &rule->regex, why.data(), why.size());
        return BadRule(text, std::string("is no regular expression: ") + why.data());
      }
      rule->is_regex = true;
    } else {
      if (arrow == std::string::npos) return BadRule(text, "is none");
      rule->from = text.substr(0, arrow), rule->to = text.substr(arrow + 2);
    }
    parsed.rules_.push_back(std::move(rule));
  }
  return parsed;
}

std::string RenameRules::operator()(const std::string& name) const {
  std::string result = name;
  for (const auto& rule : rules_) result = rule->Apply(result);
  return result;
}

}  // namespace whit::tools
