// NonMaxSuppression and DetectionPostProcess against the textbook algorithms.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/boxes.h"
#include "tests/kernels/nd.h"
#include "tests/kernels/op_tester.h"

namespace whit {
namespace {

TEST(StatedExp, IsTheExponential) {
  for (double x = -700; x < 700; x += 0.3717) {
    EXPECT_NEAR(StatedExp(x) / std::exp(x), 1, 0x1p-49) << x;
  }
  EXPECT_EQ(StatedExp(0), 1);
  EXPECT_EQ(StatedExp(-1e9), 0);
  EXPECT_EQ(StatedExp(1e9), INFINITY);
  EXPECT_TRUE(std::isnan(StatedExp(NAN)));
}

TEST(Overlap, OfKnownBoxes) {
  EXPECT_EQ(Overlap({0, 0, 2, 2}, {0, 0, 2, 2}), 1);
  EXPECT_EQ(Overlap({0, 0, 2, 2}, {2, 2, 0, 0}), 1);  // corners in any order
  EXPECT_FLOAT_EQ(Overlap({0, 0, 2, 2}, {1, 0, 3, 2}), 1.0f / 3);
  EXPECT_EQ(Overlap({0, 0, 1, 1}, {5, 5, 6, 6}), 0);
  EXPECT_EQ(Overlap({0, 0, 0, 1}, {0, 0, 0, 1}), 0);  // no area
}

std::vector<float> RandomBoxes(Random* random, int64_t n) {
  std::vector<float> boxes;
  for (int64_t i = 0; i < n; ++i) {
    const auto y = static_cast<float>(random->Int(0, 40)),
               x = static_cast<float>(random->Int(0, 40));
    boxes.insert(boxes.end(), {y, x, y + static_cast<float>(random->Int(5, 30)),
                               x + static_cast<float>(random->Int(5, 30))});
  }
  return boxes;
}

Box At(const std::vector<float>& boxes, int64_t i) {
  const float* b = boxes.data() + 4 * i;
  return {b[0], b[1], b[2], b[3]};
}

// Greedy selection with nothing clever: scan for the best, compare with all picked.
std::vector<int32_t> Greedy(const std::vector<float>& boxes, const std::vector<float>& scores,
                            int64_t limit, float score_threshold, bool reaches, float iou,
                            bool iou_reaches) {
  std::vector<int32_t> order(scores.size()), picked;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  for (const int32_t i : order) {
    const float s = scores[static_cast<size_t>(i)];
    if (!(reaches ? s >= score_threshold : s > score_threshold)) continue;
    if (static_cast<int64_t>(picked.size()) == limit) break;
    const bool dropped = std::any_of(picked.begin(), picked.end(), [&](int32_t j) {
      const float o = Overlap(At(boxes, i), At(boxes, j));
      return iou_reaches ? o >= iou : o > iou;
    });
    if (!dropped) picked.push_back(i);
  }
  return picked;
}

TEST(NonMaxSuppression, HardIsGreedy) {
  Random random(14);
  for (const int64_t n : {1, 5, 60}) {
    for (const int64_t limit : {1, 4, 100}) {
      const auto boxes = RandomBoxes(&random, n);
      std::vector<float> scores;
      for (int64_t i = 0; i < n; ++i)
        scores.push_back(static_cast<float>(random.Int(0, 9)) / 10);  // ties
      auto expected = Greedy(boxes, scores, limit, 0.2f, false, 0.3f, true);
      const auto count = static_cast<int32_t>(expected.size());
      expected.resize(static_cast<size_t>(limit), 0);
      fbs::NonMaxSuppressionOptionsT options;
      options.max_output = static_cast<uint32_t>(limit);
      options.iou_threshold = 0.3f, options.score_threshold = 0.2f;
      OpTester t(OpType::kNonMaxSuppression, options);
      t.Input(Plain<float>({n, 4}, boxes)).Input(Plain<float>({n}, scores));
      t.Output(DType::kInt32, {limit}).Output(DType::kInt32, {});
      const Status status = t.Run();
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(t.Out<int32_t>(0), expected);
      EXPECT_EQ(t.Out<int32_t>(1), std::vector<int32_t>{count});
    }
  }
}

TEST(NonMaxSuppression, SoftLowersScoresByOverlap) {
  fbs::NonMaxSuppressionOptionsT options;
  options.soft = true, options.sigma = 0.5f;
  options.max_output = 4, options.iou_threshold = 1, options.score_threshold = 0.1f;
  OpTester t(OpType::kNonMaxSuppression, options);
  // The second overlaps the first by 1/3; the third nothing; the fourth is the first again.
  t.Input(Plain<float>({4, 4}, {0, 0, 2, 2, 1, 0, 3, 2, 9, 9, 10, 10, 0, 0, 2, 2}));
  t.Input(Plain<float>({4}, {0.9f, 0.8f, 0.75f, 0.85f}));
  t.Output(DType::kInt32, {4}).Output(DType::kFloat32, {4}).Output(DType::kInt32, {});
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(t.Out<int32_t>(2), std::vector<int32_t>{3});
  EXPECT_EQ(t.Out<int32_t>(0), (std::vector<int32_t>{0, 2, 1, 0}));
  const auto scores = t.Out<float>(1);
  EXPECT_EQ(scores[0], 0.9f);
  EXPECT_EQ(scores[1], 0.75f);
  EXPECT_NEAR(scores[2], 0.8 * std::exp(-1.0 / 9), 1e-6);
  EXPECT_EQ(scores[3], 0);
}

TEST(NonMaxSuppression, OddNumbersEnd) {
  fbs::NonMaxSuppressionOptionsT options;
  options.soft = true, options.sigma = 1e-30f;
  options.max_output = 3, options.iou_threshold = 0.5f;
  options.score_threshold = -std::numeric_limits<float>::infinity();
  OpTester t(OpType::kNonMaxSuppression, options);
  t.Input(Plain<float>({3, 4}, {NAN, 0, 1, 1, 0, 0, INFINITY, INFINITY, 0, 0, 0, 0}));
  t.Input(Plain<float>({3}, {INFINITY, 1, NAN}));
  t.Output(DType::kInt32, {3}).Output(DType::kFloat32, {3}).Output(DType::kInt32, {});
  EXPECT_TRUE(t.Run().ok());
  EXPECT_LE(t.Out<int32_t>(2)[0], 2);
}

struct Scene {
  int64_t n = 30, classes = 4, columns = 5;
  std::vector<float> encoded, scores, anchors, boxes;  // boxes: decoded by std::exp

  explicit Scene(Random* random) {
    encoded = random->Floats(n * 4);
    for (int64_t i = 0; i < n * columns; ++i)
      scores.push_back(static_cast<float>(random->Int(0, 30)) / 30);
    for (int64_t i = 0; i < n; ++i) {
      anchors.insert(
          anchors.end(),
          {static_cast<float>(random->Int(0, 8)) / 8, static_cast<float>(random->Int(0, 8)) / 8,
           static_cast<float>(random->Int(1, 4)) / 8, static_cast<float>(random->Int(1, 4)) / 8});
    }
    for (int64_t i = 0; i < n; ++i) {
      const float* e = encoded.data() + 4 * i;
      const float* a = anchors.data() + 4 * i;
      const double y = e[0] / 10.0 * a[2] + a[0], x = e[1] / 10.0 * a[3] + a[1];
      const double h = 0.5 * std::exp(e[2] / 5.0) * a[2], w = 0.5 * std::exp(e[3] / 5.0) * a[3];
      boxes.insert(boxes.end(), {static_cast<float>(y - h), static_cast<float>(x - w),
                                 static_cast<float>(y + h), static_cast<float>(x + w)});
    }
  }
  float Score(int64_t box, int64_t c) const {
    return scores[static_cast<size_t>(box * columns + c + columns - classes)];
  }
};

struct Found {
  int32_t box;
  int64_t c;
  float score;
};

void ExpectFound(const Scene& scene, const fbs::DetectionPostProcessOptionsT& options,
                 const std::vector<std::vector<Found>>& expected) {
  const int64_t each = options.max_classes_per_detection, places = options.max_detections * each;
  OpTester t(OpType::kDetectionPostProcess, options);
  t.Input(Plain<float>({1, scene.n, 4}, scene.encoded));
  t.Input(Plain<float>({1, scene.n, scene.columns}, scene.scores));
  t.Input(Plain<float>({scene.n, 4}, scene.anchors));
  t.Output(DType::kFloat32, {1, places, 4}).Output(DType::kFloat32, {1, places});
  t.Output(DType::kFloat32, {1, places}).Output(DType::kFloat32, {1});
  const Status status = t.Run();
  ASSERT_TRUE(status.ok()) << status.message();
  std::vector<float> boxes(static_cast<size_t>(places) * 4), classes(static_cast<size_t>(places)),
      scores(static_cast<size_t>(places));
  for (size_t k = 0; k < expected.size(); ++k) {
    for (size_t i = 0; i < expected[k].size(); ++i) {
      const size_t place = k * static_cast<size_t>(each) + i;
      const Found& f = expected[k][i];
      std::copy_n(scene.boxes.begin() + 4 * f.box, 4,
                  boxes.begin() + static_cast<int64_t>(place) * 4);
      classes[place] = static_cast<float>(f.c);
      scores[place] = f.score;
    }
  }
  const auto got = t.Out<float>(0);
  for (size_t i = 0; i < boxes.size(); ++i) EXPECT_NEAR(got[i], boxes[i], 1e-6) << i;
  EXPECT_EQ(t.Out<float>(1), classes);
  EXPECT_EQ(t.Out<float>(2), scores);
  EXPECT_EQ(t.Out<float>(3), std::vector<float>{static_cast<float>(expected.size())});
}

fbs::DetectionPostProcessOptionsT DetectionOptions(uint32_t detections, uint32_t classes_each) {
  fbs::DetectionPostProcessOptionsT o;
  o.max_detections = detections, o.max_classes_per_detection = classes_each;
  o.detections_per_class = 3, o.num_classes = 4;
  o.score_threshold = 0.4f, o.iou_threshold = 0.3f;
  o.y_scale = o.x_scale = 10, o.h_scale = o.w_scale = 5;
  return o;
}

TEST(DetectionPostProcess, Fast) {
  Random random(15);
  for (const uint32_t each : {1u, 2u, 6u}) {
    for (const uint32_t detections : {3u, 40u}) {
      const Scene scene(&random);
      std::vector<float> best;
      for (int64_t i = 0; i < scene.n; ++i) {
        best.push_back(0);
        for (int64_t c = 0; c < scene.classes; ++c)
          best.back() = std::max(best.back(), scene.Score(i, c));
      }
      std::vector<std::vector<Found>> expected;
      for (const int32_t i : Greedy(scene.boxes, best, detections, 0.4f, true, 0.3f, false)) {
        std::vector<Found> found;
        for (int64_t c = 0; c < scene.classes; ++c) found.push_back({i, c, scene.Score(i, c)});
        std::stable_sort(found.begin(), found.end(),
                         [](const Found& a, const Found& b) { return a.score > b.score; });
        if (found.size() > each) found.erase(found.begin() + each, found.end());
        expected.push_back(found);
      }
      ExpectFound(scene, DetectionOptions(detections, each), expected);
    }
  }
}

TEST(DetectionPostProcess, Regular) {
  Random random(16);
  for (const uint32_t detections : {1u, 5u, 40u}) {
    const Scene scene(&random);
    std::vector<std::vector<Found>> expected;
    for (int64_t c = 0; c < scene.classes; ++c) {
      std::vector<float> scores;
      for (int64_t i = 0; i < scene.n; ++i) scores.push_back(scene.Score(i, c));
      for (const int32_t i : Greedy(scene.boxes, scores, 3, 0.4f, true, 0.3f, false)) {
        expected.push_back({{i, c, scores[static_cast<size_t>(i)]}});
      }
    }
    std::stable_sort(expected.begin(), expected.end(),
                     [](const auto& a, const auto& b) { return a[0].score > b[0].score; });
    if (expected.size() > detections) expected.erase(expected.begin() + detections, expected.end());
    auto options = DetectionOptions(detections, 1);
    options.use_regular_nms = true;
    ExpectFound(scene, options, expected);
  }
}

TEST(DetectionPostProcess, RefusesWhatDoesNotFit) {
  const auto run = [](uint32_t classes, float iou, float scale) {
    auto options = DetectionOptions(2, 1);
    options.num_classes = classes, options.iou_threshold = iou, options.y_scale = scale;
    OpTester t(OpType::kDetectionPostProcess, options);
    t.Input(Plain<float>({1, 1, 4}, {0, 0, 0, 0})).Input(Plain<float>({1, 1, 3}, {0, 0, 0}));
    t.Input(Plain<float>({1, 4}, {0, 0, 1, 1}));
    t.Output(DType::kFloat32, {1, 2, 4}).Output(DType::kFloat32, {1, 2});
    t.Output(DType::kFloat32, {1, 2}).Output(DType::kFloat32, {1});
    return t.Run();
  };
  EXPECT_TRUE(run(2, 0.5f, 10).ok());
  EXPECT_TRUE(run(3, 0.5f, 10).ok());
  EXPECT_FALSE(run(4, 0.5f, 10).ok());
  EXPECT_FALSE(run(1, 0.5f, 10).ok());
  EXPECT_FALSE(run(2, 0, 10).ok());
  EXPECT_FALSE(run(2, 0.5f, 0).ok());
}

}  // namespace
}  // namespace whit
