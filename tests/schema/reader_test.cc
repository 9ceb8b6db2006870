#include "schema/reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kernels/tensor.h"
#include "tests/platform/temp_folder.h"
#include "tests/schema/tiny_model.h"

namespace whit {
namespace {

static_assert(format::kMaxRank == kMaxRank);
static_assert(static_cast<int>(fbs::DType::MAX) + 1 == kDTypeCount);
static_assert(static_cast<int>(fbs::Layout::MAX) + 1 == kWeightLayoutCount);

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::byte> TinyFileWithTrust() { return Signed(TinyFile()); }

// Reads all that a verified file promises to be readable; sanitizers see an access that is not.
uint64_t Touch(const ModelFile& file) {
  uint64_t sum = 0;
  for (size_t i = 0; i < file.blob_count(); ++i) {
    for (std::byte b : file.blob(i)) sum += static_cast<uint64_t>(b);
  }
  std::unique_ptr<fbs::ModelT> copy(file.graph().UnPack());  // visits every field of the graph
  for (const auto& s : copy->subgraphs) {
    for (const auto& t : s->tensors) sum += t->name.size() + t->shape.size();
  }
  return sum + file.main_subgraph().tensors()->size() + file.signature().inputs()->size();
}

TEST(ReaderTest, OpensWhatTheWriterWrote) {
  const auto bytes = TinyFile();
  auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const ModelFile& f = **file;
  EXPECT_EQ(f.graph().name()->str(), "tiny");
  EXPECT_EQ(f.main_subgraph().operators()->size(), 5u);
  EXPECT_EQ(f.file_bytes(), bytes.size());
  EXPECT_EQ(f.trust(), nullptr);
  EXPECT_FALSE(f.has_signature() || f.has_hash_tree() || f.mapped());
  const auto weights = f.blob(static_cast<size_t>(f.graph().weights()->Get(0)->data()));
  ASSERT_EQ(weights.size(), 64u);
  EXPECT_TRUE(
      std::all_of(weights.begin(), weights.end(), [](std::byte b) { return b == std::byte{1}; }));
  // In place: blobs lie inside the caller's bytes, the weights section at a multiple of 16 KiB,
  // blobs at multiples of 64.
  EXPECT_GE(weights.data(), bytes.data());
  EXPECT_LE(weights.data() + weights.size(), bytes.data() + bytes.size());
  EXPECT_EQ((f.weights_section().data() - bytes.data()) % 16384, 0);
  EXPECT_EQ((weights.data() - bytes.data()) % 64, 0);
  // Owned: the graph does not.
  const auto* graph = reinterpret_cast<const std::byte*>(&f.graph());
  EXPECT_TRUE(graph < bytes.data() || graph >= bytes.data() + bytes.size());
}

TEST(ReaderTest, TrustSection) {
  const auto bytes = TinyFileWithTrust();
  auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE((*file)->has_signature());
  EXPECT_TRUE((*file)->has_hash_tree());
  EXPECT_EQ((*file)->trust_section().data() + (*file)->trust_section().size(),
            bytes.data() + bytes.size());
}

TEST(ReaderTest, EveryChangedByteOfTheHeaderIsNoticed) {
  for (const auto& original : {TinyFile(), TinyFileWithTrust()}) {
    auto bytes = original;
    for (size_t i = 0; i < sizeof(format::Header); ++i) {
      for (unsigned flip : {1u, 0x80u, 0xffu}) {
        bytes[i] ^= static_cast<std::byte>(flip);
        EXPECT_FALSE(OpenBytes(bytes).ok()) << "byte " << i;
        bytes[i] ^= static_cast<std::byte>(flip);
      }
    }
    EXPECT_TRUE(OpenBytes(bytes).ok());
  }
}

TEST(ReaderTest, EveryTruncationIsNoticed) {
  const auto bytes = TinyFileWithTrust();
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of just that size, so that a sanitizer sees reads behind it.
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<long>(size));
    auto file = OpenBytes(part);
    ASSERT_FALSE(file.ok()) << size;
    EXPECT_EQ(file.status().code(), StatusCode::kInvalidModel);
    if (size >= 256) {
      EXPECT_TRUE(Contains(file.status().message(), std::to_string(size)))
          << file.status().message();
    }
  }
}

TEST(ReaderTest, TrailingBytes) {
  auto bytes = TinyFile();
  bytes.resize(bytes.size() + 1);
  auto file = OpenBytes(bytes);
  ASSERT_FALSE(file.ok());
  EXPECT_TRUE(Contains(file.status().message(), std::to_string(bytes.size())));
  ReadLimits limits;
  limits.allow_trailing_bytes = true;
  file = OpenBytes(bytes, limits);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->file_bytes(), bytes.size() - 1);
}

TEST(ReaderTest, InsideAnArchiveAtAnyMultipleOfFour) {
  TempFolder folder;
  const auto model = TinyFile();
  for (size_t offset : {size_t{4}, size_t{60}, size_t{4100}, size_t{16384}, size_t{6}}) {
    std::vector<std::byte> archive(offset, std::byte{0x55});
    archive.insert(archive.end(), model.begin(), model.end());
    archive.resize(archive.size() + 100);
    const std::string path = folder.Add("archive", archive);
    for (MapMode mode : {MapMode::kMap, MapMode::kRead, MapMode::kLock}) {
      auto mapping = Mapping::MapFile(path, mode, offset, model.size());
      ASSERT_TRUE(mapping.ok());
      auto file = ModelFile::Open(std::move(*mapping));
      const bool readable = offset % 4 == 0 || mode == MapMode::kRead;
      ASSERT_EQ(file.ok(), readable) << offset;
      if (readable) {
        Touch(**file);
      } else {
        EXPECT_TRUE(Contains(file.status().message(), "multiple of 4"));
      }
    }
  }
}

TEST(ReaderTest, OtherFilesAreOneClearLine) {
  std::vector<std::byte> bytes = Filled(1000, 0);
  EXPECT_TRUE(Contains(OpenBytes(bytes).status().message(), "not a whit model"));
  EXPECT_TRUE(Contains(OpenBytes({}).status().message(), "0 bytes"));
  bytes = TinyFile();
  bytes[6] = std::byte{99};
  FixChecksum(bytes);
  EXPECT_TRUE(Contains(OpenBytes(bytes).status().message(), "version 0.99"));
  EXPECT_EQ(OpenBytes(bytes).status().code(), StatusCode::kUnsupported);
}

TEST(ReaderTest, LimitsNameBothNumbers) {
  const auto bytes = TinyFile();
  const auto message = [&](const ReadLimits& limits) {
    auto file = OpenBytes(bytes, limits);
    EXPECT_FALSE(file.ok());
    EXPECT_EQ(file.status().code(), StatusCode::kOverBudget);
    return file.status().message();
  };
  ReadLimits limits;
  limits.max_tensors = 6;
  EXPECT_TRUE(Contains(message(limits), "7 tensors, at most 6"));
  limits = {};
  limits.max_operators = 4;
  EXPECT_TRUE(Contains(message(limits), "5 operators, at most 4"));
  limits = {};
  limits.max_graph_bytes = 100;
  EXPECT_TRUE(Contains(message(limits), "at most 100"));
}

TEST(ReaderTest, EveryAllocationMayFail) {
  TempFolder folder;
  const std::string path = folder.Add("a", TinyFileWithTrust());
  int failures = 0;
  for (int n = 1;; ++n) {
    FailAllocationForTest(n);
    Status status = OkStatus();
    auto mapping = Mapping::MapFile(path, MapMode::kRead);
    if (mapping.ok()) {
      status = ModelFile::Open(std::move(*mapping)).status();
    } else {
      status = mapping.status();
    }
    FailAllocationForTest(0);
    if (status.ok()) break;
    EXPECT_EQ(status.code(), StatusCode::kOutOfMemory);
    ++failures;
    ASSERT_LT(n, 100);
  }
  EXPECT_EQ(failures, 3);  // file, graph, trust
}

TEST(ReaderTest, BytesThatChangeAfterTheCheckSteerNothing) {
  auto bytes = TinyFile();
  auto file = OpenBytes(bytes);
  ASSERT_TRUE(file.ok());
  std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  EXPECT_EQ((*file)->graph().name()->str(), "tiny");
  EXPECT_EQ((*file)->blob(0).size(), 64u);
  Touch(**file);
}

// Sections: the header is made consistent again, so that what lies behind the checksum is tested.
TEST(ReaderTest, SectionRules) {
  const auto original = TinyFileWithTrust();
  const auto message = [&](auto change) {
    auto bytes = original;
    format::Header header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    change(&header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    FixChecksum(bytes);
    return OpenBytes(bytes).status().message();
  };
  using H = format::Header*;
  EXPECT_EQ(message([](H) {}), "");
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].offset = 64; }), "offset 64 is inside"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].offset += 4; }), "not a multiple of 64"));
  EXPECT_TRUE(
      Contains(message([](H h) { h->sections[1].offset += 64; }), "not a multiple of 16384"));
  EXPECT_TRUE(
      Contains(message([](H h) { h->sections[0].size = UINT64_MAX; }), "end outside of the file"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].offset = ~uint64_t{63}; }),
                       "end outside of the file"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].size = 16300; }), "begins at 16384"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[5] = h->sections[0]; }), "has two"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].flags = format::kSectionSealed; }),
                       "does not know"));  // a graph is never sealed
  EXPECT_TRUE(Contains(message([](H h) { h->sections[1].flags = format::kSectionSealed; }),
                       "the trust section does not say how"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[0].flags = 1u << 31; }), "does not know"));
  EXPECT_TRUE(
      Contains(message([](H h) { h->sections[0].id = 0; }), "graph section: is empty or missing"));
  EXPECT_TRUE(Contains(message([](H h) { h->sections[1].id = 0; }),
                       "outside of the weights section of 0 bytes"));
  EXPECT_TRUE(
      Contains(message([](H h) { std::swap(h->sections[1].id, h->sections[2].id); }), "weights"));
  EXPECT_TRUE(Contains(message([](H h) { h->reserved[3] = 1; }), "reserved"));
  EXPECT_TRUE(Contains(message([](H h) { h->file_size += 1; }), "truncated"));
  // A newer section that need not be understood is no obstacle, and low flags are hints.
  EXPECT_EQ(message([](H h) { h->sections[7] = {77, 1, 16320, 64}; }), "");
}

// Random changes of the graph, of the header (checksum made right again) and of the trust section:
// an error or a valid file.
TEST(ReaderTest, RandomMutations) {
  std::mt19937 random(20240607);
  const auto original = TinyFileWithTrust();
  format::Header header;
  std::memcpy(&header, original.data(), sizeof(header));
  const format::Section& graph = header.sections[0];
  const format::Section& trust = header.sections[2];
  const uint32_t interesting[] = {0,          1,          2,          3,         4,
                                  0x7f,       0x80,       0xff,       0x7fff,    0xffff,
                                  0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
  int opened = 0;
  for (int i = 0; i < 30'000; ++i) {
    auto bytes = original;
    const int changes = 1 + static_cast<int>(random() % 3);
    for (int c = 0; c < changes; ++c) {
      const unsigned kind = random() % 16;
      const uint64_t begin = kind == 0 ? 0 : kind == 1 ? trust.offset : graph.offset;
      const uint64_t size = kind == 0 ? 248 : kind == 1 ? trust.size : graph.size;
      if (random() % 2 == 0) {
        bytes[begin + random() % size] = static_cast<std::byte>(random());
      } else {
        const uint64_t at = begin + random() % (size / 4) * 4;
        uint32_t value = interesting[random() % std::size(interesting)];
        if (random() % 3 == 0) value = static_cast<uint32_t>(random() % graph.size);
        std::memcpy(bytes.data() + at, &value, sizeof(value));
      }
    }
    FixChecksum(bytes);
    auto file = OpenBytes(bytes);
    if (file.ok()) {
      ++opened;
      Touch(**file);
    } else {
      ASSERT_FALSE(file.status().message().empty());
    }
  }
  EXPECT_GT(opened, 1000);    // else the mutations never reach the validator
  EXPECT_LT(opened, 25'000);  // else they change nothing
}

}  // namespace
}  // namespace whit
