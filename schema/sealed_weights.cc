#include "schema/sealed_weights.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "schema/hash_tree.h"
#include "schema/seal.h"

namespace whit {

using std::to_string;

namespace {

// Addresses that are shown and not hidden again are a mapping each, of which a process has some
// 65,000.
constexpr uint64_t kMostShownPages = 8192;

// Builds for finding mistakes hide what is not open, so that reading it ends the process.
#if defined(NDEBUG) && !defined(WHIT_SANITIZED)
constexpr bool kHideAlways = false;
#else
constexpr bool kHideAlways = true;
#endif

uint64_t CountPages(std::span<const PageRange> ranges) {
  uint64_t pages = 0;
  for (const PageRange& range : ranges) pages += range.end - range.begin;
  return pages;
}

}  // namespace

SealedWeights::SealedWeights(const ModelFile& file, const SealKey& key)
    : base_(file.plain_weights()),
      sealed_(file.weights_section()),
      tags_(BytesOf(file.trust()->seal()->tags())),
      context_(SealContext(file)),
      nonce_(PageNonce(BytesOf(file.trust()->seal()->nonces()), 0)),
      key_(key),
      page_bytes_(file.trust()->seal()->leaf_size()),
      pages_((sealed_.size() + page_bytes_ - 1) / page_bytes_) {
  slot_of_.assign(static_cast<size_t>(pages_), -1);
  shown_at_.assign(static_cast<size_t>(pages_), -1);
  keeps_shown_ = !kHideAlways && pages_ <= kMostShownPages;
  wanted_.assign(static_cast<size_t>(pages_), 0);
  resident_.reserve(static_cast<size_t>(pages_));
  missing_.reserve(static_cast<size_t>(pages_));
}

SealedWeights::~SealedWeights() {
  WipeMemory(key_);
  // The addresses outlive the memory; nothing may be seen through them.
  if (window_ != nullptr) (void)SecretMemory::Hide(base_, pages_ * page_bytes_);
}

Result<std::unique_ptr<SealedWeights>> SealedWeights::Create(const ModelFile& file,
                                                             const SealKey& key,
                                                             uint64_t window_bytes) {
  const uint64_t page = file.trust()->seal()->leaf_size();
  if (page % SystemPageBytes() != 0) {
    return Status(StatusCode::kUnsupported, "the file is sealed in pages of " + to_string(page) +
                                                " bytes, and this system's have " +
                                                to_string(SystemPageBytes()));
  }
  std::unique_ptr<SealedWeights> weights(new SealedWeights(file, key));
  weights->grows_ = window_bytes == 0;
  const uint64_t slots = std::clamp<uint64_t>(window_bytes / page, 1, weights->pages_);
  WHIT_RETURN_IF_ERROR(weights->SetSlots(slots));
  const PageRange first{0, 1};
  const Status opened = weights->Take({&first, 1}, nullptr).status();
  if (opened.ok()) return weights;
  if (opened.code() != StatusCode::kIntegrity) return opened;
  const auto* id = file.trust()->seal()->key_id();
  return Status(StatusCode::kIntegrity, "sealed weights: the key that was given is not the one, '" +
                                            (id == nullptr ? std::string() : id->str()) +
                                            "', or the file was changed");
}

// Anew: nothing is open after it.
Status SealedWeights::SetSlots(uint64_t slots) {
  if (window_ != nullptr) WHIT_RETURN_IF_ERROR(SecretMemory::Hide(base_, pages_ * page_bytes_));
  window_.reset();
  slots_ = 0;
  std::ranges::fill(slot_of_, -1);
  std::ranges::fill(shown_at_, -1);
  resident_.clear();
  WHIT_ASSIGN_OR_RETURN(window_, SecretMemory::Create(slots * page_bytes_));
  slots_ = slots;
  free_.resize(static_cast<size_t>(slots));
  free_place_.resize(static_cast<size_t>(slots));
  for (size_t i = 0; i < free_.size(); ++i) {
    free_[i] = static_cast<int32_t>(free_.size() - 1 - i);
    free_place_[static_cast<size_t>(free_[i])] = static_cast<int32_t>(i);
  }
  return OkStatus();
}

Status SealedWeights::Fit(std::span<const PageRange> ranges) {
  const Lease lease = Lock();
  const uint64_t pages = CountPages(ranges);
  return grows_ && pages > slots_ ? SetSlots(pages) : CheckFits(pages);
}

Status SealedWeights::CheckFits(uint64_t pages) const {
  if (pages <= slots_) return OkStatus();
  return Status(StatusCode::kOverBudget, "sealed weights: " + to_string(pages * page_bytes_) +
                                             " bytes are needed at a time, and the window has " +
                                             to_string(slots_ * page_bytes_) +
                                             "; open the model with a larger window");
}

PageRange SealedWeights::PagesOf(std::span<const std::byte> bytes) const {
  const auto at = reinterpret_cast<uintptr_t>(bytes.data());
  const auto begin = reinterpret_cast<uintptr_t>(base_);
  if (bytes.empty() || at < begin || at - begin >= sealed_.size()) return {};
  const uint64_t offset = at - begin;
  return {offset / page_bytes_,
          std::min(pages_, (offset + bytes.size() + page_bytes_ - 1) / page_bytes_)};
}

size_t SealedWeights::PageSize(uint64_t page) const {
  return static_cast<size_t>(std::min(page_bytes_, sealed_.size() - page * page_bytes_));
}

bool SealedWeights::OpenPage(uint64_t page, std::byte* plain) const {
  const size_t size = PageSize(page);
  const auto tag = tags_.subspan(static_cast<size_t>(page) * kSealTagBytes).first<kSealTagBytes>();
  const std::span<const std::byte> text =
      sealed_.subspan(static_cast<size_t>(page * page_bytes_), size);
  // What the slot held before may not be seen behind the end of the last page.
  std::memset(plain + size, 0, static_cast<size_t>(page_bytes_) - size);
  return UnsealBytes(text, context_, tag, PageNonce(nonce_, page), key_, plain);
}

struct SealedWeights::Opening {
  const SealedWeights* weights;
  std::atomic<uint64_t> bad{UINT64_MAX};  // a page that did not open
};

void SealedWeights::OpenSome(void* arg, int, int64_t begin, int64_t end) {
  Opening& opening = *static_cast<Opening*>(arg);
  const SealedWeights& w = *opening.weights;
  for (int64_t i = begin; i < end; ++i) {
    const uint64_t page = w.missing_[static_cast<size_t>(i)];
    if (!w.OpenPage(page, w.Slot(w.slot_of_[page])))
      opening.bad.store(page, std::memory_order_relaxed);
  }
}

// Steps run in a circle: the page that was used last is the one whose next use is farthest away, so
// it goes first. What stays is then as much of the model as the window holds.
Status SealedWeights::MakeRoom() {
  while (free_.size() < missing_.size()) {
    uint64_t begin = resident_.back(), end = begin + 1;
    do {  // neighbours in one call
      begin = resident_.back();
      FreeSlot(begin);
      resident_.pop_back();
    } while (free_.size() < missing_.size() && !resident_.empty() && resident_.back() + 1 == begin);
    if (!keeps_shown_) WHIT_RETURN_IF_ERROR(HidePages(begin, end));
  }
  return OkStatus();
}

Status SealedWeights::HidePages(uint64_t begin, uint64_t end) {
  for (uint64_t page = begin; page < end; ++page) shown_at_[page] = -1;
  return SecretMemory::Hide(base_ + begin * page_bytes_, (end - begin) * page_bytes_);
}

void SealedWeights::FreeSlot(uint64_t page) {
  const int32_t slot = std::exchange(slot_of_[page], -1);
  free_place_[static_cast<size_t>(slot)] = static_cast<int32_t>(free_.size());
  free_.push_back(slot);
}

// `at`: place in free_.
void SealedWeights::TakeSlot(uint64_t page, size_t at) {
  const int32_t slot = free_[at];
  free_[at] = free_.back();
  free_place_[static_cast<size_t>(free_[at])] = static_cast<int32_t>(at);
  free_.pop_back();
  free_place_[static_cast<size_t>(slot)] = -1;
  slot_of_[page] = slot;
}

// The slot that a page had last is shown at its addresses already: runs that ask for the same pages
// in the same order soon map nothing any more.
void SealedWeights::TakeSlots() {
  for (const uint64_t page : missing_) {
    const int32_t last = shown_at_[page];
    const int32_t place = last < 0 ? -1 : free_place_[static_cast<size_t>(last)];
    if (place >= 0) TakeSlot(page, static_cast<size_t>(place));
  }
  for (const uint64_t page : missing_) {
    if (slot_of_[page] < 0) TakeSlot(page, free_.size() - 1);
  }
}

Status SealedWeights::OpenMissing(ThreadPool* pool) {
  TakeSlots();
  Opening opening{this};
  const auto count = static_cast<int64_t>(missing_.size());
  if (pool == nullptr) {
    OpenSome(&opening, 0, 0, count);
  } else {
    pool->ParallelFor(count, 1, &OpenSome, &opening);
  }
  const uint64_t bad = opening.bad.load(std::memory_order_relaxed);
  Status status = OkStatus();
  if (bad == UINT64_MAX) {
    status = Show();
  } else {
    status = Status(StatusCode::kIntegrity,
                    "sealed weights, page " + to_string(bad) + " (bytes " +
                        to_string(bad * page_bytes_) + " to " +
                        to_string(bad * page_bytes_ + PageSize(bad) - 1) +
                        " of the weights): not what was sealed under this key: the file was "
                        "changed, damaged or only partly copied; get it again");
  }
  if (status.ok()) return status;
  for (const uint64_t page : missing_) {  // as if they had never been asked for
    (void)HidePages(page, page + 1);
    WipeMemory({Slot(slot_of_[page]), static_cast<size_t>(page_bytes_)});
    FreeSlot(page);
  }
  return status;
}

// Pages that lie side by side in the file and in the window in one call.
Status SealedWeights::Show() {
  for (size_t i = 0, n = 1; i < missing_.size(); i += n, n = 1) {
    const uint64_t page = missing_[i];
    const int32_t slot = slot_of_[page];
    if (shown_at_[page] == slot) continue;
    while (i + n < missing_.size() && missing_[i + n] == page + n &&
           slot_of_[page + n] == slot + static_cast<int32_t>(n))
      ++n;
    WHIT_RETURN_IF_ERROR(window_->Show(base_ + page * page_bytes_,
                                       static_cast<uint64_t>(slot) * page_bytes_, n * page_bytes_));
    for (size_t k = 0; k < n; ++k) shown_at_[page + k] = slot + static_cast<int32_t>(k);
  }
  return OkStatus();
}

Result<SealedWeights::Lease> SealedWeights::Take(std::span<const PageRange> ranges,
                                                 ThreadPool* pool) {
  Lease lease = Lock();
  WHIT_RETURN_IF_ERROR(Open(ranges, pool));
  return lease;
}

Status SealedWeights::Open(std::span<const PageRange> ranges, ThreadPool* pool) {
  const uint64_t wanted = CountPages(ranges);
  if (grows_ && wanted > slots_) WHIT_RETURN_IF_ERROR(SetSlots(wanted));
  WHIT_RETURN_IF_ERROR(CheckFits(wanted));
  missing_.clear();
  for (const PageRange& range : ranges) {
    for (uint64_t page = range.begin; page < range.end; ++page) {
      wanted_[page] = 1;
      if (slot_of_[page] < 0) missing_.push_back(page);
    }
  }
  // What is wanted goes to the end, where the last used are, unless it is there whole.
  const bool all_open = missing_.empty();
  Status status = OkStatus();
  if (!all_open) {
    std::erase_if(resident_, [this](uint64_t page) { return wanted_[page] != 0; });
    status = MakeRoom();
    if (status.ok()) status = OpenMissing(pool);
    if (status.ok()) opened_.fetch_add(missing_.size(), std::memory_order_relaxed);
  }
  for (const PageRange& range : ranges) {
    for (uint64_t page = range.begin; page < range.end; ++page) {
      wanted_[page] = 0;
      if (!all_open && slot_of_[page] >= 0) resident_.push_back(page);
    }
  }
  most_.store(std::max<uint64_t>(most_.load(std::memory_order_relaxed), resident_.size()),
              std::memory_order_relaxed);
  return status;
}

}  // namespace whit
