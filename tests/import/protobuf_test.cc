#include "tools/import/protobuf.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace whit::tools {
namespace {

std::vector<std::byte> Wire(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int v : values) bytes.push_back(static_cast<std::byte>(v));
  return bytes;
}

// Reads to the end; the number of fields.
int Count(const std::vector<std::byte>& bytes, Status* status) {
  ProtoReader r(bytes, "test");
  int count = 0;
  for (ProtoField f; r.Next(&f);) ++count;
  *status = r.status();
  return count;
}

TEST(ProtobufTest, FieldsOfEveryWireType) {
  // 1: varint 300; 2: fixed64 1.0; 3: "hi"; 4: fixed32 2.5; 5: varint -1.
  const auto bytes = Wire({0x08, 0xac, 0x02, 0x11, 0,    0,    0,    0,    0,    0,    0xf0,
                           0x3f, 0x1a, 2,    'h',  'i',  0x25, 0,    0,    0x20, 0x40, 0x28,
                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  ProtoReader r(bytes, "test");
  std::vector<double> doubles;
  for (ProtoField f; r.Next(&f);) {
    if (f.number == 1) {
      EXPECT_EQ(r.Int(f), 300);
    }
    if (f.number == 2) r.Doubles(f, &doubles);
    if (f.number == 3) {
      EXPECT_EQ(r.Text(f), "hi");
    }
    if (f.number == 4) {
      EXPECT_EQ(r.Float(f), 2.5f);
    }
    if (f.number == 5) {
      EXPECT_EQ(r.Int(f), -1);
    }
  }
  EXPECT_TRUE(r.status().ok()) << r.status().message();
  EXPECT_EQ(doubles, std::vector<double>{1.0});
}

TEST(ProtobufTest, RepeatedNumbersPackedAndNot) {
  const auto bytes = Wire({0x0a, 3, 1, 0x96, 0x01, 0x08, 7, 0x12, 4, 0, 0, 0x80, 0x3f});
  ProtoReader r(bytes, "test");
  std::vector<int64_t> ints;
  std::vector<float> floats;
  for (ProtoField f; r.Next(&f);) {
    if (f.number == 1) r.Ints(f, &ints);
    if (f.number == 2) r.Floats(f, &floats);
  }
  EXPECT_TRUE(r.status().ok()) << r.status().message();
  EXPECT_EQ(ints, (std::vector<int64_t>{1, 150, 7}));
  EXPECT_EQ(floats, std::vector<float>{1.0f});
}

TEST(ProtobufTest, DamagedBytesAreErrors) {
  Status status;
  EXPECT_EQ(Count(Wire({0x0a, 5, 1, 2}), &status), 0);  // 5 bytes, 2 are there
  EXPECT_NE(status.message().find("5 bytes where 2 are left"), std::string::npos);
  for (const auto& bytes : {
           Wire({0x80}),              // a number without an end
           Wire({0x08, 0x80}),        // the same of a value
           Wire({0x00, 1}),           // field 0
           Wire({0x0b}),              // a group begins
           Wire({0x0f, 0}),           // wire type 7
           Wire({0x0d, 1, 2, 3}),     // 3 of 4 bytes
           Wire({0x09, 1, 2, 3, 4}),  // 4 of 8 bytes
           Wire({0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}),  // 2^64 - 1
           Wire({0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),  // 65 bits
           Wire({0xff, 0xff, 0xff, 0xff, 0x7f, 1}),  // field number of 32 bits
       }) {
    Count(bytes, &status);
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel);
  }
}

TEST(ProtobufTest, WrongWireTypeIsAnError) {
  const auto bytes = Wire({0x08, 1, 0x12, 3, 1, 2, 3});
  for (int what = 0; what < 3; ++what) {
    ProtoReader r(bytes, "test");
    std::vector<float> floats;
    for (ProtoField f; r.Next(&f);) {
      if (what == 0 && f.number == 1) r.Text(f);
      if (what == 1 && f.number == 2) r.Int(f);
      if (what == 2 && f.number == 2) r.Floats(f, &floats);  // 3 bytes are no floats
    }
    EXPECT_EQ(r.status().code(), StatusCode::kInvalidModel) << what;
  }
}

Status Descend(ProtoReader r, int* depth) {
  for (ProtoField f; r.Next(&f);) {
    ++*depth;
    r.Fail(Descend(r.Message(f, "inner"), depth));
  }
  return r.status();
}

TEST(ProtobufTest, NestingHasABound) {
  std::vector<std::byte> bytes;
  for (int i = 0; i < 60; ++i) {
    auto outer = Wire({0x0a, static_cast<int>(bytes.size())});
    outer.insert(outer.end(), bytes.begin(), bytes.end());
    bytes = std::move(outer);
  }
  int depth = 0;
  EXPECT_TRUE(Descend(ProtoReader(bytes, "test"), &depth).ok());
  EXPECT_EQ(depth, 60);
  for (int i = 0; i < 20; ++i) {
    auto outer = Wire(
        {0x0a, static_cast<int>(bytes.size() & 0x7f) | 0x80, static_cast<int>(bytes.size() >> 7)});
    outer.insert(outer.end(), bytes.begin(), bytes.end());
    bytes = std::move(outer);
  }
  const Status status = Descend(ProtoReader(bytes, "test"), &depth);
  EXPECT_NE(status.message().find("more than 64 deep"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace whit::tools
