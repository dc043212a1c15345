#include "governor/supervisor/tunables.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>
#include <string>
#include <vector>

#include "governor/supervisor/give_back_lane.h"

namespace flyball {
namespace {

FileDescriptor open_sys(const SettingsFile& file) {
  const std::string path = std::string(file.sysfs_root()) + "/sys";
  return FileDescriptor(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// The files in a folder of sysfs, as paths of the machine; none when it is absent.
std::vector<std::string> files_in(const SettingsFile& file, const std::string& folder) {
  std::vector<std::string> paths;
  const std::string full = std::string(file.sysfs_root()) + folder;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(full.c_str()), closedir);
  if (!entries) return paths;
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_name[0] != '.') paths.push_back(folder + "/" + entry->d_name);
  }
  return paths;
}

int find(const SettingsFile& file, const std::string& path) {
  for (int setting = 0; setting < file.count(); ++setting) {
    if (file.path(setting) == path) return setting;
  }
  return -1;
}

}  // namespace

bool take_tunables(SettingsFile& file, int governor) {
  const FileDescriptor sys = open_sys(file);
  const std::string device(folder_of(file.path(governor)));
  const std::string all_devices(folder_of(device));
  for (const std::string& place : {device, all_devices}) {
    for (const std::string& path :
         files_in(file, place + "/" + std::string(file.before(governor)))) {
      const SettingReading value = read_file_setting(sys.get(), path);
      if (value.error != 0) continue;  // no value, or one to write only
      const int known = find(file, path);
      if (known < 0) {
        if (!file.take(SettingKind::kTunable, path, value.view())) return false;
      } else if (file.state(known) != SettingState::kTaken && !file.retake(known, value.view())) {
        return false;
      }
    }
  }
  return true;
}

void give_back_tunables(SettingsFile& file, int governor) {
  std::vector<int> tunables;
  for (int setting = 0; setting < file.count(); ++setting) {
    if (file.is_whole(setting) && file.kind(setting) == SettingKind::kTunable &&
        file.state(setting) == SettingState::kTaken &&
        is_governor_of(file, governor, file.path(setting))) {
      tunables.push_back(setting);
    }
  }
  if (tunables.empty()) return;
  const FileDescriptor sys = open_sys(file);
  const auto steps = std::make_unique<GiveBackStep[]>(static_cast<std::size_t>(file.count()));
  run_lane({file, {}, sys.get(), steps.get(), false}, tunables);
}

}  // namespace flyball
