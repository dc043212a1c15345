// A settings file with any bytes in it, checksums included: it is refused in one line, or what it
// names is given back within the tree, and nothing outside is touched.

#include <gmock/gmock.h>

#include <cstring>
#include <random>

#include "governor/supervisor/stored_value.h"
#include "kernels/base/control_character.h"
#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

constexpr int kEntries = 6;

/// Somebody who knows the format.
void sign(std::string& bytes) {
  auto& header = *reinterpret_cast<SettingsHeader*>(bytes.data());
  header.checksum = header_checksum(header);
  for (int i = 0; i < kEntries; ++i) {
    auto& entry = reinterpret_cast<SettingEntry*>(bytes.data() + kEntriesAt)[i];
    entry.checksum = entry_checksum(entry);
    for (StoredValue* value :
         {&entry.before, &entry.intended[0].stored, &entry.intended[0].read_back,
          &entry.intended[1].stored, &entry.intended[1].read_back}) {
      value->checksum = value_checksum(*value);
    }
  }
}

class HostileFile : public MachineFixture {
 protected:
  HostileFile() {
    file_ = SettingsFile::create(make_state(), root(), kEntries);
    for (const std::string policy : {"policy0/", "policy4/"}) {
      take_over(SettingKind::kGovernor, policy + "scaling_governor", "userspace");
      take_over(SettingKind::kMinimum, policy + "scaling_min_freq", "300000");
      take_over(SettingKind::kMaximum, policy + "scaling_max_freq", "1500000");
    }
    whole_ = file_text(settings_path());
    write_text(folder_ / "victim", "userspace");
  }
  std::string whole_;
};

TEST_F(HostileFile, IsRefusedOrKeepsWithinTheTree) {
  std::mt19937 random(9);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  const std::size_t own_end = offsetof(SettingsHeader, sysfs_root);  // the tree stays this one
  int refused = 0, read = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole_;
    const std::size_t changes = 1 + below(8);
    for (std::size_t i = 0; i < changes; ++i) {
      const bool in_header = below(8) == 0;
      const std::size_t at =
          in_header ? below(own_end) : kEntriesAt + below(bytes.size() - kEntriesAt);
      const std::string_view parts[] = {"/../../victim", "..", "/",
                                        "\033[2J",       "\n", std::string_view("\0", 1)};
      if (below(2) == 0) {
        bytes[at] = static_cast<char>(below(256));
      } else {
        const std::string_view part = parts[below(6)];
        std::memcpy(bytes.data() + at, part.data(), std::min(part.size(), bytes.size() - at));
      }
    }
    if (below(4) != 0) sign(bytes);
    write_text(settings_path(), bytes);
    std::optional<SettingsFile> file;
    const std::string line = error_of(
        [&] { file = SettingsFile::open_existing(StateDir::open_existing(state_path())); });
    if (!file) {
      EXPECT_EQ(line, printable(line));
      EXPECT_NE(line.find("; "), line.npos);
      ++refused;
      continue;
    }
    ++read;
    GiveBackOptions options;
    options.access.write = [](int, const SettingsFile& hostile, int setting, std::string_view) {
      // What would be written to, and never a text that a terminal obeys.
      const std::string name(hostile.path(setting));
      return name == printable(name) ? EACCES : ENOTRECOVERABLE;
    };
    options.step_limit_ns = 60'000'000'000;
    for (const SettingResult& each : give_back(*file, options).settings) {
      EXPECT_EQ(each.name, printable(each.name));
      EXPECT_NE(each.error, ENOTRECOVERABLE);
    }
    EXPECT_EQ(file_text(folder_ / "victim"), "userspace");
  }
  EXPECT_GT(refused, 20);
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace flyball::testing
