// Any bytes as calls of the C interface, in any order, with any arguments that the header allows:
// handles are NULL, alive, or alive while what they came from is gone.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "platform/crypto.h"
#include "runtime/whit_c.h"
#include "tests/fuzz/run_model.h"
#include "tests/runtime/model_builder.h"
#include "tests/schema/tiny_model.h"

namespace {

// Numbers from the input, zeros behind its end.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool more() const { return left_ > 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  size_t Below(size_t n) { return Byte() % n; }
  uint64_t Number() {
    constexpr uint64_t kEdges[] = {0, 1, 63, 64, 65, 4096, 100'000, UINT32_MAX, UINT64_MAX / 2};
    const uint8_t b = Byte();
    return b < 128 ? b : b == 255 ? UINT64_MAX : kEdges[b % std::size(kEdges)];
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

class Caller {
 public:
  Caller(const uint8_t* data, size_t size) : choices_(data, size), arena_(1 << 17) {}
  ~Caller() {
    for (whit_model* model : models_) whit_model_free(model);
    for (whit_runner* runner : runners_) whit_runner_free(runner);
    volatile uint64_t seen = sum_;
    (void)seen;
  }

  void Run() {
    for (int calls = 0; choices_.more() && calls < 40; ++calls) Call();
  }

 private:
  static constexpr size_t kHandles = 3;

  void Call() {
    whit_model*& model = models_[choices_.Below(kHandles)];
    whit_runner*& runner = runners_[choices_.Below(kHandles)];
    switch (choices_.Below(12)) {
      case 0:
      case 1:
        return Open(&model);
      case 2:
        whit_model_free(model), model = nullptr;
        return;
      case 3:
      case 4:
        return Create(model, &runner);
      case 5:
        whit_runner_free(runner), runner = nullptr;
        return;
      case 6:
      case 7:
        return Expect(whit_runner_run(runner, Error()));
      case 8:
        return Expect(whit_runner_reset(runner, Error()));
      case 9:
        return Touch(runner);
      case 10: {
        whit_scrub_report report;
        const uint64_t pages = choices_.Number();
        return Expect(
            whit_model_scrub(model, pages, choices_.Byte() % 2 != 0 ? &report : nullptr, Error()));
      }
      default: {
        const char* label =
            whit_model_label(model, choices_.Number(), static_cast<size_t>(choices_.Number()));
        if (label != nullptr) sum_ += std::strlen(label);
      }
    }
  }

  whit_error* Error() {
    error_.message[0] = '\0';
    wants_ = choices_.Byte() % 4 != 0;
    return wants_ ? &error_ : nullptr;
  }
  // A failure comes with its status and a message, where the caller wants them.
  void Expect(whit_status status) const {
    if (status == WHIT_OK || !wants_) return;
    if (error_.status != status || error_.message[0] == '\0') std::abort();
  }

  void Open(whit_model** slot) {
    static const std::vector<std::byte> kFiles[] = {
        whit::SmallNetwork(), whit::SmallNetwork(4),
        whit::CryptoAvailable() ? whit::Signed(whit::SmallNetwork()) : whit::SmallNetwork()};
    const std::vector<std::byte>& file = kFiles[choices_.Below(std::size(kFiles))];
    const char* const keys[] = {"", "00", nullptr,
                                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"};
    const char* some_keys[] = {keys[choices_.Below(4)], keys[choices_.Below(4)]};
    whit_open_options options;
    whit_open_options_init(&options);
    if (choices_.Byte() % 4 == 0) {
      options.size = std::min<uint64_t>(choices_.Number(), sizeof options);
      options.integrity = static_cast<int>(choices_.Number());
      options.residency = static_cast<int>(choices_.Number());
      options.required_keys = choices_.Byte() % 2 != 0 ? some_keys : nullptr;
      options.required_key_count = choices_.Below(3);
      options.max_macs = choices_.Number(), options.max_arena_bytes = choices_.Number();
      options.max_graph_bytes = choices_.Number(), options.window_bytes = choices_.Number();
      options.key_callback = [](void*, const char*, uint8_t*) { return 0; };
    }
    whit_model* model = nullptr;
    whit_status status = WHIT_OK;
    const size_t size = choices_.Byte() % 4 == 0 ? choices_.Number() % file.size() : file.size();
    switch (choices_.Below(8)) {
      case 0:
        status = whit_model_open_with("", &options, &model, Error());
        break;
      case 1:
        status = whit_model_open_fd_with(-1, choices_.Number(), choices_.Number(), &options, &model,
                                         Error());
        break;
      case 2:
        status = whit_model_open_bytes_with(nullptr, size, &options, &model, Error());
        break;
      case 3:
        status = whit_model_open_bytes(file.data(), size, nullptr, Error());
        break;
      default:
        status = whit_model_open_bytes_with(file.data(), size, &options, &model, Error());
    }
    Expect(status);
    if (model == nullptr) return;
    whit_model_free(*slot);
    *slot = model;
  }

  void Create(const whit_model* model, whit_runner** slot) {
    const char* const tiers[] = {nullptr, "", "scalar", "sse41", "avx2", "neon", "nonsense"};
    const char* const names[] = {"batch", "", "other", nullptr};
    const char* const texts[] = {nullptr, "", "whit tuning", "{}"};
    whit_runner_options options;
    whit_runner_options_init(&options);
    whit_dim dims[2];
    if (choices_.Byte() % 2 != 0) {
      options.size = std::min<uint64_t>(choices_.Number(), sizeof options);
      options.threads = static_cast<int>(choices_.Below(6)) - 2;
      options.isa = tiers[choices_.Below(std::size(tiers))];
      options.plain = choices_.Byte() % 2, options.xnnpack = choices_.Byte() % 2;
      options.self_check = choices_.Byte() % 2;
      constexpr double kShares[] = {0, 1, 0.5, -1, 2, std::numeric_limits<double>::quiet_NaN()};
      options.scrub_share = kShares[choices_.Below(std::size(kShares))];
      options.tuning = texts[choices_.Below(std::size(texts))];
      for (whit_dim& dim : dims) {
        dim = {names[choices_.Below(std::size(names))], static_cast<uint32_t>(choices_.Number())};
      }
      options.dims = choices_.Byte() % 2 != 0 ? dims : nullptr;
      options.dim_count = choices_.Below(3);
      // Runners with the caller's arena are used one after another here, so they may share it.
      if (choices_.Byte() % 4 == 0) {
        const size_t offset = choices_.Below(128);
        options.arena = arena_.data() + offset;
        options.arena_size = std::min<uint64_t>(choices_.Number(), arena_.size() - offset);
      }
    }
    whit_runner* runner = nullptr;
    const bool nowhere = choices_.Byte() % 16 == 0;
    Expect(whit_runner_create(model, choices_.Byte() % 8 == 0 ? nullptr : &options,
                              nowhere ? nullptr : &runner, Error()));
    if (runner == nullptr) return;
    whit_runner_free(*slot);
    *slot = runner;
  }

  // Every input written, every output read, and one that may not exist.
  void Touch(const whit_runner* runner) {
    whit_tensor tensor;
    const auto index = static_cast<size_t>(choices_.Number());
    (void)whit_runner_input(runner, index, &tensor);
    (void)whit_runner_output(runner, index, choices_.Byte() % 8 == 0 ? nullptr : &tensor);
    sum_ += whit_runner_peak_arena_bytes(runner);
    const uint8_t fill = choices_.Byte();
    for (size_t i = 0; i < whit_runner_input_count(runner); ++i) {
      if (whit_runner_input(runner, i, &tensor) != WHIT_OK) std::abort();
      std::memset(tensor.data, fill, tensor.size);
    }
    for (size_t i = 0; i < whit_runner_output_count(runner); ++i) {
      if (whit_runner_output(runner, i, &tensor) != WHIT_OK) std::abort();
      for (size_t k = 0; k < tensor.size; ++k) sum_ += static_cast<const uint8_t*>(tensor.data)[k];
      sum_ += std::strlen(tensor.name);
      for (size_t k = 0; k < tensor.rank; ++k) sum_ += static_cast<uint64_t>(tensor.shape[k]);
    }
  }

  Choices choices_;
  whit_model* models_[kHandles] = {};
  whit_runner* runners_[kHandles] = {};
  std::vector<std::byte> arena_;
  whit_error error_;
  bool wants_ = false;
  uint64_t sum_ = 0;  // of all that was read
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Caller(data, size).Run();
  return 0;
}
