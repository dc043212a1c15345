#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "kernels/dnn/model_file.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The real flyball-torch in a folder of its own.
class FlyballTorch : public testing::Test {
 protected:
  struct Result {
    int exit_code;
    std::string out, err;
  };

  FlyballTorch() { fs::create_directories(folder_); }
  ~FlyballTorch() override { fs::remove_all(folder_); }

  std::string in_shell(const std::string& arguments) const {
    return "cd " + folder_.string() + " && exec " FLYBALL_BIN_DIR "/flyball-torch " + arguments +
           " >out 2>err </dev/null";
  }
  Result run(const std::string& arguments) const {
    const int status = std::system(in_shell(arguments).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            content(folder_ / "out"), content(folder_ / "err")};
  }
  void expect_wrong_use(const std::string& arguments, const std::string& part) const {
    const Result result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("flyball-torch: "));
    EXPECT_THAT(result.err, HasSubstr(part));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("flyball_torch_" + std::to_string(getpid()));
};

const std::string kTiny =
    "train-network --images 60 --batch 10 --epochs 1 --seed 3 --test-images 200 ";

TEST_F(FlyballTorch, RefusesWrongUse) {
  expect_wrong_use("", "subcommand");
  expect_wrong_use("train-network --kind wide", "--kind wide: no such kind");
  expect_wrong_use("train-network --epochs many", "--epochs");
  expect_wrong_use("train-network --images 60 --batch 100", "--batch 100: 54 images are fewer");
  expect_wrong_use("train-network --batch 3 --batch 4", "--batch");
}

TEST_F(FlyballTorch, FailsBeforeTheWorkWhenFilesCannotBeUsed) {
  Result result = run(kTiny + "--out /no/such/folder/x.flynet");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(
      result.err,
      HasSubstr("flyball-torch: /no/such/folder/x.flynet: create a file beside it: No such file"));
  fs::create_directory(folder_ / "folder");
  result = run(kTiny + "--out folder");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("folder: it exists and is not a regular file; choose a place"));
  fs::create_symlink("nowhere", folder_ / "link");
  result = run(kTiny + "--out link");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("link: it is a link to nothing; choose a place"));
  result = run("train-network --data cifar10:/no/such");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("/no/such/data_batch_1.bin: no such file; unpack"));
  std::ofstream(folder_ / "foreign") << "no checkpoint";
  result = run("train-network --resume foreign");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("foreign: it is no checkpoint"));
  result = run(kTiny + "--out foreign");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("foreign: it exists and is no network"));
  EXPECT_EQ(content(folder_ / "foreign"), "no checkpoint");
  setenv("FLYBALL_SIMD", "mmx", 1);
  result = run(kTiny);
  unsetenv("FLYBALL_SIMD");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("FLYBALL_SIMD=mmx"));
  EXPECT_FALSE(fs::exists(folder_ / "dynamic_cnn.flynet"));
}

TEST_F(FlyballTorch, TrainsMeasuresAndWritesAModel) {
  const Result result = run(kTiny + "--json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("group 4/4, epoch 4/4"));
  EXPECT_THAT(result.err, Not(HasSubstr("\r"))) << "no terminal";
  const LoadedModel loaded = load_model(folder_ / "dynamic_cnn.flynet");
  ASSERT_TRUE(loaded.model) << loaded.error;
  EXPECT_EQ(loaded.model->spec, modified_alexnet());
  EXPECT_THAT(loaded.model->provenance, HasSubstr("--images 60 "));
  EXPECT_THAT(loaded.model->provenance, HasSubstr(" --test-images 200"));
  EXPECT_THAT(loaded.model->accuracy.source, HasSubstr("procedural test set, 200 images"));
  const nlohmann::json json = nlohmann::json::parse(result.out);
  ASSERT_EQ(json["widths"].size(), 4u);
  for (int w = 0; w < 4; ++w) {
    EXPECT_EQ(json["widths"][w]["width_pct"], 25 * (w + 1));
    EXPECT_EQ(json["widths"][w]["top1_pct"].get<float>(), loaded.model->accuracy.top1_pct[w]);
    EXPECT_EQ(json["widths"][w]["int8_top1_pct"].get<float>(),
              loaded.model->accuracy.int8_top1_pct[w]);
  }
  EXPECT_FALSE(fs::exists(folder_ / "dynamic_cnn.flynet.checkpoint"));
}

TEST_F(FlyballTorch, CtrlCLeavesACheckpointThatEndsAsIfNothingHadHappened) {
  const std::string recipe =
      "train-network --images 60 --batch 10 --epochs 6 --seed 3 --test-images 200 ";
  ASSERT_EQ(run(recipe + "--out whole.flynet").exit_code, 0);

  fs::remove(folder_ / "err");
  const std::string command = in_shell(recipe + "--out parts.flynet");
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(200);
  while (content(folder_ / "err").find("epoch 2/") == std::string::npos &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(content(folder_ / "err"),
              HasSubstr("flyball-torch: interrupted: the training so far is in "
                        "parts.flynet.checkpoint; go on with flyball-torch train-network --resume "
                        "parts.flynet.checkpoint --out parts.flynet --test-images 200"));
  ASSERT_FALSE(fs::exists(folder_ / "parts.flynet"));

  const std::string kept = content(folder_ / "parts.flynet.checkpoint");
  const Result afresh = run(recipe + "--out parts.flynet");
  EXPECT_EQ(afresh.exit_code, 2);
  EXPECT_THAT(afresh.err, HasSubstr("parts.flynet.checkpoint: an earlier training left it; go on"));
  std::ofstream(folder_ / "other") << "of another training";
  EXPECT_EQ(run("train-network --resume parts.flynet.checkpoint --checkpoint other").exit_code, 2);
  EXPECT_EQ(content(folder_ / "other"), "of another training");
  EXPECT_TRUE(content(folder_ / "parts.flynet.checkpoint") == kept);

  fs::copy_file(folder_ / "parts.flynet.checkpoint", folder_ / "mine");
  EXPECT_EQ(run("train-network --resume mine --test-images 10 --out elsewhere.flynet").exit_code,
            0);
  EXPECT_TRUE(fs::exists(folder_ / "mine")) << "a file of the user's own";
  const Result other = run("train-network --resume parts.flynet.checkpoint --epochs 7");
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("--epochs 7: parts.flynet.checkpoint was made with 6"));
  const Result rest =
      run("train-network --resume parts.flynet.checkpoint --epochs 6 --test-images 200 --out "
          "parts.flynet");
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_TRUE(content(folder_ / "parts.flynet") == content(folder_ / "whole.flynet"));
  EXPECT_FALSE(fs::exists(folder_ / "parts.flynet.checkpoint"));
}

TEST_F(FlyballTorch, DrawsSamples) {
  ASSERT_EQ(run("draw-samples --columns 2 --out samples.ppm").exit_code, 0);
  EXPECT_EQ(content(folder_ / "samples.ppm").size(), 67u * 331 * 3 + 14);  // "P6\n67 331\n255\n"
}

}  // namespace
}  // namespace flyball
