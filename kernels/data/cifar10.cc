#include "kernels/data/cifar10.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::size_t kRecords = 10000;  // per file
constexpr std::size_t kPlane = 32 * 32;
constexpr std::size_t kRecordBytes = 1 + 3 * kPlane;
constexpr std::size_t kFileBytes = kRecords * kRecordBytes;
constexpr std::string_view kRemedy =
    "unpack cifar-10-binary.tar.gz (CIFAR-10, binary version) and name its folder "
    "cifar-10-batches-bin";

Dataset empty_set(std::string name) {
  Dataset set;
  set.name = std::move(name);
  set.image_size = 32;
  set.channels = 3;
  set.classes = 10;
  return set;
}

/// Empty, or why the file cannot be used. `bytes` has kFileBytes of room.
std::string read_file(const std::string& path, std::vector<unsigned char>& bytes) {
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) return "no such file";
  if (!std::filesystem::is_regular_file(status)) return "not a regular file";
  const std::uintmax_t size = std::filesystem::file_size(path, code);
  if (code) return code.message();
  if (size == kRecords * (kRecordBytes + 1)) return "it is a CIFAR-100 file (two labels a record)";
  if (size != kFileBytes)
    return fmt::format("{} bytes instead of {}: it is {}", size, kFileBytes,
                       size < kFileBytes && size % kRecordBytes == 0 ? "cut short between records"
                       : size < kFileBytes ? "truncated, or another kind of file"
                                           : "another kind of file");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  if (!file) return std::strerror(errno);
  if (std::fread(bytes.data(), 1, kFileBytes, file.get()) != kFileBytes)
    return std::ferror(file.get()) ? std::strerror(errno) : "it became shorter while being read";
  return {};
}

/// Empty, or why these are no CIFAR-10 records. Appends to `set` otherwise.
std::string append(const std::vector<unsigned char>& bytes, Dataset& set) {
  std::array<std::size_t, 10> of_class{};
  for (std::size_t r = 0; r < kRecords; ++r) {
    const unsigned label = bytes[r * kRecordBytes];
    if (label > 9)
      return fmt::format("record {} has label {}, not 0..9: it is no CIFAR-10 file", r, label);
    ++of_class[label];
  }
  // The real files hold about 1,000 images of each class; zeros pass every other test.
  if (*std::ranges::max_element(of_class) > kRecords / 2)
    return "over half of its labels are the same: it is no CIFAR-10 file";
  const std::size_t before = set.size();
  set.labels.resize(before + kRecords);
  set.pixels.resize((before + kRecords) * 3 * kPlane);
  for (std::size_t r = 0; r < kRecords; ++r) {
    const unsigned char* const record = &bytes[r * kRecordBytes];
    set.labels[before + r] = record[0];
    std::uint8_t* const to = &set.pixels[(before + r) * 3 * kPlane];
    for (std::size_t p = 0; p < kPlane; ++p)
      for (std::size_t c = 0; c < 3; ++c) to[p * 3 + c] = record[1 + c * kPlane + p];
  }
  return {};
}

}  // namespace

LoadedTrainingData load_cifar10(const std::string& folder) {
  LoadedTrainingData loaded;
  TrainingData data{empty_set("CIFAR-10 training set"), empty_set("CIFAR-10 test set")};
  std::vector<unsigned char> bytes(kFileBytes);
  for (int file = 1; file <= 6; ++file) {
    const std::string path =
        (std::filesystem::path(folder) /
         (file <= 5 ? fmt::format("data_batch_{}.bin", file) : std::string("test_batch.bin")))
            .string();
    std::string why = read_file(path, bytes);
    if (why.empty()) why = append(bytes, file <= 5 ? data.train : data.test);
    if (!why.empty()) {
      loaded.error = fmt::format("{}: {}; {}", path, why, kRemedy);
      return loaded;
    }
  }
  loaded.data = std::move(data);
  return loaded;
}

Dataset load_cifar10_file(const std::string& path) {
  Dataset set = empty_set("CIFAR-10 file " + path);
  std::vector<unsigned char> bytes(kFileBytes);
  std::string why = read_file(path, bytes);
  if (why.empty()) why = append(bytes, set);
  if (!why.empty())
    input_error(path, why, "take one of the six files that cifar-10-binary.tar.gz unpacks to");
  return set;
}

}  // namespace flyball
