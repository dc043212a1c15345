// What a verb makes: refused before the work, or there, whole, when the verb succeeds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

void expect_refused(const std::vector<std::string>& arguments, const std::string& beginning,
                    const std::string& contained = "") {
  const Finished finished = flyball_run(arguments);
  EXPECT_EQ(finished.exit_code, 2) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: " + beginning), HasSubstr(contained)));
}

std::vector<std::string> train_to(const std::string& out, const std::string& episodes = "20") {
  return {"train",      "--platform", "odroid_xu3", "--scenario", "single_periodic",
          "--episodes", episodes,     "--out",      out};
}
std::vector<std::string> profile_to(const std::string& out) {
  return {"profile", "--seconds", "0.1", "--out", out};
}
std::vector<std::string> record_for(const std::string& duration_s, const std::string& record) {
  return {"run",      "--policy",     "performance", "--duration",
          duration_s, "--no-compare", "--record",    record};
}
std::vector<std::string> record_to(const std::string& record) { return record_for("0.5", record); }
std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

/// What a verb writes with `option`, and how it is called.
struct Output {
  const char* option;
  std::vector<std::string> (*verb)(const std::string& path);
};
const Output kOutputs[] = {
    {"--out", [](const std::string& path) { return train_to(path); }},
    {"--out", profile_to},
    {"--record", record_to},
};

TEST(CliOutputs, WhatCannotBeWrittenIsRefusedBeforeTheWorkByEveryVerb) {
  const OwnConfigs configs;
  for (const Output& output : kOutputs) {
    const std::string option = output.option;
    const auto refused = [&](const std::string& path, const std::string& why) {
      expect_refused(output.verb(path), option + " " + path + ": ", why);
    };
    fs::create_symlink(configs / "nowhere", configs / "dangling");
    refused(configs / "dangling", "link to nothing");
    refused("/proc/nope", "cannot be written");
    refused(configs / "folder/", "ends in a slash, as a folder does");
    refused(configs / "none/x", "there is no folder");
    refused(configs / "configs", "is a folder");
    refused(configs / std::string(250, 'x'), "File name too long");
    std::ofstream(configs / "letter") << "Dear reader,\n";
    refused(configs / "letter", "is there already and is not a");
    EXPECT_EQ(read_text(configs / "letter"), "Dear reader,\n");
    ASSERT_EQ(mkfifo((configs / "pipe").c_str(), 0600), 0);
    refused(configs / "pipe", "not a regular file");  // and not waited for
    EXPECT_THAT(names_in(configs / "."),
                ::testing::UnorderedElementsAre("configs", "dangling", "letter", "pipe"));
    for (const char* name : {"dangling", "letter", "pipe"}) fs::remove(configs / name);
  }
}

TEST(CliOutputs, AnEmptyFileMayBeReplacedByEveryVerb) {
  const OwnConfigs configs;
  for (const Output& output : kOutputs) {
    std::ofstream(configs / "x").close();
    const Finished finished = flyball_run(output.verb(configs / "x"));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_GT(fs::file_size(configs / "x"), 0u);
    EXPECT_EQ(flyball_run(output.verb(configs / "x")).exit_code, 0) << "its own kind";
    fs::remove(configs / "x");
  }
}

TEST(CliOutputs, TheStoredProfileIsTriedBeforeMeasuring) {
  const OwnConfigs configs;
  setenv("XDG_STATE_HOME", "/proc/nope", 1);
  expect_refused({"profile", "--seconds", "0.1"}, "/proc/nope/", "cannot be made");
}

TEST(CliOutputs, WhatAKilledWriterLeftIsClearedByTheNext) {
  const TempDir dir;
  const auto left = [&](const std::string& name, int minutes_old) {
    std::ofstream(dir / name) << "half";
    fs::last_write_time(dir / name,
                        fs::file_time_type::clock::now() - std::chrono::minutes(minutes_old));
  };
  left("x.policy.123-0.tmp", 2);
  left("x.policy.124-0.tmp", 0);   // somebody may be at it
  left("y.policy.123-0.tmp", 2);   // another's
  left("x.policy.mine-0.tmp", 2);  // no name that a writer gives
  EXPECT_EQ(flyball_run(train_to(dir / "x.policy")).exit_code, 0);
  EXPECT_THAT(names_in(dir.path()),
              ::testing::UnorderedElementsAre("x.policy", "x.policy.124-0.tmp",
                                              "y.policy.123-0.tmp", "x.policy.mine-0.tmp"));
}

TEST(CliOutputs, AnEmptyValueIsAnErrorForEveryOption) {
  const OwnConfigs configs;
  for (const char* option : {"--platform", "--scenario", "--policy", "--policy-file", "--profile",
                             "--duration", "--compare-with", "--seed", "--record", "--csv"}) {
    expect_refused({"run", option, ""}, std::string(option) + " '': is empty; ");
    expect_refused({"run", std::string(option) + "="}, std::string(option) + "=: is empty; ");
  }
  expect_refused({"profile", "--out", ""}, "--out '': is empty; ");
  expect_refused({"compare", "--platform", ""}, "--platform '': is empty; ");
  expect_refused({"export", "", "--csv", "x"}, "argument '': is empty; ");
  expect_refused({"list", ""}, "argument '': is empty; ");
  // Those that another program reads, too.
  for (const char* option : {"--out", "--kind", "--data"}) {
    expect_refused({"network", "train", option, ""}, std::string(option) + " '': is empty; ");
  }
}

TEST(CliOutputs, AClosedPipeEndsTheTalkAndNotTheWork) {
  const TempDir dir;
  Flyball train(train_to(dir / "x.policy"), {.out = Flyball::Out::kClosedPipe});
  EXPECT_EQ(train.wait().exit_code, 0);
  EXPECT_EQ(read_text(dir / "x.policy").substr(0, 6), "FLYPOL");
  Flyball list({"list"}, {.out = Flyball::Out::kClosedPipe});
  EXPECT_EQ(list.wait().exit_code, 0);
}

TEST(CliOutputs, AFullOutputIsAFailureThatTheFilesDoNotShare) {
  const TempDir dir;
  Flyball train(train_to(dir / "x.policy"), {.out = Flyball::Out::kFullDevice});
  const Finished finished = train.wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("standard output: No space left on device"));
  EXPECT_EQ(read_text(dir / "x.policy").substr(0, 6), "FLYPOL");
}

TEST(CliOutputs, AFailureAtTheEndFirstPrintsWhatWasMeasured) {
  const OwnConfigs configs;
  // A full disk, as far as the program can tell: no file may grow.
  const Flyball::Options full{.file_bytes = 100};
  const Finished trained = Flyball(train_to(configs / "x.policy"), full).wait();
  EXPECT_EQ(trained.exit_code, 1);
  EXPECT_THAT(trained.out, HasSubstr("episodes"));
  EXPECT_THAT(trained.out, Not(HasSubstr("wrote")));
  EXPECT_THAT(trained.err, HasSubstr("cannot be written: write: File too large"));
  const Finished profiled = Flyball(profile_to(configs / "p.yaml"), full).wait();
  EXPECT_EQ(profiled.exit_code, 1);
  EXPECT_THAT(profiled.out, HasSubstr("One inference"));
  EXPECT_THAT(names_in(configs / "."), ::testing::UnorderedElementsAre("configs"));
}

TEST(CliOutputs, ARecordingThatFailedIsAFailedRunWithItsReport) {
  const OwnConfigs configs;
  // The header, of 25 KB, and a second or so.
  const Flyball::Options full{.file_bytes = 32 * 1024};
  const Finished finished =
      Flyball(with(record_for("4", configs / "x.flyrec"), {"--json"}), full).wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_GT(json::parse(finished.out).at("policies")[0].at("jobs"), 0);
  EXPECT_THAT(finished.err, HasSubstr("could not be written: File too large"));
  // What there is of it is exported, and is said to be only a part.
  const Finished exported =
      flyball_run({"export", configs / "x.flyrec", "--csv", configs / "csv", "--json"});
  EXPECT_EQ(exported.exit_code, 1);
  EXPECT_EQ(json::parse(exported.out).at("complete"), false);
  EXPECT_THAT(exported.err, AllOf(HasSubstr("is not complete"), HasSubstr("was exported")));
  EXPECT_TRUE(fs::exists(configs / "csv/jobs.csv"));
}

TEST(CliOutputs, ARecordingThatFailedIsNotCalledRecordedAndWhatThereIsIsExported) {
  const OwnConfigs configs;
  const Flyball::Options full{.file_bytes = 32 * 1024};
  const Finished finished =
      Flyball(with(record_for("4", configs / "x.flyrec"), {"--csv", configs / "csv"}), full).wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("File too large"));
  EXPECT_THAT(finished.out, Not(HasSubstr("Recorded in")));
  EXPECT_TRUE(fs::exists(configs / "csv/jobs.csv"));
}

// The one that is written last would be all that is left, under the other one's name.
TEST(CliOutputs, TwoOutputsAreTwoFiles) {
  const TempDir dir;
  fs::create_directory_symlink(dir.path(), dir / "link");
  const std::string file = dir / "z";
  const std::string relative = fs::relative(file);
  const auto check = [&](const std::vector<std::string>& outputs) {
    return with({"run", "--check", "--record", file}, outputs);
  };
  for (const std::string& same : {file, dir / "./z", dir / "link/z", relative, "./" + relative})
    expect_refused(check({"--learn-to", same}), "--learn-to " + same + ": would write over", file);
  expect_refused({"run", "--check", "--record", dir / "jobs.csv", "--csv", dir / "link"},
                 "--csv: ", "jobs.csv: would write over --record");
  expect_refused(with(check({"--learn-to", dir / "epochs.csv"}), {"--csv", dir.path()}),
                 "--csv: ", "epochs.csv: would write over --learn-to");
  EXPECT_EQ(names_in(dir.path()), std::set<std::string>{"link"}) << "and nothing was made";
  EXPECT_EQ(flyball_run(check({"--learn-to", dir / "y", "--csv", dir.path()})).exit_code, 0);
}

TEST(CliOutputs, CsvReplacesOnlyWhatExportMade) {
  const OwnConfigs configs;
  const std::string record = configs / "x.flyrec";
  EXPECT_EQ(flyball_run(with(record_to(record), {"--csv", configs / "csv"})).exit_code, 0);
  EXPECT_EQ(flyball_run({"export", record, "--csv", configs / "csv"}).exit_code, 0);  // its own

  // Anybody's jobs.csv, and the recording itself under that name.
  fs::create_directory(configs / "b");
  std::ofstream(configs / "b/jobs.csv") << "name,salary\n";
  expect_refused({"export", record, "--csv", configs / "b"}, configs / "b/jobs.csv",
                 "is there already and is not a CSV file");
  EXPECT_EQ(read_text(configs / "b/jobs.csv"), "name,salary\n");
  EXPECT_THAT(names_in(configs / "b"), ::testing::UnorderedElementsAre("jobs.csv"));
  const std::string bytes = read_text(record);
  fs::copy_file(record, configs / "b/jobs.csv", fs::copy_options::overwrite_existing);
  expect_refused({"export", configs / "b/jobs.csv", "--csv", configs / "b"},
                 configs / "b/jobs.csv");
  EXPECT_EQ(read_text(configs / "b/jobs.csv"), bytes);

  fs::remove(configs / "b/jobs.csv");
  ASSERT_EQ(mkfifo((configs / "b/jobs.csv").c_str(), 0600), 0);
  expect_refused({"export", record, "--csv", configs / "b"}, configs / "b/jobs.csv");

  // Before the run too.
  expect_refused(with(record_to(record), {"--csv", configs / "b"}), configs / "b/jobs.csv");
  expect_refused(with(record_to(record), {"--csv", "/proc/nope"}), "--csv /proc/nope: ");
  expect_refused(with(record_to(configs / "new/epochs.csv"), {"--csv", configs / "new"}),
                 "--record ", "");
  EXPECT_EQ(read_text(record), bytes);
}

TEST(CliOutputs, AKilledRunIsExportedAndCalledThat) {
  const OwnConfigs configs;
  const std::string record = configs / "x.flyrec";
  {
    Flyball run(record_for("600", record));
    for (int i = 0; i < 600 && (!fs::exists(record) || fs::file_size(record) < 32'000); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    run.signal(SIGKILL);
    EXPECT_EQ(run.wait().exit_code, 128 + SIGKILL);
  }
  const Finished exported = flyball_run({"export", record, "--csv", configs / "csv", "--json"});
  EXPECT_EQ(exported.exit_code, 1);
  EXPECT_THAT(exported.err, HasSubstr("the run ended before it closed the recording"));
  const json report = json::parse(exported.out);
  EXPECT_EQ(report.at("ended"), false);
  EXPECT_GT(report.at("epochs"), 0);
}

}  // namespace
}  // namespace flyball::testing
