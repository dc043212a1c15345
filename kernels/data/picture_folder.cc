#include "kernels/data/picture_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "kernels/base/error.h"
#include "kernels/base/read_file.h"
#include "kernels/data/image_file.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

bool is_picture_name(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return end == ".png" || end == ".ppm" || end == ".pgm";
}

std::vector<fs::path> pictures_of(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (is_picture_name(entry->path()) && !entry->is_directory(ignored))
      files.push_back(entry->path());
    if (files.size() > kMaxFolderImages)
      input_error(folder, fmt::format("has more than {} pictures", kMaxFolderImages),
                  "name a folder with fewer");
  }
  if (error) input_error(folder, "cannot be read: " + error.message(), "name another folder");
  if (files.empty())
    input_error(folder, "has no pictures (*.png, *.ppm, *.pgm) in it",
                "name a folder that has; those within it are not looked at");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

NamedImages load_pictures(const std::string& path, int size, int channels) {
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  const std::vector<fs::path> files = folder ? pictures_of(path) : std::vector<fs::path>{path};
  NamedImages named;
  Dataset& set = named.images;
  set.name = fmt::format("{} picture{} of {}", files.size(), files.size() == 1 ? "" : "s", path);
  set.image_size = size;
  set.channels = channels;
  set.labels.resize(files.size());
  set.pixels.resize(files.size() * set.image_values());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Picture image =
        decode_picture(files[i].string(), read_file(files[i].string(), kMaxImageFileBytes));
    resize_picture(image, size, channels,
                 std::span(set.pixels).subspan(i * set.image_values(), set.image_values()));
    named.names.push_back(files[i].filename().string());
  }
  return named;
}

}  // namespace flyball
