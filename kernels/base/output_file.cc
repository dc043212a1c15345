#include "kernels/base/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>

#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

/// Of a regular file: a pipe is never opened for writing here, and not waited for.
std::string start_of(const std::string& what, const std::string& path, std::size_t bytes) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno == ENOENT) return "";
  std::string start(bytes, '\0');
  ssize_t got = -1;
  if (file) {
    do got = read(file.get(), start.data(), bytes);
    while (got < 0 && errno == EINTR);
  }
  if (got < 0) {
    input_error(what,
                fmt::format("is there already and cannot be read: {}",
                            std::generic_category().message(errno)),
                "name another file");
  }
  start.resize(static_cast<std::size_t>(got));
  return start;
}

}  // namespace

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
