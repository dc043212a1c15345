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
    ASSERT_EQ(save_model(model_, path_), "");
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
    const LoadedModel loaded = load_model(path_);
    EXPECT_FALSE(loaded.model.has_value());
    EXPECT_THAT(loaded.error, HasSubstr(path_));
    return loaded.error;
  }

  static Model some_model() {
    Model model = seeded_model(modified_alexnet(), 5);
    model.accuracy = {{10.5f, 20, 30, 40.25f}, {10, 19, 29, 40}, "held-out images, this test"};
    model.provenance = "seeded_model(modified_alexnet(), 5)";
    return model;
  }
  const Model model_ = some_model();
  std::string folder_, path_, bytes_;
};

TEST_F(ModelFile, ComesBackAsItWas) {
  for (Model model :
       {model_, seeded_model(slimmable_alexnet(), 1), seeded_model(plain_cifar_network(), 2)}) {
    ASSERT_EQ(save_model(model, path_), "");
    const LoadedModel loaded = load_model(path_);
    ASSERT_TRUE(loaded.model) << loaded.error;
    EXPECT_EQ(loaded.model->spec, model.spec);
    EXPECT_EQ(loaded.model->parameters, model.parameters);
    EXPECT_EQ(loaded.model->activation_max, model.activation_max);
    EXPECT_EQ(loaded.model->accuracy.top1_pct, model.accuracy.top1_pct);
    EXPECT_EQ(loaded.model->accuracy.int8_top1_pct, model.accuracy.int8_top1_pct);
    EXPECT_EQ(loaded.model->accuracy.source, model.accuracy.source);
    EXPECT_EQ(loaded.model->provenance, model.provenance);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "leftovers";
  }
}

TEST_F(ModelFile, ChecksumsTellModelsApart) {
  const std::uint32_t first = load_model(path_).checksum;
  EXPECT_EQ(load_model(path_).checksum, first);
  ASSERT_EQ(save_model(seeded_model(modified_alexnet(), 6), path_), "");
  EXPECT_NE(load_model(path_).checksum, first);
}

TEST_F(ModelFile, TheDefaultNetworkIsAbout320Kilobytes) {
  EXPECT_NEAR(static_cast<double>(bytes_.size()), 322'000, 2'000);
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

TEST_F(ModelFile, RefusesAnotherVersionAndAShapeThatIsNone) {
  std::string other = bytes_;
  put_u32(other, 8, kModelFileVersion + 1);
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("version is 3, this program reads 2"));
  constexpr std::size_t kShape = 12;
  other = bytes_;
  put_u32(other, kShape, 2);  // kind
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("shape makes no sense"));
  other = bytes_;
  put_u32(other, kShape + 4 * 3, 100);  // classes: other numbers of parameters
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("number of parameters"));
  for (std::size_t word : {0, 3, 5, 6, 13}) {
    other = bytes_;
    put_u32(other, kShape + 4 * word, 1u << 20);  // not to be read as 0
    EXPECT_THAT(refusal(sealed(other)), HasSubstr("shape makes no sense"));
  }
  for (std::uint32_t hostile : {0u, 0x7fffffffu, 0xffffffffu})
    for (std::size_t word = 1; word < 6 + 5 * 8; ++word) {
      other = bytes_;
      put_u32(other, kShape + 4 * word, hostile);
      write(sealed(other));
      const LoadedModel loaded = load_model(path_);  // some zeros are sound: a pooling's pad
      EXPECT_TRUE(loaded.model || !loaded.error.empty());
      EXPECT_TRUE(!loaded.model || loaded.model->problem().empty());
    }
}

TEST_F(ModelFile, RefusesListsThatClaimMoreThanTheFileHolds) {
  const std::size_t lists = 12 + 4 * (6 + 5 * 8);
  for (std::uint32_t count : {5u, 1000u, 0x40000000u, 0xffffffffu}) {
    std::string other = bytes_;
    put_u32(other, lists, count);
    EXPECT_NE(refusal(sealed(other)), "");
  }
}

TEST_F(ModelFile, RefusesWhatIsNotANumber) {
  std::string other = bytes_;
  put_u32(other, bytes_.size() - 8, std::bit_cast<std::uint32_t>(std::nanf("")));
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("parameter 80551 is NaN"));
  put_u32(other, bytes_.size() - 8, 0x7f800000u);
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("parameter 80551"));
  other = bytes_;
  const std::size_t accuracies = 12 + 4 * (6 + 5 * 8) + 4;
  put_u32(other, accuracies + 4, std::bit_cast<std::uint32_t>(101.0f));
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("fp32 accuracy of width 1"));
  other = bytes_;
  const std::size_t range = bytes_.size() - 4 - 4 * 80'552 - 4 - 4;  // the last one
  put_u32(other, range, std::bit_cast<std::uint32_t>(-1.0f));
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("activation range 20"));
  put_u32(other, range, 1);  // the smallest float: 127 steps over it are infinite
  EXPECT_THAT(refusal(sealed(other)), HasSubstr("activation range 20"));
}

TEST_F(ModelFile, NamesWhatCannotBeReadOrWritten) {
  EXPECT_THAT(load_model(folder_ + "/none").error, HasSubstr("No such file"));
  EXPECT_THAT(load_model(folder_).error, HasSubstr("it is not a regular file"));
  EXPECT_THAT(save_model(model_, folder_ + "/none/net"), HasSubstr("No such file"));
}

TEST_F(ModelFile, AFailedSaveLeavesTheOldFile) {
  Model half = model_;
  half.accuracy.top1_pct = {1, 2};
  EXPECT_THAT(save_model(half, path_), HasSubstr("accuracies of 2 of 4 widths"));
  half = model_;
  half.provenance.assign(5000, 'x');
  EXPECT_THAT(save_model(half, path_), HasSubstr("4 kB"));
  EXPECT_TRUE(load_model(path_).model);
}

}  // namespace
}  // namespace flyball
