#include "kernels/base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

/// The first bytes, as many as there are: a pipe is never opened for writing here, and not waited for.
/// False, with errno, where it cannot be read.
bool read_start(const std::string& path, std::size_t bytes, std::string& start) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return false;
  start.resize(bytes);
  ssize_t got = -1;
  do got = read(file.get(), start.data(), bytes);
  while (got < 0 && errno == EINTR);
  start.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return got >= 0;
}

std::string start_of(const std::string& what, const std::string& path, std::size_t bytes) {
  std::string start;
  if (!read_start(path, bytes, start) && errno != ENOENT) {
    input_error(what,
                fmt::format("is there already and cannot be read: {}",
                            std::generic_category().message(errno)),
                "name another file");
  }
  return start;
}

}  // namespace

bool is_of_kind(const std::string& path, const OutputKind& kind) {
  std::string start;
  return read_start(path, kind.start.size(), start) && start == kind.start;
}

void check_output(const std::string& what, const std::string& path, const OutputKind& kind) {
  if (path.empty()) input_error(what, "is empty", "name the file to write");
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) input_error(what, "is a folder", "name a file in it");
  if (!fs::path(path).has_filename())
    input_error(what, "ends in a slash, as a folder does", "name a file");
  const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : ".";
  // Only when the system says so: a folder that cannot be searched may well be there.
  if (fs::status(folder, ignored).type() == fs::file_type::not_found) {
    input_error(what, fmt::format("there is no folder '{}'", folder.string()),
                "make it first, or name another");
  }
  if (const FileStatus status = can_replace_file(path); !status)
    input_error(what, "cannot be written: " + status.why, "name another file");
  const std::string start = start_of(what, path, kind.start.size());
  if (start.empty() || start == kind.start) return;
  input_error(what, fmt::format("is there already and is not {}", kind.name),
              "name another file, or remove this one first");
}

void check_distinct(const std::vector<NamedOutput>& outputs) {
  namespace fs = std::filesystem;
  std::map<fs::path, std::string> taken;
  for (const auto& [what, path] : outputs) {
    if (path.empty()) continue;
    std::error_code ignored;
    // Absolute first: of what is not there yet, a plain name would stay one.
    const fs::path file = fs::weakly_canonical(fs::absolute(path, ignored), ignored);
    const auto [other, is_new] = taken.emplace(file, what);
    if (!is_new) input_error(what, "would write over " + other->second, "name another file");
  }
}

void make_output_folder(const std::string& what, const std::string& folder) {
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (!error && (folder.empty() || std::filesystem::is_directory(folder, error))) return;
  input_error(what,
              fmt::format("the folder '{}' cannot be made: {}", folder,
                          error ? error.message() : "something else has that name"),
              "name another");
}

}  // namespace flyball
