#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "kernels/data/accuracy.h"
#include "kernels/data/cifar10.h"
#include "kernels/data/open_data.h"
#include "kernels/data/procedural.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

/// A folder with six files in CIFAR-10's format, written once: record r of file f (0 to 5) has the
/// label (r + f) % 10 and pixel (row, column) of plane c is (7 r + 31 row + column + 80 c + f) %
/// 256.
class Cifar10 : public testing::Test {
 protected:
  static constexpr std::size_t kRecord = 3073, kRecords = 10000;

  static void SetUpTestSuite() {
    folder_ = fs::temp_directory_path() / ("flyball_cifar10_" + std::to_string(getpid()));
    fs::create_directories(folder_);
    for (int f = 0; f < 6; ++f) {
      std::string bytes(kRecords * kRecord, '\0');
      for (std::size_t r = 0; r < kRecords; ++r) {
        char* to = &bytes[r * kRecord];
        *to++ = static_cast<char>((r + f) % 10);
        for (int c = 0; c < 3; ++c)
          for (int row = 0; row < 32; ++row)
            for (int column = 0; column < 32; ++column)
              *to++ = static_cast<char>(7 * r + 31 * row + column + 80 * c + f);
      }
      write(name(f), bytes);
    }
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  static std::string name(int file) {
    return file < 5 ? "data_batch_" + std::to_string(file + 1) + ".bin" : "test_batch.bin";
  }
  static void write(const std::string& file, const std::string& bytes) {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;
  }

  /// Loads with `file` replaced and says what the loader said.
  static std::string error_with(const std::string& file, const std::string& bytes) {
    fs::rename(folder_ / file, folder_ / "kept");
    write(file, bytes);
    const LoadedTrainingData loaded = load_cifar10(folder_);
    fs::rename(folder_ / "kept", folder_ / file);
    EXPECT_FALSE(loaded.data);
    EXPECT_NE(loaded.error.find((folder_ / file).string() + ": "), std::string::npos);
    EXPECT_NE(loaded.error.find("; unpack cifar-10-binary.tar.gz"), std::string::npos);
    EXPECT_EQ(loaded.error.find('\n'), std::string::npos);
    return loaded.error;
  }

  static inline fs::path folder_;
};

TEST_F(Cifar10, ReadsSixFilesIntoInterleavedPixels) {
  const LoadedTrainingData loaded = load_cifar10(folder_);
  ASSERT_TRUE(loaded.data) << loaded.error;
  const Dataset& train = loaded.data->train;
  ASSERT_EQ(train.size(), 50000u);
  ASSERT_EQ(loaded.data->test.size(), 10000u);
  EXPECT_EQ(train.image_values(), 3072u);
  EXPECT_EQ(train.labels[0], 0);
  EXPECT_EQ(train.labels[30007], 0);  // record 7 of the fourth file: (7 + 3) % 10
  // Record 2 of the second file, row 5, column 9, green: 14 + 155 + 9 + 80 + 1 = 259.
  EXPECT_EQ(train.image(10002)[(5 * 32 + 9) * 3 + 1], 259 % 256);
  EXPECT_EQ(loaded.data->test.image(0)[2], 165);  // blue of the first pixel of file 5
}

TEST_F(Cifar10, RefusesWhatIsNotTheSixFiles) {
  EXPECT_NE(error_with("data_batch_3.bin", "label, pixels").find("truncated"), std::string::npos);
  EXPECT_NE(error_with("data_batch_5.bin", std::string(kRecord * 9999, 1)).find("cut short"),
            std::string::npos);
  EXPECT_NE(
      error_with("test_batch.bin", std::string(kRecord * kRecords + 1, 1)).find("another kind"),
      std::string::npos);
  EXPECT_NE(error_with("data_batch_1.bin", std::string(3074 * kRecords, 1)).find("CIFAR-100"),
            std::string::npos);
  const std::string text = error_with("data_batch_2.bin", std::string(kRecord * kRecords, 'x'));
  EXPECT_NE(text.find("record 0 has label 120"), std::string::npos);
  EXPECT_NE(error_with("data_batch_2.bin", std::string(kRecord * kRecords, '\0')).find("the same"),
            std::string::npos);
}

TEST_F(Cifar10, NamesAMissingFileOrFolder) {
  fs::rename(folder_ / "test_batch.bin", folder_ / "elsewhere");
  const std::string error = load_cifar10(folder_).error;
  fs::rename(folder_ / "elsewhere", folder_ / "test_batch.bin");
  EXPECT_NE(error.find("test_batch.bin: no such file"), std::string::npos) << error;
  EXPECT_NE(load_cifar10("/no/such").error.find("/no/such/data_batch_1.bin: no such file"),
            std::string::npos);
  fs::create_directories(folder_ / "sub" / "data_batch_1.bin");
  EXPECT_NE(load_cifar10(folder_ / "sub").error.find("not a regular file"), std::string::npos);
}

TEST_F(Cifar10, TakesTheFirstImagesThatAreAskedFor) {
  const std::string source = "cifar10:" + folder_.string();
  const LoadedTrainingData some = open_training_data(source, 120, 1);
  ASSERT_TRUE(some.data) << some.error;
  EXPECT_EQ(some.data->train.size(), 120u);
  EXPECT_EQ(some.data->train.pixels.size(), 120u * 3072);
  EXPECT_EQ(some.data->test.size(), 10000u);
  EXPECT_EQ(open_training_data(source, 0, 1).data->train.size(), 50000u);
  EXPECT_NE(open_training_data(source, 50001, 1).error.find("50000 training images, not 50001"),
            std::string::npos);
}

TEST(OpenTrainingData, RefusesUnknownSources) {
  for (const char* source : {"", "imagenet", "cifar10", "cifar10:"})
    EXPECT_NE(open_training_data(source, 10, 1).error.find("give procedural, or cifar10:DIR"),
              std::string::npos)
        << source;
}

/// FNV-1a.
std::uint64_t hash(std::span<const std::uint8_t> bytes) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (std::uint8_t byte : bytes) h = (h ^ byte) * 0x100000001b3u;
  return h;
}

TEST(Procedural, SameBitsOnEveryMachine) {
  EXPECT_EQ(hash(procedural_training_set(100, 1).pixels), 0x487ed95e6a453372u);
  EXPECT_EQ(hash(procedural_test_set(100).pixels), 0xf33104e0ed250951u);
}

TEST(Procedural, AnImageDoesNotDependOnTheOthers) {
  const Dataset set = procedural_training_set(25, 9);
  std::array<std::uint8_t, 3072> alone;
  EXPECT_EQ(draw_procedural(9, Split::kTrain, 24, alone), set.labels[24]);
  EXPECT_TRUE(std::ranges::equal(alone, set.image(24)));
}

TEST(Procedural, ClassesAreBalanced) {
  const Dataset set = procedural_test_set(200);
  ASSERT_EQ(set.size(), 200u);
  std::array<int, 10> count{};
  for (std::uint8_t label : set.labels) ++count.at(label);
  for (int n : count) EXPECT_EQ(n, 20);
}

TEST(Procedural, NoImageTwiceNorInBothSets) {
  std::set<std::uint64_t> seen;
  const Dataset sets[] = {procedural_training_set(1000, 0), procedural_training_set(1000, 1),
                          procedural_test_set(1000)};
  for (const Dataset& set : sets)
    for (std::size_t i = 0; i < set.size(); ++i) seen.insert(hash(set.image(i)));
  EXPECT_EQ(seen.size(), 3000u);
}

TEST(Procedural, ImagesHaveContrastAndStayInRange) {
  const Dataset set = procedural_test_set(200);
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto [low, high] = std::ranges::minmax(set.image(i));
    EXPECT_GT(high - low, 40) << i;
  }
}

TEST(Dataset, NormalisedPixels) {
  EXPECT_EQ(normalised(0), -2.0f);
  EXPECT_EQ(normalised(128), 0.0f);
  EXPECT_EQ(normalised(255), 1.984375f);
}

/// A network whose classifier says class `width`, whatever it sees, because of its class bias.
TEST(MeasureTop1, CountsPerWidth) {
  Model model = seeded_model(modified_alexnet(), 1);
  const NetworkLayout layout(model.spec);
  std::ranges::fill(model.parameters, 0.0f);
  for (int w = 0; w < 4; ++w) model.parameters[layout.class_bias + 10 * w + w] = 1;
  Dataset data = procedural_test_set(8);
  data.labels = {0, 0, 0, 0, 1, 1, 2, 9};
  EXPECT_EQ(measure_top1(Network(model), Precision::kFloat32, data),
            (std::vector<float>{50, 25, 12.5, 0}));
}

}  // namespace
}  // namespace flyball
