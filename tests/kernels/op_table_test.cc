// The operator table, the file format and the printed names are one list in one order.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kernels/op.h"
#include "schema/model_generated.h"

namespace whit {
namespace {

TEST(OpTable, MatchesTheUnionOfTheFormatOneForOne) {
  ASSERT_EQ(OpTable().size(), static_cast<size_t>(OpType::kCount));
  ASSERT_EQ(static_cast<size_t>(fbs::Options::MAX) + 1, OpTable().size());
  for (size_t i = 1; i < OpTable().size(); ++i) {
    EXPECT_STREQ(OpTable()[i].name, fbs::EnumNameOptions(static_cast<fbs::Options>(i)))
        << "row " << i;
  }
}

TEST(OpTable, EveryRowIsComplete) {
  std::set<std::string> names;
  for (size_t i = 1; i < OpTable().size(); ++i) {
    const OpRow& row = OpTable()[i];
    EXPECT_EQ(static_cast<size_t>(row.type), i) << row.name;
    EXPECT_EQ(&RowOf(row.type), &row) << row.name;
    EXPECT_NE(row.prepare, nullptr) << row.name;
    EXPECT_NE(row.types, nullptr) << row.name;
    EXPECT_GT(std::string(row.types).size(), 0u) << row.name;
    EXPECT_GT(std::string(row.family).size(), 0u) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " appears twice";
  }
}

TEST(OpTable, DataTypesHaveTheNumbersOfTheFormat) {
  EXPECT_EQ(static_cast<int>(fbs::DType::MAX) + 1, kDTypeCount);
  for (int i = 0; i < kDTypeCount; ++i) {
    const std::string ours = DTypeName(static_cast<DType>(i));
    const std::string format = fbs::EnumNameDType(static_cast<fbs::DType>(i));
    EXPECT_EQ(ours == "bool" ? "boolean" : ours, format);
  }
}

}  // namespace
}  // namespace whit
