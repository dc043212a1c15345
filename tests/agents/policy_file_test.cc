#include "agents/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/base/error.h"

namespace flyball {
namespace {

using testing::HasSubstr;

class PolicyFileTest : public testing::Test {
 protected:
  PolicyFileTest() {
    std::string pattern = testing::TempDir() + "policy_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    path_ = dir_ + "/p.policy";
  }
  ~PolicyFileTest() override { std::filesystem::remove_all(dir_); }

  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    chmod(path_.c_str(), 0600);
  }
  std::string refusal() const {
    try {
      read_policy(path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      const std::string text = error.what();
      EXPECT_THAT(text, HasSubstr(path_));
      EXPECT_EQ(text.find('\n'), std::string::npos);
      return text;
    }
    return "";
  }

  std::string dir_, path_;
  const PolicyFile policy_{"q_learning", 0x0123456789abcdefu, {1, 2, 3, 250}};
};

TEST_F(PolicyFileTest, RoundTrip) {
  write_policy(path_, policy_);
  const PolicyFile back = read_policy(path_);
  EXPECT_EQ(back.agent, policy_.agent);
  EXPECT_EQ(back.spaces_hash, policy_.spaces_hash);
  EXPECT_EQ(back.payload, policy_.payload);
}

TEST_F(PolicyFileTest, LittleEndianLayoutWithCrc32c) {
  write_policy(path_, {"ab", 0x0102030405060708u, {0xff}});
  const std::string all = bytes();
  EXPECT_EQ(all.substr(0, 8), std::string("FLYPOL\0\1", 8));
  EXPECT_EQ(all.substr(8, 4), std::string("\1\0\0\0", 4));
  EXPECT_EQ(all.substr(12, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(all.substr(20, 4), std::string("\2\0ab", 4));
  EXPECT_EQ(all.substr(24, 5), std::string("\1\0\0\0\xff", 5));
  // CRC-32C bit by bit, as in RFC 3720 appendix B.4.
  std::uint32_t crc = 0xffffffffu;
  for (unsigned char byte : all.substr(0, all.size() - 4)) {
    crc ^= byte;
    for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(all[all.size() - 4 + i]), (crc >> (8 * i)) & 0xff);
  }
}

TEST_F(PolicyFileTest, EveryBitFlipIsRefused) {
  write_policy(path_, policy_);
  const std::string good = bytes();
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      put(bad);
      EXPECT_NE(refusal(), "") << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(PolicyFileTest, EveryTruncationIsRefused) {
  write_policy(path_, policy_);
  const std::string good = bytes();
  for (std::size_t size = 0; size < good.size(); ++size) {
    put(good.substr(0, size));
    EXPECT_NE(refusal(), "") << size;
  }
}

TEST_F(PolicyFileTest, ReasonsAreNamed) {
  EXPECT_THAT(refusal(), HasSubstr("No such file"));
  write_policy(path_, policy_);
  const std::string good = bytes();
  const auto reason = [&](const std::string& bad) {
    put(bad);
    return refusal();
  };
  EXPECT_THAT(reason("hello, this is text"), HasSubstr("not a policy file"));
  EXPECT_THAT(reason(good.substr(0, good.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(reason(good + "x"), HasSubstr("longer than it says"));
  std::string bad = good;
  bad[8] = 2;
  EXPECT_THAT(reason(bad), HasSubstr("version 2"));
  bad = good;
  bad[good.size() - 6] ^= 1;
  EXPECT_THAT(reason(bad), HasSubstr("checksum"));
  EXPECT_THAT(reason(std::string(17u << 20, 'x')), HasSubstr("bytes"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
}

TEST_F(PolicyFileTest, APipeIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
}

TEST_F(PolicyFileTest, RootRefusesWhatOthersCanWrite) {
  write_policy(path_, policy_);
  for (const mode_t mode : {0620, 0602}) {
    chmod(path_.c_str(), mode);
    if (geteuid() == 0) {
      EXPECT_THAT(refusal(), HasSubstr("can write to it"));
    } else {
      EXPECT_EQ(refusal(), "") << "only root is that strict";
    }
  }
  chmod(path_.c_str(), 0644);
  EXPECT_EQ(refusal(), "");
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(path_.c_str(), 65534, 65534), 0);
  EXPECT_THAT(refusal(), HasSubstr("root does not own it"));
}

TEST_F(PolicyFileTest, AnotherAgentOrOtherSpacesAreRefused) {
  check_policy(policy_, path_, "q_learning", policy_.spaces_hash);
  EXPECT_THROW(check_policy(policy_, path_, "prime", policy_.spaces_hash), Error);
  EXPECT_THROW(check_policy(policy_, path_, "q_learning", policy_.spaces_hash + 1), Error);
}

}  // namespace
}  // namespace flyball
