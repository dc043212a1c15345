#include "agents/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agents/agent.h"
#include "kernels/base/crc32c.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

using testing::HasSubstr;
using testing::Not;

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
  const PolicyFile policy_{{.agent = "q_learning",
                            .features = 2,
                            .platform = "tiny",
                            .platform_hash = 0x0123456789abcdefu,
                            .times_hash = 77},
                           {1, 2, 3, 250}};
};

TEST_F(PolicyFileTest, RoundTrip) {
  write_policy(path_, policy_);
  const PolicyFile back = read_policy(path_);
  EXPECT_EQ(back.identity.agent, "q_learning");
  EXPECT_EQ(back.identity.features, 2u);
  EXPECT_EQ(back.identity.platform, "tiny");
  EXPECT_EQ(back.identity.platform_hash, 0x0123456789abcdefu);
  EXPECT_EQ(back.identity.times_hash, 77u);
  EXPECT_EQ(back.payload, policy_.payload);
}

TEST_F(PolicyFileTest, LittleEndianLayoutWithCrc32c) {
  write_policy(path_, {{.agent = "ab",
                        .features = 3,
                        .platform = "xyz",
                        .platform_hash = 0x0102030405060708u,
                        .times_hash = 9},
                       {0xff}});
  const std::string all = bytes();
  EXPECT_EQ(all, std::string("FLYPOL\0\1"
                             "\3\0\0\0"
                             "\2\0\0\0ab"
                             "\3\0\0\0"
                             "\3\0\0\0xyz"
                             "\x08\x07\x06\x05\x04\x03\x02\x01"
                             "\x09\0\0\0\0\0\0\0"
                             "\0\0\0\0\0"  // not by --belief; no applications
                             "\1\0\0\0\xff",
                             55) +
                     all.substr(55));
  ASSERT_EQ(all.size(), 59u);
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
  EXPECT_THAT(reason(good + "x"), HasSubstr("checksum"));
  std::string bad = good;
  bad[8] = 1;
  EXPECT_THAT(reason(bad), HasSubstr("format version 1 and this program reads version 3"));
  bad[8] = 4;
  EXPECT_THAT(reason(bad), HasSubstr("format version 4"));
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

// What an older program wrote: magic, version 1, spaces hash, agent, payload, CRC.
TEST_F(PolicyFileTest, AFileOfVersion1IsRefusedWithItsNumber) {
  put(
      std::string("FLYPOL\0\1"
                  "\1\0\0\0"
                  "\x08\x07\x06\x05\x04\x03\x02\x01"
                  "\2\0ab"
                  "\1\0\0\0\xff"
                  "\0\0\0\0",
                  33));
  EXPECT_THAT(refusal(), HasSubstr("format version 1"));
}

TEST_F(PolicyFileTest, ValidForThePlatformFileAndTheAgentThatLearnedIt) {
  const PolicyIdentity& own = policy_.identity;
  EXPECT_EQ(misfit(own, own), "");
  PolicyIdentity here = own;
  here.times_hash = 78;
  EXPECT_EQ(misfit(own, here), "") << "another machine profile";
  here = own;
  here.agent = "prime";
  EXPECT_EQ(misfit(own, here), "'q_learning' learned it, not 'prime'");
  here = own;
  here.features = 3;
  EXPECT_THAT(misfit(own, here), HasSubstr("other features"));
  here = own;
  here.platform_hash = 1;
  EXPECT_THAT(misfit(own, here), HasSubstr("a 'tiny' whose platform file had other numbers"));
  here.platform = "odroid_xu3";
  EXPECT_EQ(misfit(own, here), "it was learned on 'tiny', not on 'odroid_xu3'");
}

TEST_F(PolicyFileTest, AFileOfVersion2SaysNothingOfApplicationsAndIsRead) {
  std::string old(
      "FLYPOL\0\1"
      "\2\0\0\0"
      "\2\0\0\0ab"
      "\5\0\0\0"
      "\4\0\0\0tiny"
      "\x08\x07\x06\x05\x04\x03\x02\x01"
      "\x4d\0\0\0\0\0\0\0"
      "\1\0\0\0\xff",
      51);
  const std::uint32_t crc = crc32c(old.data(), old.size());
  for (int i = 0; i < 4; ++i) old += static_cast<char>(crc >> (8 * i));
  put(old);
  const PolicyFile back = read_policy(path_);
  EXPECT_EQ(back.identity.agent, "ab");
  EXPECT_EQ(back.identity.platform, "tiny");
  EXPECT_EQ(back.identity.times_hash, 77u);
  EXPECT_TRUE(back.identity.apps.empty());
  EXPECT_EQ(back.payload, std::vector<std::uint8_t>{255});
  PolicyIdentity here = back.identity;
  here.apps = {{"camera", 1}};
  EXPECT_EQ(prior_note(back.identity, here), "") << "nobody knows";
}

TEST_F(PolicyFileTest, OtherApplicationsOrTimesMakeItAPriorAndThatIsSaid) {
  PolicyFile of = policy_;
  of.identity.apps = {{"camera", 1}, {"door", 2}};
  of.identity.believed = true;
  write_policy(path_, of);
  const PolicyIdentity own = read_policy(path_).identity;
  EXPECT_EQ(own.apps, of.identity.apps);
  EXPECT_TRUE(own.believed);
  EXPECT_EQ(prior_note(own, own), "");
  PolicyIdentity here = own;
  here.apps = {{"camera", 1}, {"talk", 2}, {"lamp", 4}};
  EXPECT_EQ(misfit(own, here), "") << "no reason to refuse it";
  EXPECT_EQ(prior_note(own, here),
            "learned with another list of applications (with 'door', without 'talk' 'lamp'): it is "
            "a prior here");
  here.times_hash = 78;
  here.apps = {{"camera", 1}, {"door", 2}, {"lamp", 4}};
  EXPECT_EQ(prior_note(own, here),
            "learned with another list of applications (without 'lamp') and with other measured "
            "times: it is a "
            "prior here");
  here.apps = own.apps;
  EXPECT_EQ(prior_note(own, here), "learned with other measured times: it is a prior here");
}

// Whoever learned it: who plans with what is believed of a job is as wrong as who keeps a table of it.
TEST_F(PolicyFileTest, OtherCostsOrLevelsOfWhatWasLearnedAreRefused) {
  PolicyIdentity own = policy_.identity;
  own.apps = {{"camera", 1}, {"busy", 2}, {"door", 3}};
  PolicyIdentity here = own;
  here.apps = {{"lamp", 4}, {"busy", 2}, {"camera", 5}};
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.learns) continue;
    own.agent = here.agent = info.name;
    EXPECT_EQ(misfit(own, here), "'camera' had other costs or levels when it was learned");
  }
  EXPECT_EQ(misfit_remedy(own, here), "train it again, or take it as a prior with --from");
  here.apps[2].hash = 1;
  EXPECT_EQ(misfit(own, here), "");
  // A file that does not say which there were is judged by its payload.
  here.apps[2].hash = 5;
  own.apps.clear();
  EXPECT_EQ(misfit(own, here), "");
}

TEST_F(PolicyFileTest, UnderAnotherBeliefItIsRefusedByThatName) {
  const PolicyIdentity own = policy_.identity;
  PolicyIdentity here = own;
  here.platform_hash = 1;
  here.platform = "thirsty";
  here.believed = true;
  EXPECT_EQ(misfit(own, here),
            "it was learned under what platform 'tiny' says of itself, and here that is the belief "
            "'thirsty' "
            "(--belief)");
  EXPECT_THAT(misfit_remedy(own, here), HasSubstr("leave --belief out"));
  EXPECT_EQ(misfit(here, own),
            "it was learned under the belief 'thirsty' (--belief), and here that is what platform "
            "'tiny' says of "
            "itself");
  EXPECT_THAT(misfit_remedy(here, own), HasSubstr("give '--belief FILE' as it was trained"));
  here.platform = own.platform;
  EXPECT_THAT(misfit(here, own), HasSubstr("says of itself, with other numbers"));
  here.platform_hash = own.platform_hash;
  EXPECT_EQ(misfit(own, here), "") << "the same numbers, whoever says them";
}

TEST_F(PolicyFileTest, ARefusalNamesTheFileAndTheRemedy) {
  check_policy(policy_, path_, policy_.identity);
  const auto refused = [&](const PolicyIdentity& here) -> std::string {
    try {
      check_policy(policy_, path_, here);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      EXPECT_THAT(error.what(), HasSubstr(path_));
      return error.what();
    }
    return "";
  };
  PolicyIdentity here = policy_.identity;
  here.platform_hash = 1;
  EXPECT_THAT(refused(here), HasSubstr("--from")) << "as a prior it may do";
  here.agent = "prime";
  EXPECT_THAT(refused(here), Not(HasSubstr("--from"))) << "for another agent it means nothing";
}

TEST_F(PolicyFileTest, ItsNamesSteerNoTerminal) {
  PolicyFile evil = policy_;
  evil.identity.agent = "q\x1b[2J";
  evil.identity.platform = "tiny\xe2\x80\xae\x9b";
  write_policy(path_, evil);
  const PolicyFile back = read_policy(path_);
  EXPECT_EQ(back.identity.agent, "q?[2J");
  EXPECT_EQ(back.identity.platform, "tiny??");
}

}  // namespace
}  // namespace flyball
