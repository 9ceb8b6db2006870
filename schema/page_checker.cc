#include "schema/page_checker.h"

#include <algorithm>
#include <string>
#include <vector>

#include "schema/hash_tree.h"

namespace whit {

using std::to_string;

namespace {

Status Integrity(const std::string& what) {
  return Status(StatusCode::kIntegrity,
                what + ": the file was changed, damaged or only partly copied; get it again");
}

std::string Short(std::span<const std::byte> digest) { return ToHex(digest.first(8)); }

}  // namespace

PageChecker::PageChecker(const ModelFile& file) : model_(file) {
  const fbs::HashTree& tree = *file.trust()->tree();
  covered_ = static_cast<uint64_t>(file.trust_section().data() - file.file().data());
  file_ = file.file().first(static_cast<size_t>(covered_));
  leaves_ = BytesOf(tree.leaves());
  page_bytes_ = tree.leaf_size();
  pages_ = leaves_.size() / kDigestBytes;
  const std::span<const std::byte> weights = file.weights_section();
  first_weights_ =
      weights.empty() ? pages_ : static_cast<uint64_t>(weights.data() - file_.data()) / page_bytes_;
  state_ = std::make_unique<std::atomic<State>[]>(static_cast<size_t>(pages_));
  sums_ = std::make_unique<std::atomic<uint64_t>[]>(static_cast<size_t>(2 * pages_));
}

Result<std::unique_ptr<PageChecker>> PageChecker::Create(const ModelFile& file) {
  if (!file.has_hash_tree()) return std::unique_ptr<PageChecker>();
  if (!CryptoAvailable()) {
    return Status(StatusCode::kUnsupported,
                  "the file has a hash tree, and this build (WHIT_SODIUM=OFF) cannot check it; "
                  "build with libsodium, or open it with integrity off");
  }
  std::unique_ptr<PageChecker> checker(new PageChecker(file));
  WHIT_RETURN_IF_ERROR(checker->CheckRoot());
  if (file.has_signature()) WHIT_RETURN_IF_ERROR(checker->CheckSignature());
  WHIT_RETURN_IF_ERROR(checker->CheckHead());
  return checker;
}

Status PageChecker::CheckRoot() const {
  const fbs::HashTree& tree = *model_.trust()->tree();
  const Digest root = RootDigest(covered_, tree.leaf_size(), leaves_);
  if (std::ranges::equal(root, BytesOf(tree.root()))) return OkStatus();
  return Integrity("trust section: root " + Short(BytesOf(tree.root())) + ", but its leaves give " +
                   Short(root));
}

Status PageChecker::CheckSignature() const {
  const fbs::Trust& trust = *model_.trust();
  const std::span<const std::byte> key = BytesOf(trust.signature()->public_key());
  const Digest digest = SignedDigest(model_.trust_copy(), trust);
  if (SignatureIsTrue(BytesOf(trust.signature()->signature()).first<kSignatureBytes>(), digest,
                      key.first<kPublicKeyBytes>())) {
    return OkStatus();
  }
  return Integrity("signature: not the one of key " + ToHex(key) + " over this file");
}

// Header and graph from the copies that are used, not from the mapping: what another process writes
// there later was never read.
Status PageChecker::CheckHead() const {
  const std::span<const std::byte> weights = model_.weights_section();
  const uint64_t head =
      weights.empty() ? covered_ : static_cast<uint64_t>(weights.data() - file_.data());
  const std::span<const std::byte> header = std::as_bytes(std::span(&model_.header(), 1));
  const auto graph_at = static_cast<uint64_t>(model_.graph_section().data() - file_.data());
  const std::span<const std::byte> pieces[] = {
      header, file_.subspan(header.size(), static_cast<size_t>(graph_at - header.size())),
      model_.graph_copy(),
      file_.subspan(static_cast<size_t>(graph_at + model_.graph_copy().size()),
                    static_cast<size_t>(head - graph_at - model_.graph_copy().size()))};
  LeafStream stream(page_bytes_,
                    [this](uint64_t page, const Digest& leaf) { return Compare(page, leaf); });
  for (std::span<const std::byte> piece : pieces) WHIT_RETURN_IF_ERROR(stream.Update(piece));
  return stream.Finish();
}

std::span<const std::byte> PageChecker::Page(uint64_t page) const {
  const uint64_t begin = page * page_bytes_;
  return file_.subspan(static_cast<size_t>(begin),
                       static_cast<size_t>(std::min(page_bytes_, covered_ - begin)));
}

bool PageChecker::Passes(uint64_t page, const Digest& digest) const {
  return std::ranges::equal(
      digest, leaves_.subspan(static_cast<size_t>(page) * kDigestBytes, kDigestBytes));
}

// "weights, page 1 (bytes 16384 to 32767 of the file): digest 0123456789abcdef expected".
std::string PageChecker::NameOf(uint64_t page) const {
  const std::span<const std::byte> bytes = Page(page);
  const auto begin = static_cast<uint64_t>(bytes.data() - file_.data());
  return std::string(page >= first_weights_ ? "weights" : "header and graph") + ", page " +
         to_string(page) + " (bytes " + to_string(begin) + " to " +
         to_string(begin + bytes.size() - 1) + " of the file): digest " +
         Short(leaves_.subspan(static_cast<size_t>(page) * kDigestBytes, kDigestBytes)) +
         " expected";
}

Status PageChecker::Compare(uint64_t page, const Digest& found) const {
  if (!Passes(page, found)) return Integrity(NameOf(page) + ", found " + Short(found));
  State before = kUnknown;
  if (state_[page].compare_exchange_strong(before, kPassed, std::memory_order_acq_rel))
    checked_.fetch_add(1, std::memory_order_relaxed);
  return OkStatus();
}

// The sum before the digest: a bit that flips between the two makes the digest wrong, the other way
// round it would be recorded as right.
bool PageChecker::PassesNow(uint64_t page) const {
  const PageSum sum = SumOf(Page(page));
  if (!Passes(page, LeafDigest(page, Page(page)))) return false;
  sums_[2 * page].store(sum.words, std::memory_order_relaxed);
  sums_[2 * page + 1].store(sum.running, std::memory_order_relaxed);
  state_[page].store(kSummed, std::memory_order_release);
  return true;
}

PageRange PageChecker::PagesOf(std::span<const std::byte> bytes) const {
  const auto at = reinterpret_cast<uintptr_t>(bytes.data());
  const auto begin = reinterpret_cast<uintptr_t>(file_.data());
  if (bytes.empty() || at < begin || at - begin >= covered_) return {};
  const uint64_t offset = at - begin;
  return {offset / page_bytes_,
          std::min<uint64_t>(pages_, (offset + bytes.size() + page_bytes_ - 1) / page_bytes_)};
}

Status PageChecker::Check(uint64_t page) const {
  return IsChecked(page) ? OkStatus() : Compare(page, LeafDigest(page, Page(page)));
}

Status PageChecker::CheckRange(PageRange range) const {
  for (uint64_t page = range.begin; page < range.end; ++page) WHIT_RETURN_IF_ERROR(Check(page));
  return OkStatus();
}

bool PageChecker::StillHolds(uint64_t page) const {
  const State state = state_[page].load(std::memory_order_acquire);
  if (state == kUnknown) return true;
  if (state == kPassed) return PassesNow(page);
  const PageSum recorded{sums_[2 * page].load(std::memory_order_relaxed),
                         sums_[2 * page + 1].load(std::memory_order_relaxed)};
  return SumOf(Page(page)) == recorded;
}

Result<bool> PageChecker::Repair(uint64_t page) const {
  const std::lock_guard lock(repair_);
  const std::span<const std::byte> bytes = Page(page);
  if (PassesNow(page)) return false;
  const Digest found = LeafDigest(page, bytes);
  const Mapping& mapping = model_.mapping();
  mapping.Forget(bytes);
  if (PassesNow(page)) return true;
  std::vector<std::byte> stored(bytes.size());
  Status status = mapping.ReadStored(bytes, stored);
  if (!status.ok()) {
    return Integrity(NameOf(page) + ", found " + Short(found) +
                     " in memory, and no repair: " + status.message());
  }
  const Digest digest = LeafDigest(page, stored);
  if (!Passes(page, digest)) {
    return Integrity(NameOf(page) + ", found " + Short(found) + " in memory and " + Short(digest) +
                     " in storage");
  }
  WHIT_RETURN_IF_ERROR(mapping.Overwrite(bytes, stored));
  if (PassesNow(page)) return true;
  return Integrity(NameOf(page) + ", and memory does not hold it though storage has it");
}

}  // namespace whit
