#include "governor/infer/job_images.h"

#include <fmt/format.h>

#include <filesystem>

#include "kernels/base/error.h"
#include "kernels/data/cifar10.h"
#include "kernels/data/image_file.h"
#include "kernels/data/picture_folder.h"
#include "kernels/data/procedural.h"

namespace flyball {
namespace {

/// All of them come again after a minute at 33 a second; 0.1 s to draw.
constexpr std::size_t kProceduralImages = 2000;

bool trained_on(const Model& model, const std::string& data) {
  return model.accuracy.source.find(data) != std::string::npos;
}

bool is_picture_file(const std::string& path) {
  const std::string end = std::filesystem::path(path).extension().string();
  return end != ".bin";
}

/// A data set has one size; a network may want another.
Dataset fitted(Dataset from, const NetworkSpec& spec) {
  if (from.image_size == spec.image_size && from.channels == spec.image_channels) return from;
  Dataset to = from;
  to.image_size = spec.image_size;
  to.channels = spec.image_channels;
  to.pixels.resize(to.size() * to.image_values());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto pixels = from.image(i);
    const Picture image{
        from.image_size, from.image_size, from.channels, {pixels.begin(), pixels.end()}};
    resize_picture(image, to.image_size, to.channels,
                 std::span(to.pixels).subspan(i * to.image_values(), to.image_values()));
  }
  return to;
}

}  // namespace

std::string JobImages::name(std::size_t index) const {
  return names.empty() ? fmt::to_string(index) : names[index];
}

std::string JobImages::class_name(int index) const {
  const auto i = static_cast<std::size_t>(index);
  return i < classes.size() ? fmt::format("{} {}", index, classes[i]) : fmt::to_string(index);
}

JobImages open_job_images(const std::string& source, const Model& model) {
  const NetworkSpec& spec = model.spec;
  if (spec.image_channels != 1 && spec.image_channels != 3)
    input_error("model", fmt::format("it sees images of {} channels", spec.image_channels),
                "use one for grey or coloured pictures");
  JobImages opened;
  const bool ten = spec.classes == static_cast<int>(kProceduralClasses.size());
  if (ten && trained_on(model, "procedural"))
    opened.classes.assign(kProceduralClasses.begin(), kProceduralClasses.end());
  std::error_code ignored;
  if (source == "procedural") {
    opened.images = fitted(procedural_test_set(kProceduralImages), spec);
    opened.labelled = !opened.classes.empty();
    opened.images.name = fmt::format("{} procedural images", opened.images.size());
  } else if (std::filesystem::is_directory(source, ignored) || is_picture_file(source)) {
    NamedImages named = load_pictures(source, spec.image_size, spec.image_channels);
    opened.images = std::move(named.images);
    opened.names = std::move(named.names);
  } else {
    opened.images = fitted(load_cifar10_file(source), spec);
    opened.labelled = ten && trained_on(model, "CIFAR-10");
    opened.images.name =
        fmt::format("{} images of the CIFAR-10 file {}", opened.images.size(), source);
  }
  return opened;
}

}  // namespace flyball
