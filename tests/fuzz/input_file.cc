#include "tests/fuzz/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace flyball::fuzz {

// 0600: a policy that others can write to is refused when root reads it.
InputFile::InputFile()
    : path_(std::filesystem::temp_directory_path() / ("input-" + std::to_string(getpid()))),
      descriptor_(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) broken("a file can be made", path_);
}

InputFile::~InputFile() {
  close(descriptor_);
  unlink(path_.c_str());
}

void InputFile::set(std::span<const std::uint8_t> bytes) {
  if (ftruncate(descriptor_, 0) != 0 ||
      pwrite(descriptor_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    broken("a file can be written", path_);
  }
}

OutputFolder::OutputFolder()
    : path_(std::filesystem::temp_directory_path() / ("output-" + std::to_string(getpid()))) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) broken("a folder can be made", path_);
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace flyball::fuzz
