#include "env/config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/base/read_file.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

class YamlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "flyball-yaml-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    path_ = (dir_ / "x.yaml").string();
  }
  void TearDown() override { fs::remove_all(dir_); }

  YamlMap open(const std::string& text) {
    std::ofstream(path_) << text;
    return YamlMap::file(path_, 1,
                         {"period_ms", "kind", "name", "deep", "items", "values", "flag"});
  }

  /// The complaint, with the path of the file shortened to "x.yaml".
  template <typename Action>
  std::string complaint(Action action) {
    try {
      action();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::kInput);
      std::string message = e.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      for (auto at = message.find(dir_.string()); at != std::string::npos;
           at = message.find(dir_.string())) {
        message.erase(at, dir_.string().size() + 1);
      }
      return message;
    }
    ADD_FAILURE() << "nothing was refused";
    return "";
  }
  std::string refusal(const std::string& text) {
    return complaint([&] { open(text); });
  }

  fs::path dir_;
  std::string path_;
};

TEST_F(YamlTest, ReadsWhatIsThere) {
  const YamlMap root = open(
      "schema: 1\nperiod_ms: 2.5e1\nkind: slow\nname: 'a b'\nflag: true\n"
      "deep: {name: x}\nitems:\n  - {name: one}\n  - {name: two}\nvalues: [1, -2.5, +3]\n");
  EXPECT_DOUBLE_EQ(root.number("period_ms", 0, 100), 25);
  EXPECT_EQ(root.choice("kind", {"fast", "slow"}), 1);
  EXPECT_EQ(root.text("name"), "a b");
  EXPECT_TRUE(root.boolean_or("flag", false));
  EXPECT_EQ(root.map("deep", {"name"}).text("name"), "x");
  const std::vector<YamlMap> items = root.list("items", {"name"});
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[1].text("name"), "two");
  EXPECT_THAT(root.numbers("values", -10, 10), ::testing::ElementsAre(1, -2.5, 3));
}

TEST_F(YamlTest, AbsentOptionalKeysTakeTheirDefaults) {
  const YamlMap root = open("schema: 1\n");
  EXPECT_FALSE(root.has("name"));
  EXPECT_DOUBLE_EQ(root.number_or("period_ms", 40, 0, 100), 40);
  EXPECT_EQ(root.integer_or("period_ms", 7, 0, 100), 7);
  EXPECT_TRUE(root.boolean_or("flag", true));
  EXPECT_EQ(root.text_or("name", "none"), "none");
  EXPECT_TRUE(root.list("items", {}).empty());
  EXPECT_TRUE(root.named_maps("deep", {}).empty());
}

TEST_F(YamlTest, NamedMapsKeepTheOrderOfTheFile) {
  const YamlMap root = open("schema: 1\ndeep:\n  zebra: {name: z}\n  ant: {name: a}\n");
  const auto maps = root.named_maps("deep", {"name"});
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0].first, "zebra");
  EXPECT_EQ(maps[1].second.text("name"), "a");
}

TEST_F(YamlTest, NamesThatBecomePartOfOthersArePlain) {
  EXPECT_EQ(open("schema: 1\nname: A15-x_2\n").name("name"), "A15-x_2");
  for (const char* name : {"'a b'", "a=b", "'a;b'", "'a,b'", "a/b", "\"a\\nb\"", "\xc3\xa4",
                           "abcdefghijklmnopqrstuvwxyz0123456"}) {
    EXPECT_EQ(complaint([&] { open(std::string("schema: 1\nname: ") + name + "\n").name("name"); }),
              "x.yaml:2: key 'name': the name is not plain; "
              "use up to 32 letters, digits, '_' and '-'")
        << name;
  }
  EXPECT_EQ(
      complaint([&] { open("schema: 1\ndeep:\n  a: {}\n  b c: {}\n").named_maps("deep", {}); }),
      "x.yaml:4: key 'b c': the name is not plain; use up to 32 letters, digits, '_' and '-'");
}

TEST_F(YamlTest, AssigningAViewLeavesTheDocumentAlone) {
  const YamlMap root = open("schema: 1\nitems:\n  - {name: one}\n  - {name: two}\n");
  std::vector<YamlMap> items = root.list("items", {"name"});
  std::swap(items[0], items[1]);
  EXPECT_EQ(items[0].text("name"), "two");
  EXPECT_EQ(items[1].text("name"), "one");
  EXPECT_EQ(root.list("items", {"name"})[0].text("name"), "one");
}

TEST_F(YamlTest, AnUnknownKeyIsNamedWithLineAndNearestKnownKey) {
  EXPECT_EQ(refusal("schema: 1\nname: x\nperod_ms: 40\n"),
            "x.yaml:3: key 'perod_ms': is unknown (did you mean 'period_ms'?); known keys here are "
            "period_ms, kind, name, deep, items, values, flag");
  EXPECT_EQ(refusal("schema: 1\nzzzzzz: 40\n"),
            "x.yaml:2: key 'zzzzzz': is unknown; known keys here are "
            "period_ms, kind, name, deep, items, values, flag");
  EXPECT_EQ(complaint([&] {
              open("schema: 1\nitems:\n  - {name: a}\n  - nmae: b\n").list("items", {"name"});
            }),
            "x.yaml:4: key 'nmae': is unknown (did you mean 'name'?); known keys here are name");
}

TEST_F(YamlTest, AKeyThatOccursTwiceIsRefused) {
  EXPECT_EQ(refusal("schema: 1\nname: x\nkind: a\nname: y\n"),
            "x.yaml:4: key 'name': occurs twice in the same mapping; remove one of the two");
  EXPECT_EQ(complaint([&] { open("schema: 1\ndeep:\n  a: {}\n  a: {}\n").named_maps("deep", {}); }),
            "x.yaml:4: key 'a': occurs twice in the same mapping; remove one of the two");
}

TEST_F(YamlTest, TheSchemaComesFirst) {
  EXPECT_EQ(refusal("name: x\n"), "x.yaml:1: key 'schema': is missing; add 'schema: 1'");
  // Another version is told so before its unknown keys are.
  EXPECT_EQ(refusal("schema: 2\nnew_key: x\n"),
            "x.yaml:1: key 'schema': is '2', but this program reads version 1; "
            "convert the file and set 'schema: 1', or use the program it is for");
  EXPECT_EQ(refusal(""), "x.yaml: the file is empty; begin it with 'schema: 1'");
  EXPECT_EQ(refusal("- 1\n"),
            "x.yaml:1: the file must be a mapping, but is a list; begin it with 'schema: 1'");
  EXPECT_EQ(refusal("schema: 1\n---\nschema: 1\n"),
            "x.yaml:2: a second YAML document begins here; "
            "keep one: remove a '---', or a comma outside of brackets");
}

TEST_F(YamlTest, BrokenYamlIsRefusedAtItsLine) {
  EXPECT_THAT(refusal("schema: 1\nname: [1, 2\n"),
              ::testing::MatchesRegex("x\\.yaml:[23]: not valid YAML: .*; mend the syntax here"));
  EXPECT_THAT(refusal("schema: 1\nname: *nowhere\n"), ::testing::HasSubstr("x.yaml:2: not valid"));
  EXPECT_THAT(refusal("schema: 1\nname: " + std::string(100'000, '[')),
              ::testing::HasSubstr("x.yaml:2: not valid"));
  EXPECT_THAT(refusal("schema: 1\n? [a]\n: x\n"), ::testing::HasSubstr("x.yaml:2: "));
  // yaml-cpp takes the comma for documents without end.
  EXPECT_THAT(refusal("{schema: 1}\n,\n"),
              ::testing::HasSubstr("x.yaml:2: a second YAML document"));
  EXPECT_THAT(refusal(","), ::testing::HasSubstr("a second YAML document"));
}

TEST_F(YamlTest, TypesAndRangesAreChecked) {
  const auto number = [&](const std::string& value) {
    return complaint(
        [&] { open("schema: 1\n\nperiod_ms: " + value + "\n").number("period_ms", 1, 50); });
  };
  EXPECT_EQ(number("fast"),
            "x.yaml:3: key 'period_ms': must be a number, but is 'fast'; give one from 1 to 50");
  EXPECT_EQ(number("60"),
            "x.yaml:3: key 'period_ms': 60 is out of range; give a number from 1 to 50");
  EXPECT_EQ(number("[1]"),
            "x.yaml:3: key 'period_ms': must be a number, but is a list; give one from 1 to 50");
  EXPECT_EQ(number(""), "x.yaml:3: key 'period_ms': has no value; give it one, or remove the key");
  for (const char* odd : {".nan", "nan", ".inf", "inf", "1e999", "0x10", "1.5ms", "'20'", "+-5"}) {
    EXPECT_THAT(number(odd), ::testing::HasSubstr("must be a number")) << odd;
  }
  EXPECT_EQ(complaint([&] { open("schema: 1\n").number("period_ms", 1, 50); }),
            "x.yaml:1: key 'period_ms': is missing; add it");
  EXPECT_EQ(
      complaint([&] { open("schema: 1\nvalues: [1,\n 99]\n").numbers("values", 0, 10); }),
      "x.yaml:3: key 'values': item 2 must be a number from 0 to 10, but is '99'; correct it");
  EXPECT_EQ(
      complaint([&] { open("schema: 1\nperiod_ms: 2.5\n").integer("period_ms", 1, 50); }),
      "x.yaml:2: key 'period_ms': must be a whole number, but is '2.5'; give one from 1 to 50");
  EXPECT_EQ(complaint([&] { open("schema: 1\nflag: no\n").boolean_or("flag", true); }),
            "x.yaml:2: key 'flag': must be true or false, but is 'no'; write true or false");
  EXPECT_EQ(complaint([&] {
              open("schema: 1\nkind: fsat\n").choice("kind", {"fast", "slow"});
            }),
            "x.yaml:2: key 'kind': 'fsat' is not one of its values (did you mean 'fast'?); "
            "choose one of fast, slow");
  EXPECT_EQ(complaint([&] { open("schema: 1\ndeep: 5\n").map("deep", {"name"}); }),
            "x.yaml:2: key 'deep': must be a mapping, but is '5'; known keys in it are name");
  EXPECT_EQ(complaint([&] { open("schema: 1\nitems: {a: 1}\n").list("items", {"name"}); }),
            "x.yaml:2: key 'items': must be a list, but is a mapping; begin each item with '- '");
}

TEST_F(YamlTest, QuotesAreShownAsWhatTheyAre) {
  const std::string text = "schema: 1\nperiod_ms: \"5\"\nflag: 'true'\nvalues: [1, '2']\n";
  EXPECT_EQ(complaint([&] { open(text).number("period_ms", 1, 50); }),
            "x.yaml:2: key 'period_ms': must be a number without quotes, but is the text \"5\"; "
            "give one from 1 to 50");
  EXPECT_EQ(complaint([&] { open(text).integer("period_ms", 1, 50); }),
            "x.yaml:2: key 'period_ms': must be a whole number without quotes, but is the text "
            "\"5\"; give one from 1 to 50");
  EXPECT_EQ(complaint([&] { open(text).boolean_or("flag", false); }),
            "x.yaml:3: key 'flag': must be true or false without quotes, but is the text "
            "\"true\"; write true or false");
  EXPECT_THAT(complaint([&] { open(text).numbers("values", 0, 9); }),
              ::testing::HasSubstr("item 2 must be a number from 0 to 9 without quotes, but is the "
                                   "text \"2\""));
  EXPECT_EQ(refusal("schema: \"1\"\n"),
            "x.yaml:1: key 'schema': must be a number without quotes, but is the text \"1\"; "
            "write 'schema: 1'");
}

TEST_F(YamlTest, MergeKeysAreSaidToBeUnsupported) {
  // Also where it is to bring the schema.
  EXPECT_THAT(refusal("deep: &base {schema: 1}\n<<: *base\n"),
              ::testing::HasSubstr("x.yaml:2: key '<<': merging another mapping"));
  EXPECT_EQ(refusal("schema: 1\ndeep: &base {name: a}\n<<: *base\n"),
            "x.yaml:3: key '<<': merging another mapping is not supported; "
            "write out the keys that it brings");
  EXPECT_THAT(
      complaint([&] { open("schema: 1\ndeep:\n  <<: {name: a}\n").named_maps("deep", {"name"}); }),
      ::testing::HasSubstr("x.yaml:3: key '<<': merging"));
}

TEST_F(YamlTest, TextIsWithoutControlCharacters) {
  const auto text = [&](const std::string& yaml) {
    return open("schema: 1\nname: " + yaml).text("name");
  };
  EXPECT_EQ(text("\"a\\e[2Jb\\x7f\\0c\"\n"), "a?[2Jb??c");
  EXPECT_EQ(text("\"a\\x9b31mb\"\n"), "a?31mb") << "CSI as one character";
  EXPECT_EQ(text("|\n  two\n  lines\n"), "two lines ");
  EXPECT_EQ(text("\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9f\"\n"),
            "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9f")
      << "letters stay";
}

TEST_F(YamlTest, AMessageIsNotCutAtANul) {
  EXPECT_THAT(refusal("schema: 1\n\"na\\0me\": 1\n"),
              ::testing::AllOf(::testing::HasSubstr("'na?me'"), ::testing::EndsWith("flag")));
}

TEST_F(YamlTest, PathsInAFileAreRelativeToIt) {
  const auto model = [&](const std::string& given) {
    return open("schema: 1\nname: " + given + "\n").config_or("name", "models", "");
  };
  EXPECT_EQ(model("dynamic_cnn"), "dynamic_cnn") << "of the shipped ones";
  EXPECT_EQ(model("m.flynet"), (dir_ / "m.flynet").string());
  EXPECT_EQ(model("./sub/m"), (dir_ / "sub/m").string());
  EXPECT_EQ(model("../m.flynet"), (dir_.parent_path() / "m.flynet").string());
  EXPECT_EQ(model("/abs/m.flynet"), "/abs/m.flynet");
  EXPECT_THAT(complaint([&] { model("\"a\\e/m.flynet\""); }),
              ::testing::HasSubstr("x.yaml:2: key 'name': 'a?/m.flynet' has control characters"));
}

TEST_F(YamlTest, ADescriptionIsReadAsGuardedlyAsTheRest) {
  std::ofstream(path_) << "schema: 9\ndescription: \"a\\e[2Jb\"\nwhatever: [1]\n";
  EXPECT_EQ(YamlMap::description(path_), "a?[2Jb");
  std::ofstream(path_) << "schema: 1\n";
  EXPECT_EQ(YamlMap::description(path_), "");
  ASSERT_EQ(mkfifo((dir_ / "pipe.yaml").c_str(), 0600), 0);
  EXPECT_THAT(complaint([&] { YamlMap::description((dir_ / "pipe.yaml").string()); }),
              ::testing::HasSubstr("it is not a regular file"));
  std::ofstream(path_) << "description: " + std::string(2 << 20, 'x');
  EXPECT_THAT(complaint([&] { YamlMap::description(path_); }), ::testing::HasSubstr("larger than"));
}

TEST_F(YamlTest, AMessageStaysOnOneLineWhateverTheFileHolds) {
  EXPECT_THAT(refusal("schema: 1\n\"a\\nb\\e[2J\": 1\n"), ::testing::HasSubstr("'a b?[2J'"));
}

TEST_F(YamlTest, WhatIsNoReadableFileIsRefused) {
  const auto read = [&](const std::string& name, std::size_t max = 100) {
    return complaint([&] { read_file((dir_ / name).string(), max); });
  };
  EXPECT_EQ(read("none.yaml"),
            "none.yaml: cannot be read: No such file or directory; check the path");
  fs::create_directory(dir_ / "folder");
  EXPECT_EQ(read("folder"),
            "folder: cannot be read: it is not a regular file; check that it is the right file");
  ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read("pipe"),
            "pipe: cannot be read: it is not a regular file; check that it is the right file");
  std::ofstream(dir_ / "large") << std::string(2049, 'x');
  EXPECT_EQ(read("large", 2048),
            "large: cannot be read: it is larger than 2 kB; check that it is the right file");
  EXPECT_EQ(read_file((dir_ / "large").string(), 2049).size(), 2049u);
  if (geteuid() != 0) {
    fs::permissions(dir_ / "large", fs::perms::none);
    EXPECT_THAT(read("large", 4096), ::testing::HasSubstr("Permission denied"));
  }
}

TEST_F(YamlTest, SuggestsOnlyWhatIsClose) {
  const std::vector<std::string> known = {"schedutil", "ondemand", "rule"};
  EXPECT_EQ(did_you_mean("shcedutil", known), " (did you mean 'schedutil'?)");
  EXPECT_EQ(did_you_mean("Rule", known), " (did you mean 'rule'?)");
  EXPECT_EQ(did_you_mean("rulle", known), " (did you mean 'rule'?)");
  EXPECT_EQ(did_you_mean("conservative", known), "");
  EXPECT_EQ(did_you_mean("xyz", known), "");
  EXPECT_EQ(did_you_mean(std::string(1'000'000, 'x'), known), "");
}

TEST_F(YamlTest, ConfigsAreFoundByNameOrPath) {
  EXPECT_THAT(list_configs("platforms"),
              ::testing::IsSupersetOf({"host", "jetson_nano", "odroid_xu3"}));
  EXPECT_THAT(find_config("platforms", "host"), ::testing::EndsWith("/platforms/host.yaml"));
  EXPECT_EQ(find_config("platforms", "./mine.yaml"), "./mine.yaml");
  EXPECT_THAT(complaint([] { find_config("platforms", "odroid_xu4"); }),
              ::testing::AllOf(::testing::StartsWith("platform 'odroid_xu4': is unknown (did you "
                                                     "mean 'odroid_xu3'?); choose one of "),
                               ::testing::HasSubstr("jetson_nano")));

  fs::create_directory(dir_ / "platforms");
  std::ofstream(dir_ / "platforms" / "mine.yaml") << "schema: 1\n";
  ASSERT_EQ(setenv("FLYBALL_CONFIGS", dir_.c_str(), 1), 0);
  EXPECT_THAT(list_configs("platforms"), ::testing::ElementsAre("mine"));
  ASSERT_EQ(setenv("FLYBALL_CONFIGS", "/nowhere", 1), 0);
  EXPECT_EQ(complaint([] { configs_dir(); }),
            "FLYBALL_CONFIGS=/nowhere: is no directory with platforms/ in it; set it to a copy of "
            "configs/, or unset it");
  unsetenv("FLYBALL_CONFIGS");
}

// A name that nothing shipped has, but a file here: whoever reads it says what is wrong with it.
TEST_F(YamlTest, AFileWithoutTheUsualEndingIsAFile) {
  const fs::path before = fs::current_path();
  fs::current_path(dir_);
  ASSERT_EQ(mkfifo("pipe.yaml", 0600), 0);
  fs::create_directory("odroid_xu4");
  EXPECT_EQ(find_config("models", "pipe.yaml"), "pipe.yaml");
  EXPECT_THROW(find_config("models", "pip.yaml"), Error);
  EXPECT_THROW(find_config("platforms", "odroid_xu4"), Error) << "a folder is none";
  fs::current_path(before);
}

}  // namespace
}  // namespace flyball
