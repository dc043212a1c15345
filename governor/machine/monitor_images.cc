#include "governor/machine/monitor_images.h"

#include <utility>

#include "kernels/data/accuracy.h"
#include "kernels/data/procedural.h"

namespace flyball {

std::optional<LabelledImages> monitor_images(const Model& model, std::size_t count) {
  const NetworkSpec& spec = model.spec;
  const bool fits = spec.image_size == kProceduralSize && spec.image_channels == 3 &&
                    spec.classes == static_cast<int>(kProceduralClasses.size());
  if (!fits || model.accuracy.source.find("procedural") == std::string::npos) return std::nullopt;
  Dataset test = procedural_test_set(count);
  return LabelledImages{normalised_images(test, count), std::move(test.labels)};
}

}  // namespace flyball
