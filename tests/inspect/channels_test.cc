#include "tools/inspect/channels.h"

#include <gtest/gtest.h>

#include "tests/inspect/entries.h"

namespace whit::tools {
namespace {

TEST(ChannelsTest, TheFormatSaysTheAxis) {
  EXPECT_EQ(ChannelsOf(Entry({8, 4, 3, 3}), "PyTorch zip").axis, 0);
  EXPECT_EQ(ChannelsOf(Entry({3, 3, 4, 8}, ElementType::kFloat32, "conv/kernel:0"), "HDF5").axis,
            3);
  EXPECT_EQ(
      ChannelsOf(Entry({3, 3, 4, 1}, ElementType::kFloat32, "dw/depthwise_kernel:0"), "HDF5").axis,
      2);
  for (const auto& [name, axis] : {std::pair{"layers/conv2d_1/vars/0", 3},
                                   {"layers/depthwise_conv2d/vars/0", 2},
                                   {"layers/separable_conv2d/vars/0", 2},
                                   {"layers/separable_conv2d/vars/1", 3},
                                   {"layers/embedding/vars/0", 0},
                                   {"layers/conv2d/vars/x", 0},
                                   {"/vars/0", 3}}) {
    const TensorEntry entry = Entry({3, 3, 4, 8}, ElementType::kFloat32, name);
    EXPECT_EQ(ChannelsOf(entry, "Keras zip").axis, axis) << name;
  }
  EXPECT_EQ(ChannelsOf(Entry({8, 3, 3, 4}), "TFLite").axis, 0);
  EXPECT_EQ(ChannelsOf(Entry({1, 3, 3, 4}), "TFLite").axis, 3);
  EXPECT_EQ(ChannelsOf(Entry({16}), "TFLite").axis, -1);
  EXPECT_EQ(ChannelsOf(Entry({16}), "TFLite").channels, 1u);
}

TEST(ChannelsTest, WhatTheFileStatesGoesFirst) {
  TensorEntry entry = Entry({8, 4});
  entry.channel_axis = 1;
  EXPECT_EQ(ChannelsOf(entry, "PyTorch zip").axis, 1);
  entry.codes.axis = 0;
  EXPECT_EQ(ChannelsOf(entry, "PyTorch zip").axis, 0);
}

TEST(ChannelsTest, NothingAndTooMuch) {
  EXPECT_EQ(ChannelsOf(Entry({0, 4}), "PyTorch zip").channels, 1u);
  EXPECT_EQ(ChannelsOf(Entry({int64_t{1} << 18, 2}), "PyTorch zip").channels, kMostChannels);
  EXPECT_EQ(ChannelsOf(Entry({(int64_t{1} << 18) + 1, 2}), "PyTorch zip").channels, 1u);
}

// Every element of a [2][3][4] tensor, in blocks of any size, against the formulas of the header.
TEST(ChannelsTest, RunsCoverEveryElementOnce) {
  for (int axis = 0; axis < 3; ++axis) {
    TensorEntry entry = Entry({2, 3, 4});
    entry.channel_axis = axis;
    const ChannelLayout layout = ChannelsOf(entry, "");
    std::vector<double> numbers(24);
    for (size_t i = 0; i < 24; ++i) numbers[i] = static_cast<double>(i);
    for (size_t block = 1; block <= 24; ++block) {
      size_t seen = 0;
      for (size_t at = 0; at < 24; at += block) {
        const std::span<const double> part(&numbers[at], std::min(block, 24 - at));
        ForRuns(layout, at, part, [&](size_t channel, size_t column, std::span<const double> run) {
          for (size_t i = 0; i < run.size(); ++i, ++seen) {
            const auto element = static_cast<size_t>(run[i]);
            ASSERT_EQ(element, seen);
            ASSERT_EQ(channel, element / layout.inner % layout.channels);
            ASSERT_EQ(column + i, element / layout.inner / layout.channels * layout.inner +
                                      element % layout.inner);
          }
        });
      }
      ASSERT_EQ(seen, 24u) << "axis " << axis << ", blocks of " << block;
    }
  }
}

}  // namespace
}  // namespace whit::tools
