#include "tools/quantize/observe.h"

#include <cstring>
#include <utility>

#include "platform/mapping.h"
#include "tools/import/emit.h"
#include "tools/import/load_graph.h"
#include "tools/quantize/range.h"

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

Result<Observer> Observer::Create(std::span<const std::byte> whit, int threads,
                                  uint64_t most_bytes) {
  WHIT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(Mapping::Borrow(whit)));
  Observer observer;
  observer.threads_ = threads;
  WHIT_ASSIGN_OR_RETURN(Graph graph, LoadGraph(*file));
  observer.graph_ = std::make_shared<const Graph>(std::move(graph));
  uint64_t bytes = 0;
  for (int t : ComputedTensors(*observer.graph_)) {
    bytes += observer.graph_->tensors[static_cast<size_t>(t)].bytes();
    if (observer.variants_.empty() || bytes > most_bytes) {
      observer.variants_.emplace_back();
      bytes = observer.graph_->tensors[static_cast<size_t>(t)].bytes();
    }
    observer.variants_.back().push_back(t);
  }
  return observer;
}

Status Observer::Open(size_t variant) {
  if (runner_ && open_ == variant) return OkStatus();
  runner_.reset();  // it borrows file_
  WHIT_ASSIGN_OR_RETURN(file_, WithOutputs(*graph_, variants_[variant]));
  OpenOptions open;
  open.integrity = Integrity::kOff;  // made just now
  open.budgets.max_arena_bytes = 8ull << 30;
  WHIT_ASSIGN_OR_RETURN(const Model model, Model::OpenBytes(file_, open));
  RunnerOptions options;
  options.threads = threads_;
  WHIT_ASSIGN_OR_RETURN(Runner runner, Runner::Create(model, options));
  runner_.emplace(std::move(runner));
  open_ = variant;
  return OkStatus();
}

size_t BytesOfView(const TensorView& view) {
  size_t bytes = TypeSize(view.type);
  for (int64_t d : view.shape) bytes *= static_cast<size_t>(d);
  return bytes;
}

void ToReal(const TensorView& view, std::vector<float>* real) {
  real->clear();
  const float scale = view.scale == 0 ? 1 : view.scale;
  if (view.type == Type::kFloat32) {
    const auto values = view.as<float>();
    real->assign(values.begin(), values.end());
  } else if (view.type == Type::kInt8) {
    for (int8_t code : view.as<int8_t>())
      real->push_back(scale * static_cast<float>(code - view.zero_point));
  } else if (view.type == Type::kUint8) {
    for (uint8_t code : view.bytes())
      real->push_back(scale * static_cast<float>(code - view.zero_point));
  }
}

Status RunSample(Runner& runner, const Sample& sample) {
  WHIT_RETURN_IF_ERROR(runner.Reset());
  for (size_t i = 0; i < runner.input_count(); ++i) {
    const TensorView to = runner.input(i);
    const std::span<const std::byte> from = sample.inputs[i];
    if (from.size() == to.data.size()) {
      std::memcpy(to.data.data(), from.data(), from.size());
      continue;
    }
    const std::span real(reinterpret_cast<const float*>(from.data()), from.size() / sizeof(float));
    const Affine codes{to.scale, to.zero_point};
    for (size_t k = 0; k < real.size(); ++k)
      to.as<int8_t>()[k] = CodeOf(static_cast<double>(real[k]), codes);
  }
  return runner.Run();
}

Status Observer::Run(const Sample& sample, const Visit& visit) {
  for (size_t v = 0; v < variants_.size(); ++v) {
    WHIT_RETURN_IF_ERROR(Open(v));
    WHIT_RETURN_IF_ERROR(RunSample(*runner_, sample));
    for (size_t i = 0; i < variants_[v].size(); ++i) {
      const TensorView view = runner_->output(i);
      ToReal(view, &real_);
      const auto channels = view.shape.empty() ? 1 : static_cast<size_t>(view.shape.back());
      visit({graph_->tensors[static_cast<size_t>(variants_[v][i])].name, real_, channels});
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
