#include "tools/quantize/observe.h"

#include <cstring>
#include <set>
#include <utility>

#include "platform/mapping.h"
#include "tools/import/emit.h"
#include "tools/import/load_graph.h"

namespace whit::tools {

namespace {

// Every tensor that a node writes and that can be looked at, by index.
std::vector<int> ComputedTensors(const Graph& graph) {
  std::vector<int> found;
  for (const GraphNode& node : graph.nodes) {
    for (int t : node.outputs) {
      if (t < 0) continue;
      const GraphTensor& tensor = graph.tensors[static_cast<size_t>(t)];
      if (tensor.variable < 0 && (tensor.is_float() || tensor.q8())) found.push_back(t);
    }
  }
  return found;
}

// The file with these tensors as further outputs, and those that are outputs already among them.
Result<std::vector<std::byte>> WithOutputs(Graph graph, std::span<const int> tensors) {
  std::vector<GraphIo> outputs;
  for (int t : tensors) {
    GraphIo io;
    io.name = graph.tensors[static_cast<size_t>(t)].name;
    io.tensor = t;
    outputs.push_back(std::move(io));
  }
  graph.outputs = std::move(outputs);
  FileWriter writer;
  Emit(std::move(graph), &writer);
  return writer.Serialize();
}

}  // namespace

Result<Observer> Observer::Create(std::span<const std::byte> whit, int threads) {
  WHIT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(Mapping::Borrow(whit)));
  WHIT_ASSIGN_OR_RETURN(const Graph graph, LoadGraph(*file));
  const std::vector<int> all = ComputedTensors(graph);
  Observer observer;
  for (size_t begin = 0; begin < all.size();) {
    uint64_t bytes = 0;
    size_t end = begin;
    while (end < all.size()) {
      bytes += graph.tensors[static_cast<size_t>(all[end])].bytes();
      if (end > begin && bytes > kMostBytes) break;
      ++end;
    }
    const std::span<const int> part = std::span(all).subspan(begin, end - begin);
    Variant variant;
    WHIT_ASSIGN_OR_RETURN(variant.file, WithOutputs(graph, part));
    for (int t : part) variant.names.push_back(graph.tensors[static_cast<size_t>(t)].name);
    OpenOptions open;
    open.integrity = Integrity::kOff;  // made just now
    open.budgets.max_arena_bytes = 8ull << 30;
    WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(variant.file, open));
    RunnerOptions options;
    options.threads = threads;
    WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model, options));
    variant.runner.push_back(std::move(runner));
    observer.variants_.push_back(std::move(variant));
    begin = end;
  }
  return observer;
}

void ToReal(const TensorView& view, std::vector<float>* real) {
  real->clear();
  if (view.type == Type::kFloat32) {
    const auto values = view.as<float>();
    real->assign(values.begin(), values.end());
  } else if (view.type == Type::kInt8) {
    for (int8_t code : view.as<int8_t>())
      real->push_back(view.scale * static_cast<float>(code - view.zero_point));
  } else if (view.type == Type::kUint8) {
    for (uint8_t code : view.bytes())
      real->push_back(view.scale * static_cast<float>(code - view.zero_point));
  }
}

Status Observer::Run(const Sample& sample, const Visit& visit) {
  for (Variant& variant : variants_) {
    Runner& runner = variant.runner[0];
    WHIT_RETURN_IF_ERROR(runner.Reset());
    for (size_t i = 0; i < runner.input_count(); ++i) {
      const auto to = runner.input(i).data;
      std::memcpy(to.data(), sample.inputs[i].data(), to.size());
    }
    WHIT_RETURN_IF_ERROR(runner.Run());
    for (size_t i = 0; i < variant.names.size(); ++i) {
      const TensorView view = runner.output(i);
      ToReal(view, &real_);
      const auto channels = view.shape.empty() ? 1 : static_cast<size_t>(view.shape.back());
      visit({variant.names[i], real_, channels});
    }
  }
  return OkStatus();
}

void TensorStats::Add(const Observed& tensor) {
  histogram.Add(tensor.values);
  channel_sums.resize(tensor.channels, 0);
  for (size_t i = 0; i < tensor.values.size(); i += tensor.channels) {
    for (size_t c = 0; c < tensor.channels; ++c)
      channel_sums[c] += static_cast<double>(tensor.values[i + c]);
  }
  rows += tensor.values.size() / tensor.channels;
}

}  // namespace whit::tools
