#include "kernels/data/open_data.h"

#include <fmt/format.h>

#include "kernels/data/cifar10.h"
#include "kernels/data/procedural.h"

namespace flyball {

LoadedTrainingData open_training_data(const std::string& source, std::size_t images,
                                      std::uint64_t seed) {
  constexpr const char* kCifar = "cifar10:";
  LoadedTrainingData loaded;
  if (source == "procedural") {
    loaded.data = {procedural_training_set(images, seed), procedural_test_set()};
    return loaded;
  }
  if (!source.starts_with(kCifar) || source == kCifar) {
    loaded.error = fmt::format(
        "data \"{}\": no such data set; give procedural, or cifar10:DIR with the folder", source);
    return loaded;
  }
  loaded = load_cifar10(source.substr(std::char_traits<char>::length(kCifar)));
  if (!loaded.data || images == 0) return loaded;
  Dataset& train = loaded.data->train;
  if (images > train.size()) {
    loaded.error = fmt::format("data \"{}\": it has {} training images, not {}; give 0 for all",
                               source, train.size(), images);
    loaded.data.reset();
    return loaded;
  }
  train.labels.resize(images);
  train.pixels.resize(images * train.image_values());
  return loaded;
}

}  // namespace flyball
