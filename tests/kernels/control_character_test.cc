#include "kernels/base/control_character.h"

#include <gtest/gtest.h>

namespace flyball {
namespace {

TEST(Printable, KeepsTextOfAnyScript) {
  for (const char* text : {"", "plain", "Größe 60 °C", "\u540d\u524d", "\u05e9\u05dc\u05d5\u05dd",
                           "\U0001f600", "a\u00a0b", "\ufffd"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ClearsWhatATerminalMightObey) {
  EXPECT_EQ(printable("a\x1b[2J"), "a?[2J");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a?b");
  EXPECT_EQ(printable("a\x7f\u0080\u009b"), "a???");
  EXPECT_EQ(printable("one\ntwo\tthree\r"), "one two three ");
}

// "exe.cod" may be the end of a name that ends in "doc.exe".
TEST(Printable, ClearsWhatTurnsOrBreaksALine) {
  for (const char* mark : {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b",
                           "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"})
    EXPECT_EQ(printable(std::string("a") + mark + "b"), "a?b") << mark;
  for (const char* beside :
       {"\u061b", "\u061d", "\u200d", "\u2010", "\u2027", "\u202f", "\u2065", "\u206a"})
    EXPECT_EQ(printable(beside), beside);
}

TEST(Printable, ClearsBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\x9b\xff"), "??");
  EXPECT_EQ(printable("a\xc3"), "a?");
  EXPECT_EQ(printable("\xe0\x82\x9b"), "???") << "U+009B in three bytes";
  EXPECT_EQ(printable("\xf0\x82\x80\xae"), "????") << "U+202E in four";
}

}  // namespace
}  // namespace flyball
