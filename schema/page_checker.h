// Whether the bytes of an open file are those that its hash tree, and the signature over it, speak
// of. Structure is another matter, checked before and always (ModelFile::Open).
#ifndef WHIT_SCHEMA_PAGE_CHECKER_H_
#define WHIT_SCHEMA_PAGE_CHECKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "platform/crypto.h"
#include "platform/status.h"
#include "schema/page_range.h"
#include "schema/page_sum.h"
#include "schema/reader.h"

namespace whit {

/// Checks pages once each, when they are needed. Any number of threads may use it; two that check
/// one page at a time do it twice, with one result. Borrows from the file.
class PageChecker {
 public:
  /// Null where the file has no tree. Checks here, against owned copies: the root against the
  /// leaves, the signature against the key that stands beside it, and every page before the weights
  /// (header and graph). kIntegrity where one of them is not what it should be; kUnsupported where
  /// this build has no libsodium.
  static Result<std::unique_ptr<PageChecker>> Create(const ModelFile& file);

  uint64_t pages() const { return pages_; }
  uint64_t page_bytes() const { return page_bytes_; }
  /// Pages that have been hashed so far, the first ones included.
  uint64_t checked() const { return checked_.load(std::memory_order_relaxed); }

  /// The pages under `bytes`; none where they do not lie in the file.
  PageRange PagesOf(std::span<const std::byte> bytes) const;
  bool IsChecked(uint64_t page) const {
    return state_[page].load(std::memory_order_acquire) != kUnknown;
  }
  /// kIntegrity with the page, its place in the file, the expected digest and the one that was
  /// found. Once a page has passed, at no cost.
  Status Check(uint64_t page) const;
  Status CheckRange(PageRange range) const;
  /// The same for any bytes of the file.
  Status CheckBytes(std::span<const std::byte> bytes) const { return CheckRange(PagesOf(bytes)); }

  /// Pages that are read where they are mapped, so that a bit that flips there matters: the
  /// weights. Header and graph are read from copies.
  PageRange weight_pages() const { return {first_weights_, pages_}; }
  /// Whether the bytes of a page of weights still are what passed the tree. The first time the tree
  /// is asked once more and leaves the page's sum behind (the first run shall not wait for sums),
  /// from then on the sum. True where the page was not checked yet, as its first use will do that.
  bool StillHolds(uint64_t page) const;
  /// For a page that does not: makes it right again where it lies, from storage, and proves that
  /// by the tree. True if bytes had changed, false if only the sum had. kIntegrity with the page,
  /// the expected digest and the found one where storage is wrong too, or there is none.
  Result<bool> Repair(uint64_t page) const;

 private:
  enum State : uint8_t { kUnknown, kPassed, kSummed };
  PageChecker(const ModelFile& file);
  Status CheckRoot() const;
  Status CheckSignature() const;
  Status CheckHead() const;
  std::span<const std::byte> Page(uint64_t page) const;
  Status Compare(uint64_t page, const Digest& found) const;
  bool Passes(uint64_t page, const Digest& digest) const;
  bool PassesNow(uint64_t page) const;
  std::string NameOf(uint64_t page) const;

  std::span<const std::byte> file_, leaves_;
  const ModelFile& model_;
  uint64_t covered_ = 0, page_bytes_ = 0, pages_ = 0;
  uint64_t first_weights_ = 0;
  std::unique_ptr<std::atomic<State>[]> state_;
  std::unique_ptr<std::atomic<uint64_t>[]> sums_;  // two a page, of those that are kSummed
  mutable std::mutex repair_;
  mutable std::atomic<uint64_t> checked_{0};
};

}  // namespace whit

#endif  // WHIT_SCHEMA_PAGE_CHECKER_H_
