#pragma once

#include <string>
#include <vector>

#include "env/spaces/quality_knobs.h"
#include "env/spaces/requirements.h"

namespace flyball {

/// A level as an application declares it: where its knobs are and how good its answers are. What it
/// costs is not declared but believed and learned.
struct DeclaredLevel {
  KnobValues knob{};
  double accuracy_pct = 0;
  friend bool operator==(const DeclaredLevel&, const DeclaredLevel&) = default;
};

/// An application in a slot of the roster: who it is and what it offers. What it asks for is in the
/// observation, since that changes.
struct Binding {
  std::string name;     ///< "camera"
  std::string profile;  ///< the kind of application; what is learned belongs to it
  int threads = 1;      ///< that it starts where nobody maps it (Linux governors)
  bool plain_load = false;
  std::vector<QualityKnob> knobs;     ///< of its own; none for a plain load
  std::vector<DeclaredLevel> levels;  ///< what these are flattened into
  unsigned clusters = 0;              ///< that it says it can run on, as bits; 0: those of CPUs
  friend bool operator==(const Binding&, const Binding&) = default;
};

}  // namespace flyball
