#include "kernels/training/recipe.h"

#include <fmt/format.h>

#include <cmath>

namespace flyball {

std::string Recipe::command() const {
  std::string text = "flyball-torch train-network";
  for_each_field(*this, [&](const char* name, const auto& value, const char*) {
    text += fmt::format(" --{} {}", name, value);
  });
  return text;
}

std::string Recipe::problem() const {
  const auto refuse = [](const char* name, const auto& value, const char* range) {
    return fmt::format("--{} {}: out of range; give {}", name, value, range);
  };
  if (kind != "grouped" && kind != "slimmable")
    return fmt::format("--kind {}: no such kind; give grouped or slimmable", kind);
  if (images < 0 || images > 10'000'000) return refuse("images", images, "0 to 10000000");
  if (images != 0 && images < 20) return refuse("images", images, "at least 20, or 0 for all");
  if (data == "procedural" && images == 0)
    return "--images 0: the procedural set has no end; give a number";
  if (epochs < 1 || epochs > 100'000) return refuse("epochs", epochs, "1 to 100000");
  if (more_epochs < 0 || more_epochs > 100'000)
    return refuse("more-epochs", more_epochs, "0 to 100000");
  if (batch < 2 || batch > 65'536) return refuse("batch", batch, "2 to 65536");
  if (!(lr > 0 && lr <= 1)) return refuse("lr", lr, "a number above 0, to 1");
  if (!(weight_decay >= 0 && weight_decay <= 10))
    return refuse("weight-decay", weight_decay, "0 to 10");
  if (!(smoothing >= 0 && smoothing < 1)) return refuse("smoothing", smoothing, "0 to below 1");
  if (!(alone >= 0 && alone <= 100)) return refuse("alone", alone, "0 to 100");
  if (shift < 0 || shift > 16) return refuse("shift", shift, "0 to 16");
  if (cutout < 0 || cutout > 32) return refuse("cutout", cutout, "0 to 32");
  if (patience < 0) return refuse("patience", patience, "0 or more");
  if (threads < 1 || threads > 1024) return refuse("threads", threads, "1 to 1024");
  return {};
}

}  // namespace flyball
