#include "governor/supervisor/settings_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "governor/supervisor/stored_value.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr const char* kNewName = "settings.new";

std::size_t bytes_for(std::uint32_t capacity) {
  return kEntriesAt + capacity * sizeof(SettingEntry);
}

void* map(int file, std::size_t size) {
  return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
}

/// An unterminated text has no end within its array.
bool is_terminated(const char* text, std::size_t capacity) {
  return std::memchr(text, 0, capacity) != nullptr;
}

std::string header_problem(const SettingsHeader& header, std::size_t size) {
  if (std::memcmp(header.magic, kSettingsMagic, sizeof header.magic) != 0) {
    return "it is no settings file of flyball's";
  }
  if (header.version != kSettingsVersion) {
    return "it is of version " + std::to_string(header.version) + ", this program reads version " +
           std::to_string(kSettingsVersion);
  }
  if (header.checksum != header_checksum(header) || header.entry_bytes != sizeof(SettingEntry) ||
      header.capacity > kMaxSettings || size != bytes_for(header.capacity) ||
      header.count.load() > header.capacity ||
      !is_terminated(header.sysfs_root, sizeof header.sysfs_root)) {
    return "it is damaged";
  }
  return {};
}

}  // namespace

SettingsFile::SettingsFile(SettingsFile&& other) noexcept
    : file_(std::move(other.file_)),
      bytes_(std::exchange(other.bytes_, nullptr)),
      size_(other.size_) {}

SettingsFile& SettingsFile::operator=(SettingsFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

SettingsFile::~SettingsFile() {
  if (bytes_ != nullptr) munmap(bytes_, size_);
}

SettingsFile SettingsFile::create(const StateDir& dir, const std::string& sysfs_root,
                                  int capacity) {
  const auto settings = static_cast<std::uint32_t>(capacity);
  const std::size_t size = bytes_for(settings);
  const auto refuse = [&](int error) {
    unlinkat(dir.descriptor(), kNewName, 0);
    failure(dir.path_of(kName), "cannot be made: " + error_text(error),
            "nothing was changed; free space there, or give another folder with --state-dir");
  };
  if (sysfs_root.size() >= sizeof SettingsHeader{}.sysfs_root) {
    input_error("sysfs root " + sysfs_root, "is too long a path", "give a shorter one");
  }
  unlinkat(dir.descriptor(), kNewName, 0);  // of one who died while making it
  FileDescriptor file = open_state_file(dir, kNewName, O_CREAT | O_EXCL, S_IRWXG | S_IRWXO);
  if (!file) refuse(errno);
  if (const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(size)); error != 0)
    refuse(error);
  void* bytes = map(file.get(), size);
  if (bytes == MAP_FAILED) refuse(errno);

  SettingsFile settings_file(std::move(file), bytes, size);
  auto& header = *new (bytes) SettingsHeader{};
  std::memcpy(header.magic, kSettingsMagic, sizeof header.magic);
  header.version = kSettingsVersion;
  header.entry_bytes = sizeof(SettingEntry);
  header.capacity = settings;
  header.boot = this_boot();
  header.governor = identify(getpid()).value_or(ProcessIdentity{});
  std::memcpy(header.sysfs_root, sysfs_root.data(), sysfs_root.size());
  header.checksum = header_checksum(header);
  header.beat_ns = monotonic_ns();
  // The name comes last: whoever finds it finds a whole header.
  if (renameat(dir.descriptor(), kNewName, dir.descriptor(), kName) != 0) refuse(errno);
  return settings_file;
}

std::optional<SettingsFile> SettingsFile::open_existing(const StateDir& dir) {
  FileDescriptor file = open_state_file(dir, kName, 0, S_IRWXG | S_IRWXO);
  if (file) return adopt(std::move(file), dir.path_of(kName));
  if (errno == ENOENT) return {};
  failure(dir.path_of(kName), "cannot be opened: " + error_text(errno), "run as its owner");
}

SettingsFile SettingsFile::adopt(FileDescriptor file, const std::string& name) {
  const std::string remedy =
      "look at the frequency settings by hand, or restart the machine; then remove this file";
  struct stat info {};
  if (fstat(file.get(), &info) != 0)
    failure(name, "cannot be looked at: " + error_text(errno), remedy);
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size < bytes_for(0) || size > bytes_for(kMaxSettings)) {
    failure(name, "it has a size that no settings file of flyball's has", remedy);
  }
  void* bytes = map(file.get(), size);
  if (bytes == MAP_FAILED) failure(name, "cannot be mapped: " + error_text(errno), remedy);
  SettingsFile settings_file(std::move(file), bytes, size);
  const std::string problem = header_problem(settings_file.header(), size);
  if (!problem.empty()) failure(name, problem, remedy);
  return settings_file;
}

SettingEntry& SettingsFile::entry(int setting) const noexcept {
  return reinterpret_cast<SettingEntry*>(static_cast<char*>(bytes_) + kEntriesAt)[setting];
}

std::optional<int> SettingsFile::take(SettingKind kind, std::string_view path,
                                      std::string_view before, bool before_is_certain) noexcept {
  if (path.empty()) return {};
  return add(kind, path, {}, before, before_is_certain);
}

std::optional<int> SettingsFile::take_thread(SettingKind kind, const ProcessIdentity& thread,
                                             std::string_view before) noexcept {
  return add(kind, {}, thread, before, true);
}

std::optional<int> SettingsFile::add(SettingKind kind, std::string_view path,
                                     const ProcessIdentity& thread, std::string_view before,
                                     bool before_is_certain) noexcept {
  const std::uint32_t number = header().count.load(std::memory_order_relaxed);
  if (number >= header().capacity || !is_setting_text(path, sizeof SettingEntry{}.path - 1) ||
      !is_setting_text(before, sizeof StoredValue{}.text)) {
    return {};
  }
  SettingEntry& entry = *new (&this->entry(static_cast<int>(number))) SettingEntry{};
  entry.kind = kind;
  entry.before_is_certain = before_is_certain ? 1 : 0;
  entry.thread = thread;
  std::copy(path.begin(), path.end(), entry.path);
  store(entry.before, before, 0);
  entry.checksum = entry_checksum(entry);
  header().count.store(number + 1, std::memory_order_seq_cst);  // from here on it counts
  return static_cast<int>(number);
}

bool SettingsFile::retake(int setting, std::string_view before, bool before_is_certain) noexcept {
  if (!is_setting_text(before, sizeof StoredValue{}.text)) return false;
  SettingEntry& entry = this->entry(setting);
  set_state(setting, SettingState::kLeft);  // nothing to give back until it is whole
  for (IntendedValue& intended : entry.intended) {
    clear(intended.stored);
    clear(intended.read_back);
    intended.in_force.store(0, std::memory_order_seq_cst);
  }
  entry.before_is_certain = before_is_certain ? 1 : 0;
  entry.checksum = entry_checksum(entry);
  store(entry.before, before, 0);
  set_state(setting, SettingState::kTaken);
  return true;
}

bool SettingsFile::intend(int setting, std::string_view value) noexcept {
  if (!is_setting_text(value, sizeof StoredValue{}.text)) return false;
  SettingEntry& entry = this->entry(setting);
  IntendedValue& older =
      entry
          .intended[entry.intended[0].stored.sequence <= entry.intended[1].stored.sequence ? 0 : 1];
  const std::uint64_t latest =
      std::max(entry.intended[0].stored.sequence, entry.intended[1].stored.sequence);
  older.in_force.store(0, std::memory_order_seq_cst);
  clear(older.read_back);
  store(older.stored, value, latest + 1);
  set_state(setting, SettingState::kTaken);
  if (phase() == GovernorPhase::kStarting) {
    header().beat_ns.store(monotonic_ns(), std::memory_order_release);
    has_begun();
  }
  gives_back();
  return true;
}

void SettingsFile::written(int setting, std::string_view read_back) noexcept {
  SettingEntry& entry = this->entry(setting);
  IntendedValue& latest =
      entry.intended[entry.intended[0].stored.sequence > entry.intended[1].stored.sequence ? 0 : 1];
  if (is_setting_text(read_back, sizeof StoredValue{}.text)) store(latest.read_back, read_back, 0);
  latest.in_force.store(1, std::memory_order_seq_cst);
}

void SettingsFile::set_state(int setting, SettingState state) noexcept {
  entry(setting).state.store(state, std::memory_order_seq_cst);
}

void SettingsFile::beat(std::int64_t now_ns, std::int64_t period_ns) noexcept {
  // The period first: a supervisor that looks in between finds an old beat with the longer of them,
  // or a new one with its own.
  header().period_ns.store(period_ns, std::memory_order_release);
  header().beat_ns.store(now_ns, std::memory_order_release);
  has_begun();
}

void SettingsFile::expect(std::int64_t period_ns) noexcept {
  header().period_ns.store(period_ns, std::memory_order_release);
}

void SettingsFile::gives_back() noexcept {
  if (phase() == GovernorPhase::kGivingBack)
    header().beat_ns.store(monotonic_ns(), std::memory_order_release);
}

/// Another thread may have begun to give back.
void SettingsFile::has_begun() noexcept {
  GovernorPhase expected = GovernorPhase::kStarting;
  header().phase.compare_exchange_strong(expected, GovernorPhase::kGoverning);
}

void SettingsFile::set_phase(GovernorPhase phase) noexcept {
  header().phase.store(phase, std::memory_order_seq_cst);
}

void SettingsFile::set_supervisor(const ProcessIdentity& process) noexcept {
  header().supervisor.process = process;
  header().supervisor.checksum = supervisor_checksum(header().supervisor);
}

int SettingsFile::count() const noexcept {
  return static_cast<int>(header().count.load(std::memory_order_acquire));
}

bool SettingsFile::is_whole(int setting) const noexcept {
  const SettingEntry& entry = this->entry(setting);
  return entry.checksum == entry_checksum(entry) &&
         static_cast<std::uint32_t>(entry.kind) < kSettingKinds &&
         is_terminated(entry.path, sizeof entry.path) &&
         is_setting_text(path(setting), sizeof entry.path) && flyball::is_whole(entry.before);
}

SettingState SettingsFile::state(int setting) const noexcept {
  return entry(setting).state.load(std::memory_order_acquire);
}

std::string_view SettingsFile::path(int setting) const noexcept { return entry(setting).path; }

std::string_view SettingsFile::before(int setting) const noexcept {
  return text_of(entry(setting).before);
}

SettingsFile::Ours SettingsFile::ours(int setting) const noexcept {
  const IntendedValue* intended = entry(setting).intended;
  const int later = intended[1].stored.sequence > intended[0].stored.sequence ? 1 : 0;
  Ours ours;
  for (const int which : {later, 1 - later}) {
    const IntendedValue& value = intended[which];
    if (!flyball::is_whole(value.stored)) continue;
    ours.values[ours.count++] = text_of(value.stored);
    if (flyball::is_whole(value.read_back)) ours.values[ours.count++] = text_of(value.read_back);
    // Its forerunner is out of the world once this one is in force.
    if (value.in_force.load(std::memory_order_acquire) != 0) break;
  }
  return ours;
}

bool SettingsFile::Ours::contains(std::string_view value) const noexcept {
  return std::find(values, values + count, value) != values + count;
}

std::string_view SettingsFile::sysfs_root() const noexcept { return header().sysfs_root; }

std::optional<ProcessIdentity> SettingsFile::supervisor() const noexcept {
  const SupervisorIdentity& supervisor = header().supervisor;
  if (supervisor.process.pid == 0 || supervisor.checksum != supervisor_checksum(supervisor))
    return {};
  return supervisor.process;
}

void SettingsFile::remove(const StateDir& dir) const noexcept {
  struct stat ours {
  }, named{};
  if (fstat(file_.get(), &ours) != 0 ||
      fstatat(dir.descriptor(), kName, &named, AT_SYMLINK_NOFOLLOW) != 0) {
    return;
  }
  if (ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
    unlinkat(dir.descriptor(), kName, 0);
}

}  // namespace flyball
