#include <array>
#include <filesystem>

#include "env/linux/discover/linux_machine.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

struct Known {
  std::string_view name;  ///< of the program's file
  const char* turns;
};
constexpr std::array<Known, 13> kKnown = {{
    {"tlp", "governors, limits and preferences"},
    {"tlp-pd", "governors, limits and preferences"},
    {"auto-cpufreq", "governors, limits and turbo"},
    {"power-profiles-daemon", "the platform profile and energy preferences"},
    {"tuned", "governors, limits and preferences"},
    {"tuned-ppd", "governors, limits and preferences"},
    {"thermald", "limits and power caps when it is hot"},
    {"system76-power", "governors and limits"},
    {"gamemoded", "the governor, while a game runs"},
    {"gamemode", "the governor, while a game runs"},
    {"intel_lpmd", "which CPUs are used, and preferences"},
    {"intel-lpmd", "which CPUs are used, and preferences"},
    {"flyball", "governors and limits"},
}};

const Known* known(std::string_view name) {
  for (const Known& each : kKnown) {
    if (name == each.name) return &each;
  }
  return nullptr;
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// Another flyball is one while it governs clocks: all other verbs turn nothing, nor does a run on
/// emulated ones, or a dry one.
bool governs_clocks(const std::string& command_line) {
  using std::string_literals::operator""s;
  const auto has = [&](const std::string& words) {
    return command_line.find('\0' + words + '\0') != std::string::npos;
  };
  return has("run") && (has("--platform\0linux"s) || has("--platform=linux")) && !has("--dry-run");
}

/// The program's file: that of an interpreter's script where it is one ("python3 /usr/sbin/tuned").
const Known* rival_of(const std::string& command_line) {
  std::string_view rest = command_line;
  for (int word = 0; word < 4 && !rest.empty(); ++word) {
    const std::string_view one = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (word > 0 && one.starts_with("-")) continue;
    const std::string_view name = file_name(one);
    if (const Known* found = known(name)) return found;
    // Only an interpreter's first file is a program; an editor's is a text.
    const bool interpreter = name.starts_with("python") || name == "sh" || name == "bash" ||
                             name == "perl" || name == "env";
    if (!interpreter) return nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<RivalDaemon> find_rivals(const SysTree& tree) {
  std::vector<RivalDaemon> rivals;
  const std::string self = tree.link_name("/proc/self");
  for (const std::string& entry : tree.entries("/proc")) {
    const auto pid = whole_number(entry);
    if (!pid || *pid <= 0 || entry == self) continue;
    std::string command_line;
    if (!read_whole_file(tree.path("/proc/" + entry + "/cmdline"), SysTree::kMaxBytes,
                         command_line)) {
      continue;
    }
    const Known* rival = rival_of(command_line);
    if (rival != nullptr && rival->name == "flyball" && !governs_clocks(command_line))
      rival = nullptr;
    if (rival != nullptr)
      rivals.push_back({std::string(rival->name), static_cast<int>(*pid), rival->turns});
  }
  return rivals;
}

}  // namespace flyball
