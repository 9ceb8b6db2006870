// Rules that rename tensors.
#include "tools/import/weights/rename.h"

#include <gtest/gtest.h>

namespace whit::tools {
namespace {

std::string Renamed(const std::vector<std::string>& rules, const std::string& name) {
  auto parsed = RenameRules::Parse(rules);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? (*parsed)(name) : "";
}

TEST(RenameRules, PrefixesAreReplacedAddedAndDropped) {
  EXPECT_EQ(Renamed({"module.=>net."}, "module.conv1.weight"), "net.conv1.weight");
  EXPECT_EQ(Renamed({"module.=>"}, "module.conv1.weight"), "conv1.weight");
  EXPECT_EQ(Renamed({"=>net."}, "conv1.weight"), "net.conv1.weight");
  EXPECT_EQ(Renamed({"module.=>net."}, "my.module.conv1"), "my.module.conv1");
}

TEST(RenameRules, ExpressionsHaveGroups) {
  EXPECT_EQ(Renamed({R"(s/^block([0-9]+)_(.*)$/layer\1.0.\2/)"}, "block3_conv1.weight"),
            "layer3.0.conv1.weight");
  EXPECT_EQ(Renamed({R"(s/a(b)?c/[\0\1]/)"}, "xacy"), "x[ac]y");
  EXPECT_EQ(Renamed({"s/o/0/"}, "foo.foo"), "f0o.foo");
  EXPECT_EQ(Renamed({"s/o/0/g"}, "foo.foo"), "f00.f00");
  EXPECT_EQ(Renamed({"s|/|.|g"}, "model/conv/kernel"), "model.conv.kernel");
  EXPECT_EQ(Renamed({"s/^f/F/g"}, "ff"), "Ff");  // only the beginning begins
  EXPECT_EQ(Renamed({"s/x*/-/g"}, "ab"), "-a-b-");
}

TEST(RenameRules, ApplyInOrder) {
  EXPECT_EQ(Renamed({"a=>b", "b=>c"}, "a.weight"), "c.weight");
  EXPECT_EQ(Renamed({}, "a.weight"), "a.weight");
}

TEST(RenameRules, WhatIsNoRuleIsNamed) {
  for (const char* rule : {"nothing", "s/a", "s/a/b", "s/a/b/x", "s/(/b/", "s/[/b/"}) {
    const std::vector<std::string> rules = {"fine=>too", rule};
    const auto parsed = RenameRules::Parse(rules);
    ASSERT_FALSE(parsed.ok()) << rule;
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(parsed.status().message().find(std::string("'") + rule + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace whit::tools
