#pragma once

#include <string>

#include "governor/compare/matrix_results.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// The runs of a comparison as text, in part or complete: for `compare --resume`, `--shard` and `merge`.
/// A record a line, each JSON with a checksum: what is compared, a cell when it is prepared, a seed when
/// it is complete.
std::string shard_text(const MatrixResults& results);
/// Of either form. A last line that was not written to its end is left out. Throws Error (kInput).
MatrixResults read_matrix_file(const std::string& path);

/// The same, appended to while a comparison runs; no other process does meanwhile.
class MatrixState {
 public:
  /// Takes from the file what it has of this comparison and goes on from there; a file that is absent or
  /// empty is begun. Throws Error (kInput) when it is of another one, is no such file, or is in use.
  MatrixState(const std::string& path, MatrixResults& results);
  /// Throw Error (kFailure).
  void add_cell(const MatrixResults& results, std::size_t cell);
  void add_seed(std::size_t cell, std::size_t seed, const SeedFigures& figures);

 private:
  void append(const std::string& line);

  std::string path_;
  FileDescriptor file_;
};

}  // namespace flyball
