// whit_c.h on top of whit.h: handles, copies of names, messages. No logic of its own.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "runtime/whit.h"
#include "runtime/whit_c.h"

struct whit_model {
  whit::Model model;
};

struct whit_runner {
  whit::Runner runner;
  std::vector<std::string> input_names, output_names;  // with a zero byte at the end
};

namespace {

static_assert(static_cast<int>(whit::StatusCode::kCancelled) == WHIT_CANCELLED);
static_assert(static_cast<int>(whit::Type::kFloat16) == WHIT_FLOAT16);
static_assert(static_cast<int>(whit::Integrity::kOff) == WHIT_INTEGRITY_OFF);
static_assert(static_cast<int>(whit::Residency::kLock) == WHIT_RESIDENCY_LOCK);

whit_status Report(const whit::Status& status, whit_error* error) {
  const auto code = static_cast<whit_status>(status.code());
  if (status.ok() || error == nullptr) return code;
  error->status = code;
  const size_t length = std::min(status.message().size(), sizeof error->message - 1);
  std::memcpy(error->message, status.message().data(), length);
  error->message[length] = '\0';
  return code;
}

whit_status MissingArgument(const char* what, whit_error* error) {
  return Report({whit::StatusCode::kInvalidArgument, std::string(what) + " is NULL"}, error);
}

whit_status HandOut(whit::Result<whit::Model> opened, whit_model** model, whit_error* error) {
  if (!opened.ok()) return Report(opened.status(), error);
  *model = new whit_model{std::move(opened).value()};
  return WHIT_OK;
}

whit_status View(const whit::TensorView& view, const std::string& name, whit_tensor* tensor) {
  tensor->name = name.c_str();
  tensor->type = static_cast<whit_type>(view.type);
  tensor->shape = view.shape.data();
  tensor->rank = view.shape.size();
  tensor->scale = view.scale;
  tensor->zero_point = view.zero_point;
  tensor->data = view.data.data();
  tensor->size = view.data.size();
  return WHIT_OK;
}

// A caller compiled against an older header has a shorter struct: what it lacks keeps its default.
// No struct ends inside of a pointer, so other sizes are mistakes.
template <typename Options>
whit::Status CopyOptions(const Options* given, const char* what, Options* options) {
  if (given == nullptr) return whit::OkStatus();
  if (given->size % alignof(Options) != 0) {
    return whit::Status(whit::StatusCode::kInvalidArgument,
                        std::string(what) + ": size is " + std::to_string(given->size) +
                            ", which is that of no version; start from its _init function");
  }
  std::memcpy(options, given, std::min(given->size, sizeof(Options)));
  return whit::OkStatus();
}

whit::Result<whit::OpenOptions> OptionsOf(const whit_open_options* given) {
  whit_open_options c;
  whit_open_options_init(&c);
  WHIT_RETURN_IF_ERROR(CopyOptions(given, "whit_open_options", &c));
  const auto invalid = [](const char* what, int value) {
    return whit::Status(whit::StatusCode::kInvalidArgument,
                        std::string("whit_open_options: ") + what + " is " + std::to_string(value) +
                            ", 0 to 2 are known");
  };
  // A number that C code put there; an unknown policy must not mean that nothing is checked.
  if (c.integrity < 0 || c.integrity > WHIT_INTEGRITY_OFF) return invalid("integrity", c.integrity);
  if (c.residency < 0 || c.residency > WHIT_RESIDENCY_LOCK)
    return invalid("residency", c.residency);
  whit::OpenOptions options;
  options.integrity = static_cast<whit::Integrity>(c.integrity);
  options.residency = static_cast<whit::Residency>(c.residency);
  for (size_t i = 0; i < c.required_key_count; ++i) {
    if (c.required_keys == nullptr || c.required_keys[i] == nullptr) {
      return whit::Status(whit::StatusCode::kInvalidArgument,
                          "whit_open_options: required_keys[" + std::to_string(i) + "] is NULL");
    }
    options.required_keys.emplace_back(c.required_keys[i]);
  }
  options.budgets.max_macs = c.max_macs;
  options.budgets.max_arena_bytes = c.max_arena_bytes;
  options.budgets.max_graph_bytes = c.max_graph_bytes;
  options.window_bytes = c.window_bytes;
  if (c.key_callback != nullptr) {
    options.key_callback = [c](std::string_view id, std::span<uint8_t> key) {
      return c.key_callback(c.key_context, std::string(id).c_str(), key.data()) != 0;
    };
  }
  return options;
}

whit::Result<whit::RunnerOptions> OptionsOf(const whit_runner_options* given) {
  whit_runner_options c;
  whit_runner_options_init(&c);
  WHIT_RETURN_IF_ERROR(CopyOptions(given, "whit_runner_options", &c));
  whit::RunnerOptions options;
  options.threads = c.threads;
  if (c.isa != nullptr) options.isa = c.isa;
  options.plain = c.plain != 0;
  options.xnnpack = c.xnnpack == 0 ? whit::Xnnpack::kOff : whit::Xnnpack::kAuto;
  for (size_t i = 0; c.dims != nullptr && i < c.dim_count; ++i) {
    if (c.dims[i].name == nullptr) {
      return whit::Status(whit::StatusCode::kInvalidArgument,
                          "whit_runner_options: dims[" + std::to_string(i) + "].name is NULL");
    }
    options.dims.emplace_back(c.dims[i].name, c.dims[i].value);
  }
  if (c.tuning != nullptr) options.tuning = c.tuning;
  options.scrub_share = c.scrub_share;
  options.self_check = c.self_check != 0;
  if (c.arena != nullptr) options.arena = {static_cast<std::byte*>(c.arena), c.arena_size};
  return options;
}

}  // namespace

extern "C" {

void whit_open_options_init(whit_open_options* options) {
  if (options == nullptr) return;
  const whit::Budgets budgets;
  *options = {sizeof(whit_open_options),
              WHIT_INTEGRITY_LAZY,
              WHIT_RESIDENCY_MAP,
              nullptr,
              0,
              budgets.max_macs,
              budgets.max_arena_bytes,
              budgets.max_graph_bytes,
              nullptr,
              nullptr,
              0};
}

whit_status whit_model_open_with(const char* path, const whit_open_options* options,
                                 whit_model** model, whit_error* error) {
  if (path == nullptr || model == nullptr) return MissingArgument(path ? "model" : "path", error);
  const auto open = OptionsOf(options);
  if (!open.ok()) return Report(open.status(), error);
  return HandOut(whit::Model::Open(path, *open), model, error);
}

whit_status whit_model_open_fd_with(int fd, uint64_t offset, uint64_t size,
                                    const whit_open_options* options, whit_model** model,
                                    whit_error* error) {
  if (model == nullptr) return MissingArgument("model", error);
  const auto open = OptionsOf(options);
  if (!open.ok()) return Report(open.status(), error);
  return HandOut(whit::Model::OpenFd(fd, offset, size, *open), model, error);
}

whit_status whit_model_open_bytes_with(const void* bytes, size_t size,
                                       const whit_open_options* options, whit_model** model,
                                       whit_error* error) {
  if (bytes == nullptr || model == nullptr)
    return MissingArgument(bytes ? "model" : "bytes", error);
  const auto open = OptionsOf(options);
  if (!open.ok()) return Report(open.status(), error);
  return HandOut(whit::Model::OpenBytes({static_cast<const std::byte*>(bytes), size}, *open), model,
                 error);
}

whit_status whit_model_open(const char* path, whit_model** model, whit_error* error) {
  return whit_model_open_with(path, nullptr, model, error);
}

whit_status whit_model_open_fd(int fd, uint64_t offset, uint64_t size, whit_model** model,
                               whit_error* error) {
  return whit_model_open_fd_with(fd, offset, size, nullptr, model, error);
}

whit_status whit_model_open_bytes(const void* bytes, size_t size, whit_model** model,
                                  whit_error* error) {
  return whit_model_open_bytes_with(bytes, size, nullptr, model, error);
}

whit_status whit_model_scrub(const whit_model* model, uint64_t max_pages, whit_scrub_report* report,
                             whit_error* error) {
  if (model == nullptr) return MissingArgument("model", error);
  const auto done = model->model.Scrub(max_pages);
  if (!done.ok()) return Report(done.status(), error);
  if (report != nullptr) *report = {done->pages, done->repaired, done->passes};
  return WHIT_OK;
}

void whit_model_free(whit_model* model) { delete model; }

const char* whit_model_label(const whit_model* model, size_t output, size_t index) {
  if (model == nullptr || output >= model->model.outputs().size()) return nullptr;
  const auto labels = model->model.labels(output);
  return index < labels.size() ? labels[index].c_str() : nullptr;
}

void whit_runner_options_init(whit_runner_options* options) {
  if (options == nullptr) return;
  *options = {sizeof(whit_runner_options),       1, nullptr, 0, 1, nullptr, 0, nullptr, 0, nullptr,
              whit::RunnerOptions{}.scrub_share, 0};
}

whit_status whit_runner_create(const whit_model* model, const whit_runner_options* options,
                               whit_runner** runner, whit_error* error) {
  if (model == nullptr || runner == nullptr)
    return MissingArgument(model ? "runner" : "model", error);
  const auto given = OptionsOf(options);
  if (!given.ok()) return Report(given.status(), error);
  auto created = whit::Runner::Create(model->model, *given);
  if (!created.ok()) return Report(created.status(), error);
  auto* out = new whit_runner{std::move(created).value(), {}, {}};
  for (size_t i = 0; i < out->runner.input_count(); ++i)
    out->input_names.emplace_back(out->runner.input(i).name);
  for (size_t i = 0; i < out->runner.output_count(); ++i)
    out->output_names.emplace_back(out->runner.output(i).name);
  *runner = out;
  return WHIT_OK;
}

void whit_runner_free(whit_runner* runner) { delete runner; }

size_t whit_runner_input_count(const whit_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.input_count();
}
size_t whit_runner_output_count(const whit_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.output_count();
}

whit_status whit_runner_input(const whit_runner* runner, size_t index, whit_tensor* tensor) {
  if (tensor == nullptr || index >= whit_runner_input_count(runner)) return WHIT_INVALID_ARGUMENT;
  return View(runner->runner.input(index), runner->input_names[index], tensor);
}

whit_status whit_runner_output(const whit_runner* runner, size_t index, whit_tensor* tensor) {
  if (tensor == nullptr || index >= whit_runner_output_count(runner)) return WHIT_INVALID_ARGUMENT;
  return View(runner->runner.output(index), runner->output_names[index], tensor);
}

whit_status whit_runner_run(whit_runner* runner, whit_error* error) {
  if (runner == nullptr) return MissingArgument("runner", error);
  return Report(runner->runner.Run(), error);
}
whit_status whit_runner_reset(whit_runner* runner, whit_error* error) {
  if (runner == nullptr) return MissingArgument("runner", error);
  return Report(runner->runner.Reset(), error);
}
uint64_t whit_runner_peak_arena_bytes(const whit_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.peak_arena_bytes();
}

}  // extern "C"
