#include "governor/cli/verbs/sysfs_root.h"

#include <filesystem>
#include <system_error>

#include "kernels/base/error.h"

namespace flyball::cli {

void sysfs_root_option(CLI::App& parser, std::string& value) {
  parser
      .add_option("--sysfs-root", value,
                  "A folder that holds the 'sys' and 'proc' of another machine (default /)")
      ->type_name("DIR");
}

SysTree tree_at(const std::string& root) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(root, ignored)) {
    input_error("--sysfs-root " + root, "is no folder",
                "name one that holds 'sys' and 'proc', or leave it out");
  }
  const std::filesystem::path folder(root);
  if (!std::filesystem::is_directory(folder / "sys", ignored) &&
      !std::filesystem::is_directory(folder / "proc", ignored)) {
    input_error("--sysfs-root " + root, "holds neither 'sys' nor 'proc', so nothing is found there",
                "name the folder that they are in, or leave it out");
  }
  // The supervisor, which gives back what was changed there, has a working folder of its own.
  return SysTree(std::filesystem::absolute(folder));
}

}  // namespace flyball::cli
