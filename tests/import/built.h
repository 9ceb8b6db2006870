// What a GraphBuilder made, opened and run.
#ifndef WHIT_TESTS_IMPORT_BUILT_H_
#define WHIT_TESTS_IMPORT_BUILT_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "runtime/whit.h"
#include "tests/import/fake_weights.h"
#include "tools/import/graph_builder.h"

namespace whit::tools {

// A finished builder, ready to run; fails the test where it does not finish.
class Built {
 public:
  explicit Built(GraphBuilder& g) {
    auto made = g.FinishBytes();
    EXPECT_TRUE(made.ok()) << made.status().message();
    if (!made.ok()) return;
    bytes_ = std::move(made).value();
    auto model = Model::OpenBytes(bytes_);
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return;
    auto runner = Runner::Create(*model);
    EXPECT_TRUE(runner.ok()) << runner.status().message();
    if (!runner.ok()) return;
    for (const auto& [op, count] : Describe(*model).operator_counts) {
      for (uint64_t i = 0; i < count; ++i) ops_.push_back(op);
    }
    runner_.emplace(std::move(runner).value());
  }

  explicit operator bool() const { return runner_.has_value(); }
  // Names of the operators in the file, sorted.
  const std::vector<std::string>& ops() const { return ops_; }
  Runner& runner() { return *runner_; }

  template <typename T = float>
  void Set(size_t input, const std::vector<T>& values) {
    if (!runner_) return;
    const auto to = runner_->input(input).as<T>();
    ASSERT_EQ(to.size(), values.size());
    std::copy(values.begin(), values.end(), to.begin());
  }
  template <typename T = float>
  std::vector<T> Run(size_t output = 0) {
    if (!runner_) return {};
    const Status ran = runner_->Run();
    EXPECT_TRUE(ran.ok()) << ran.message();
    const auto from = runner_->output(output).as<T>();
    return {from.begin(), from.end()};
  }

 private:
  std::vector<std::byte> bytes_;
  std::vector<std::string> ops_;
  std::optional<Runner> runner_;
};

// One input, one output.
inline Floats RunOn(GraphBuilder& g, const Floats& in) {
  Built built(g);
  built.Set(0, in);
  return built.Run();
}

inline void ExpectNear(const Floats& got, const Floats& want, float tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance) << "element " << i << " of " << got.size();
  }
}

}  // namespace whit::tools

#endif  // WHIT_TESTS_IMPORT_BUILT_H_
