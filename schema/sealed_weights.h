// Sealed weights in plain, a bounded number of pages at a time. schema/README.md, Sealing.
#ifndef WHIT_SCHEMA_SEALED_WEIGHTS_H_
#define WHIT_SCHEMA_SEALED_WEIGHTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "platform/crypto.h"
#include "platform/secret_memory.h"
#include "platform/status.h"
#include "platform/thread_pool.h"
#include "schema/page_range.h"
#include "schema/reader.h"

namespace whit {

/// Opens the pages of a file whose weights are sealed, at the addresses that ModelFile::blob gives
/// out. No more plaintext than the window exists at a time, in locked memory that is wiped when it
/// goes. Any number of threads may lease; one has the lease at a time. Borrows from the file.
class SealedWeights {
 public:
  /// `window_bytes` of plaintext there may be, rounded down to pages, of which there is one at
  /// least; 0: what Fit is asked for. The key is tried on the first page: kIntegrity where it is
  /// not the one. kOverBudget where so much memory cannot be locked.
  static Result<std::unique_ptr<SealedWeights>> Create(const ModelFile& file, const SealKey& key,
                                                       uint64_t window_bytes);
  ~SealedWeights();

  uint64_t window_bytes() const { return slots_ * page_bytes_; }
  uint64_t page_bytes() const { return page_bytes_; }

  /// That these pages will fit the window at once: it grows where nobody said how large it is,
  /// kOverBudget else.
  Status Fit(std::span<const PageRange> ranges);

  /// The pages under `bytes` of blobs; none where they do not lie in the weights.
  PageRange PagesOf(std::span<const std::byte> bytes) const;

  /// While it lives, the pages that were opened under it last can be read, and nobody else has one.
  class Lease {
   public:
    Lease() = default;

   private:
    friend class SealedWeights;
    explicit Lease(std::mutex& mutex) : lock_(mutex) {}
    std::unique_lock<std::mutex> lock_;
  };
  Lease Lock() { return Lease(mutex_); }
  /// Under a lease of this thread. `ranges`: in order, none overlapping. Opens what is not open
  /// yet, on the threads of `pool` (null: this one). Allocates nothing where all is well.
  /// kOverBudget where they are more than the window, kIntegrity where a page is not what was
  /// sealed.
  Status Open(std::span<const PageRange> ranges, ThreadPool* pool);
  /// Both.
  Result<Lease> Take(std::span<const PageRange> ranges, ThreadPool* pool);

  /// Of all leases: pages that were opened, and the most plaintext that there was at a time.
  uint64_t opened_pages() const { return opened_.load(std::memory_order_relaxed); }
  uint64_t most_plain_bytes() const { return most_.load(std::memory_order_relaxed) * page_bytes_; }

 private:
  struct Opening;
  SealedWeights(const ModelFile& file, const SealKey& key);
  static void OpenSome(void* arg, int, int64_t begin, int64_t end);
  bool OpenPage(uint64_t page, std::byte* plain) const;
  size_t PageSize(uint64_t page) const;
  std::byte* Slot(int32_t slot) const {
    return window_->bytes().data() + static_cast<uint64_t>(slot) * page_bytes_;
  }
  Status CheckFits(uint64_t pages) const;
  Status SetSlots(uint64_t slots);
  Status MakeRoom();
  Status HidePages(uint64_t begin, uint64_t end);
  void TakeSlots();
  void TakeSlot(uint64_t page, size_t at);
  void FreeSlot(uint64_t page);
  Status OpenMissing(ThreadPool* pool);
  Status Show();

  const std::byte* base_;  // of the plain view
  std::span<const std::byte> sealed_, tags_;
  Digest context_;
  SealNonce nonce_;  // of page 0
  SealKey key_;
  uint64_t page_bytes_, pages_, slots_ = 0;
  bool grows_ = false;
  std::unique_ptr<SecretMemory> window_;

  std::mutex mutex_;                // of all below: whoever has the lease
  std::vector<int32_t> slot_of_;    // of every page; -1: not open
  std::vector<int32_t> shown_at_;   // slot that its addresses show, open or not; -1: none
  bool keeps_shown_ = false;        // addresses of pages that are not open any more may show others
  std::vector<uint64_t> resident_;  // open pages, those of the last lease last
  std::vector<int32_t> free_;       // slots
  std::vector<int32_t> free_place_;  // of every slot, in free_; -1: taken
  std::vector<uint64_t> missing_;    // pages to open for this lease
  std::vector<uint8_t> wanted_;      // of every page
  std::atomic<uint64_t> opened_{0}, most_{0};
};

}  // namespace whit

#endif  // WHIT_SCHEMA_SEALED_WEIGHTS_H_
