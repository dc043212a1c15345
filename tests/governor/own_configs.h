#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "kernels/dnn/model_file.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {

/// Seeded weights with invented accuracies: what a test needs of a trained model.
inline Model stand_in_model() {
  Model model = seeded_model(modified_alexnet(), 1);
  model.accuracy.top1_pct = {56, 62.7f, 68.8f, 71.2f};
  model.accuracy.int8_top1_pct = {55.5f, 62.4f, 68.5f, 71};
  model.accuracy.source = "invented for a test with procedural images";
  model.provenance = "a test";
  return model;
}

/// While this lives, the program and this process see a copy of configs/ whose default model is the
/// stand-in, and an empty state directory: no profile of the machine.
class OwnConfigs {
 public:
  OwnConfigs() {
    namespace fs = std::filesystem;
    fs::create_directories(dir_.path() / "configs/models");
    for (const char* kind : {"platforms", "scenarios"})
      fs::copy(fs::path(FLYBALL_SOURCE_DIR) / "configs" / kind, dir_.path() / "configs" / kind,
               fs::copy_options::recursive);

    set_model(stand_in_model());
    setenv("FLYBALL_CONFIGS", (dir_ / "configs").c_str(), 1);
    setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1);
  }
  ~OwnConfigs() {
    unsetenv("FLYBALL_CONFIGS");
    unsetenv("XDG_STATE_HOME");
  }
  OwnConfigs(const OwnConfigs&) = delete;
  OwnConfigs& operator=(const OwnConfigs&) = delete;

  std::string model_path() const { return dir_ / "configs/models/dynamic_cnn.flynet"; }
  void set_model(const Model& model) const {
    if (const std::string error = save_model(model, model_path()); !error.empty())
      throw std::runtime_error(error);
  }
  /// The file of a platform or scenario, to be changed.
  std::string config(const std::string& kind_and_name) const {
    return dir_ / ("configs/" + kind_and_name);
  }
  std::string operator/(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
};

}  // namespace flyball::testing
