// The contract between operators and the runtime: one OpRow an operator, read from kernels/ops.inc.
//
// Life of a step: the runtime fills a PrepareContext (options, input and output types, shapes,
// quantization), calls OpRow::prepare once, which checks everything and returns a Prepared (plain
// parameters, scratch, number of tasks), and then calls Prepared::run any number of times over
// ranges of tasks, from any thread. After prepare succeeded, run checks nothing but data-dependent
// indices and divisors.
#ifndef WHIT_KERNELS_OP_H_
#define WHIT_KERNELS_OP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/tensor.h"
#include "platform/status.h"

namespace whit {
namespace fbs {
struct Operator;
}
namespace simd {
struct Tier;
}

/// Every operator, in the order of fbs::Options (a test compares the two).
enum class OpType : uint8_t {
  kNone = 0,
#define WHIT_OP(file, Name, family) k##Name,
#include "kernels/ops.inc"
#undef WHIT_OP
  kCount
};

/// A packed weight array as the kernels see it: addresses lie inside the mapping (docs/layout.md
/// has the orders).
struct PackedWeights {
  enum class Layout : uint8_t { kPanel16I8 = 0, kPanel16F32 = 1, kDw16I8 = 2, kDw16F32 = 3 };
  std::string name;
  Layout layout = Layout::kPanel16I8;
  int64_t groups = 1;
  int64_t n = 0;           // output channels over all groups
  int64_t runs = 1;        // K = runs * run_length
  int64_t run_length = 0;  // elements before padding to 4
  Shape shape;             // logical: [O,H,W,I], [O,I]; depthwise [H,W,C]
  const void* data = nullptr;
  size_t data_bytes = 0;
  const int32_t* sums = nullptr;        // [n], integer layouts; may be null for float
  const uint8_t* limits = nullptr;      // range thresholds, may be null
  const uint8_t* pair_flags = nullptr;  // may be null
  std::span<const float> scale;         // [1] or [n]; empty for float
  int32_t zero_point = 0;               // of stored int8 values

  int64_t k() const { return runs * run_length; }
  bool is_float() const { return layout == Layout::kPanel16F32 || layout == Layout::kDw16F32; }
};

/// A raw blob in the mapping. Sizes were checked against the file, meaning is checked by the
/// operator.
struct BlobView {
  const void* data = nullptr;
  size_t bytes = 0;
};

/// What a step may return at run time (decisions.md 21); the runtime makes it a Status naming the
/// node.
enum class KernelCode : uint8_t {
  kOk = 0,
  kIndexOutOfRange,
  kDivisionByZero,
  kNoMemory,
  kBackendFailed,
  kCheckFailed  // PrepareContext::self_check: the checksum channel does not fit
};

struct TaskRange {
  int64_t begin = 0;
  int64_t end = 0;
};

/// One call of a kernel. Borrowed for the duration of the call.
struct RunContext {
  const void* params = nullptr;  // Prepared::params
  std::span<const View> in;      // absent optional inputs have data == nullptr
  std::span<const View> out;
  std::span<const View> variables;  // persistent state (Model.variables), in the order of the model
  TaskRange tasks;
  uint8_t* scratch = nullptr;   // Prepared::scratch_per_thread bytes, 64-aligned, this thread's own
  void* thread_pool = nullptr;  // pthreadpool_t for `whole` steps, else null

  template <typename T>
  const T& As() const {
    return *static_cast<const T*>(params);
  }
};

using KernelFn = KernelCode (*)(const RunContext&);

/// What prepare found out: everything the step needs later.
struct Prepared {
  std::shared_ptr<const void> params;  // operator's own plain struct; owned by the step
  KernelFn run = nullptr;
  const char* implementation = "scalar";  // shown by `whit plan`
  const char* tier = "scalar";
  size_t scratch_per_thread = 0;  // bytes
  size_t heap_bytes = 0;          // beside the arena (XNNPACK's copies); counted in the peak
  int64_t tasks = 1;              // independent units: any split of [0, tasks) gives the same bytes
  int64_t macs = 0;          // multiply-accumulates (elements touched, where there is no product)
  double cost_ns = 0;        // of all tasks on one thread, estimated; 0: the plan guesses from macs
  bool whole = false;        // one call for all tasks; the implementation threads by itself
  bool exact = true;         // integer result: same bytes on every tier
  bool strided_out = false;  // writes out[0] with rows PrepareContext::out_row_elems apart
  bool joins_add = false;    // took PrepareContext::joined_add over
  // out[0] may share memory with in[in_place_input] (same size; element i of the output depends on
  // element i of that input only).
  bool in_place = false;
  int in_place_input = 0;
  bool alias = false;  // out[0] is in[0] under another shape: no step at all
  // PrepareContext::self_check: run returns kCheckFailed where its sums are wrong.
  bool checks_itself = false;
  // Of the file: a changed bit there that changes an output is found by that.
  std::span<const std::byte> proved;

  template <typename P>
  void SetParams(P p) {
    params = std::make_shared<const P>(std::move(p));
  }
};

/// What of the file a step reads: indices of packed weights and of raw blobs.
struct FileReads {
  std::vector<int> weights, blobs;
};

/// Makes readable what a prepare was handed out so far.
using OpenReads = std::function<Status(const FileReads&)>;

/// Whether bytes of the file are what they should be, asked before they are first read.
using CheckBytes = std::function<Status(std::span<const std::byte>)>;

/// Input of prepare. Shapes and types were validated structurally (rank <= kMaxRank, product <
/// 2^31, types known). Tensors that are 8-bit quantized may be stored as kInt8 or kUint8 (the
/// plan's bias, decisions.md 14); within one plan all activations agree, zero points are those of
/// the storage, and `act_bias` says 0 (int8) or 128 (uint8).
struct PrepareContext {
  const fbs::Operator* op = nullptr;
  OpType type = OpType::kNone;
  std::span<const View>
      in;  // data != nullptr only for constants; absent inputs have present_in[i] == false
  std::span<const bool> present_in;
  std::span<View>
      out;  // type and quantization as declared; prepare must verify the shape by Expect*()
  std::span<const PackedWeights> weights;
  std::span<const BlobView> blobs;
  std::span<const View> variables;
  std::span<const int> in_variable;  // per input: the variable it is, or -1; empty: none is one
  int32_t act_bias = 0;
  int max_threads = 1;
  bool allow_xnnpack = true;
  int block_shift = 0;  // blocks of work 2^block_shift times as large as the default (tuning)
  const simd::Tier* tier = nullptr;  // the instruction-set tier of the plan; null: scalar
  /// An Add that may join this operator: its operand `joined_operand` is out[0], the other one
  /// comes as one more input of the step. An implementation that takes it over sets
  /// Prepared::joins_add and writes the Add's output; every rounding stays (decisions.md 19). Else
  /// null.
  const PrepareContext* joined_add = nullptr;
  /// If not 0: out[0] may be written with rows of the last axis this many elements apart (it is a
  /// piece of a concatenation). An implementation that does so sets Prepared::strided_out.
  int64_t out_row_elems = 0;
  size_t joined_operand = 0;
  /// Collects what Weights() and Blob() hand out; null: nobody wants to know.
  FileReads* reads = nullptr;
  /// Where the file's weights are sealed: makes the arrays beside the packed ones (multipliers,
  /// sums and so on) and the blobs that were handed out readable until prepare ends. Null: they
  /// are.
  const OpenReads* open_reads = nullptr;
  /// For a prepare that reads weights itself, where others leave that to the run; null: no need.
  const CheckBytes* check_bytes = nullptr;
  /// Whether implementations that can prove their sums shall do so.
  bool self_check = false;

  size_t inputs() const { return in.size(); }
  bool has(size_t i) const { return i < in.size() && present_in[i]; }
  /// Input i is memory that persists between runs and that the kernel may write (recurrent states).
  bool IsVariable(size_t i) const { return i < in_variable.size() && in_variable[i] >= 0; }

  // Checks that return a Status with node, tensor, rule and both numbers. All in op.cc.
  Status Error(StatusCode code, const std::string& what) const;  // "conv1 (Conv2D): what"
  Status ExpectInputs(size_t at_least,
                      size_t at_most) const;  // and that the first at_least are present
  Status ExpectOutputs(size_t n) const;
  Status ExpectOutShape(size_t i, const Shape& want) const;
  Status ExpectType(const char* what, DType got, std::initializer_list<DType> allowed) const;
  Status ExpectPerTensorQuant(const char* what,
                              const View& t) const;       // present, 1 scale finite > 0
  Result<const PackedWeights*> Weights(int index) const;  // bounds-checked
  /// Blob `index` as `count` elements of T; null pointer for index -1 when `optional`.
  template <typename T>
  Result<const T*> Blob(int index, int64_t count, const char* what, bool optional = false) const {
    auto raw = RawBlob(index, static_cast<size_t>(count) * sizeof(T), what, optional);
    if (!raw.ok()) return raw.status();
    return static_cast<const T*>(*raw);
  }
  Result<const void*> RawBlob(int index, size_t bytes, const char* what, bool optional) const;
  /// Has `size` bytes of the file at `data` checked (check_bytes); null: fine.
  Status CheckRead(const void* data, size_t size) const;
};

/// Clamp range of an output in its storage type: intersects fbs lo/hi (canonical) with the type's
/// range and adds act_bias for uint8 storage of int8. For floats returns lo/hi themselves.
struct ClampRange {
  float lo = 0, hi = 0;
};
ClampRange OutputClamp(const PrepareContext& ctx, const View& out, float lo, float hi);

/// One way to run an operator. The first whose prepare returns true in `*accepted` wins; the last
/// is the reference and accepts everything valid. A rejected alternative leaves its reason for
/// `whit plan`.
struct Implementation {
  const char* name;  // "scalar", "xnnpack"
  Status (*prepare)(const PrepareContext&, Prepared*, bool* accepted, std::string* why_not);
};

struct OpRow {
  OpType type;
  const char* name;                                     // "Conv2D"
  const char* family;                                   // "conv"
  Status (*prepare)(const PrepareContext&, Prepared*);  // the scalar reference; checks everything
  const char* types;  // for `whit ops`: "int8 uint8 int16 float32"
};

/// The table, one row an OpType (index = type).
std::span<const OpRow> OpTable();
const OpRow& RowOf(OpType type);

/// Alternatives tried before the reference, best first (empty for most operators today).
std::span<const Implementation> AlternativesOf(OpType type);

// What kernels/<file>.cc defines for each of its rows; declared from ops.inc, so that one row there
// is all an operator needs.
#define WHIT_OP(file, Name, family)                             \
  Status Prepare##Name(const PrepareContext& ctx, Prepared* p); \
  extern const char* const kTypes##Name;
#include "kernels/ops.inc"
#undef WHIT_OP

}  // namespace whit

#endif  // WHIT_KERNELS_OP_H_
