// `flyball network` and `flyball profile`, through the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernels/pool/topology.h"
#include "tests/governor/own_configs.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

json parsed(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
}

/// One line on stderr, nothing on stdout.
void expect_error(const std::vector<std::string>& arguments, int exit_code,
                  const std::string& beginning, const std::string& contained = "") {
  const Finished finished = flyball_run(arguments);
  EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, AllOf(StartsWith(beginning), HasSubstr(contained)));
}

TEST(CliNetwork, EveryVerbWithinItHasHelpWithAnExample) {
  for (const char* verb : {"show", "verify", "bench"}) {
    const Finished finished = flyball_run({"network", verb, "--help"});
    EXPECT_EQ(finished.exit_code, 0);
    EXPECT_THAT(finished.out, HasSubstr(std::string("Example:\n  flyball network ") + verb));
    EXPECT_THAT(finished.out, HasSubstr(std::string("flyball network ") + verb + " ["));
  }
  expect_error({"network"}, 2,
               "flyball: verb 'network': it needs one of its own; use one of show,");
  expect_error({"network", "shwo"}, 2,
               "flyball: verb 'network shwo': there is none of that name (did you mean 'show'?)");
  expect_error({"network", "show", "--jason"}, 2,
               "flyball: option '--jason': 'network show' has none of that name",
               "see 'flyball network show --help'");
  expect_error({"network", "show", "a", "b"}, 2, "flyball: 'b': is more than the verb takes; ");
}

// Group 1: 5 x 5 x 3 x 16 + 2 x 16 parameters in its first layer, 20,128 in all, 10 class biases.
TEST(CliNetwork, ShowsShapeCostSizeAndAccuracy) {
  const OwnConfigs configs;
  const json show = parsed(flyball_run({"network", "show", "--json"}));
  EXPECT_EQ(show.at("schema"), 1);
  EXPECT_EQ(show.at("model"), configs.model_path());
  EXPECT_EQ(show.at("kind"), "grouped");
  EXPECT_EQ(show.at("provenance"), "a test");
  EXPECT_THAT(std::string(show.at("accuracy_source")), HasSubstr("invented"));
  EXPECT_EQ(show.at("layers").size(), 5u);
  EXPECT_EQ(show.at("layers")[0].at("out_size"), 16);
  ASSERT_EQ(show.at("widths").size(), 4u);
  const json& quarter = show.at("widths")[0];
  EXPECT_EQ(quarter.at("width_pct"), 25);
  EXPECT_EQ(quarter.at("parameters"), 20'138);
  EXPECT_EQ(quarter.at("fp32_bytes"), 80'552);
  // Its convolutions have 1200 + 3456 + 5184 + 5184 + 3456 weights, which become bytes.
  EXPECT_EQ(quarter.at("int8_bytes"), 80'552 - 3 * 18'480);
  EXPECT_NEAR(quarter.at("int8_top1_pct"), 55.5, 1e-4);
  EXPECT_NEAR(show.at("widths")[3].at("macs").get<double>(), 4.0 * quarter.at("macs").get<double>(),
              1);
  const std::string text = flyball_run({"network", "show"}).out;
  EXPECT_THAT(text, AllOf(HasSubstr("4 towers"), HasSubstr("Made by: a test"), HasSubstr("71.20")));
}

TEST(CliNetwork, FiguresOfAnInt8ThatIsNotThereAreAbsent) {
  const OwnConfigs configs;
  Model model = stand_in_model();
  model.activation_max.clear();  // the accuracies in int8 that it states stay
  configs.set_model(model);
  const json show = parsed(flyball_run({"network", "show", "--json"}));
  EXPECT_EQ(show.at("int8"), false);
  for (const json& width : show.at("widths")) {
    EXPECT_TRUE(width.at("int8_top1_pct").is_null());
    EXPECT_TRUE(width.at("int8_bytes").is_null());
    EXPECT_GT(width.at("fp32_top1_pct"), 0.0);
  }
  EXPECT_THAT(flyball_run({"network", "show"}).out, ::testing::Not(HasSubstr("62.40")));
}

TEST(CliNetwork, VerifiesEveryWidthPrecisionAndInstructionSet) {
  const OwnConfigs configs;
  const json verdict = parsed(flyball_run({"network", "verify", "--json"}));
  EXPECT_EQ(verdict.at("good"), true);
  ASSERT_EQ(verdict.at("levels").size(), 8u);
  for (const json& level : verdict.at("levels")) {
    EXPECT_EQ(level.at("same_bits"), true);
    EXPECT_TRUE(level.at("deviation").contains("portable"));
    EXPECT_TRUE(level.at("measured_pct").is_null());
  }
}

/// One small layer and two widths, for what runs thousands of images. Whatever it sees, it answers
/// with class 3: right for every tenth image of the test set.
Model stubborn_model() {
  NetworkSpec spec;
  spec.widths = 2;
  spec.layers = {LayerSpec{.channels = 8, .window = 3, .stride = 4, .pad = 1}};
  Model model = seeded_model(spec, 1);
  const NetworkLayout layout(spec);
  for (int width = 0; width < spec.widths; ++width)
    model.parameters[layout.class_bias + static_cast<std::size_t>(spec.classes * width + 3)] = 1e6f;
  model.accuracy = {{10, 10}, {10, 10}, "procedural test set"};
  return model;
}

TEST(CliNetwork, VerifyMeasuresAccuracyAndRefusesAFalsePromise) {
  const OwnConfigs configs;
  Model model = stubborn_model();
  configs.set_model(model);
  const std::vector<std::string> verify = {"network", "verify", "--data", "procedural"};
  const Finished honest = flyball_run(verify);
  EXPECT_EQ(honest.exit_code, 0) << honest.err;
  EXPECT_THAT(honest.out, AllOf(HasSubstr("same bits"), HasSubstr("measured")));

  model.accuracy.int8_top1_pct[1] = 10.2f;
  configs.set_model(model);
  std::vector<std::string> as_json = verify;
  as_json.push_back("--json");
  const Finished finished = flyball_run(as_json);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("its accuracy is not what it states"));
  const json verdict = json::parse(finished.out);
  EXPECT_EQ(verdict.at("good"), false);
  ASSERT_EQ(verdict.at("levels").size(), 4u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(verdict.at("levels")[i].at("measured_pct"), 10.0);
    EXPECT_EQ(verdict.at("levels")[i].at("good"), i < 3);
  }

  // Of other images than the file's figures: shown, and no reason to refuse.
  for (const char* source : {"CIFAR-10 test set", "procedural test set, 200 images, top-1"}) {
    model.accuracy.source = source;
    configs.set_model(model);
    const Finished other = flyball_run(verify);
    EXPECT_EQ(other.exit_code, 0) << other.err;
    EXPECT_THAT(other.out, HasSubstr("of other images than procedural"));
  }
  model.accuracy = {{10, 10}, {}, "procedural test set, 5000 images, top-1"};
  configs.set_model(model);
  EXPECT_EQ(flyball_run(verify).exit_code, 0) << "int8 states nothing that could be wrong";

  expect_error({"network", "verify", "--data", "imagenet"}, 2, "flyball: --data imagenet: ");
  expect_error({"network", "verify", "--data", "cifar10:/nowhere"}, 2, "flyball: /nowhere");
}

// Finite weights of its second tower's classifier that make infinite logits from half the width on.
TEST(CliNetwork, AModelThatOverflowsIsNamedByEveryVerbThatRunsIt) {
  const OwnConfigs configs;
  Model model = stand_in_model();
  const NetworkLayout layout(model.spec);
  const auto classes = static_cast<std::size_t>(model.spec.classes);
  float* const weights = model.parameters.data() + layout.tower_parameters + layout.classifier;
  for (std::size_t i = 0; i < static_cast<std::size_t>(layout.features) * classes; i += classes)
    weights[i] = std::numeric_limits<float>::max();
  ASSERT_EQ(model.problem(), "");
  configs.set_model(model);
  const Finished verify = flyball_run({"network", "verify"});
  EXPECT_EQ(verify.exit_code, 1);
  EXPECT_THAT(verify.out, HasSubstr("NOT FINITE"));
  EXPECT_THAT(verify.err, AllOf(HasSubstr(", width 50 % in fp32: its answers are not finite"),
                                HasSubstr(configs.model_path())));
  expect_error(
      {"run", "--duration", "1"}, 1,
      "flyball: " + configs.model_path() + ", width 50 % in fp32: its answers are not finite");
  EXPECT_FALSE(std::filesystem::exists(configs / "state/flyball"));
  expect_error(
      {"profile", "--seconds", "0.1"}, 1,
      "flyball: " + configs.model_path() + ", width 50 % in fp32: its answers are not finite");
  // Nor is anything learned of what it promises.
  expect_error(
      {"train", "--platform", "host", "--scenario", "live", "--episodes", "1"}, 1,
      "flyball: " + configs.model_path() + ", width 50 % in fp32: its answers are not finite");
  EXPECT_FALSE(std::filesystem::exists(configs / "state/flyball"));
}

// The stand-in promises 71 % and guesses.
TEST(CliNetwork, ARunSaysThatAPromiseIsNotKept) {
  const OwnConfigs configs;
  const std::vector<std::string> run = {"run",        "--policy", "performance",
                                        "--duration", "1",        "--no-compare"};
  EXPECT_THAT(flyball_run(run).out, HasSubstr("does not keep what its file promises"));
  std::vector<std::string> as_json = run;
  as_json.push_back("--json");
  const json monitor = parsed(flyball_run(as_json)).at("policies")[0].at("accuracy_monitor");
  for (const json& level : monitor) EXPECT_EQ(level.at("below_promise"), level.at("images") > 0);

  configs.set_model([] {
    Model model = stand_in_model();
    model.accuracy.top1_pct = model.accuracy.int8_top1_pct = {1, 1, 1, 1};
    return model;
  }());
  EXPECT_THAT(flyball_run(run).out, Not(HasSubstr("does not keep")));
}

TEST(CliNetwork, RefusesInstructionsThatThereAreNot) {
  const OwnConfigs configs;
  setenv("FLYBALL_SIMD", "mmx", 1);
  for (const char* verb : {"verify", "bench"})
    expect_error({"network", verb}, 2, "flyball: FLYBALL_SIMD=mmx: ", "portable");
  unsetenv("FLYBALL_SIMD");
}

TEST(CliNetwork, VerifySaysThatNobodyMeasured) {
  const OwnConfigs configs;
  Model model = stubborn_model();
  model.accuracy.top1_pct[0] = 95;
  configs.set_model(model);
  EXPECT_THAT(flyball_run({"network", "verify"}).out, HasSubstr("not measured again"));
}

TEST(CliNetwork, AModelsTextsCannotSteerTheTerminal) {
  const OwnConfigs configs;
  Model model = stubborn_model();
  model.accuracy.source = "procedural\x1b[2Jset";
  model.provenance = "made\aby\x7fme";
  configs.set_model(model);
  EXPECT_THAT(flyball_run({"network", "show"}).out,
              AllOf(HasSubstr("procedural?[2Jset"), HasSubstr("made?by?me")));
}

TEST(CliNetwork, RefusesFilesThatAreNoModels) {
  const OwnConfigs configs;
  const std::string bytes = read_text(configs.model_path());
  const std::string path = configs / "broken.flynet";
  const auto with = [&](std::string changed) {
    std::ofstream(path, std::ios::binary) << changed;
    return path;
  };
  const auto refused = [&](const std::string& changed, const std::string& why) {
    for (const char* verb : {"show", "verify", "bench"})
      expect_error({"network", verb, with(changed)}, 2, "flyball: " + path + ": ", why);
  };
  refused(bytes.substr(0, bytes.size() - 1), "damaged or truncated");
  refused("PK" + bytes, "not a Flyball network file");
  std::string version = bytes;
  version[8] = 9;
  refused(version, "its version is 9, this program reads");
  std::string flipped = bytes;
  flipped[bytes.size() / 2] ^= 1;
  refused(flipped, "checksum is wrong");
  expect_error({"network", "show", "none"}, 2, "flyball: model 'none': is unknown", "dynamic_cnn");
  expect_error({"network", "show", configs / "none.flynet"}, 2, "flyball: ", "none.flynet");
  expect_error({"run", "--platform", "host", "--scenario", "none"}, 2, "flyball: scenario 'none'");
  std::filesystem::remove(configs.model_path());
  expect_error({"network", "show"}, 2, "flyball: model 'dynamic_cnn': there is none in ");
  expect_error({"run", "--duration", "1"}, 2, "flyball: model 'dynamic_cnn': there is none in ");
}

TEST(CliNetwork, BenchTimesEveryWidthPrecisionAndThreadCount) {
  const OwnConfigs configs;
  const json bench =
      parsed(flyball_run({"network", "bench", "--threads", "1", "--seconds", "0.2", "--json"}));
  ASSERT_EQ(bench.at("rows").size(), 8u);
  for (const json& row : bench.at("rows")) {
    EXPECT_EQ(row.at("threads"), 1);
    EXPECT_GT(row.at("time_us"), 0.0);
    EXPECT_GT(row.at("gmac_per_s"), 0.0);
    EXPECT_DOUBLE_EQ(row.at("speed_up"), 1);
  }
  EXPECT_EQ(bench.at("problem"), "");
  EXPECT_TRUE(bench.contains("cpu_quota") && bench.contains("throttled_periods"));
  expect_error({"network", "bench", "--threads", "0"}, 2, "flyball: --threads 0: ");
  if (thread_affinity().count() < 64)
    expect_error({"network", "bench", "--threads", "64"}, 2, "flyball: --threads 64: ", "CPUs");
}

// Beside this program first: a stand-in that tells what it was given. Only where there is none.
TEST(CliNetwork, TrainHandsItsArgumentsToTheTrainer) {
  const std::filesystem::path real = std::string(FLYBALL_BIN_DIR) + "/flyball-torch";
  if (std::filesystem::exists(real)) {
    const Finished help = flyball_run({"network", "train", "--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, HasSubstr("--seed"));
    EXPECT_NE(flyball_run({"network", "train", "--no-such-option"}).exit_code, 0);
    EXPECT_THAT(flyball_run({"network", "dqn", "--help"}).out, HasSubstr("--boards"));
    return;
  }
  const TempDir dir;
  const std::string before = std::getenv("PATH");
  setenv("PATH", dir.path().c_str(), 1);
  expect_error({"network", "train", "--seed", "1"}, 1, "flyball: flyball-torch: ", "libtorch-dev");
  expect_error({"network", "dqn"}, 1, "flyball: flyball-torch: ", "libtorch-dev");
  EXPECT_THAT(flyball_run({"network", "train", "--help"}).out,
              AllOf(HasSubstr("Example:\n  flyball network train"),
                    HasSubstr("\nIts options are told by flyball-torch, which was not built"),
                    HasSubstr("libtorch-dev")));
  const std::string fake = dir / "flyball-torch";
  std::ofstream(fake) << "#!/bin/sh\necho \"$@\"\nexit 3\n";
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  const Finished finished = flyball_run({"network", "train", "--seed", "1", "--data", "cifar10:x"});
  setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_EQ(finished.out, "train-network --seed 1 --data cifar10:x\n");
}

/// Signal `number` of a mask in /proc/PID/status: "SigIgn:\t0000000000001000".
bool has_signal(const std::string& status, const std::string& mask, int number) {
  const std::size_t at = status.find(mask + ":\t");
  if (at == std::string::npos) return false;
  return (std::stoull(status.substr(at + mask.size() + 2), nullptr, 16) >> (number - 1) & 1) != 0;
}

// What this program ignores for its recordings' sake would outlive exec.
TEST(CliNetwork, TheTrainerIgnoresNoSignal) {
  if (std::filesystem::exists(std::string(FLYBALL_BIN_DIR) + "/flyball-torch"))
    GTEST_SKIP() << "the real trainer tells nothing of its signals";
  const TempDir dir;
  const std::string fake = dir / "flyball-torch";
  std::ofstream(fake)
      << "#!/bin/sh\nwhile read -r line; do echo \"$line\"; done </proc/$$/status\n";
  std::filesystem::permissions(fake, std::filesystem::perms::owner_all);
  const std::string before = std::getenv("PATH");
  setenv("PATH", dir.path().c_str(), 1);
  const Finished finished = flyball_run({"network", "train"});
  setenv("PATH", before.c_str(), 1);
  ASSERT_THAT(finished.out, HasSubstr("SigIgn:"));
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    std::string status = finished.out;
    std::replace(status.begin(), status.end(), ' ', '\t');
    EXPECT_FALSE(has_signal(status, "SigIgn", number)) << number;
  }
}

TEST(CliNetwork, AnInterruptedMeasurementSaysSo) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulator catches all signals itself";
  const TempDir dir;
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"network", "bench", "--seconds", "600"},
        {"network", "verify", "--data", "procedural"},
        {"profile", "--seconds", "8", "--out", dir / "x.yaml"}}) {
    Flyball flyball(verb);
    for (int i = 0; i < 60'000 && !has_signal(flyball.status(), "SigCgt", SIGTERM); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    flyball.signal(SIGTERM);
    const Finished finished = flyball.wait();
    EXPECT_EQ(finished.exit_code, 1) << verb[0];
    EXPECT_THAT(finished.err,
                AllOf(StartsWith("flyball: " + verb[0]), HasSubstr(": interrupted before "),
                      HasSubstr("run it again\n")));
    EXPECT_EQ(finished.out, "");
  }
  EXPECT_FALSE(std::filesystem::exists(dir / "x.yaml"));
}

// Measured and stored, found by what comes after, and refused when the model has changed.
TEST(CliProfile, IsWhatTheHostStartsFrom) {
  const OwnConfigs configs;
  const json profile = parsed(flyball_run({"profile", "--seconds", "0.3", "--json"}));
  const std::string path = profile.at("profile");
  EXPECT_THAT(path, StartsWith(configs / "state/flyball/profile-"));
  ASSERT_GE(profile.at("rows").size(), 8u);
  EXPECT_EQ(profile.at("cpus"), thread_affinity().count());
  EXPECT_GT(profile.at("decision_latency_us"), 0.0);
  EXPECT_GE(profile.at("attempts"), 1);
  EXPECT_LE(profile.at("attempts"), 3);
  bool unstable = false;
  for (const json& row : profile.at("rows")) {
    EXPECT_EQ(row.at("unstable"), row.at("spread_pct") > 30.0);
    unstable = unstable || row.at("unstable");
  }
  EXPECT_EQ(profile.at("unstable"), unstable);

  const auto characterised = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"characterise", "--platform", "host", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parsed(flyball_run(arguments));
  };
  const json with = characterised({});
  EXPECT_EQ(with.at("profile"), path);
  const auto time_ms = [](const json& table, int width_pct, const char* precision) -> double {
    for (const json& row : table.at("rows")) {
      if (row.at("cores") == 1 && row.at("width_pct") == width_pct &&
          row.at("precision") == precision && row.at("mhz") == 2400)
        return row.at("time_ms");
    }
    return 0;
  };
  const auto measured_us = [&](int width_pct, const char* precision) -> double {
    for (const json& row : profile.at("rows")) {
      if (row.at("threads") == 1 && row.at("width_pct") == width_pct &&
          row.at("precision") == precision)
        return row.at("time_us");
    }
    return 0;
  };
  EXPECT_NEAR(time_ms(with, 50, "int8") / time_ms(with, 100, "fp32"),
              measured_us(50, "int8") / measured_us(100, "fp32"), 0.001);
  EXPECT_TRUE(characterised({"--profile", "none"}).at("profile").is_null());

  const std::string policy = configs / "p.policy";
  const json trained = parsed(flyball_run({"train", "--platform", "host", "--scenario", "live",
                                           "--episodes", "2", "--out", policy, "--json"}));
  EXPECT_EQ(trained.at("profile"), path);
  const json run = parsed(
      flyball_run({"run", "--policy-file", policy, "--duration", "1", "--no-compare", "--json"}));
  EXPECT_EQ(run.at("profile"), path);
  // The size of a job is the profile's, however fast the machine is now.
  EXPECT_EQ(run.at("job_size_source"), "profile");
  EXPECT_NEAR(run.at("inference_ns").get<double>() / 1000, measured_us(100, "fp32"), 0.002);
  EXPECT_EQ(parsed(flyball_run({"run", "--policy", "rule", "--profile", "none", "--duration", "0.5",
                                "--no-compare", "--json"}))
                .at("job_size_source"),
            "measured");

  Model other = stand_in_model();
  other.parameters[0] += 1;
  configs.set_model(other);
  const json without = characterised({});
  EXPECT_TRUE(without.at("profile").is_null());
  EXPECT_THAT(std::string(without.at("times_source")[0]), HasSubstr("measured with another model"));
  expect_error({"characterise", "--platform", "host", "--profile", path}, 2,
               "flyball: " + path + ": it was measured with another model");
}

TEST(CliProfile, RefusesWhatItCannotMeasureOrStore) {
  const OwnConfigs configs;
  expect_error({"profile", "--platform", "odroid_xu3"}, 2,
               "flyball: platform 'odroid_xu3': is simulated");
  expect_error({"profile", "--seconds", "9"}, 2, "flyball: --seconds 9: ");
  std::ofstream(configs / "file") << "x";
  expect_error({"profile", "--seconds", "0.1", "--out", configs / "file/p.yaml"}, 2,
               "flyball: --out ", "Not a directory");
  expect_error({"profile", "--out", configs / "typo/p.yaml"}, 2, "flyball: ", "typo/p.yaml");
  EXPECT_FALSE(std::filesystem::exists(configs / "typo"));
  EXPECT_EQ(read_text(configs / "file"), "x");
  expect_error({"profile", "--seconds", "0.1", "--out", configs / "file"}, 2,
               "flyball: ", "file: is there already and is not a profile");
  EXPECT_EQ(read_text(configs / "file"), "x");
  const std::vector<std::string> again = {"profile", "--seconds", "0.1", "--out",
                                          configs / "p.yaml"};
  EXPECT_EQ(flyball_run(again).exit_code, 0);
  EXPECT_EQ(flyball_run(again).exit_code, 0);
  expect_error({"run", "--profile", configs / "none.yaml"}, 2, "flyball: ", "none.yaml");
}

}  // namespace
}  // namespace flyball::testing
