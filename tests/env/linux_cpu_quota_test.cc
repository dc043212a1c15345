#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "env/linux/cpu_quota.h"

namespace flyball {
namespace {

/// A machine's /proc and /sys, made of files.
class FakeTree {
 public:
  FakeTree() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flyball-cg-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~FakeTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << text;
  }
  void v2(const std::string& group, const std::string& mount_root = "/") const {
    write("/proc/self/cgroup", "0::" + group + "\n");
    write("/proc/self/mountinfo",
          "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
          "40 22 0:37 " +
              mount_root + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }
  std::optional<double> cpus() const { return read_cpu_quota(root_).cpus; }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

TEST(CpuQuota, IsTheSmallestOfTheGroupAndAllAbove) {
  const FakeTree tree;
  tree.v2("/user.slice/job");
  EXPECT_FALSE(tree.cpus());
  tree.write("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  EXPECT_FALSE(tree.cpus());
  tree.write("/sys/fs/cgroup/user.slice/cpu.max", "30000 100000\n");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.3);
  tree.write("/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.3);
  tree.write("/sys/fs/cgroup/user.slice/job/cpu.max", "5000 50000\n");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.1);
  EXPECT_EQ(read_cpu_quota(tree.root()).source, "cgroup cpu.max");
  tree.write("/sys/fs/cgroup/cpu.max", "2000\n");  // without a period: 100 ms
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.02);
  tree.write("/sys/fs/cgroup/another/cpu.max", "1000 100000\n");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.02) << "a group that this process is not in";
}

TEST(CpuQuota, OfAContainerThatSeesPartOfTheTree) {
  const FakeTree tree;
  tree.write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  tree.v2("/docker/1f", "/docker/1f");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.5);
  tree.v2("/../../elsewhere");  // outside its namespace: what is mounted is all that is known
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.5);
  tree.v2("/docker/1fe", "/docker/1f");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.5);
  tree.write("/sys/fs/cgroup/in/cpu.max", "25000 100000\n");
  tree.v2("/docker/1f/in", "/docker/1f");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 0.25);
}

TEST(CpuQuota, OfVersionOne) {
  const FakeTree tree;
  tree.write("/proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a/b\n0::/\n");
  tree.write("/proc/self/mountinfo",
             "31 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
             "32 30 0:29 / /sys/fs/cgroup/cpu\\040and rw - cgroup cgroup rw,cpuacct,cpu\n");
  tree.write("/sys/fs/cgroup/cpu and/a/b/cpu.cfs_quota_us", "-1\n");
  tree.write("/sys/fs/cgroup/cpu and/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(tree.cpus());
  tree.write("/sys/fs/cgroup/cpu and/a/cpu.cfs_quota_us", "120000\n");
  tree.write("/sys/fs/cgroup/cpu and/a/cpu.cfs_period_us", "80000\n");
  tree.write("/sys/fs/cgroup/cpu and/a/cpu.stat",
             "nr_periods 90\nnr_throttled 7\nthrottled_time 2500000\n");
  EXPECT_DOUBLE_EQ(tree.cpus().value(), 1.5);
  EXPECT_EQ(read_cpu_quota(tree.root()).source, "cgroup cpu.cfs_quota_us");
  EXPECT_EQ(read_cpu_throttling(tree.root()).throttled_us, 2500);
}

TEST(CpuQuota, ThrottlingIsCountedWhereThereIsAQuota) {
  const FakeTree tree;
  tree.v2("/a");
  const std::string stat = "usage_usec 9\nnr_periods 50\nnr_throttled 20\nthrottled_usec 700000\n";
  tree.write("/sys/fs/cgroup/cpu.stat", stat);
  EXPECT_EQ(read_cpu_throttling(tree.root()).periods, 0);
  tree.write("/sys/fs/cgroup/cpu.max", "30000 100000\n");
  const CpuThrottling before = read_cpu_throttling(tree.root());
  EXPECT_EQ(before.periods, 50);
  EXPECT_EQ(before.throttled, 20);
  EXPECT_EQ(before.throttled_us, 700'000);
  tree.write("/sys/fs/cgroup/cpu.stat", "nr_periods 60\nnr_throttled 29\nthrottled_usec 900000\n");
  const CpuThrottling between = read_cpu_throttling(tree.root()) - before;
  EXPECT_EQ(between.periods, 10);
  EXPECT_EQ(between.throttled, 9);
  EXPECT_EQ(between.throttled_us, 200'000);
}

TEST(CpuQuota, WhatMakesNoSenseIsNoQuota) {
  const FakeTree tree;
  EXPECT_FALSE(tree.cpus()) << "no /proc at all";
  tree.v2("/a");
  for (const std::string text :
       {"", "\n", " ", "-5 100000", "0 100000", "30000 0", "30000 -1", "30000 x", "3e4 100000",
        "99999999999999999999 100000", "30000 99999999999999999999", "max", "\xff\xfe"}) {
    tree.write("/sys/fs/cgroup/a/cpu.max", text);
    EXPECT_FALSE(tree.cpus()) << text;
  }
  tree.write("/sys/fs/cgroup/a/cpu.max", std::string(1 << 20, '1'));
  EXPECT_FALSE(tree.cpus());
  tree.write("/sys/fs/cgroup/a/cpu.max", "30000 100000\n");
  ASSERT_TRUE(tree.cpus());
  for (const std::string cgroup :
       {"", ":", "::", "0:", "0::", "0::a", "0:name=x:/a", "x\n\n:::/"}) {
    tree.write("/proc/self/cgroup", cgroup);
    EXPECT_FALSE(tree.cpus()) << cgroup;
  }
  tree.write("/proc/self/cgroup", "0::/a\n");
  for (const std::string mounts :
       {"", " - ", "1 2 3 - cgroup2", "1 2 0:3 / /sys/fs/cgroup rw - cgroup2",
        "1 2 0:3 / /sys/fs/cgroup\\0 rw - cgroup2 x rw", "- cgroup2 cgroup2 rw"}) {
    tree.write("/proc/self/mountinfo", mounts);
    EXPECT_FALSE(tree.cpus()) << mounts;
  }
  // A pipe in the place of a file must not be waited for.
  tree.v2("/b");
  std::filesystem::create_directories(tree.root() + "/sys/fs/cgroup/b");
  ASSERT_EQ(mkfifo((tree.root() + "/sys/fs/cgroup/b/cpu.max").c_str(), 0600), 0);
  EXPECT_FALSE(tree.cpus());
}

TEST(CpuQuota, OfThisVeryProcessIsReadable) {
  const CpuQuota quota = read_cpu_quota();
  EXPECT_GT(quota.cpus.value_or(1), 0);
  EXPECT_EQ(quota.source.empty(), !quota.cpus);
}

}  // namespace
}  // namespace flyball
