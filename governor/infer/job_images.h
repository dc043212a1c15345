#pragma once

#include <string>
#include <vector>

#include "kernels/data/dataset.h"
#include "kernels/dnn/model.h"

namespace flyball {

/// What the jobs of `infer` look at, in turn: images as the network's shape wants them.
struct JobImages {
  Dataset images;
  std::vector<std::string> names;    ///< of the files that pictures came from; else empty
  std::vector<std::string> classes;  ///< what the network's classes are called, where that is known
  bool labelled = false;             ///< the labels are of the classes that the network knows

  std::string name(std::size_t index) const;  ///< of a file, or the number
  std::string class_name(int index) const;    ///< "7 key", or "7"
};

/// `source`: "procedural", a folder of pictures, a picture, or a CIFAR-10 file. Throws Error (kInput).
JobImages open_job_images(const std::string& source, const Model& model);

}  // namespace flyball
