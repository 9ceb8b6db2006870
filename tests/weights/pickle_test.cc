#include "tools/import/weights/pickle.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/weights/damaged.h"

namespace whit::tools {
namespace {

Result<Pickle> Read(const std::string& text) {
  return ReadPickle(std::as_bytes(std::span(text.data(), text.size())));
}

std::string ErrorOf(const std::string& text) {
  const auto pickle = Read(text);
  return pickle.ok() ? "" : pickle.status().message();
}

TEST(PickleTest, PlainData) {
  // {'a': [1, -2, 2.5, None, True], 'b': (b'x', 70000)}, as Python writes it with protocol 2.
  constexpr char kText[] =
      "\x80\x02}(X\x01\0\0\0a](K\x01J\xfe\xff\xff\xffG\x40\x04\0\0\0\0\0\0N\x88"
      "eX\x01\0\0\0bC\x01xJ\x70\x11\x01\0\x86u.";
  const std::string text(kText, sizeof kText - 1);
  const auto p = Read(text);
  ASSERT_TRUE(p.ok()) << p.status().message();
  const PickleRef a = p->Find(p->root, "a");
  ASSERT_GE(a, 0);
  ASSERT_EQ((*p)[a].items.size(), 5u);
  EXPECT_EQ((*p)[(*p)[a].items[1]].number, -2);
  EXPECT_EQ((*p)[(*p)[a].items[2]].real, 2.5);
  EXPECT_EQ((*p)[(*p)[a].items[3]].kind, PickleKind::kNone);
  const PickleRef b = p->Find(p->root, "b");
  ASSERT_EQ((*p)[b].kind, PickleKind::kTuple);
  EXPECT_EQ((*p)[(*p)[b].items[0]].text, "x");
  EXPECT_EQ((*p)[(*p)[b].items[1]].number, 70000);
  EXPECT_EQ(p->bytes, text.size());
}

TEST(PickleTest, LongIntegers) {
  const auto p = Read(std::string("\x80\x02\x8a\x02\0\xff.", 7));
  ASSERT_TRUE(p.ok());
  EXPECT_EQ((*p)[p->root].number, -256);
}

// Protocol 0 writes floats as text, as repr does.
TEST(PickleTest, DecimalText) {
  for (const auto& [text, value] :
       {std::pair<std::string, double>{"2.5", 2.5}, {"-1e-05", -1e-05}, {"inf", INFINITY}}) {
    const auto p = Read("F" + text + "\n.");
    ASSERT_TRUE(p.ok()) << p.status().message();
    EXPECT_EQ((*p)[p->root].kind, PickleKind::kFloat);
    EXPECT_EQ((*p)[p->root].real, value);
  }
  for (const char* text : {"F\n.", "Fx\n.", "F1.5x\n.", "F1e999\n.", "F1.5"})
    EXPECT_NE(ErrorOf(text), "") << text;
}

// What pickle.dumps makes of an object whose __reduce__ returns (os.system, ("touch x",)), in the
// protocols that spell it differently.
TEST(PickleTest, CallsThatAreNoDataAreRefusedByName) {
  EXPECT_NE(ErrorOf("cposix\nsystem\n(S'touch x'\ntR.").find("posix.system"), std::string::npos);
  EXPECT_NE(ErrorOf(std::string("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x07touch x\x85R.", 30))
                .find("posix.system"),
            std::string::npos);
  EXPECT_NE(ErrorOf("cbuiltins\neval\n(S'1'\ntR.").find("builtins.eval"), std::string::npos);
  EXPECT_NE(ErrorOf("cbuiltins\ngetattr\n(S'1'\ntR.").find("Nothing was executed"),
            std::string::npos);
  // The result of a call is no function.
  EXPECT_NE(ErrorOf("ccollections\nOrderedDict\n(tR(tR."), "");
  // Protocol 0's way to make instances calls classes.
  EXPECT_NE(ErrorOf("(S'touch x'\nios\nsystem\n."), "");
}

TEST(PickleTest, DamageIsNamed) {
  EXPECT_NE(ErrorOf("").find("ends in the middle"), std::string::npos);
  EXPECT_NE(ErrorOf("\x80\x02").find("ends in the middle"), std::string::npos);
  EXPECT_NE(ErrorOf("\x80\x09N.").find("protocol 9"), std::string::npos);
  EXPECT_NE(ErrorOf("a."), "");         // nothing to append
  EXPECT_NE(ErrorOf("t."), "");         // no mark
  EXPECT_NE(ErrorOf("h\x05."), "");     // never remembered
  EXPECT_NE(ErrorOf("(."), "");         // a mark is no value
  EXPECT_NE(ErrorOf("NN\x85]."), "x");  // a rest on the stack does not matter
  EXPECT_NE(ErrorOf(std::string("X\xff\xff\xff\x7f"
                                "ab",
                                7)),
            "");  // 2 GiB of text
}

// A list that holds itself twice, a hundred times over: linear to read.
TEST(PickleTest, SharedValuesAreStoredOnce) {
  std::string text = "\x80\x02]q";
  text += '\0';
  for (int i = 1; i < 100; ++i) {
    text += "](h";
    text += static_cast<char>(i - 1);
    text += "h";
    text += static_cast<char>(i - 1);
    text += "eq";
    text += static_cast<char>(i);
  }
  text += ".";
  const auto p = Read(text);
  ASSERT_TRUE(p.ok()) << p.status().message();
  EXPECT_EQ(p->values.size(), 100u);
}

TEST(PickleTest, EveryOpcodeMayComeAnywhere) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = "]K\x01K\x02";
      text += static_cast<char>(first);
      text += static_cast<char>(second);
      text += "abc\n12\n\x01\x02.";
      (void)Read(text);
    }
  }
}

}  // namespace
}  // namespace whit::tools
