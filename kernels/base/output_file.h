#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flyball {

/// What a verb makes, and how a file that is there already is known to be one.
struct OutputKind {
  const char* name;        ///< "a policy file"
  std::string_view start;  ///< of every such file
};

/// Before long work: throws Error (kInput) unless `path` can be written, which is tried as
/// replace_file does it, and what would be replaced is empty or of that kind. So an output is never
/// its input either, unless that is of the same kind. `what` names it: "--out x.policy". Leaves
/// nothing.
void check_output(const std::string& what, const std::string& path, const OutputKind& kind);

/// Whether a file begins as one of that kind does; false where it cannot be read. Waits for no pipe.
bool is_of_kind(const std::string& path, const OutputKind& kind);

/// A file that a verb is to make: "--record run.flyrec", and where.
struct NamedOutput {
  std::string what, path;
};
/// Throws Error (kInput) when two of them are one file, however they are spelled, of which the last
/// to be written would be all that is left. Outputs that were not asked for have no path.
void check_distinct(const std::vector<NamedOutput>& outputs);

/// Makes the folder, and those that it is in, where they are absent. Throws Error (kInput).
void make_output_folder(const std::string& what, const std::string& folder);

}  // namespace flyball
