#include "schema/page_checker.h"

#include <algorithm>
#include <string>

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
  done_ = std::make_unique<std::atomic<uint8_t>[]>(static_cast<size_t>(pages_));
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

Status PageChecker::Compare(uint64_t page, const Digest& found) const {
  const auto expected = leaves_.subspan(static_cast<size_t>(page) * kDigestBytes, kDigestBytes);
  if (std::ranges::equal(found, expected)) {
    if (done_[page].exchange(1, std::memory_order_acq_rel) == 0)
      checked_.fetch_add(1, std::memory_order_relaxed);
    return OkStatus();
  }
  const std::span<const std::byte> bytes = Page(page), weights = model_.weights_section();
  const auto begin = static_cast<uint64_t>(bytes.data() - file_.data());
  const bool of_weights = !weights.empty() && bytes.data() >= weights.data();
  return Integrity(std::string(of_weights ? "weights" : "header and graph") + ", page " +
                   to_string(page) + " (bytes " + to_string(begin) + " to " +
                   to_string(begin + bytes.size() - 1) + " of the file): digest " +
                   Short(expected) + " expected, found " + Short(found));
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

}  // namespace whit
