#include "kernels/dnn/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace flyball {
namespace {

using testing::HasSubstr;

class ModelFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "flyball_model_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/net.flynet";
    ASSERT_EQ(save_network(network_, path_), "");
    std::ifstream file(path_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
  static void put_u32(std::string& bytes, std::size_t at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  }
  /// A checksum that fits, so that what is behind it is reached.
  static std::string sealed(std::string bytes) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(bytes.data(), bytes.size() - 4);
    put_u32(bytes, bytes.size() - 4, crc.checksum());
    return bytes;
  }
  std::string refusal(const std::string& bytes) {
    write(bytes);
    const LoadedNetwork loaded = load_network(path_, network_.spec());
    EXPECT_FALSE(loaded.network.has_value());
    EXPECT_THAT(loaded.error, HasSubstr(path_));
    return loaded.error;
  }

  Network network_ =
      Network(modified_alexnet(), Network::seeded(modified_alexnet(), 5).parameters(),
              {{10.5f, 20, 30, 40.25f}, "held-out images, this test"});
  std::string folder_, path_, bytes_;
};

TEST_F(ModelFile, ComesBackAsItWas) {
  const LoadedNetwork loaded = load_network(path_, network_.spec());
  ASSERT_TRUE(loaded.network) << loaded.error;
  EXPECT_TRUE(std::ranges::equal(loaded.network->parameters(), network_.parameters()));
  EXPECT_EQ(loaded.network->accuracy_pct(3), 40.25f);
  EXPECT_EQ(loaded.network->accuracy_source(), "held-out images, this test");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no leftovers";
}

TEST_F(ModelFile, KeepsThatNothingWasMeasured) {
  ASSERT_EQ(save_network(Network::seeded(modified_alexnet(), 5), path_), "");
  const LoadedNetwork loaded = load_network(path_, modified_alexnet());
  ASSERT_TRUE(loaded.network) << loaded.error;
  EXPECT_FALSE(loaded.network->accuracy_pct(3));
  EXPECT_THAT(loaded.network->accuracy_source(), HasSubstr("not measured"));
}

TEST_F(ModelFile, RefusesDamage) {
  EXPECT_THAT(refusal(""), HasSubstr("not a Flyball network file"));
  EXPECT_THAT(refusal("something else entirely"), HasSubstr("not a Flyball network file"));
  for (std::size_t at : {std::size_t{20}, bytes_.size() / 2, bytes_.size() - 1}) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_THAT(refusal(damaged), HasSubstr("checksum"));
  }
  for (std::size_t size : {std::size_t{9}, std::size_t{14}, std::size_t{100}, bytes_.size() - 1})
    refusal(bytes_.substr(0, size));
  refusal(bytes_ + "x");
  EXPECT_THAT(refusal(sealed(bytes_ + "abcd")), HasSubstr("length"));
  EXPECT_THAT(refusal(sealed(bytes_.substr(0, bytes_.size() - 40))), HasSubstr("length"));
}

TEST_F(ModelFile, RefusesAnotherVersionOrShape) {
  std::string other = bytes_;
  put_u32(other, 8, kModelFileVersion + 1);
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("version is 2"));
  other = bytes_;
  put_u32(other, 12 + 4 * 2, 100);  // classes
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("another shape"));
  NetworkSpec wider = modified_alexnet();
  wider.layers[2].channels = 32;
  write(bytes_);
  EXPECT_THAT(load_network(path_, wider).error, HasSubstr("another shape"));
}

TEST_F(ModelFile, RefusesWhatIsNotANumber) {
  std::string other = bytes_;
  put_u32(other, bytes_.size() - 8, std::bit_cast<std::uint32_t>(std::nanf("")));
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("parameter 80551 is NaN"));
  put_u32(other, bytes_.size() - 8, 0x7f800000u);
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("parameter 80551"));
  other = bytes_;
  const std::size_t accuracies = 12 + 4 * (5 + 5 * 8) + 4;
  put_u32(other, accuracies + 4, std::bit_cast<std::uint32_t>(101.0f));
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("accuracy of width 1"));
}

TEST_F(ModelFile, NamesWhatCannotBeReadOrWritten) {
  EXPECT_THAT(load_network(folder_ + "/none", network_.spec()).error, HasSubstr("No such file"));
  EXPECT_THAT(load_network(folder_, network_.spec()).error, HasSubstr("Is a directory"));
  EXPECT_THAT(save_network(network_, folder_ + "/none/net"), HasSubstr("No such file"));
}

TEST_F(ModelFile, AFailedSaveLeavesTheOldFile) {
  const Network half(network_.spec(), network_.parameters(), {{1, 2}, "two of four"});
  EXPECT_THAT(save_network(half, path_), HasSubstr("some widths only"));
  EXPECT_TRUE(load_network(path_, network_.spec()).network);
}

}  // namespace
}  // namespace flyball
