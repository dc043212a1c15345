#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "env/linux/discover/sys_tree.h"

namespace flyball::cli {

/// Where the machine's /sys and /proc are: "/" or a copy of them.
void sysfs_root_option(CLI::App& parser, std::string& value);
/// By its whole path; throws Error (kInput) when there is no such folder.
SysTree tree_at(const std::string& root);

}  // namespace flyball::cli
