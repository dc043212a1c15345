#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>

#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball::fuzz {

/// What a reader is given, in a file of the folder for temporary ones. It is removed at the end, so
/// that of a reader that hangs, and is killed, the input stays.
class InputFile {
 public:
  InputFile();
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  void set(std::span<const std::uint8_t> bytes);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

/// A folder of its own for what is made of it, removed at the end.
class OutputFolder {
 public:
  OutputFolder();
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A crash for the fuzzer to report.
[[noreturn]] inline void broken(const std::string& promise, const std::string& seen) {
  std::cerr << "broken: " << promise << ": " << seen << std::endl;
  std::abort();
}

inline void check_printable(const std::string& text) {
  if (printable(text) != text) broken("no control characters reach a terminal", text);
}

/// What every reader promises: it reads the file, or throws an Error of one printable line that says
/// what, why and what to do.
template <typename Read>
void read_or_refuse(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string line = error.what();
    check_printable(line);
    if (line.find(": ") == std::string::npos || line.find("; ") == std::string::npos) {
      broken("an error says what, why and what to do", line);
    }
    if (error.kind() != Error::Kind::kInput) broken("a bad file is wrong input", line);
  }
}

/// What LLVMFuzzerTestOneInput does: hands the input to a reader, as a file.
template <typename Read>
int read_input(const std::uint8_t* data, std::size_t size, Read&& read) {
  static InputFile file;
  file.set({data, size});
  read_or_refuse([&] { read(file.path()); });
  return 0;
}

}  // namespace flyball::fuzz
