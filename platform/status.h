// Status and Result: how every fallible function of whit reports failure. Standard library only;
// installed as <whit/status.h>. No exceptions cross any whit interface and none is thrown by whit.
#ifndef WHIT_STATUS_H_
#define WHIT_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace whit {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,  // the caller's mistake: wrong shape, unknown name, bad option
  kInvalidModel,     // the file breaks a rule of the format
  kUnsupported,      // valid, but not implemented (the message lists what)
  kOverBudget,       // a declared limit (Options budgets, caller's arena) would be exceeded
  kOutOfMemory,
  kIo,         // the operating system refused a file operation
  kIntegrity,  // bytes differ from what was signed or hashed
  kRuntime,    // a run failed on its data: index out of range, integer division by zero
  kCancelled,
};

/// Outcome of an operation. The message names the thing, the rule and both numbers, and what to do.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same status with `context: ` before its message; an ok status stays as it is.
  Status WithContext(const std::string& context) && {
    if (!ok()) message_ = context + ": " + message_;
    return std::move(*this);
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }

/// A value or the reason there is none. REQUIRES ok() before value access.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

#define WHIT_RETURN_IF_ERROR(expr)               \
  do {                                           \
    ::whit::Status whit_status_ = (expr);        \
    if (!whit_status_.ok()) return whit_status_; \
  } while (0)

#define WHIT_CONCAT_INNER_(a, b) a##b
#define WHIT_CONCAT_(a, b) WHIT_CONCAT_INNER_(a, b)
#define WHIT_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return tmp.status();               \
  lhs = std::move(tmp).value()
/// `WHIT_ASSIGN_OR_RETURN(auto x, F());` assigns the value or returns the status.
#define WHIT_ASSIGN_OR_RETURN(lhs, expr) \
  WHIT_ASSIGN_OR_RETURN_IMPL_(WHIT_CONCAT_(whit_result_, __LINE__), lhs, expr)

}  // namespace whit

#endif  // WHIT_STATUS_H_
