#include "tools/import/weights/pickle.h"

#include <bit>
#include <charconv>
#include <unordered_map>

#include "tools/import/weights/byte_reader.h"
#include "tools/import/weights/pickle_names.h"

namespace whit::tools {

namespace {

// A value takes about 100 bytes: 800 MB at most. A state dict of a million tensors has 30 million
// opcodes, but most of its values are shared through the memo.
constexpr size_t kMaxValues = 8'000'000;
// Longest line of the text opcodes of protocol 0.
constexpr size_t kMaxLine = 1 << 20;

class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes) : all_(bytes), in_(bytes) {}

  Result<Pickle> Run() {
    while (!stopped_) {
      const size_t at = in_.position();
      const auto op = static_cast<char>(in_.U8());
      if (in_.ok()) Step(op);
      if (!in_.ok()) Fail("ends in the middle of what it describes");
      if (!status_.ok()) return Status(status_).WithContext("pickle, byte " + std::to_string(at));
    }
    out_.bytes = in_.position();
    return std::move(out_);
  }

 private:
  static constexpr PickleRef kMark = -2;

  void Fail(const std::string& what, StatusCode code = StatusCode::kInvalidModel) {
    if (status_.ok()) status_ = Status(code, what);
  }

  // ---- values ----
  PickleRef Add(PickleKind kind) {
    if (out_.values.size() >= kMaxValues) {
      Fail("more than " + std::to_string(kMaxValues) + " values", StatusCode::kOverBudget);
      return 0;  // the run is over
    }
    out_.values.emplace_back();
    out_.values.back().kind = kind;
    return static_cast<PickleRef>(out_.values.size() - 1);
  }
  PickleValue& At(PickleRef i) { return out_.values[static_cast<size_t>(i)]; }
  void Push(PickleRef i) { stack_.push_back(i); }
  void PushNew(PickleKind kind) { Push(Add(kind)); }
  void PushNumber(PickleKind kind, int64_t number) {
    PushNew(kind);
    if (status_.ok()) At(stack_.back()).number = number;
  }
  void PushText(PickleKind kind, std::string_view text) {
    PushNew(kind);
    if (status_.ok()) At(stack_.back()).text = text;
  }
  PickleRef Pop() {
    if (stack_.empty() || stack_.back() == kMark) {
      Fail("takes a value from an empty stack");
      return 0;
    }
    const PickleRef top = stack_.back();
    stack_.pop_back();
    return top;
  }
  PickleRef Top() {
    const PickleRef top = Pop();
    if (status_.ok()) Push(top);
    return top;
  }
  // The values above the last mark, which goes too.
  std::vector<PickleRef> PopToMark() {
    size_t at = stack_.size();
    while (at > 0 && stack_[at - 1] != kMark) --at;
    if (at == 0) {
      Fail("no mark on the stack");
      return {};
    }
    std::vector<PickleRef> values(stack_.begin() + static_cast<long>(at), stack_.end());
    stack_.resize(at - 1);
    return values;
  }
  void PushItems(PickleKind kind, std::vector<PickleRef> items) {
    if (!status_.ok()) return;
    PushNew(kind);
    if (status_.ok()) At(stack_.back()).items = std::move(items);
  }
  void PushTuple(size_t count) {
    std::vector<PickleRef> items(count);
    for (size_t i = count; i > 0; --i) items[i - 1] = Pop();
    PushItems(PickleKind::kTuple, std::move(items));
  }
  // To a list, a dict, or what a call makes of one (OrderedDict).
  void Extend(const std::vector<PickleRef>& items, bool pairs) {
    const PickleRef target = Top();
    if (!status_.ok()) return;
    if (pairs && items.size() % 2 != 0) return Fail("a key without a value");
    PickleValue& value = At(target);
    if (value.kind != PickleKind::kList && value.kind != PickleKind::kDict &&
        value.kind != PickleKind::kCall) {
      return Fail("adds items to what holds none");
    }
    value.items.insert(value.items.end(), items.begin(), items.end());
  }

  // ---- bytes ----
  std::string_view Text(uint64_t size) {
    const auto bytes = in_.Take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string_view Line() {
    const auto rest = all_.subspan(in_.position());
    const size_t most = std::min(rest.size(), kMaxLine);
    for (size_t i = 0; i < most; ++i) {
      if (rest[i] != std::byte{'\n'}) continue;
      const std::string_view line = Text(i);
      in_.Skip(1);
      return line;
    }
    Fail("a line without an end");
    return {};
  }
  int64_t LineNumber() {
    std::string_view line = Line();
    if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size()) Fail("a number that is none");
    return value;
  }
  void PushLong(uint64_t size) {
    const std::string_view bytes = Text(size);
    if (bytes.size() > 8) return PushText(PickleKind::kBigInt, bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
      value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    if (!bytes.empty() && bytes.size() < 8 && (bytes.back() & 0x80) != 0)
      value |= ~uint64_t{0} << (8 * bytes.size());
    PushNumber(PickleKind::kInt, static_cast<int64_t>(value));
  }
  void PushDouble() {
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | in_.U8();
    PushNew(PickleKind::kFloat);
    if (status_.ok()) At(stack_.back()).real = std::bit_cast<double>(bits);
  }
  // As Python's repr writes it: "1e-05", "-inf".
  void PushDecimal() {
    const std::string_view line = Line();
    double value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size())
      return Fail("a number that is none");
    PushNew(PickleKind::kFloat);
    if (status_.ok()) At(stack_.back()).real = value;
  }
  void PushQuoted() {
    std::string_view line = Line();
    if (line.size() < 2 || (line[0] != '\'' && line[0] != '"') || line.back() != line[0])
      return Fail("a string without quotes");
    PushText(PickleKind::kText, line.substr(1, line.size() - 2));
  }

  // ---- memo ----
  void Put(uint64_t key) {
    const PickleRef top = Top();
    if (status_.ok()) memo_[key] = top;
  }
  void Get(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Fail("asks for what was never remembered");
    Push(found->second);
  }

  // ---- names and calls ----
  void PushGlobal(std::string_view module, std::string_view name) {
    if (!status_.ok()) return;
    out_.joined.push_back(std::string(module) + "." + std::string(name));
    globals_.push_back(Add(PickleKind::kGlobal));
    Push(globals_.back());
    names_[globals_.back()] = out_.joined.size() - 1;
  }
  void StackGlobal() {
    const PickleRef name = Pop(), module = Pop();
    if (!status_.ok()) return;
    if (At(name).kind != PickleKind::kText || At(module).kind != PickleKind::kText)
      return Fail("a name that is no text");
    PushGlobal(At(module).text, At(name).text);
  }
  // `checked`: REDUCE calls any function; NEWOBJ makes an instance of a class, whose state is data.
  void PushCall(PickleRef callee, PickleRef arguments, bool checked) {
    if (!status_.ok()) return;
    if (At(callee).kind != PickleKind::kGlobal) return Fail("calls what is no name");
    const std::string& name = out_.joined[names_[callee]];
    if (checked && !PickleMayCall(name)) {
      return Fail("wants to call " + name.substr(0, 200) +
                  ", which is none of the functions that make tensors and plain data. Nothing was "
                  "executed. If the file is to be trusted, save its state_dict alone");
    }
    PushItems(PickleKind::kCall, {callee, arguments, -1});
  }
  void Build() {
    const PickleRef state = Pop(), target = Top();
    if (status_.ok() && At(target).kind == PickleKind::kCall) At(target).items[2] = state;
  }
  void PushPersistent(PickleRef id) { PushItems(PickleKind::kPersistent, {id}); }

  void Step(char op);
  bool Containers(char op);
  bool Scalars(char op);
  bool Memos(char op);

  std::span<const std::byte> all_;
  ByteReader in_;
  Pickle out_;
  std::vector<PickleRef> stack_;
  std::unordered_map<uint64_t, PickleRef> memo_;
  std::vector<PickleRef> globals_;
  std::unordered_map<PickleRef, size_t> names_;  // of globals: index in Pickle::joined
  Status status_;
  bool stopped_ = false;
};

bool Machine::Scalars(char op) {
  switch (op) {
    case 'N':
      PushNew(PickleKind::kNone);
      return true;
    case '\x88':
    case '\x89':
      PushNumber(PickleKind::kBool, op == '\x88');
      return true;
    case 'I': {
      const std::string_view rest(reinterpret_cast<const char*>(all_.data()) + in_.position(),
                                  std::min<size_t>(in_.left(), 3));
      const bool is_bool = rest == "00\n" || rest == "01\n";
      PushNumber(is_bool ? PickleKind::kBool : PickleKind::kInt, LineNumber());
      return true;
    }
    case 'L':
      PushNumber(PickleKind::kInt, LineNumber());
      return true;
    case 'J':
      PushNumber(PickleKind::kInt, static_cast<int32_t>(in_.U32()));
      return true;
    case 'K':
      PushNumber(PickleKind::kInt, in_.U8());
      return true;
    case 'M':
      PushNumber(PickleKind::kInt, in_.U16());
      return true;
    case '\x8a':
      PushLong(in_.U8());
      return true;
    case '\x8b':
      PushLong(in_.U32());
      return true;
    case 'F':
      PushDecimal();
      return true;
    case 'G':
      PushDouble();
      return true;
    case 'S':
      PushQuoted();
      return true;
    case 'V':
      PushText(PickleKind::kText, Line());
      return true;
    case 'T':
    case 'X':
      PushText(PickleKind::kText, Text(in_.U32()));
      return true;
    case 'U':
    case '\x8c':
      PushText(PickleKind::kText, Text(in_.U8()));
      return true;
    case '\x8d':
      PushText(PickleKind::kText, Text(in_.U64()));
      return true;
    case 'B':
      PushText(PickleKind::kBytes, Text(in_.U32()));
      return true;
    case 'C':
      PushText(PickleKind::kBytes, Text(in_.U8()));
      return true;
    case '\x8e':
    case '\x96':
      PushText(PickleKind::kBytes, Text(in_.U64()));
      return true;
    default:
      return false;
  }
}

bool Machine::Containers(char op) {
  switch (op) {
    case '(':
      stack_.push_back(kMark);
      return true;
    case ']':
    case '\x8f':  // a set
      PushNew(PickleKind::kList);
      return true;
    case ')':
      PushNew(PickleKind::kTuple);
      return true;
    case '}':
      PushNew(PickleKind::kDict);
      return true;
    case 'l':
    case '\x91':  // a frozen set
      PushItems(PickleKind::kList, PopToMark());
      return true;
    case 't':
      PushItems(PickleKind::kTuple, PopToMark());
      return true;
    case 'd':
      PushItems(PickleKind::kDict, PopToMark());
      if (status_.ok() && At(stack_.back()).items.size() % 2 != 0) Fail("a key without a value");
      return true;
    case '\x85':
    case '\x86':
    case '\x87':
      PushTuple(static_cast<size_t>(op - '\x84'));
      return true;
    case 'a': {
      const PickleRef item = Pop();
      Extend({item}, false);
      return true;
    }
    case 'e':
    case '\x90':
      Extend(PopToMark(), false);
      return true;
    case 's': {
      const PickleRef value = Pop(), key = Pop();
      Extend({key, value}, true);
      return true;
    }
    case 'u':
      Extend(PopToMark(), true);
      return true;
    default:
      return false;
  }
}

bool Machine::Memos(char op) {
  switch (op) {
    case 'p':
      Put(static_cast<uint64_t>(LineNumber()));
      return true;
    case 'q':
      Put(in_.U8());
      return true;
    case 'r':
      Put(in_.U32());
      return true;
    case '\x94':
      Put(memo_.size());
      return true;
    case 'g':
      Get(static_cast<uint64_t>(LineNumber()));
      return true;
    case 'h':
      Get(in_.U8());
      return true;
    case 'j':
      Get(in_.U32());
      return true;
    case '0':
      if (!stack_.empty() && stack_.back() == kMark) {
        stack_.pop_back();
      } else {
        (void)Pop();
      }
      return true;
    case '1':
      (void)PopToMark();
      return true;
    case '2':
      Push(Top());
      return true;
    default:
      return false;
  }
}

void Machine::Step(char op) {
  if (Scalars(op) || Containers(op) || Memos(op)) return;
  switch (op) {
    case '\x80': {
      const int protocol = in_.U8();
      if (protocol > 5) Fail("protocol " + std::to_string(protocol) + ", known are 0 to 5");
      return;
    }
    case '\x95':  // a frame: only how Python reads ahead
      in_.Skip(8);
      return;
    case 'c': {
      const std::string_view module = Line(), name = Line();
      return PushGlobal(module, name);
    }
    case '\x93':
      return StackGlobal();
    case 'R': {
      const PickleRef arguments = Pop(), callee = Pop();
      return PushCall(callee, arguments, true);
    }
    case '\x81': {
      const PickleRef arguments = Pop(), type = Pop();
      return PushCall(type, arguments, false);
    }
    case '\x92': {
      (void)Pop();
      const PickleRef arguments = Pop(), type = Pop();
      return PushCall(type, arguments, false);
    }
    case 'b':
      return Build();
    case 'P':
      PushText(PickleKind::kText, Line());
      return PushPersistent(Pop());
    case 'Q':
      return PushPersistent(Pop());
    case '.':
      out_.root = Pop();
      for (const PickleRef i : globals_) At(i).text = out_.joined[names_[i]];
      stopped_ = true;
      return;
    default:
      return Fail(
          "opcode " + std::to_string(static_cast<unsigned char>(op)) + " describes no plain data",
          StatusCode::kUnsupported);
  }
}

}  // namespace

PickleRef Pickle::Find(PickleRef dict, std::string_view key) const {
  const std::vector<PickleRef>& items = (*this)[dict].items;
  for (size_t i = (*this)[dict].kind == PickleKind::kCall ? 3 : 0; i + 1 < items.size(); i += 2) {
    const PickleValue& k = (*this)[items[i]];
    if (k.kind == PickleKind::kText && k.text == key) return items[i + 1];
  }
  return -1;
}

Result<Pickle> ReadPickle(std::span<const std::byte> bytes) { return Machine(bytes).Run(); }

}  // namespace whit::tools
