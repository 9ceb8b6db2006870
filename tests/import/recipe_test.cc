// Recipes and the account of weights: names, shapes, and one whole network against plain loops.
#include "tools/import/recipes/recipe.h"

#include <cmath>

#include "tests/import/built.h"
#include "tests/import/fake_weights.h"
#include "tests/import/plain.h"

namespace whit::tools {
namespace {

constexpr char kPrefix[] = "state_dict.module.";

void AddNorm(FakeFile* file, const std::string& name, int64_t n) {
  file->AddNoise(name + ".weight", {n}, 0.5f, 1.5f);
  file->AddNoise(name + ".bias", {n});
  file->AddNoise(name + ".running_mean", {n});
  file->AddNoise(name + ".running_var", {n}, 0.5f, 2);
  file->Add(name + ".num_batches_tracked", {}, {7});
}

// A CIFAR ResNet of one block a stage, 8 layers, widths 4, 8 and 16.
FakeFile SmallResNet() {
  FakeFile file;
  const std::string p = kPrefix;
  file.AddNoise(p + "conv1.weight", {4, 3, 3, 3});
  AddNorm(&file, p + "bn1", 4);
  int64_t in = 4;
  for (int stage = 1; stage <= 3; ++stage) {
    const int64_t n = stage == 1 ? 4 : 2 * in;
    const std::string block = p + "layer" + std::to_string(stage) + ".0.";
    file.AddNoise(block + "conv1.weight", {n, in, 3, 3}, -0.3f, 0.3f);
    AddNorm(&file, block + "bn1", n);
    file.AddNoise(block + "conv2.weight", {n, n, 3, 3}, -0.3f, 0.3f);
    AddNorm(&file, block + "bn2", n);
    in = n;
  }
  file.AddNoise(p + "linear.weight", {10, 16});
  file.AddNoise(p + "linear.bias", {10});
  return file;
}

// The same network in loops.
struct PlainNet {
  const FakeFile& file;

  Floats ConvNorm(const Floats& x, Size* size, int64_t n, const std::string& conv,
                  const std::string& norm, int64_t stride) const {
    const Floats oihw = file.Values(kPrefix + conv + ".weight");
    Floats ohwi(oihw.size());
    for (int64_t o = 0; o < n; ++o)
      for (int64_t i = 0; i < size->c; ++i)
        for (int64_t k = 0; k < 9; ++k)
          ohwi[static_cast<size_t>((o * 9 + k) * size->c + i)] =
              oihw[static_cast<size_t>((o * size->c + i) * 9 + k)];
    const Window2D window = {
        .kernel = {3, 3}, .stride = {stride, stride}, .before = {1, 1}, .after = {1, 1}};
    Size out{};
    Floats y = PlainConv(x, *size, ohwi, Floats(static_cast<size_t>(n), 0.0f), n, window, 1, &out);
    *size = out;
    const Floats gamma = file.Values(kPrefix + norm + ".weight"),
                 beta = file.Values(kPrefix + norm + ".bias"),
                 mean = file.Values(kPrefix + norm + ".running_mean"),
                 variance = file.Values(kPrefix + norm + ".running_var");
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t c = i % static_cast<size_t>(n);
      y[i] = (y[i] - mean[c]) / std::sqrt(variance[c] + 1e-5f) * gamma[c] + beta[c];
    }
    return y;
  }

  static void Relu(Floats* x) {
    for (float& v : *x) v = std::max(v, 0.0f);
  }

  Floats Run(Floats x, Size size) const {
    x = ConvNorm(x, &size, 4, "conv1", "bn1", 1);
    Relu(&x);
    for (int stage = 1; stage <= 3; ++stage) {
      const std::string block = "layer" + std::to_string(stage) + ".0.";
      const Size before = size;
      const int64_t n = stage == 1 ? 4 : 2 * size.c, stride = stage == 1 ? 1 : 2;
      Floats y = ConvNorm(x, &size, n, block + "conv1", block + "bn1", stride);
      Relu(&y);
      y = ConvNorm(y, &size, n, block + "conv2", block + "bn2", 1);
      // Every second pixel, a quarter of the new channels in front.
      for (int64_t iy = 0; iy < size.h; ++iy)
        for (int64_t ix = 0; ix < size.w; ++ix)
          for (int64_t c = 0; c < before.c; ++c)
            y[At(size, iy, ix, c + (n - before.c) / 2)] +=
                x[At(before, iy * stride, ix * stride, c)];
      Relu(&y);
      x = y;
    }
    Floats logits = file.Values(std::string(kPrefix) + "linear.bias");
    const Floats w = file.Values(std::string(kPrefix) + "linear.weight");
    for (size_t o = 0; o < 10; ++o)
      for (size_t i = 0; i < x.size(); ++i)
        logits[o] += x[i] / static_cast<float>(size.h * size.w) * w[o * 16 + i % 16];
    return logits;
  }
};

Result<std::vector<std::byte>> Import(const FakeFile& file, const WeightsRequest& request,
                                      WeightMatches* matches = nullptr) {
  ImportReport report;
  return ImportRecipeBytes(file, request, &report, matches);
}

std::string ErrorOf(const FakeFile& file, const WeightsRequest& request) {
  const auto made = Import(file, request);
  EXPECT_FALSE(made.ok());
  return made.status().message();
}

void ExpectParts(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Recipe, ASmallResNetComputesWhatPlainLoopsCompute) {
  FakeFile file = SmallResNet();
  WeightMatches matches;
  auto made = Import(file, {.graph = "cifar_resnet", .options = {{"size", 9}}}, &matches);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(matches.prefix, kPrefix);
  EXPECT_EQ(matches.matched.size(), size_t{7 + 4 * 7 + 2});
  EXPECT_EQ(matches.ignored.size(), size_t{7});
  auto model = Model::OpenBytes(*made);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  const Floats x = Noise(9 * 9 * 3, 99);
  std::copy(x.begin(), x.end(), runner->input(0).as<float>().begin());
  ASSERT_TRUE(runner->Run().ok());
  const auto out = runner->output(0).as<float>();
  ExpectNear({out.begin(), out.end()}, PlainNet{file}.Run(x, {9, 9, 3}), 1e-4f);
}

TEST(Recipe, AMissingTensorIsNamedWithTheShapeThatIsNeeded) {
  FakeFile file = SmallResNet();
  file.Remove("state_dict.module.layer2.0.bn2.running_var");
  ExpectParts(ErrorOf(file, {.graph = "cifar_resnet"}),
              {"1 missing: 'layer2.0.bn2.running_var' (the graph needs 8)"});
}

TEST(Recipe, AMisshapenTensorIsNamedWithBothShapes) {
  FakeFile file = SmallResNet();
  file.Remove("state_dict.module.layer3.0.bn1.bias");
  file.AddNoise("state_dict.module.layer3.0.bn1.bias", {15});
  ExpectParts(ErrorOf(file, {.graph = "cifar_resnet"}),
              {"'state_dict.module.layer3.0.bn1.bias' is float32 15, the graph needs 16"});
}

TEST(Recipe, AnExtraTensorIsRefusedUnlessAllowed) {
  FakeFile file = SmallResNet();
  file.AddNoise("state_dict.module.layer9.weight", {2, 3});
  file.AddNoise("optimizer.momentum", {5});  // not of the model's part
  ExpectParts(ErrorOf(file, {.graph = "cifar_resnet"}),
              {"1 extra, which the graph does not have: 'state_dict.module.layer9.weight' 2x3"});
  WeightsRequest request = {.graph = "cifar_resnet"};
  request.allow_extra = true;
  EXPECT_TRUE(Import(file, request).ok());
}

TEST(Recipe, RenamingBringsOtherNamesToTheGraph) {
  FakeFile file = SmallResNet();
  const Floats values = file.Values("state_dict.module.conv1.weight");
  file.Remove("state_dict.module.conv1.weight");
  file.Add("state_dict.module.stem.kernel", {4, 3, 3, 3}, values);
  WeightsRequest request = {.graph = "cifar_resnet"};
  request.rename = [](const std::string& name) {
    return name == "state_dict.module.stem.kernel" ? "state_dict.module.conv1.weight" : name;
  };
  EXPECT_TRUE(Import(file, request).ok());
  request.rename = [](const std::string&) { return "same"; };
  ExpectParts(ErrorOf(file, request), {"both called 'same'"});
}

TEST(Recipe, ANameWithANumberHoldsTheWeightsToIt) {
  ExpectParts(ErrorOf(SmallResNet(), {.graph = "resnet20"}), {"of 8 layers, not 20"});
}

TEST(Recipe, UnknownNamesAreToldWhatThereIs) {
  ExpectParts(ErrorOf(SmallResNet(), {.graph = "vgg"}), {"no recipe 'vgg'", "mobilenet_v2"});
  ExpectParts(ErrorOf(SmallResNet(), {.graph = "resnet20", .options = {{"heads", 2}}}),
              {"no option 'heads'", "size"});
  ExpectParts(ErrorOf(SmallResNet(), {.graph = "bert"}), {"'heads' must be given"});
}

TEST(Recipe, WeightsOfSomethingElseAreRefusedWhole) {
  for (const RecipeInfo& info : ListRecipes()) {
    WeightsRequest request;
    request.graph = info.name;
    for (const RecipeOption& o : info.options) request.options[o.name] = o.value > 0 ? o.value : 2;
    FakeFile file;
    file.AddNoise("something.weight", {3});
    ExpectParts(ErrorOf(file, request),
                {"missing", "1 extra, which the graph does not have: 'something.weight' 3"});
  }
}

// ---- BERT ----

FakeFile SmallBert() {
  FakeFile file;
  const std::string e = "embeddings.", l = "encoder.layer.0.";
  file.AddNoise(e + "word_embeddings.weight", {11, 8});
  file.AddNoise(e + "position_embeddings.weight", {6, 8});
  file.AddNoise(e + "token_type_embeddings.weight", {2, 8});
  const auto linear = [&](const std::string& name, int64_t n, int64_t k) {
    file.AddNoise(name + ".weight", {n, k});
    file.AddNoise(name + ".bias", {n});
  };
  linear(e + "LayerNorm", 8, 1);
  file.Remove(e + "LayerNorm.weight");
  file.AddNoise(e + "LayerNorm.weight", {8}, 0.5f, 1.5f);
  for (const char* name : {"query", "key", "value"}) linear(l + "attention.self." + name, 8, 8);
  linear(l + "attention.output.dense", 8, 8);
  linear(l + "intermediate.dense", 12, 8);
  linear(l + "output.dense", 8, 12);
  for (const char* name : {"attention.output.LayerNorm", "output.LayerNorm"}) {
    file.AddNoise(l + name + ".weight", {8}, 0.5f, 1.5f);
    file.AddNoise(l + name + ".bias", {8});
  }
  return file;
}

TEST(Recipe, BertDoesNotSeeWhatTheMaskHides) {
  auto made = Import(SmallBert(), {.graph = "bert", .options = {{"heads", 2}, {"sequence", 4}}});
  ASSERT_TRUE(made.ok()) << made.status().message();
  auto model = Model::OpenBytes(*made);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto runner = Runner::Create(*model);
  ASSERT_TRUE(runner.ok()) << runner.status().message();
  const auto run = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& mask) {
    std::copy(ids.begin(), ids.end(), runner->input(0).as<int32_t>().begin());
    std::copy(mask.begin(), mask.end(), runner->input(1).as<int32_t>().begin());
    const auto types = runner->input(2).as<int32_t>();
    std::fill(types.begin(), types.end(), 0);
    EXPECT_TRUE(runner->Run().ok());
    const auto out = runner->output(0).as<float>();
    return Floats(out.begin(), out.begin() + 2 * 8);  // the first two tokens
  };
  const Floats hidden = run({3, 5, 1, 2}, {1, 1, 0, 0});
  EXPECT_EQ(hidden, run({3, 5, 9, 10}, {1, 1, 0, 0}));
  EXPECT_NE(hidden, run({3, 5, 9, 10}, {1, 1, 1, 1}));
}

TEST(Recipe, BertSaysWhatDoesNotDivideAndWhatIsTooLong) {
  ExpectParts(ErrorOf(SmallBert(), {.graph = "bert", .options = {{"heads", 3}, {"sequence", 4}}}),
              {"heads 3 do not divide a width of 8"});
  ExpectParts(ErrorOf(SmallBert(), {.graph = "bert", .options = {{"heads", 2}, {"sequence", 7}}}),
              {"sequence 7", "6 positions"});
}

// ---- files that are no such model ----

// Every tensor in turn in shapes of every rank, empty ones among them: a refusal, or a model that
// opens.
void TryShapes(FakeFile file, const WeightsRequest& request) {
  const std::vector<std::vector<int64_t>> shapes = {{},
                                                    {0},
                                                    {1},
                                                    {5},
                                                    {0, 3},
                                                    {3, 0},
                                                    {2, 2},
                                                    {4, 0, 3, 3},
                                                    {4, 3, 0, 3},
                                                    {0, 3, 3, 3},
                                                    {4, 1, 2, 5},
                                                    {3, 3, 1, 1},
                                                    {1, 1, 1, 1, 1, 1, 1, 1, 1}};
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    const std::vector<int64_t> own = file.tensors()[i].shape;
    for (const auto& shape : shapes) {
      file.Reshape(i, shape);
      const auto made = Import(file, request);
      EXPECT_EQ(made.ok(), made.status().message().empty());
      EXPECT_TRUE(!made.ok() || Model::OpenBytes(*made).ok()) << file.tensors()[i].name;
    }
    file.Reshape(i, own);
  }
}

TEST(Recipe, AnyShapesAreRefusedOrMakeAModel) {
  TryShapes(SmallResNet(), {.graph = "cifar_resnet", .options = {{"size", 9}}});
  TryShapes(SmallBert(), {.graph = "bert", .options = {{"heads", 2}, {"sequence", 4}}});
}

TEST(Recipe, AnySizesAreRefusedOrMakeAModel) {
  for (const int64_t size :
       {int64_t{1}, int64_t{3}, int64_t{50'000}, int64_t{1} << 31, int64_t{1} << 62}) {
    const auto made = Import(SmallResNet(), {.graph = "cifar_resnet", .options = {{"size", size}}});
    EXPECT_EQ(made.ok(), size < 1000) << size;
    EXPECT_FALSE(
        Import(SmallBert(),
               {.graph = "bert", .options = {{"heads", size}, {"batch", size}, {"sequence", 6}}})
            .ok() &&
        size > 1);
  }
}

}  // namespace
}  // namespace whit::tools
